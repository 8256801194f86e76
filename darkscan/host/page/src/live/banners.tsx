// What an operator must not miss, across the whole page.

import type { ScanDetails } from "../api";
import { percent, span, timeOfDay } from "../format";
import { now } from "../shared/clock";
import type { LiveScan } from "./scan";

export function Banners({ scan, details }: { scan: LiveScan; details: ScanDetails }) {
  const state = scan.state.value ?? details.state;
  const reason = details.reason ? `: ${details.reason}` : "";
  switch (state) {
    case "died":
      return <Banner tone="bad" title="The scan died" text={reason} since={details.ended} />;
    case "failed":
      return <Banner tone="bad" title="The scan failed" text={reason} since={details.ended} />;
    case "silent":
      return (
        <div class="banner bad" role="alert">
          <strong>Nothing is heard from {details.rig || "the rig"}</strong>
          <span aria-live="off">
            {scan.heardAt.value > 0 &&
              `since ${timeOfDay(scan.heardAt.value)}, for ${span((now.value - scan.heardAt.value) / 1000)}. `}
            The scan may go on; look at the rig and its network.
          </span>
        </div>
      );
    case "aborted":
      return <Banner tone="warn" title="The scan was aborted" text={reason} since={details.ended} />;
    case "incomplete": {
      const inspected = details.inspected_fraction;
      const part = inspected === null ? "" : `: ${percent(inspected, 2)} of the region was inspected`;
      return <Banner tone="warn" title="Incomplete" text={part || reason} since={null} />;
    }
    default:
      return null;
  }
}

function Banner(props: { tone: "bad" | "warn"; title: string; text: string; since: string | null }) {
  const { tone, title, text, since } = props;
  return (
    <div class={`banner ${tone}`} role="alert">
      <strong>
        {title}
        {text}
      </strong>
      {since && (
        <span aria-live="off">
          at {timeOfDay(since)}, {span((now.value - Date.parse(since)) / 1000)} ago
        </span>
      )}
    </div>
  );
}
