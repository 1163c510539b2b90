/**
 * The chunks of an encrypted file: STREAM over AES-256-GCM (docs/file-format.md, "Chunks").
 *
 * Chunk i is sealed under the nonce `i as 11 bytes ‖ 1 for the last chunk, else 0`, so that it opens in its own
 * place alone, and the end only where it was written.
 *
 * What is held at once, whatever the file's size, is three spans of 4 MiB: the one that is in hand, what becomes
 * of it, and the one that is read ahead.
 */

import { FileError, UntrueFile } from "./errors.js";

export const TAG_BYTES = 16;
/** So that AES-256-GCM under one key stays far below where its blocks begin to collide (NIST SP 800-38D). */
const MAX_CHUNKS = 2 ** 32;
/** A read costs a message to another process of the browser: one for many chunks. */
const SPAN_BYTES = 4 * 1024 * 1024;

/**
 * Write the chunks of a Blob's bytes.
 * sink: has `write(Uint8Array)`, which is awaited. observe: is called with the bytes of plaintext done so far.
 * Throws FileError for a source that is too long or cannot be read.
 */
export async function sealStream(source, sink, chunkKey, chunkSize, observe) {
  if (Math.ceil(source.size / chunkSize) > MAX_CHUNKS) {
    throw new FileError("the data is longer than one file may hold: split it");
  }
  let done = 0;
  for await (const chunks of readSpans(source, chunkSize)) {
    const sealed = chunks.map(({ data, ...place }) => crypto.subtle.encrypt(gcm(place), chunkKey, data));
    for (const each of await Promise.all(sealed)) await sink.write(new Uint8Array(each));
    done += chunks.reduce((length, { data }) => length + data.length, 0);
    observe(done);
  }
}

/**
 * Write the plaintext of a Blob's chunks, each after it has proved authentic.
 * Only when this has returned is the plaintext known to be whole: what the sink got before an error is a true
 * beginning of it, and no more. Throws UntrueFile, and FileError for a source that cannot be read.
 */
export async function openStream(source, sink, chunkKey, chunkSize, observe) {
  let done = 0;
  for await (const chunks of readSpans(source, chunkSize + TAG_BYTES)) {
    const opened = await Promise.allSettled(chunks.map((chunk) => openChunk(chunk, chunkKey)));
    for (const [index, { value }] of opened.entries()) {
      if (!value) throw untrueChunk(chunks[index], done);
      await sink.write(value);
      done += value.length;
    }
    observe(done);
  }
}

async function openChunk({ data, index, isLast }, chunkKey) {
  const length = data.length - TAG_BYTES;
  // An empty chunk stands for an empty file. Behind others it would be a second way to write the same.
  if (length < 0 || index >= MAX_CHUNKS || (length === 0 && index > 0)) throw new Error("no chunk");
  return new Uint8Array(await crypto.subtle.decrypt(gcm({ index, isLast }), chunkKey, data));
}

/** Lists of {data, index, isLast}: `size` bytes each but the last chunk; one empty chunk of an empty source. */
async function* readSpans(source, size) {
  const spanSize = Math.max(1, Math.floor(SPAN_BYTES / size)) * size;
  let ahead = read(source, 0, spanSize);
  for (let start = 0; start === 0 || start < source.size; start += spanSize) {
    const span = await ahead;
    const isEnd = start + spanSize >= source.size;
    if (!isEnd) {
      ahead = read(source, start + spanSize, spanSize);
      ahead.catch(() => {}); // told when it is awaited, if it still is
    }
    const chunks = [];
    for (let offset = 0; offset === 0 || offset < span.length; offset += size) {
      const isLast = isEnd && offset + size >= span.length;
      chunks.push({ data: span.subarray(offset, offset + size), index: (start + offset) / size, isLast });
    }
    yield chunks;
  }
}

async function read(source, start, size) {
  try {
    return new Uint8Array(await source.slice(start, start + size).arrayBuffer());
  } catch (error) {
    throw new FileError("the file cannot be read, or it changed while it was read: choose it again", { cause: error });
  }
}

function gcm({ index, isLast }) {
  const iv = new Uint8Array(12);
  new DataView(iv.buffer).setUint32(7, index);
  iv[11] = isLast ? 1 : 0;
  return { name: "AES-GCM", iv, tagLength: 8 * TAG_BYTES };
}

function untrueChunk({ index, isLast }, done) {
  // Where the last bytes do not fit, the file may be cut off just as well as edited: the tag cannot tell.
  const what = isLast ? "was cut off, or edited at its end" : "was edited";
  return new UntrueFile(
    `the file ${what}: chunk ${index + 1}, after ${done} good bytes, is not authentic`,
    isLast ? "cut" : "edited",
  );
}
