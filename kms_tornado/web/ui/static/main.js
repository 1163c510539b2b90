// Starts the page: signs in where the issuer has just answered, and draws the frame around the views.

import { getJSON } from "./api.js";
import { Frame } from "./frame.js";
import { html, render, useEffect, useStore } from "./lib.js";
import { finishSignIn } from "./oauth.js";
import { startRouter } from "./router.js";
import { session } from "./session.js";
import { SignIn } from "./sign-in.js";
import { signInSettings, startRenewing } from "./renewing.js";
import { makeStore } from "./store.js";

const start = makeStore({ error: null });

async function begin() {
  try {
    const settings = await getJSON("ui/sign-in.json");
    signInSettings.set({ ...settings, known: true });
    if (!settings.needs_token) {
      await session.enter(null);
      return;
    }
    const tokens = await finishSignIn();
    if (tokens !== null) {
      await session.enterWithAny(tokens);
      return;
    }
  } catch (error) {
    start.set({ error });
  }
  if (session.get().status === "starting") session.leave();
}

function App() {
  const { status } = useStore(session);
  const { error } = useStore(start);
  useEffect(() => {
    if (status === "in") start.set({ error: null });
  }, [status]);
  if (status === "starting") return html`<p class="waiting">One moment …</p>`;
  return status === "in" ? html`<${Frame} />` : html`<${SignIn} failure=${error} onBegin=${begin} />`;
}

startRouter();
startRenewing();
const place = document.getElementById("page");
place.replaceChildren();
render(html`<${App} />`, place);
begin();
