// The sides of the same element: each leads to its newest scan.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, type ScanSummary } from "../api";
import { Link, pathOf } from "../router";
import { StateMark } from "../shared/state";
import type { Model } from "./model";

export function Sides({ model }: { model: Model }) {
  const details = model.details.value!;
  const newest = useSignal<ScanSummary[]>([]);
  useEffect(() => {
    let left = false;
    api.scans({ element: details.element }).then(
      ({ scans }) => {
        if (left) return;
        const bySide = new Map<string, ScanSummary>();
        for (const scan of scans) {
          if (scan.element === details.element && !bySide.has(scan.side)) bySide.set(scan.side, scan);
        }
        newest.value = [...bySide.values()].filter((scan) => scan.side !== details.side);
      },
      () => undefined, // without it only the links are missing
    );
    return () => (left = true);
  }, [details.element, details.side]);
  return (
    <div class="sides">
      <StateMark state={details.state} />
      {details.reason && <p class="end-reason">{details.reason}</p>}
      {newest.value.length > 0 && (
        <nav aria-label="Sides of this element">
          <span aria-current="true">{details.side}</span>
          {newest.value.map((scan) => (
            <Link key={scan.id} href={pathOf("element", scan.id)}>
              {scan.side}
            </Link>
          ))}
        </nav>
      )}
    </div>
  );
}
