// A scan as the host knows it, kept up to date while it is looked at.

import { batch, computed, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import {
  DEFECT_KINDS,
  HostError,
  api,
  connection,
  lastHeard,
  listen,
  type DefectKind,
  type HostEvent,
  type Progress,
  type ScanDetails,
  type ScanState,
  type ShapeColumns,
  type TileRevision,
} from "../api";
import { now } from "../shared/clock";
import { Coalesced } from "../shared/coalesced";
import { FrameTable } from "./frames";

const GROWTH_MS = 500;
const DETAILS_MS = 1000;
const LOOK_AGAIN_MS = 20_000;

/** A running scan that is not heard of for so long is silent. */
const SILENT_MS = 15_000;

export interface Counts {
  planned: number;
  mapped: number;
  quarantined: number;
  lost: number;
}

export class LiveScan {
  readonly details = signal<ScanDetails | null>(null);
  /** Why there is nothing to show. */
  readonly problem = signal("");
  readonly progress = signal<Progress | null>(null);
  readonly frames = new FrameTable();
  readonly shapes: ShapeColumns[] = [];
  /** Lines and spots so far. */
  readonly traces = signal<Record<DefectKind, number>>(none());
  /** Rises when frames, or shapes, have changed. */
  readonly framesTurn = signal(0);
  readonly shapesTurn = signal(0);
  /** Rises when all is to be drawn anew. */
  readonly resetTurn = signal(0);
  readonly #heardAt = signal(0);
  readonly #kept = signal<Counts | null>(null);
  readonly #tileListeners = new Set<(tiles: TileRevision[]) => void>();
  readonly #growth = new Coalesced(() => this.#grow(), GROWTH_MS);
  readonly #describing = new Coalesced(() => this.#describe(), DETAILS_MS);
  #shapesRevision = 0;

  constructor(readonly id: string) {}

  /** Follows the scan until the answer is called. */
  start(): () => void {
    const stopListening = listen((event) => this.#hear(event));
    const timer = setInterval(this.#describing.ask, LOOK_AGAIN_MS);
    this.#describing.ask();
    this.#growth.ask();
    return () => {
      stopListening();
      clearInterval(timer);
      this.#describing.stop();
      this.#growth.stop();
    };
  }

  /** Calls back with tiles that have a new revision; the answer ends it. */
  onTiles(listener: (tiles: TileRevision[]) => void): () => void {
    this.#tileListeners.add(listener);
    return () => this.#tileListeners.delete(listener);
  }

  readonly state = computed<ScanState | null>(() => {
    const state = this.details.value?.state ?? null;
    if (state !== "running" && state !== "silent") return state;
    const isHeard = now.value - this.#heardAt.value < SILENT_MS;
    if (isHeard) return "running";
    // While the host is not heard either, nothing new is known of the rig.
    const hostIsHeard = connection.value.state === "open" && now.value - lastHeard() < SILENT_MS;
    return hostIsHeard && this.#heardAt.value > 0 ? "silent" : state;
  });

  /** Whether frames may still come. */
  readonly isOpen = computed(() => this.state.value === "running" || this.state.value === "silent");

  readonly heardAt = computed(() => this.#heardAt.value);

  /** The account of frames: as it is kept, or as the rig told since then. */
  readonly counts = computed<Counts | null>(() => {
    const kept = this.#kept.value ?? this.details.value?.frames;
    if (!kept) return null;
    const sums = this.isOpen.value ? this.progress.value?.sums : null;
    if (!sums) return kept;
    const told = { ...sums, planned: Math.max(kept.planned, sums.captured) };
    return settled(told) > settled(kept) ? told : kept;
  });

  #hear(event: HostEvent): void {
    if (event.kind === "reset") return this.#reset();
    if (event.scan !== this.id) return;
    switch (event.kind) {
      case "progress":
        return batch(() => {
          this.progress.value = event.data;
          this.#heardAt.value = Date.now();
        });
      case "frames":
        this.#kept.value = event.data.frames;
        return this.#growth.ask();
      case "tiles":
        for (const listener of this.#tileListeners) listener(event.data.tiles);
        return;
      default:
        this.#growth.ask();
        this.#describing.ask();
    }
  }

  #reset(): void {
    this.frames.clear();
    this.shapes.length = 0;
    this.#shapesRevision = 0;
    this.traces.value = none();
    this.resetTurn.value++;
    this.#growth.ask();
    this.#describing.ask();
  }

  async #describe(): Promise<void> {
    try {
      const details = await api.scan(this.id);
      batch(() => {
        this.problem.value = "";
        this.details.value = details;
        this.#kept.value = details.frames;
        if (details.progress) {
          this.progress.value = details.progress;
          const heard = Date.now() - details.progress.heard_s_ago * 1000;
          this.#heardAt.value = Math.max(this.#heardAt.value, heard);
        }
      });
    } catch (error) {
      const known = this.details.value !== null;
      if (!known && error instanceof HostError && error.status !== 0) this.problem.value = error.message;
      if (error instanceof HostError && error.status === 404) return;
      throw error;
    }
  }

  async #grow(): Promise<void> {
    const [frames, shapes] = await Promise.all([
      api.frames(this.id, this.frames.revision),
      api.shapes(this.id, this.#shapesRevision),
    ]).catch((error: unknown) => {
      if (error instanceof HostError && error.status === 404) return [null, null] as const;
      throw error;
    });
    if (frames === null || shapes === null) return;
    batch(() => {
      if (frames.number.length > 0) {
        this.frames.take(frames);
        this.framesTurn.value++;
      }
      this.#shapesRevision = shapes.revision;
      if (shapes.counts.length > 0) this.#add(shapes);
    });
  }

  #add(shapes: ShapeColumns): void {
    this.shapes.push(shapes);
    const traces = { ...this.traces.value };
    for (const kind of shapes.kind) traces[DEFECT_KINDS[kind] ?? "dust"]++;
    this.traces.value = traces;
    this.shapesTurn.value++;
  }
}

/** How many frames have come to an end, one way or another. */
export const settled = ({ mapped, quarantined, lost }: Counts): number => mapped + quarantined + lost;

function none(): Record<DefectKind, number> {
  return { scratch: 0, fibre: 0, dig: 0, dust: 0 };
}

/** The scan of this id, followed while the component stands. */
export function useLiveScan(id: string): LiveScan {
  const scan = useMemo(() => new LiveScan(id), [id]);
  useEffect(() => scan.start(), [scan]);
  return scan;
}
