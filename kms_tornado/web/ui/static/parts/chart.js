// Bars over time, one for each step, stacked by series; the same numbers stand below as a table, for everybody.

import { html } from "../lib.js";
import { sayDate } from "./time.js";

const HEIGHT = 100;
const GAP = 0.22; // of a step

// steps: [{at (ms), values: [number, …]}], all of them, empty ones too. series: [[word, class of style.css], …].
// label: what is counted, for those who do not see the picture. sayStep: how a step's time is said.
export function Bars({ steps, series, label, sayStep }) {
  const totals = steps.map(({ values }) => values.reduce((sum, value) => sum + value, 0));
  const top = Math.max(...totals, 1);
  const sums = series.map((_, index) => steps.reduce((sum, { values }) => sum + values[index], 0));
  const words = `${label}: ${series.map(([word], index) => `${sums[index]} ${word.toLowerCase()}`).join(", ")}; the highest bar is ${Math.max(...totals, 0)}.`;
  return html`<figure class="chart">
    <ul class="legend">${series.map(([word, style], index) => html`<li key=${word}><svg class="swatch" aria-hidden="true" viewBox="0 0 1 1"><rect class=${style} width="1" height="1" /></svg>${word}: <strong>${sums[index].toLocaleString("en")}</strong></li>`)}</ul>
    <svg class="bars" viewBox=${`0 0 ${steps.length} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label=${words}>
      ${steps.map(({ at, values }, place) => html`<${Bar} key=${at} values=${values} place=${place} top=${top} series=${series}
        title=${`${sayStep(at)}: ${series.map(([word], index) => `${values[index]} ${word.toLowerCase()}`).join(", ")}`} />`)}
    </svg>
    <p class="axis"><span>${sayStep(steps[0].at)}</span><span>highest bar: ${Math.max(...totals, 0).toLocaleString("en")}</span><span>${sayStep(steps.at(-1).at)}</span></p>
    <details><summary>As a table</summary><div class="scroll" tabindex="0" role="region" aria-label=${`${label}, as a table`}>
      <table><thead><tr><th scope="col">From</th>${series.map(([word]) => html`<th scope="col" key=${word} class="number">${word}</th>`)}</tr></thead>
      <tbody>${steps.filter((_, index) => totals[index] > 0).map(({ at, values }) => html`<tr key=${at}><th scope="row">${sayDate(at)}, ${sayStep(at)}</th>${values.map((value, index) => html`<td key=${index} class="number">${value.toLocaleString("en")}</td>`)}</tr>`)}
      ${totals.every((total) => total === 0) && html`<tr><td colspan=${series.length + 1}>Nothing in this time.</td></tr>`}</tbody></table></div></details>
  </figure>`;
}

function Bar({ values, place, top, series, title }) {
  let y = HEIGHT;
  return html`<g><title>${title}</title><rect class="hover" x=${place} y="0" width="1" height=${HEIGHT} />
    ${values.map((value, index) => {
      if (value === 0) return null;
      const height = Math.max((value / top) * HEIGHT, 1.5); // one of a thousand is seen, too
      y = Math.max(y - height, 0);
      return html`<rect key=${index} class=${series[index][1]} x=${place + GAP / 2} y=${y} width=${1 - GAP} height=${height} />`;
    })}</g>`;
}

// All steps of an answer of /audit/statistics. pick: the values of one step.
export function fillSteps(counts, pick) {
  const start = new Date(counts.since).getTime();
  const end = new Date(counts.until).getTime();
  const length = counts.step_seconds * 1000;
  const known = new Map(counts.steps.map((step) => [new Date(step.at).getTime(), pick(step)]));
  const empty = pick({ uses: 0, results: {} });
  return Array.from({ length: Math.max(1, Math.ceil((end - start) / length)) }, (_, index) => {
    const at = start + index * length;
    return { at, values: known.get(at) ?? empty };
  });
}
