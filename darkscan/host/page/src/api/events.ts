// The host's server-sent events.
//
// Read by fetch rather than by EventSource, which cannot see the comment that the host sends
// every ten seconds (so a cable pulled goes unnoticed), nor name the last event once the
// browser has given up.

import { signal } from "@preact/signals";
import type { HostEvent } from "./types";

/** A host that lives says something every ten seconds. */
const SILENCE_MS = 16_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5_000;

export interface Connection {
  state: "connecting" | "open" | "lost";
  /** When this state began; of a lost one, when the host was last heard. ms since 1970. */
  since: number;
}

/** Whether the host is heard. */
export const connection = signal<Connection>({ state: "connecting", since: Date.now() });

type Listener = (event: HostEvent) => void;
const listeners = new Set<Listener>();
let lastId = "";
let started = false;
let openings = 0;
let heardAt = Date.now();

/** When the host was last heard, ms since 1970. */
export const lastHeard = (): number => heardAt;

/** Calls back at each event; the answer ends it. The first call opens the connection. */
export function listen(listener: Listener): () => void {
  listeners.add(listener);
  if (!started) {
    started = true;
    void stayConnected();
  }
  return () => listeners.delete(listener);
}

async function stayConnected(): Promise<never> {
  let wait = FIRST_WAIT_MS;
  for (;;) {
    const opened = await readOnce().catch(() => false);
    if (connection.value.state !== "lost") connection.value = { state: "lost", since: heardAt };
    wait = opened ? FIRST_WAIT_MS : Math.min(2 * wait, LONGEST_WAIT_MS);
    await pause(wait);
  }
}

/** Resolves when the wait is over, or the network or the page comes back. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
  });
}

/** Reads events until the connection ends. Whether it was open at all. */
async function readOnce(): Promise<boolean> {
  const ending = new AbortController();
  let alarm = setTimeout(() => ending.abort(), SILENCE_MS);
  let opened = false;
  try {
    const response = await fetch("/api/events", {
      credentials: "same-origin",
      cache: "no-store",
      headers: lastId ? { "Last-Event-ID": lastId } : {},
      signal: ending.signal,
    });
    if (!response.ok || response.body === null) return false;
    opened = true;
    heardAt = Date.now();
    connection.value = { state: "open", since: heardAt };
    // Without an event's number the host cannot know what this page has missed.
    if (openings++ > 0 && !lastId) tell({ kind: "reset" });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return opened;
      heardAt = Date.now();
      clearTimeout(alarm);
      alarm = setTimeout(() => ending.abort(), SILENCE_MS);
      text = take(text + value);
    }
  } catch {
    return opened;
  } finally {
    clearTimeout(alarm);
  }
}

/** Delivers the whole events of a text; the rest is for the next call. */
function take(text: string): string {
  const blocks = text.replaceAll("\r\n", "\n").split("\n\n");
  const rest = blocks.pop() ?? "";
  for (const block of blocks) deliver(block);
  return rest;
}

function deliver(block: string): void {
  let kind = "";
  let data = "";
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon < 1) continue;
    const value = line.slice(colon + 1).replace(/^ /, "");
    if (line.startsWith("id:")) lastId = value;
    else if (line.startsWith("event:")) kind = value;
    else if (line.startsWith("data:")) data += value;
  }
  if (!kind) return;
  const { scan, ...rest } = JSON.parse(data) as { scan?: string };
  tell((kind === "reset" ? { kind } : { kind, scan, data: rest }) as HostEvent);
}

function tell(event: HostEvent): void {
  for (const listener of [...listeners]) listener(event);
}
