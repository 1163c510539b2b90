// Signing in: at the issuer, or by pasting a token.

import { html, useId, useState, useStore } from "./lib.js";
import { startSignIn } from "./oauth.js";
import { Icon } from "./parts/icons.js";
import { Failure, Notice } from "./parts/page.js";
import { signInSettings } from "./renewing.js";
import { session } from "./session.js";

export function SignIn({ failure, onBegin }) {
  const { known, code, unreachable_issuer: unreachable } = useStore(signInSettings);
  const { notice } = useStore(session);
  return html`<main class="sign-in">
    <h1><${Icon} name="mark" /> kms_tornado</h1>
    <p>Keys, who may use them, and what was done with them.</p>
    ${notice && html`<${Notice} kind="warning">${notice}<//>`}
    ${failure && html`<${Failure} error=${failure} again=${known ? undefined : onBegin} />`}
    ${unreachable && html`<div class="notice warning" role="status"><div>The issuer ${unreachable} does not answer the server, so that nobody can sign in there now. A token that you have still works.</div>
      <button onClick=${onBegin}>Try again</button></div>`}
    ${code && html`<${AtIssuer} code=${code} />`}
    ${known && html`<${PasteToken} isFirst=${!code} />`}
  </main>`;
}

function AtIssuer({ code }) {
  const [error, setError] = useState(null);
  const begin = () => startSignIn(code).catch(setError);
  return html`<section class="card">
    <h2>Sign in</h2>
    <button class="primary wide" onClick=${begin}>Sign in at ${hostOf(code.issuer)}</button>
    ${error && html`<${Failure} error=${error} />`}
  </section>`;
}

function hostOf(issuer) {
  try {
    return new URL(issuer).host || issuer;
  } catch {
    return issuer;
  }
}

// A token has one line: who pastes it and presses Enter wants no second one.
function submitByEnter(event) {
  if (event.key !== "Enter" || event.isComposing) return;
  event.preventDefault();
  event.currentTarget.form.requestSubmit();
}

function PasteToken({ isFirst }) {
  const [token, setToken] = useState("");
  const [isBusy, setIsBusy] = useState(false);
  const [error, setError] = useState(null);
  const id = useId();
  const submit = async (event) => {
    event.preventDefault();
    setIsBusy(true);
    setError(null);
    try {
      await session.enter(token.trim().replace(/^Bearer\s+/i, ""));
    } catch (problem) {
      setError(problem);
      setIsBusy(false);
    }
  };
  const form = html`<form onSubmit=${submit}>
    <label for=${id}>A token of your issuer (a JWT)</label>
    <textarea id=${id} rows="4" autocomplete="off" spellcheck=${false} required value=${token} onInput=${(event) => setToken(event.target.value)} onKeyDown=${submitByEnter}></textarea>
    <p class="hint">It stays in this tab's memory, and is gone when you close or reload the page.</p>
    <button class=${isFirst ? "primary" : ""} disabled=${isBusy || !token.trim()}>${isBusy ? "Signing in …" : "Sign in with the token"}</button>
    ${error && html`<${Failure} error=${error} />`}
  </form>`;
  return isFirst
    ? html`<section class="card"><h2>Sign in</h2>${form}</section>`
    : html`<details class="card"><summary>Paste a token instead</summary>${form}</details>`;
}
