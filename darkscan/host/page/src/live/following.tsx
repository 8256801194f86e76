// The live view goes on to the next scan of its rig, unless the user keeps it on this one.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { listen, type ScanDetails } from "../api";
import { navigate, pathOf } from "../router";
import { isOpen } from "../shared/state";
import { toast } from "../shared/toasts";

/** The scan that the view is kept on; empty: none. */
export const pinned = signal("");

export const togglePin = (scan: string): void => {
  pinned.value = pinned.value === scan ? "" : scan;
};

/** Goes to a scan that begins on the same rig later than this one. */
export function useFollowing(details: ScanDetails | null): void {
  const { id, rig, began } = details ?? { id: "", rig: "", began: "" };
  useEffect(() => {
    if (!id) return;
    return listen((event) => {
      if (event.kind !== "scan" || event.scan === id || pinned.value === id) return;
      const next = event.data;
      if (next.rig !== rig || !isOpen(next.state) || next.began <= began) return;
      navigate(pathOf("live", next.id), { replace: true });
      toast(`Now showing ${next.element}, ${next.side}: the scan that began on ${rig || "this rig"}.`);
    });
  }, [id, rig, began]);
}

export function Pin({ scanId }: { scanId: string }) {
  return (
    <label class="pin" title="Else the view goes on when the next scan begins on this rig (p)">
      <input
        type="checkbox"
        checked={pinned.value === scanId}
        onChange={() => togglePin(scanId)}
      />
      stay on this scan
    </label>
  );
}
