// Replace a key by a new one.

import { getJSON } from "../api.js";
import { enumeration, perform, uid as identifier } from "../kmip.js";
import { html, useData, useState } from "../lib.js";
import { ActionDialog, openDialog, quote } from "../parts/dialog.js";
import { say } from "../parts/messages.js";
import { Loaded } from "../parts/page.js";
import { describeOperations, describeUser, grant } from "./sharing.js";

// The identifier of the new key, of the private one for a pair; undefined where none was made.
export const rekey = (key) => openDialog(ReKey, key);

function ReKey({ uid, name, done }) {
  const grants = useData((signal) => getJSON(`access/list/${encodeURIComponent(uid)}`, { signal }).catch(() => []), [uid]);
  const [isShared, setShared] = useState(true);
  const run = async () => {
    const made = await replace(uid);
    const failed = isShared ? await shareAlike(made, grants.value ?? []) : [];
    say(`${quote(name)} was replaced; the new key has its name.`);
    if (failed.length) say(`The new key was not shared with ${failed.join(", ")}: share it again.`, "failure");
    return made;
  };
  return html`<${ActionDialog} title=${`Replace ${quote(name)}`} label="Replace" isReadFirst isReady=${!grants.waiting} run=${run} done=${done}>
    <p>A new key of the same kind is made and takes the name over. The old one stays, under its identifier, and what was encrypted with
      it still opens: revoke it when nobody encrypts with it any more.</p>
    <${Loaded} data=${grants}>${(all) =>
      all.length === 0
        ? html`<p>Nobody else has rights on it.</p>`
        : html`<p>Rights stay with the old key: ${all.map((one, index) => html`${index > 0 && ", "}<strong>${describeUser(one.user_id)}</strong> (${describeOperations(one.operations)})`)}.</p>
          <div class="choices"><div>
            <input type="checkbox" id="rekey-share" checked=${isShared} onChange=${(event) => setShared(event.currentTarget.checked)} />
            <label for="rekey-share">Give them the same rights on the new key</label>
          </div></div>`}<//>
  <//>`;
}

async function replace(uid) {
  const { Attributes: attributes } = await perform("GetAttributes", identifier(uid), enumeration("AttributeReference", "ObjectType"));
  if (attributes?.ObjectType !== "PrivateKey") return (await perform("ReKey", identifier(uid))).UniqueIdentifier;
  return (await perform("ReKeyKeyPair", { ...identifier(uid), tag: "PrivateKeyUniqueIdentifier" })).PrivateKeyUniqueIdentifier;
}

// Those with whom it could not be shared.
async function shareAlike(uid, grants) {
  const results = await Promise.allSettled(grants.map((one) => grant(uid, one.user_id, one.operations)));
  return grants.filter((_, index) => results[index].status === "rejected").map((one) => one.user_id);
}
