/** What the element's view knows and shows of a scan. */

import { computed, signal } from "@preact/signals";

import type { Defect, NotInspectedArea, ScanDetails } from "../api";
import { FrameTable } from "../live/frames";
import { DefectTable } from "./defects";
import {
  EVERYTHING,
  counted,
  listed,
  ordered,
  shownRows,
  type Filter,
  type Order,
} from "./filters";
import { frameSize, framesNotInspected, framesToCome } from "./frames";
import type { Box, Point, View } from "./geometry";
import { AS_STORED, type Contrast } from "./levels";
import type { Ends } from "./measure";
import { ReviewLog, reviewedOf } from "./review";
import { levelsOf, type PictureSize } from "./tiles";

/** One of the model's areas, as far as it is drawn. */
export interface Area {
  readonly id: string;
  readonly contour: Point[][];
}

export interface Layers {
  readonly defects: boolean;
  readonly notInspected: boolean;
  readonly areas: boolean;
}

/** All signals of a view; ``follow.ts`` fills them, components read them. */
export class Model {
  constructor(readonly scan: string) {}

  // What the host keeps
  readonly details = signal<ScanDetails | null>(null);
  /** Why the scan cannot be shown. */
  readonly problem = signal("");
  readonly table = signal(DefectTable.none());
  readonly frames = new FrameTable();
  /** Rises when frames have come. */
  readonly framesTurn = signal(0);
  readonly areas = signal<readonly Area[]>([]);
  readonly log = signal(ReviewLog.empty);

  // What the person wants to see
  readonly filter = signal<Filter>(EVERYTHING);
  readonly order = signal<Order>("length");
  readonly layers = signal<Layers>({ defects: true, notInspected: true, areas: false });
  readonly contrast = signal<Contrast>(AS_STORED);
  /** Whether black and white follow what the picture shows. */
  readonly suiting = signal(true);
  /** The row that is selected; -1: none. */
  readonly selected = signal(-1);
  /** Its defect, whole; null until the host has answered. */
  readonly defect = signal<Defect | null>(null);
  readonly measuring = signal(false);
  readonly ends = signal<Ends>([]);

  /** The newest known revision of the picture's topmost tile, which shows the whole element. */
  readonly topRevision = signal(0);

  // What the picture shows now
  readonly view = signal<View | null>(null);
  /** The place under the pointer. */
  readonly pointer = signal<Point | null>(null);
  /** The row under the pointer; -1: none. */
  readonly hovered = signal(-1);

  readonly running = computed(() => {
    const state = this.details.value?.state;
    return state === "running" || state === "silent";
  });

  readonly reviewed = computed(() => this.log.value.over(this.table.value));
  readonly shown = computed(() =>
    shownRows(this.table.value, this.filter.value, this.reviewed.value),
  );
  private readonly all = computed(() => ordered(this.table.value, this.order.value));
  /** The rows that are shown, in the chosen order. */
  readonly list = computed(() => listed(this.all.value, this.shown.value));
  readonly counts = computed(() => counted(this.reviewed.value, this.shown.value));
  readonly progress = computed(() => reviewedOf(this.reviewed.value, this.shown.value));

  readonly frameSize = computed(() => frameSize(this.details.value));

  /** The parts of the element that were not inspected. */
  readonly notInspected = computed<readonly NotInspectedArea[]>(() => {
    void this.framesTurn.value;
    const known = this.details.value?.not_inspected ?? [];
    return known.length ? known : framesNotInspected(this.frames, this.frameSize.value);
  });

  /** Where a running scan has still to go. */
  readonly toCome = computed<readonly Box[]>(() => {
    void this.framesTurn.value;
    return this.running.value ? framesToCome(this.frames, this.frameSize.value) : [];
  });

  /** The selected defect's id; null: none. */
  readonly selectedId = computed(() => {
    const { table, selected } = this;
    return selected.value >= 0 && table.value.final ? table.value.id(selected.value) : null;
  });

  /** The picture's size; that of the element where the scan has no picture. */
  static sizeOf(details: ScanDetails): PictureSize {
    const { picture, size_mm: sizeMm, pitch_um: pitchUm } = details;
    if (picture) {
      const { width_px: widthPx, height_px: heightPx, levels } = picture;
      return { widthPx, heightPx, levels, pitchUm: picture.pitch_um };
    }
    const [widthPx, heightPx] = sizeMm.map((mm) => Math.max(1, Math.round((mm * 1000) / pitchUm)));
    return { widthPx: widthPx!, heightPx: heightPx!, pitchUm, levels: levelsOf(widthPx!, heightPx!) };
  }

  /** The whole element. */
  get elementBox(): Box {
    const [width, height] = this.details.value?.size_mm ?? [1, 1];
    return [0, 0, width, height];
  }
}
