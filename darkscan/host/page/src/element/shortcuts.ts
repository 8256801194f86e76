/** The keys of the element's view; ``?`` lists them. */

import { DEFECT_KINDS } from "../api";
import { useShortcuts } from "../shared/keys";
import type { Desk } from "./desk";
import type { Model } from "./model";
import { suitView } from "./toolbar";

const PAN = 0.2;
const ZOOM = 1.6;

/** The text field for comments; the key puts the focus there. */
export const COMMENT_ID = "comment";

export function useKeys(model: Model, desk: Desk): void {
  const flip = (layer: "defects" | "notInspected" | "areas") => (): void => {
    const layers = model.layers.value;
    model.layers.value = { ...layers, [layer]: !layers[layer] };
  };
  useShortcuts("Review", [
    { keys: "j", does: "next defect of the list", run: () => desk.step(1) },
    { keys: "k", does: "defect before", run: () => desk.step(-1) },
    { keys: "c", does: "confirm", run: () => void desk.judge({ verdict: "confirmed" }) },
    { keys: "r", does: "reject", run: () => void desk.judge({ verdict: "rejected" }) },
    { keys: "u", does: "open again", run: () => void desk.judge({ verdict: "open" }) },
    { keys: "C", does: "confirm, and next", run: () => void desk.judgeAndStep("confirmed") },
    { keys: "R", does: "reject, and next", run: () => void desk.judgeAndStep("rejected") },
    ...DEFECT_KINDS.map((kind, place) => ({
      keys: String(place + 1),
      does: `it is a ${kind}`,
      run: () => void desk.judge({ kind }),
    })),
    {
      keys: "m",
      does: "comment",
      run: () => document.getElementById(COMMENT_ID)?.focus(),
    },
  ]);
  useShortcuts("Picture", [
    { keys: "f", does: "fit the selected defect", run: () => desk.fitSelected() },
    { keys: "0", does: "whole element", run: () => desk.fitElement() },
    { keys: "p", does: "single pixels", run: () => desk.toPixels() },
    { keys: "+", does: "zoom in", run: () => desk.picture?.zoom(ZOOM) },
    { keys: "-", does: "zoom out", run: () => desk.picture?.zoom(1 / ZOOM) },
    { keys: "ArrowLeft", does: "move left", run: () => desk.picture?.pan(-PAN, 0) },
    { keys: "ArrowRight", does: "move right", run: () => desk.picture?.pan(PAN, 0) },
    { keys: "ArrowUp", does: "move up", run: () => desk.picture?.pan(0, -PAN) },
    { keys: "ArrowDown", does: "move down", run: () => desk.picture?.pan(0, PAN) },
    { keys: "h", does: "hide or show the defects", run: flip("defects") },
    { keys: "n", does: "hide or show what was not inspected", run: flip("notInspected") },
    { keys: "a", does: "hide or show the model's areas", run: flip("areas") },
    { keys: "s", does: "suit the contrast to the view", run: () => suitView(model, desk) },
    { keys: "x", does: "measure", run: () => desk.measure() },
    { keys: "Escape", does: "end measuring, or the selection", run: () => desk.escape() },
  ]);
}
