// Which scans the list shows.

import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { ScanFilter, ScanState } from "../api";

const STATES: ScanState[] = ["running", "silent", "complete", "incomplete", "failed", "aborted", "died"];
const TYPING_MS = 250;

export function Filters(props: {
  filter: ScanFilter;
  rigs: readonly string[];
  sides: readonly string[];
  /** Changes a part of the filter. */
  narrow: (change: ScanFilter) => void;
}) {
  const { filter, rigs, sides, narrow } = props;
  const [element, setElement] = useState(filter.element ?? "");
  const first = useRef(true);
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    const timer = setTimeout(() => narrow({ element: element.trim() }), TYPING_MS);
    return () => clearTimeout(timer);
  }, [element]);
  return (
    <form class="scan-filters" role="search" aria-label="Scans" onSubmit={(event) => event.preventDefault()}>
      <div>
        <label for="filter-element">Element</label>
        <input
          id="filter-element"
          type="search"
          placeholder="any   ( / )"
          maxLength={200}
          value={element}
          onInput={(event) => setElement(event.currentTarget.value)}
          onKeyDown={(event) => event.key === "Escape" && event.currentTarget.blur()}
        />
      </div>
      <Choice title="Rig" value={filter.rig} options={rigs} choose={(rig) => narrow({ rig })} />
      <Choice title="Side" value={filter.side} options={sides} choose={(side) => narrow({ side })} />
      <Choice
        title="State"
        value={filter.state}
        options={STATES}
        choose={(state) => narrow({ state: state as ScanState | "" })}
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
  const id = useId();
  return (
    <div>
      <label for={id}>{title}</label>
      <select id={id} value={value} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="">any</option>
        {options.map((option) => (
          <option key={option} value={option}>
            {option}
          </option>
        ))}
      </select>
    </div>
  );
}
