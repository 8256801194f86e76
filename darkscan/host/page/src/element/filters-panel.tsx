// Which defects are shown.

import { DEFECT_KINDS } from "../api";
import { count } from "../format";
import { KindMark } from "../shared/marks";
import { EVERYTHING, VERDICTS, hidesNothing, type Range, type RangeName } from "./filters";
import type { Model } from "./model";

const RANGES: readonly { name: RangeName; title: string; unit: string; step: number }[] = [
  { name: "lengthMm", title: "Length", unit: "mm", step: 0.1 },
  { name: "widthUm", title: "Width", unit: "µm", step: 1 },
  { name: "probability", title: "Probability", unit: "", step: 0.05 },
  { name: "contrast", title: "Contrast", unit: "σ", step: 1 },
];

export function Filters({ model }: { model: Model }) {
  const filter = model.filter.value;
  const { shown, all, total } = model.counts.value;
  const { final, count: rows } = model.table.value;
  return (
    <section class="defect-filters" aria-labelledby="filters-title">
      <header>
        <h2 id="filters-title">
          {count(total)} <small>of {count(rows)} {final ? "defects" : model.running.value ? "shapes so far" : "shapes"}</small>
        </h2>
        <button
          type="button"
          class="quiet"
          disabled={hidesNothing(filter)}
          onClick={() => (model.filter.value = EVERYTHING)}
        >
          Show all
        </button>
      </header>
      <div class="chips" role="group" aria-label="Kinds">
        {DEFECT_KINDS.map((kind, place) => (
          <button
            key={kind}
            type="button"
            class="chip"
            aria-pressed={filter.kinds.has(kind)}
            onClick={() => {
              model.filter.value = { ...filter, kinds: toggled(filter.kinds, kind) };
            }}
          >
            <KindMark kind={kind} />
            <span class="word">{kind}</span>
            <span class="figure" title={`${count(shown[place]!)} of ${count(all[place]!)}`}>
              {count(shown[place]!)}
            </span>
          </button>
        ))}
      </div>
      {final && (
        <div class="chips three" role="group" aria-label="Verdicts">
          {VERDICTS.map((verdict) => (
            <button
              key={verdict}
              type="button"
              class={`chip judgement ${verdict}`}
              aria-pressed={filter.verdicts.has(verdict)}
              onClick={() => {
                model.filter.value = { ...filter, verdicts: toggled(filter.verdicts, verdict) };
              }}
            >
              <span class="word">{verdict}</span>
            </button>
          ))}
        </div>
      )}
      <div class="ranges">
        {RANGES.filter(({ name }) => final || name !== "probability").map(
          ({ name, title, unit, step }) => (
            <div key={name} role="group" aria-label={title} class="range">
              <span>
                {title} {unit && <small>{unit}</small>}
              </span>
              {([0, 1] as const).map((end) => (
                <input
                  key={end}
                  type="number"
                  min={0}
                  step={step}
                  placeholder={end ? "to" : "from"}
                  aria-label={`${title} ${end ? "to" : "from"}${unit && `, ${unit}`}`}
                  value={Number.isFinite(filter[name][end]) ? filter[name][end] : ""}
                  onInput={(event) => {
                    const range = changed(filter[name], end, event.currentTarget.value);
                    model.filter.value = { ...model.filter.value, [name]: range };
                  }}
                />
              ))}
            </div>
          ),
        )}
      </div>
    </section>
  );
}

function toggled<Item>(items: ReadonlySet<Item>, item: Item): ReadonlySet<Item> {
  const changed = new Set(items);
  if (!changed.delete(item)) changed.add(item);
  return changed;
}

function changed(range: Range, end: 0 | 1, text: string): Range {
  const open = end ? Infinity : -Infinity;
  const value = text.trim() === "" || !Number.isFinite(Number(text)) ? open : Number(text);
  return end ? [range[0], value] : [value, range[1]];
}
