/** The tiles of a scan as OpenSeadragon asks for them. */

import OpenSeadragon from "openseadragon";

import { TILE_PX, tileUrl } from "../api";
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

/** A source of the scan's tiles; ``failed`` is told of tiles that could not be had. */
export function sourceOf(
  scan: string,
  size: PictureSize,
  index: TileIndex,
  failed: (level: number, x: number, y: number) => void,
): OpenSeadragon.TileSource {
  const { widthPx, heightPx, levels } = size;
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
  source.tileExists = (level, x, y) => inGrid(level, x, y) && index.mayHave(ours(level), x, y);
  source.getTileUrl = (level, x, y) =>
    urlOf(scan, ours(level), x, y, index.revision(ours(level), x, y));
  source.getTileHashKey = (_level, _x, _y, url) => url;
  source.getTileBounds = (level, x, y, isSource) => {
    const [left, top, width, height] = tileBox(size, ours(level), x, y);
    if (isSource) {
      const grown = 2 ** ours(level);
      return new OpenSeadragon.Rect(0, 0, width / grown, height / grown);
    }
    return new OpenSeadragon.Rect(
      left / widthPx,
      top / widthPx,
      width / widthPx,
      height / widthPx,
    );
  };

  source.downloadTileStart = (job) => {
    const ending = new AbortController();
    const { level, x, y } = job.tile;
    job.userData = { ending };
    void load(job.src, ending.signal).then(
      (image) => {
        if (image) job.finish(image, null as never, "context2d");
        else {
          index.miss(ours(level), x, y);
          job.fail(NO_TILE, null as never);
        }
      },
      (error: unknown) => {
        if (ending.signal.aborted) return;
        failed(ours(level), x, y);
        job.fail(NO_TILE, null as never);
        reporting.warn(`tile ${ours(level)}/${x}/${y}: ${String(error)}`);
      },
    );
  };
  source.downloadTileAbort = (job) =>
    (job.userData as { ending?: AbortController }).ending?.abort();
  return source;
}

/** Where a tile is; the host answers "no content" where there is none. */
export function urlOf(
  scan: string,
  level: number,
  x: number,
  y: number,
  revision: number,
): string {
  return `${tileUrl(scan, level, x, y, revision)}&missing=204`;
}

/** A tile's image; null where there is none. Rejects where the host cannot be asked. */
async function load(url: string, signal: AbortSignal): Promise<CanvasRenderingContext2D | null> {
  const response = await fetch(url, { credentials: "same-origin", signal });
  if (response.status === 204 || response.status === 404) return null;
  if (!response.ok) throw new Error(`the host answered ${response.status}`);
  const image = await createImageBitmap(await response.blob(), { colorSpaceConversion: "none" });
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  context.drawImage(image, 0, 0);
  image.close();
  return context;
}
