// Access: what may somebody do with my keys, who may use one of them, and why the answer is no.

import { describeOperations, shareKey, withdraw } from "../actions/sharing.js";
import { APIError, getJSON, getPage } from "../api.js";
import { list, performAll, uid as identifier } from "../kmip.js";
import { html, useData, useId, useState } from "../lib.js";
import { Icon } from "../parts/icons.js";
import { KeyLink, nameOf, StateBadge } from "../parts/key.js";
import { KeyField, resolveKey } from "../parts/key-field.js";
import { Empty, Failure, Loaded, Page } from "../parts/page.js";
import { Pages, usePages } from "../parts/pages.js";
import { count, STATES, wordOfState } from "../parts/words.js";
import { go, link } from "../router.js";

export function Access({ query }) {
  const user = query.get("user") ?? "";
  const key = query.get("key") ?? "";
  return html`<${Page} title="Access" lead="Who may use your keys. A user has what was granted by name, to a group, or to everybody.">
    <div class="stack">
      <${Question} key=${`${user} ${key}`} user=${user} named=${key} />
      ${key && html`<${OfKey} named=${key} user=${user} />`}
      ${user && !key && html`<${OfUser} user=${user} />`}
      ${!user && !key && html`<${Empty} title="Ask about a user, a key, or both."><p>As “what may bob@example.com do?”, “who may use invoices?”, or “may bob use invoices?”.</p><//>`}
    </div>
  <//>`;
}

function Question({ user, named }) {
  const [who, setWho] = useState(user);
  const [key, setKey] = useState(named);
  const id = useId();
  const ask = (event) => {
    event.preventDefault();
    go(link("access", { user: who.trim(), key: key.trim() }));
  };
  return html`<form class="filters card" role="search" onSubmit=${ask}>
    <div><label for=${id}>User or group</label><input id=${id} value=${who} placeholder="bob@example.com, group:NAME" autocomplete="off" autocapitalize="off" spellcheck=${false}
      onInput=${(event) => setWho(event.currentTarget.value)} /></div>
    <${KeyField} label="Key" value=${key} onChange=${setKey} />
    <div><button class="primary">Ask</button></div>
  </form>`;
}

function OfUser({ user }) {
  const pages = usePages((signal, cursor) => getPage("objects", { signal, query: { grantee: user, limit: 100, cursor } }), [user]);
  const take = (item, one) => withdraw({ uid: item.object_id, name: nameOf(item), user: one.user_id, operations: one.operations }).then((isDone) => isDone && pages.restart());
  return html`<section><h2>What may ${user} do with your keys?</h2>
    ${pages.error && html`<${Failure} error=${pages.error} again=${pages.again} />`}
    ${pages.items.length > 0 && html`<table class="list"><caption class="hidden">Keys of yours that ${user} may use</caption>
      <thead><tr><th scope="col">Key</th><th scope="col">State</th><th scope="col">May</th></tr></thead>
      <tbody>${pages.items.map((item) => html`<tr key=${item.object_id}><th scope="row"><${KeyLink} item=${item} /></th><td><${StateBadge} state=${item.state} /></td>
        <td><ul class="checks">${item.grants.map((one) => html`<li key=${one.user_id}><span class="what">${describeOperations(one.operations)}${one.user_id !== user && html`<span class="sub">as everybody</span>`}</span>
          <button aria-label=${`Take the rights of ${one.user_id} on ${nameOf(item)} back`} onClick=${() => take(item, one)}>Take back</button></li>`)}</ul></td></tr>`)}</tbody></table>`}
    ${pages.isEnd && pages.items.length === 0 && html`<${Empty} title=${`${user} may use none of your keys.`}><p>Open a key to share it. What groups of theirs may do is asked for as group:NAME.</p><//>`}
    <${Pages} pages=${pages} shown=${count(pages.items.length, "key")} />
  </section>`;
}

function OfKey({ named, user }) {
  const key = useData((signal) => loadRights(named, signal), [named]);
  return html`<section class="card"><h2>${user ? html`May ${user} use it?` : "Who may use it?"}</h2>
    <${Loaded} data=${key}>${(value) => html`
      <p><${KeyLink} item=${{ object_id: value.uid, names: [value.name] }} />${value.state && html`${" "}<${StateBadge} state=${value.state} />`}</p>
      ${user && html`<${Answer} value=${value} user=${user} />`}
      ${!user && (value.grants.length === 0
        ? html`<p>You alone, as its owner.</p>`
        : html`<p>You, as its owner, and:</p><ul class="checks">${value.grants.map((one) => html`<li key=${one.user_id}><span class="what"><strong>${one.user_id === "*" ? "Everybody who can sign in" : one.user_id}</strong>
          <span class="sub">may ${describeOperations(one.operations)}</span></span>
          <button onClick=${() => withdraw({ uid: value.uid, name: value.name, user: one.user_id, operations: one.operations }).then((isDone) => isDone && key.again())} aria-label=${`Take the rights of ${one.user_id} back`}>Take back</button></li>`)}</ul>`)}
      <div class="more"><button onClick=${() => shareKey({ uid: value.uid, name: value.name }).then((isDone) => isDone && key.again())}>Share it</button></div>
    `}<//></section>`;
}

async function loadRights(named, signal) {
  const uid = await resolveKey(named);
  const [grants, [answer]] = await Promise.all([
    getJSON(`access/list/${encodeURIComponent(uid)}`, { signal }).catch((error) => {
      if (error.status !== 422) throw error;
      throw new APIError(422, error.reason, "You own no such key.", "Only the owner of a key is told who may use it.");
    }),
    performAll([["GetAttributes", identifier(uid)]], { signal }),
  ]);
  const attributes = answer.value?.Attributes ?? {};
  return { uid, grants, state: attributes.State, attributes, name: list(attributes.Name)[0]?.NameValue ?? uid };
}

// What holding the key itself makes possible anyway (docs/http.md).
const COVERED = ["export", "get_attributes", "encrypt", "decrypt", "sign", "signature_verify", "mac", "mac_verify"];

function Answer({ value, user }) {
  const own = value.grants.find((one) => one.user_id === user)?.operations ?? [];
  const shared = user === "*" ? [] : (value.grants.find((one) => one.user_id === "*")?.operations ?? []);
  const all = [...new Set([...own, ...shared])];
  const operations = all.includes("get") ? [...new Set([...all, ...COVERED])] : all;
  const groups = value.grants.filter((one) => one.user_id.startsWith("group:")).map((one) => one.user_id);
  const hints = [
    operations.length > 0 && value.state && value.state !== "Active" && `But it is ${wordOfState(value.state)}: ${STATES[value.state][2]}`,
    own.length > 0 && shared.length > 0 && `Everybody may ${describeOperations(shared)}.`,
    groups.length > 0 && !user.startsWith("group:") && `Whoever is in ${groups.join(", ")} has the rights of the group, too: their token says whether ${user} is.`,
    operations.length === 0 && "Share it with them, or ask whether they sign in under another name.",
  ].filter(Boolean);
  return html`<div class=${`notice ${operations.length ? "success" : "warning"}`} role="status"><div class="answer"><${Icon} name=${operations.length ? "access" : "warning"} />
    <div><strong>${operations.length ? html`Yes: ${user} may ${describeOperations(operations)}.` : html`No: nothing was granted to ${user}.`}</strong>
    ${hints.map((hint) => html`<p key=${hint}>${hint}</p>`)}</div></div></div>`;
}
