// Dialogs: openDialog(Content, props) shows one above the page and resolves to what was done, or to undefined where
// it was closed.
//
// Content is a component that begins with <${Dialog}> or <${ActionDialog}> and is given `done(value)`. The browser's
// own <dialog> keeps the focus inside, closes by Escape, and gives the focus back to what opened it.

import { html, render, useId, useLayoutEffect, useRef, useState } from "../lib.js";
import { route } from "../router.js";
import { session } from "../session.js";
import { Failure } from "./page.js";

export function openDialog(Content, props = {}) {
  const host = document.createElement("div");
  document.body.append(host);
  return new Promise((resolve) => {
    const ends = [];
    const done = (value) => {
      if (!host.isConnected) return;
      for (const end of ends) end();
      host.querySelector("dialog")?.close();
      render(null, host);
      host.remove();
      // Where what had the focus is gone, as a row of a list may be, the view's title has it.
      if (document.activeElement === document.body) document.querySelector("main h1")?.focus();
      resolve(value);
    };
    ends.push(session.subscribe(({ status }) => status === "in" || done()));
    ends.push(route.subscribe(() => done()));
    render(html`<${Content} ...${props} done=${done} />`, host);
  });
}

// A name in quotes, for a sentence: whatever its letters, they turn no text around them (Unicode's UAX 9, isolates).
export const quote = (name) => `“\u2068${name}\u2069”`;

// isBusy: something is under way, and Escape waits for it. isReadFirst: the focus begins at the title, for a screen
// reader to go on from there; else at the first field.
export function Dialog({ title, isBusy = false, isReadFirst = false, done, children }) {
  const element = useRef(null);
  const id = useId();
  useLayoutEffect(() => element.current.showModal(), []);
  const cancel = (event) => {
    event.preventDefault();
    if (!isBusy) done();
  };
  return html`<dialog ref=${element} aria-labelledby=${id} onCancel=${cancel} onClose=${() => done()}>
    <h2 id=${id} tabindex=${isReadFirst ? -1 : undefined}>${title}</h2>
    ${children}
  </dialog>`;
}

// A form that does one thing. run: does it, and resolves to the dialog's value; what it throws is shown, and the form
// stays as it was filled in. isReady: whether the form may be sent.
export function ActionDialog({ title, label, isDangerous = false, isReadFirst = isDangerous, isReady = true, run, done, children }) {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const send = async (event) => {
    event.preventDefault();
    if (isBusy || !isReady) return;
    setBusy(true);
    setError(null);
    try {
      done(await run());
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${title} isBusy=${isBusy} isReadFirst=${isReadFirst} done=${done}>
    <form onSubmit=${send} aria-busy=${isBusy}>
      ${children}
      ${error && html`<${Failure} error=${error} />`}
      <div class="dialog-end">
        <button type="button" disabled=${isBusy} onClick=${() => done()}>Cancel</button>
        <button class=${isDangerous ? "danger primary" : "primary"} disabled=${isBusy || !isReady}>
          ${isBusy ? "One moment …" : label}
        </button>
      </div>
    </form>
  <//>`;
}

// A field with its label, and a hint that belongs to it. children: a function of {id, "aria-describedby"}.
export function Field({ label, hint, children }) {
  const id = useId();
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${children({ id, "aria-describedby": hint ? `${id}-hint` : undefined })}
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
  </div>`;
}

// Boxes to tick. options: [value, words, hint]; chosen: a Set; onChange: is given the new one.
export function Choices({ legend, options, chosen, onChange }) {
  const id = useId();
  const toggle = (value, isChosen) => {
    const next = new Set(chosen);
    if (isChosen) next.add(value);
    else next.delete(value);
    onChange(next);
  };
  return html`<fieldset class="choices">
    <legend>${legend}</legend>
    ${options.map(([value, words, hint]) => html`<div key=${value}>
      <input type="checkbox" id=${`${id}-${value}`} checked=${chosen.has(value)} aria-describedby=${hint ? `${id}-${value}-hint` : undefined}
        onChange=${(event) => toggle(value, event.currentTarget.checked)} />
      <label for=${`${id}-${value}`}>${words}</label>
      ${hint && html`<span class="hint" id=${`${id}-${value}-hint`}>${hint}</span>`}
    </div>`)}
  </fieldset>`;
}
