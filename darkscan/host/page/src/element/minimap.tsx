// The whole element in small, with what the screen shows of it.

import type { TargetedPointerEvent } from "preact";
import { tileUrl } from "../api";
import type { Desk } from "./desk";
import { contains, shownBox, viewAt } from "./geometry";
import { Model } from "./model";

const WIDTH_PX = 230;
const HEIGHT_PX = 190;

export function Minimap(props: { model: Model; desk: Desk; pictured: boolean }) {
  const { model, desk } = props;
  const details = model.details.value!;
  const view = model.view.value;
  const [width, height] = details.size_mm;
  const scale = Math.min(WIDTH_PX / width, HEIGHT_PX / height);
  const [x, y, across, down] = view ? shownBox(view) : [0, 0, width, height];
  const left = Math.max(0, x);
  const top = Math.max(0, y);
  const seen = {
    x: left * scale,
    y: top * scale,
    width: Math.max(4, (Math.min(width, x + across) - left) * scale),
    height: Math.max(4, (Math.min(height, y + down) - top) * scale),
  };
  const go = (event: TargetedPointerEvent<SVGSVGElement>): void => {
    if (event.buttons !== 1 || !view) return;
    const box = event.currentTarget.getBoundingClientRect();
    const place = [(event.clientX - box.left) / scale, (event.clientY - box.top) / scale] as const;
    desk.picture?.goTo(viewAt(place, view.scale, view.width, view.height), event.type === "pointermove");
  };
  // Where the whole element is in sight there is nothing to find.
  if (view && contains(shownBox(view), model.elementBox)) return null;
  const topLevel = Model.sizeOf(details).levels - 1;
  return (
    <svg
      class="minimap"
      aria-hidden="true"
      width={width * scale}
      height={height * scale}
      onPointerDown={go}
      onPointerMove={go}
    >
      {props.pictured && (
        <image
          href={tileUrl(model.scan, topLevel, 0, 0, model.topRevision.value)}
          width={width * scale}
          height={height * scale}
          preserveAspectRatio="none"
        />
      )}
      {model.layers.value.notInspected &&
        model.notInspected.value.map(({ rings, kind }, place) => (
          <path key={place} class={`unseen-part ${kind}`} d={rings.map((ring) => path(ring, scale)).join("")} />
        ))}
      <rect class="seen" {...seen} />
    </svg>
  );
}

function path(ring: readonly (readonly [number, number])[], scale: number): string {
  return `M${ring.map(([x, y]) => `${(x * scale).toFixed(1)} ${(y * scale).toFixed(1)}`).join("L")}Z`;
}
