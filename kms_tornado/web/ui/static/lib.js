// What every module takes from the libraries, in one place: html`…`, hooks, and `useData`.
//
// Text in html`…` is text: Preact sets it as such, and the page's policy forbids everything that would parse it.

import { h, render } from "preact";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import htm from "htm";

export const html = htm.bind(h);
// What a person's next key or drop may meet is done by useLayoutEffect, together with what is drawn: useEffect comes
// up to a tenth of a second later.
export { render, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState };

// {waiting, value, error, again}: what `load(signal)` resolves to. It is called anew when one of `keys` changes, or
// by `again()`; the value stays while it is fetched again. What is not wanted any more is aborted.
export function useData(load, keys) {
  const [state, setState] = useState({ waiting: true, value: undefined, error: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    setState((old) => ({ ...old, waiting: true, error: null }));
    load(abort.signal).then(
      (value) => abort.signal.aborted || setState({ waiting: false, value, error: null }),
      (error) => abort.signal.aborted || setState((old) => ({ ...old, waiting: false, error })),
    );
    return () => abort.abort();
  }, [...keys, turn]);
  return { ...state, again: useCallback(() => setTurn((number) => number + 1), []) };
}

// Draw again whenever a store (see store.js) changes; returns its state.
export function useStore(store) {
  const [state, setState] = useState(store.get());
  useEffect(() => {
    setState(store.get()); // it may have changed before the effect ran
    return store.subscribe(setState);
  }, [store]);
  return state;
}

// An id that is unique in the document: Preact's own begins anew in each tree, and a dialog is a tree of its own.
let ids = 0;
export const useId = () => useMemo(() => `id-${++ids}`, []);
