// Which view the address names, and going to another without loading the page anew.

import { computed, signal } from "@preact/signals";
import type { JSX } from "preact";

export type View = "list" | "element" | "live" | "performance" | "nowhere";
export interface Route {
  view: View;
  /** The scan's id; empty in the list. */
  scan: string;
}

const path = signal(location.pathname);
addEventListener("popstate", () => (path.value = location.pathname));

export const route = computed<Route>(() => {
  if (path.value === "/") return { view: "list", scan: "" };
  const match = /^\/scan\/([0-9a-f]{32})(?:\/(live|performance))?\/?$/.exec(path.value);
  if (!match) return { view: "nowhere", scan: "" };
  return { view: (match[2] as View | undefined) ?? "element", scan: match[1] ?? "" };
});

export const pathOf = (view: "element" | "live" | "performance", scan: string): string =>
  view === "element" ? `/scan/${scan}` : `/scan/${scan}/${view}`;

export function navigate(to: string, how: { replace?: boolean } = {}): void {
  if (to === location.pathname + location.search + location.hash) return;
  if (how.replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  path.value = location.pathname;
}

/** An anchor that changes the view in place, unless it is asked for a new tab. */
export function Link({ href, onClick, ...rest }: JSX.IntrinsicElements["a"] & { href: string }) {
  return (
    <a
      href={href}
      onClick={(event) => {
        onClick?.(event);
        const elsewhere = event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0;
        if (elsewhere || event.defaultPrevented) return;
        event.preventDefault();
        navigate(href);
      }}
      {...rest}
    />
  );
}
