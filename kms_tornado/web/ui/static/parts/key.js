// How a key is shown: its name with its identifier, its state, its kind, and why it needs attention.

import { html } from "../lib.js";
import { link } from "../router.js";
import { Time } from "./time.js";
import { ATTENTION, STATES, wordOfState, wordOfType } from "./words.js";

export const Badge = ({ kind = "dim", children }) => html`<span class=${`badge ${kind}`}>${children}</span>`;

export const StateBadge = ({ state }) => html`<${Badge} kind=${STATES[state]?.[1]}>${wordOfState(state)}<//>`;

// key: as /objects lists it.
export const nameOf = (key) => key.names?.[0] || key.object_id;

export function KeyLink({ item }) {
  const name = nameOf(item);
  return html`<a class="key-link" href=${link("keys", item.object_id)}>${name}</a>
    ${name !== item.object_id && html`<span class="sub mono">${item.object_id}</span>`}`;
}

export const Tags = ({ tags }) => (tags ?? []).map((tag) => html`<span class="tag" key=${tag}>${tag}</span>`);

// "AES 256".
export function describeKind(attributes) {
  if (!attributes) return "";
  const { CryptographicAlgorithm: algorithm, CryptographicLength: length, ObjectType: type } = attributes;
  return [algorithm ?? wordOfType(type), length].filter(Boolean).join(" ");
}

// Its kind in a list. What is no symmetric key says so: of a pair, both halves have the same algorithm and length.
export function Kind({ attributes }) {
  const kind = describeKind(attributes);
  const type = attributes?.ObjectType;
  const half = type && type !== "SymmetricKey" && kind !== wordOfType(type) && wordOfType(type);
  return html`${kind}${half && html`<span class="sub">${half}</span>`}`;
}

export const Reasons = ({ reasons }) => html`<ul class="reasons">${reasons.map((one) => {
  const [what, advice] = ATTENTION[one.reason === "pre_active" && !one.at ? "waiting" : one.reason] ?? [one.reason, ""];
  return html`<li key=${one.reason}><strong>${what}${one.at && html`${" "}<${Time} value=${one.at} />`}.</strong> ${advice}</li>`;
})}</ul>`;
