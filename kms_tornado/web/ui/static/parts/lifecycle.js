// A key's life-cycle, drawn: the states that it went through, where it is, and where it may go (KMIP 2.1 §4.57).

import { html } from "../lib.js";
import { Time } from "./time.js";
import { STATES, wordOfState } from "./words.js";

const WAY = ["PreActive", "Active", "Deactivated", "Destroyed"];
const OTHER_WAY = ["Compromised", "Destroyed_Compromised"];

// attributes: of the key, as kmip.js reads them.
export function LifeCycle({ state, attributes }) {
  const isCompromised = OTHER_WAY.includes(state);
  const here = WAY.indexOf(state);
  const steps = WAY.map((name, index) => {
    if (isCompromised) return describe(name, attributes, hasBeen(name, attributes) ? "past" : "never");
    return describe(name, attributes, index < here ? "past" : index === here ? "here" : "ahead");
  });
  const others = isCompromised
    ? OTHER_WAY.map((name) => describe(name, attributes, name === state ? "here" : name === "Compromised" ? "past" : "ahead"))
    : [];
  return html`<div class="life-cycle">
    <${Way} steps=${steps.filter((step) => step.phase !== "never")} label="Life-cycle" />
    ${isCompromised && html`<${Way} steps=${others} label="Since it was compromised" />`}
    <p class="hint">${STATES[state]?.[2]}</p>
  </div>`;
}

const Way = ({ steps, label }) => html`<ol class="way" aria-label=${label}>
  ${steps.map(({ name, phase, words, at }) => html`<li key=${name} class=${phase} aria-current=${phase === "here" ? "step" : undefined}>
    <span class="step-name">${wordOfState(name)}</span>
    <span class="step-when">${words} ${at && html`<${Time} value=${at} />`}</span>
  </li>`)}
</ol>`;

function hasBeen(name, { ActivationDate: activation, CompromiseDate: compromise, DeactivationDate: deactivation }) {
  const until = compromise ?? Number.POSITIVE_INFINITY;
  if (name === "PreActive") return true;
  if (name === "Active") return activation !== undefined && activation <= until;
  return name === "Deactivated" && deactivation !== undefined && deactivation <= until;
}

function describe(name, attributes, phase) {
  const dates = {
    PreActive: attributes.InitialDate,
    Active: attributes.ActivationDate,
    Deactivated: attributes.DeactivationDate,
    Compromised: attributes.CompromiseDate,
    Destroyed: attributes.DestroyDate,
    Destroyed_Compromised: attributes.DestroyDate,
  };
  const at = dates[name];
  if (phase === "ahead") {
    const by = { Active: "by Activate", Deactivated: "by Revoke", Destroyed: "by Destroy", Destroyed_Compromised: "by Destroy" };
    const isPlanned = at && at > Date.now();
    return { name, phase: isPlanned ? "planned" : phase, words: isPlanned ? "" : by[name], at: isPlanned ? at : null };
  }
  return { name, phase, words: name === "PreActive" && phase === "past" ? "made" : phase === "here" ? "since" : "", at };
}
