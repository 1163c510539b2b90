// Short messages about what was done, at the edge of the window: say("The key was made."). They stay until they are
// closed or ten seconds have passed, and a screen reader says them.

import { html, useStore } from "../lib.js";
import { makeStore } from "../store.js";

const SHOWN_MS = 10_000;

const messages = makeStore({ all: [] });
let number = 0;

export function say(words, kind = "success") {
  const message = { id: ++number, words, kind };
  messages.set({ all: [...messages.get().all, message] });
  setTimeout(() => close(message.id), SHOWN_MS);
}

const close = (id) => messages.set({ all: messages.get().all.filter((one) => one.id !== id) });

export function Messages() {
  const { all } = useStore(messages);
  return html`<div class="messages" role="status" aria-live="polite">
    ${all.map((one) => html`<div key=${one.id} class="notice ${one.kind}"><div>${one.words}</div>
      <button class="quiet" aria-label="Close" onClick=${() => close(one.id)}>×</button></div>`)}
  </div>`;
}
