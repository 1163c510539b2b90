// Me: who the server takes the caller for, until when, and what they may do here.

import { html } from "../lib.js";
import { Tags } from "../parts/key.js";
import { Page } from "../parts/page.js";
import { Time, sayExactly } from "../parts/time.js";
import { link } from "../router.js";

export function Me({ who }) {
  return html`<${Page} title="Me" lead="Who you are to this server.">
    <div class="grid">
      <section class="card"><h2>Your name here</h2><dl class="facts">
        <div><dt>Name</dt><dd><strong>${who.name}</strong></dd></div>
        <div><dt>Groups</dt><dd>${who.groups.length ? html`<${Tags} tags=${who.groups} />` : html`<span class="dim">none</span>`}</dd></div>
        <div><dt>Vouched for by</dt><dd>${who.issuer ?? "nobody: tokens are not checked here"}</dd></div>
        ${who.subject && who.subject !== who.name && html`<div><dt>Subject</dt><dd>${who.subject}</dd></div>`}
        ${who.scopes?.length > 0 && html`<div><dt>Scopes</dt><dd><${Tags} tags=${who.scopes} /></dd></div>`}
        <div><dt>Signed in until</dt><dd>${who.expires_at === null ? "without an end" : html`${sayExactly(who.expires_at * 1000)} (<${Time} value=${who.expires_at * 1000} />)`}</dd></div>
      </dl><p class="hint">Whoever shares a key with you names you by this name, to the letter.</p></section>
      <section class="card"><h2>What you may do</h2><ul class="checks">
        <li><span class="what">Create keys</span>${who.may_create_objects ? "yes" : "no: this server lets only some people"}</li>
        <li><span class="what">Read the whole audit</span>${who.may_read_whole_audit ? "yes: you are one of its auditors" : "no: what you did, and what was done with your keys"}</li>
        <li><span class="what">Everything with <a href=${link("keys")}>your own keys</a></span>yes</li>
        <li><span class="what">What others let you do with <a href=${link("keys", { of: "obtained" })}>their keys</a></span>yes</li>
      </ul></section>
      <section class="card"><h2>The same without this page</h2>
        <p>This page asks the server's HTTP interface, as every program does. <code>kmsctl</code> does all of it in a shell.</p>
        <p><a href="../openapi.json" target="_blank" rel="noopener">Its description for programs</a> (OpenAPI)</p></section>
    </div>
  <//>`;
}
