/** What a person does: selects, steps, judges, measures. */

import { effect } from "@preact/signals";

import { api, type DefectKind, type NewReview, type Verdict } from "../api";
import { operator } from "../shared/login";
import { toast } from "../shared/toasts";
import { wordsOf } from "./follow";
import { centreOf, overlaps, shownBox, viewAt, type Point } from "./geometry";
import { clicked } from "./measure";
import type { Area, Model } from "./model";
import type { Picture } from "./picture";
import { stepped, type Waiting } from "./review";

/** How near to a defect a click selects it, screen pixels. */
const REACH = 9;
/** Screen pixels that a single pixel is shown with. */
const PIXEL_PX = 16;

/** What changes of the newest review; the rest stays. */
export interface Judgement {
  readonly verdict?: Verdict;
  readonly kind?: DefectKind;
  readonly comment?: string;
}

export class Desk {
  picture: Picture | null = null;
  /** Asks for the reviewer's name; resolves with false if none was given. */
  askName: () => Promise<boolean> = () => Promise.resolve(false);
  /** Where in the list the selected row was last. */
  private place = -1;
  private readonly endings: (() => void)[] = [];

  constructor(readonly model: Model) {
    this.endings.push(
      effect(() => {
        const at = model.list.value.indexOf(model.selected.value);
        if (at >= 0) this.place = at;
      }),
      effect(() => void this.loadDefect(model.selectedId.value)),
    );
  }

  stop(): void {
    for (const end of this.endings) end();
  }

  private async loadDefect(id: string | null): Promise<void> {
    const { model } = this;
    if (model.defect.peek()?.id !== id) model.defect.value = null;
    if (!id) return;
    try {
      const defect = await api.defect(model.scan, id);
      if (model.selectedId.peek() !== id) return;
      model.defect.value = defect;
      model.log.value = model.log.peek().with(defect.reviews);
    } catch (error) {
      if (model.selectedId.peek() === id) toast(`${id}: ${wordsOf(error)}`, "bad");
    }
  }

  /** Selects a row; ``go``: the picture moves there. */
  select(row: number, { go = false } = {}): void {
    this.model.selected.value = row;
    if (go && row >= 0) this.fitSelected();
  }

  step(step: 1 | -1): void {
    const { list, selected } = this.model;
    const row = stepped(list.value, selected.value, step, this.place);
    if (row >= 0) this.select(row, { go: true });
  }

  fitSelected(): void {
    const { table, selected } = this.model;
    if (selected.value < 0) return;
    this.picture?.fit(table.value.boxOf(selected.value), { margin: 0.3, pixel: 4 });
  }

  fitElement(atOnce = false): void {
    this.picture?.fit(this.model.elementBox, { margin: 0.03, atOnce });
  }

  /** Shows single pixels: of the selected defect if it is in sight, else of the middle. */
  toPixels(): void {
    const { picture, model } = this;
    if (!picture) return;
    const { table, selected } = model;
    const view = picture.view;
    const row = selected.value;
    const seen = row >= 0 && overlaps(shownBox(view), table.value.boxOf(row));
    const centre: Point = seen
      ? [table.value.xMm[row]!, table.value.yMm[row]!]
      : (model.pointer.value ?? centreOf(view));
    picture.goTo(viewAt(centre, picture.scaleOf(PIXEL_PX), view.width, view.height));
  }

  click(place: Point): void {
    const { model } = this;
    if (model.measuring.value) {
      model.ends.value = clicked(model.ends.value, place);
      return;
    }
    this.select(this.rowAt(place));
  }

  /** The row at a place; -1: none. */
  rowAt(place: Point): number {
    const { table, shown, layers, view } = this.model;
    const scale = view.value?.scale;
    if (!scale || !layers.value.defects) return -1;
    return table.value.nearest(place, REACH / scale, shown.value);
  }

  measure(): void {
    const { measuring, ends } = this.model;
    measuring.value = !measuring.value;
    ends.value = [];
  }

  /** Ends what was begun: measuring, else the selection. */
  escape(): void {
    const { measuring, ends } = this.model;
    if (ends.value.length) ends.value = [];
    else if (measuring.value) measuring.value = false;
    else this.select(-1);
  }

  /** Says something of the selected defect: at once on the screen, and to the host.
   *
   * Resolves with whether the host has kept it. Without a name nothing happens.
   */
  async judge(judgement: Judgement): Promise<boolean> {
    const id = this.model.selectedId.value;
    if (!id || (!operator.value && !(await this.askName()))) return false;
    const before = this.model.log.value.latest(id);
    const review: NewReview = {
      defect: id,
      verdict: judgement.verdict ?? before?.verdict ?? "open",
      kind: judgement.kind ?? before?.kind ?? null,
      comment: judgement.comment ?? "",
      name: operator.value,
    };
    const waiting: Waiting = { ...review, waiting: true };
    const { log } = this.model;
    log.value = log.value.withWaiting(waiting);
    try {
      const kept = await api.review(this.model.scan, review);
      log.value = log.value.without(waiting).with([kept]);
      return true;
    } catch (error) {
      log.value = log.value.without(waiting);
      toast(`Not kept: ${id} ${review.verdict}. ${wordsOf(error)}`, "bad", 20_000);
      return false;
    }
  }

  /** Judges the selected defect, and goes on to the next one once the host has kept it. */
  async judgeAndStep(verdict: Verdict): Promise<void> {
    const id = this.model.selectedId.value;
    if ((await this.judge({ verdict })) && this.model.selectedId.value === id) this.step(1);
  }

  /** The model's areas are asked for when somebody wants to see them. */
  async loadAreas(): Promise<void> {
    const { areas, scan } = this.model;
    if (!areas.value.length) areas.value = (await api.areas(scan)) as Area[];
  }
}
