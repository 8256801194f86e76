// Arrays as the host sends them: a JSON header that says what follows, then the data, each
// array at a multiple of eight bytes, so that typed arrays look straight into the answer.

const ARRAYS = {
  float32: Float32Array,
  int32: Int32Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
} as const;

interface Header {
  revision: number;
  columns: { name: string; dtype: keyof typeof ARRAYS; length: number }[];
}

const aligned = (bytes: number): number => Math.ceil(bytes / 8) * 8;

/** The header's values and the columns, by name. Throws where the answer is cut short. */
export function decodeColumns<Columns>(answer: ArrayBuffer): Columns {
  const headerBytes = new DataView(answer).getUint32(0, true);
  const text = new TextDecoder().decode(new Uint8Array(answer, 4, headerBytes));
  const { columns, ...rest } = JSON.parse(text) as Header;
  const decoded: Record<string, unknown> = rest;
  let at = aligned(4 + headerBytes);
  for (const { name, dtype, length } of columns) {
    const column = new ARRAYS[dtype](answer, at, length);
    decoded[name] = column;
    at += aligned(column.byteLength);
  }
  return decoded as Columns;
}
