// The tools over the picture.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { toast } from "../shared/toasts";
import { ContrastPanel, suitTo } from "./contrast";
import type { Desk } from "./desk";
import type { Layers, Model } from "./model";

const LAYERS: readonly [keyof Layers, string, string][] = [
  ["defects", "Defects", "h"],
  ["notInspected", "Not inspected", "n"],
  ["areas", "Areas", "a"],
];

/** Has black and white follow what the picture shows, from now on. */
export function suitView(model: Model, desk: Desk): void {
  model.suiting.value = true;
  if (desk.picture) suitTo(model, desk.picture.canvas);
}

export function Toolbar({ model, desk }: { model: Model; desk: Desk }) {
  const contrasting = useSignal(false);
  const layers = model.layers.value;
  const final = model.table.value.final;
  useEffect(() => {
    if (!layers.areas || !final) return;
    desk.loadAreas().catch((error: Error) => toast(`Areas: ${error.message}`, "bad"));
  }, [layers.areas, final]);
  return (
    <div class="toolbar" role="toolbar" aria-label="Tools">
      <div class="group">
        <Tool title="Zoom in" keys="+" run={() => desk.picture?.zoom(1.6)}>
          +
        </Tool>
        <Tool title="Zoom out" keys="-" run={() => desk.picture?.zoom(1 / 1.6)}>
          −
        </Tool>
        <Tool title="Show the whole element" keys="0" run={() => desk.fitElement()}>
          Whole
        </Tool>
        <Tool title="Single pixels, 1:1" keys="p" run={() => desk.toPixels()}>
          Pixels
        </Tool>
      </div>
      <div class="group">
        {LAYERS.map(([layer, title, keys]) => (
          <Tool
            key={layer}
            title={`Layer: ${title.toLowerCase()}`}
            keys={keys}
            pressed={layers[layer]}
            run={() => (model.layers.value = { ...layers, [layer]: !layers[layer] })}
          >
            {title}
          </Tool>
        ))}
      </div>
      <div class="group">
        <Tool
          title="Measure: click two places"
          keys="x"
          pressed={model.measuring.value}
          run={() => desk.measure()}
        >
          Measure
        </Tool>
        <Tool
          title="Contrast of the picture"
          pressed={contrasting.value}
          run={() => (contrasting.value = !contrasting.value)}
        >
          Contrast
        </Tool>
      </div>
      {contrasting.value && <ContrastPanel model={model} suit={() => suitView(model, desk)} />}
    </div>
  );
}

function Tool(props: {
  title: string;
  keys?: string;
  pressed?: boolean;
  run: () => void;
  children: string;
}) {
  const keys = props.keys ? ` (${props.keys})` : "";
  return (
    <button
      type="button"
      title={props.title + keys}
      aria-label={props.title}
      aria-pressed={props.pressed}
      onClick={props.run}
    >
      {props.children}
    </button>
  );
}
