// One key: its life-cycle and what can be done next, who may do what, its uses by day, what was done with it, and its
// attributes.

import { destroyKey, revokeKey } from "../actions/ending.js";
import { rekey } from "../actions/rekey.js";
import { describeOperations, shareKey, withdraw } from "../actions/sharing.js";
import { APIError, getJSON, getPage } from "../api.js";
import { list, performAll, uid as identifier } from "../kmip.js";
import { html, useData, useState } from "../lib.js";
import { Bars, fillSteps } from "../parts/chart.js";
import { describeKind, Reasons, StateBadge, Tags } from "../parts/key.js";
import { loadValidities } from "../parts/certificate.js";
import { LifeCycle } from "../parts/lifecycle.js";
import { say } from "../parts/messages.js";
import { Empty, Failure, Loaded, Page } from "../parts/page.js";
import { Records } from "../parts/records.js";
import { Time, sayDate, sayExactly } from "../parts/time.js";
import { wordOfType, wordsOfLink } from "../parts/words.js";
import { go, link } from "../router.js";

const DAY_MS = 86_400_000;
const DAYS = 30;
const MOST_PAGES = 5;

export function Key({ params: { uid }, who }) {
  const key = useData((signal) => loadKey(uid, who, signal), [uid]);
  const [turn, setTurn] = useState(0);
  const changed = () => {
    key.again();
    setTurn(turn + 1);
  };
  if (key.value === undefined) {
    return html`<${Page} title="Key" lead=${html`<code>${uid}</code>`}><${Loaded} data=${key}>${() => null}<//><//>`;
  }
  const { value } = key;
  return html`<${Page} title=${value.name} actions=${html`<${Actions} value=${value} changed=${changed} />`}
      lead=${html`<${StateBadge} state=${value.state} />${" "}${[wordOfType(value.attributes.ObjectType), describeKind(value.attributes)].filter(Boolean).join(" · ")}
        ${value.name !== uid && html`<span class="sub mono">${uid}</span>`}`}>
    <div class="stack">
      ${key.error && html`<${Failure} error=${key.error} again=${key.again} />`}
      ${value.item?.attention?.length > 0 && html`<div class="notice warning"><${Reasons} reasons=${value.item.attention} /></div>`}
      <section class="card"><h2>Life-cycle</h2><${LifeCycle} state=${value.state} attributes=${value.attributes} />
        ${value.attributes.ObjectType === "Certificate" && html`<${Validity} uid=${uid} />`}</section>
      <div class="grid">
        <section class="card"><h2>Who may do what</h2><${Rights} value=${value} changed=${changed} /></section>
        <section class="card"><h2>Uses by day</h2><${Uses} uid=${uid} turn=${turn} /></section>
        <section class="card whole"><h2>What was done with it</h2><${Recent} uid=${uid} turn=${turn} /></section>
        <section class="card whole"><h2>Linked to it</h2><${Links} attributes=${value.attributes} /></section>
        <section class="card whole"><h2>Attributes</h2><${Attributes} attributes=${value.attributes} /></section>
      </div>
    </div>
  <//>`;
}

// {uid, name, state, attributes, grants (null where the caller is not the owner), item (as /objects has it, or null)}.
// Throws APIError where the caller may not see it at all.
async function loadKey(uid, who, signal) {
  const orError = (promise) => promise.catch((error) => error);
  const [[answer], grants, item] = await Promise.all([
    performAll([["GetAttributes", identifier(uid)]], { signal }),
    orError(getJSON(`access/list/${encodeURIComponent(uid)}`, { signal })),
    findItem(uid, signal).catch(() => null),
  ]);
  if (answer.error && item === null) throw answer.error;
  if (grants instanceof APIError && grants.status !== 422) throw grants;
  const isMine = !(grants instanceof Error);
  const attributes = answer.value?.Attributes ?? {};
  const name = list(attributes.Name)[0]?.NameValue ?? item?.names?.[0] ?? uid;
  return { uid, name, attributes, item, grants: isMine ? grants : null, state: attributes.State ?? item?.state, isReadable: !answer.error };
}

