// Which view is shown: the part of the address behind #, as in #/keys/my-key?tab=uses. It never reaches the server.

import { makeStore } from "./store.js";

export const route = makeStore(parseHash());

export function startRouter() {
  addEventListener("hashchange", () => route.set(parseHash()));
}

function parseHash() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  return { segments: path.split("/").filter(Boolean).map(decode), query: new URLSearchParams(query) };
}

function decode(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // somebody typed a %
  }
}

// The address of a view: link("keys", uid), link("audit", {uid}).
export function link(...parts) {
  const query = typeof parts.at(-1) === "object" ? parts.pop() : {};
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const search = new URLSearchParams(given).toString();
  return `#/${parts.map(encodeURIComponent).join("/")}${search ? `?${search}` : ""}`;
}

// Go there; replace: without a step in the history, as for a filter.
export function go(address, { replace = false } = {}) {
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  route.set(parseHash());
}

// [view, params] for the segments: of the first whose path, as "keys/:uid", has their shape.
export function findView(views, segments) {
  for (const view of views) {
    const names = view.path.split("/").filter(Boolean);
    if (names.length !== segments.length) continue;
    const params = {};
    const fits = names.every((name, index) => {
      if (!name.startsWith(":")) return name === segments[index];
      params[name.slice(1)] = segments[index];
      return true;
    });
    if (fits) return [view, params];
  }
  return [null, {}];
}
