// The deep zoom view: the picture of a whole side, its defects, and what people say of them.

import { useComputed, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { subject } from "../shared/head";
import { Desk } from "./desk";
import { Filters } from "./filters-panel";
import { Follower } from "./follow";
import { DefectList } from "./list";
import { Model } from "./model";
import { NameDialog } from "./name";
import { Selection } from "./selection";
import { Sides } from "./sides";
import { Stage } from "./stage";

export default function ElementView({ scanId }: { scanId: string }) {
  const parts = useMemo(() => {
    const model = new Model(scanId);
    return { model, desk: new Desk(model), follower: new Follower(model) };
  }, [scanId]);
  const { model, desk, follower } = parts;
  useEffect(() => () => (follower.stop(), desk.stop()), [parts]);
  useSignalEffect(() => {
    const details = model.details.value;
    if (details) subject.value = { scan: details.id, element: details.element, side: details.side };
  });

  const problem = model.problem.value;
  const known = useComputed(() => model.details.value !== null).value;
  if (!known) {
    return (
      <p class="waiting" role={problem ? "alert" : "status"}>
        {problem ? `This scan cannot be shown: ${problem}` : "Loading…"}
      </p>
    );
  }
  return (
    <div class="element">
      <h1 class="unseen">The element and its defects</h1>
      <aside class="element-side" aria-label="Defects">
        <Sides model={model} />
        {problem && (
          <p class="problem side-problem" role="alert">
            What follows may be old or missing: {problem}
          </p>
        )}
        <Filters model={model} />
        <DefectList model={model} desk={desk} />
      </aside>
      <Stage model={model} desk={desk} follower={follower} />
      <Selection model={model} desk={desk} />
      <NameDialog desk={desk} />
    </div>
  );
}
