/** Thin lines and dots drawn straight into pixels.
 *
 * Without a GPU a canvas strokes 100 000 lines in a tenth of a second; this takes a fraction of
 * it, as it skips what falls into a pixel that is drawn already. Lines are smoothed by Wu's
 * method ("An efficient antialiasing technique", 1991).
 */

import { DEFECT_KINDS } from "../api/types";
import { isLine, type DefectTable } from "./defects";
import type { View } from "./geometry";

/** A line's stroke covers this much of a pixel that it runs through the middle of. */
const STRENGTH = 1.5;

export class Raster {
  private readonly pixels: Int32Array;

  /** Draws into an image of this size; the image is cleared. */
  constructor(
    readonly width: number,
    readonly height: number,
    bytes: Uint8ClampedArray,
  ) {
    this.pixels = new Int32Array(bytes.buffer, bytes.byteOffset, width * height);
    this.pixels.fill(0);
  }

  /** A line of about one pixel's width. ``rgb``: 0xbbggrr. ``opacity``: 0 to 255.
   *
   * A pixel that is covered more strongly already stays as it is.
   */
  line(x0: number, y0: number, x1: number, y1: number, rgb: number, opacity: number): void {
    const { width, height, pixels } = this;
    const steep = Math.abs(y1 - y0) > Math.abs(x1 - x0);
    // Along the longer way and across it: a step along is ``onward`` pixels, one across ``aside``.
    let from = steep ? y0 : x0;
    let to = steep ? y1 : x1;
    let across = steep ? x0 : y0;
    let end = steep ? x1 : y1;
    if (from > to) {
      [from, to] = [to, from];
      [across, end] = [end, across];
    }
    const onward = steep ? width : 1;
    const aside = steep ? 1 : width;
    const length = steep ? height : width;
    const breadth = steep ? width : height;
    const slope = to > from ? (end - across) / (to - from) : 0;
    const first = Math.max(Math.round(from), 0);
    const last = Math.min(Math.round(to), length - 1);
    across += slope * (Math.max(first, from) - from);
    for (let along = first; along <= last; along++, across += slope) {
      const low = Math.floor(across);
      if (low < 0 || low + 1 >= breadth) continue;
      const part = (across - low) * STRENGTH;
      const near = Math.min((STRENGTH - part) * opacity, opacity) | 0;
      const far = Math.min(part * opacity, opacity) | 0;
      const at = along * onward + low * aside;
      if (pixels[at]! >>> 24 < near) pixels[at] = (near << 24) | rgb;
      if (pixels[at + aside]! >>> 24 < far) pixels[at + aside] = (far << 24) | rgb;
    }
  }

  /** A square of 3 pixels, or of 2 when it is ``small``. */
  dot(x: number, y: number, small: boolean, rgb: number, opacity: number): void {
    const side = small ? 2 : 3;
    const left = Math.round(x) - 1;
    const top = Math.round(y) - 1;
    if (left < 0 || top < 0 || left + side > this.width || top + side > this.height) return;
    const { pixels } = this;
    for (let row = 0; row < side; row++) {
      const first = (top + row) * this.width + left;
      for (let at = first; at < first + side; at++) {
        if (pixels[at]! >>> 24 < opacity) pixels[at] = (opacity << 24) | rgb;
      }
    }
  }
}

export interface Inks {
  /** "#rrggbb" of each of DEFECT_KINDS. */
  readonly colours: readonly string[];
  /** The kind of each row, which a reviewer may have changed. */
  readonly kind: Uint8Array;
  /** Of each row, 0 to 255: how strongly it is drawn. */
  readonly strength: Uint8Array;
}

/** Draws rows of a table as a view shows them; ``ratio``: pixels of the raster in one of the
 * screen. Scratches come last, so that nothing lies over them. */
export function rasterize(
  raster: Raster,
  table: DefectTable,
  rows: ArrayLike<number>,
  view: View,
  ratio: number,
  inks: Inks,
): void {
  const colours = inks.colours.map(asPixel);
  const scale = view.scale * ratio;
  const { kind, strength } = inks;
  for (let layer = DEFECT_KINDS.length - 1; layer >= 0; layer--) {
    for (let at = 0; at < rows.length; at++) {
      const row = rows[at]!;
      if (kind[row] !== layer) continue;
      drawRow(raster, table, row, view, scale, colours[layer]!, strength[row]!);
    }
  }
}

/** Points nearer to the last drawn one than this are left out, pixels. */
const STEP_PX = 2;

function drawRow(
  raster: Raster,
  table: DefectTable,
  row: number,
  { leftMm, topMm }: View,
  scale: number,
  rgb: number,
  opacity: number,
): void {
  const { points, box } = table;
  const longest = Math.max(box[4 * row + 2]!, box[4 * row + 3]!) * scale;
  const first = 2 * table.firsts[row]!;
  const last = first + 2 * table.counts[row]! - 2;
  if (longest < 2.5) {
    const x = (table.xMm[row]! - leftMm) * scale;
    const y = (table.yMm[row]! - topMm) * scale;
    raster.dot(x, y, isLine(table.kind[row]!) || longest < 0.5, rgb, opacity);
    return;
  }
  let x0 = (points[first]! - leftMm) * scale;
  let y0 = (points[first + 1]! - topMm) * scale;
  for (let at = first + 2; at <= last; at += 2) {
    const x = (points[at]! - leftMm) * scale;
    const y = (points[at + 1]! - topMm) * scale;
    const dx = x - x0;
    const dy = y - y0;
    if (at < last && dx < STEP_PX && dx > -STEP_PX && dy < STEP_PX && dy > -STEP_PX) continue;
    raster.line(x0, y0, x, y, rgb, opacity);
    x0 = x;
    y0 = y;
  }
}

function asPixel(colour: string): number {
  const value = Number.parseInt(colour.slice(1), 16);
  return ((value & 255) << 16) | (value & 0xff00) | (value >> 16);
}
