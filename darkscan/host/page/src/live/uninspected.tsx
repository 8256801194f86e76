// What was not inspected and why; pointing at an entry shows its places on the element.

import { OUTCOMES, type NotInspectedKind, type ScanDetails } from "../api";
import { count, figure } from "../format";
import { HatchMark } from "../shared/marks";
import type { Pointed } from "./mosaic";
import type { LiveScan } from "./scan";

interface Entry {
  kind: NotInspectedKind | "not_yet";
  reason: string;
  amount: string;
}

export const KIND_WORDS: Record<Entry["kind"], string> = {
  not_yet: "not reached",
  lost: "lost",
  quarantined: "quarantined",
  no_score: "no score",
  never_scanned: "never scanned",
  outside_region: "outside the region",
};

function entriesOf(scan: LiveScan, details: ScanDetails): Entry[] {
  const frames = new Map<string, Entry & { frames: number }>();
  for (const { outcome, reason } of scan.frames.all) {
    const kind = kindOf(outcome);
    if (kind === "mapped" || (kind === "not_yet" && scan.isOpen.value)) continue;
    const entry = frames.get(kind + reason) ?? { kind, reason, amount: "", frames: 0 };
    entry.frames++;
    entry.amount = entry.frames === 1 ? "1 frame" : `${count(entry.frames)} frames`;
    frames.set(kind + reason, entry);
  }
  const areas = new Map<string, Entry & { mm2: number }>();
  for (const { kind, reason, area_mm2 } of details.not_inspected) {
    if (kind === "lost" || kind === "quarantined") continue;
    const entry = areas.get(kind + reason) ?? { kind, reason, amount: "", mm2: 0 };
    entry.mm2 += area_mm2;
    entry.amount = `${figure(entry.mm2)}\u2009mm²`;
    areas.set(kind + reason, entry);
  }
  const byFrames = [...frames.values()].sort((a, b) => b.frames - a.frames);
  return [...byFrames, ...[...areas.values()].sort((a, b) => b.mm2 - a.mm2)];
}

const kindOf = (outcome: number) => OUTCOMES[outcome] ?? "not_yet";

function pointedBy({ kind, reason }: Entry): Pointed {
  return {
    frames: (outcome, other) => kindOf(outcome) === kind && other === reason,
    areas: (area) => area.kind === kind && area.reason === reason,
  };
}

export function Uninspected(props: {
  scan: LiveScan;
  details: ScanDetails;
  point: (pointed: Pointed | null) => void;
}) {
  const { scan, details, point } = props;
  scan.framesTurn.value;
  const entries = entriesOf(scan, details);
  return (
    <section class="uninspected panel" aria-labelledby="uninspected">
      <h3 id="uninspected">Not inspected, and why</h3>
      {entries.length === 0 && <p class="empty-note">Every frame so far has been inspected.</p>}
      <ul>
        {entries.map((entry) => (
          <li key={entry.kind + entry.reason}>
            <button
              type="button"
              onMouseEnter={() => point(pointedBy(entry))}
              onMouseLeave={() => point(null)}
              onFocus={() => point(pointedBy(entry))}
              onBlur={() => point(null)}
            >
              <HatchMark kind={entry.kind} />
              <span class="amount">{entry.amount}</span>
              <span class="why">
                <b>{KIND_WORDS[entry.kind]}</b>
                {entry.reason && `: ${entry.reason}`}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
