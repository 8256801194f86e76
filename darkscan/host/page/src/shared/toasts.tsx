import { signal } from "@preact/signals";

interface Toast {
  id: number;
  text: string;
  tone: "note" | "good" | "bad";
}

const toasts = signal<Toast[]>([]);
let latest = 0;

/** Says something in passing; a screen reader reads it out. */
export function toast(text: string, tone: Toast["tone"] = "note", ms = 6000): void {
  const id = ++latest;
  toasts.value = [...toasts.value.slice(-3), { id, text, tone }];
  setTimeout(() => (toasts.value = toasts.value.filter((other) => other.id !== id)), ms);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, text, tone }) => (
        <p key={id} class={`toast ${tone}`}>
          {text}
        </p>
      ))}
    </div>
  );
}
