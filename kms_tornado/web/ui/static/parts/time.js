// Times as people say them, with the exact one beside it.

import { html } from "../lib.js";

const STEPS = [
  ["year", 365.25 * 86_400],
  ["month", 30.4375 * 86_400],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

// "in 9 days", "2 hours ago". at: milliseconds since the epoch.
export function sayWhen(at, now = Date.now()) {
  const seconds = (at - now) / 1000;
  for (const [unit, length] of STEPS) {
    if (Math.abs(seconds) >= length) return relative.format(Math.round(seconds / length), unit);
  }
  return seconds > 0 ? "in a moment" : "just now";
}

export const sayExactly = (at) => new Date(at).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });

export const sayDate = (at) => new Date(at).toLocaleDateString("en-GB", { dateStyle: "medium" });

// value: anything that Date takes, or null. isExact: the time itself, and not how long ago it is.
export function Time({ value, isExact = false }) {
  const at = value === null || value === undefined ? Number.NaN : new Date(value).getTime();
  if (Number.isNaN(at)) return html`<span class="dim">–</span>`;
  return html`<time datetime=${new Date(at).toISOString()} title=${sayExactly(at)}>${isExact ? sayExactly(at) : sayWhen(at)}</time>`;
}
