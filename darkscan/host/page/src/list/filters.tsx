// Which scans the list shows.

import { useEffect, useRef, useState } from "preact/hooks";
import type { ScanFilter, ScanState } from "../api";

const STATES: ScanState[] = ["running", "silent", "complete", "incomplete", "failed", "aborted", "died"];
const TYPING_MS = 250;

export function Filters(props: {
  filter: ScanFilter;
  rigs: readonly string[];
  sides: readonly string[];
  narrow: (filter: ScanFilter) => void;
}) {
  const { filter, rigs, sides, narrow } = props;
  const [element, setElement] = useState(filter.element ?? "");
  const first = useRef(true);
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    const timer = setTimeout(() => narrow({ ...filter, element: element.trim() }), TYPING_MS);
    return () => clearTimeout(timer);
  }, [element]);
  return (
    <form class="filters" role="search" aria-label="Scans" onSubmit={(event) => event.preventDefault()}>
      <label>
        <span>Element</span>
        <input
          id="filter-element"
          type="search"
          placeholder="any   ( / )"
          maxLength={200}
          value={element}
          onInput={(event) => setElement(event.currentTarget.value)}
          onKeyDown={(event) => event.key === "Escape" && event.currentTarget.blur()}
        />
      </label>
      <Choice title="Rig" value={filter.rig} options={rigs} choose={(rig) => narrow({ ...filter, rig })} />
      <Choice title="Side" value={filter.side} options={sides} choose={(side) => narrow({ ...filter, side })} />
      <Choice
        title="State"
        value={filter.state}
        options={STATES}
        choose={(state) => narrow({ ...filter, state: state as ScanState | "" })}
      />
    </form>
  );
}

function Choice(props: {
  title: string;
  value: string | undefined;
  options: readonly string[];
  choose: (value: string) => void;
}) {
  const { title, value = "", options, choose } = props;
  return (
    <label>
      <span>{title}</span>
      <select value={value} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="">any</option>
        {options.map((option) => (
          <option key={option} value={option}>
            {option}
          </option>
        ))}
      </select>
    </label>
  );
}