// The key as it is listed, among the own ones or those of others; null where it is not found within a few pages.
async function findItem(uid, signal) {
  for (const of of ["owned", "obtained"]) {
    let cursor;
    for (let turn = 0; turn < MOST_PAGES; turn++) {
      const page = await getPage("objects", { signal, query: { of, text: uid.slice(0, 200), limit: 500, cursor } });
      const found = page.items.find((one) => one.object_id === uid);
      if (found) return found;
      if (!page.next) break;
      cursor = page.next;
    }
  }
  return null;
}

function Validity({ uid }) {
  const { value } = useData((signal) => loadValidities([uid], signal), [uid]);
  const validity = value?.[uid];
  if (!validity) return null;
  const isOver = validity.until <= Date.now();
  return html`<p>The certificate ${isOver ? "ended" : "is valid until"} <strong>${sayExactly(validity.until)}</strong> (<${Time} value=${validity.until} />); it began on ${sayDate(validity.from)}.</p>`;
}

function Actions({ value, changed }) {
  const { uid, name, state, grants, item, attributes } = value;
  const [isBusy, setBusy] = useState(false);
  const may = (operation) => grants !== null || item?.operations?.includes(operation);
  const target = { uid, name, state };
  const after = (promise) => promise.then((isDone) => isDone && changed());
  const replace = async () => {
    const made = await rekey(target);
    if (made) go(link("keys", made));
  };
  const activate = async () => {
    setBusy(true);
    const [answer] = await performAll([["Activate", identifier(uid)]]).catch((error) => [{ error }]);
    setBusy(false);
    if (answer.error) say(`${answer.error.message} ${answer.error.advice}`, "failure");
    else say(`“${name}” is active.`);
    changed();
  };
  const isGone = state?.startsWith("Destroyed");
  const canEncrypt = ["SymmetricKey", "PublicKey", "Certificate"].includes(attributes.ObjectType);
  return html`
    ${state === "PreActive" && may("activate") && html`<button class="primary" disabled=${isBusy} onClick=${activate}>Activate</button>`}
    ${grants !== null && !isGone && html`<button class=${state === "Active" ? "primary" : ""} onClick=${() => after(shareKey(target))}>Share</button>`}
    ${canEncrypt && state === "Active" && html`<a class="button" href=${link("encrypt", { key: uid })}>Encrypt a file</a>`}
    ${state === "Active" && may("rekey") && ["SymmetricKey", "PrivateKey"].includes(attributes.ObjectType) && html`<button onClick=${replace}>Replace</button>`}
    ${!isGone && state !== "Compromised" && may("revoke") && html`<button onClick=${() => after(revokeKey(target))}>${state === "Active" ? "Revoke" : "Report as compromised"}</button>`}
    ${!isGone && may("destroy") && html`<button class="danger" onClick=${() => after(destroyKey(target))}>Destroy</button>`}
  `;
}

function Rights({ value, changed }) {
  const { uid, name, grants, item } = value;
  if (grants === null) {
    return html`<p>It belongs to <strong>${item?.owner_id ?? "somebody else"}</strong>, who alone sees who else may use it.</p>
      ${item?.operations && html`<p>You may ${describeOperations(item.operations)}.</p>`}`;
  }
  return html`<p>You are its owner, and may do everything.</p>
    ${grants.length === 0
      ? html`<p class="dim">Nobody else may use it.</p>`
      : html`<ul class="checks">${grants.map((one) => html`<li key=${one.user_id}><span class="what"><strong>${one.user_id === "*" ? "Everybody who can sign in" : one.user_id}</strong>
          <span class="sub">may ${describeOperations(one.operations)}</span></span>
          <button onClick=${() => withdraw({ uid, name, user: one.user_id, operations: one.operations }).then((isDone) => isDone && changed())} aria-label=${`Take the rights of ${one.user_id} back`}>Take back</button></li>`)}</ul>`}
    <p><a href=${link("access", { key: uid })}>Ask whether somebody may use it</a></p>`;
}

