// Lists in pages: usePages fetches the first one, and a further one when it is asked for.
//
// A page may be empty and have a next one, as the server looks at so many objects or records in one request.

import { html, useCallback, useEffect, useRef, useState } from "../lib.js";

// fetchPage(signal, cursor) resolves to {items, next}. {items, waiting, error, isEnd, more, again}; begins anew when one
// of `keys` changes.
export function usePages(fetchPage, keys) {
  const list = JSON.stringify(keys);
  const empty = { list, items: [], next: undefined, waiting: true, error: null };
  const [kept, setState] = useState(empty);
  const state = kept.list === list ? kept : empty; // what is of another list is not shown as this one's
  const abort = useRef(null);
  const load = useCallback(async (items, cursor) => {
    abort.current?.abort();
    const { signal } = (abort.current = new AbortController());
    setState((old) => ({ ...(old.list === list ? old : empty), waiting: true, error: null }));
    try {
      const page = await findPage(fetchPage, signal, cursor);
      if (!signal.aborted) setState({ list, items: [...items, ...page.items], next: page.next, waiting: false, error: null });
    } catch (error) {
      if (!signal.aborted) setState((old) => ({ ...old, waiting: false, error }));
    }
  }, keys);
  useEffect(() => {
    load([], undefined);
    return () => abort.current?.abort();
  }, [load]);
  return {
    ...state,
    isEnd: !state.waiting && state.error === null && !state.next,
    more: () => load(state.items, state.next),
    again: () => (state.items.length ? load(state.items, state.next) : load([], undefined)),
    restart: () => load([], undefined),
  };
}

const MOST_EMPTY = 5;

// {items, next}: the first page with something on it, or the last of a few empty ones. Where items are empty and next is
// not, there is more to look at: nobody may be told that there is nothing.
export async function findPage(fetchPage, signal, cursor) {
  let page = await fetchPage(signal, cursor);
  for (let turn = 1; page.items.length === 0 && page.next && turn < MOST_EMPTY; turn++) {
    page = await fetchPage(signal, page.next);
  }
  return page;
}

// What stands below the list. shown: how many there are, in words.
export const Pages = ({ pages, shown, more = "Show more" }) => html`<div class="more">
  <span class="dim" role="status">${pages.waiting ? "Loading …" : pages.items.length > 0 ? `${shown}${pages.isEnd ? "" : " so far"}` : ""}</span>
  ${pages.next && !pages.error && html`<button disabled=${pages.waiting} onClick=${pages.more}>${pages.items.length ? more : "Look further"}</button>`}
</div>`;
