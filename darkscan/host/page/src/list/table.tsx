// The scans that are kept, as a table that the keyboard walks through.

import { useEffect, useRef } from "preact/hooks";
import { DEFECT_KINDS, type ScanSummary } from "../api";
import { count, length, moment, percent, span } from "../format";
import { Link, pathOf } from "../router";
import { StateMark } from "../shared/state";

export function ScanTable(props: {
  scans: readonly ScanSummary[];
  chosen: number;
  choose: (index: number) => void;
}) {
  const { scans, chosen, choose } = props;
  return (
    <table class="scans">
      <thead>
        <tr>
          <th scope="col">Began</th>
          <th scope="col">Element</th>
          <th scope="col">Side</th>
          <th scope="col">Rig</th>
          <th scope="col">State</th>
          <th scope="col" class="number">
            Scratches
          </th>
          <th scope="col" class="number">
            Length
          </th>
          <th scope="col" class="number">
            Inspected
          </th>
          <th scope="col" class="number">
            Reviewed
          </th>
          <th scope="col" class="number">
            Took
          </th>
          <th scope="col">
            <span class="unseen">Views</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {scans.map((scan, index) => (
          <Row
            key={scan.id}
            scan={scan}
            isChosen={index === chosen}
            choose={() => choose(index)}
          />
        ))}
      </tbody>
    </table>
  );
}

function Row(props: { scan: ScanSummary; isChosen: boolean; choose: () => void }) {
  const { scan, isChosen, choose } = props;
  const link = useRef<HTMLTableRowElement>(null);
  useEffect(() => {
    if (isChosen) link.current?.querySelector("a")?.focus();
  }, [isChosen]);
  const seconds = scan.ended ? (Date.parse(scan.ended) - Date.parse(scan.began)) / 1000 : null;
  return (
    <tr ref={link} class={isChosen ? "chosen" : ""} onFocusIn={choose}>
      <td>{moment(scan.began)}</td>
      <th scope="row">
        <Link href={pathOf("element", scan.id)}>{scan.element}</Link>
      </th>
      <td>{scan.side}</td>
      <td>{scan.rig}</td>
      <td title={scan.reason}>
        <StateMark state={scan.state} />
        {scan.reason && <span class="reason">{scan.reason}</span>}
      </td>
      <td class="number" title={kinds(scan)}>
        {scan.defects ? count(scan.defects.scratch) : "–"}
      </td>
      <td class="number">{scan.length_mm === null ? "–" : length(scan.length_mm)}</td>
      <td class={`number ${(scan.inspected_fraction ?? 1) < 1 ? "warn" : ""}`}>
        {scan.inspected_fraction === null ? "–" : percent(scan.inspected_fraction, scan.inspected_fraction < 1 ? 2 : 0)}
      </td>
      <td class="number">{reviewed(scan)}</td>
      <td class="number">{seconds === null ? "–" : span(seconds)}</td>
      <td class="views">
        <Link href={pathOf("live", scan.id)} aria-label={`Scan of ${scan.element}, live`}>
          scan
        </Link>
        <Link href={pathOf("performance", scan.id)} aria-label={`Performance of ${scan.element}`}>
          performance
        </Link>
      </td>
    </tr>
  );
}

const kinds = ({ defects }: ScanSummary): string | undefined =>
  defects ? DEFECT_KINDS.map((kind) => `${kind} ${count(defects[kind])}`).join(", ") : undefined;

function reviewed({ defects, reviewed: done }: ScanSummary): string {
  if (!defects) return done ? count(done) : "–";
  const all = DEFECT_KINDS.reduce((sum, kind) => sum + defects[kind], 0);
  return done ? `${count(done)} / ${count(all)}` : "–";
}
