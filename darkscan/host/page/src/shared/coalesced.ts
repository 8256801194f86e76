const RETRY_MS = 2000;

/** Does work that may be asked for often: one turn at a time, at most one every `ms`. */
export class Coalesced {
  #asked = false;
  #busy = false;
  #stopped = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #last = -Infinity;

  /** `work` throws where it could not be done; it is then tried again. */
  constructor(
    private readonly work: () => Promise<void>,
    private readonly ms: number,
  ) {}

  ask = (): void => {
    this.#asked = true;
    if (this.#busy || this.#stopped || this.#timer !== undefined) return;
    this.#wait(Math.max(0, this.#last + this.ms - performance.now()));
  };

  /** Does it without waiting, unless a turn is under way. */
  hurry(): void {
    this.#asked = true;
    if (this.#busy || this.#stopped) return;
    clearTimeout(this.#timer);
    this.#wait(0);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => void this.#run(), ms);
  }

  async #run(): Promise<void> {
    this.#timer = undefined;
    this.#asked = false;
    this.#busy = true;
    this.#last = performance.now();
    let failed = false;
    try {
      await this.work();
    } catch {
      failed = true;
    }
    this.#busy = false;
    if (this.#stopped) return;
    if (failed) this.#wait(RETRY_MS);
    else if (this.#asked) this.ask();
  }
}
