/** The defects of a scan as columns of numbers, with an index over their places.
 *
 * A finished scan has defects, from its map. While it runs there are shapes, as they were
 * traced frame by frame: they have no number, no probability and no verdict.
 */

import Flatbush from "flatbush";

import type { DefectColumns, ShapeColumns } from "../api/types";
import { distanceToLine, type Box, type Point } from "./geometry";

/** The kinds that a centre line tells; the others are spots, told by an outline. */
export function isLine(kind: number): boolean {
  return kind < 2;
}

/** A row each, but for ``points`` (x and y in turn) and ``box`` (4 values a row). */
export class DefectTable {
  readonly count: number;
  /** The first point of each row in ``points``. */
  readonly firsts: Int32Array;
  private readonly index: Flatbush | null;
  private rows: Map<number, number> | null = null;

  private constructor(
    /** Whether they are a map's defects, and no shapes. */
    readonly final: boolean,
    /** 1 for D0001; 0 for shapes. */
    readonly number: Int32Array,
    /** Places in ``DEFECT_KINDS``. */
    readonly kind: Uint8Array,
    /** NaN where none was given. */
    readonly probability: Float32Array,
    readonly lengthMm: Float32Array,
    readonly widthUm: Float32Array,
    readonly contrast: Float32Array,
    readonly xMm: Float32Array,
    readonly yMm: Float32Array,
    readonly box: Float32Array,
    readonly points: Float32Array,
    readonly counts: Int32Array,
  ) {
    this.count = kind.length;
    this.firsts = new Int32Array(this.count);
    let first = 0;
    for (let row = 0; row < this.count; row++) {
      this.firsts[row] = first;
      first += counts[row]!;
    }
    if (first * 2 !== points.length) throw new Error("points and counts do not fit together");
    this.index = this.indexed();
  }

  static none(): DefectTable {
    const floats = new Float32Array(0);
    const ints = new Int32Array(0);
    const kinds = new Uint8Array(0);
    return new DefectTable(
      false, ints, kinds, floats, floats, floats, floats, floats, floats, floats, floats, ints,
    );
  }

  /** Of a map. Throws an Error if the columns do not fit together. */
  static ofMap(columns: DefectColumns): DefectTable {
    return new DefectTable(
      true,
      columns.number,
      columns.kind,
      columns.probability,
      columns.length_mm,
      columns.width_um,
      columns.contrast,
      columns.x_mm,
      columns.y_mm,
      columns.box,
      columns.points,
      columns.counts,
    );
  }

  /** Of a scan without a map. Throws an Error if the columns do not fit together. */
  static ofShapes(shapes: Omit<ShapeColumns, "revision" | "frame">): DefectTable {
    const rows = shapes.kind.length;
    const { lengths, xs, ys, boxes } = measuresOf(shapes.points, shapes.counts);
    return new DefectTable(
      false,
      new Int32Array(rows),
      shapes.kind,
      new Float32Array(rows).fill(NaN),
      lengths,
      shapes.width_um,
      shapes.contrast,
      xs,
      ys,
      boxes,
      shapes.points,
      shapes.counts,
    );
  }

  private indexed(): Flatbush | null {
    if (!this.count) return null;
    const index = new Flatbush(this.count);
    for (let row = 0; row < this.count; row++) {
      const [x, y, width, height] = this.boxOf(row);
      index.add(x, y, x + width, y + height);
    }
    index.finish();
    return index;
  }

  /** The row's id, as D0001. */
  id(row: number): string {
    return `D${String(this.number[row]!).padStart(4, "0")}`;
  }

  /** The row of an id; -1 if there is none. */
  rowOf(id: string): number {
    if (!this.final || !id.startsWith("D")) return -1;
    this.rows ??= new Map(Array.from(this.number, (number, row) => [number, row]));
    return this.rows.get(Number(id.slice(1))) ?? -1;
  }

  boxOf(row: number): Box {
    const box = this.box;
    const at = 4 * row;
    return [box[at]!, box[at + 1]!, box[at + 2]!, box[at + 3]!];
  }

  /** The rows whose boxes a box overlaps, in no order. */
  rowsWithin([x, y, width, height]: Box): number[] {
    return this.index?.search(x, y, x + width, y + height) ?? [];
  }

  /** The row nearest to a place, among those shown, at most ``reach`` mm away; -1: none. */
  nearest(place: Point, reach: number, shown: Uint8Array): number {
    let best = -1;
    let least = reach;
    const [x, y] = place;
    for (const row of this.rowsWithin([x - reach, y - reach, 2 * reach, 2 * reach])) {
      if (!shown[row]) continue;
      const away = distanceToLine(place, this.points, this.firsts[row]!, this.counts[row]!);
      if (away < least) {
        least = away;
        best = row;
      }
    }
    return best;
  }
}

function measuresOf(points: Float32Array, counts: Int32Array) {
  const rows = counts.length;
  const lengths = new Float32Array(rows);
  const xs = new Float32Array(rows);
  const ys = new Float32Array(rows);
  const boxes = new Float32Array(4 * rows);
  let first = 0;
  for (let row = 0; row < rows; row++) {
    const last = first + counts[row]!;
    let [left, top, right, bottom, length] = [Infinity, Infinity, -Infinity, -Infinity, 0];
    for (let i = first; i < last; i++) {
      const x = points[2 * i]!;
      const y = points[2 * i + 1]!;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
      if (i > first) length += Math.hypot(x - points[2 * i - 2]!, y - points[2 * i - 1]!);
    }
    const middle = first + (counts[row]! >> 1);
    lengths[row] = length;
    xs[row] = points[2 * middle]!;
    ys[row] = points[2 * middle + 1]!;
    boxes.set([left, top, right - left, bottom - top], 4 * row);
    first = last;
  }
  return { lengths, xs, ys, boxes };
}
