// Share a key with somebody, and take rights back.

import { postJSON } from "../api.js";
import { html, useState } from "../lib.js";
import { ActionDialog, Choices, Field, openDialog, quote } from "../parts/dialog.js";
import { say } from "../parts/messages.js";

// [operation, words, hint]
const OPERATIONS = [
  ["decrypt", "Decrypt", "open files and data that were encrypted with it"],
  ["encrypt", "Encrypt", "make files and data that it opens"],
  ["get_attributes", "See its attributes", "its dates, state and tags; and find it by its name"],
  ["get", "Have the key itself", "which allows all of the above, for ever: a copy is not taken back"],
];
const OTHERS = [
  ["sign", "Sign"],
  ["signature_verify", "Verify signatures"],
  ["mac", "Make authentication codes"],
  ["mac_verify", "Check authentication codes"],
  ["rekey", "Replace it", "the new key is its owner's"],
  ["revoke", "End its use"],
  ["destroy", "Destroy it", "nothing that it protected can be opened again"],
];
const WORDS = new Map([...OPERATIONS, ...OTHERS].map(([operation, words]) => [operation, words.toLowerCase()]));

// As a sentence has them: "decrypt and see its attributes".
export function describeOperations(operations) {
  const words = operations.map((operation) => WORDS.get(operation) ?? operation.replaceAll("_", " "));
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

export const describeUser = (user) => (user === "*" ? "everybody who can sign in" : user);

// Resolve to true where something was done. name: what people call the key.
export const shareKey = (key) => openDialog(ShareKey, key);
export const withdraw = (grant) => openDialog(Withdraw, grant);

const change = (path, uid, user, operations) =>
  postJSON(path, { unique_identifier: uid, user_id: user, operation_types: operations });

export const grant = (uid, user, operations) => change("access/grant", uid, user, operations);

function ShareKey({ uid, name, done }) {
  const [user, setUser] = useState("");
  const [chosen, setChosen] = useState(new Set(["decrypt"]));
  const run = async () => {
    await grant(uid, user.trim(), [...chosen]);
    say(`${quote(user.trim())} may now ${describeOperations([...chosen])} with ${quote(name)}.`);
    return true;
  };
  return html`<${ActionDialog} title=${`Share ${quote(name)}`} label="Share" isReady=${user.trim() !== "" && chosen.size > 0} run=${run} done=${done}>
    <${Field} label="With whom" hint="The name as the issuer has it, as bob@example.com; group:NAME for a group, * for everybody who can sign in.">
      ${(field) => html`<input ...${field} value=${user} autocomplete="off" autocapitalize="off" spellcheck=${false} onInput=${(event) => setUser(event.currentTarget.value)} />`}<//>
    <${Choices} legend="They may" options=${OPERATIONS} chosen=${chosen} onChange=${setChosen} />
    <details><summary>More</summary>
      <${Choices} legend="They may also" options=${OTHERS} chosen=${chosen} onChange=${setChosen} /></details>
    ${user.trim() === "*" && html`<p class="notice warning">Everybody who can sign in here will have these rights.</p>`}
    <p class="hint">The server does not check that there is such a user: look at the spelling.</p>
  <//>`;
}

function Withdraw({ uid, name, user, operations, done }) {
  const run = async () => {
    await change("access/revoke", uid, user, operations);
    say(`${quote(user)} may no longer ${describeOperations(operations)} with ${quote(name)}.`);
    return true;
  };
  return html`<${ActionDialog} title=${`Take rights on ${quote(name)} back`} label="Take back" isDangerous run=${run} done=${done}>
    <p><strong>${describeUser(user)}</strong> may now ${describeOperations(operations)}. From their next request on they will not.</p>
    <p>${operations.includes("get")
      ? "They may have a copy of the key itself: to be safe from that, replace the key and encrypt anew."
      : "What they have decrypted before stays with them."}</p>
  <//>`;
}
