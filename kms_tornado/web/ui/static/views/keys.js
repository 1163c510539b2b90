// Keys: those of the caller, and those that others share; searched, filtered, and page by page.

import { createKey } from "../actions/create.js";
import { getPage } from "../api.js";
import { html, useEffect, useId, useState } from "../lib.js";
import { Kind, KeyLink, StateBadge, Tags } from "../parts/key.js";
import { Empty, Failure, Page } from "../parts/page.js";
import { Pages, usePages } from "../parts/pages.js";
import { Time } from "../parts/time.js";
import { count, STATES, TYPES } from "../parts/words.js";
import { go, link } from "../router.js";

const TYPING_MS = 300;

export function Keys({ query, who }) {
  const of = query.get("of") === "obtained" ? "obtained" : "owned";
  const filter = { of, text: query.get("text") ?? "", state: query.get("state") ?? "", type: query.get("type") ?? "" };
  const pages = usePages((signal, cursor) => getPage("objects", { signal, query: { ...filter, limit: 50, cursor } }), Object.values(filter));
  const create = async () => {
    const uid = await createKey();
    if (uid) go(link("keys", uid));
  };
  return html`<${Page} title="Keys" actions=${who.may_create_objects && html`<button class="primary" onClick=${create}>Create a key</button>`}>
    <nav class="tabs" aria-label="Whose keys">
      <a href=${link("keys")} aria-current=${of === "owned" ? "page" : undefined}>Mine</a>
      <a href=${link("keys", { of: "obtained" })} aria-current=${of === "obtained" ? "page" : undefined}>Shared with me</a>
    </nav>
    <${Filters} filter=${filter} />
    ${pages.error && html`<${Failure} error=${pages.error} again=${pages.again} />`}
    ${pages.items.length > 0 && html`<${KeyTable} items=${pages.items} of=${of} />`}
    ${pages.isEnd && pages.items.length === 0 && html`<${NoKeys} filter=${filter} mayCreate=${who.may_create_objects} create=${create} />`}
    <${Pages} pages=${pages} shown=${count(pages.items.length, "key")} />
  <//>`;
}

function Filters({ filter }) {
  const [text, setText] = useState(filter.text);
  const id = useId();
  const change = (changes) => go(link("keys", { ...filter, of: filter.of === "owned" ? "" : filter.of, ...changes }), { replace: true });
  useEffect(() => {
    if (text === filter.text) return undefined;
    const timer = setTimeout(() => change({ text }), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const select = (name, label, words) => html`<div><label for=${`${id}-${name}`}>${label}</label>
    <select id=${`${id}-${name}`} value=${filter[name]} onChange=${(event) => change({ [name]: event.currentTarget.value })}>
      <option value="">Any</option>${Object.entries(words).map(([value, word]) => html`<option key=${value} value=${value}>${word}</option>`)}
    </select></div>`;
  return html`<form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
    <div class="wide"><label for=${`${id}-text`}>Search</label>
      <input id=${`${id}-text`} type="search" maxlength="200" value=${text} placeholder="name, identifier, tag or owner" onInput=${(event) => setText(event.currentTarget.value)} /></div>
    ${select("state", "State", Object.fromEntries(Object.entries(STATES).map(([state, [word]]) => [state, word])))}
    ${select("type", "Type", TYPES)}
  </form>`;
}

export function KeyTable({ items, of }) {
  const isMine = of === "owned";
  return html`<table class="list"><caption class="hidden">${isMine ? "Your keys" : "Keys that others share with you"}, the newest first</caption>
    <thead><tr><th scope="col">Key</th><th scope="col">Kind</th><th scope="col">State</th>
      ${isMine ? html`<th scope="col">Ends</th><th scope="col" class="number">Uses</th><th scope="col">Last used</th><th scope="col">Shared with</th>`
        : html`<th scope="col">Owner</th><th scope="col">You may</th>`}</tr></thead>
    <tbody>${items.map((item) => html`<tr key=${item.object_id}>
      <th scope="row"><${KeyLink} item=${item} /><div><${Tags} tags=${item.tags} /></div></th>
      <td class=${item.attributes ? "brief" : "empty-cell"}><${Kind} attributes=${item.attributes} /></td>
      <td><${StateBadge} state=${item.state} /></td>
      ${isMine ? html`
        <td data-label="Ends" class=${item.attributes.DeactivationDate ? "brief" : "empty-cell"}><${Time} value=${item.attributes.DeactivationDate} /></td>
        <td data-label="Uses" class="number">${item.uses.toLocaleString("en")}</td>
        <td data-label="Last used" class=${item.last_used ? "brief" : "empty-cell"}><${Time} value=${item.last_used} /></td>
        <td data-label="Shared with" class=${item.shared_with ? "" : "empty-cell"}>${item.shared_with || html`<span class="dim">nobody</span>`}</td>`
      : html`<td data-label="Owner">${item.owner_id}</td><td data-label="You may">${item.operations.join(", ").replaceAll("_", " ")}</td>`}
    </tr>`)}</tbody></table>`;
}

function NoKeys({ filter, mayCreate, create }) {
  if (filter.text || filter.state || filter.type) {
    return html`<${Empty} title="No key is like this."><p><a href=${link("keys", { of: filter.of === "owned" ? "" : filter.of })}>Show all keys</a></p><//>`;
  }
  if (filter.of === "obtained") {
    return html`<${Empty} title="Nobody shares a key with you yet."><p>Whoever owns a key can share it with you by your name here. It stands on the page <a href=${link("me")}>Me</a>.</p><//>`;
  }
  return html`<${Empty} title="You have no keys yet.">
    <p>${mayCreate ? html`<button onClick=${create}>Create your first key</button>` : "On this server only some people may create keys; others can share theirs with you."}</p><//>`;
}
