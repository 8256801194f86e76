/** The tiles of a scan as OpenSeadragon asks for them, each on a canvas of ours.
 *
 * A later revision of a tile is painted onto the canvas that OpenSeadragon has already: nothing
 * flickers, and none of its private fields is touched.
 */

import OpenSeadragon from "openseadragon";

import { TILE_PX, tileUrl, type TileRevision } from "../api";
import { tileBox, type PictureSize, type TileIndex } from "./tiles";

/** Why a tile is not there although nothing failed. */
const NO_TILE = "no such tile";

/** OpenSeadragon reports every tile that it does not get as an error on the console. A tile that
 * was never sent is none: the level above is shown instead. */
const { console: reporting } = OpenSeadragon as unknown as { console: Console };
(OpenSeadragon as unknown as { console: Console }).console = Object.assign(
  Object.create(reporting) as Console,
  {
    error: (...words: unknown[]): void => {
      if (words.at(-1) !== NO_TILE) reporting.error(...words);
    },
  },
);

/** A tile that OpenSeadragon has asked for. */
interface Held {
  readonly tile: OpenSeadragon.Tile;
  /** Its canvas; null: it has not come, or there is none. */
  context: CanvasRenderingContext2D | null;
  /** Its grey levels, as the host has them. */
  greys: Uint8Array;
  /** The table that its canvas was painted by. */
  table: Uint32Array | null;
  /** When it was last drawn, ms. */
  drawnAt: number;
  /** Rises with each asking, so that an answer that comes late is left. */
  asked: number;
}

const NOTHING = new Uint8Array(0);
/** Every so many-th pixel tells what a picture's grey levels are like. */
const SAMPLE_STEP = 17;
/** Tiles that were drawn within this time are of one picture, ms. */
const ONE_PICTURE_MS = 60;

export class TileLoader {
  readonly source: OpenSeadragon.TileSource;
  private readonly held = new Map<string, Held>();
  private table = pixelsOf(Float64Array.from({ length: 256 }, (_, grey) => grey / 255));

  /** ``changed``: is told when a canvas was painted anew, or a missing tile may have come. */
  constructor(
    private readonly scan: string,
    private readonly size: PictureSize,
    private readonly index: TileIndex,
    private readonly changed: () => void,
  ) {
    this.source = this.makeSource();
  }

  /** Takes note of tiles that there are in a later revision, and shows them. */
  async renew(tiles: readonly TileRevision[]): Promise<void> {
    const held = this.index
      .learn(tiles)
      .map(([level, x, y]) => this.held.get(keyOf(level, x, y)))
      .filter((each) => each !== undefined);
    await Promise.all(held.map((each) => this.repaint(each)));
  }

  /** Asks again for all tiles that are held: for when events were missed. */
  async renewAll(): Promise<void> {
    this.index.forget();
    await Promise.all([...this.held.values()].map((held) => this.repaint(held)));
  }

  /** Shows each of the 256 grey levels as given, 0 to 1. */
  showBy(shown: Float64Array): void {
    this.table = pixelsOf(shown);
    this.changed();
  }

  /** Sees to it that a tile that is about to be drawn is painted by the table of now. */
  freshen(tile: OpenSeadragon.Tile): void {
    const held = this.held.get(keyOf(...this.placeOf(tile)));
    if (!held) return;
    held.drawnAt = performance.now();
    if (held.context && held.table !== this.table) this.paint(held);
  }

  /** Grey levels of the tiles that were drawn last, some of them. */
  sample(): Uint8Array {
    const latest = Math.max(0, ...[...this.held.values()].map((held) => held.drawnAt));
    const greys: number[] = [];
    for (const held of this.held.values()) {
      if (held.drawnAt < latest - ONE_PICTURE_MS) continue;
      for (let at = 0; at < held.greys.length; at += SAMPLE_STEP) greys.push(held.greys[at]!);
    }
    return Uint8Array.from(greys);
  }

  private paint(held: Held): void {
    const { context, greys } = held;
    if (!context) return;
    const { table } = this;
    const image = context.createImageData(context.canvas.width, context.canvas.height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let at = 0; at < greys.length; at++) pixels[at] = table[greys[at]!]!;
    context.putImageData(image, 0, 0);
    held.table = table;
  }

  /** Asks again for the tiles that could not be had. */
  retry(): void {
    for (const held of this.held.values()) {
      const [level, x, y] = this.placeOf(held.tile);
      if (!held.tile.exists && this.index.mayHave(level, x, y)) held.tile.exists = true;
    }
    this.changed();
  }

  /** OpenSeadragon has let a tile go. */
  forget(tile: OpenSeadragon.Tile): void {
    const key = keyOf(...this.placeOf(tile));
    if (this.held.get(key)?.tile === tile) this.held.delete(key);
  }

