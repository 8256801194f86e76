/** Places on the element and on the screen.
 *
 * Millimetres are the element's: from its top left corner, x to the right, y down. Screen
 * pixels are CSS pixels from the top left corner of the picture on the page.
 */

export type Point = readonly [number, number];

/** An upright box: x, y, width, height. */
export type Box = readonly [number, number, number, number];

/** What of the element the screen shows: an affine map without rotation. */
export interface View {
  /** The place at the screen's top left corner, mm. */
  readonly leftMm: number;
  readonly topMm: number;
  /** Screen pixels in a millimetre. */
  readonly scale: number;
  /** The screen's size, screen pixels. */
  readonly width: number;
  readonly height: number;
}

export function toScreen(view: View, [x, y]: Point): Point {
  return [(x - view.leftMm) * view.scale, (y - view.topMm) * view.scale];
}

export function toMm(view: View, [x, y]: Point): Point {
  return [view.leftMm + x / view.scale, view.topMm + y / view.scale];
}

/** The part of the plane that a view shows, widened by ``margin`` screen pixels, mm. */
export function shownBox(view: View, margin = 0): Box {
  const extra = margin / view.scale;
  return [
    view.leftMm - extra,
    view.topMm - extra,
    view.width / view.scale + 2 * extra,
    view.height / view.scale + 2 * extra,
  ];
}

export function centreOf(view: View): Point {
  return toMm(view, [view.width / 2, view.height / 2]);
}

export function viewAt(centre: Point, scale: number, width: number, height: number): View {
  return {
    leftMm: centre[0] - width / 2 / scale,
    topMm: centre[1] - height / 2 / scale,
    scale,
    width,
    height,
  };
}

/** The view that shows a whole box with ``margin`` of the screen's sides left free around it. */
export function fitted(
  box: Box,
  width: number,
  height: number,
  { margin = 0.06, mostScale = Infinity }: { margin?: number; mostScale?: number } = {},
): View {
  const [x, y, boxWidth, boxHeight] = box;
  const free = 1 - 2 * margin;
  const scale = Math.min(
    (width * free) / Math.max(boxWidth, 1e-6),
    (height * free) / Math.max(boxHeight, 1e-6),
    mostScale,
  );
  return viewAt([x + boxWidth / 2, y + boxHeight / 2], scale, width, height);
}

/** Whether two views show the same, to a small part of a pixel. */
export function sameView(a: View, b: View): boolean {
  return (
    a.scale === b.scale &&
    a.width === b.width &&
    a.height === b.height &&
    Math.abs(a.leftMm - b.leftMm) * a.scale < 0.01 &&
    Math.abs(a.topMm - b.topMm) * a.scale < 0.01
  );
}

export function overlaps(a: Box, b: Box): boolean {
  return a[0] < b[0] + b[2] && b[0] < a[0] + a[2] && a[1] < b[1] + b[3] && b[1] < a[1] + a[3];
}

export function contains(outer: Box, inner: Box): boolean {
  return (
    outer[0] <= inner[0] &&
    outer[1] <= inner[1] &&
    inner[0] + inner[2] <= outer[0] + outer[2] &&
    inner[1] + inner[3] <= outer[1] + outer[3]
  );
}

/** How the picture that was drawn for ``drawn`` has to be moved to fit ``now``: a CSS transform
 * about the top left corner, for a canvas that lies at ``-margin, -margin``. */
export function movedBy(drawn: View, now: View, margin: number): string {
  const grown = now.scale / drawn.scale;
  const [x, y] = toScreen(now, toMm(drawn, [-margin, -margin]));
  return `translate(${x + margin}px, ${y + margin}px) scale(${grown})`;
}

/** The distance of a place from a line through points (flat x, y), in the points' unit. */
export function distanceToLine(
  [x, y]: Point,
  points: Float32Array,
  first: number,
  count: number,
): number {
  let least = Infinity;
  for (let i = first; i < first + Math.max(count - 1, 1); i++) {
    const ax = points[2 * i]!;
    const ay = points[2 * i + 1]!;
    const last = i + 1 < first + count ? i + 1 : i;
    const dx = points[2 * last]! - ax;
    const dy = points[2 * last + 1]! - ay;
    const square = dx * dx + dy * dy;
    const along = square > 0 ? ((x - ax) * dx + (y - ay) * dy) / square : 0;
    const t = Math.min(1, Math.max(0, along));
    least = Math.min(least, Math.hypot(x - ax - t * dx, y - ay - t * dy));
  }
  return least;
}

/** Whether a place lies within a closed ring of places. */
export function within([x, y]: Point, ring: readonly Point[]): boolean {
  let inside = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [xi, yi] = ring[i]!;
    const [xj, yj] = ring[j]!;
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

/** A length of 1, 2 or 5 times a power of ten, at most ``most``. */
export function roundLength(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most));
  const step = [5, 2, 1].find((each) => each * power <= most * (1 + 1e-9)) ?? 1;
  return Number((step * power).toPrecision(1));
}

/** A length in the unit that reads best: nm, µm or mm. */
export function inWords(mm: number): string {
  const size = Math.abs(mm);
  if (size >= 1 || size === 0) return `${trimmed(mm)} mm`;
  if (size >= 1e-3) return `${trimmed(mm * 1e3)} µm`;
  return `${trimmed(mm * 1e6)} nm`;
}

function trimmed(value: number): string {
  return String(Number(value.toPrecision(3)));
}
