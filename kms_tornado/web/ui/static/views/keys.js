// Keys: those of the caller, and those that others share.

import { getJSON } from "../api.js";
import { html, useData } from "../lib.js";
import { Empty, Loaded, Page } from "../parts/page.js";
import { link } from "../router.js";

export function Keys() {
  const owned = useData((signal) => getJSON("access/owned", { signal }), []);
  return html`<${Page} title="Keys">
    <${Loaded} data=${owned}>${(keys) =>
      keys.length === 0
        ? html`<${Empty} title="You have no keys yet." />`
        : html`<ul>${keys.map((key) => html`<li key=${key.object_id}><a href=${link("keys", key.object_id)}>${key.object_id}</a> ${key.state}</li>`)}</ul>`}<//>
  <//>`;
}
