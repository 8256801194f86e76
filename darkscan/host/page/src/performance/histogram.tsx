// How long something took, over many frames: bars on a logarithmic axis of milliseconds.

import type { Histogram } from "../api";
import { count, milliseconds } from "../format";

/** The range that all histograms of a view share, as logarithms of milliseconds. */
export interface Range {
  from: number;
  to: number;
}

const WIDTH = 1000;
const HEIGHT = 100;

/** Whole decades that hold all that was measured. */
export function commonRange(histograms: readonly Histogram[]): Range {
  let from = Infinity;
  let to = -Infinity;
  for (const { edges_ms, counts } of histograms) {
    counts.forEach((frames, k) => {
      if (frames === 0) return;
      from = Math.min(from, Math.log10(Math.max(edges_ms[k]!, 1e-3)));
      to = Math.max(to, Math.log10(edges_ms[k + 1]!));
    });
  }
  return from < to ? { from: Math.floor(from), to: Math.ceil(to) } : { from: 0, to: 3 };
}

const place = (ms: number, { from, to }: Range): number =>
  (WIDTH * (Math.log10(Math.max(ms, 1e-6)) - from)) / (to - from);

export function HistogramPlot(props: {
  title: "waiting" | "working";
  histogram: Histogram;
  range: Range;
}) {
  const { title, histogram, range } = props;
  const { edges_ms: edges, counts, p50, p99, max } = histogram;
  const total = counts.reduce((sum, frames) => sum + frames, 0);
  if (total === 0) {
    return (
      <figure class={`histogram of-${title}`}>
        <figcaption>
          <b>{title}</b> nothing measured
        </figcaption>
      </figure>
    );
  }
  const highest = Math.max(...counts);
  const words =
    `${title}: median ${milliseconds(p50)} ms, 99 % within ${milliseconds(p99)} ms, ` +
    `longest ${milliseconds(max)} ms, ${count(total)} measured`;
  return (
    <figure class={`histogram of-${title}`}>
      <figcaption>
        <b>{title}</b>
        <span>
          median <strong>{milliseconds(p50)}</strong>
        </span>
        <span>
          99 % <strong>{milliseconds(p99)}</strong>
        </span>
        <span>
          longest <strong>{milliseconds(max)}</strong> ms
        </span>
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={words}
      >
        <Grid range={range} />
        {counts.map((frames, k) => {
          if (frames === 0) return null;
          const left = Math.max(0, place(edges[k]!, range));
          const right = place(edges[k + 1]!, range);
          // A single frame among thousands is still to be seen.
          const height = Math.max(1.5, (HEIGHT * frames) / highest);
          return (
            <rect key={k} x={left} y={HEIGHT - height} width={Math.max(1, right - left - 1)} height={height}>
              <title>{`${milliseconds(edges[k]!)} to ${milliseconds(edges[k + 1]!)} ms: ${count(frames)}`}</title>
            </rect>
          );
        })}
        <line class="median" x1={place(p50, range)} x2={place(p50, range)} y1={0} y2={HEIGHT} />
        <line class="p99" x1={place(p99, range)} x2={place(p99, range)} y1={0} y2={HEIGHT} />
      </svg>
    </figure>
  );
}

const decades = ({ from, to }: Range): number[] =>
  Array.from({ length: to - from + 1 }, (_, k) => from + k);

function Grid({ range }: { range: Range }) {
  return (
    <g class="grid">
      {decades(range).map((power) => {
        const x = place(10 ** power, range);
        return <line key={power} x1={x} x2={x} y1={0} y2={HEIGHT} />;
      })}
    </g>
  );
}

/** The axis below a column of histograms. */
export function Axis({ range }: { range: Range }) {
  const { from, to } = range;
  return (
    <div class="axis" aria-hidden="true">
      {decades(range).map((power) => (
        <span key={power} style={{ left: `${(100 * (power - from)) / (to - from)}%` }}>
          {label(power)}
        </span>
      ))}
    </div>
  );
}

const label = (power: number): string =>
  power >= 3 ? `${10 ** (power - 3)} s` : power >= 0 ? `${10 ** power} ms` : `${10 ** (power + 3)} µs`;
