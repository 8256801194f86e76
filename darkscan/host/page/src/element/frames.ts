/** The frames of a scan: where each lies, and what became of it. */

import {
  NOT_YET,
  OUTCOMES,
  type FrameColumns,
  type NotInspectedArea,
  type ScanDetails,
} from "../api/types";
import type { Box } from "./geometry";

interface Frame {
  readonly x: number;
  readonly y: number;
  readonly outcome: number;
  readonly reason: string;
}

export class FrameTable {
  private readonly frames = new Map<number, Frame>();
  /** The newest revision that is known. */
  revision = 0;

  /** ``sizeMm``: width and height of a frame; null: not known. */
  constructor(private readonly sizeMm: readonly [number, number] | null) {}

  static of(details: ScanDetails): FrameTable {
    const shape = details.frame_shape;
    const mm = details.pitch_um / 1000;
    return new FrameTable(shape && [shape[1] * mm, shape[0] * mm]);
  }

  learn(columns: FrameColumns): void {
    for (let row = 0; row < columns.number.length; row++) {
      this.frames.set(columns.number[row]!, {
        x: columns.x_mm[row]!,
        y: columns.y_mm[row]!,
        outcome: columns.outcome[row]!,
        reason: columns.reasons[columns.reason[row]!] ?? "",
      });
    }
    this.revision = Math.max(this.revision, columns.revision);
  }

  /** Where a frame lies; null: not known. */
  box(number: number): Box | null {
    const frame = this.frames.get(number);
    if (!frame || !this.sizeMm) return null;
    return [frame.x, frame.y, this.sizeMm[0], this.sizeMm[1]];
  }

  get settled(): number {
    let settled = 0;
    for (const { outcome } of this.frames.values()) if (outcome !== NOT_YET) settled++;
    return settled;
  }

  /** The frames that were not inspected, as parts of the element: until a map says more. */
  notInspected(): NotInspectedArea[] {
    if (!this.sizeMm) return [];
    const [width, height] = this.sizeMm;
    const areas: NotInspectedArea[] = [];
    for (const [number, { x, y, outcome, reason }] of this.frames) {
      const kind = OUTCOMES[outcome];
      if (kind === undefined || kind === "mapped") continue;
      areas.push({
        kind,
        reason: reason || `frame ${number}`,
        area_mm2: width * height,
        rings: [
          [
            [x, y],
            [x + width, y],
            [x + width, y + height],
            [x, y + height],
          ],
        ],
      });
    }
    return areas;
  }
}
