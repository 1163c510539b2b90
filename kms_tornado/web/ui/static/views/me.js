// Me: who the server takes the caller for, and what they may do here.

import { html } from "../lib.js";
import { Page } from "../parts/page.js";

export function Me({ who }) {
  return html`<${Page} title="Me"><dl class="facts">
    <div><dt>Name</dt><dd>${who.name}</dd></div>
    <div><dt>Issuer</dt><dd>${who.issuer ?? "none: tokens are not checked here"}</dd></div>
  </dl><//>`;
}
