// Files: encrypt one for a key, or decrypt one, in the browser. The server wraps a data key and never sees a byte of it.

import { hasWebCrypto } from "../files/container.js";
import { readHeader } from "../files/encrypted_file.js";
import { decryptFile, describeFailure, encryptFile } from "../files/converting.js";
import { UntrueFile } from "../files/errors.js";
import { html, useEffect, useId, useLayoutEffect, useRef, useState } from "../lib.js";
import { KeyField, resolveKey } from "../parts/key-field.js";
import { Failure, Notice, Page } from "../parts/page.js";

export function Encrypt({ query, who }) {
  const [chosen, setChosen] = useState(null); // {file, header}; header: null where it is no encrypted file
  const [isDecryption, setDecryption] = useState(query.get("do") === "decrypt");
  const [key, setKey] = useState(query.get("key") ?? "");
  const [state, setState] = useState({}); // {progress, abort} while it runs, then {failure} or {made}
  useEffect(() => () => state.abort?.abort(), [state.abort]);
  useEffect(() => () => state.made?.url && URL.revokeObjectURL(state.made.url), [state.made]);

  const newest = useRef(null);
  const choose = async (file) => {
    newest.current = file;
    setState({});
    setChosen(null); // or a button pressed now would take the former file
    const looked = await look(file);
    if (newest.current !== file) return;
    setChosen({ file, ...looked });
    setDecryption(looked.isEncrypted);
    if (looked.isEncrypted) setKey("");
  };
  const convert = async (event) => {
    event.preventDefault();
    if (chosen === null) return; // Enter in the key's field
    const abort = new AbortController();
    const { file } = chosen;
    const observe = (done) => setState((old) => ({ ...old, progress: done }));
    setState({ progress: 0, abort });
    try {
      const options = { observe, signal: abort.signal };
      // Where a file is large the person is asked at once where it goes, and the key is found after that.
      const named = key.trim();
      const made = isDecryption
        ? await decryptFile(file, named ? () => resolveKey(named) : null, options)
        : await encryptFile(file, () => resolveKey(named), options);
      setState({ made: { ...made, isDecrypted: isDecryption } });
    } catch (error) {
      setState(error.name === "AbortError" ? {} : { failure: describeFailure(error, who.name) });
    }
  };
  const isRunning = state.progress !== undefined;
  if (!hasWebCrypto()) {
    return html`<${Page} title="Files"><${Notice} kind="warning">
      This browser encrypts nothing here, as the page came over plain HTTP. Open it by https, or on the machine of the server itself.<//><//>`;
  }
  return html`<${Page} title="Files" lead="Encrypted and decrypted here in the browser: the server wraps a key for each file, and gets no byte of it.">
    <form class="card files" onSubmit=${convert}>
      <${DropZone} chosen=${chosen} isDisabled=${isRunning} onFile=${choose} />
      ${chosen && html`<fieldset class="choices" disabled=${isRunning}><legend>What to do</legend>
        <${Radio} name="do" label="Encrypt" isChosen=${!isDecryption} onChoose=${() => setDecryption(false)} />
        <${Radio} name="do" label="Decrypt" isChosen=${isDecryption} onChoose=${() => setDecryption(true)} />
      </fieldset>`}
      ${!isDecryption && (chosen || query.has("key")) && html`<${KeyField} label="For the key"
        hint="Whoever may decrypt with this key can open the file. Name or identifier." value=${key} onChange=${setKey} />`}
      ${isDecryption && chosen && html`${chosen.keyIdentifier && html`<p>The file is for the key <code>${chosen.keyIdentifier}</code>.</p>`}
        <details><summary>With another key</summary>
          <${KeyField} label="Key" hint="Instead of the one that the file names." value=${key} onChange=${setKey} /></details>`}
      ${chosen && html`<div class="actions">
        <button class="primary" disabled=${isRunning || (!isDecryption && !key.trim())}>${isDecryption ? "Decrypt" : "Encrypt"}</button>
        ${isRunning && html`<button type="button" onClick=${() => state.abort.abort()}>Stop</button>`}
      </div>`}
      ${isRunning && html`<${Progress} done=${state.progress} size=${chosen.file.size} />`}
    </form>
    ${state.failure && html`<${Failure} error=${state.failure} />`}
    ${state.made && html`<${Made} made=${state.made} />`}
  <//>`;
}

