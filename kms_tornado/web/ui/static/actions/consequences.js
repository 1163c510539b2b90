// What stops working when a key is ended: who holds rights on it, who used it last, what is linked to it, and which
// keys left the server wrapped by it. A dialog that ends a key shows it before anybody can confirm.

import { getJSON, getPage } from "../api.js";
import { perform, uid as identifier, unnest } from "../kmip.js";
import { html, useData } from "../lib.js";
import { wordsOfLink } from "../parts/words.js";
import { describeOperations, describeUser } from "./sharing.js";

const USES = new Set(["Encrypt", "Decrypt", "Sign", "SignatureVerify", "MAC", "MACVerify", "DeriveKey", "Get", "Export"]);
const SHOWN = 8;
const RECORDS = 200;

// {state, links, grants, uses: [{principal, operation, time}], wrapped: [identifier]}; what could not be learned is an Error.
export async function findConsequences(uid, signal) {
  const orError = (promise) => promise.catch((error) => error);
  const [attributes, grants, records] = await Promise.all([
    orError(perform("GetAttributes", identifier(uid))),
    orError(getJSON(`access/list/${encodeURIComponent(uid)}`, { signal })),
    orError(getPage("audit", { signal, query: { uid, limit: RECORDS } })),
  ]);
  const all = records instanceof Error ? [] : records.items.filter((record) => record.result === "Success");
  return {
    state: attributes instanceof Error ? attributes : attributes.Attributes?.State,
    links: attributes instanceof Error ? attributes : unnest(attributes.Attributes?.Link, "Link"),
    grants,
    uses: records instanceof Error ? records : all.filter((record) => USES.has(record.operation)),
    wrapped: [...new Set(all.filter((record) => isWrappedBy(record, uid)).map((record) => record.uid))],
  };
}

// A Get or Export of another key, in which this one took part, wrapped it.
const isWrappedBy = (record, uid) =>
  (record.operation === "Get" || record.operation === "Export") && record.uid !== uid && (record.also ?? []).includes(uid);

// isDestroyed: it is going to be, not only revoked.
export function Consequences({ uid, isDestroyed = false }) {
  const { value, waiting } = useData((signal) => findConsequences(uid, signal), [uid]);
  if (!value) return html`<p class="hint" role="status">${waiting ? "Looking at who uses it …" : ""}</p>`;
  return html`<ul class="consequences" aria-label="What is known about its use">
    <${Item} of=${value.grants} what="who else may use it">${(grants) =>
      grants.length === 0
        ? "Nobody else has rights on it."
        : html`Others lose what they may do: ${enumerate(grants.map((one) => html`<strong>${describeUser(one.user_id)}</strong> (${describeOperations(one.operations)})`))}.`}<//>
    <${Item} of=${value.uses} what="when it was last used">${(uses) => describeUses(uses)}<//>
    ${value.wrapped.length > 0 && html`<li>It has wrapped other keys, which are not unwrapped without it: ${enumerate(value.wrapped.map((one) => html`<code>${one}</code>`))}.</li>`}
    ${isDestroyed && hasPublicKey(value.links) && html`<li>Its public key goes on encrypting, and nobody can decrypt that: revoke it as well.</li>`}
    <${Item} of=${value.links} what="what is linked to it">${(links) =>
      links.length === 0
        ? "No other object is linked to it."
        : html`Linked to it, and kept: ${enumerate(links.map((link) => html`${wordsOfLink(link.LinkType)} <code>${link.LinkedObjectIdentifier}</code>`))}.`}<//>
  </ul>`;
}

const hasPublicKey = (links) => !(links instanceof Error) && links.some((link) => link.LinkType === "PublicKeyLink");

const Item = ({ of, what, children }) =>
  html`<li>${of instanceof Error ? `It cannot be told ${what}: ${of.message}` : children(of)}</li>`;

function describeUses(uses) {
  if (uses.length === 0) return "The audit has no use of it. That is no proof that nobody needs it.";
  const [last] = uses;
  const people = [...new Set(uses.map((use) => use.principal))];
  return html`Last used ${new Date(last.time).toLocaleString()} by <strong>${last.principal}</strong> (${last.operation});${" "}${people.length === 1 ? "nobody else" : `${people.length} people`} of late.`;
}

// a, b and c; cut where there are many.
function enumerate(items) {
  const shown = items.slice(0, SHOWN);
  const rest = items.length - shown.length;
  return html`${shown.map((item, index) => html`${index > 0 && ", "}${item}`)}${rest > 0 && ` and ${rest} more`}`;
}
