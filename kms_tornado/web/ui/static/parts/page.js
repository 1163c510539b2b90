// What views are made of: the page with its title, notices, failures, and data that are on their way.

import { html, useLayoutEffect, useRef } from "../lib.js";

// A view: its title becomes the document's and takes the focus, so that a screen reader says where one is.
// actions: buttons beside the title. lead: a sentence below it.
export function Page({ title, lead, actions, children }) {
  const heading = useRef(null);
  useLayoutEffect(() => {
    document.title = `${title} – kms_tornado`;
  }, [title]);
  useLayoutEffect(() => heading.current.focus({ preventScroll: true }), []);
  return html`
    <div class="page-head">
      <div><h1 tabindex="-1" ref=${heading}>${title}</h1>${lead && html`<p class="lead">${lead}</p>`}</div>
      ${actions && html`<div class="actions">${actions}</div>`}
    </div>
    ${children}
  `;
}

// kind: "info", "warning", "failure" or "success".
export const Notice = ({ kind = "info", children }) =>
  html`<div class="notice ${kind}" role=${kind === "failure" ? "alert" : "status"}><div>${children}</div></div>`;

// An APIError, or any other error, in words; again: a function for a button that tries once more.
export function Failure({ error, again }) {
  return html`<div class="notice failure" role="alert">
    <div><strong>${error.message}</strong>${error.advice && html` <span>${error.advice}</span>`}</div>
    ${again && html`<button onClick=${again}>Try again</button>`}
  </div>`;
}

// data: of `useData`. children: a function of the value.
export function Loaded({ data, children }) {
  if (data.error) return html`<${Failure} error=${data.error} again=${data.again} />`;
  if (data.value === undefined) return html`<p class="waiting" role="status">Loading …</p>`;
  return children(data.value);
}

// What stands in the place of an empty list: what would be here, and how it gets here.
export const Empty = ({ title, children }) => html`<div class="empty"><p><strong>${title}</strong></p>${children}</div>`;
