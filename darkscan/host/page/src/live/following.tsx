// The live view goes on to the next scan of its rig, unless the user keeps it on this one.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, listen, type ScanDetails } from "../api";
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
      void api.scan(event.scan).then(
        (next) => {
          if (next.rig !== rig || !isOpen(next.state) || next.began <= began || pinned.value === id) return;
          navigate(pathOf("live", next.id), { replace: true });
          toast(`Now showing ${next.element}, ${next.side}: the scan that began on ${rig || "this rig"}.`);
        },
        () => undefined, // the list has it; the next event tries again
      );
    });
  }, [id, rig, began]);
}

export function PinButton({ scanId }: { scanId: string }) {
  const isPinned = pinned.value === scanId;
  return (
    <button
      type="button"
      class="quiet pin"
      aria-pressed={isPinned}
      title="Whether the view stays with this scan when the next one begins (p)"
      onClick={() => togglePin(scanId)}
    >
      {isPinned ? "◉ stays on this scan" : "○ goes on to the next scan"}
    </button>
  );
}
