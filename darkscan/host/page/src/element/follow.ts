/** Fills a model from the host, and keeps it up to date by the host's events. */

import {
  api,
  listen,
  type HostEvent,
  type Review,
  type ScanDetails,
  type ShapeColumns,
  type TileRevision,
} from "../api";
import { Coalesced } from "../shared/coalesced";
import { DefectTable } from "./defects";
import type { Model } from "./model";

/** How long events of one kind are gathered before the host is asked what is new, ms. */
const GATHER_MS = 1000;

interface PictureToRefresh {
  refresh(tiles: readonly TileRevision[]): void;
  reset(): void;
}

export class Follower {
  private readonly shapes = new ShapeList();
  private readonly all = new Coalesced(() => this.load(), GATHER_MS);
  private readonly news = new Coalesced(() => this.loadNews(), GATHER_MS);
  private stopped = false;
  private readonly stopListening: () => void;
  /** Takes the tiles that events tell of. */
  picture: PictureToRefresh | null = null;

  constructor(private readonly model: Model) {
    this.stopListening = listen((event) => this.hear(event));
    this.all.ask();
  }

  stop(): void {
    this.stopped = true;
    this.stopListening();
    this.all.stop();
    this.news.stop();
  }

  /** Asks for all there is; later calls bring up to date. Rejects where that failed. */
  private async load(): Promise<void> {
    const { model } = this;
    try {
      const details = await api.scan(model.scan);
      if (this.stopped) return;
      model.details.value = details;
      model.problem.value = "";
      await Promise.all([this.loadDefects(details), this.loadFrames(), this.loadReviews()]);
    } catch (error) {
      if (this.stopped) return;
      model.problem.value = wordsOf(error);
      throw error;
    }
  }

  private async loadNews(): Promise<void> {
    const details = this.model.details.value;
    if (details) await Promise.all([this.loadDefects(details), this.loadFrames()]);
  }

  private async loadDefects(details: ScanDetails): Promise<void> {
    const { model } = this;
    if (details.defects) {
      if (model.table.value.final) return;
      const columns = await api.defects(model.scan);
      if (this.stopped) return;
      model.selected.value = -1;
      model.table.value = DefectTable.ofMap(columns);
      return;
    }
    const shapes = await api.shapes(model.scan, this.shapes.revision);
    if (this.stopped || model.table.value.final) return;
    if (this.shapes.learn(shapes)) model.table.value = this.shapes.table();
  }

  private async loadFrames(): Promise<void> {
    const { frames } = this.model;
    const columns = await api.frames(this.model.scan, frames.revision);
    if (this.stopped) return;
    frames.take(columns);
    this.model.framesTurn.value++;
  }

  private async loadReviews(): Promise<void> {
    const { log, scan } = this.model;
    const reviews = await api.reviews(scan, log.value.newest);
    if (!this.stopped) log.value = log.value.with(reviews);
  }

  private hear(event: HostEvent): void {
    if (event.kind === "reset") {
      this.picture?.reset();
      this.all.ask();
      return;
    }
    if (event.scan !== this.model.scan) return;
    switch (event.kind) {
      case "tiles":
        this.picture?.refresh(event.data.tiles);
        break;
      case "frames":
        this.news.ask();
        break;
      case "review":
        this.model.log.value = this.model.log.value.with([event.data as unknown as Review]);
        break;
      case "scan":
      case "map":
      case "ended":
        this.all.ask();
        break;
      case "progress":
        break;
    }
  }
}

/** The shapes of a running scan, as they come. */
class ShapeList {
  revision = 0;
  private readonly parts: ShapeColumns[] = [];

  /** Whether something was new. */
  learn(shapes: ShapeColumns): boolean {
    if (shapes.revision <= this.revision) return false;
    this.revision = shapes.revision;
    if (!shapes.kind.length) return false;
    this.parts.push(shapes);
    return true;
  }

  table(): DefectTable {
    const { parts } = this;
    return DefectTable.ofShapes({
      points: joined(Float32Array, parts.map((part) => part.points)),
      counts: joined(Int32Array, parts.map((part) => part.counts)),
      kind: joined(Uint8Array, parts.map((part) => part.kind)),
      width_um: joined(Float32Array, parts.map((part) => part.width_um)),
      contrast: joined(Float32Array, parts.map((part) => part.contrast)),
    });
  }
}

function joined<Column extends Float32Array | Int32Array | Uint8Array>(
  make: new (length: number) => Column,
  columns: Column[],
): Column {
  const all = new make(columns.reduce((sum, column) => sum + column.length, 0));
  let at = 0;
  for (const column of columns) {
    all.set(column, at);
    at += column.length;
  }
  return all;
}

export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
