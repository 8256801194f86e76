import type { ScanState } from "../api";

/** Form and word beside the colour: a sign must not hang on colour alone. */
const SIGNS: Record<ScanState, string> = {
  running: "▶",
  silent: "?",
  complete: "✓",
  incomplete: "◐",
  failed: "✕",
  aborted: "■",
  died: "✕",
};

export function StateMark({ state }: { state: ScanState }) {
  return (
    <span class={`state ${state}`}>
      <span class="sign" aria-hidden="true">
        {SIGNS[state]}
      </span>
      {state}
    </span>
  );
}

export const isOpen = (state: ScanState): boolean => state === "running" || state === "silent";
