// A field for a key that encrypts: by its name or its identifier, with those that one may use as suggestions.

import { APIError, getJSON } from "../api.js";
import { enumeration, perform, structure, text, unnest } from "../kmip.js";
import { html, useData, useEffect, useId, useState } from "../lib.js";
import { Field } from "./dialog.js";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const SUGGESTED = 50;
const LOOKED_AT = 5;
const TYPES = "SymmetricKey,PublicKey,Certificate";
const ENCRYPT = 4; // in a usage mask: KMIP 2.1 §11.10
const PAUSE_MS = 200;

export function KeyField({ label, hint, value, onChange }) {
  const words = usePaused(value.trim());
  const { value: keys = [] } = useData((signal) => suggestKeys(words, signal), [words]);
  const id = useId();
  const meant = keys.find((key) => key.shown === value.trim());
  return html`<${Field} label=${label} hint=${hint}>${(field) => html`
    <input ...${field} list=${id} value=${value} autocomplete="off" autocapitalize="off" spellcheck=${false}
      onInput=${(event) => onChange(event.currentTarget.value)} />
    <datalist id=${id}>${keys.map((key) => html`<option key=${key.uid} value=${key.shown}>${key.words}</option>`)}</datalist>
    <p class="hint" role="status">${meant?.words}</p>
  `}<//>`;
}

// The value, once it has stayed the same for a moment: nobody wants a request for each letter.
function usePaused(value) {
  const [paused, setPaused] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setPaused(value), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return paused;
}

// The identifier of the key that somebody has named by it, or by the Name, as kmsctl finds it. Whoever makes a key
// chooses both: so the caller's own key is meant, and one of others only where nothing else fits. A UUID is an
// identifier wherever it is one. Throws APIError.
export async function resolveKey(named) {
  if (UUID.test(named) && ((await isOwned(named)) || (await isObtained(named)))) return named;
  const name = structure("Name", text("NameValue", named), enumeration("NameType", "UninterpretedTextString"));
  const located = await perform("Locate", structure("Attributes", name));
  const found = unnest(located.UniqueIdentifier, "UniqueIdentifier"); // the caller's own first
  if (found.length === 0 || (await isOwned(named))) return named;
  const own = await Promise.all(found.slice(0, LOOKED_AT).map(isOwned));
  let fitting = found.filter((_, index) => own[index]);
  if (fitting.length === 0) fitting = [...new Set([...found, ...((await isObtained(named)) ? [named] : [])])];
  if (fitting.length > 1) {
    const which = fitting.slice(0, LOOKED_AT).join(", ");
    throw new APIError(0, "ambiguous", `“${named}” may be one of ${fitting.length} keys: ${which}.`, "Look at whose they are, and give the identifier of one.");
  }
  return fitting[0];
}

const isObtained = async (identifier) => (await getJSON("access/obtained")).some((key) => key.object_id === identifier);

// Nobody but the owner may list who has rights on a key.
const isOwned = (identifier) =>
  getJSON(`access/list/${encodeURIComponent(identifier)}`).then(
    () => true,
    (error) => {
      if (error.reason === "Item_Not_Found") return false;
      throw error;
    },
  );

// [{uid, shown, words}]: Active keys with which the caller may encrypt, those of the caller first. shown: the name,
// where it tells the key from the others. words: what it is, and whose.
async function suggestKeys(words, signal) {
  const query = { state: "Active", text: words.slice(0, 200), limit: SUGGESTED };
  const [owned, obtained] = await Promise.all([
    getJSON("objects", { signal, query: { ...query, of: "owned", type: TYPES } }),
    getJSON("objects", { signal, query: { ...query, of: "obtained" } }),
  ]);
  const usable = obtained.filter(({ operations }) => operations.includes("encrypt") || operations.includes("get"));
  const keys = [
    ...owned.map((key) => ({ ...key, whose: "yours" })),
    ...usable.map((key) => ({ ...key, whose: `of ${key.owner_id}` })),
  ].filter(({ attributes }) => !attributes || attributes.CryptographicUsageMask & ENCRYPT);
  const names = keys.map((key) => key.names?.[0]);
  return keys.map((key, index) => {
    const name = names[index];
    const isClear = name && names.indexOf(name) === names.lastIndexOf(name);
    const { CryptographicAlgorithm: algorithm, CryptographicLength: length } = key.attributes ?? {};
    return {
      uid: key.object_id,
      shown: isClear ? name : key.object_id,
      words: [isClear ? key.object_id : name, [algorithm, length].filter(Boolean).join(" "), key.whose].filter(Boolean).join(", "),
    };
  });
}
