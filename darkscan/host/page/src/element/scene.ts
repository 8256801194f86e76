/** What is drawn over the picture, from what the model holds. */

import { DEFECT_KINDS } from "../api";
import { colour } from "../live/drawing";
import { frameBoxes } from "./frames";
import { inWords, toScreen, type Box, type Point, type View } from "./geometry";
import type { Scene } from "./layer";
import { describe, measured } from "./measure";
import type { Model } from "./model";
import { rasterize, type Inks, type Raster } from "./raster";
import {
  clipped,
  dotted,
  hatch,
  labelUnseen,
  labelRows,
  outlineAreas,
  outlineBox,
  strokeRows,
  trace,
  type Context,
} from "./strokes";

const OPEN = 235;
const CONFIRMED = 255;
const REJECTED = 70;
/** Defects get labels from this many screen pixels in a millimetre on. */
const LABEL_SCALE = 12;

export class ModelScene implements Scene {
  private readonly colours = DEFECT_KINDS.map((kind) => colour(kind));
  private readonly ground = colour("ground");
  private readonly focus = colour("focus");
  private readonly line = colour("line-strong");
  private readonly area = colour("area");

  constructor(private readonly model: Model) {}

  get extent(): Box {
    return this.model.elementBox;
  }

  rowsWithin(box: Box): number[] {
    const { table, shown, layers } = this.model;
    if (!layers.value.defects) return [];
    const visible = shown.value;
    return table.value.rowsWithin(box).filter((row) => visible[row]);
  }

  pointsOf(rows: readonly number[]): number {
    const { counts } = this.model.table.value;
    return rows.reduce((sum, row) => sum + counts[row]!, 0);
  }

  rasterize(raster: Raster, rows: readonly number[], view: View, ratio: number): void {
    rasterize(raster, this.model.table.value, rows, view, ratio, this.inks());
  }

  stroke(context: Context, rows: readonly number[], view: View): void {
    const { table } = this.model;
    const inks = this.inks();
    strokeRows(context, table.value, rows, view, inks);
    if (view.scale >= LABEL_SCALE) labelRows(context, table.value, rows, view, inks);
  }

  under(context: Context, view: View): void {
    const { model } = this;
    const { notInspected, areas } = model.layers.value;
    outlineBox(context, view, model.elementBox, this.line, { lineWidth: 1.5 });
    const region = model.details.value?.region_mm;
    if (region) outlineBox(context, view, region, this.line, { dash: [2, 5] });
    if (notInspected) {
      // Frames may reach beyond the element.
      clipped(context, view, model.elementBox, () => {
        dotted(context, view, model.toCome.value);
        hatch(context, view, model.notInspected.value);
      });
    }
    if (areas) outlineAreas(context, view, model.areas.value, this.area);
  }

  private inks(): Inks {
    const { reviewed } = this.model;
    const strengths = [OPEN, CONFIRMED, REJECTED];
    return {
      colours: this.colours,
      kind: reviewed.value.kind,
      strength: reviewed.value.verdict.map((verdict) => strengths[verdict]!),
    };
  }

  get hasOver(): boolean {
    const { hovered, selected, ends, layers, notInspected } = this.model;
    const pointed = hovered.value >= 0 || selected.value >= 0;
    const unseen = layers.value.notInspected && notInspected.value.length > 0;
    return (pointed && layers.value.defects) || unseen || ends.value.length > 0;
  }

  /** What changes at every step: the selected defect, its frames, and what is measured. */
  over(context: Context, view: View): void {
    const { ends, layers, notInspected } = this.model;
    if (layers.value.defects) this.pointed(context, view);
    if (layers.value.notInspected) labelUnseen(context, view, notInspected.value);
    if (ends.value.length) this.measure(context, view);
  }

