// Icons, drawn with lines of 24 by 24. They only decorate: words stand beside them.

import { html } from "../lib.js";

const PATHS = {
  mark: "M8.5 12a4 4 0 1 1-.01 0M12.5 12H21M18 12v4",
  overview: "M4 13h6V4H4zM14 20h6v-9h-6zM4 20h6v-3H4zM14 7h6V4h-6z",
  key: "M8 15a4 4 0 1 1 0-.01M11 12l9-9M16 7l3 3",
  access: "M12 3l8 3v6c0 5-3.5 8-8 9-4.5-1-8-4-8-9V6zM9 12l2 2 4-4",
  clock: "M12 21a9 9 0 1 1 .01 0M12 7v5l3 2",
  file: "M6 3h8l4 4v14H6zM14 3v4h4M12 11v6M9 14h6",
  list: "M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01",
  warning: "M12 4l9 16H3zM12 10v4M12 17h.01",
  person: "M12 12a4 4 0 1 1 .01 0M4 21c0-4 4-6 8-6s8 2 8 6",
};

export const Icon = ({ name }) =>
  html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name] ?? PATHS.list} /></svg>`;
