import { signal } from "@preact/signals";

/** Now, ms since 1970; moves on once a second. */
export const now = signal(Date.now());
setInterval(() => (now.value = Date.now()), 1000);
