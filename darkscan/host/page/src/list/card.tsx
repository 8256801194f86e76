// A scan that runs, as a large card.

import { DEFECT_KINDS, type ScanSummary } from "../api";
import { clock, count, percent, span } from "../format";
import { Mosaic } from "../live/mosaic";
import { settled, useLiveScan } from "../live/scan";
import { Link, pathOf } from "../router";
import { now } from "../shared/clock";
import { KindMark } from "../shared/marks";
import { StateMark } from "../shared/state";

export function Card({ summary }: { summary: ScanSummary }) {
  const scan = useLiveScan(summary.id);
  const details = scan.details.value;
  const counts = scan.counts.value ?? summary.frames;
  const missing = counts.quarantined + counts.lost;
  const progress = scan.progress.value;
  const state = scan.state.value ?? summary.state;
  const isSilent = state === "silent";
  return (
    <article class={`card ${state}`}>
      <header>
        <h2>
          <Link href={pathOf("live", summary.id)}>{summary.element}</Link>
        </h2>
        <span class="side">{summary.side}</span>
        <StateMark state={state} />
      </header>
      <div class="card-body">
        <div class="card-picture">{details && <Mosaic scan={scan} details={details} small />}</div>
        <div class="card-figures">
          <p class="card-percent">{percent(counts.planned ? settled(counts) / counts.planned : 0, 0)}</p>
          <dl>
            <div>
              <dt>time left</dt>
              <dd>{progress?.left_s == null || isSilent ? "–" : clock(progress.left_s)}</dd>
            </div>
            <div>
              <dt>frames/s</dt>
              <dd>{progress && !isSilent ? progress.frames_per_s.toFixed(1) : "–"}</dd>
            </div>
            <div class={missing ? "warn" : ""}>
              <dt>not inspected</dt>
              <dd>{count(missing)}</dd>
            </div>
          </dl>
        </div>
      </div>
      <footer>
        <span>{summary.rig}</span>
        <span>
          {isSilent && scan.heardAt.value > 0
            ? `not heard for ${span((now.value - scan.heardAt.value) / 1000)}`
            : (progress?.doing ?? "")}
        </span>
        <ul aria-label="Traces so far">
          {DEFECT_KINDS.map((kind) => (
            <li key={kind}>
              <KindMark kind={kind} /> <b>{count(scan.traces.value[kind])}</b>
              <span class="unseen">{kind}</span>
            </li>
          ))}
        </ul>
      </footer>
    </article>
  );
}
