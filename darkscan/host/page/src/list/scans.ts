// The list of scans that are kept, in pages, kept up to date while it is looked at.

import { batch, signal } from "@preact/signals";
import { api, listen, type HostEvent, type ScanFilter, type ScanSummary } from "../api";
import { Coalesced } from "../shared/coalesced";

const REFRESH_MS = 1000;
const LOOK_AGAIN_MS = 20_000;
const PAGE = 100;

export class ScanList {
  readonly scans = signal<ScanSummary[] | null>(null);
  /** Where the list goes on; null: that is all. */
  readonly next = signal<string | null>(null);
  readonly filter = signal<ScanFilter>({});
  readonly problem = signal("");
  readonly #refreshing = new Coalesced(() => this.#refresh(), REFRESH_MS);
  #loadsMore = false;

  start(): () => void {
    const stopListening = listen((event) => this.#hear(event));
    const timer = setInterval(this.#refreshing.ask, LOOK_AGAIN_MS);
    this.#refreshing.ask();
    return () => {
      stopListening();
      clearInterval(timer);
      this.#refreshing.stop();
    };
  }

  /** Changes a part of the filter. */
  narrow(change: ScanFilter): void {
    this.filter.value = { ...this.filter.value, ...change };
    this.scans.value = null;
    this.#refreshing.hurry();
  }

  /** Loads the next page, if there is one. */
  async more(): Promise<void> {
    const [filter, next] = [this.filter.value, this.next.value];
    if (next === null || this.#loadsMore) return;
    this.#loadsMore = true;
    try {
      const page = await api.scans(filter, next, PAGE);
      if (filter !== this.filter.value) return;
      batch(() => {
        this.scans.value = merged(this.scans.value ?? [], page.scans);
        this.next.value = page.next;
      });
    } catch (error) {
      this.problem.value = (error as Error).message;
    } finally {
      this.#loadsMore = false;
    }
  }

  #hear(event: HostEvent): void {
    if (event.kind === "frames") this.#update(event.scan, { frames: event.data.frames });
    else if (event.kind !== "progress" && event.kind !== "tiles") this.#refreshing.ask();
  }

  #update(id: string, change: Partial<ScanSummary>): void {
    const scans = this.scans.value ?? [];
    if (!scans.some((scan) => scan.id === id)) return;
    this.scans.value = scans.map((scan) => (scan.id === id ? { ...scan, ...change } : scan));
  }

  async #refresh(): Promise<void> {
    const filter = this.filter.value;
    try {
      const page = await api.scans(filter, null, PAGE);
      if (filter !== this.filter.value) return this.#refreshing.hurry();
      batch(() => {
        const before = this.scans.value;
        // Pages that follow were loaded before: they stay, and so does where they end.
        const isFirst = before === null || before.length <= page.scans.length;
        this.scans.value = isFirst ? page.scans : merged(page.scans, before);
        if (isFirst) this.next.value = page.next;
        this.problem.value = "";
      });
    } catch (error) {
      this.problem.value = (error as Error).message;
      throw error;
    }
  }
}

/** All of the first list, then those of the second that are not in it. */
function merged(first: readonly ScanSummary[], second: readonly ScanSummary[]): ScanSummary[] {
  const known = new Set(first.map(({ id }) => id));
  return [...first, ...second.filter(({ id }) => !known.has(id))];
}
