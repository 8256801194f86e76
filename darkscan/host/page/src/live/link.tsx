// How the rig's link to the host is.

import type { ScanDetails } from "../api";
import { count, span } from "../format";
import { now } from "../shared/clock";
import type { LiveScan } from "./scan";

export function RigLink({ scan, details }: { scan: LiveScan; details: ScanDetails }) {
  const progress = scan.progress.value;
  const heard = scan.heardAt.value;
  const ago = (now.value - heard) / 1000;
  const waiting = progress?.parcels_waiting ?? 0;
  const dropped = Math.max(details.tiles_dropped, progress?.tiles_dropped ?? 0);
  return (
    <section class="rig-link panel" aria-label="Rig">
      <h3>Link from {details.rig || "the rig"}</h3>
      <dl>
        {scan.isOpen.value && (
          <Row name="last heard" value={heard === 0 ? "never" : ago < 2 ? "now" : `${span(ago)} ago`} bad={ago > 15} />
        )}
        <Row name="waiting in its outbox" value={count(waiting)} bad={waiting > 100} />
        <Row name="previews dropped" value={count(dropped)} bad={dropped > 0} />
        <Row
          name="frames not pictured"
          value={count(details.frames_not_pictured)}
          bad={details.frames_not_pictured > 0}
        />
      </dl>
    </section>
  );
}

function Row({ name, value, bad }: { name: string; value: string; bad: boolean }) {
  return (
    <div class={bad ? "warn" : ""}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
