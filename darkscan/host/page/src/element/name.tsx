// Asks who reviews, once; this browser remembers it.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Dialog } from "../shared/dialog";
import { operator, setOperator } from "../shared/login";
import type { Desk } from "./desk";

export function NameDialog({ desk }: { desk: Desk }) {
  const answer = useSignal<((given: boolean) => void) | null>(null);
  const name = useSignal("");
  useEffect(() => {
    desk.askName = () =>
      new Promise((resolve) => {
        name.value = operator.value;
        answer.value = resolve;
      });
  }, [desk]);
  if (!answer.value) return null;
  const end = (given: boolean): void => {
    answer.value?.(given);
    answer.value = null;
  };
  return (
    <Dialog title="Who reviews?" close={() => end(false)}>
      <form
        class="login"
        onSubmit={(event) => {
          event.preventDefault();
          if (!name.value.trim()) return;
          setOperator(name.value);
          end(true);
        }}
      >
        <p>Verdicts are kept with the name and the time. This browser remembers it.</p>
        <label>
          Your name
          <input
            autocomplete="name"
            autofocus
            required
            maxLength={80}
            value={name.value}
            onInput={(event) => (name.value = event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="primary">
          Go on
        </button>
      </form>
    </Dialog>
  );
}
