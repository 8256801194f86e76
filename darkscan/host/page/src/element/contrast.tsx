// The picture's contrast: a table of grey levels by which its tiles are painted.

import { AS_STORED, RAW, shownTable, suited, type Contrast, type Levels } from "./levels";
import type { Model } from "./model";

function levelsOf(model: Model): Levels | null {
  const picture = model.details.value?.picture;
  return picture ? { softening: picture.softening, fullScale: picture.full_scale } : null;
}

/** What each of a tile's grey levels is shown as; null while nothing is known of the picture. */
export function tableOf(model: Model): Float64Array | null {
  const levels = levelsOf(model);
  return levels && shownTable(model.contrast.value, levels);
}

/** Sets black and white to what suits some of the picture's grey levels. */
export function suitTo(model: Model, greys: Uint8Array): void {
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
