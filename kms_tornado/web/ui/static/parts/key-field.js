// A field for a key that encrypts: by its name or its identifier, with those that one may use as suggestions.

import { APIError, getJSON } from "../api.js";
import { enumeration, list, performAll, structure, text, uid, unnest } from "../kmip.js";
import { html, useData, useId } from "../lib.js";
import { Field } from "./dialog.js";

// Operations in one message: docs/http.md, "Limits". The newest keys are suggested, all others found by their names.
const SUGGESTED = 100;
const TYPES = new Set(["SymmetricKey", "PublicKey", "Certificate"]);

export function KeyField({ label, hint, value, onChange }) {
  const { value: keys } = useData(suggestKeys, []);
  const id = useId();
  return html`<${Field} label=${label} hint=${hint}>${(field) => html`
    <input ...${field} list=${id} value=${value} autocomplete="off" autocapitalize="off" spellcheck=${false}
      onInput=${(event) => onChange(event.currentTarget.value)} />
    <datalist id=${id}>${(keys ?? []).map((key) => html`<option key=${key.uid} value=${key.shown}>${key.words}</option>`)}</datalist>
  `}<//>`;
}

// The identifier of the key that somebody has named by it, or by the Name. Whoever shares a key chooses both: where one
// key has as its Name what is another's identifier, neither is taken. Throws APIError.
export async function resolveKey(named) {
  const name = structure("Name", text("NameValue", named), enumeration("NameType", "UninterpretedTextString"));
  const [byName, byIdentifier] = await performAll([
    ["Locate", structure("Attributes", name)],
    ["GetAttributes", uid(named), enumeration("AttributeReference", "UniqueIdentifier")],
  ]);
  if (byName.error) throw byName.error;
  const found = new Set(unnest(byName.value.UniqueIdentifier, "UniqueIdentifier"));
  if (byIdentifier.value) found.add(byIdentifier.value.UniqueIdentifier);
  if (found.size > 1) {
    const which = [...found].slice(0, 5).join(", ");
    throw new APIError(0, "ambiguous", `“${named}” may be one of ${found.size} keys: ${which}.`, "Look at whose they are, and give the identifier of one.");
  }
  return [...found][0] ?? named;
}

// [{uid, shown, words}]: Active keys with which the caller may encrypt. shown: the name, where it tells the key.
async function suggestKeys(signal) {
  const [owned, obtained] = await Promise.all([
    getJSON("access/owned", { signal }),
    getJSON("access/obtained", { signal }),
  ]);
  const keys = [
    ...owned.filter((key) => TYPES.has(key.attributes.ObjectType)).map((key) => ({ ...key, whose: "yours" })),
    ...obtained
      .filter((key) => key.operations.includes("encrypt") || key.operations.includes("get"))
      .map((key) => ({ ...key, whose: `of ${key.owner_id}` })),
  ].filter((key) => key.state === "Active").slice(0, SUGGESTED);
  if (keys.length === 0) return [];
  const reference = enumeration("AttributeReference", "Name");
  const answers = await performAll(keys.map((key) => ["GetAttributes", uid(key.object_id), reference]), { signal });
  const names = answers.map(({ value }) => list(value?.Attributes?.Name)[0]?.NameValue);
  return keys.map((key, index) => {
    const name = names[index];
    const isClear = name && names.indexOf(name) === names.lastIndexOf(name);
    const algorithm = [key.attributes?.CryptographicAlgorithm, key.attributes?.CryptographicLength].filter(Boolean).join(" ");
    return {
      uid: key.object_id,
      shown: isClear ? name : key.object_id,
      words: [isClear ? key.object_id : name, algorithm, key.whose].filter(Boolean).join(", "),
    };
  });
}
