// The frame around all views: the menu, who is signed in and for how long, and the view itself.

import { html, useEffect, useLayoutEffect, useRef, useState, useStore } from "./lib.js";
import { Icon } from "./parts/icons.js";
import { Page } from "./parts/page.js";
import { findView, link, route } from "./router.js";
import { session } from "./session.js";
import { startSignIn } from "./oauth.js";
import { signInSettings } from "./renewing.js";
import { Messages } from "./parts/messages.js";
import { views } from "./views.js";

const WARN_MS = 2 * 60_000;
const RENEWED_BY_MS = 40_000; // where a refresh token has not helped by then, it will not

export function Frame() {
  const { segments, query } = useStore(route);
  const { who } = useStore(session);
  const [view, params] = findView(views, segments);
  return html`
    <a class="skip" href="#content" onClick=${skip}>Skip to the content</a>
    <header class="frame-head">
      <a class="brand" href=${link()}><${Icon} name="mark" /> kms_tornado</a>
      <${Who} who=${who} />
    </header>
    <nav class="menu" aria-label="Views">
      ${views.filter((one) => one.label).map((one) => html`<${MenuItem} key=${one.path} view=${one} segments=${segments} />`)}
    </nav>
    <${Ending} />
    <main id="content" tabindex="-1">
      ${view ? html`<${view.View} key=${segments.join("/")} params=${params} query=${query} who=${who} />` : html`<${Unknown} />`}
    </main>
    <${Messages} />
  `;
}

function skip(event) {
  event.preventDefault(); // the fragment is the router's
  document.getElementById("content").focus();
}

function MenuItem({ view, segments }) {
  const first = view.path.split("/")[0] ?? "";
  const isHere = (segments[0] ?? "") === first;
  const item = useRef(null);
  useLayoutEffect(() => {
    const { parentElement: menu, offsetLeft, offsetWidth } = item.current;
    if (isHere) menu.scrollLeft = offsetLeft - (menu.clientWidth - offsetWidth) / 2; // in a narrow window it is cut off
  }, [isHere]);
  return html`<a ref=${item} href=${link(...view.path.split("/").filter(Boolean))} aria-current=${isHere ? "page" : undefined}>
    <${Icon} name=${view.icon} /><span>${view.label}</span></a>`;
}

function Who({ who }) {
  return html`<div class="who">
    <span class="who-name" title=${who.name}>${who.name}</span>
    ${signInSettings.get().needs_token && html`<button class="quiet" onClick=${() => session.leave()}>Sign out</button>`}
  </div>`;
}

// Says that the sign-in ends soon, in time to end what one is doing.
function Ending() {
  const { endsAt, refreshToken } = useStore(session);
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  if (endsAt === null || endsAt - now > (refreshToken ? RENEWED_BY_MS : WARN_MS)) return null;
  const seconds = Math.max(0, Math.round((endsAt - now) / 1000));
  const { code } = signInSettings.get();
  const left = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  return html`<div class="notice warning ending">
    <p><span role="status">Your sign-in ends in less than two minutes.</span> <span aria-hidden="true">${left}</span></p>
    ${code
      ? html`<button onClick=${() => startSignIn(code, session.get().who.name)}>Sign in again</button>`
      : html`<button onClick=${() => session.leave()}>Paste another token</button>`}
  </div>`;
}

const Unknown = () => html`<${Page} title="There is no such view">
  <p>Nothing is at this address. <a href=${link()}>Go to the overview</a></p>
<//>`;