// {isEncrypted, keyIdentifier}: what stands at the beginning of the file, of which nothing is believed yet.
async function look(file) {
  try {
    const { header } = await readHeader(file);
    return { isEncrypted: true, keyIdentifier: header.wrapped.keyIdentifier.slice(0, 200) };
  } catch (error) {
    return { isEncrypted: error instanceof UntrueFile && error.fault !== "foreign", keyIdentifier: null };
  }
}

// A file may be dropped anywhere: beside a smaller place the browser would open it, and the page with its sign-in be gone.
function DropZone({ chosen, isDisabled, onFile }) {
  const [isOver, setOver] = useState(false);
  const [isMany, setMany] = useState(false);
  const id = useId();
  const take = (files) => {
    if (isDisabled || files.length === 0) return;
    setMany(files.length > 1);
    if (files.length === 1) onFile(files[0]);
  };
  useLayoutEffect(() => {
    const listeners = {
      dragover(event) {
        event.preventDefault();
        setOver(true);
      },
      dragleave(event) {
        if (event.relatedTarget === null) setOver(false);
      },
      drop(event) {
        event.preventDefault();
        setOver(false);
        take(event.dataTransfer.files);
      },
    };
    for (const [name, listener] of Object.entries(listeners)) addEventListener(name, listener);
    return () => {
      for (const [name, listener] of Object.entries(listeners)) removeEventListener(name, listener);
    };
  }, [isDisabled, onFile]);
  // Else the same file, chosen again because it has changed, would be no change.
  const forget = (event) => {
    event.currentTarget.value = "";
  };
  return html`<div class=${isOver ? "drop over" : "drop"}>
    <label for=${id}>File</label>
    <input id=${id} type="file" disabled=${isDisabled} aria-describedby=${`${id}-hint`} onClick=${forget} onChange=${(event) => take(event.currentTarget.files)} />
    <p class="hint" id=${`${id}-hint`}>${chosen ? html`<strong>${chosen.file.name}</strong>, ${formatSize(chosen.file.size)}` : "Choose one, or drag it here."}</p>
    <p class="hint" role="status">${isMany ? "One file at a time: each has a key of its own. kmsctl encrypt takes several." : ""}</p>
  </div>`;
}

function Radio({ name, label, isChosen, onChoose }) {
  const id = useId();
  return html`<div><input type="radio" id=${id} name=${name} checked=${isChosen} onChange=${onChoose} /><label for=${id}>${label}</label></div>`;
}

function Progress({ done, size }) {
  const id = useId();
  const total = Math.max(size, 1);
  return html`<div class="progress">
    <label for=${id}>${formatSize(Math.min(done, size))} of ${formatSize(size)}</label>
    <progress id=${id} value=${Math.min(done, total)} max=${total}></progress>
  </div>`;
}

// What was made is saved at once; the link stays for who has lost it, until another file is made.
function Made({ made }) {
  const link = useRef(null);
  useEffect(() => link.current?.click(), [made]);
  const words = made.isDecrypted ? "It is whole, and as it was encrypted." : "Whoever may decrypt with the key can open it, here or by kmsctl decrypt.";
  return html`<${Notice} kind="success">
    <p><strong>${made.name}</strong> is ready. ${words}</p>
    ${made.url && html`<p><a ref=${link} href=${made.url} download=${made.name}>Save it again</a></p>`}
  <//>`;
}

function formatSize(bytes) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
  const digits = power === 0 ? 0 : 1;
  return `${(bytes / 1024 ** power).toFixed(digits)} ${bytes === 1 ? "byte" : units[power]}`;
}
