// What the map says of a defect.

import type { ComponentChildren } from "preact";
import type { Defect, Point } from "../api";
import { figure, length } from "../format";
import { toast } from "../shared/toasts";

export function Facts({ defect }: { defect: Defect }) {
  const line = defect.centreline.length > 0;
  return (
    <>
      <Places defect={defect} />
      <dl class="facts">
        <Fact name="Length">{length(defect.length_mm)}</Fact>
        <Fact name="Width">
          {figure(defect.width_um)}
          {defect.width_uncertainty_um !== null && <> ± {figure(defect.width_uncertainty_um)}</>} µm
        </Fact>
        {defect.width_max_um !== null && <Fact name="at most">{figure(defect.width_max_um)} µm</Fact>}
        <Fact name="Probability">
          {defect.probability === null ? "by its shape alone" : defect.probability.toFixed(3)}
        </Fact>
        <Fact name="Contrast">{figure(defect.contrast)} σ</Fact>
        {line && defect.brightness_um !== null && (
          <Fact name="Brightness">{figure(defect.brightness_um)} µm at full scale</Fact>
        )}
        {!line && defect.brightness_um2 !== null && (
          <Fact name="Brightness">{figure(defect.brightness_um2)} µm² at full scale</Fact>
        )}
        {defect.saturated !== null && defect.saturated > 0 && (
          <Fact name="Saturated">{Math.ceil(defect.saturated * 100)} %</Fact>
        )}
        <Fact name="Orientation">{defect.orientation_deg.toFixed(1)}°</Fact>
        <Fact name="Smallest box">
          {length(defect.extent_mm[0])} × {length(defect.extent_mm[1])}
        </Fact>
        <Fact name="Area">{defect.area ?? "beside all areas"}</Fact>
        <Fact name={defect.frames.length === 1 ? "Frame" : "Frames"}>
          {some(defect.frames)}
          {defect.views > 1 && <>; {defect.views} show its middle</>}
        </Fact>
      </dl>
      {defect.touches_region_border && (
        <p class="touches">It reaches the border of the region and may go on beyond.</p>
      )}
      {defect.touches_not_inspected && (
        <p class="touches">It reaches a part that was not inspected and may go on there.</p>
      )}
    </>
  );
}

export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

const MOST_FRAMES = 12;

function some(frames: readonly number[]): string {
  const first = frames.slice(0, MOST_FRAMES).join(", ");
  const more = frames.length - MOST_FRAMES;
  return more > 0 ? `${first} and ${more} more` : first;
}

/** The defect's middle, to copy: on the element, and where the stage has to go. */
function Places({ defect }: { defect: Defect }) {
  return (
    <div class="places">
      <CopyPlace name="Element" title="Copy the place on the element" place={defect.centroid_mm} digits={3} />
      {defect.stage_mm && (
        <CopyPlace name="Stage, go to" title="Copy where the stage has to go" place={defect.stage_mm} digits={4} />
      )}
    </div>
  );
}

function CopyPlace(props: { name: string; title: string; place: Point; digits: number }) {
  const text = props.place.map((mm) => mm.toFixed(props.digits)).join(", ");
  const copy = (): void => {
    copied(text).then(
      () => toast(`Copied: ${text}`, "good", 2500),
      () => toast(`The browser did not let it be copied: ${text}`, "bad"),
    );
  };
  return (
    <button type="button" title={props.title} onClick={copy}>
      <span>{props.name}</span>
      <strong>{text}</strong> <small>mm</small>
    </button>
  );
}

/** Copies a text; also where the page is not of a secure origin, and has no clipboard. */
async function copied(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("not copied");
}
