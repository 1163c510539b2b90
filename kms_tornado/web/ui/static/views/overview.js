// Overview: whether the server and the keys are well, at a glance.

import { getJSON, getPage } from "../api.js";
import { html, useData } from "../lib.js";
import { Bars, fillSteps } from "../parts/chart.js";
import { Icon } from "../parts/icons.js";
import { Badge, KeyLink, Reasons } from "../parts/key.js";
import { Empty, Loaded, Page } from "../parts/page.js";
import { findPage } from "../parts/pages.js";
import { Time } from "../parts/time.js";
import { count, wordOfRefusal, wordOfState, wordsOfOperation } from "../parts/words.js";
import { link } from "../router.js";

const HOUR_MS = 3_600_000;
const SHOWN = 5;
export const RESULTS = [["Done", "fill-good"], ["Failed", "fill-warn"], ["Refused", "fill-bad"]];
export const pickResults = ({ results }) => [results.Success ?? 0, (results.Failed ?? 0) + (results.Undone ?? 0), results.Refused ?? 0];
export const sayHour = (at) => new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

export function Overview({ who }) {
  const ready = useData((signal) => getJSON("ready", { signal, accept: [503] }), []);
  const summary = useData((signal) => getJSON("objects/summary", { signal }), []);
  const attention = useFirst("objects", { attention: "true", limit: SHOWN });
  const since = new Date(Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 23 * HOUR_MS).toISOString();
  const requests = useData((signal) => getJSON("audit/statistics", { signal, query: { since } }), []);
  const refusals = useFirst("audit", { result: "Failed", limit: SHOWN });
  return html`<${Page} title="Overview" lead=${who.may_read_whole_audit ? "All of the server, as you are one of its auditors." : "The server, your keys, and what was done with them."}>
    <div class="stack">
      <${Verdict} ready=${ready.value} attention=${attention.value} />
      <div class="grid">
        <section class="card whole"><h2>Requests and refusals, the last 24 hours</h2><${Loaded} data=${requests}>${(counts) => html`
          <${Bars} label="Requests by hour" steps=${fillSteps(counts, pickResults)} series=${RESULTS} sayStep=${sayHour} />
          ${counts.counted_since > counts.since && html`<p class="hint">There were so many that only those since ${sayHour(counts.counted_since)} are counted.</p>`}
        `}<//></section>
        <div class="stack">
          <section class="card"><h2>Your keys</h2><${Loaded} data=${summary}>${(value) => html`<${Numbers} summary=${value} />`}<//></section>
          <section class="card"><h2>The server</h2><${Loaded} data=${ready}>${(value) => html`<${Checks} checks=${value.checks} />`}<//></section>
        </div>
        <div class="stack">
          <section class="card"><h2>Needs attention</h2><${Loaded} data=${attention}>${(page) => html`<${Attention} page=${page} />`}<//></section>
          <section class="card"><h2>Failed or refused lately</h2><${Loaded} data=${refusals}>${(page) => html`<${Refusals} page=${page} />`}<//></section>
        </div>
      </div>
    </div>
  <//>`;
}

const useFirst = (path, query) =>
  useData((first) => findPage((signal, cursor) => getPage(path, { signal, query: { ...query, cursor } }), first), []);

// One sentence for who has one second.
function Verdict({ ready, attention }) {
  if (ready === undefined) return null;
  const broken = Object.entries(ready.checks).filter(([, check]) => check.state !== "OK").map(([name]) => name);
  const keys = attention?.items.length ?? 0;
  const kind = ready.state === "DOWN" ? "bad" : broken.length || keys ? "warn" : "good";
  const words = [
    ready.state === "DOWN" && `The server is not working: ${broken.join(", ")}.`,
    ready.state !== "DOWN" && broken.length > 0 && `The server works, but not all is well: ${broken.join(", ")}.`,
    keys > 0 && `${attention?.next ? "At least " : ""}${count(keys, "key needs", "keys need")} your attention.`,
  ].filter(Boolean).join(" ");
  return html`<p class=${`card verdict ${kind}`}><${Icon} name=${kind === "good" ? "access" : "warning"} /><span>${words || describeNone(attention)}</span></p>`;
}

function describeNone(attention) {
  if (!attention) return "The server works.";
  return attention.next ? "The server works, and none of your newest keys needs your attention." : "All is well: the server works, and no key needs your attention.";
}

function Numbers({ summary }) {
  if (summary.objects === 0) return html`<${Empty} title="You have no keys yet."><p><a href=${link("keys")}>Create one</a></p><//>`;
  return html`<dl class="numbers"><div><dt>All</dt><dd><a href=${link("keys")}>${summary.objects.toLocaleString("en")}</a></dd></div>
    ${Object.entries(summary.states).map(([state, number]) => html`<div key=${state}><dt>${wordOfState(state)}</dt><dd><a href=${link("keys", { state })}>${number.toLocaleString("en")}</a></dd></div>`)}
  </dl>
  ${summary.deactivating_soon > 0 && html`<p class="hint">${count(summary.deactivating_soon, "key ends", "keys end")} within 30 days.</p>`}`;
}

function Attention({ page }) {
  if (page.items.length === 0) return html`<${None} page=${page} none="Nothing ends soon, waits, or is compromised." path="attention" />`;
  return html`<ul class="checks">${page.items.map((item) => html`<li key=${item.object_id}><div class="what"><${KeyLink} item=${item} /><${Reasons} reasons=${item.attention} /></div></li>`)}</ul>
    <p><a href=${link("attention")}>${page.next ? "All that need attention" : "What to do"}</a></p>`;
}

const None = ({ page, none, path, query = {} }) =>
  page.next
    ? html`<p class="dim">There is none among the newest. <a href=${link(path, query)}>Look further</a></p>`
    : html`<p class="dim">${none}</p>`;

const LEVELS = { OK: ["good", "OK"], DEGRADED: ["warn", "Degraded"], DOWN: ["bad", "Down"] };

function Checks({ checks }) {
  return html`<ul class="checks">${Object.entries(checks).map(([name, check]) => {
    const [kind, word] = LEVELS[check.state] ?? ["dim", check.state];
    return html`<li key=${name}><span class="what">${nameCheck(name)}
      <span class="sub">${describeCheck(check)}</span></span><${Badge} kind=${kind}>${word}<//></li>`;
  })}</ul>`;
}

const nameCheck = (name) => ({ database: "Database", audit: "Audit", objects: "Stored keys", certificate: "TLS certificate" })[name] ?? name[0].toUpperCase() + name.slice(1);

function describeCheck(check) {
  return html`${check.cause && `${check.cause}, `}since <${Time} value=${check.since} />${check.keys !== undefined && `; ${count(check.keys, "signing key")}`}${
    check.age_seconds !== undefined && html`, fetched <${Time} value=${Date.now() - check.age_seconds * 1000} />`}${
    check.ends !== undefined && html`; ends <${Time} value=${check.ends} />`}`;
}

function Refusals({ page }) {
  if (page.items.length === 0) return html`<${None} page=${page} none="Nothing was refused." path="audit" query=${{ result: "Failed" }} />`;
  return html`<ul class="checks">${page.items.map((record) => html`<li key=${`${record.chain}.${record.seq}`}><span class="what">
      <strong>${record.principal ?? "nobody known"}</strong>: ${wordsOfOperation(record.operation)}${record.uid && html` <code>${record.uid}</code>`}
      <span class="sub">${wordOfRefusal(record.reason)}</span></span><${Time} value=${record.time} /></li>`)}</ul>
    <p><a href=${link("audit", { result: "Failed" })}>All of them</a></p>`;
}
