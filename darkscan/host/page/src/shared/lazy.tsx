import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

const views = new Map<() => Promise<unknown>, ComponentType<{ scanId: string }>>();

/** Shows a view whose code is loaded when it is first opened. */
export function Lazy(props: {
  load: () => Promise<ComponentType<{ scanId: string }>>;
  scanId: string;
}) {
  const { load, scanId } = props;
  const [, refresh] = useState(0);
  const [problem, setProblem] = useState(false);
  useEffect(() => {
    if (views.has(load)) return;
    load().then(
      (view) => {
        views.set(load, view);
        refresh((turn) => turn + 1);
      },
      () => setProblem(true),
    );
  }, [load]);
  const View = views.get(load);
  if (View) return <View key={scanId} scanId={scanId} />;
  if (!problem) return <p class="waiting">Loading…</p>;
  return (
    <p class="waiting" role="alert">
      This part of the page could not be loaded. Reload the page once the host is there.
    </p>
  );
}
