// Records of the audit as a table: who did what with which key, and why the answer was no.

import { html } from "../lib.js";
import { link } from "../router.js";
import { Badge } from "./key.js";
import { Time } from "./time.js";
import { wordOfRefusal, wordsOfOperation } from "./words.js";

const KINDS = { Success: "good", Failed: "warn", Refused: "bad", Undone: "dim" };
const WORDS = { Success: "Done", Failed: "Failed", Refused: "Refused", Undone: "Undone" };

export const Records = ({ records, hasKey = true }) => html`<table class="list"><caption class="hidden">Records, the newest first</caption>
  <thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">What</th>${hasKey && html`<th scope="col">Key</th>`}<th scope="col">Result</th><th scope="col">All of it</th></tr></thead>
  <tbody>${records.map((record) => html`<tr key=${`${record.chain}.${record.seq}`}>
    <td><${Time} value=${record.time} isExact=${true} /></td>
    <td data-label="Who">${record.principal ?? html`<span class="dim">nobody known</span>`}</td>
    <td data-label="What">${wordsOfOperation(record.operation)}${describeDetail(record)}</td>
    ${hasKey && html`<td data-label="Key" class=${record.uid ? "" : "empty-cell"}>${record.uid && html`<a class="mono" href=${link("keys", record.uid)}>${record.uid}</a>`}</td>`}
    <td><${Badge} kind=${KINDS[record.result]}>${WORDS[record.result] ?? record.result}<//>${record.reason && html`<span class="sub">${wordOfRefusal(record.reason)}</span>`}</td>
    <td><details><summary>Show</summary><pre>${JSON.stringify(record, null, 2)}</pre></details></td>
  </tr>`)}</tbody></table>`;

function describeDetail({ detail }) {
  if (!detail?.grantee) return null;
  return html`<span class="sub">${detail.grantee}: ${(detail.rights ?? []).join(", ").replaceAll("_", " ")}</span>`;
}
