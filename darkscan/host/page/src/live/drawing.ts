// How frames, areas and shapes are drawn on a canvas, in the colours of darkscan's drawings.

import {
  DEFECT_KINDS,
  NOT_YET,
  OUTCOMES,
  type Box,
  type NotInspectedKind,
  type ScanDetails,
  type ShapeColumns,
} from "../api";
import type { Frame } from "./frames";

/** Colours by name of a custom property in theme.css. */
export const colour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name.replaceAll("_", "-")}`).trim();

export type Hatch = NotInspectedKind | "not_yet";

/** Lines of a hatching: the step between them in px, their width, and which ways they run. */
const HATCHES: Record<Hatch, { step: number; width: number; ways: ("/" | "\\" | "-" | ".")[] }> = {
  not_yet: { step: 8, width: 1.2, ways: ["."] },
  lost: { step: 8, width: 2.2, ways: ["/"] },
  quarantined: { step: 9, width: 1.8, ways: ["/", "\\"] },
  no_score: { step: 9, width: 1.8, ways: ["/", "\\"] },
  never_scanned: { step: 8, width: 1.6, ways: ["\\"] },
  outside_region: { step: 7, width: 1, ways: ["-"] },
};

const hatchColour = (hatch: Hatch): string =>
  hatch === "not_yet" ? colour("line-strong") : colour(hatch);

const patterns = new Map<string, CanvasPattern>();

/** A fill that tells what was not inspected also without colour. */
export function hatching(context: CanvasRenderingContext2D, hatch: Hatch, scale: number): CanvasPattern {
  const name = `${hatch} ${scale}`;
  const known = patterns.get(name);
  if (known) return known;
  const { step, width, ways } = HATCHES[hatch];
  const side = Math.round(step * scale);
  const swatch = document.createElement("canvas");
  swatch.width = swatch.height = side;
  const pen = swatch.getContext("2d")!;
  pen.strokeStyle = pen.fillStyle = hatchColour(hatch);
  pen.lineWidth = width * scale;
  for (const way of ways) {
    pen.beginPath();
    if (way === ".") pen.arc(side / 2, side / 2, width * scale, 0, 7);
    // Drawn past the corners, so that the lines of neighbouring swatches meet.
    for (const shift of [-side, 0, side]) {
      if (way === "/") pen.moveTo(shift - side, 2 * side), pen.lineTo(shift + 2 * side, -side);
      if (way === "\\") pen.moveTo(shift - side, -side), pen.lineTo(shift + 2 * side, 2 * side);
    }
    if (way === "-") pen.moveTo(0, side / 2), pen.lineTo(side, side / 2);
    if (way === ".") pen.fill();
    else pen.stroke();
  }
  const pattern = context.createPattern(swatch, "repeat")!;
  patterns.set(name, pattern);
  return pattern;
}

/** From millimetres on the element to pixels of a canvas. */
export interface Scale {
  /** Canvas pixels for a millimetre. */
  perMm: number;
  /** Canvas pixels for a CSS pixel. */
  density: number;
}

/** Where a frame lies relative to its pixel corner (0, 0): x, y, width, height, mm. */
export function frameBox({ frame_shape, pixel_to_stage, pitch_um }: ScanDetails): Box {
  const [height, width] = frame_shape ?? [0, 0];
  const pitch = pitch_um / 1000;
  const { xx, xy, yx, yy } = pixel_to_stage ?? { xx: pitch, xy: 0, yx: 0, yy: pitch };
  const xs = [0, xx * width, xy * height, xx * width + xy * height];
  const ys = [0, yx * width, yy * height, yx * width + yy * height];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  return [left, top, Math.max(...xs) - left, Math.max(...ys) - top];
}

function boxOf(frame: Frame, [x, y, width, height]: Box, { perMm }: Scale): Box {
  const left = Math.round((frame.x + x) * perMm);
  const top = Math.round((frame.y + y) * perMm);
  const right = Math.round((frame.x + x + width) * perMm);
  const bottom = Math.round((frame.y + y + height) * perMm);
  return [left, top, right - left, bottom - top];
}

/** Draws which frames are to come, inspected, lost and quarantined. */
export function drawFrames(
  context: CanvasRenderingContext2D,
  frames: readonly Frame[],
  box: Box,
  scale: Scale,
): void {
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  const boxes = frames.map((frame) => boxOf(frame, box, scale));
  const fill = (outcome: number, style: string | CanvasPattern): void => {
    context.fillStyle = style;
    frames.forEach((frame, k) => frame.outcome === outcome && context.fillRect(...boxes[k]!));
  };
  const outline = (outcome: number, style: string, width: number): void => {
    context.strokeStyle = style;
    context.lineWidth = width * scale.density;
    frames.forEach((frame, k) => frame.outcome === outcome && context.strokeRect(...boxes[k]!));
  };
  fill(NOT_YET, hatching(context, "not_yet", scale.density));
  outline(NOT_YET, colour("line"), 1);
  for (const kind of ["lost", "quarantined"] as const) {
    fill(OUTCOMES.indexOf(kind), colour("ground"));
    fill(OUTCOMES.indexOf(kind), hatching(context, kind, scale.density));
  }
  // What a neighbour has inspected is inspected.
  frames.forEach((frame, k) => frame.outcome === 0 && context.clearRect(...boxes[k]!));
  for (const kind of ["lost", "quarantined"] as const) {
    outline(OUTCOMES.indexOf(kind), colour(kind), 1.5);
  }
}

/** Fills an area of a finished map: outlines, then holes. */
export function drawArea(
  context: CanvasRenderingContext2D,
  rings: readonly (readonly [number, number][])[],
  kind: NotInspectedKind,
  { perMm, density }: Scale,
): void {
  context.beginPath();
  for (const ring of rings) {
    ring.forEach(([x, y], k) => (k ? context.lineTo(x * perMm, y * perMm) : context.moveTo(x * perMm, y * perMm)));
    context.closePath();
  }
  context.fillStyle = colour("ground");
  context.fill("evenodd");
  context.fillStyle = hatching(context, kind, density);
  context.fill("evenodd");
}

/** Draws traced lines and spots; a dark rim keeps them apart from a bright picture. */
export function drawShapes(
  context: CanvasRenderingContext2D,
  shapes: ShapeColumns,
  { perMm, density }: Scale,
): void {
  const paths = DEFECT_KINDS.map(() => new Path2D());
  let at = 0;
  for (let k = 0; k < shapes.counts.length; k++) {
    const end = at + 2 * shapes.counts[k]!;
    const kind = shapes.kind[k]!;
    const path = paths[kind]!;
    const isLine = kind < 2;
    for (let p = at; p < end; p += 2) {
      const x = shapes.points[p]! * perMm;
      const y = shapes.points[p + 1]! * perMm;
      if (!isLine) {
        spot(path, kind, x, y, density);
        break;
      }
      if (p > at) path.lineTo(x, y);
      else path.moveTo(x, y);
    }
    at = end;
  }
  context.lineCap = context.lineJoin = "round";
  for (const [kind, name] of [...DEFECT_KINDS.entries()].reverse()) {
    const path = paths[kind]!;
    const isLine = kind < 2;
    context.setLineDash(name === "fibre" ? [5 * density, 4 * density] : []);
    context.strokeStyle = "rgb(0 0 0 / 65%)";
    context.lineWidth = (isLine ? 5 : 1.5) * density;
    context.stroke(path);
    context.strokeStyle = context.fillStyle = colour(name);
    context.lineWidth = 2.5 * density;
    if (isLine) context.stroke(path);
    else context.fill(path);
  }
  context.setLineDash([]);
}

function spot(path: Path2D, kind: number, x: number, y: number, density: number): void {
  const radius = 2.5 * density;
  if (DEFECT_KINDS[kind] === "dig") {
    path.moveTo(x + radius, y);
    path.arc(x, y, radius, 0, 7);
  } else path.rect(x - 1.5 * density, y - 1.5 * density, 3 * density, 3 * density);
}
