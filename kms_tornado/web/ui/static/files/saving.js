/**
 * Where what was made of a file goes: it is there as a whole, or not at all.
 *
 * A sink has write(Uint8Array), close() → {name, url} and abort(). url: what a link downloads, null where the file is
 * saved already.
 */

/** Beyond it, the person says where the file goes, and it is written there piece by piece. */
const LARGE_BYTES = 32 * 1024 * 1024;
/** Pieces of this size are given to the browser, which keeps them where it likes, on the disk as well. */
const PIECE_BYTES = 4 * 1024 * 1024;

/**
 * A sink for a file of some size. It may ask the person where, which browsers allow while a press of a button is
 * fresh; what they throw when the person thinks better of it has the name AbortError.
 */
export async function openSink(name, size) {
  if (size <= LARGE_BYTES || !globalThis.showSaveFilePicker) return new BlobSink(name);
  const handle = await showSaveFilePicker({ suggestedName: name });
  return new FileSink(handle, await handle.createWritable());
}

/** Collects a Blob, which a link downloads. */
class BlobSink {
  #name;
  #pieces = [];
  #parts = [];
  #size = 0;

  constructor(name) {
    this.#name = name;
  }

  async write(data) {
    this.#parts.push(data);
    this.#size += data.length;
    if (this.#size >= PIECE_BYTES) this.#collect();
  }

  async close() {
    this.#collect();
    // No type that a browser would show instead of saving it.
    const blob = new Blob(this.#pieces, { type: "application/octet-stream" });
    return { name: this.#name, url: URL.createObjectURL(blob) };
  }

  async abort() {
    this.#pieces = this.#parts = [];
  }

  #collect() {
    this.#pieces.push(new Blob(this.#parts));
    this.#parts = [];
    this.#size = 0;
  }
}

/** Writes where the person has chosen. The browser writes beside the file, and replaces it by close() alone. */
class FileSink {
  #handle;
  #writable;

  constructor(handle, writable) {
    this.#handle = handle;
    this.#writable = writable;
  }

  write(data) {
    return this.#writable.write(data);
  }

  async close() {
    await this.#writable.close();
    return { name: this.#handle.name, url: null };
  }

  async abort() {
    await this.#writable.abort();
    // The choice alone has made an empty file.
    if ((await this.#handle.getFile()).size === 0) await this.#handle.remove?.();
  }
}
