// The audit: what was done, by whom, and why the answer was no.

import { getPage } from "../api.js";
import { html, useId, useState } from "../lib.js";
import { Empty, Failure, Page } from "../parts/page.js";
import { Pages, usePages } from "../parts/pages.js";
import { Records } from "../parts/records.js";
import { count } from "../parts/words.js";
import { go, link } from "../router.js";

const FIELDS = ["uid", "principal", "operation", "result", "since"];
const RESULTS = [["", "Any"], ["Success", "Done"], ["Failed", "Failed"], ["Refused", "Refused"], ["Undone", "Undone"]];

export function Audit({ query, who }) {
  const filter = Object.fromEntries(FIELDS.map((name) => [name, query.get(name) ?? ""]));
  const pages = usePages((signal, cursor) => getPage("audit", { signal, query: { ...filter, limit: 50, cursor } }), Object.values(filter));
  const isFiltered = Object.values(filter).some(Boolean);
  return html`<${Page} title="Audit" actions=${html`<button onClick=${pages.restart}>Refresh</button>`}
      lead=${who.may_read_whole_audit ? "All that was done on this server, as you are one of its auditors." : "What you did, and what anybody did with your keys. A record is here some three seconds after it happened."}>
    <${Filters} key=${JSON.stringify(filter)} filter=${filter} />
    ${pages.error && html`<${Failure} error=${pages.error} again=${pages.again} />`}
    ${pages.items.length > 0 && html`<${Records} records=${pages.items} />`}
    ${pages.isEnd && pages.items.length === 0 && html`<${Empty} title=${isFiltered ? "No record is like this." : "There are no records that you may read."}>
      ${isFiltered && html`<p><a href=${link("audit")}>Show all records</a></p>`}<//>`}
    <${Pages} pages=${pages} shown=${count(pages.items.length, "record")} more="Show older ones" />
  <//>`;
}

function Filters({ filter }) {
  const [fields, setFields] = useState(filter);
  const id = useId();
  const set = (name) => (event) => setFields({ ...fields, [name]: event.currentTarget.value });
  const apply = (event) => {
    event.preventDefault();
    go(link("audit", fields));
  };
  const input = (name, label, more = {}) => html`<div><label for=${`${id}-${name}`}>${label}</label>
    <input id=${`${id}-${name}`} value=${fields[name]} autocomplete="off" autocapitalize="off" spellcheck=${false} maxlength="254" onInput=${set(name)} ...${more} /></div>`;
  return html`<form class="filters" role="search" onSubmit=${apply}>
    ${input("uid", "Key", { placeholder: "identifier" })}
    ${input("principal", "Who", { placeholder: "name of a user" })}
    ${input("operation", "What", { placeholder: "as Encrypt", pattern: "[A-Za-z_]{1,40}" })}
    <div><label for=${`${id}-result`}>Result</label><select id=${`${id}-result`} value=${fields.result} onChange=${set("result")}>
      ${RESULTS.map(([value, word]) => html`<option key=${value} value=${value}>${word}</option>`)}</select></div>
    ${input("since", "Since", { type: "date" })}
    <div><button class="primary">Search</button></div>
  </form>`;
}
