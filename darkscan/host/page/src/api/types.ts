// What the host answers, as its HTTP interface says (/api/openapi.json).

export const DEFECT_KINDS = ["scratch", "fibre", "dig", "dust"] as const;
export type DefectKind = (typeof DEFECT_KINDS)[number];

/** The ends of a frame, in the order of their codes in the columns of frames. */
export const OUTCOMES = ["mapped", "quarantined", "lost"] as const;
export const NOT_YET = 255;

export type ScanState =
  | "running"
  | "silent"
  | "complete"
  | "incomplete"
  | "failed"
  | "aborted"
  | "died";

export type NotInspectedKind =
  | "lost"
  | "quarantined"
  | "no_score"
  | "never_scanned"
  | "outside_region";

export type Verdict = "confirmed" | "rejected" | "open";

/** x and y on the element, mm; the origin is its top left corner. */
export type Point = [number, number];
/** x, y, width, height, mm. */
export type Box = [number, number, number, number];

export interface ScanSummary {
  id: string;
  element: string;
  side: string;
  rig: string;
  origin: "run" | "replay" | "sent";
  /** ISO 8601, UTC. */
  began: string;
  ended: string | null;
  state: ScanState;
  reason: string;
  frames: { planned: number; mapped: number; quarantined: number; lost: number };
  defects: Record<DefectKind, number> | null;
  /** Of all scratches. */
  length_mm: number | null;
  inspected_fraction: number | null;
  /** How many defects have a verdict. */
  reviewed: number;
}

export interface ScanPage {
  scans: ScanSummary[];
  next: string | null;
}

/** Level 0 has pixels of `pitch_um`; each level above halves the one before. */
export interface Picture {
  width_px: number;
  height_px: number;
  pitch_um: number;
  levels: number;
  /** The finest level that a rig sends of the whole element. */
  finest: number;
  softening: number;
  full_scale: number;
  /** How many tiles are kept. */
  tiles: number;
}

export const TILE_PX = 512;

export interface StageHealth {
  stage: string;
  index: number;
  frames: number;
  windows: number;
  queue: number;
  restarts: number;
  doing: string;
  /** Median and 99th percentile of its latest frames. */
  waiting_ms: [number, number] | null;
  working_ms: [number, number] | null;
}

export interface Progress {
  at: string;
  sums: {
    captured: number;
    mapped: number;
    quarantined: number;
    lost: number;
    in_flight: number;
  } | null;
  frames_per_s: number;
  windows_per_s: number;
  left_s: number | null;
  doing: string;
  stopping: boolean;
  held: boolean;
  /** Stages that are no more, and why. */
  ended_early: Record<string, string>;
  stages: StageHealth[];
  parcels_waiting: number;
  tiles_dropped: number;
}

export interface HeardProgress extends Progress {
  heard_s_ago: number;
}

/** How much was inspected. */
export interface Coverage {
  complete: boolean;
  element_area_mm2: number;
  region_area_mm2: number;
  inspected_area_mm2: number;
  inspected_fraction: number;
  inspected_element_fraction: number;
  cell_mm: number;
}

export interface NotInspectedArea {
  kind: NotInspectedKind;
  reason: string;
  /** Outlines, then holes, of points. */
  rings: Point[][];
  area_mm2: number;
}

export interface ScanDetails extends ScanSummary {
  size_mm: [number, number];
  region_mm: Box;
  pitch_um: number;
  recipe: string;
  recipe_hash: string;
  model: string;
  model_hash: string;
  threshold: number;
  calibration: string;
  /** Height, width, pixels. */
  frame_shape: [number, number] | null;
  /** Millimetres on the element for a pixel to the right (xx, yx) and down (xy, yy). */
  pixel_to_stage: { xx: number; xy: number; yx: number; yy: number } | null;
  picture: Picture | null;
  /** From the map, when there is one. */
  not_inspected: NotInspectedArea[];
  totals: Record<string, unknown> | null;
  coverage: Coverage | null;
  progress: HeardProgress | null;
  reads_recording: boolean;
  frames_not_pictured: number;
  tiles_dropped: number;
  /** When a rule of retention removed what is no longer kept. */
  removed: { tiles: string | null; map: string | null };
}

