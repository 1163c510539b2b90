// Overview: whether the server and the keys are well, at a glance.

import { getJSON } from "../api.js";
import { html, useData } from "../lib.js";
import { Loaded, Page } from "../parts/page.js";

export function Overview() {
  const ready = useData((signal) => getJSON("ready", { signal }), []);
  return html`<${Page} title="Overview">
    <${Loaded} data=${ready}>${(value) => html`<dl class="facts">
      ${Object.entries(value.checks).map(([name, check]) => html`<div key=${name}><dt>${name}</dt><dd>${check.state}</dd></div>`)}
    </dl>`}<//>
  <//>`;
}
