/** The measuring tool: two places, and what lies between them. */

import type { Point } from "./geometry";

export interface Measured {
  readonly dx: number;
  readonly dy: number;
  readonly distance: number;
  /** Turned from x towards y, 0 to below 180 degrees. */
  readonly angle: number;
}

/** The places clicked so far: none, one or two. A third click begins anew. */
export type Ends = readonly [] | readonly [Point] | readonly [Point, Point];

export function clicked(ends: Ends, place: Point): Ends {
  return ends.length === 1 ? [ends[0], place] : [place];
}

/** What lies between two places, mm and degrees. */
export function measured([ax, ay]: Point, [bx, by]: Point): Measured {
  const dx = bx - ax;
  const dy = by - ay;
  const turned = (Math.atan2(dy, dx) * 180) / Math.PI;
  return { dx, dy, distance: Math.hypot(dx, dy), angle: ((turned % 180) + 180) % 180 };
}

/** The angle below 180 that a straight line reads; as text with the sign that y runs down. */
export function describe({ dx, dy, distance, angle }: Measured): string {
  const mm = (value: number): string => value.toFixed(distance < 1 ? 4 : 3);
  return `${mm(distance)} mm · dx ${mm(dx)} · dy ${mm(dy)} · ${angle.toFixed(1)}°`;
}
