// The figures that an operator reads from across the room.

import type { ComponentChildren } from "preact";
import { DEFECT_KINDS, type ScanDetails } from "../api";
import { clock, count, length, percent, span, timeOfDay } from "../format";
import { now } from "../shared/clock";
import { KindMark } from "../shared/marks";
import { StateMark } from "../shared/state";
import { settled, type LiveScan } from "./scan";

function Figure(props: {
  title: string;
  children: ComponentChildren;
  note?: ComponentChildren;
  tone?: "warn" | "bad";
}) {
  return (
    <div class={`figure ${props.tone ?? ""}`}>
      <h3>{props.title}</h3>
      <p class="value">{props.children}</p>
      <p class="note">{props.note}</p>
    </div>
  );
}

export function Figures({ scan, details }: { scan: LiveScan; details: ScanDetails }) {
  return (
    <section class="figures" aria-label="Figures of the scan">
      <Heading scan={scan} details={details} />
      <Done scan={scan} details={details} />
      <div class="pair">
        {scan.isOpen.value ? <TimeLeft scan={scan} /> : <Took details={details} />}
        <Speed scan={scan} details={details} />
      </div>
      <Found scan={scan} details={details} />
      <Missing scan={scan} details={details} />
    </section>
  );
}

function Heading({ scan, details }: { scan: LiveScan; details: ScanDetails }) {
  const state = scan.state.value ?? details.state;
  const progress = scan.progress.value;
  const paused = progress?.held ? "held" : progress?.stopping ? "stopping" : null;
  return (
    <div class="heading">
      <p class="state-large">
        <StateMark state={state} />
        {state === "running" && paused && <span class="paused">{paused}</span>}
      </p>
      <p class="doing">{scan.isOpen.value ? progress?.doing : details.reason}</p>
    </div>
  );
}

function Done({ scan, details }: { scan: LiveScan; details: ScanDetails }) {
  const counts = scan.counts.value ?? details.frames;
  const { planned, mapped, quarantined, lost } = counts;
  const part = (frames: number): string => `${planned ? (100 * frames) / planned : 0}%`;
  const fraction = planned ? settled(counts) / planned : 0;
  const inspected = scan.isOpen.value ? null : details.inspected_fraction;
  return (
    <div class="done">
      <p class="value huge">
        {inspected === null ? percent(fraction) : percent(inspected, inspected < 1 ? 2 : 0)}
      </p>
      <p class="note">
        {inspected === null
          ? `${count(settled(counts))} of ${count(planned)} frames`
          : "of the region inspected"}
      </p>
      <div
        class="progress-bar"
        role="progressbar"
        aria-label="Frames done"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.floor(100 * fraction)}
      >
        <span class="mapped" style={{ width: part(mapped) }} />
        <span class="quarantined" style={{ width: part(quarantined) }} />
        <span class="lost" style={{ width: part(lost) }} />
      </div>
    </div>
  );
}

function TimeLeft({ scan }: { scan: LiveScan }) {
  const left = scan.progress.value?.left_s ?? null;
  if (left === null || scan.state.value === "silent") {
    return <Figure title="Time left">–</Figure>;
  }
  const end = timeOfDay(scan.heardAt.value + left * 1000).slice(0, 5);
  return (
    <Figure title="Time left" note={`until about ${end}`}>
      {clock(left)}
    </Figure>
  );
}

function Took({ details }: { details: ScanDetails }) {
  if (!details.ended) return <Figure title="Took">–</Figure>;
  const seconds = (Date.parse(details.ended) - Date.parse(details.began)) / 1000;
  const ago = (now.value - Date.parse(details.ended)) / 1000;
  return (
    <Figure title="Took" note={`ended ${span(ago)} ago`}>
      {clock(seconds)}
    </Figure>
  );
}

function Speed({ scan, details }: { scan: LiveScan; details: ScanDetails }) {
  const progress = scan.progress.value;
  if (scan.isOpen.value) {
    const rate = scan.state.value === "silent" ? null : (progress?.frames_per_s ?? null);
    const windows = rate === null ? 0 : (progress?.windows_per_s ?? 0);
    return (
      <Figure title="Frames/s" note={windows ? `${count(windows)} windows/s` : ""}>
        {rate === null ? "–" : rate.toFixed(rate < 10 ? 2 : 1)}
      </Figure>
    );
  }
  const seconds = details.ended ? (Date.parse(details.ended) - Date.parse(details.began)) / 1000 : 0;
  const rate = seconds > 0 ? details.frames.mapped / seconds : null;
  return (
    <Figure title="Frames/s" note="on average">
      {rate === null ? "–" : rate.toFixed(rate < 10 ? 2 : 1)}
    </Figure>
  );
}

/** Traces while the scan runs, then the defects of its map. */
function Found({ scan, details }: { scan: LiveScan; details: ScanDetails }) {
  const found = details.defects ?? scan.traces.value;
  const isFinal = details.defects !== null;
  return (
    <div class="figure found">
      <h3>{isFinal ? "Found" : "Found so far"}</h3>
      <ul>
        {DEFECT_KINDS.map((kind) => (
          <li key={kind} class={kind}>
            <span class="value">{count(found[kind])}</span>
            <span class="note">
              <KindMark kind={kind} /> {PLURALS[kind]}
            </span>
          </li>
        ))}
      </ul>
      <p class="note">
        {isFinal
          ? `defects of the map; scratches ${length(details.length_mm ?? 0)} in all`
          : "traces, frame by frame; the map joins them"}
      </p>
    </div>
  );
}

const PLURALS = { scratch: "scratches", fibre: "fibres", dig: "digs", dust: "dust" } as const;

function Missing({ scan, details }: { scan: LiveScan; details: ScanDetails }) {
  const counts = scan.counts.value ?? details.frames;
  const { planned, quarantined, lost } = counts;
  const unreached = scan.isOpen.value ? 0 : Math.max(0, planned - settled(counts));
  const frames = quarantined + lost + unreached;
  const { inspected_fraction: inspected } = details;
  const notes = [
    unreached && `${count(unreached)} not reached`,
    lost && `${count(lost)} lost`,
    quarantined && `${count(quarantined)} quarantined`,
  ];
  const bad = frames > 0 || (inspected !== null && inspected < 1);
  return (
    <Figure title="Not inspected" note={notes.filter(Boolean).join(" · ")} {...(bad ? { tone: "warn" } : {})}>
      {count(frames)} <small>{frames === 1 ? "frame" : "frames"}</small>
    </Figure>
  );
}