  private async repaint(held: Held): Promise<void> {
    const { context, tile } = held;
    const [level, x, y] = this.placeOf(tile);
    if (!context) {
      // It was missing, or is on its way. OpenSeadragon asks for it again if it is in sight.
      tile.exists = this.index.mayHave(level, x, y);
      this.changed();
      return;
    }
    const asked = ++held.asked;
    const revision = this.index.revision(level, x, y);
    const image = await load(tileUrl(this.scan, level, x, y, revision)).catch(() => null);
    if (!image || asked < held.asked) return;
    held.greys = greysOf(image);
    this.paint(held);
    this.changed();
  }

  /** The host's level, column and row: OpenSeadragon counts levels from the coarsest on. */
  private placeOf({ level, x, y }: OpenSeadragon.Tile): [number, number, number] {
    return [this.size.levels - 1 - level, x, y];
  }

  private makeSource(): OpenSeadragon.TileSource {
    const { widthPx, heightPx, levels } = this.size;
    const source = new OpenSeadragon.TileSource({
      width: widthPx,
      height: heightPx,
      tileSize: TILE_PX,
      tileOverlap: 0,
      minLevel: 0,
      maxLevel: levels - 1,
    } as OpenSeadragon.TileSourceOptions);
    const ours = (level: number): number => levels - 1 - level;
    const inGrid = source.tileExists.bind(source);
    source.tileExists = (level, x, y) =>
      inGrid(level, x, y) && this.index.mayHave(ours(level), x, y);
    source.getTileUrl = keyOf;
    source.getTileHashKey = (_level, _x, _y, url) => url;
    source.getTileBounds = (level, x, y, isSource) => {
      const [left, top, width, height] = tileBox(this.size, ours(level), x, y);
      const unit = isSource ? 2 ** ours(level) : widthPx;
      const corner = isSource ? [0, 0] : [left / unit, top / unit];
      return new OpenSeadragon.Rect(corner[0], corner[1], width / unit, height / unit);
    };
    source.downloadTileStart = (job) => void this.answer(job);
    source.downloadTileAbort = (job) => (job.userData as { ending?: AbortController }).ending?.abort();
    return source;
  }

  private async answer(job: OpenSeadragon.ImageJob): Promise<void> {
    const ending = new AbortController();
    job.userData = { ending };
    const [level, x, y] = this.placeOf(job.tile);
    const held: Held = { tile: job.tile, context: null, greys: NOTHING, table: null, drawnAt: 0, asked: 0 };
    this.held.set(keyOf(level, x, y), held);
    const revision = this.index.revision(level, x, y);
    try {
      const image = await load(tileUrl(this.scan, level, x, y, revision), ending.signal);
      if (image) {
        held.context = canvasOf(image);
        held.greys = greysOf(image);
        this.paint(held);
        job.finish(held.context, null as never, "context2d");
        // A later revision may have come meanwhile.
        if (this.index.revision(level, x, y) > revision) await this.repaint(held);
        return;
      }
      this.index.miss(level, x, y, revision);
    } catch (error) {
      if (ending.signal.aborted) return;
      reporting.warn(`tile ${level}/${x}/${y}: ${String(error)}`);
    }
    job.fail(NO_TILE, null as never);
  }
}

function keyOf(level: number, x: number, y: number): string {
  return `${level}/${x}/${y}`;
}

/** A tile's image; null where there is none. Rejects where the host cannot be asked. */
async function load(url: string, signal?: AbortSignal): Promise<ImageBitmap | null> {
  const response = await fetch(url, { credentials: "same-origin", ...(signal && { signal }) });
  if (response.status === 204 || response.status === 404) return null;
  if (!response.ok) throw new Error(`the host answered ${response.status}`);
  return createImageBitmap(await response.blob(), { colorSpaceConversion: "none" });
}

/** A canvas of an image's size. */
function canvasOf(image: ImageBitmap): CanvasRenderingContext2D {
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  return canvas.getContext("2d", { willReadFrequently: true })!;
}

/** The grey levels of an image, row by row; it is closed. */
function greysOf(image: ImageBitmap): Uint8Array {
  const context = canvasOf(image);
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  image.close();
  const greys = new Uint8Array(data.length / 4);
  for (let at = 0; at < greys.length; at++) greys[at] = data[4 * at]!;
  return greys;
}

/** Opaque grey pixels, as a canvas holds them, of levels from 0 to 1. */
function pixelsOf(shown: Float64Array): Uint32Array {
  return Uint32Array.from(shown, (level) => {
    const grey = Math.round(255 * level);
    return (0xff000000 | (grey << 16) | (grey << 8) | grey) >>> 0;
  });
}
