/** Which defects are shown and listed, and in what order. */

import { DEFECT_KINDS as KINDS, type DefectKind, type Verdict } from "../api/types";
import type { DefectTable } from "./defects";

export const VERDICTS: readonly Verdict[] = ["open", "confirmed", "rejected"];

/** From the least to the largest that is shown; both are part of it. */
export type Range = readonly [number, number];

export interface Filter {
  readonly kinds: ReadonlySet<DefectKind>;
  readonly verdicts: ReadonlySet<Verdict>;
  readonly lengthMm: Range;
  readonly widthUm: Range;
  /** Defects without a probability are shown whatever the range. */
  readonly probability: Range;
  readonly contrast: Range;
}

export type RangeName = "lengthMm" | "widthUm" | "probability" | "contrast";

const ANY: Range = [-Infinity, Infinity];

export const EVERYTHING: Filter = {
  kinds: new Set(KINDS),
  verdicts: new Set(VERDICTS),
  lengthMm: ANY,
  widthUm: ANY,
  probability: ANY,
  contrast: ANY,
};

export function hidesNothing(filter: Filter): boolean {
  return (
    filter.kinds.size === KINDS.length &&
    filter.verdicts.size === VERDICTS.length &&
    [filter.lengthMm, filter.widthUm, filter.probability, filter.contrast].every(
      ([least, largest]) => least === -Infinity && largest === Infinity,
    )
  );
}

export type Order = "length" | "place" | "probability";

/** What the reviews say of rows; a row without a review is open, of the map's kind. */
export interface Reviewed {
  /** Places in VERDICTS, a row each. */
  readonly verdict: Uint8Array;
  /** Places in DEFECT_KINDS: the reviewer's kind, or the map's. */
  readonly kind: Uint8Array;
}

/** A row each: 1 if it is shown, else 0. */
export function shownRows(table: DefectTable, filter: Filter, reviewed: Reviewed): Uint8Array {
  const kinds = Uint8Array.from(KINDS, (kind) => Number(filter.kinds.has(kind)));
  const verdicts = Uint8Array.from(VERDICTS, (verdict) => Number(filter.verdicts.has(verdict)));
  const { lengthMm, widthUm, probability, contrast } = filter;
  const shown = new Uint8Array(table.count);
  for (let row = 0; row < table.count; row++) {
    const likely = table.probability[row]!;
    shown[row] = Number(
      kinds[reviewed.kind[row]!]! &&
        verdicts[reviewed.verdict[row]!]! &&
        inside(table.lengthMm[row]!, lengthMm) &&
        inside(table.widthUm[row]!, widthUm) &&
        (Number.isNaN(likely) || inside(likely, probability)) &&
        inside(table.contrast[row]!, contrast),
    );
  }
  return shown;
}

function inside(value: number, [least, largest]: Range): boolean {
  return value >= least && value <= largest;
}

/** All rows of a table in an order: the longest first, from the top down, the surest first. */
export function ordered(table: DefectTable, order: Order): Int32Array {
  const rows = Int32Array.from({ length: table.count }, (_, row) => row);
  if (order === "place") {
    const { xMm, yMm } = table;
    return rows.sort((a, b) => yMm[a]! - yMm[b]! || xMm[a]! - xMm[b]! || a - b);
  }
  const column = order === "length" ? table.lengthMm : table.probability;
  const key = column.map((value) => (Number.isNaN(value) ? -1 : value));
  return rows.sort((a, b) => key[b]! - key[a]! || a - b);
}

/** The rows of an order that are shown. */
export function listed(order: Int32Array, shown: Uint8Array): Int32Array {
  return order.filter((row) => shown[row]);
}

/** How many of each kind are shown, and how many there are. */
export function counted(
  reviewed: Reviewed,
  shown: Uint8Array,
): { shown: number[]; all: number[]; total: number } {
  const result = { shown: KINDS.map(() => 0), all: KINDS.map(() => 0), total: 0 };
  for (let row = 0; row < shown.length; row++) {
    const kind = reviewed.kind[row]!;
    result.all[kind]!++;
    if (shown[row]) {
      result.shown[kind]!++;
      result.total++;
    }
  }
  return result;
}
