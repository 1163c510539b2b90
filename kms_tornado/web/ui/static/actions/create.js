// Create a key: what it is for, a name, tags, and from when until when it is used.

import { boolean, dateTime, enumeration, integer, octets, perform, structure, text } from "../kmip.js";
import { html, useState } from "../lib.js";
import { ActionDialog, Field, openDialog, quote } from "../parts/dialog.js";
import { say } from "../parts/messages.js";

// [value, words, operation, attributes]; the first is what to take if nothing else is asked for.
const KINDS = [
  ["aes-256", "AES, 256 bits: for files and data", "Create", ["AES", 256]],
  ["aes-128", "AES, 128 bits", "Create", ["AES", 128]],
  ["chacha20", "ChaCha20-Poly1305: for files and data", "Create", ["ChaCha20", 256]],
  ["hmac", "HMAC with SHA-256: for authentication codes", "Create", ["HMACSHA256", 256]],
  ["rsa-3072", "RSA, 3072 bits: a pair, to sign and for files that anybody may encrypt", "CreateKeyPair", ["RSA", 3072]],
  ["rsa-4096", "RSA, 4096 bits: the same, slower", "CreateKeyPair", ["RSA", 4096]],
  ["p-256", "EC on the curve P-256: a pair, to sign", "CreateKeyPair", ["ECDSA", null, "P_256"]],
  ["ed25519", "Ed25519: a pair, to sign", "CreateKeyPair", ["Ed25519"]],
];

// The identifier of the new key, of the private one for a pair; undefined where none was made.
export const createKey = () => openDialog(CreateKey);

function CreateKey({ done }) {
  const [kind, setKind] = useState(KINDS[0][0]);
  const [name, setName] = useState("");
  const [tags, setTags] = useState("");
  const [begin, setBegin] = useState("");
  const [end, setEnd] = useState("");
  const [isSensitive, setSensitive] = useState(false);
  const run = async () => {
    const [, , operation, algorithm] = KINDS.find(([value]) => value === kind);
    const made = await make(operation, algorithm, { name, tags: splitTags(tags), begin, end, isSensitive });
    say(`The key ${quote(name || made)} was made. ${begin && new Date(begin) > new Date() ? "It is used from its date on." : "It is ready to be used."}`);
    return made;
  };
  const set = (change) => (event) => change(event.currentTarget.value);
  return html`<${ActionDialog} title="Create a key" label="Create" run=${run} done=${done}>
    <${Field} label="Kind">${(field) => html`<select ...${field} value=${kind} onChange=${set(setKind)}>
      ${KINDS.map(([value, words]) => html`<option key=${value} value=${value}>${words}</option>`)}</select>`}<//>
    <${Field} label="Name" hint="What people call it, as billing-2027. May be left empty.">
      ${(field) => html`<input ...${field} value=${name} maxlength="255" autocomplete="off" spellcheck=${false} onInput=${set(setName)} />`}<//>
    <${Field} label="Tags" hint="To find it by, with commas between. May be left empty.">
      ${(field) => html`<input ...${field} value=${tags} autocomplete="off" spellcheck=${false} onInput=${set(setTags)} />`}<//>
    <details><summary>Dates and limits</summary>
      <${Field} label="Used from" hint="Empty: from now on.">
        ${(field) => html`<input ...${field} type="datetime-local" value=${begin} onInput=${set(setBegin)} />`}<//>
      <${Field} label="Used until" hint="From then on it only decrypts and verifies. Empty: until somebody ends it.">
        ${(field) => html`<input ...${field} type="datetime-local" value=${end} onInput=${set(setEnd)} />`}<//>
      <div class="choices"><div>
        <input type="checkbox" id="create-sensitive" aria-describedby="create-sensitive-hint" checked=${isSensitive} onChange=${(event) => setSensitive(event.currentTarget.checked)} />
        <label for="create-sensitive">It never leaves the server in the clear</label>
        <span class="hint" id="create-sensitive-hint">This cannot be undone.</span>
      </div></div>
    </details>
  <//>`;
}

async function make(operation, [algorithm, length, curve], { name, tags, begin, end, isSensitive }) {
  const common = [
    enumeration("CryptographicAlgorithm", algorithm),
    length && integer("CryptographicLength", length),
    curve && structure("CryptographicDomainParameters", enumeration("RecommendedCurve", curve)),
    begin && dateTime("ActivationDate", new Date(begin)),
    end && dateTime("DeactivationDate", new Date(end)),
    tags.length > 0 && tagAttribute(tags),
  ];
  const own = [
    name && structure("Name", text("NameValue", name), enumeration("NameType", "UninterpretedTextString")),
    isSensitive && boolean("Sensitive", true),
  ];
  if (operation === "Create") {
    const type = enumeration("ObjectType", "SymmetricKey");
    return (await perform("Create", type, structure("Attributes", ...common, ...own))).UniqueIdentifier;
  }
  const made = await perform(
    "CreateKeyPair",
    structure("CommonAttributes", ...common),
    structure("PrivateKeyAttributes", ...own),
  );
  return made.PrivateKeyUniqueIdentifier;
}

// As docs/dialects.md has tags: a vendor attribute whose value is a list in JSON.
const tagAttribute = (tags) =>
  structure(
    "Attribute",
    text("VendorIdentification", "cosmian"),
    text("AttributeName", "tag"),
    octets("AttributeValue", new TextEncoder().encode(JSON.stringify(tags))),
  );

const splitTags = (words) => [...new Set(words.split(",").map((tag) => tag.trim()).filter(Boolean))];
