/**
 * The data key of a file, wrapped and unwrapped by the server: one request each.
 *
 * The server sees 32 random bytes and a label, never a byte of the file.
 *
 * perform: (operation, fields) → the fields of the answer, both lists of JSON TTLV. What it throws for a refusal
 * has the result reason as `reason`, such as "Item_Not_Found".
 */

import {
  CHUNK_SIZE_LOG2,
  DATA_KEY_BYTES,
  SALT_BYTES,
  Wrapping,
  checkDataKey,
  checkWrapped,
  makeAdditionalData,
  webCrypto,
  wrappingOf,
} from "./container.js";
import { FileError, UntrueFile } from "./errors.js";

/**
 * {header, dataKey} of a new file for a key. RSA takes no additional data, which only the server can tell: it
 * costs a second request. Throws FileError where the key's cipher is not authenticated, and what perform throws.
 */
export async function wrapNewDataKey(perform, key) {
  const dataKey = webCrypto().getRandomValues(new Uint8Array(DATA_KEY_BYTES));
  const salt = webCrypto().getRandomValues(new Uint8Array(SALT_BYTES));
  const wrapped = await encrypt(perform, key, dataKey, salt);
  try {
    checkWrapped(wrapped);
  } catch (error) {
    throw new FileError(
      "this key cannot protect a file: take an AES key in GCM mode, a ChaCha20-Poly1305 key or an RSA key",
      { cause: error },
    );
  }
  return { header: { salt, wrapped, chunkSizeLog2: CHUNK_SIZE_LOG2 }, dataKey };
}

/**
 * The data key of a file. key: instead of the one that the file names.
 * Throws UntrueFile where the server could not unwrap it, FileError where it does not know the key that the file
 * names, and what perform throws.
 */
export async function unwrapDataKey(perform, header, key = null) {
  if (key !== null) return unwrap(perform, header, key);
  const named = header.wrapped.keyIdentifier;
  try {
    const isPublic = wrappingOf(header.wrapped) === Wrapping.PUBLIC_KEY;
    return await unwrap(perform, header, isPublic ? await findPrivateKey(perform, named) : named);
  } catch (error) {
    if (error.reason !== "Item_Not_Found") throw error;
    throw new FileError(
      `the file is for the key ${shown(named)}, which this server does not have, or not for you: ` +
        "ask its owner to share it with you, or choose another key",
      { cause: error },
    );
  }
}

async function encrypt(perform, key, dataKey, salt) {
  const fields = [text("UniqueIdentifier", key), bytes("Data", dataKey)];
  let answer;
  try {
    answer = await perform("Encrypt", [
      ...fields,
      bytes("AuthenticatedEncryptionAdditionalData", makeAdditionalData(salt)),
    ]);
  } catch (refusal) {
    if (refusal.reason !== "Invalid_Field") throw refusal;
    answer = await perform("Encrypt", fields);
    if (readBytes(answer, "IvCounterNonce").length || readBytes(answer, "AuthenticatedEncryptionTag").length) {
      throw refusal;
    }
  }
  return {
    keyIdentifier: read(answer, "UniqueIdentifier"),
    ciphertext: readBytes(answer, "Data"),
    nonce: readBytes(answer, "IvCounterNonce"),
    tag: readBytes(answer, "AuthenticatedEncryptionTag"),
  };
}

async function unwrap(perform, header, key) {
  const { ciphertext, nonce, tag } = header.wrapped;
  const fields = [text("UniqueIdentifier", key), bytes("Data", ciphertext)];
  if (wrappingOf(header.wrapped) === Wrapping.AUTHENTICATED_CIPHER) {
    fields.push(
      bytes("IvCounterNonce", nonce),
      bytes("AuthenticatedEncryptionAdditionalData", makeAdditionalData(header.salt)),
      bytes("AuthenticatedEncryptionTag", tag),
    );
  }
  try {
    return checkDataKey(readBytes(await perform("Decrypt", fields), "Data"));
  } catch (error) {
    if (error.reason !== "Cryptographic_Failure") throw error;
    throw new UntrueFile(
      `the server cannot unwrap the file's data key with ${shown(key)}: the file is for another key, or its header ` +
        "was edited",
      "key",
    );
  }
}

/** The private key that belongs to a public key, by its link. */
async function findPrivateKey(perform, publicKey) {
  const answer = await perform("GetAttributes", [
    text("UniqueIdentifier", publicKey),
    { tag: "AttributeReference", type: "Enumeration", value: "Link" },
  ]);
  // Links stand in a structure of their own tag (docs/dialects.md).
  for (const { value } of read(read(answer, "Attributes") ?? [], "Link") ?? []) {
    if (read(value, "LinkType") === "PrivateKeyLink") return read(value, "LinkedObjectIdentifier");
  }
  throw new FileError(
    `the file is for the public key ${shown(publicKey)}, which has no link to its private key: choose the private key`,
  );
}

function text(tag, value) {
  return { tag, type: "TextString", value };
}

function bytes(tag, data) {
  return { tag, type: "ByteString", value: Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("") };
}

function read(fields, tag) {
  return fields.find((field) => field.tag === tag)?.value;
}

/** Empty where there is no such field. */
function readBytes(fields, tag) {
  return Uint8Array.from((read(fields, tag) ?? "").match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
}

/** As an error names it: what a file says is as long as whoever made the file likes. */
function shown(key) {
  return `“${key.length > 100 ? `${key.slice(0, 99)}…` : key}”`;
}
