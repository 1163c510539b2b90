/**
 * The container: the bytes before the chunks of an encrypted file, and the keys that they lead to.
 *
 * docs/file-format.md has every byte and the reasons. This is what kmsctl has in Python, on WebCrypto:
 *
 *     header = magic, version, suite, wrapping, chunk size, length, salt, key identifier,
 *              what the server made of the data key, commitment, MAC
 *     data key ─ HKDF with the salt ─┬─ commitment    which data key this is
 *                                    ├─ MAC key       the header is as it was written
 *                                    └─ chunk key     AES-256-GCM (sealing.js)
 *
 * Nothing of a header is to be believed before `openHeader` has checked it; parsing it only bounds it.
 */

import { UntrueFile } from "./errors.js";

export const PREFIX_BYTES = 14;
export const DATA_KEY_BYTES = 32;
export const SALT_BYTES = 32;
/** As a power of two: 256 KiB, as kmsctl has it. */
export const CHUNK_SIZE_LOG2 = 18;
/** How the server's key protects the data key; PUBLIC_KEY is RSA-OAEP with SHA-256, which takes no additional data. */
export const Wrapping = Object.freeze({ AUTHENTICATED_CIPHER: 1, PUBLIC_KEY: 2 });

const MAGIC = Uint8Array.of(0x89, 0x4b, 0x4d, 0x53, 0x0d, 0x0a, 0x1a, 0x0a);
const VERSION = 1;
const SUITE = 1;
const MIN_CHUNK_SIZE_LOG2 = 12;
const MAX_CHUNK_SIZE_LOG2 = 20;
const MAX_IDENTIFIER_BYTES = 4096;
const MAX_WRAPPED_BYTES = 2048;
const MAX_HEADER_BYTES = 8192;
const MAC_BYTES = 32;
const GCM_NONCE_BYTES = 12;
const GCM_TAG_BYTES = 16;
const LABEL = "kms_tornado file v1 ";
const encoder = new TextEncoder();

/** Whether there is WebCrypto: browsers withhold it from pages that came over plain HTTP, but for loopback. */
export const hasWebCrypto = () => Boolean(globalThis.crypto?.subtle);

/**
 * What the server's Encrypt answered for the data key, as {keyIdentifier, ciphertext, nonce, tag}.
 * nonce, tag: empty with a public key. Throws UntrueFile for what no server answers to 32 bytes.
 */
export function checkWrapped(wrapped) {
  const { ciphertext, nonce, tag } = wrapped;
  const identifier = encoder.encode(wrapped.keyIdentifier);
  // "[" would be a list of tags: whoever edits the file would choose among the reader's keys.
  if (!identifier.length || identifier.length > MAX_IDENTIFIER_BYTES || wrapped.keyIdentifier.startsWith("[")) {
    throw new UntrueFile("the file's header names no key", "edited");
  }
  const isAuthenticated =
    nonce.length === GCM_NONCE_BYTES && tag.length === GCM_TAG_BYTES && ciphertext.length === DATA_KEY_BYTES;
  const isPublic = !nonce.length && !tag.length && ciphertext.length > 0 && ciphertext.length <= MAX_WRAPPED_BYTES;
  if (!isAuthenticated && !isPublic) {
    throw new UntrueFile("the file's header has no data key that a server could open", "edited");
  }
  return wrapped;
}

export function wrappingOf(wrapped) {
  return wrapped.tag.length ? Wrapping.AUTHENTICATED_CIPHER : Wrapping.PUBLIC_KEY;
}

/** The data key as it came from the server. Throws UntrueFile. */
export function checkDataKey(dataKey) {
  if (dataKey.length !== DATA_KEY_BYTES) {
    throw new UntrueFile("the server opened something that is no data key of a file", "edited");
  }
  return dataKey;
}

/**
 * What the server authenticates with the data key, so that the wrapped data key opens as nothing but this
 * file's, and nothing else that the key encrypted opens as the data key of a file.
 */
export function makeAdditionalData(salt) {
  return join(encoder.encode(`${LABEL}data key`), salt);
}

/** {commitment, macKey, chunkKey} by HKDF with SHA-256 (RFC 5869); no script can read the two keys. */
export async function deriveKeys(dataKey, salt) {
  const { subtle } = crypto;
  const secret = await subtle.importKey("raw", dataKey, "HKDF", false, ["deriveBits", "deriveKey"]);
  const expansion = (purpose) => ({ name: "HKDF", hash: "SHA-256", salt, info: encoder.encode(LABEL + purpose) });
  const hmac = { name: "HMAC", hash: "SHA-256", length: 256 };
  const gcm = { name: "AES-GCM", length: 256 };
  return {
    commitment: new Uint8Array(await subtle.deriveBits(expansion("commitment"), secret, 256)),
    macKey: await subtle.deriveKey(expansion("header"), secret, hmac, false, ["sign", "verify"]),
    chunkKey: await subtle.deriveKey(expansion("chunks"), secret, gcm, false, ["encrypt", "decrypt"]),
  };
}

