// How fast each stage of a scan was: waiting and working told apart.

import { useEffect, useState } from "preact/hooks";
import {
  HostError,
  api,
  downloadUrl,
  listen,
  type Performance,
  type ScanDetails,
  type StageTimings,
} from "../api";
import { count, milliseconds, percent } from "../format";
import { Coalesced } from "../shared/coalesced";
import { subject } from "../shared/head";
import { isOpen } from "../shared/state";
import { Axis, HistogramPlot, commonRange } from "./histogram";

const REFRESH_MS = 3000;

/** A stage that is busy for more than this part of the time holds the others up. */
const AT_LIMIT = 0.6;

interface Loaded {
  details: ScanDetails;
  timings: Performance;
}

function useTimings(scanId: string): { loaded: Loaded | null; problem: string } {
  const [loaded, setLoaded] = useState<Loaded | null>(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    const refreshing = new Coalesced(async () => {
      try {
        const [details, timings] = await Promise.all([api.scan(scanId), api.performance(scanId)]);
        subject.value = { scan: scanId, element: details.element, side: details.side };
        document.title = `Performance of ${details.element} – darkscan`;
        setLoaded({ details, timings });
        setProblem("");
      } catch (error) {
        setProblem((error as Error).message);
        if (!(error instanceof HostError && error.status === 404)) throw error;
      }
    }, REFRESH_MS);
    refreshing.ask();
    const stop = listen((event) => {
      if (event.kind === "reset" || (event.kind !== "progress" && event.scan === scanId)) refreshing.ask();
    });
    return () => {
      stop();
      refreshing.stop();
    };
  }, [scanId]);
  return { loaded, problem };
}

export default function PerformanceView({ scanId }: { scanId: string }) {
  const { loaded, problem } = useTimings(scanId);
  if (!loaded) return <p class="waiting">{problem || "Loading…"}</p>;
  const { details, timings } = loaded;
  const range = commonRange(timings.stages.flatMap(({ waiting, working }) => [waiting, working]));
  return (
    <div class="performance">
      <header class="performance-head">
        <h1 class="unseen">Performance of {details.element}</h1>
        <p class="pace">{inWords(details, timings)}</p>
        <Downloads details={details} />
      </header>
      {timings.stages.length > 0 && (
        <section class="panel stage-histograms" aria-label="Waiting and working of each stage">
          <p class="explanation">
            How long frames <b class="waiting-word">waited</b> for each stage, and how long it{" "}
            <b class="working-word">worked</b> on them. All share one logarithmic axis; the solid line
            is the median, the dashed one has 99 % of the frames on its left.
          </p>
          {timings.stages.map((stage) => (
            <Stage key={stage.stage} stage={stage} range={range} isBottleneck={stage.stage === timings.bottleneck} />
          ))}
          <div class="stage-row axes">
            <span />
            <Axis range={range} />
            <Axis range={range} />
          </div>
        </section>
      )}
    </div>
  );
}

function Stage(props: {
  stage: StageTimings;
  range: ReturnType<typeof commonRange>;
  isBottleneck: boolean;
}) {
  const { stage, range, isBottleneck } = props;
  return (
    <div class={`stage-row ${isBottleneck ? "bottleneck" : ""}`}>
      <div class="stage-name">
        <h2>
          {stage.stage}
          {stage.workers > 1 && <span class="workers"> ×{stage.workers}</span>}
        </h2>
        <p>{count(stage.frames)} frames</p>
        <p class="busy">
          busy <strong>{percent(stage.utilization, 0)}</strong>
          {isBottleneck && <em>{stage.utilization < AT_LIMIT ? "the busiest" : "the bottleneck"}</em>}
        </p>
        <div class="busy-bar">
          <span style={{ width: `${Math.min(100, 100 * stage.utilization)}%` }} />
        </div>
      </div>
      <HistogramPlot title="waiting" histogram={stage.waiting} range={range} />
      <HistogramPlot title="working" histogram={stage.working} range={range} />
    </div>
  );
}

/** What limits the scan, in a sentence. */
function inWords(details: ScanDetails, { stages, bottleneck }: Performance): string {
  const stage = stages.find((candidate) => candidate.stage === bottleneck);
  if (!stage) {
    return isOpen(details.state) ? "No frame has passed all stages yet." : "No timings of this scan came.";
  }
  const busy = percent(stage.utilization, 0);
  const each = `${milliseconds(stage.working.p50)} ms a frame`;
  const workers = stage.workers > 1 ? `its ${stage.workers} workers are` : "it is";
  if (stage.utilization < AT_LIMIT) {
    return `No stage is at its limit: the busiest, ${stage.stage}, works ${busy} of the time. Frames come no faster.`;
  }
  return `${capital(stage.stage)} sets the pace: ${workers} busy ${busy} of the time, with ${each}.`;
}

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

function Downloads({ details }: { details: ScanDetails }) {
  if (isOpen(details.state)) return <p class="downloads">The trace comes when the scan has ended.</p>;
  return (
    <p class="downloads">
      <a class="button" href={downloadUrl(details.id, "trace")} download>
        Trace
      </a>
      <a class="button" href={downloadUrl(details.id, "run")} download>
        Settings of the run
      </a>
      <span>
        A trace opens in <code>ui.perfetto.dev</code>, which keeps it on this computer.
      </span>
    </p>
  );
}
