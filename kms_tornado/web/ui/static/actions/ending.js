// Revoke and destroy: both say before what stops working, and Destroy wants the key's name typed.

import { enumeration, perform, structure, text, uid as identifier } from "../kmip.js";
import { html, useState } from "../lib.js";
import { ActionDialog, Field, openDialog, quote } from "../parts/dialog.js";
import { say } from "../parts/messages.js";
import { Consequences } from "./consequences.js";

// [code, words]
const REASONS = [
  ["Superseded", "It was replaced by another key"],
  ["CessationOfOperation", "It is not needed any more"],
  ["PrivilegeWithdrawn", "Somebody may not use it any more"],
  ["KeyCompromise", "Somebody has the key who should not: Compromised"],
  ["Unspecified", "Another reason"],
];
// What is left to say of a key that is not Active: KMIP 2.1 §3.22.
const COMPROMISES = REASONS.filter(([code]) => code === "KeyCompromise");

// Resolve to true where it was done. name: what people call the key. state: as far as it is known.
export const revokeKey = (key) => openDialog(RevokeKey, key);
export const destroyKey = (key) => openDialog(DestroyKey, key);

function RevokeKey({ uid, name, state = "Active", done }) {
  const isActive = state === "Active";
  const reasons = isActive ? REASONS : COMPROMISES;
  const [reason, setReason] = useState(reasons[0][0]);
  const [message, setMessage] = useState("");
  const run = async () => {
    await revoke(uid, reason, message.trim());
    say(`${quote(name)} was ${reason === "KeyCompromise" ? "reported as compromised" : "revoked"}.`);
    return true;
  };
  const verb = isActive ? "Revoke" : "Report";
  return html`<${ActionDialog} title=${`${verb} ${quote(name)}${isActive ? "" : " as compromised"}`} label=${verb} isDangerous run=${run} done=${done}>
    <p>${isActive ? "From now on nobody encrypts, signs or makes authentication codes with it" : "It is marked as known to somebody who should not have it"},
      and no state leads back. What it protected before can still be decrypted and verified.</p>
    <${Consequences} uid=${uid} />
    <${Field} label="Why">${(field) => html`<select ...${field} value=${reason} onChange=${(event) => setReason(event.currentTarget.value)}>
      ${reasons.map(([code, words]) => html`<option key=${code} value=${code}>${words}</option>`)}</select>`}<//>
    <${Field} label="In your words" hint="It is kept with the key. May be left empty.">
      ${(field) => html`<input ...${field} value=${message} maxlength="1000" onInput=${(event) => setMessage(event.currentTarget.value)} />`}<//>
  <//>`;
}

function DestroyKey({ uid, name, done }) {
  const [typed, setTyped] = useState("");
  const run = async () => {
    await destroy(uid);
    say(`${quote(name)} was destroyed.`);
    return true;
  };
  return html`<${ActionDialog} title=${`Destroy ${quote(name)}`} label="Destroy for ever" isDangerous isReady=${typed === name || typed === uid} run=${run} done=${done}>
    <p><strong>Everything that was encrypted with it is lost.</strong> The key itself is wiped, and nobody can bring it back here; its
      attributes and its records stay. An Active key is revoked first.</p>
    <${Consequences} uid=${uid} isDestroyed />
    <${Field} label=${html`Type <code>${name}</code> to confirm`} hint=${name !== uid && html`Or its identifier, <code>${uid}</code>.`}>
      ${(field) => html`<input ...${field} value=${typed} autocomplete="off" autocapitalize="off" spellcheck=${false} onInput=${(event) => setTyped(event.currentTarget.value)} />`}<//>
  <//>`;
}

const revoke = (uid, reason, message) =>
  perform(
    "Revoke",
    identifier(uid),
    structure("RevocationReason", enumeration("RevocationReasonCode", reason), message && text("RevocationMessage", message)),
  );

async function destroy(uid) {
  const { Attributes: attributes } = await perform("GetAttributes", identifier(uid), enumeration("AttributeReference", "State"));
  if (attributes?.State === "Active") await revoke(uid, "CessationOfOperation", "");
  await perform("Destroy", identifier(uid));
}