/** Frames that changed since a revision; `number` names each for ever. */
export interface FrameColumns {
  revision: number;
  reasons: string[];
  number: Int32Array;
  x_mm: Float32Array;
  y_mm: Float32Array;
  strip: Int32Array;
  /** Places in OUTCOMES, or NOT_YET. */
  outcome: Uint8Array;
  /** Places in `reasons`. */
  reason: Uint16Array;
  positives: Int32Array;
}

/** Lines and spots as they were traced frame by frame, since a revision. */
export interface ShapeColumns {
  revision: number;
  /** x and y in turn, mm. */
  points: Float32Array;
  counts: Int32Array;
  frame: Int32Array;
  kind: Uint8Array;
  width_um: Float32Array;
  contrast: Float32Array;
}

/** All defects of a map. */
export interface DefectColumns {
  revision: number;
  /** Of the map. */
  sha256: string;
  /** 1 is D0001. */
  number: Int32Array;
  kind: Uint8Array;
  probability: Float32Array;
  length_mm: Float32Array;
  width_um: Float32Array;
  contrast: Float32Array;
  x_mm: Float32Array;
  y_mm: Float32Array;
  /** Four values each: x, y, width, height, mm. */
  box: Float32Array;
  points: Float32Array;
  counts: Int32Array;
  /** -1: none. */
  area: Int32Array;
}

export interface Review {
  number: number;
  defect: string;
  verdict: Verdict;
  kind: DefectKind | null;
  comment: string;
  name: string;
  at: string;
  hash: string;
}

export interface NewReview {
  defect: string;
  verdict: Verdict;
  kind: DefectKind | null;
  comment: string;
  name: string;
}

/** A defect as the map has it, whole. */
export interface Defect {
  id: string;
  kind: DefectKind;
  probability: number | null;
  centreline: Point[];
  length_mm: number;
  width_um: number;
  width_max_um: number | null;
  width_uncertainty_um: number | null;
  brightness_um: number | null;
  brightness_um2: number | null;
  contrast: number;
  saturated: number | null;
  outline: Point[];
  box_mm: Box;
  extent_mm: [number, number];
  orientation_deg: number;
  centroid_mm: Point;
  frames: number[];
  views: number;
  area: string | null;
  touches_region_border: boolean;
  touches_not_inspected: boolean;
  grade: null;
  grade_reason: string;
  reviews: Review[];
  /** Where the rig's axes have it in the middle of the camera's frame; null: not known. */
  stage_mm: Point | null;
  /** What its picture shows, and where its pixels come from; null: they cannot be had. */
  picture: { box_mm: Box; source: "recording" | "tiles" | null };
}

export interface Histogram {
  /** One more than `counts`. */
  edges_ms: number[];
  counts: number[];
  p50: number;
  p99: number;
  max: number;
}

export interface StageTimings {
  stage: string;
  workers: number;
  frames: number;
  /** Of its workers' time, 0 to 1. */
  utilization: number;
  waiting: Histogram;
  working: Histogram;
}

export interface Performance {
  stages: StageTimings[];
  bottleneck: string | null;
}

export interface Session {
  needed: boolean;
  authenticated: boolean;
  name: string;
}

/** Level, column, row, revision. */
export type TileRevision = [number, number, number, number];

/** What the host tells of a scan as it happens. */
export type HostEvent =
  | { kind: "scan" | "map" | "ended"; scan: string; data: ScanSummary }
  | { kind: "frames"; scan: string; data: { revision: number; frames: ScanSummary["frames"] } }
  | { kind: "progress"; scan: string; data: HeardProgress }
  | { kind: "review"; scan: string; data: Review }
  | { kind: "tiles"; scan: string; data: { tiles: TileRevision[] } }
  | { kind: "reset" };
