// Keyboard shortcuts: registered by the views that have them, listed by `?`.

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Dialog } from "./dialog";

export interface Shortcut {
  /** As KeyboardEvent.key has it; two with a space between are typed one after the other. */
  keys: string;
  /** What it does, for the help. */
  does: string;
  run: () => void;
}

interface Group {
  title: string;
  shortcuts: Shortcut[];
}

const groups = signal<Group[]>([]);
export const helpOpen = signal(false);

const SEQUENCE_MS = 1500;
let before = { key: "", at: 0 };

/** While the component stands, these keys work and are listed under the title. */
export function useShortcuts(title: string, shortcuts: Shortcut[]): void {
  const latest = useRef(shortcuts);
  latest.current = shortcuts;
  const names = shortcuts.map(({ keys, does }) => keys + does).join();
  useEffect(() => {
    const group: Group = {
      title,
      shortcuts: latest.current.map((shortcut, index) => ({
        ...shortcut,
        run: () => latest.current[index]?.run(),
      })),
    };
    groups.value = [...groups.value, group];
    return () => {
      groups.value = groups.value.filter((other) => other !== group);
    };
  }, [title, names]);
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  const button = target instanceof HTMLInputElement && /^(checkbox|radio|range|button)$/.test(target.type);
  return (!button && /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) || target.isContentEditable;
}

function find(keys: string): Shortcut | undefined {
  for (const group of [...groups.value].reverse()) {
    const shortcut = group.shortcuts.find((candidate) => candidate.keys === keys);
    if (shortcut) return shortcut;
  }
  return undefined;
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const inSequence = event.timeStamp - before.at < SEQUENCE_MS;
  const shortcut = (inSequence && find(`${before.key} ${event.key}`)) || find(event.key);
  before = { key: event.key, at: event.timeStamp };
  if (!shortcut) return;
  const onControl = event.target instanceof Element && event.target.closest("a, button, summary");
  if (onControl && (event.key === "Enter" || event.key === " ")) return;
  event.preventDefault();
  shortcut.run();
});

const SHOWN: Record<string, string> = {
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
  " ": "Space",
  Escape: "Esc",
};

export function KeyHelp() {
  if (!helpOpen.value) return null;
  return (
    <Dialog title="Keys" close={() => (helpOpen.value = false)}>
      <div class="key-groups">
        {groups.value.map((group) => (
          <section key={group.title}>
            <h3>{group.title}</h3>
            <dl class="keys">
              {group.shortcuts.map(({ keys, does }) => (
                <div key={keys}>
                  <dt>
                    {(keys === " " ? [keys] : keys.split(" ")).map((key) => (
                      <kbd key={key}>{SHOWN[key] ?? key}</kbd>
                    ))}
                  </dt>
                  <dd>{does}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
