// The selected defect: what the map says of it, its pixels, and what people say of it.

import { useSignal } from "@preact/signals";
import { DEFECT_KINDS, downloadUrl } from "../api";
import { length, moment, percent } from "../format";
import { KindMark } from "../shared/marks";
import { operator } from "../shared/login";
import { Crops } from "./crops";
import type { Desk } from "./desk";
import { Fact, Facts } from "./facts";
import type { Model } from "./model";
import { COMMENT_ID } from "./shortcuts";

export function Selection({ model, desk }: { model: Model; desk: Desk }) {
  const id = model.selectedId.value;
  const defect = model.defect.value;
  return (
    <aside class="selection" aria-label="Selected defect">
      {!id && <NoSelection model={model} />}
      {id && (
        <>
          <Heading model={model} desk={desk} id={id} />
          <Verdicts model={model} desk={desk} id={id} />
          {defect ? (
            <>
              <Crops model={model} defect={defect} />
              <Facts defect={defect} />
            </>
          ) : (
            <p class="loading">Loading…</p>
          )}
          <Comment key={id} desk={desk} />
          <Reviewer desk={desk} />
          <Log model={model} id={id} />
        </>
      )}
    </aside>
  );
}

function NoSelection({ model }: { model: Model }) {
  const details = model.details.value!;
  const row = model.selected.value;
  return (
    <div class="no-selection">
      {row >= 0 && <p>This was traced in a single frame. It gets its number when the scan ends.</p>}
      <p>
        {model.table.value.final ? (
          <>
            Click a defect, or press <kbd>j</kbd> for the first of the list.
          </>
        ) : model.running.value ? (
          "The scan is running: what is found appears here. Defects are numbered when it ends."
        ) : (
          "No map came from this scan."
        )}
      </p>
      <dl class="facts">
        <Fact name="Element">
          {details.size_mm[0]} × {details.size_mm[1]} mm
        </Fact>
        {details.inspected_fraction !== null && (
          <Fact name="Inspected">{percent(details.inspected_fraction, 2)}</Fact>
        )}
        {details.length_mm !== null && (
          <Fact name="Scratches">{length(details.length_mm)} in all</Fact>
        )}
        <Fact name="Pixel">{details.pitch_um} µm</Fact>
        <Fact name="Model">{details.model}</Fact>
        <Fact name="Recipe">{details.recipe}</Fact>
        {details.rig && <Fact name="Rig">{details.rig}</Fact>}
        <Fact name="Begun">{moment(details.began)}</Fact>
      </dl>
      {model.table.value.final && (
        <p>
          <a href={downloadUrl(model.scan, "map")} download>
            Defect map (JSON)
          </a>
        </p>
      )}
    </div>
  );
}

function Heading({ model, desk, id }: { model: Model; desk: Desk; id: string }) {
  const kind = DEFECT_KINDS[model.reviewed.value.kind[model.selected.value]!]!;
  const said = model.log.value.latest(id);
  const place = model.list.value.indexOf(model.selected.value);
  return (
    <header>
      <KindMark kind={kind} />
      <h2>{id}</h2>
      <span class={`verdict-mark ${said?.verdict ?? "open"}`} role="status">
        {kind}, {said?.verdict ?? "open"}
        {said && "waiting" in said && " …"}
      </span>
      <span class="steps">
        <button type="button" class="quiet" aria-label="Defect before" title="Defect before (k)" onClick={() => desk.step(-1)}>
          ‹
        </button>
        {place >= 0 && (
          <small>
            {place + 1} of {model.list.value.length}
          </small>
        )}
        <button type="button" class="quiet" aria-label="Next defect" title="Next defect (j)" onClick={() => desk.step(1)}>
          ›
        </button>
      </span>
    </header>
  );
}

function Verdicts({ model, desk, id }: { model: Model; desk: Desk; id: string }) {
  const said = model.log.value.latest(id);
  const kind = DEFECT_KINDS[model.reviewed.value.kind[model.selected.value]!]!;
  return (
    <div class="verdicts">
      <div role="group" aria-label="Verdict">
        {(
          [
            ["confirmed", "Confirm", "c"],
            ["rejected", "Reject", "r"],
            ["open", "Open", "u"],
          ] as const
        ).map(([verdict, title, key]) => (
          <button
            key={verdict}
            type="button"
            class={`judgement ${verdict}`}
            aria-pressed={(said?.verdict ?? "open") === verdict}
            onClick={() => void desk.judge({ verdict })}
          >
            <kbd aria-hidden="true">{key}</kbd> {title}
          </button>
        ))}
      </div>
      <div role="group" aria-label="Kind" class="kinds">
        {DEFECT_KINDS.map((each, place) => (
          <button
            key={each}
            type="button"
            aria-pressed={each === kind}
            onClick={() => void desk.judge({ kind: each })}
          >
            <kbd aria-hidden="true">{place + 1}</kbd> {each}
          </button>
        ))}
      </div>
    </div>
  );
}

/** In whose name reviews are kept; a click gives another. */
function Reviewer({ desk }: { desk: Desk }) {
  return (
    <p class="reviewer">
      {operator.value ? `You review as ${operator.value}.` : "Your name is asked for at the first verdict."}{" "}
      {operator.value && (
        <button type="button" class="quiet" onClick={() => void desk.askName()}>
          Change
        </button>
      )}
    </p>
  );
}

function Comment({ desk }: { desk: Desk }) {
  const text = useSignal("");
  const busy = useSignal(false);
  const send = async (): Promise<void> => {
    if (!text.value.trim() || busy.value) return;
    busy.value = true;
    // A comment that was not kept stays in the field.
    if (await desk.judge({ comment: text.value.trim() })) text.value = "";
    busy.value = false;
  };
  return (
    <form
      class="comment"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <label class="unseen" for={COMMENT_ID}>
        Comment
      </label>
      <textarea
        id={COMMENT_ID}
        rows={2}
        maxLength={2000}
        placeholder="Comment (m)"
        value={text.value}
        onInput={(event) => (text.value = event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") event.currentTarget.blur();
          if (event.key !== "Enter" || event.shiftKey) return;
          event.preventDefault();
          event.currentTarget.blur();
          void send();
        }}
      />
      <button type="submit" disabled={!text.value.trim() || busy.value}>
        Keep
      </button>
    </form>
  );
}

function Log({ model, id }: { model: Model; id: string }) {
  const reviews = model.log.value.of(id);
  if (!reviews.length) return <p class="log-empty">Nobody has reviewed it.</p>;
  return (
    <section class="log" aria-label="Reviews of this defect">
      <ol>
        {[...reviews].reverse().map((review, place) => (
          <li key={"number" in review ? review.number : `waiting ${place}`}>
            <p>
              <strong class={`verdict-mark ${review.verdict}`}>{review.verdict}</strong>
              {review.kind && <> as {review.kind}</>} by {review.name}
              <time>{"at" in review ? moment(review.at) : "being kept…"}</time>
            </p>
            {review.comment && <p class="said">{review.comment}</p>}
          </li>
        ))}
      </ol>
    </section>
  );
}
