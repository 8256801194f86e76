/** Links to a place: the part of the page's address behind ``#``.
 *
 * ``x`` and ``y`` are the middle of the screen in mm, ``z`` is screen pixels in a millimetre,
 * ``d`` is the selected defect.
 */

export interface Place {
  readonly x: number;
  readonly y: number;
  /** Screen pixels in a millimetre. */
  readonly z: number;
}

export interface Linked {
  readonly place: Place | null;
  /** The selected defect's id, as D0001. */
  readonly defect: string | null;
}

const DEFECT = /^D\d{4,9}$/;

/** What an address points to; what cannot be read is as if it were not there. */
export function readLink(hash: string): Linked {
  const fields = new URLSearchParams(hash.replace(/^#/, ""));
  const [x, y, z] = ["x", "y", "z"].map((name) => {
    const text = fields.get(name);
    return text === null || text.trim() === "" ? NaN : Number(text);
  }) as [number, number, number];
  const good = [x, y, z].every(Number.isFinite) && z > 0;
  const defect = fields.get("d");
  return {
    place: good ? { x, y, z } : null,
    defect: defect !== null && DEFECT.test(defect) ? defect : null,
  };
}

export function writeLink({ place, defect }: Linked): string {
  const parts: string[] = [];
  if (place) {
    parts.push(`x=${rounded(place.x)}`, `y=${rounded(place.y)}`, `z=${rounded(place.z)}`);
  }
  if (defect) parts.push(`d=${defect}`);
  return parts.length ? `#${parts.join("&")}` : "";
}

function rounded(value: number): string {
  return String(Number(value.toPrecision(7)));
}
