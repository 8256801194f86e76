// Requests to the host that serves this page.

import { signal } from "@preact/signals";
import { decodeColumns } from "./columns";
import type {
  Defect,
  DefectColumns,
  FrameColumns,
  NewReview,
  Performance,
  Review,
  ScanDetails,
  ScanPage,
  ScanState,
  Session,
  ShapeColumns,
} from "./types";

/** The host said no, or nothing; `status` 0 means that it could not be reached. */
export class HostError extends Error {
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail);
  }
}

/** Who this browser is to the host; null until the host has answered. */
export const session = signal<Session | null>(null);

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...init });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new HostError(0, "the host cannot be reached");
  }
  if (response.ok) return response;
  if (response.status === 401 && session.value !== null) {
    session.value = { ...session.value, needed: true, authenticated: false };
  }
  throw new HostError(response.status, await detailOf(response));
}

async function detailOf(response: Response): Promise<string> {
  const fallback = `the host answered ${response.status}`;
  try {
    const { detail } = (await response.json()) as { detail?: unknown };
    return typeof detail === "string" ? detail : fallback;
  } catch {
    return fallback;
  }
}

async function json<Answer>(path: string, init?: RequestInit): Promise<Answer> {
  return (await (await ask(path, init)).json()) as Answer;
}

async function columns<Columns>(path: string, signal?: AbortSignal): Promise<Columns> {
  const response = await ask(path, signal ? { signal } : {});
  return decodeColumns<Columns>(await response.arrayBuffer());
}

function sending(method: string, body: unknown): RequestInit {
  return { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

const of = (scan: string): string => `/api/scans/${encodeURIComponent(scan)}`;

export interface ScanFilter {
  element?: string;
  rig?: string;
  side?: string;
  state?: ScanState | "";
}

export const api = {
  scans(filter: ScanFilter = {}, before: string | null = null, limit = 100): Promise<ScanPage> {
    const query = new URLSearchParams({ limit: String(limit) });
    for (const [name, value] of Object.entries(filter)) if (value) query.set(name, value);
    if (before !== null) query.set("before", before);
    return json(`/api/scans?${query}`);
  },
  scan: (scan: string): Promise<ScanDetails> => json(of(scan)),
  frames: (scan: string, after = 0): Promise<FrameColumns> =>
    columns(`${of(scan)}/frames?after=${after}`),
  shapes: (scan: string, after = 0): Promise<ShapeColumns> =>
    columns(`${of(scan)}/shapes?after=${after}`),
  defects: (scan: string): Promise<DefectColumns> => columns(`${of(scan)}/defects`),
  defect: (scan: string, defect: string): Promise<Defect> =>
    json(`${of(scan)}/defects/${encodeURIComponent(defect)}`),
  areas: (scan: string): Promise<unknown[]> => json(`${of(scan)}/areas`),
  performance: (scan: string): Promise<Performance> => json(`${of(scan)}/performance`),
  async reviews(scan: string, after = 0): Promise<Review[]> {
    return (await json<{ reviews: Review[] }>(`${of(scan)}/reviews?after=${after}`)).reviews;
  },
  review: (scan: string, review: NewReview): Promise<Review> =>
    json(`${of(scan)}/reviews`, sending("POST", review)),

  async session(): Promise<Session> {
    return (session.value = await json<Session>("/api/session"));
  },
  async logIn(token: string, name: string): Promise<void> {
    session.value = await json<Session>("/api/session", sending("POST", { token, name }));
  },
  async logOut(): Promise<void> {
    session.value = await json<Session>("/api/session", { method: "DELETE" });
  },
};

/** Where a tile's image is. Revision 0: the one of now, or no content where there is none. */
export const tileUrl = (scan: string, level: number, x: number, y: number, revision: number): string =>
  `${of(scan)}/tiles/${level}/${x}/${y}?${revision ? `r=${revision}&` : ""}missing=204`;

export const pictureUrl = (
  scan: string,
  defect: string,
  view: "raw" | "equalized" | "attention",
): string => `${of(scan)}/defects/${encodeURIComponent(defect)}/picture?view=${view}`;

export const downloadUrl = (scan: string, document: "map" | "trace" | "run"): string =>
  `${of(scan)}/${document}`;
