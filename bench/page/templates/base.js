// Chooses among what Python has computed, and draws curves. Text goes into the page as text, never as HTML.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const STEPS = 65535; // of packed scores and rates
const COLOURS = 8;
const DASHES = ["", "7 3", "2 3", "9 3 2 3"];
const SHOWN_AT_FIRST = 4;
const NOT_STATED = "not stated";

const state = {
  view: 0, dataset: 0, seed: null, clip: null, frame: null, imageMethod: null, slots: [],
  family: null, supervision: null, hidden: new Set(), sort: null, open: new Set(), pair: [null, null], section: "",
};
const $ = (id) => document.getElementById(id);
const dataset = () => data.datasets[state.dataset];
const view = () => data.views[state.view];

// -- building blocks -------------------------------------------------------------------------------------------------------

function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

function fillSelect(select, texts, chosen = 0) {
  select.replaceChildren(...texts.map((text, value) => element("option", { value }, text)));
  select.value = chosen;
  select.parentElement.hidden = texts.length < 2;
}

/** Numbers of 16 bits out of base64. */
function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Uint16Array(bytes.buffer);
}

/** About `count` round numbers between low and high. */
function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= rough * 0.999);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-6; value += step) found.push(value);
  return found;
}

const short = (value) => (value !== 0 && Math.abs(value) < 0.01 ? value.toExponential(1) : Number(value.toPrecision(3)).toString());

// -- methods that are shown ------------------------------------------------------------------------------------------------

/** The curve of a method: that of the chosen seed, else its first. */
function curveOf(method) {
  const curves = dataset().curves.filter((curve) => curve.method === method);
  return curves.find((curve) => curve.seed === state.seed) ?? curves[0];
}

const shownMethods = () => state.slots.filter((method) => method !== null && curveOf(method));

/** A method keeps its colour and dash for as long as it is shown. */
function stroke(method) {
  const slot = state.slots.indexOf(method);
  return { stroke: `var(--c${slot % COLOURS})`, "stroke-dasharray": DASHES[(slot + Math.floor(slot / COLOURS)) % DASHES.length] };
}

function swatch(method) {
  return svg("svg", { class: "swatch", viewBox: "0 0 26 8", "aria-hidden": "true" }, svg("path", { class: "curve", d: "M0 4H26", ...stroke(method) }));
}

function toggle(method) {
  const slot = state.slots.indexOf(method);
  if (slot >= 0) state.slots[slot] = null;
  else if (state.slots.includes(null)) state.slots[state.slots.indexOf(null)] = method;
  else state.slots.push(method);
  drawChips();
  drawClip();
  drawRoc();
  remember();
}

function chooseMethods() {
  const numbers = dataset().numbers[state.view].map(parseFloat);
  const sign = data.metric.higher ? -1 : 1;
  const able = data.methods.map((_, method) => method).filter((method) => curveOf(method));
  const rank = (method) => (data.methods[method].trivial ? 1e6 : 0) + (Number.isNaN(numbers[method]) ? 1e3 : sign * numbers[method]);
  state.slots = able.sort((one, other) => rank(one) - rank(other)).slice(0, SHOWN_AT_FIRST);
}

function drawChips() {
  for (const [place, box] of document.querySelectorAll(".chips.methods").entries()) {
    const focused = box.contains(document.activeElement) ? [...box.children].indexOf(document.activeElement) : -1;
    box.replaceChildren(
      ...data.methods.map((method, number) => {
        const shown = state.slots.includes(number);
        return element(
          "button",
          { type: "button", class: "chip", "aria-pressed": String(shown), disabled: curveOf(number) ? null : "", id: `chip-${place}-${number}`,
            title: curveOf(number) ? null : "has no scores on this dataset", onclick: () => toggle(number) },
          shown && curveOf(number) ? swatch(number) : null,
          method.name,
        );
      }),
    );
    if (focused >= 0) box.children[focused].focus();
  }
}
