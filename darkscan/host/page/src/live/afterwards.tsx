// The stages of a scan that is over.

import { useEffect, useState } from "preact/hooks";
import { api, type Histogram, type StageTimings } from "../api";
import { count, milliseconds, percent } from "../format";
import { Link, pathOf } from "../router";

export function StagesAfterwards({ scanId }: { scanId: string }) {
  const [stages, setStages] = useState<StageTimings[]>([]);
  useEffect(() => {
    let isHere = true;
    api.performance(scanId).then(
      (performance) => isHere && setStages(performance.stages),
      () => undefined, // the view of performance says what is wrong
    );
    return () => {
      isHere = false;
    };
  }, [scanId]);
  return (
    <section class="stages panel" aria-label="Stages">
      {stages.length === 0 ? (
        <p class="empty-note">No timings of this scan are kept.</p>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">Stage</th>
              <th scope="col" class="number">
                Frames
              </th>
              <th scope="col" class="number">
                Waiting <small>ms, median / 99 %</small>
              </th>
              <th scope="col" class="number">
                Working <small>ms, median / 99 %</small>
              </th>
              <th scope="col" class="number">
                Busy
              </th>
            </tr>
          </thead>
          <tbody>
            {stages.map((stage) => (
              <tr key={stage.stage}>
                <th scope="row">
                  {stage.stage}
                  {stage.workers > 1 && <span class="workers"> ×{stage.workers}</span>}
                </th>
                <td class="number">{count(stage.frames)}</td>
                <Times histogram={stage.waiting} />
                <Times histogram={stage.working} />
                <td class="number">{percent(stage.utilization, 0)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p class="to-performance">
        <Link href={pathOf("performance", scanId)}>Histograms of each stage</Link>
      </p>
    </section>
  );
}

function Times({ histogram: { counts, p50, p99 } }: { histogram: Histogram }) {
  if (!counts.some(Boolean)) return <td class="number">–</td>;
  return (
    <td class="number">
      {milliseconds(p50)}
      <span class="worst"> / {milliseconds(p99)}</span>
    </td>
  );
}
