import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

/** A modal dialog. The browser keeps the focus in it, and Escape closes it. */
export function Dialog(props: {
  title: string;
  close?: () => void;
  children: ComponentChildren;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const element = dialog.current;
    if (element && !element.open) element.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        props.close?.();
      }}
      onClick={(event) => event.target === event.currentTarget && props.close?.()}
    >
      <div class="dialog-inside">
        <header>
          <h2 id={heading}>{props.title}</h2>
          {props.close && (
            <button type="button" class="quiet" aria-label="Close" onClick={props.close}>
              ✕
            </button>
          )}
        </header>
        {props.children}
      </div>
    </dialog>
  );
}
