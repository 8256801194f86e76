/** Where the frames of a scan lie, and which of them were not inspected. */

import { NOT_YET, OUTCOMES, type NotInspectedArea, type ScanDetails } from "../api/types";
import type { FrameTable } from "../live/frames";
import type { Box } from "./geometry";

/** Width and height of a frame, mm; null where the scan does not say. */
export function frameSize(details: ScanDetails | null): readonly [number, number] | null {
  const shape = details?.frame_shape;
  if (!shape) return null;
  const mm = details.pitch_um / 1000;
  return [shape[1] * mm, shape[0] * mm];
}

/** Where frames lie, by number; those that are not known are left out. */
export function frameBoxes(
  table: FrameTable,
  numbers: readonly number[],
  size: readonly [number, number] | null,
): [number, Box][] {
  if (!size) return [];
  const wanted = new Set(numbers);
  return table.all
    .filter((frame) => wanted.has(frame.number))
    .map((frame) => [frame.number, [frame.x, frame.y, ...size]]);
}

/** Where the frames lie that are still to come. */
export function framesToCome(
  table: FrameTable,
  size: readonly [number, number] | null,
): readonly Box[] {
  if (!size) return [];
  return table.all
    .filter((frame) => frame.outcome === NOT_YET)
    .map((frame) => [frame.x, frame.y, ...size]);
}

/** The frames that were not inspected, as parts of the element: until a map says more. */
export function framesNotInspected(
  table: FrameTable,
  size: readonly [number, number] | null,
): NotInspectedArea[] {
  if (!size) return [];
  const [width, height] = size;
  return table.all.flatMap(({ number, x, y, outcome, reason }) => {
    const kind = OUTCOMES[outcome];
    if (kind === undefined || kind === "mapped") return [];
    return [
      {
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
      } satisfies NotInspectedArea,
    ];
  });
}
