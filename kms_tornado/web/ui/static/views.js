// The views, in the order of the menu.
//
// A view is a module in views/ that exports a Preact component, called with {params, query, who}:
// params: of its path (":uid"), query: the URLSearchParams behind the path, who: the answer of /whoami.
// It begins with <${Page} title=…> of parts/page.js, which sets the title and takes the focus.
//
//   path   as in "keys/:uid"; the address is #/keys/…
//   label  in the menu; a view without it is reached by links
//   icon   its name in parts/icons.js
//
// How views are written:
// - Data come by `useData` (lib.js) through api.js and kmip.js, and are shown by <${Loaded}> of parts/page.js, which
//   has the words for waiting and for every refusal. No view calls fetch.
// - Whatever comes from the server is text in html`…`; there is no innerHTML, no eval, no inline style sheet.
// - What can be pressed is a button or a link with words; what is drawn also stands there as text.
// - Colours, spaces and type come from the custom properties in style.css, for light and dark alike.
// - Words are plain: what happened, and what to do about it.

import { Access } from "./views/access.js";
import { Attention } from "./views/attention.js";
import { Audit } from "./views/audit.js";
import { Encrypt } from "./views/encrypt.js";
import { Key } from "./views/key.js";
import { Keys } from "./views/keys.js";
import { Me } from "./views/me.js";
import { Overview } from "./views/overview.js";

export const views = [
  { path: "", label: "Overview", icon: "overview", View: Overview },
  { path: "keys", label: "Keys", icon: "key", View: Keys },
  { path: "keys/:uid", View: Key },
  { path: "access", label: "Access", icon: "access", View: Access },
  { path: "attention", label: "Needs action", icon: "clock", View: Attention },
  { path: "encrypt", label: "Files", icon: "file", View: Encrypt },
  { path: "audit", label: "Audit", icon: "list", View: Audit },
  { path: "me", label: "Me", icon: "person", View: Me },
];
