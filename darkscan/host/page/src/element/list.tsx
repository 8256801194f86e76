// The defects as a list: only the rows in sight are in the page.

import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { DEFECT_KINDS } from "../api";
import { count, length } from "../format";
import { KindMark } from "../shared/marks";
import type { Desk } from "./desk";
import { VERDICTS, type Order } from "./filters";
import type { Model } from "./model";

const ROW_PX = 38;
const BEYOND = 6;

const ORDERS: readonly [Order, string][] = [
  ["length", "longest first"],
  ["place", "from the top down"],
  ["probability", "surest first"],
];

export function DefectList({ model, desk }: { model: Model; desk: Desk }) {
  const list = model.list.value;
  const { final } = model.table.value;
  const { done, all } = model.progress.value;
  return (
    <section class="defects" aria-labelledby="list-title">
      <header>
        <h2 id="list-title" class="unseen">
          List of defects
        </h2>
        {final && (
          <p class="reviewed">
            reviewed <strong>{count(done)}</strong> of {count(all)}
          </p>
        )}
        <label>
          <span class="unseen">Order</span>
          <select
            value={model.order.value}
            onChange={(event) => (model.order.value = event.currentTarget.value as Order)}
          >
            {ORDERS.filter(([order]) => final || order !== "probability").map(([order, title]) => (
              <option key={order} value={order}>
                {title}
              </option>
            ))}
          </select>
        </label>
      </header>
      {final && all > 0 && <progress max={all} value={done} aria-label="Reviewed" />}
      {list.length ? (
        <Rows model={model} desk={desk} />
      ) : (
        <p class="nothing">
          {model.table.value.count ? "The filters hide all of them." : nothing(model)}
        </p>
      )}
    </section>
  );
}

function nothing(model: Model): string {
  if (model.table.value.final) return "No defect was found in what was inspected.";
  return model.running.value ? "Nothing was found so far." : "No map came from this scan.";
}

function Rows({ model, desk }: { model: Model; desk: Desk }) {
  const box = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const height = useSignal(600);
  const list = model.list.value;
  const selected = model.selected.value;
  const at = list.indexOf(selected);

  useLayoutEffect(() => {
    const element = box.current!;
    const watch = new ResizeObserver(() => (height.value = element.clientHeight));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  // The selected row is kept in sight.
  useEffect(() => {
    const element = box.current;
    if (!element || at < 0) return;
    const low = at * ROW_PX;
    if (low < element.scrollTop) element.scrollTop = low - ROW_PX;
    else if (low + ROW_PX > element.scrollTop + element.clientHeight) {
      element.scrollTop = low + 2 * ROW_PX - element.clientHeight;
    }
  }, [selected, list]);

  const first = Math.max(0, Math.floor(top.value / ROW_PX) - BEYOND);
  const last = Math.min(list.length, Math.ceil((top.value + height.value) / ROW_PX) + BEYOND);
  const rows = [...list.subarray(first, last)];
  return (
    <div
      ref={box}
      class="rows"
      role="listbox"
      tabIndex={0}
      aria-label="Defects"
      aria-activedescendant={at >= first && at < last ? `row-${selected}` : undefined}
      onScroll={(event) => (top.value = event.currentTarget.scrollTop)}
      onKeyDown={(event) => {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key] as 1 | -1 | undefined;
        if (!step) return;
        event.preventDefault();
        event.stopPropagation();
        desk.step(step);
      }}
    >
      <div class="rows-inside" role="presentation" style={{ height: `${list.length * ROW_PX}px` }}>
        {rows.map((row, place) => (
          <Row
            key={row}
            model={model}
            row={row}
            place={first + place}
            of={list.length}
            selected={row === selected}
            open={() => desk.select(row, { go: true })}
          />
        ))}
      </div>
    </div>
  );
}

function Row(props: {
  model: Model;
  row: number;
  place: number;
  of: number;
  selected: boolean;
  open: () => void;
}) {
  const { model, row } = props;
  const table = model.table.value;
  const { kind, verdict } = model.reviewed.value;
  const said = VERDICTS[verdict[row]!]!;
  const likely = table.probability[row]!;
  return (
    <div
      id={`row-${row}`}
      class={`row ${said}`}
      role="option"
      aria-selected={props.selected}
      aria-setsize={props.of}
      aria-posinset={props.place + 1}
      style={{ transform: `translateY(${props.place * ROW_PX}px)` }}
      onClick={props.open}
    >
      <KindMark kind={DEFECT_KINDS[kind[row]!]!} />
      <span class="id">{table.final ? table.id(row) : DEFECT_KINDS[kind[row]!]}</span>
      <span class="length">{length(table.lengthMm[row]!)}</span>
      <span class="likely">{Number.isNaN(likely) ? "" : likely.toFixed(2)}</span>
      <span class="said" aria-label={said}>
        {{ open: "", confirmed: "✓", rejected: "✕" }[said]}
      </span>
    </div>
  );
}
