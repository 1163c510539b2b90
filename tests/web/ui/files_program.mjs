/**
 * The page's modules for files, outside of a browser: node files_program.mjs MODULES URL, the latter of a server.
 * One JSON object a line on stdin, one for each on stdout:
 *
 *     {run: "open", file, dataKey}                 → {plaintext}
 *     {run: "zeros", length, dataKey, header}      → {digest, isSame}: SHA-256 of so many zero bytes as a file,
 *                                                    and whether it opens to them
 *     {run: "encrypt" | "decrypt", token, key, source, target}, paths of files
 *                                                  → {peakBytes}, of the process so far
 *
 * or {refusal, fault, kind}: the text, what the error says besides, and its class. Bytes are in hexadecimal.
 */

import { openAsBlob } from "node:fs";
import { open } from "node:fs/promises";
import { createInterface } from "node:readline";

const [, , modules, url] = process.argv;
globalThis.document = { baseURI: `${url}/ui/` }; // all that the modules ask of a page
const { decryptBlob, encryptBlob } = await import(`${modules}/files/encrypted_file.js`);
const { unwrapDataKey, wrapNewDataKey } = await import(`${modules}/files/data_keys.js`);
const { session } = await import(`${modules}/session.js`);

const fromHex = (text) => Uint8Array.from(Buffer.from(text, "hex"));
const toHex = (data) => Buffer.from(data).toString("hex");

class Memory {
  parts = [];
  async write(data) {
    this.parts.push(data);
  }
  get whole() {
    return Buffer.concat(this.parts);
  }
}

const RUNS = {
  async open({ file, dataKey }) {
    const memory = new Memory();
    await decryptBlob(new Blob([fromHex(file)]), memory, async () => fromHex(dataKey));
    return { plaintext: toHex(memory.whole) };
  },
  async zeros({ length, dataKey, header }) {
    const { keyIdentifier, ...parts } = header.wrapped;
    const wrapped = Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, fromHex(value)]));
    const of = { ...header, salt: fromHex(header.salt), wrapped: { keyIdentifier, ...wrapped } };
    const [sealed, opened, zeros] = [new Memory(), new Memory(), Buffer.alloc(length)];
    await encryptBlob(new Blob([zeros]), sealed, of, fromHex(dataKey));
    await decryptBlob(new Blob([sealed.whole]), opened, async () => fromHex(dataKey));
    return { digest: toHex(await crypto.subtle.digest("SHA-256", sealed.whole)), isSame: opened.whole.equals(zeros) };
  },
  async encrypt({ token, key, source, target }) {
    session.set({ token });
    const { header, dataKey } = await wrapNewDataKey(key);
    return convert(source, target, (blob, sink) => encryptBlob(blob, sink, header, dataKey));
  },
  async decrypt({ token, key, source, target }) {
    session.set({ token });
    const unwrap = (header) => unwrapDataKey(header, key ?? null);
    return convert(source, target, (blob, sink) => decryptBlob(blob, sink, unwrap));
  },
};

async function convert(source, target, work) {
  const file = await open(target, "w");
  try {
    await work(await openAsBlob(source), { write: (data) => file.writeFile(data) });
    return { peakBytes: process.resourceUsage().maxRSS * 1024 };
  } finally {
    await file.close();
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { run, ...rest } = JSON.parse(line);
  const answer = await RUNS[run](rest).catch(({ message, fault, reason, constructor }) => ({
    refusal: message,
    fault: fault ?? reason,
    kind: constructor.name,
  }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
