// The picture with what lies over it: defects, tools, scale bar, places.

import { effect, useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { connection } from "../api";
import { ContrastFilter, suitTo } from "./contrast";
import type { Desk } from "./desk";
import type { Follower } from "./follow";
import { Layer } from "./layer";
import { followAddress } from "./link";
import { Minimap } from "./minimap";
import { Model } from "./model";
import { Overlay } from "./overlay";
import { Picture } from "./picture";
import { Readout } from "./readout";
import { ModelScene } from "./scene";
import { useKeys } from "./shortcuts";
import { TileIndex } from "./tiles";
import { Toolbar } from "./toolbar";

/** Black and white are chosen anew when the picture was zoomed by this much. */
const SUIT_AGAIN = 1.5;

export function Stage(props: { model: Model; desk: Desk; follower: Follower }) {
  const { model, desk, follower } = props;
  const holder = useRef<HTMLDivElement>(null);
  const tiles = useSignal(0);
  const pictured = useComputed(() => (model.details.value?.picture?.tiles ?? 0) + tiles.value > 0);
  useKeys(model, desk);

  useEffect(() => {
    const element = holder.current!;
    const details = model.details.peek()!;
    const scene = new ModelScene(model);
    const layer = new Layer(scene);
    const overlay = new Overlay(scene);
    const index = new TileIndex(details.picture !== null);
    let suitedAt = 0;
    const hasTiles = (details.picture?.tiles ?? 0) > 0;
    const picture = new Picture(element, model.scan, Model.sizeOf(details), index, hasTiles, {
      moved: (view) => {
        layer.follow(view);
        overlay.draw(view);
        model.view.value = view;
      },
      complete: () => {
        const scale = desk.picture?.view.scale ?? 0;
        const zoomed = Math.max(scale / suitedAt, suitedAt / scale);
        // Levels of the pyramid differ in brightness; a mere step aside changes nothing.
        if (!model.suiting.peek() || zoomed < SUIT_AGAIN || !desk.picture) return;
        suitedAt = scale;
        suitTo(model, desk.picture.canvas);
      },
      clicked: (place) => desk.click(place),
    });

    element.append(layer.canvas, overlay.canvas);
    desk.picture = picture;
    follower.picture = {
      refresh: (news) => {
        tiles.value += news.length;
        picture.refresh(news);
        const top = Model.sizeOf(details).levels - 1;
        const [newest] = news.filter(([level]) => level === top).slice(-1);
        if (newest) model.topRevision.value = newest[3];
      },
      reset: () => picture.reset(),
    };
    const endings: (() => void)[] = [];
    picture.whenOpen(() => {
      picture.canvas.setAttribute("aria-label", "Picture of the element");
      endings.push(
        followAddress(desk),
        redrawing(model, layer, () => overlay.draw(picture.view)),
        effect(() => {
          if (connection.value.state === "open") picture.retry();
        }),
      );
    });
    endings.push(watchPointer(element, model, desk));
    return () => {
      for (const end of endings) end();
      desk.picture = follower.picture = null;
      layer.destroy();
      picture.destroy();
    };
  }, [model]);

  return (
    <section
      class={`stage ${model.measuring.value ? "measuring" : ""} ${model.hovered.value >= 0 ? "over" : ""}`}
      aria-label="Picture"
    >
      <ContrastFilter model={model} />
      <div ref={holder} class="deep-zoom" />
      <Toolbar model={model} desk={desk} />
      {!pictured.value && (
        <p class="no-picture" role="status">
          {model.running.value ? "No part of the picture has come yet" : "This scan sent no picture"}
        </p>
      )}
      <Minimap model={model} desk={desk} pictured={pictured.value} />
      <Readout model={model} />
    </section>
  );
}

/** Draws anew what changed while the picture stands still. */
function redrawing(model: Model, layer: Layer, over: () => void): () => void {
  let asked = 0;
  const ends = [
    effect(() => {
      void [model.shown.value, model.layers.value, model.areas.value];
      void [model.notInspected.value, model.toCome.value];
      layer.draw();
    }),
    effect(() => {
      void [model.selected.value, model.defect.value, model.hovered.value, model.ends.value];
      void [model.shown.value, model.layers.value, model.notInspected.value];
      if (model.ends.value.length === 1) void model.pointer.value;
      cancelAnimationFrame(asked);
      asked = requestAnimationFrame(over);
    }),
  ];
  return () => {
    cancelAnimationFrame(asked);
    for (const end of ends) end();
  };
}

/** Tells the model where the pointer is, at most once a frame. */
function watchPointer(element: HTMLElement, model: Model, desk: Desk): () => void {
  let asked = 0;
  const move = (event: PointerEvent): void => {
    cancelAnimationFrame(asked);
    asked = requestAnimationFrame(() => {
      const view = model.view.peek();
      if (!view) return;
      const { left, top } = element.getBoundingClientRect();
      const x = view.leftMm + (event.clientX - left) / view.scale;
      const y = view.topMm + (event.clientY - top) / view.scale;
      model.pointer.value = [x, y];
      const free = event.buttons === 0 && !model.measuring.peek();
      model.hovered.value = free ? desk.rowAt([x, y]) : -1;
    });
  };
  const leave = (): void => {
    cancelAnimationFrame(asked);
    model.pointer.value = null;
    model.hovered.value = -1;
  };
  element.addEventListener("pointermove", move);
  element.addEventListener("pointerleave", leave);
  return () => {
    cancelAnimationFrame(asked);
    element.removeEventListener("pointermove", move);
    element.removeEventListener("pointerleave", leave);
  };
}
