// The pixels of a defect: raw, equalized, and with what the model saw.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { pictureUrl, type Defect } from "../api";
import { Dialog } from "../shared/dialog";
import type { Model } from "./model";

const VIEWS = ["raw", "equalized", "attention"] as const;
type CropView = (typeof VIEWS)[number];

/** The view stays when another defect is selected. */
let chosen: CropView = "raw";

export function Crops({ model, defect }: { model: Model; defect: Defect }) {
  const view = useSignal<CropView>(chosen);
  const large = useSignal(false);
  return (
    <section class="crops" aria-label="Pixels">
      <div role="group" aria-label="How the pixels are shown" class="tabs-of-crops">
        {VIEWS.map((each) => (
          <button
            key={each}
            type="button"
            aria-pressed={view.value === each}
            onClick={() => (view.value = chosen = each)}
          >
            {each}
          </button>
        ))}
      </div>
      {defect.picture.source === null ? (
        <p class="no-pixels">No pixels of it: its recording cannot be read here, and no tiles came.</p>
      ) : (
      <Crop
        key={`${defect.id} ${view.value}`}
        model={model}
        id={defect.id}
        view={view.value}
        open={() => (large.value = true)}
      />
      )}
      {large.value && (
        <Dialog title={`${defect.id}: ${view.value}`} close={() => (large.value = false)}>
          <Crop model={model} id={defect.id} view={view.value} />
        </Dialog>
      )}
    </section>
  );
}

function Crop(props: { model: Model; id: string; view: CropView; open?: () => void }) {
  const url = useSignal("");
  const problem = useSignal("");
  // Asked for by fetch, as an image cannot say why it is not there.
  useEffect(() => {
    const ending = new AbortController();
    let made = "";
    const load = async (): Promise<void> => {
      const address = pictureUrl(props.model.scan, props.id, props.view);
      const response = await fetch(address, { credentials: "same-origin", signal: ending.signal });
      if (!response.ok) problem.value = await whyNot(response);
      else url.value = made = URL.createObjectURL(await response.blob());
    };
    load().catch((error: Error) => {
      if (!ending.signal.aborted) problem.value = error.message;
    });
    return () => {
      ending.abort();
      URL.revokeObjectURL(made);
    };
  }, []);
  if (problem.value) return <p class="no-pixels">{problem.value}</p>;
  const words = `${props.id}, ${props.view}`;
  const image = url.value ? <img src={url.value} alt={words} /> : <span class="unseen">Loading</span>;
  if (!props.open) return <div class="crop large">{image}</div>;
  return (
    <button type="button" class="crop" aria-label={`${words}: show it large`} onClick={props.open}>
      {image}
    </button>
  );
}

async function whyNot(response: Response): Promise<string> {
  try {
    const { detail } = (await response.json()) as { detail?: unknown };
    if (typeof detail === "string") return detail;
  } catch {
    // no JSON: the status says what there is to say
  }
  return `the host answered ${response.status}`;
}
