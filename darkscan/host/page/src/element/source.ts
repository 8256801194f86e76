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
  /** Rises with each asking, so that an answer that comes late is left. */
  asked: number;
}

export class TileLoader {
  readonly source: OpenSeadragon.TileSource;
  private readonly held = new Map<string, Held>();

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
    context.drawImage(image, 0, 0);
    image.close();
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
    const held: Held = { tile: job.tile, context: null, asked: 0 };
    this.held.set(keyOf(level, x, y), held);
    const revision = this.index.revision(level, x, y);
    try {
      const image = await load(tileUrl(this.scan, level, x, y, revision), ending.signal);
      if (image) {
        held.context = painted(image);
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

function painted(image: ImageBitmap): CanvasRenderingContext2D {
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  context.drawImage(image, 0, 0);
  image.close();
  return context;
}