function Uses({ uid, turn }) {
  const since = new Date(Math.floor(Date.now() / DAY_MS) * DAY_MS - (DAYS - 1) * DAY_MS).toISOString();
  const counts = useData((signal) => getJSON("audit/statistics", { signal, query: { uid, since, step: "day" } }), [uid, turn]);
  return html`<${Loaded} data=${counts}>${(value) => html`
    <${Bars} label="Uses by day" steps=${fillSteps(value, ({ uses, results }) => [uses, (results.Failed ?? 0) + (results.Refused ?? 0)])}
      series=${[["Used", "fill-good"], ["Failed or refused", "fill-bad"]]} sayStep=${sayDate} />
    ${value.counted_since > value.since && html`<p class="hint">There were so many that only those since ${sayDate(value.counted_since)} are counted.</p>`}`}<//>`;
}

function Recent({ uid, turn }) {
  const page = useData((signal) => getPage("audit", { signal, query: { uid, limit: 10 } }), [uid, turn]);
  return html`<${Loaded} data=${page}>${({ items }) =>
    items.length === 0
      ? html`<${Empty} title="The audit has nothing about it that you may read." />`
      : html`<${Records} records=${items} hasKey=${false} /><p><a href=${link("audit", { uid })}>All that was done with it</a></p>`}<//>`;
}

const HIDDEN = new Set(["Name", "Link", "Digest", "VendorAttributes", "Attribute", "UniqueIdentifier"]);

function Attributes({ attributes }) {
  const shown = Object.entries(attributes).filter(([tag]) => !HIDDEN.has(tag));
  if (shown.length === 0) return html`<p class="dim">You may use it, and not read its attributes.</p>`;
  const tags = readTags(attributes);
  return html`<dl class="facts columns">
    ${list(attributes.Name).map((name) => html`<div key=${name.NameValue}><dt>Name</dt><dd>${name.NameValue}</dd></div>`)}
    ${tags.length > 0 && html`<div><dt>Tags</dt><dd><${Tags} tags=${tags} /></dd></div>`}
    ${shown.map(([tag, value]) => html`<div key=${tag}><dt>${tag.replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ")}</dt><dd>${sayValue(value)}</dd></div>`)}
  </dl>`;
}

function sayValue(value) {
  if (value instanceof Date) return sayExactly(value);
  if (value instanceof Uint8Array) return html`<code>${Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join("")}</code>`;
  if (Array.isArray(value)) return value.map((one, index) => html`<div key=${index}>${sayValue(one)}</div>`);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).map(([tag, one]) => html`<div key=${tag}>${tag.replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ")}: ${sayValue(one)}</div>`);
  }
  return String(value).replaceAll("|", ", ");
}

function readTags(attributes) {
  const all = [...list(attributes.Attribute), ...list(attributes.VendorAttributes)];
  // Other vendors' attributes of this name may be anything.
  const found = all.find((one) => one.VendorIdentification === "cosmian" && one.AttributeName === "tag");
  return found ? JSON.parse(new TextDecoder().decode(found.AttributeValue)) : [];
}

function Links({ attributes }) {
  const links = list(attributes.Link);
  if (links.length === 0) return html`<p class="dim">No other key is linked to it.</p>`;
  return html`<dl class="facts">${links.map((one, index) => html`<div key=${index}><dt>${capitalize(wordsOfLink(one.LinkType))}</dt>
    <dd><a href=${link("keys", one.LinkedObjectIdentifier)}>${one.LinkedObjectIdentifier}</a></dd></div>`)}</dl>`;
}

const capitalize = (words) => `${words[0].toUpperCase()}${words.slice(1)}`;
