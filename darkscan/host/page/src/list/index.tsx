// The scans that run, as large cards, and those that are kept, as a table.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { navigate, pathOf } from "../router";
import { useShortcuts } from "../shared/keys";
import { isOpen } from "../shared/state";
import { Card } from "./card";
import { Empty } from "./empty";
import { Filters } from "./filters";
import { ScanList } from "./scans";
import { ScanTable } from "./table";

export function ListView() {
  const list = useMemo(() => new ScanList(), []);
  useEffect(() => list.start(), [list]);
  useEffect(() => {
    document.title = "Scans – darkscan";
  }, []);
  const [chosen, choose] = useState(-1);
  const known = useKnown(list);

  const filter = list.filter.value;
  const all = list.scans.value;
  const running = all?.filter(({ state }) => isOpen(state)) ?? [];
  const kept = all?.filter(({ state }) => !isOpen(state)) ?? [];
  const isFiltered = Object.values(filter).some(Boolean);

  const move = (step: number) => (): void => {
    const to = Math.min(kept.length - 1, Math.max(0, chosen + step));
    choose(to);
    if (to > kept.length - 10) void list.more();
  };
  const open = (view: "element" | "live" | "performance") => (): void => {
    const scan = kept[chosen];
    if (scan) navigate(pathOf(view, scan.id));
  };
  useShortcuts("Scans", [
    { keys: "j", does: "next scan", run: move(1) },
    { keys: "k", does: "previous scan", run: move(-1) },
    { keys: "Enter", does: "open its element", run: open("element") },
    { keys: "l", does: "open it as it was live", run: open("live") },
    { keys: "p", does: "open its performance", run: open("performance") },
    { keys: "/", does: "find an element", run: () => document.getElementById("filter-element")?.focus() },
    ...running.slice(0, 9).map((scan, index) => ({
      keys: String(index + 1),
      does: `open ${scan.element}, which runs`,
      run: () => navigate(pathOf("live", scan.id)),
    })),
  ]);

  if (all === null && !isFiltered) return <p class="waiting">{list.problem.value || "Loading…"}</p>;
  if (all?.length === 0 && !isFiltered) return <Empty />;
  return (
    <div class="list">
      <h1 class="unseen">Scans</h1>
      {running.length > 0 && (
        <section class="cards" aria-label="Scans that run">
          {running.map((scan) => (
            <Card key={scan.id} summary={scan} />
          ))}
        </section>
      )}
      <section class="kept" aria-label="Scans that are kept">
        <Filters filter={filter} {...known} narrow={(to) => (choose(-1), list.narrow(to))} />
        {kept.length > 0 && <ScanTable scans={kept} chosen={chosen} choose={choose} />}
        {all !== null && kept.length === 0 && (
          <p class="waiting">{isFiltered ? "No scan is like that." : "No scan has ended yet."}</p>
        )}
        <More list={list} />
      </section>
    </div>
  );
}

/** The rigs and sides of all scans that were seen, for the filters. */
function useKnown(list: ScanList): { rigs: string[]; sides: string[] } {
  const seen = useRef({ rigs: new Set<string>(), sides: new Set<string>() });
  for (const { rig, side } of list.scans.value ?? []) {
    seen.current.rigs.add(rig);
    seen.current.sides.add(side);
  }
  return { rigs: [...seen.current.rigs].sort(), sides: [...seen.current.sides].sort() };
}

/** Loads the next page when the end of this one comes into sight. */
function More({ list }: { list: ScanList }) {
  const end = useRef<HTMLButtonElement>(null);
  const next = list.next.value;
  useEffect(() => {
    if (!end.current) return;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && void list.more(), {
      rootMargin: "400px",
    });
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [next]);
  if (next === null) return null;
  return (
    <button ref={end} type="button" class="quiet more" onClick={() => void list.more()}>
      Earlier scans
    </button>
  );
}
