// The picture of a scan on a canvas: tiles of one fitting level, each drawn when it comes.

import { TILE_PX, tileUrl, type Picture, type TileRevision } from "../api";

const AT_ONCE = 4;

/** The coarsest level that still has a pixel for about each one of the canvas. */
export function fittingLevel(picture: Picture, canvasWidth: number): number {
  const level = Math.floor(Math.log2((picture.width_px / canvasWidth) * 1.15));
  return Math.min(picture.levels - 1, Math.max(picture.finest, level, 0));
}

export class PicturePainter {
  #wanted = new Map<string, TileRevision>();
  #drawn = new Map<string, number>();
  #running = 0;
  #stopped = false;
  readonly level: number;

  constructor(
    private readonly context: CanvasRenderingContext2D,
    private readonly scan: string,
    private readonly picture: Picture,
    private readonly perMm: number,
  ) {
    this.level = fittingLevel(picture, context.canvas.width);
  }

  /** Draws all tiles of the level that are kept. */
  drawAll(): void {
    const along = (pixels: number): number => Math.ceil(pixels / 2 ** this.level / TILE_PX);
    const tiles: TileRevision[] = [];
    for (let y = 0; y < along(this.picture.height_px); y++) {
      for (let x = 0; x < along(this.picture.width_px); x++) tiles.push([this.level, x, y, 0]);
    }
    this.want(tiles);
  }

  /** Draws tiles in a newer revision, if they are of this level. */
  want(tiles: readonly TileRevision[]): void {
    for (const tile of tiles) {
      const [level, x, y, revision] = tile;
      const place = `${x} ${y}`;
      if (level === this.level && revision > (this.#drawn.get(place) ?? -1)) this.#wanted.set(place, tile);
    }
    while (this.#running < AT_ONCE && this.#wanted.size > 0) void this.#next();
  }

  stop(): void {
    this.#stopped = true;
  }

  async #next(): Promise<void> {
    const [place, tile] = this.#wanted.entries().next().value!;
    this.#wanted.delete(place);
    this.#running++;
    const image = await this.#load(tile);
    this.#running--;
    if (this.#stopped) return;
    if (image && tile[3] > (this.#drawn.get(place) ?? -1)) {
      this.#drawn.set(place, tile[3]);
      this.#draw(image, tile);
    }
    this.want([]);
  }

  async #load([level, x, y, revision]: TileRevision): Promise<HTMLImageElement | null> {
    const image = new Image();
    image.src = tileUrl(this.scan, level, x, y, revision);
    // A tile that cannot be had leaves its place dark; its next revision is tried anew.
    return image.decode().then(
      () => image,
      () => null,
    );
  }

  #draw(image: HTMLImageElement, [level, x, y]: TileRevision): void {
    const perPixel = (this.perMm * this.picture.pitch_um * 2 ** level) / 1000;
    const edge = (tile: number, pixels: number): number => Math.round((tile * TILE_PX + pixels) * perPixel);
    const left = edge(x, 0);
    const top = edge(y, 0);
    const { naturalWidth, naturalHeight } = image;
    this.context.drawImage(image, left, top, edge(x, naturalWidth) - left, edge(y, naturalHeight) - top);
  }
}