  /** The defects that are selected, and under the pointer. */
  private pointed(context: Context, view: View): void {
    const { hovered, selected, table } = this.model;
    const { count } = table.value;
    if (hovered.value >= 0 && hovered.value < count && hovered.value !== selected.value) {
      this.halo(context, hovered.value, view, 0.5);
    }
    if (selected.value >= 0 && selected.value < count) {
      this.halo(context, selected.value, view, 1);
      this.frames(context, view);
    }
  }

  /** Two rails along a line, or a ring around a spot: what lies between them stays visible. */
  private halo(context: Context, row: number, view: View, alpha: number): void {
    const table = this.model.table.value;
    const box = table.boxOf(row);
    const small = Math.max(box[2], box[3]) * view.scale < 14;
    const wide = (table.widthUm[row]! / 1000) * view.scale;
    const inside = small ? 0 : Math.max(8, wide + 8);
    context.save();
    context.lineJoin = context.lineCap = "round";
    context.globalAlpha = alpha;
    context.beginPath();
    if (small) {
      const [x, y] = toScreen(view, [table.xMm[row]!, table.yMm[row]!]);
      context.arc(x, y, 11, 0, 2 * Math.PI);
    } else {
      trace(context, view, table.points, table.firsts[row]!, table.counts[row]!);
    }
    const stroke = (colour: string, width: number): void => {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.stroke();
    };
    stroke(this.ground, small ? 5 : inside + 6);
    stroke(this.focus, small ? 2 : inside + 4);
    if (!small) {
      context.globalCompositeOperation = "destination-out";
      context.globalAlpha = 1;
      stroke("#000", inside);
    }
    context.restore();
  }

  /** The frames that the selected defect was seen in. */
  private frames(context: Context, view: View): void {
    const { defect, frames, frameSize, selectedId } = this.model;
    const found = defect.value;
    if (!found || found.id !== selectedId.value) return;
    context.save();
    context.font = "12px system-ui, sans-serif";
    for (const [number, box] of frameBoxes(frames, found.frames, frameSize.value)) {
      outlineBox(context, view, box, this.line, { dash: [8, 4] });
      const [x, y] = toScreen(view, [box[0], box[1]]);
      if (box[2] * view.scale > 64) {
        this.label(context, `frame ${number}`, [Math.max(x, 0) + 8, Math.max(y, 66) + 16]);
      }
    }
    context.restore();
  }

  private label(context: Context, text: string, [x, y]: Point): void {
    context.lineWidth = 3.5;
    context.lineJoin = "round";
    context.strokeStyle = this.ground;
    context.strokeText(text, x, y);
    context.fillStyle = "#e9eef3";
    context.fillText(text, x, y);
  }

  private measure(context: Context, view: View): void {
    const { ends, pointer } = this.model;
    const from = ends.value[0]!;
    const to = ends.value[1] ?? pointer.value;
    const [ax, ay] = toScreen(view, from);
    context.save();
    const strokes: [string, number][] = [
      [this.ground, 5],
      [this.focus, 2],
    ];
    for (const [colour, width] of strokes) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      cross(context, ax, ay);
      if (to) {
        const [bx, by] = toScreen(view, to);
        context.moveTo(ax, ay);
        context.lineTo(bx, by);
        cross(context, bx, by);
      }
      context.stroke();
    }
    if (to) {
      const [bx, by] = toScreen(view, to);
      context.font = "600 15px system-ui, sans-serif";
      const found = measured(from, to);
      this.label(context, inWords(found.distance), [(ax + bx) / 2 + 12, (ay + by) / 2 - 10]);
    }
    context.restore();
  }

  /** What is measured, in words; empty: nothing. */
  static measuredWords(model: Model): string {
    const [from, to] = model.ends.value;
    const end = to ?? model.pointer.value;
    return from && end ? describe(measured(from, end)) : "";
  }
}

function cross(context: Context, x: number, y: number): void {
  context.moveTo(x - 7, y);
  context.lineTo(x + 7, y);
  context.moveTo(x, y - 7);
  context.lineTo(x, y + 7);
}
