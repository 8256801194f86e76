import { useEffect } from "preact/hooks";
import { connection, listen } from "../api";
import { span, timeOfDay } from "../format";
import { now } from "./clock";

/** A shorter break than this is not worth a word. */
const PATIENCE_S = 2;

export function ConnectionBanner() {
  useEffect(() => listen(() => undefined), []);
  const { state, since } = connection.value;
  const seconds = (now.value - since) / 1000;
  const lost = state !== "open" && seconds >= PATIENCE_S;
  useEffect(() => {
    document.body.classList.toggle("stale", lost);
  }, [lost]);
  if (!lost) return null;
  return (
    <div class="banner lost" role="alert">
      <strong>No connection to the host</strong>
      <span aria-live="off">
        for {span(seconds)}. What you see is from {timeOfDay(since)}. Trying again…
      </span>
    </div>
  );
}
