/** An encrypted file from its first byte to its last: the header of container.js, the chunks of sealing.js. */

import { PREFIX_BYTES, deriveKeys, measureHeader, openHeader, parseHeader, renderHeader } from "./container.js";
import { FileError } from "./errors.js";
import { openStream, sealStream } from "./sealing.js";

/** Write the encrypted file of a Blob. header, dataKey: new ones, for this file alone. */
export async function encryptBlob(source, sink, header, dataKey, observe = () => {}) {
  const keys = await deriveKeys(dataKey, header.salt);
  await sink.write(await renderHeader(header, keys));
  await sealStream(source, sink, keys.chunkKey, 2 ** header.chunkSizeLog2, observe);
}

/**
 * Write the plaintext of an encrypted file, each chunk after it has proved authentic.
 * unwrap: asks the server for the data key; nothing of the header that it gets is authenticated yet.
 * Throws UntrueFile, FileError, and what sink and unwrap throw.
 */
export async function decryptBlob(source, sink, unwrap, observe = () => {}) {
  const parsed = await readHeader(source);
  const keys = await openHeader(parsed, await unwrap(parsed.header));
  const chunks = source.slice(parsed.covered.length + parsed.mac.length);
  await openStream(chunks, sink, keys.chunkKey, 2 ** parsed.header.chunkSizeLog2, observe);
}

/** What stands before the chunks, not to be believed yet. Throws UntrueFile. */
export async function readHeader(source) {
  const length = measureHeader(await read(source, PREFIX_BYTES));
  return parseHeader(await read(source, length));
}

async function read(source, length) {
  try {
    return new Uint8Array(await source.slice(0, length).arrayBuffer());
  } catch (error) {
    throw new FileError("the file cannot be read: choose it again", { cause: error });
  }
}
