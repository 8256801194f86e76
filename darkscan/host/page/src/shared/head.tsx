import { signal } from "@preact/signals";
import { connection } from "../api";
import { timeOfDay } from "../format";
import { Link, pathOf, route } from "../router";
import { now } from "./clock";
import { helpOpen } from "./keys";

/** What the open view is of: a scan's element and side. Each view says it when it knows. */
export const subject = signal<{ scan: string; element: string; side: string } | null>(null);

const TABS = [
  ["live", "Live"],
  ["element", "Element"],
  ["performance", "Performance"],
] as const;

const CONNECTION = { connecting: "connecting", open: "connected", lost: "not connected" } as const;

export function Head() {
  const { view, scan } = route.value;
  const known = subject.value?.scan === scan ? subject.value : null;
  return (
    <header class="head">
      <Link class="brand" href="/" aria-label="darkscan: all scans">
        dark<b>scan</b>
      </Link>
      {scan && known && (
        <p class="subject">
          <strong>{known.element}</strong>
          <span>{known.side}</span>
        </p>
      )}
      {scan && (
        <nav aria-label="Views of this scan" class="tabs">
          {TABS.map(([to, title]) => (
            <Link key={to} href={pathOf(to, scan)} aria-current={view === to ? "page" : undefined}>
              {title}
            </Link>
          ))}
        </nav>
      )}
      <div class="head-end">
        <span class={`connection ${connection.value.state}`}>{CONNECTION[connection.value.state]}</span>
        <time>{timeOfDay(now.value)}</time>
        <button type="button" class="quiet" onClick={() => (helpOpen.value = true)}>
          <kbd>?</kbd> keys
        </button>
      </div>
    </header>
  );
}
