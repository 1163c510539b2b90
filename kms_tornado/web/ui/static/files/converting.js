/** Encrypt and decrypt a file that a person has chosen: from a File to a sink, and the words for what goes wrong. */

import { decryptBlob, encryptBlob } from "./encrypted_file.js";
import { unwrapDataKey, wrapNewDataKey } from "./data_keys.js";
import { FileError, UnknownKey, UntrueFile } from "./errors.js";
import { openSink } from "./saving.js";

const SUFFIX = ".kms";

/**
 * {name, url} of the encrypted file (saving.js).
 * findKey: resolves to the key's identifier; it is called once the person has said where the file goes.
 * observe: is called with the bytes that are done; signal: ends it.
 */
export function encryptFile(file, findKey, { observe, signal }) {
  return convert(`${file.name}${SUFFIX}`, file.size, signal, async (sink) => {
    const { header, dataKey } = await wrapNewDataKey(await findKey());
    await encryptBlob(file, sink, header, dataKey, watch(observe, signal));
  });
}

/** {name, url} of the plaintext. findKey: of a key instead of the one that the file names, or null. */
export function decryptFile(file, findKey, { observe, signal }) {
  return convert(plainName(file.name), file.size, signal, (sink) =>
    decryptBlob(
      file,
      sink,
      async (header) => unwrapDataKey(header, findKey && (await findKey())),
      watch(observe, signal),
    ),
  );
}

const plainName = (name) =>
  name.length > SUFFIX.length && name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : `${name}.decrypted`;

async function convert(name, size, signal, work) {
  const sink = await openSink(name, size);
  try {
    await work(sink);
    signal.throwIfAborted();
    return await sink.close();
  } catch (error) {
    await sink.abort().catch(() => {}); // what went wrong before is what counts
    throw error instanceof DOMException && error.name !== "AbortError"
      ? new FileError(`the file cannot be written: ${error.message}`, { cause: error })
      : error;
  }
}

const watch = (observe, signal) => (done) => {
  signal.throwIfAborted();
  observe(done);
};

const ADVICE = {
  foreign: "Was it encrypted at all, and is it the right file?",
  later: "Reload the page; if that does not help, this server is older than the program that made the file.",
  cut: "It is probably incomplete. Fetch it again from where it came from.",
  edited: "Somebody or something has changed it. Fetch it again from where it came from.",
  key: "Choose the key that it was encrypted for, or fetch the file again.",
};

/** {message, advice} of what the two throw, in whole sentences. who: the name of who is signed in. */
export function describeFailure(error, who) {
  const message = `${error.message[0]?.toUpperCase() ?? ""}${error.message.slice(1)}`.replace(/\.?$/, ".");
  if (error instanceof UntrueFile) return { message, advice: `${ADVICE[error.fault]} Nothing was saved.` };
  if (error instanceof UnknownKey) {
    return { message, advice: `You are signed in as ${who}: that is the name to share it with. Nothing was saved.` };
  }
  if (error instanceof FileError) return { message, advice: "Nothing was saved." };
  return { message, advice: error.advice ?? "" };
}
