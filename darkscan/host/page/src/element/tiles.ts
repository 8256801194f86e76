/** Which tiles of a scan's picture there are, in which revision, and where they lie.
 *
 * Levels are the host's: 0 is the finest, each above has half of it. OpenSeadragon counts them
 * the other way round.
 */

import { TILE_PX, type TileRevision } from "../api/types";

export interface PictureSize {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly pitchUm: number;
  readonly levels: number;
}

/** How many levels a picture of this size has: the last one is a single tile. */
export function levelsOf(widthPx: number, heightPx: number): number {
  let levels = 1;
  for (let side = Math.max(widthPx, heightPx); side > TILE_PX; side = Math.ceil(side / 2)) levels++;
  return levels;
}

/** The size of a level's image, pixels. */
export function levelSize({ widthPx, heightPx }: PictureSize, level: number): [number, number] {
  return [Math.ceil(widthPx / 2 ** level), Math.ceil(heightPx / 2 ** level)];
}

/** The place of a tile in pixels of level 0: x, y, width, height. */
export function tileBox(
  size: PictureSize,
  level: number,
  x: number,
  y: number,
): [number, number, number, number] {
  const [width, height] = levelSize(size, level);
  const grown = 2 ** level;
  const across = Math.min(TILE_PX, width - x * TILE_PX);
  const down = Math.min(TILE_PX, height - y * TILE_PX);
  return [x * TILE_PX * grown, y * TILE_PX * grown, across * grown, down * grown];
}

/** What is known of a scan's tiles: the newest revisions that events told of, and which tiles
 * the host was asked for and had not. */
export class TileIndex {
  private readonly revisions = new Map<string, number>();
  private readonly missing = new Set<string>();

  /** ``any``: whether there is a picture at all. */
  constructor(private readonly any: boolean) {}

  /** Takes note of tiles; returns those that are new or newer than known. */
  learn(tiles: Iterable<TileRevision>): TileRevision[] {
    const fresh: TileRevision[] = [];
    for (const tile of tiles) {
      const key = keyOf(tile[0], tile[1], tile[2]);
      if (this.revision(tile[0], tile[1], tile[2]) >= tile[3]) continue;
      this.revisions.set(key, tile[3]);
      this.missing.delete(key);
      fresh.push(tile);
    }
    return fresh;
  }

  /** Takes note that the host has no such tile, until an event tells of it.
   *
   * ``asked``: the revision that was known when the host was asked; an event that came
   * meanwhile knows better.
   */
  miss(level: number, x: number, y: number, asked: number): void {
    if (this.revision(level, x, y) === asked) this.missing.add(keyOf(level, x, y));
  }

  /** Whether the host is worth asking for a tile. */
  mayHave(level: number, x: number, y: number): boolean {
    return this.any && !this.missing.has(keyOf(level, x, y));
  }

  /** The tile's newest revision; 0: none was told of. */
  revision(level: number, x: number, y: number): number {
    return this.revisions.get(keyOf(level, x, y)) ?? 0;
  }

  /** Forgets all that was learnt: events may have been missed. */
  forget(): void {
    this.revisions.clear();
    this.missing.clear();
  }
}

function keyOf(level: number, x: number, y: number): string {
  return `${level}/${x}/${y}`;
}
