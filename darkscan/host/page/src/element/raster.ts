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
  private readonly pixels: Uint32Array;

  /** Draws into an image of this size; the image is cleared. */
  constructor(
    readonly width: number,
    readonly height: number,
    bytes: Uint8ClampedArray,
  ) {
    this.pixels = new Uint32Array(bytes.buffer, bytes.byteOffset, width * height);
    this.pixels.fill(0);
  }

  /** Colours a pixel, 0 to 1 of it; what is drawn there already stays if it covers more. */
  private cover(x: number, y: number, part: number, rgb: number): void {
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return;
    const alpha = part >= 1 ? 255 : (part * 255) | 0;
    const at = y * this.width + x;
    if (this.pixels[at]! >>> 24 < alpha) this.pixels[at] = (alpha << 24) | rgb;
  }

  /** A line of about one pixel's width. ``rgb``: 0xbbggrr. ``opacity``: 0 to 1. */
  line(x0: number, y0: number, x1: number, y1: number, rgb: number, opacity: number): void {
    const steep = Math.abs(y1 - y0) > Math.abs(x1 - x0);
    if (steep) [x0, y0, x1, y1] = [y0, x0, y1, x1];
    if (x0 > x1) [x0, y0, x1, y1] = [x1, y1, x0, y0];
    const limit = steep ? this.height : this.width;
    const slope = x1 > x0 ? (y1 - y0) / (x1 - x0) : 0;
    const first = Math.max(Math.round(x0), -1);
    const last = Math.min(Math.round(x1), limit);
    for (let along = first; along <= last; along++) {
      const across = y0 + slope * (Math.min(Math.max(along, x0), x1) - x0);
      const low = Math.floor(across);
      const part = across - low;
      const near = (1 - part) * STRENGTH * opacity;
      const far = part * STRENGTH * opacity;
      if (steep) {
        this.cover(low, along, Math.min(near, opacity), rgb);
        this.cover(low + 1, along, Math.min(far, opacity), rgb);
      } else {
        this.cover(along, low, Math.min(near, opacity), rgb);
        this.cover(along, low + 1, Math.min(far, opacity), rgb);
      }
    }
  }

  /** A square of 3 pixels, or 2 x 2 when it is ``small``. */
  dot(x: number, y: number, small: boolean, rgb: number, opacity: number): void {
    const left = Math.round(x) - 1;
    const top = Math.round(y) - 1;
    const side = small ? 2 : 3;
    for (let dy = 0; dy < side; dy++) {
      for (let dx = 0; dx < side; dx++) this.cover(left + dx, top + dy, opacity, rgb);
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
  for (let kind = DEFECT_KINDS.length - 1; kind >= 0; kind--) {
    for (let at = 0; at < rows.length; at++) {
      const row = rows[at]!;
      if (inks.kind[row] !== kind) continue;
      drawRow(raster, table, row, view, scale, colours[kind]!, inks.strength[row]! / 255);
    }
  }
}

function drawRow(
  raster: Raster,
  table: DefectTable,
  row: number,
  view: View,
  scale: number,
  rgb: number,
  opacity: number,
): void {
  const { points, box } = table;
  const longest = Math.max(box[4 * row + 2]!, box[4 * row + 3]!) * scale;
  if (longest < 2.5) {
    const x = (table.xMm[row]! - view.leftMm) * scale;
    const y = (table.yMm[row]! - view.topMm) * scale;
    raster.dot(x, y, isLine(table.kind[row]!) || longest < 0.5, rgb, opacity);
    return;
  }
  const first = table.firsts[row]!;
  const last = first + table.counts[row]! - 1;
  let x0 = (points[2 * first]! - view.leftMm) * scale;
  let y0 = (points[2 * first + 1]! - view.topMm) * scale;
  for (let i = first + 1; i <= last; i++) {
    const x = (points[2 * i]! - view.leftMm) * scale;
    const y = (points[2 * i + 1]! - view.topMm) * scale;
    if (i < last && Math.abs(x - x0) < 1.5 && Math.abs(y - y0) < 1.5) continue;
    raster.line(x0, y0, x, y, rgb, opacity);
    x0 = x;
    y0 = y;
  }
}

function asPixel(colour: string): number {
  const value = Number.parseInt(colour.slice(1), 16);
  return ((value & 255) << 16) | (value & 0xff00) | (value >> 16);
}
