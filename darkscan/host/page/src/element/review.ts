/** What people say of defects: an append-only log on the host, and what waits to be kept there.
 *
 * A verdict shows at once, marked as waiting. When the host has kept it, the kept review
 * takes its place; when it was not kept, it is taken back and the failure is said. Reviews of
 * other people arrive by the event stream and are taken in the same way, each once.
 */

import { DEFECT_KINDS as KINDS, type NewReview, type Review } from "../api/types";
import type { DefectTable } from "./defects";
import { VERDICTS, type Reviewed } from "./filters";

/** A review that the host has not confirmed yet. */
export interface Waiting extends NewReview {
  readonly waiting: true;
}

/** The log of a scan's reviews, as far as it is known here. Each change gives a new one. */
export class ReviewLog {
  private constructor(
    private readonly kept: ReadonlyMap<number, Review>,
    private readonly waiting: readonly Waiting[],
  ) {}

  static readonly empty = new ReviewLog(new Map(), []);

  /** With reviews that the host keeps; those known already change nothing. */
  with(reviews: readonly Review[]): ReviewLog {
    const fresh = reviews.filter((review) => !this.kept.has(review.number));
    if (!fresh.length) return this;
    const kept = new Map(this.kept);
    for (const review of fresh) kept.set(review.number, review);
    return new ReviewLog(kept, this.waiting);
  }

  withWaiting(review: Waiting): ReviewLog {
    return new ReviewLog(this.kept, [...this.waiting, review]);
  }

  /** Without one that waited: it was kept, or failed. */
  without(review: Waiting): ReviewLog {
    return new ReviewLog(
      this.kept,
      this.waiting.filter((each) => each !== review),
    );
  }

  /** The number of the newest review that the host keeps; 0: none. */
  get newest(): number {
    return Math.max(0, ...this.kept.keys());
  }

  /** All of a defect's reviews, the oldest first; those that wait come last. */
  of(defect: string): (Review | Waiting)[] {
    const kept = [...this.kept.values()].filter((review) => review.defect === defect);
    kept.sort((a, b) => a.number - b.number);
    return [...kept, ...this.waiting.filter((review) => review.defect === defect)];
  }

  /** What a defect's reviews come to: the newest decides. */
  latest(defect: string): Review | Waiting | null {
    return this.of(defect).at(-1) ?? null;
  }

  /** The newest review of each defect. */
  private latestOfEach(): Map<string, Review | Waiting> {
    const latest = new Map<string, Review | Waiting>();
    const kept = [...this.kept.values()].sort((a, b) => a.number - b.number);
    for (const review of [...kept, ...this.waiting]) latest.set(review.defect, review);
    return latest;
  }

  /** What the reviews say of a table's rows. */
  over(table: DefectTable): Reviewed {
    const verdict = new Uint8Array(table.count);
    const kind = table.kind.slice();
    const latest = this.latestOfEach();
    for (const [defect, review] of latest) {
      const row = table.rowOf(defect);
      if (row < 0) continue;
      verdict[row] = VERDICTS.indexOf(review.verdict);
      if (review.kind) kind[row] = KINDS.indexOf(review.kind);
    }
    return { verdict, kind };
  }
}

/** The row to go to from a selected one: the next (1) or the one before (-1) of a list.
 *
 * Where the selected row is not in the list (a filter has just hidden it), the one that took
 * its place is next. Returns -1 for an empty list; stops at the list's ends.
 */
export function stepped(list: Int32Array, selected: number, step: 1 | -1, place = -1): number {
  if (!list.length) return -1;
  const at = list.indexOf(selected);
  if (at >= 0) return list[Math.min(list.length - 1, Math.max(0, at + step))]!;
  if (selected < 0 || place < 0) return list[step === 1 ? 0 : list.length - 1]!;
  const next = step === 1 ? place : place - 1;
  return list[Math.min(list.length - 1, Math.max(0, next))]!;
}

/** How many rows have a verdict, of how many. */
export function reviewedOf(reviewed: Reviewed, shown: Uint8Array): { done: number; all: number } {
  let done = 0;
  let all = 0;
  for (let row = 0; row < shown.length; row++) {
    if (!shown[row]) continue;
    all++;
    if (reviewed.verdict[row]) done++;
  }
  return { done, all };
}
