// Expiring soon, and what else needs somebody's hand: with what to do about it.

import { getPage } from "../api.js";
import { html, useData } from "../lib.js";
import { loadValidities } from "../parts/certificate.js";
import { KeyLink, Reasons, StateBadge } from "../parts/key.js";
import { Empty, Failure, Page } from "../parts/page.js";
import { Pages, usePages } from "../parts/pages.js";
import { Time, sayExactly } from "../parts/time.js";
import { count } from "../parts/words.js";

const SOON_MS = 30 * 86_400_000;

// What is urgent stands first, among those that are loaded.
const ORDER = ["compromised", "limit_near", "protect_stops", "deactivates", "pre_active", "never_used"];

export function Attention() {
  const pages = usePages((signal, cursor) => getPage("objects", { signal, query: { attention: "true", limit: 100, cursor } }), []);
  const items = [...pages.items].sort((one, other) => rank(one) - rank(other) || endOf(one) - endOf(other));
  return html`<${Page} title="Needs action" lead="Keys of yours that end within 30 days, wait, are compromised, nearly used up, or used by nobody.">
    ${pages.error && html`<${Failure} error=${pages.error} again=${pages.again} />`}
    ${items.length > 0 && html`<table class="list"><caption class="hidden">Keys that need action, the most urgent first</caption>
      <thead><tr><th scope="col">Key</th><th scope="col">State</th><th scope="col">Why, and what to do</th></tr></thead>
      <tbody>${items.map((item) => html`<tr key=${item.object_id}><th scope="row"><${KeyLink} item=${item} /></th>
        <td><${StateBadge} state=${item.state} /></td><td><${Reasons} reasons=${item.attention} /></td></tr>`)}</tbody></table>`}
    ${pages.isEnd && items.length === 0 && html`<${Empty} title="No key needs your hand."><p>No key of yours ends within 30 days, waits, or is compromised.</p><//>`}
    <${Pages} pages=${pages} shown=${count(items.length, "key")} />
    <${Certificates} />
  <//>`;
}

// A certificate has an end of its own beside the dates of its object.
function Certificates() {
  const ending = useData(loadEnding, []);
  if (ending.error) return html`<${Failure} error=${ending.error} again=${ending.again} />`;
  if (!ending.value?.length) return null;
  return html`<section class="stack"><h2>Certificates that end</h2><table class="list"><caption class="hidden">Certificates of yours that have ended or end within 30 days</caption>
    <thead><tr><th scope="col">Certificate</th><th scope="col">State</th><th scope="col">Ends</th></tr></thead>
    <tbody>${ending.value.map(({ item, until }) => html`<tr key=${item.object_id}><th scope="row"><${KeyLink} item=${item} /></th><td><${StateBadge} state=${item.state} /></td>
      <td data-label="Ends"><strong><${Time} value=${until} /></strong> <span class="sub">${sayExactly(until)}</span></td></tr>`)}</tbody></table></section>`;
}

async function loadEnding(signal) {
  const { items } = await getPage("objects", { signal, query: { type: "Certificate", state: "Active,PreActive", limit: 100 } });
  const validities = await loadValidities(items.map((item) => item.object_id), signal);
  return items
    .filter((item) => validities[item.object_id]?.until <= Date.now() + SOON_MS)
    .map((item) => ({ item, until: validities[item.object_id].until }))
    .sort((one, other) => one.until - other.until);
}

const rank = (item) => Math.min(...item.attention.map((one) => ORDER.indexOf(one.reason)));
const endOf = (item) => new Date(item.attention[0].at ?? 8.64e15).getTime();
