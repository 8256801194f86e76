/** Keeps the page's address a link to what is shown, and goes where an address points. */

import { effect, untracked } from "@preact/signals";

import type { Desk } from "./desk";
import { centreOf, viewAt } from "./geometry";
import { readLink, writeLink } from "./places";

/** The address follows the picture this long after it came to rest, ms. */
const REST_MS = 250;

/** Goes to where the address points now, and follows from then on; the answer ends it. */
export function followAddress(desk: Desk): () => void {
  const { model, picture } = desk;
  if (!picture) return () => undefined;
  let { defect: wanted } = readLink(location.hash);
  let timer = 0;

  const go = (atOnce: boolean): void => {
    const { place, defect } = readLink(location.hash);
    wanted = defect;
    if (place) {
      const { width, height } = picture.view;
      picture.goTo(viewAt([place.x, place.y], place.z, width, height), atOnce);
    } else if (atOnce) desk.fitElement(true);
    take(!place);
  };
  /** Selects the defect that the address names, as soon as there is one. */
  const take = (fit: boolean): void => {
    if (!wanted || !model.table.value.final) return;
    const row = model.table.value.rowOf(wanted);
    wanted = null;
    if (row >= 0) untracked(() => desk.select(row, { go: fit }));
  };
  const write = (): void => {
    const { view } = model;
    if (!view.value) return;
    const [x, y] = centreOf(view.value);
    const defect = wanted ?? model.selectedId.value;
    const hash = writeLink({ place: { x, y, z: view.value.scale }, defect });
    if (hash !== location.hash) history.replaceState(null, "", location.pathname + hash);
  };
  const onHash = (): void => go(false);

  const fitFirst = !readLink(location.hash).place;
  go(true);
  addEventListener("hashchange", onHash);
  const endings = [
    effect(() => {
      if (model.table.value.final) take(fitFirst);
    }),
    effect(() => {
      void model.view.value;
      void model.selectedId.value;
      clearTimeout(timer);
      timer = window.setTimeout(write, REST_MS);
    }),
  ];
  return () => {
    clearTimeout(timer);
    removeEventListener("hashchange", onHash);
    for (const end of endings) end();
  };
}
