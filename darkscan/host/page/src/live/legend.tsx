import { DEFECT_KINDS, type ScanDetails } from "../api";
import { HatchMark, KindMark } from "../shared/marks";
import { settled, type LiveScan } from "./scan";
import { KIND_WORDS } from "./uninspected";

/** What the signs on the element mean; hatchings that are not on it are left out. */
export function Legend({ scan, details }: { scan: LiveScan; details: ScanDetails }) {
  const counts = scan.counts.value ?? details.frames;
  const { planned, quarantined, lost } = counts;
  const unreached = !scan.isOpen.value && planned > settled(counts);
  const kinds = new Set(details.not_inspected.map(({ kind }) => kind));
  if (lost > 0) kinds.add("lost");
  if (quarantined > 0) kinds.add("quarantined");
  return (
    <ul class="legend" aria-label="Legend">
      {DEFECT_KINDS.map((kind) => (
        <li key={kind}>
          <KindMark kind={kind} /> {kind}
        </li>
      ))}
      {(scan.isOpen.value || unreached) && (
        <li>
          <HatchMark kind="not_yet" /> {unreached ? "not reached" : "not yet"}
        </li>
      )}
      {(["lost", "quarantined", "no_score", "never_scanned", "outside_region"] as const).map(
        (kind) =>
          kinds.has(kind) && (
            <li key={kind}>
              <HatchMark kind={kind} /> {KIND_WORDS[kind]}
            </li>
          ),
      )}
    </ul>
  );
}
