/**
 * The data key of a file, wrapped and unwrapped by the server: one request each.
 *
 * The server sees 32 random bytes and a label, never a byte of the file.
 */

import { enumeration, octets, perform, uid, unnest } from "../kmip.js";

import {
  CHUNK_SIZE_LOG2,
  DATA_KEY_BYTES,
  SALT_BYTES,
  Wrapping,
  checkDataKey,
  checkWrapped,
  makeAdditionalData,
  wrappingOf,
} from "./container.js";
import { FileError, UnknownKey, UntrueFile } from "./errors.js";

/**
 * {header, dataKey} of a new file for a key. RSA takes no additional data, which only the server can tell: it
 * costs a second request. Throws FileError where the key's cipher is not authenticated, and APIError.
 */
export async function wrapNewDataKey(key) {
  const dataKey = crypto.getRandomValues(new Uint8Array(DATA_KEY_BYTES));
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const wrapped = await encrypt(key, dataKey, salt);
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
 * Throws UntrueFile where the server could not unwrap it, UnknownKey where it does not know the key that the file
 * names, and APIError.
 */
export async function unwrapDataKey(header, key = null) {
  if (key !== null) return unwrap(header, key);
  const named = header.wrapped.keyIdentifier;
  try {
    const isPublic = wrappingOf(header.wrapped) === Wrapping.PUBLIC_KEY;
    return await unwrap(header, isPublic ? await findPrivateKey(named) : named);
  } catch (error) {
    if (error.reason !== "Item_Not_Found") throw error;
    throw new UnknownKey(
      `the file is for the key ${shown(named)}, which this server does not have, or not for you: ` +
        "ask its owner to share it with you, or choose another key",
      { cause: error },
    );
  }
}

async function encrypt(key, dataKey, salt) {
  const fields = [uid(key), octets("Data", dataKey)];
  let answer;
  try {
    answer = await perform("Encrypt", ...fields, additionalData(salt));
  } catch (refusal) {
    if (refusal.reason !== "Invalid_Field") throw refusal;
    answer = await perform("Encrypt", ...fields);
    if (answer.IvCounterNonce || answer.AuthenticatedEncryptionTag) throw refusal;
  }
  return {
    keyIdentifier: answer.UniqueIdentifier,
    ciphertext: answer.Data ?? new Uint8Array(),
    nonce: answer.IvCounterNonce ?? new Uint8Array(),
    tag: answer.AuthenticatedEncryptionTag ?? new Uint8Array(),
  };
}

async function unwrap(header, key) {
  const { ciphertext, nonce, tag } = header.wrapped;
  const fields = [uid(key), octets("Data", ciphertext)];
  if (wrappingOf(header.wrapped) === Wrapping.AUTHENTICATED_CIPHER) {
    fields.push(
      octets("IvCounterNonce", nonce),
      additionalData(header.salt),
      octets("AuthenticatedEncryptionTag", tag),
    );
  }
  try {
    return checkDataKey((await perform("Decrypt", ...fields)).Data ?? new Uint8Array());
  } catch (error) {
    if (error.reason !== "Cryptographic_Failure") throw error;
    throw new UntrueFile(
      `the server cannot unwrap the file's data key with ${shown(key)}: the file is for another key, or its header ` +
        "was edited",
      "key",
    );
  }
}

const additionalData = (salt) => octets("AuthenticatedEncryptionAdditionalData", makeAdditionalData(salt));

/** The private key that belongs to a public key, by its link. */
async function findPrivateKey(publicKey) {
  const answer = await perform("GetAttributes", uid(publicKey), enumeration("AttributeReference", "Link"));
  const links = unnest(answer.Attributes?.Link, "Link");
  const found = links.find((link) => link.LinkType === "PrivateKeyLink");
  if (found) return found.LinkedObjectIdentifier;
  throw new FileError(
    `the file is for the public key ${shown(publicKey)}, which has no link to its private key: choose the private key`,
  );
}

/** As an error names it: what a file says is as long as whoever made the file likes. */
function shown(key) {
  return `“${key.length > 100 ? `${key.slice(0, 99)}…` : key}”`;
}
