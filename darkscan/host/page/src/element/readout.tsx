// What the pointer is at, what is measured, how large a millimetre is.

import { figure, length } from "../format";
import { HatchMark } from "../shared/marks";
import { inWords, roundLength, within, type Point } from "./geometry";
import type { Model } from "./model";
import { ModelScene } from "./scene";

const BAR_PX = 220;

export function Readout({ model }: { model: Model }) {
  const view = model.view.value;
  const pointer = model.pointer.value;
  const words = ModelScene.measuredWords(model);
  if (!view) return null;
  return (
    <div class="readout">
      <ScaleBar scale={view.scale} />
      <span class="pointer-place" title="The place under the pointer, element mm">
        {pointer ? `x ${places(pointer[0], view.scale)}  y ${places(pointer[1], view.scale)} mm` : ""}
      </span>
      <span class="what" role="status">
        {model.measuring.value
          ? words || "Click two places; Esc ends"
          : (pointer && <Unseen model={model} place={pointer} />) || underPointer(model)}
      </span>
      <span class="zoom">{zoomWords(view.scale, model.details.value?.pitch_um ?? 1)}</span>
    </div>
  );
}

function places(mm: number, scale: number): string {
  return mm.toFixed(scale > 200 ? 4 : scale > 20 ? 3 : 2);
}

function zoomWords(scale: number, pitchUm: number): string {
  const pixel = (scale * pitchUm) / 1000;
  return pixel >= 1 ? `1 pixel : ${figure(pixel)} px` : `${figure(1 / pixel)} pixels : 1 px`;
}

function underPointer(model: Model): string {
  const row = model.hovered.value;
  const table = model.table.value;
  if (row < 0 || row >= table.count) return "";
  const name = table.final ? `${table.id(row)} · ` : "";
  return `${name}${length(table.lengthMm[row]!)} · ${figure(table.widthUm[row]!)} µm wide`;
}

/** Why a place was not inspected, if it was not. */
function Unseen({ model, place }: { model: Model; place: Point }) {
  const area = model.layers.value.notInspected
    ? model.notInspected.value.find(({ rings }) => {
        return rings.filter((ring) => within(place, ring)).length % 2 === 1;
      })
    : undefined;
  if (!area) return <>{underPointer(model)}</>;
  return (
    <>
      <HatchMark kind={area.kind} /> {area.kind.replace("_", " ")}: {area.reason}
    </>
  );
}

function ScaleBar({ scale }: { scale: number }) {
  const mm = roundLength(BAR_PX / scale);
  return (
    <div class="mm-bar" role="img" aria-label={`Scale bar of ${inWords(mm)}`}>
      <span class="line-of-bar" style={{ width: `${mm * scale}px` }} />
      <span>{inWords(mm)}</span>
    </div>
  );
}
