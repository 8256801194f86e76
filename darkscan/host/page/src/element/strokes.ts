/** Defects, areas and unseen parts drawn with a canvas's own strokes, for when few are shown. */

import type { NotInspectedArea } from "../api";
import { colour, hatching } from "../live/drawing";
import { isLine, type DefectTable } from "./defects";
import type { Box, Point, View } from "./geometry";
import type { Inks } from "./raster";

export type Context = CanvasRenderingContext2D;

/** More defects than this get no labels. */
const MOST_LABELS = 40;

export function trace(
  context: Context,
  view: View,
  points: Float32Array,
  first: number,
  count: number,
): void {
  for (let i = first; i < first + count; i++) {
    const x = (points[2 * i]! - view.leftMm) * view.scale;
    const y = (points[2 * i + 1]! - view.topMm) * view.scale;
    if (i === first) context.moveTo(x, y);
    else context.lineTo(x, y);
  }
}

function traceRing(context: Context, view: View, ring: readonly Point[]): void {
  ring.forEach(([xMm, yMm], i) => {
    const x = (xMm - view.leftMm) * view.scale;
    const y = (yMm - view.topMm) * view.scale;
    if (i) context.lineTo(x, y);
    else context.moveTo(x, y);
  });
  context.closePath();
}

/** Rows of a table: scratches whole lines, fibres dashed ones, spots as their outlines, and
 * what would be too small to see as a dot. */
export function strokeRows(
  context: Context,
  table: DefectTable,
  rows: readonly number[],
  view: View,
  inks: Inks,
): void {
  context.save();
  context.lineJoin = "round";
  context.lineCap = "round";
  for (const row of rows) {
    const kind = inks.kind[row]!;
    const box = table.boxOf(row);
    const longest = Math.max(box[2], box[3]) * view.scale;
    context.globalAlpha = inks.strength[row]! / 255;
    context.strokeStyle = context.fillStyle = inks.colours[kind]!;
    context.beginPath();
    if (longest < 3) {
      const x = (table.xMm[row]! - view.leftMm) * view.scale;
      const y = (table.yMm[row]! - view.topMm) * view.scale;
      context.arc(x, y, 2, 0, 2 * Math.PI);
      context.fill();
      continue;
    }
    trace(context, view, table.points, table.firsts[row]!, table.counts[row]!);
    context.lineWidth = isLine(table.kind[row]!) ? 1.75 : 1.5;
    context.setLineDash(kind === 1 ? [6, 4] : []);
    context.stroke();
  }
  context.restore();
}

/** The ids of defects beside them, if there are few. */
export function labelRows(
  context: Context,
  table: DefectTable,
  rows: readonly number[],
  view: View,
  inks: Inks,
): void {
  if (!table.final || rows.length > MOST_LABELS) return;
  context.save();
  context.font = "600 12px system-ui, sans-serif";
  context.lineWidth = 3;
  context.strokeStyle = "#0a0d11";
  const taken: Point[] = [];
  for (const row of rows) {
    const [x, y] = topOf(table, row);
    const left = (x - view.leftMm) * view.scale + 6;
    const top = (y - view.topMm) * view.scale - 5;
    if (taken.some((other) => Math.abs(other[0] - left) < 50 && Math.abs(other[1] - top) < 15)) {
      continue;
    }
    taken.push([left, top]);
    context.globalAlpha = Math.max(0.6, inks.strength[row]! / 255);
    context.strokeText(table.id(row), left, top);
    context.fillStyle = "#e9eef3";
    context.fillText(table.id(row), left, top);
  }
  context.restore();
}

/** The uppermost point of a row, mm. */
function topOf(table: DefectTable, row: number): Point {
  const first = table.firsts[row]!;
  let top = first;
  for (let i = first; i < first + table.counts[row]!; i++) {
    if (table.points[2 * i + 1]! < table.points[2 * top + 1]!) top = i;
  }
  return [table.points[2 * top]!, table.points[2 * top + 1]!];
}

