/** The layer of defects over the picture.
 *
 * It is drawn onto a canvas that reaches beyond the screen, once the picture is still. While
 * the picture moves, the canvas is moved along by the browser, which costs next to nothing;
 * it is drawn again at once only when its border comes into sight, or where few defects are
 * zoomed.
 */

import { contains, movedBy, sameView, shownBox, type Box, type View } from "./geometry";
import { Raster } from "./raster";

/** What there is to draw, and how. */
export interface Scene {
  /** Beyond this box nothing is ever drawn, mm. */
  readonly extent: Box;
  /** The rows that a box overlaps. */
  rowsWithin(box: Box): number[];
  /** How many points these rows have. */
  pointsOf(rows: readonly number[]): number;
  /** Draws rows pixel by pixel. */
  rasterize(raster: Raster, rows: readonly number[], view: View, ratio: number): void;
  /** Draws rows by strokes; ``context`` is in screen pixels of ``view``. */
  stroke(context: CanvasRenderingContext2D, rows: readonly number[], view: View): void;
  /** Draws what lies under the defects. */
  under(context: CanvasRenderingContext2D, view: View): void;
}

/** From this number of points on, pixels are faster than strokes. */
const MANY_POINTS = 6000;
/** Up to this number, the layer is drawn anew at every step of a zoom. */
const FEW_POINTS = 1500;
/** How long the picture has to be still before it is drawn anew, ms. */
const STILL_MS = 90;
/** How far the canvas reaches beyond the screen, of the screen's longer side. */
const MARGIN = 0.25;

export class Layer {
  readonly canvas = document.createElement("canvas");
  private readonly context: CanvasRenderingContext2D;
  private drawn: { view: View; margin: number; points: number } | null = null;
  private now: View | null = null;
  private timer = 0;
  private image: ImageData | null = null;
  /** The scratch pad that the raster is copied from. */
  private readonly pad = document.createElement("canvas");

  constructor(private readonly scene: Scene) {
    this.context = this.canvas.getContext("2d", { willReadFrequently: true })!;
    this.canvas.className = "defect-layer";
    this.canvas.setAttribute("aria-hidden", "true");
  }

  /** Shows the layer as a view needs it. */
  follow(view: View): void {
    this.now = view;
    const { drawn } = this;
    if (!drawn || drawn.view.width !== view.width || drawn.view.height !== view.height) {
      this.draw();
      return;
    }
    if (sameView(drawn.view, view)) return;
    const zoomed = Math.abs(drawn.view.scale / view.scale - 1) > 1e-6;
    const uncovered = !contains(shownBox(drawn.view, drawn.margin), this.drawable(view));
    if (zoomed ? drawn.points <= FEW_POINTS : uncovered) {
      this.draw();
      return;
    }
    this.canvas.style.transform = movedBy(drawn.view, view, drawn.margin);
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.draw(), STILL_MS);
  }

  /** The part of a view that there may be something to draw in. */
  private drawable(view: View): Box {
    const [x, y, width, height] = shownBox(view);
    const [left, top, across, down] = this.scene.extent;
    const x0 = Math.max(x, left);
    const y0 = Math.max(y, top);
    const x1 = Math.min(x + width, left + across);
    const y1 = Math.min(y + height, top + down);
    return [x0, y0, Math.max(0, x1 - x0), Math.max(0, y1 - y0)];
  }

  /** Draws anew what is shown now. */
  draw(): void {
    clearTimeout(this.timer);
    const view = this.now;
    if (!view || view.width < 1 || view.height < 1) return;
    const ratio = window.devicePixelRatio || 1;
    const margin = Math.round(MARGIN * Math.max(view.width, view.height));
    const width = Math.round((view.width + 2 * margin) * ratio);
    const height = Math.round((view.height + 2 * margin) * ratio);
    this.resize(width, height, view, margin);
    const wide = widened(view, margin);
    const rows = this.scene.rowsWithin(shownBox(wide, 8));
    const points = this.scene.pointsOf(rows);
    const { context } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.scene.under(context, wide);
    if (points > MANY_POINTS) this.drawPixels(rows, wide, ratio, width, height);
    else this.scene.stroke(context, rows, wide);
    this.canvas.style.transform = "";
    this.drawn = { view, margin, points };
    this.canvas.dataset["rows"] = String(rows.length);
  }

  private drawPixels(
    rows: readonly number[],
    wide: View,
    ratio: number,
    width: number,
    height: number,
  ): void {
    if (this.image?.width !== width || this.image.height !== height) {
      this.image = new ImageData(width, height);
      this.pad.width = width;
      this.pad.height = height;
    }
    this.scene.rasterize(new Raster(width, height, this.image.data), rows, wide, ratio);
    this.pad.getContext("2d", { willReadFrequently: true })!.putImageData(this.image, 0, 0);
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.drawImage(this.pad, 0, 0);
  }

  private resize(width: number, height: number, view: View, margin: number): void {
    const { canvas } = this;
    if (canvas.width === width && canvas.height === height) return;
    canvas.width = width;
    canvas.height = height;
    canvas.style.left = `${-margin}px`;
    canvas.style.top = `${-margin}px`;
    canvas.style.width = `${view.width + 2 * margin}px`;
    canvas.style.height = `${view.height + 2 * margin}px`;
  }

  destroy(): void {
    clearTimeout(this.timer);
    this.canvas.remove();
  }
}

/** A view with ``margin`` screen pixels more on each side. */
function widened(view: View, margin: number): View {
  return {
    leftMm: view.leftMm - margin / view.scale,
    topMm: view.topMm - margin / view.scale,
    scale: view.scale,
    width: view.width + 2 * margin,
    height: view.height + 2 * margin,
  };
}
