// The frames of a scan as this page knows them.

import { NOT_YET, type FrameColumns } from "../api";

export interface Frame {
  number: number;
  x: number;
  y: number;
  strip: number;
  /** A place in OUTCOMES, or NOT_YET. */
  outcome: number;
  reason: string;
}

export class FrameTable {
  /** In scan order. */
  readonly all: Frame[] = [];
  revision = 0;
  /** The furthest frame of those that were settled latest. */
  latest: Frame | null = null;
  #places = new Map<number, number>();

  clear(): void {
    this.all.length = 0;
    this.revision = 0;
    this.latest = null;
    this.#places.clear();
  }

  /** Takes in what is new. */
  take(columns: FrameColumns): void {
    let furthest = -1;
    for (let k = 0; k < columns.number.length; k++) {
      const frame: Frame = {
        number: columns.number[k]!,
        x: columns.x_mm[k]!,
        y: columns.y_mm[k]!,
        strip: columns.strip[k]!,
        outcome: columns.outcome[k]!,
        reason: columns.reasons[columns.reason[k]!] ?? "",
      };
      const place = this.#places.get(frame.number) ?? this.all.length;
      this.#places.set(frame.number, place);
      this.all[place] = frame;
      if (frame.outcome !== NOT_YET) furthest = Math.max(furthest, place);
    }
    if (furthest >= 0) this.latest = this.all[furthest] ?? null;
    this.revision = columns.revision;
  }
}
