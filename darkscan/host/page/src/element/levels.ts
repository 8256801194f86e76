/** The picture's grey levels, and how they are shown.
 *
 * Tiles hold ``255 * asinh(level / softening) / asinh(full_scale / softening)`` of the camera's
 * levels; 0 is "not seen". What the screen shows of them is a table of 256 entries, applied to
 * the picture's canvas by an SVG filter: a change of contrast touches no tile, and costs a few
 * milliseconds a frame even without a GPU.
 */

export interface Levels {
  readonly softening: number;
  readonly fullScale: number;
}

export interface Contrast {
  /** 0: linear in the camera's levels (raw); 1: as the tiles hold them (stretched). */
  readonly stretch: number;
  /** The grey levels of a tile, 0 to 255, that are shown black and white. */
  readonly black: number;
  readonly white: number;
}

export const AS_STORED: Contrast = { stretch: 1, black: 0, white: 255 };
export const RAW: Contrast = { stretch: 0, black: 0, white: 255 };

/** The camera's level of a tile's grey level, inverse of the table that the tile was made with. */
export function cameraLevel(grey: number, { softening, fullScale }: Levels): number {
  return softening * Math.sinh((grey / 255) * Math.asinh(fullScale / softening));
}

/** The softening that a stretch shows with: at 1 the tiles' own, towards 0 so large that the
 * table is linear. */
function shownSoftening(stretch: number, { softening, fullScale }: Levels): number {
  const linear = 30 * fullScale;
  return softening * (linear / softening) ** (1 - stretch);
}

/** What each of a tile's 256 grey levels is shown as, from 0 (black) to 1 (white). */
export function shownTable(contrast: Contrast, levels: Levels): Float64Array {
  const softening = shownSoftening(contrast.stretch, levels);
  const curve = (grey: number): number => Math.asinh(cameraLevel(grey, levels) / softening);
  const low = curve(contrast.black);
  const high = Math.max(curve(contrast.white), low + 1e-12);
  return Float64Array.from({ length: 256 }, (_, grey) =>
    Math.min(1, Math.max(0, (curve(grey) - low) / (high - low))),
  );
}

/** Whether the table changes nothing, so that no filter is needed. */
export function changesNothing(contrast: Contrast): boolean {
  return contrast.stretch === 1 && contrast.black === 0 && contrast.white === 255;
}

/** The black and white points that suit pixels: just under the background, and well above it.
 *
 * ``greys``: grey levels as the tiles hold them; zeros, not seen, do not count. Returns the
 * contrast as it was where fewer than 100 pixels were seen.
 */
export function suited(greys: Uint8Array, now: Contrast): Contrast {
  const counts = new Uint32Array(256);
  for (const grey of greys) counts[grey]!++;
  const seen = greys.length - counts[0]!;
  if (seen < 100) return now;
  const quantile = (part: number): number => {
    let sum = 0;
    for (let grey = 1; grey < 256; grey++) {
      sum += counts[grey]!;
      if (sum >= part * seen) return grey;
    }
    return 255;
  };
  const background = quantile(0.5);
  const spread = Math.max(2, background - quantile(0.16));
  const white = Math.max(quantile(0.9995), background + 8 * spread);
  return {
    stretch: now.stretch,
    black: Math.max(0, Math.round(background - 1.5 * spread)),
    white: Math.min(255, Math.round(white)),
  };
}