/** header: {salt, wrapped, chunkSizeLog2}. */
export async function renderHeader(header, keys) {
  const { wrapped } = header;
  const identifier = encoder.encode(wrapped.keyIdentifier);
  const fields = join(
    header.salt,
    sized(2, identifier),
    sized(2, wrapped.ciphertext),
    sized(1, wrapped.nonce),
    sized(1, wrapped.tag),
    keys.commitment,
  );
  const length = PREFIX_BYTES + fields.length + MAC_BYTES;
  const prefix = [VERSION, SUITE, wrappingOf(wrapped), header.chunkSizeLog2, length >> 8, length & 0xff];
  const covered = join(MAGIC, Uint8Array.from(prefix), fields);
  return join(covered, new Uint8Array(await crypto.subtle.sign("HMAC", keys.macKey, covered)));
}

/**
 * The length of the whole header, from its first PREFIX_BYTES.
 * Throws UntrueFile where this is no such file, one of a later version, or nonsense.
 */
export function measureHeader(prefix) {
  if (!prefix.length || prefix.subarray(0, MAGIC.length).some((byte, index) => byte !== MAGIC[index])) {
    throw new UntrueFile(
      "this is no file that kmsctl encrypted: one that ckms encrypted is decrypted by kmsctl decrypt --ckms",
      "foreign",
    );
  }
  if (prefix.length < PREFIX_BYTES) throw cutHeader();
  const [version, suite, wrapping, chunkSizeLog2] = prefix.subarray(MAGIC.length);
  const length = (prefix[12] << 8) | prefix[13];
  if (version !== VERSION) {
    throw new UntrueFile(`the file has version ${version} of the format: take a later kmsctl`, "later");
  }
  if (suite !== SUITE || !Object.values(Wrapping).includes(wrapping)) {
    throw new UntrueFile("the file's header names no cipher of this version", "edited");
  }
  if (chunkSizeLog2 < MIN_CHUNK_SIZE_LOG2 || chunkSizeLog2 > MAX_CHUNK_SIZE_LOG2) {
    throw new UntrueFile("the file's header has a chunk size that is not allowed", "edited");
  }
  if (length <= PREFIX_BYTES || length > MAX_HEADER_BYTES) {
    throw new UntrueFile("the file's header has a length that is not allowed", "edited");
  }
  return length;
}

/**
 * A whole header, of the length that `measureHeader` told: {header, covered, commitment, mac}, where covered are
 * the bytes that mac is over, commitment included. Throws UntrueFile.
 */
export function parseHeader(data) {
  const length = measureHeader(data.subarray(0, PREFIX_BYTES));
  if (data.length !== length) throw cutHeader();
  let offset = PREFIX_BYTES;
  const take = (count) => {
    if (offset + count > data.length) {
      throw new UntrueFile("a field of the file's header is longer than the header", "edited");
    }
    offset += count;
    return data.subarray(offset - count, offset);
  };
  const takeSized = (bytes) => take(take(bytes).reduce((size, byte) => (size << 8) | byte, 0));
  const salt = take(SALT_BYTES);
  const [identifier, ciphertext, nonce, tag] = [2, 2, 1, 1].map(takeSized);
  const commitment = take(DATA_KEY_BYTES);
  const covered = data.subarray(0, offset);
  const mac = take(MAC_BYTES);
  if (offset !== length) {
    throw new UntrueFile("the file's header has bytes that belong to nothing", "edited");
  }
  const wrapped = checkWrapped({ keyIdentifier: decode(identifier), ciphertext, nonce, tag });
  if (wrappingOf(wrapped) !== data[10]) {
    throw new UntrueFile("the file's header has no data key that a server could open", "edited");
  }
  return { header: { salt, wrapped, chunkSizeLog2: data[11] }, covered, commitment, mac };
}

/** The keys of the file, once its header has proved to be what was written. Throws UntrueFile. */
export async function openHeader(parsed, dataKey) {
  const keys = await deriveKeys(dataKey, parsed.header.salt);
  if (!areEqual(keys.commitment, parsed.commitment)) {
    throw new UntrueFile("the file was encrypted with another data key, or its header was edited", "key");
  }
  if (!(await crypto.subtle.verify("HMAC", keys.macKey, parsed.mac, parsed.covered))) {
    throw new UntrueFile("the file's header was edited", "edited");
  }
  return keys;
}

function cutHeader() {
  return new UntrueFile("the file ends within its header: it was cut off", "cut");
}

function decode(identifier) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(identifier);
  } catch {
    throw new UntrueFile("the file's header names no key", "edited");
  }
}

/** In constant time, for two of the same length. */
function areEqual(one, other) {
  return one.reduce((difference, byte, index) => difference | (byte ^ other[index]), 0) === 0;
}

/** The bytes behind their length, itself of one or two bytes. */
function sized(bytes, data) {
  const length = bytes === 1 ? [data.length] : [data.length >> 8, data.length & 0xff];
  return join(Uint8Array.from(length), data);
}

function join(...parts) {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
