// A scan while it runs, for somebody who stands two metres away.

import { useEffect, useState } from "preact/hooks";
import { subject } from "../shared/head";
import { useShortcuts } from "../shared/keys";
import { Banners } from "./banners";
import { Figures } from "./figures";
import { Pin, togglePin, useFollowing } from "./following";
import { Legend } from "./legend";
import { RigLink } from "./link";
import { Mosaic, type Pointed } from "./mosaic";
import { useLiveScan } from "./scan";
import { Stages } from "./stages";
import { StagesAfterwards } from "./afterwards";
import { Uninspected } from "./uninspected";

/** Nothing is known of the scan; one that has just begun may still be on its way. */
function Missing({ problem }: { problem: string }) {
  if (!problem) return <p class="waiting">Loading…</p>;
  return (
    <div class="waiting">
      <p>{problem}</p>
      <p>If it has just begun, it is shown as soon as its rig has told of it.</p>
    </div>
  );
}

export function LiveView({ scanId }: { scanId: string }) {
  const scan = useLiveScan(scanId);
  const details = scan.details.value;
  const [pointed, point] = useState<Pointed | null>(null);
  useFollowing(details);
  useShortcuts("Live", [
    { keys: "p", does: "stay on this scan, or go on to the next", run: () => togglePin(scanId) },
  ]);
  useEffect(() => {
    if (!details) return;
    subject.value = { scan: scanId, element: details.element, side: details.side };
    document.title = `${details.element} · ${details.side} – darkscan`;
  }, [scanId, details?.element, details?.side]);
  if (!details) return <Missing problem={scan.problem.value} />;
  return (
    <div class="live">
      <h1 class="unseen">
        Live: {details.element}, {details.side}
      </h1>
      <Banners scan={scan} details={details} />
      <div class="live-grid">
        <section class="element" aria-label="The element">
          <Mosaic scan={scan} details={details} pointed={pointed} />
          <div class="under-picture">
            <Legend scan={scan} details={details} />
            <Pin scanId={scanId} />
          </div>
        </section>
        <Figures scan={scan} details={details} />
        {scan.isOpen.value ? <Stages progress={scan.progress.value} /> : <StagesAfterwards scanId={scanId} />}
        <div class="beside-stages">
          <Uninspected scan={scan} details={details} point={point} />
          <RigLink scan={scan} details={details} />
        </div>
      </div>
    </div>
  );
}
