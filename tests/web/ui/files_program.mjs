/**
 * The page's modules for files, outside of a browser. One JSON object a line on stdin, one for each on stdout:
 *
 *     {run: "open", file, dataKey}                 → {plaintext}
 *     {run: "seal", plaintext, dataKey, header}    → {file}
 *     {run: "encrypt" | "decrypt", url, token, key, source, target}, paths of files
 *                                                  → {peakBytes}, of the process so far
 *
 * or {refusal, fault, kind}: the text, what the error says besides, and its class. Bytes are in hexadecimal.
 */

import { openAsBlob } from "node:fs";
import { open } from "node:fs/promises";
import { createInterface } from "node:readline";

const modules = process.argv[2];
const { decryptBlob, encryptBlob } = await import(`${modules}/encrypted_file.js`);
const { unwrapDataKey, wrapNewDataKey } = await import(`${modules}/data_keys.js`);

const fromHex = (text) => Uint8Array.from(Buffer.from(text, "hex"));
const toHex = (data) => Buffer.from(data).toString("hex");

class Memory {
  parts = [];
  async write(data) {
    this.parts.push(data);
  }
  get hex() {
    return toHex(Buffer.concat(this.parts));
  }
}

const RUNS = {
  async open({ file, dataKey }) {
    const memory = new Memory();
    await decryptBlob(new Blob([fromHex(file)]), memory, async () => fromHex(dataKey));
    return { plaintext: memory.hex };
  },
  async seal({ plaintext, dataKey, header }) {
    const memory = new Memory();
    const { keyIdentifier, ...parts } = header.wrapped;
    const wrapped = Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, fromHex(value)]));
    const of = { ...header, salt: fromHex(header.salt), wrapped: { keyIdentifier, ...wrapped } };
    await encryptBlob(new Blob([fromHex(plaintext)]), memory, of, fromHex(dataKey));
    return { file: memory.hex };
  },
  async encrypt({ url, token, key, source, target }) {
    const { header, dataKey } = await wrapNewDataKey(performer(url, token), key);
    return convert(source, target, (blob, sink) => encryptBlob(blob, sink, header, dataKey));
  },
  async decrypt({ url, token, key, source, target }) {
    const unwrap = (header) => unwrapDataKey(performer(url, token), header, key ?? null);
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

function performer(url, token) {
  return async (operation, fields) => {
    const answer = await fetch(`${url}/kmip_2_1`, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body: JSON.stringify({ tag: operation, type: "Structure", value: fields }),
    });
    if (answer.ok) return (await answer.json()).value;
    const [, reason, message] = /^(\w+): (.*)$/s.exec(await answer.text());
    throw Object.assign(new Error(message), { reason });
  };
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