/** The parts that were not inspected, hatched as everywhere on the page. */
export function hatch(context: Context, view: View, areas: readonly NotInspectedArea[]): void {
  context.save();
  for (const { kind, rings } of areas) {
    context.beginPath();
    for (const ring of rings) traceRing(context, view, ring);
    context.globalAlpha = 0.55;
    context.fillStyle = colour("ground");
    context.fill("evenodd");
    context.globalAlpha = kind === "outside_region" ? 0.5 : 0.9;
    context.fillStyle = hatching(context, kind, 1);
    context.fill("evenodd");
    context.lineWidth = 1.25;
    context.strokeStyle = colour(kind);
    context.stroke();
  }
  context.restore();
}

/** Has ``draw`` draw within a box only, mm. */
export function clipped(
  context: Context,
  view: View,
  [x, y, width, height]: Box,
  draw: () => void,
): void {
  context.save();
  context.beginPath();
  context.rect(
    (x - view.leftMm) * view.scale,
    (y - view.topMm) * view.scale,
    width * view.scale,
    height * view.scale,
  );
  context.clip();
  draw();
  context.restore();
}

/** What is still to be scanned: boxes filled as on the live view. */
export function dotted(context: Context, view: View, boxes: readonly Box[]): void {
  if (!boxes.length) return;
  context.save();
  context.beginPath();
  for (const [x, y, width, height] of boxes) {
    context.rect(
      (x - view.leftMm) * view.scale,
      (y - view.topMm) * view.scale,
      width * view.scale,
      height * view.scale,
    );
  }
  context.fillStyle = hatching(context, "not_yet", 1);
  context.fill();
  context.restore();
}

/** Why parts were not inspected, where there is room for it. */
export function labelUnseen(
  context: Context,
  view: View,
  areas: readonly NotInspectedArea[],
): void {
  context.save();
  context.font = "600 15px system-ui, sans-serif";
  for (const { kind, reason, rings } of areas) {
    if (rings[0]) labelRing(context, view, rings[0], `${kind.replaceAll("_", " ")}: ${reason}`);
  }
  context.restore();
}

/** Writes into the middle of what is seen of a ring, if that is wide enough for the words. */
function labelRing(context: Context, view: View, ring: readonly Point[], words: string): void {
  const xs = ring.map(([x]) => (x - view.leftMm) * view.scale);
  const ys = ring.map(([, y]) => (y - view.topMm) * view.scale);
  const [left, right] = [Math.max(0, Math.min(...xs)), Math.min(view.width, Math.max(...xs))];
  const [top, bottom] = [Math.max(0, Math.min(...ys)), Math.min(view.height, Math.max(...ys))];
  if (right - left < 160 || bottom - top < 40) return;
  const { width } = context.measureText(words);
  if (width + 24 > right - left) return;
  const x = (left + right - width) / 2;
  const y = (top + bottom) / 2;
  context.globalAlpha = 0.9;
  context.fillStyle = colour("ground");
  context.fillRect(x - 10, y - 18, width + 20, 26);
  context.globalAlpha = 1;
  context.fillStyle = colour("text");
  context.fillText(words, x, y);
}

/** Outlines of the model's areas. */
export function outlineAreas(
  context: Context,
  view: View,
  areas: readonly { contour: readonly (readonly Point[])[] }[],
  colour: string,
): void {
  context.save();
  context.strokeStyle = colour;
  context.lineWidth = 1.25;
  context.beginPath();
  for (const { contour } of areas) for (const ring of contour) traceRing(context, view, ring);
  context.stroke();
  context.restore();
}

export function outlineBox(
  context: Context,
  view: View,
  [x, y, width, height]: Box,
  colour: string,
  { dash = [], lineWidth = 1 }: { dash?: number[]; lineWidth?: number } = {},
): void {
  context.save();
  context.strokeStyle = colour;
  context.lineWidth = lineWidth;
  context.setLineDash(dash);
  context.strokeRect(
    (x - view.leftMm) * view.scale,
    (y - view.topMm) * view.scale,
    width * view.scale,
    height * view.scale,
  );
  context.restore();
}
