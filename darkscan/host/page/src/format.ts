// Numbers and times as the page writes them.

const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const thin = (text: string): string => text.replaceAll(",", "\u2009");

/** 12 345, with thin spaces. */
export const count = (value: number): string => thin(whole.format(value));

/** Some figures that matter: 0.042, 1.3, 12.5, 1 234. */
export function figure(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return count(value);
  if (size >= 10) return value.toFixed(1);
  if (size >= 1 || size === 0) return value.toFixed(1);
  return value.toPrecision(2);
}

/** A fraction as percent: rounded down, so that 100 % means all of it. */
export function percent(fraction: number, digits = 1): string {
  const scale = 10 ** digits;
  return `${(Math.floor(fraction * 100 * scale + 1e-9) / scale).toFixed(digits)}\u2009%`;
}

/** Milliseconds: 0.42, 4.2, 42, 420, 4 200. */
export function milliseconds(value: number): string {
  if (value >= 10) return count(value);
  return value >= 1 ? value.toFixed(1) : value.toFixed(2);
}

/** A length: 420 µm, 4.2 mm, 1.25 m. */
export function length(mm: number): string {
  if (mm >= 1000) return `${(mm / 1000).toFixed(2)}\u2009m`;
  if (mm >= 0.1 || mm === 0) return `${figure(mm)}\u2009mm`;
  return `${figure(mm * 1000)}\u2009µm`;
}

/** A clock of seconds: 0:07, 12:34, 1:02:03. */
export function clock(seconds: number): string {
  const total = Math.max(0, Math.round(seconds));
  const two = (value: number): string => String(value).padStart(2, "0");
  const minutes = Math.floor(total / 60);
  if (minutes < 60) return `${minutes}:${two(total % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(total % 60)}`;
}

/** How long: 7 s, 3 min 20 s, 2 h 5 min, 3 days. */
export function span(seconds: number): string {
  const total = Math.max(0, Math.round(seconds));
  if (total < 60) return `${total}\u2009s`;
  if (total < 600) return `${Math.floor(total / 60)}\u2009min ${total % 60}\u2009s`;
  if (total < 3600) return `${Math.round(total / 60)}\u2009min`;
  if (total < 172_800) {
    return `${Math.floor(total / 3600)}\u2009h ${Math.floor((total % 3600) / 60)}\u2009min`;
  }
  return `${Math.floor(total / 86_400)} days`;
}

/** Of the day, by this browser's clock: 20:41:07. */
export const timeOfDay = (at: string | number): string =>
  new Date(at).toLocaleTimeString("en-GB", { hour12: false });

/** Day and minute: 2026-01-31 12:00; of today only the time. */
export function moment(at: string, now = Date.now()): string {
  const date = new Date(at);
  const time = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (new Date(now).toDateString() === date.toDateString()) return `today ${time}`;
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
}
