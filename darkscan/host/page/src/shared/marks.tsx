// The signs of the legend: kinds of defects and of what was not inspected differ in form, too.

import type { DefectKind } from "../api";

/** The sign of a kind, in its colour. The word stands beside it. */
export function KindMark({ kind }: { kind: DefectKind }) {
  return (
    <svg class={`mark ${kind}`} viewBox="0 0 24 16" aria-hidden="true">
      {kind === "scratch" && <path d="M2 13 22 3" />}
      {kind === "fibre" && <path d="M2 12Q9 1 13 8t9 -3" stroke-dasharray="5 3" />}
      {kind === "dig" && <circle cx="12" cy="8" r="4.5" />}
      {kind === "dust" && <rect x="8" y="4" width="8" height="8" />}
    </svg>
  );
}

/** A swatch of a hatching; styled by its kind. */
export function HatchMark({ kind }: { kind: string }) {
  return <span class={`hatch ${kind}`} aria-hidden="true" />;
}
