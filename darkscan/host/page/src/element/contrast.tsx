// The picture's contrast: a table of grey levels that the browser applies to the whole picture.

import { useComputed, useSignalEffect } from "@preact/signals";
import { AS_STORED, RAW, changesNothing, shownTable, suited, type Contrast, type Levels } from "./levels";
import type { Model } from "./model";

const FILTER = "darkscan-contrast";

export function levelsOf(model: Model): Levels | null {
  const picture = model.details.value?.picture;
  return picture ? { softening: picture.softening, fullScale: picture.full_scale } : null;
}

/** The filter itself; puts it on the picture. */
export function ContrastFilter({ model }: { model: Model }) {
  const table = useComputed(() => {
    const levels = levelsOf(model);
    const contrast = model.contrast.value;
    if (!levels || changesNothing(contrast)) return "";
    return Array.from(shownTable(contrast, levels), (value) => value.toFixed(4)).join(" ");
  });
  useSignalEffect(() => {
    document.documentElement.style.setProperty(
      "--picture-filter",
      table.value ? `url(#${FILTER})` : "none",
    );
  });
  return (
    <svg class="unseen" aria-hidden="true" width="0" height="0">
      <filter id={FILTER} color-interpolation-filters="sRGB" x="0" y="0" width="100%" height="100%">
        <feComponentTransfer>
          <feFuncR type="table" tableValues={table.value || "0 1"} />
          <feFuncG type="table" tableValues={table.value || "0 1"} />
          <feFuncB type="table" tableValues={table.value || "0 1"} />
        </feComponentTransfer>
      </filter>
    </svg>
  );
}

/** The samples that a view's contrast is chosen by, each way. */
const SAMPLES = 256;

/** Sets black and white to what suits the pixels on the picture's canvas. */
export function suitTo(model: Model, canvas: HTMLCanvasElement): void {
  const small = document.createElement("canvas");
  small.width = small.height = SAMPLES;
  const context = small.getContext("2d", { willReadFrequently: true })!;
  context.imageSmoothingEnabled = false;
  context.drawImage(canvas, 0, 0, SAMPLES, SAMPLES);
  const { data } = context.getImageData(0, 0, SAMPLES, SAMPLES);
  // Beyond the element the canvas is transparent: its grey is 0, which is "not seen".
  const greys = Uint8Array.from({ length: SAMPLES ** 2 }, (_, place) => data[4 * place]!);
  model.contrast.value = suited(greys, model.contrast.value);
}

/** The sliders. ``suit``: has black and white follow what the picture shows. */
export function ContrastPanel({ model, suit }: { model: Model; suit: () => void }) {
  const contrast = model.contrast.value;
  const set = (change: Partial<Contrast>): void => {
    model.suiting.value = false;
    model.contrast.value = { ...model.contrast.value, ...change };
  };
  return (
    <div class="contrast-panel" role="group" aria-label="Contrast">
      <label class="wide">
        <span class="ends">
          <span>raw</span>
          <span>stretched</span>
        </span>
        <Slider
          label="From raw to stretched"
          value={contrast.stretch}
          most={1}
          step={0.01}
          words={(value) => `${Math.round(value * 100)} percent stretched`}
          set={(stretch) => (model.contrast.value = { ...model.contrast.value, stretch })}
        />
      </label>
      <label>
        <span>black</span>
        <Slider
          label="Black point, grey level"
          value={contrast.black}
          most={254}
          step={1}
          words={String}
          set={(black) => set({ black, white: Math.max(contrast.white, black + 1) })}
        />
        <output>{contrast.black}</output>
      </label>
      <label>
        <span>white</span>
        <Slider
          label="White point, grey level"
          value={contrast.white}
          most={255}
          step={1}
          words={String}
          set={(white) => set({ white: Math.max(white, 1), black: Math.min(contrast.black, white - 1) })}
        />
        <output>{contrast.white}</output>
      </label>
      <div class="buttons">
        <button type="button" onClick={() => set(RAW)}>
          Raw
        </button>
        <button type="button" onClick={() => set(AS_STORED)}>
          As stored
        </button>
        <button type="button" aria-pressed={model.suiting.value} onClick={suit}>
          Suit the view
        </button>
      </div>
    </div>
  );
}

function Slider(props: {
  label: string;
  value: number;
  most: number;
  step: number;
  words: (value: number) => string;
  set: (value: number) => void;
}) {
  return (
    <input
      type="range"
      aria-label={props.label}
      aria-valuetext={props.words(props.value)}
      min={0}
      max={props.most}
      step={props.step}
      value={props.value}
      onInput={(event) => props.set(event.currentTarget.valueAsNumber)}
      // Arrows are the slider's here, and do not move the picture.
      onKeyDown={(event) => event.key.startsWith("Arrow") && event.stopPropagation()}
    />
  );
}
