// Each stage of the run as a row: what waits, how long frames wait and are worked on.

import type { Progress, StageHealth } from "../api";
import { count, milliseconds } from "../format";

const ORDER = [
  "motion",
  "acquisition",
  "recording",
  "preprocessing",
  "classification",
  "gateway",
  "merging",
  "uplink",
];

interface Row extends StageHealth {
  workers: number;
}

function byStage(stages: readonly StageHealth[]): Row[] {
  const rows = new Map<string, Row>();
  for (const stage of stages) {
    const row = rows.get(stage.stage);
    if (row) join(row, stage);
    else rows.set(stage.stage, { ...stage, workers: 1 });
  }
  const place = (row: Row): number => (ORDER.indexOf(row.stage) + ORDER.length + 1) % (ORDER.length + 1);
  return [...rows.values()].sort((a, b) => place(a) - place(b));
}

/** Workers of a stage share a row: sums of what they count, the worst of what they measure. */
function join(row: Row, worker: StageHealth): void {
  row.workers++;
  row.frames += worker.frames;
  row.queue += worker.queue;
  row.restarts += worker.restarts;
  row.doing ||= worker.doing;
  row.waiting_ms = worst(row.waiting_ms, worker.waiting_ms);
  row.working_ms = worst(row.working_ms, worker.working_ms);
}

function worst(a: [number, number] | null, b: [number, number] | null): [number, number] | null {
  return a && b ? [Math.max(a[0], b[0]), Math.max(a[1], b[1])] : (a ?? b);
}

function Times({ pair }: { pair: [number, number] | null }) {
  if (!pair) return <td class="number">–</td>;
  return (
    <td class="number">
      {milliseconds(pair[0])}
      <span class="worst"> / {milliseconds(pair[1])}</span>
    </td>
  );
}

export function Stages({ progress }: { progress: Progress | null }) {
  const rows = byStage(progress?.stages ?? []);
  const early = Object.entries(progress?.ended_early ?? {});
  return (
    <section class="stages panel" aria-label="Stages">
      <table>
        <thead>
          <tr>
            <th scope="col">Stage</th>
            <th scope="col" class="does-head">
              Does
            </th>
            <th scope="col" class="number">
              Queue
            </th>
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
              Restarts
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.stage}>
              <th scope="row">
                {row.stage}
                {row.workers > 1 && <span class="workers"> ×{row.workers}</span>}
              </th>
              <td class="does" title={row.doing}>
                {row.doing}
              </td>
              <td class="number">{count(row.queue)}</td>
              <td class="number">{count(row.frames)}</td>
              <Times pair={row.waiting_ms} />
              <Times pair={row.working_ms} />
              <td class={`number ${row.restarts > 0 ? "warn" : ""}`}>{count(row.restarts)}</td>
            </tr>
          ))}
          {early.map(([stage, why]) => (
            <tr key={`early ${stage}`} class="early">
              <th scope="row">{stage}</th>
              <td colSpan={6}>ended early: {why}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length + early.length === 0 && (
        <p class="empty-note">The rig has not told of its stages{progress ? "" : " yet"}.</p>
      )}
    </section>
  );
}
