// Chooses among what Python has computed, and draws curves. Text goes into the page as text, never as HTML.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const STEPS = 65535; // of packed scores and rates
const COLOURS = 8;
const DASHES = ["", "7 3", "2 3", "9 3 2 3"];
const SHOWN_AT_FIRST = 4;

const state = { protocol: 0, dataset: 0, seed: null, clip: null, frame: null, pictured: null, slots: [] };
const $ = (id) => document.getElementById(id);
const dataset = () => data.datasets[state.dataset];
const protocol = () => data.protocols[state.protocol];

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
}

function chooseMethods() {
  const numbers = dataset().numbers[state.protocol].map(parseFloat);
  const sign = data.metric.higher ? -1 : 1;
  const able = data.methods.map((_, method) => method).filter((method) => curveOf(method));
  const rank = (method) => (data.methods[method].trivial ? 1e6 : 0) + (Number.isNaN(numbers[method]) ? 1e3 : sign * numbers[method]);
  state.slots = able.sort((one, other) => rank(one) - rank(other)).slice(0, SHOWN_AT_FIRST);
}

function drawChips() {
  for (const [place, box] of document.querySelectorAll(".chips").entries()) {
    const focused = box.contains(document.activeElement) ? [...box.children].indexOf(document.activeElement) : -1;
    box.replaceChildren(
      ...data.methods.map((method, number) => {
        const shown = state.slots.includes(number);
        return element(
          "button",
          { type: "button", class: "chip", "aria-pressed": String(shown), disabled: curveOf(number) ? null : "", id: `chip-${place}-${number}`,
            title: curveOf(number) ? null : "has no scores on this dataset", onclick: () => toggle(number) },
          shown && curveOf(number) ? swatch(number) : null,
          method.label,
        );
      }),
    );
    if (focused >= 0) box.children[focused].focus();
  }
}

// -- sorting ---------------------------------------------------------------------------------------------------------------

/** Sort rows by a column: families dissolve, rows without a number come last, trivial methods stay apart. Third time: as it was. */
function sortBy(heading) {
  const table = heading.closest("table");
  const column = [...heading.parentElement.children].indexOf(heading);
  const initial = (table.initial ??= [...table.tBodies].map((body) => [body, [...body.rows]]));
  const first = column === 0 || !higherIsBetter(table) ? "ascending" : "descending";
  const second = first === "ascending" ? "descending" : "ascending";
  const next = { none: first, [first]: second, [second]: "none" }[heading.getAttribute("aria-sort")];
  for (const other of heading.parentElement.children) other.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", next);
  table.classList.toggle("sorted", next !== "none");
  for (const [body, rows] of initial) body.replaceChildren(...rows);
  const name = heading.textContent.trim();
  if (next === "none") {
    $("sorted").textContent = "In the order of the table.";
    return;
  }
  const sign = next === "ascending" ? 1 : -1;
  const key = (row) => (column === 0 ? row.cells[0].firstChild.data : parseFloat(row.cells[column].dataset.value));
  const order = (one, other) => {
    const [a, b] = [key(one), key(other)];
    if (column === 0) return sign * a.localeCompare(b);
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    return sign * (a - b);
  };
  for (const apart of [false, true]) {
    const bodies = initial.map(([body]) => body).filter((body) => body.classList.contains("apart") === apart);
    const rows = bodies.flatMap((body) => [...body.rows]);
    const heads = rows.filter((row) => row.classList.contains("family"));
    if (bodies.length) bodies[0].append(...heads, ...rows.filter((row) => !heads.includes(row)).sort(order));
  }
  $("sorted").textContent = `Sorted by ${name}, ${next}; rows without a number after the others, trivial methods apart.`;
}

const higherIsBetter = (table) => data.metric.higher || !/^(comparison|scenes)/.test(table.id);

// -- clips -----------------------------------------------------------------------------------------------------------------

const labelSet = () => dataset().sets[state.protocol];
const truth = (clip) => clip.anomalous[labelSet()] ?? [];
const isAnomalous = (clip, frame) => truth(clip).some(([first, end]) => frame >= first && frame < end);

function kindOf(clip) {
  const anomalous = truth(clip).reduce((sum, [first, end]) => sum + end - first, 0);
  if (!labelSet()) return "no labels";
  const share = `${anomalous} of ${clip.length} frames anomalous`;
  return anomalous === 0 || anomalous === clip.length ? `${share}: one class` : share;
}

function drawClipList() {
  const clips = dataset().clips;
  $("clips-said").textContent =
    `${clips.length} clips of ${dataset().name}` +
    (labelSet() ? `; the bar under a name shows its anomalous frames (labels ${labelSet()}).` : "; it has no labels, so there are scores and no numbers.") +
    " A clip opens its scores over time; Escape closes it.";
  $("clip-list").replaceChildren(
    ...clips.map((clip, number) => {
      const stops = truth(clip).flatMap(([first, end]) => {
        const [from, to] = [(100 * first) / clip.length, (100 * end) / clip.length].map((share) => `${share.toFixed(2)}%`);
        return [`transparent ${from}`, `var(--c1) ${from}`, `var(--c1) ${to}`, `transparent ${to}`];
      });
      const bar = element("span", { class: "truth" });
      if (stops.length) bar.style.backgroundImage = `linear-gradient(90deg, ${stops.join(", ")})`;
      return element("button", { type: "button", class: "clip", "aria-expanded": "false", "aria-controls": "clip", title: kindOf(clip), onclick: () => openClip(number) },
        clip.id, bar);
    }),
  );
}

function markOpenClip() {
  for (const [number, button] of [...$("clip-list").children].entries()) button.setAttribute("aria-expanded", String(number === state.clip));
}

function openClip(number, scroll = false) {
  state.clip = number;
  const anomalous = truth(dataset().clips[number])[0];
  state.frame = anomalous ? anomalous[0] : 0;
  markOpenClip();
  drawClip();
  if (scroll) $("clip").scrollIntoView({ block: "nearest" });
}

function closeClip() {
  const button = $("clip-list").children[state.clip];
  state.clip = null;
  markOpenClip();
  drawClip();
  button?.focus();
}

/** Frames and scores of a curve in a clip under the protocol; null where it has none. */
function scoresOf(curve, clip) {
  const packed = curve.scores[clip];
  const of = packed?.of[state.protocol];
  if (!of) return null;
  const [variant, low, high] = of;
  const [frames, text] = packed.variants[variant];
  const steps = unpack(text);
  return {
    frames: Array.isArray(frames) ? frames : Array.from(steps, (_, position) => frames + position),
    values: Array.from(steps, (step) => low + ((high - low) * step) / STEPS),
  };
}

/** Lowest and highest score of a curve over all clips, so that clips compare where the protocol does not normalise. */
function rangeOf(curve) {
  const ranges = curve.scores.map((packed) => packed?.of[state.protocol]).filter(Boolean);
  return [Math.min(...ranges.map((range) => range[1])), Math.max(...ranges.map((range) => range[2]))];
}

function drawClip() {
  const box = $("clip");
  box.hidden = state.clip === null;
  if (state.clip === null) {
    box.replaceChildren();
    return;
  }
  const clip = dataset().clips[state.clip];
  const shown = shownMethods().map((method) => ({ method, curve: curveOf(method), ...scoresOf(curveOf(method), state.clip) }));
  const button = (text, act, off) => element("button", { type: "button", onclick: act, disabled: off ? "" : null }, text);
  const width = Math.max(280, box.clientWidth - 24);
  const plot = timeline(clip, shown.filter((one) => one.frames), width);
  const readout = element("div");
  const pictures = element("div", { class: "of-frame" });
  box.setAttribute("aria-label", `Clip ${clip.id}`);
  box.replaceChildren(
    element("div", { class: "clip-head" },
      element("h3", {}, `Clip ${clip.id}`),
      element("small", {}, [clip.scene && `scene ${clip.scene}`, `${clip.length} frames`, kindOf(clip)].filter(Boolean).join(" · ")),
      element("span", { class: "buttons" },
        button("previous", () => openClip(state.clip - 1), state.clip === 0),
        button("next", () => openClip(state.clip + 1), state.clip === dataset().clips.length - 1),
        button("close", closeClip)),
    ),
    plot.node,
    element("p", { class: "hint" }, `Protocol ${protocol().name}: ` +
      (protocol().unit ? "each clip from 0 to 1." : "scores are not normalised: each method is drawn from its lowest to its highest score over all clips.") +
      (labelSet() ? " Shaded: anomalous frames." : "")),
    element("div", { class: "under" }, readout, pictures),
  );
  const show = (frame) => {
    state.frame = Math.max(0, Math.min(clip.length - 1, frame));
    plot.point(state.frame);
    readout.replaceChildren(readoutOf(clip, shown));
    const drawn = picturesOf(clip, shown);
    const focused = pictures.contains(document.activeElement);
    pictures.replaceChildren(...drawn);
    if (focused) pictures.querySelector("select")?.focus();
    plot.node.setAttribute("aria-valuenow", state.frame);
    plot.node.setAttribute("aria-valuetext", `frame ${state.frame}` + (labelSet() ? `, ${isAnomalous(clip, state.frame) ? "anomalous" : "normal"}` : "") +
      shown.map((one) => `, ${data.methods[one.method].label} ${at(one, state.frame)}`).join(""));
  };
  plot.node.addEventListener("pointermove", (event) => show(plot.frameAt(event.clientX)));
  plot.node.addEventListener("pointerdown", (event) => show(plot.frameAt(event.clientX)));
  plot.node.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10, Home: -Infinity, End: Infinity };
    if (!(event.key in steps)) return;
    event.preventDefault();
    show(state.frame + steps[event.key] * (event.shiftKey ? 10 : 1));
  });
  box.show = show;
  show(Math.min(state.frame, clip.length - 1));
}

function at(one, frame) {
  const position = one.frames ? one.frames.indexOf(frame) : -1;
  return position < 0 ? "no score" : one.values[position].toPrecision(3);
}

/** The plot of a clip; `frameAt` of a place on the screen, and `point` moves the cursor. */
function timeline(clip, shown, width) {
  const [left, right, top, bottom, height] = [protocol().unit ? 34 : 8, 8, 8, 26, width < 600 ? 210 : 270];
  const x = (frame) => left + ((width - left - right) * frame) / Math.max(1, clip.length - 1);
  const y = (share) => top + (height - top - bottom) * (1 - share);
  const half = (width - left - right) / Math.max(1, clip.length - 1) / 2;
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" });
  for (const [first, end] of truth(clip)) {
    const [from, to] = [Math.max(left, x(first) - half), Math.min(width - right, x(end - 1) + half)];
    picture.append(svg("rect", { class: "shade", x: from, y: top, width: Math.max(1, to - from), height: height - top - bottom }));
  }
  for (const share of protocol().unit ? [0, 0.5, 1] : [0, 1]) {
    picture.append(svg("path", { class: "axis", d: `M${left} ${y(share)}H${width - right}` }));
    if (protocol().unit) picture.append(svg("text", { x: left - 6, y: y(share) + 4, "text-anchor": "end" }, String(share)));
  }
  for (const frame of ticks(0, clip.length - 1, width / 110)) {
    if (!Number.isInteger(frame)) continue;
    picture.append(svg("text", { x: x(frame), y: height - 8, "text-anchor": frame === 0 ? "start" : x(frame) > width - 30 ? "end" : "middle" }, frame === 0 ? "frame 0" : String(frame)));
  }
  for (const { method, curve, frames, values } of shown) {
    const [low, high] = protocol().unit ? [0, 1] : rangeOf(curve);
    const step = Math.min(...frames.slice(1).map((frame, position) => frame - frames[position]));
    const path = values.map((value, position) => {
      const joined = position > 0 && frames[position] - frames[position - 1] === step;
      return `${joined ? "L" : "M"}${x(frames[position]).toFixed(1)} ${y((value - low) / (high - low || 1)).toFixed(1)}`;
    });
    picture.append(svg("path", { class: "curve", d: path.join(""), ...stroke(method) }));
  }
  const cursor = svg("path", { class: "cursor" });
  picture.append(cursor);
  const node = element("div", {
    class: "timeline", tabindex: "0", role: "slider", "aria-label": `Frame of clip ${clip.id}; arrow keys move it`, "aria-valuemin": 0, "aria-valuemax": clip.length - 1,
  }, picture);
  return {
    node,
    point: (frame) => cursor.setAttribute("d", `M${x(frame).toFixed(1)} ${top}V${height - bottom}`),
    frameAt: (clientX) => {
      const seen = picture.getBoundingClientRect();
      const inside = ((clientX - seen.left) / seen.width) * width;
      return Math.round(((inside - left) / (width - left - right)) * (clip.length - 1));
    },
  };
}

function readoutOf(clip, shown) {
  const numbers = dataset().by_clip[state.protocol];
  const head = `Frame ${state.frame}` + (labelSet() ? `: ${isAnomalous(clip, state.frame) ? "anomalous" : "normal"}` : "");
  return element("table", { class: "readout" },
    element("caption", {}, head),
    element("thead", {}, element("tr", {}, ...["", "score", `${data.metric.name}, this clip`].map((text) => element("th", { scope: "col" }, text || "method")))),
    element("tbody", {}, ...shown.map((one) => {
      const number = numberAt(numbers[one.method]?.[state.clip]);
      return element("tr", {},
        element("th", { scope: "row" }, swatch(one.method), " ", data.methods[one.method].label),
        element("td", {}, at(one, state.frame)),
        element("td", { title: number.why }, number.text));
    })),
  );
}

/** A number of a clip as Python wrote it, or its mark and why there is none. */
function numberAt(entry) {
  if (typeof entry === "string") return { text: entry, why: null };
  const reason = dataset().reasons[entry] ?? { mark: "-", text: "not part of this run" };
  return { text: reason.mark === "-" ? "–" : reason.mark, why: reason.text };
}

// -- pictures --------------------------------------------------------------------------------------------------------------

let files = null; // parsed at the first use: they are most of the page

function picture(number) {
  files ??= JSON.parse($("pictures").textContent);
  return `data:image/jpeg;base64,${files[number]}`;
}

function nearest(curve, clip, frame) {
  const kept = curve.pictures?.[clip] ?? [];
  return kept.reduce((best, one) => (best && Math.abs(best[0] - frame) <= Math.abs(one[0] - frame) ? best : one), null);
}

function picturesOf(clip, shown) {
  if (!shown.length) return [element("p", { class: "hint" }, "Choose a method above to see its scores.")];
  const has = (one) => nearest(one.curve, state.clip, state.frame);
  const chosen = shown.find((one) => one.method === state.pictured) ?? shown.find(has) ?? shown[0];
  const select = element("select", { "aria-label": "Pictures of", onchange: (event) => { state.pictured = Number(event.target.value); $("clip").show(state.frame); } },
    ...shown.map((one) => element("option", { value: one.method, selected: one === chosen ? "" : null }, data.methods[one.method].label)));
  const head = element("div", { class: "picture-head" }, element("label", {}, "Pictures of ", select));
  const own = nearest(chosen.curve, state.clip, state.frame);
  // Another method's picture of the frame is still the frame.
  const kept = own ?? dataset().curves.map((curve) => nearest(curve, state.clip, state.frame)).find(Boolean);
  const said = [];
  if (kept) head.append(` frame ${kept[0]}` + (kept[0] === state.frame ? "" : `, the nearest kept one, ${Math.abs(kept[0] - state.frame)} away`));
  const missing = ["frame", "reconstruction", "error map"].filter((_, kind) => !own || own[kind + 1] < 0);
  if (missing.length) {
    const { command, why } = data.methods[chosen.method].pictures;
    const label = data.methods[chosen.method].label;
    if (own) said.push(element("p", { class: "hint" }, `No ${missing.join(" and no ")}: ${label} gives none.`));
    else if (why) said.push(element("p", { class: "hint" }, `No pictures of ${label}: ${why}.`));
    else said.push(element("p", { class: "hint" }, `No pictures of ${label} were kept for this clip. This line makes them:`), element("pre", {}, command));
  }
  said.push(...data.thinned.map((text) => element("p", { class: "hint" }, `${text}.`)));
  const figures = ["frame", "reconstruction", "error map"].flatMap((name, kind) => {
    const number = kind === 0 ? kept?.[1] : own?.[kind + 1];
    if (number === undefined || number < 0) return [];
    const text = `${name} of frame ${kept[0]}, clip ${clip.id}` + (kind ? `, ${data.methods[chosen.method].label}` : "");
    return [element("figure", {}, element("img", { src: picture(number), alt: text }), element("figcaption", {}, name))];
  });
  return [head, element("div", { class: "pictures" }, ...figures), ...said];
}

// -- ROC -------------------------------------------------------------------------------------------------------------------

function drawRoc() {
  const [size, left, bottom, edge] = [400, 40, 40, 8];
  const x = (rate) => left + (size - left - edge) * rate;
  const y = (rate) => size - bottom - (size - bottom - edge) * rate;
  const plot = svg("svg", { viewBox: `0 0 ${size} ${size}`, width: size, height: size, role: "img", "aria-label": `ROC curves on ${dataset().name}, protocol ${protocol().name}` });
  for (const rate of [0, 0.25, 0.5, 0.75, 1]) {
    plot.append(svg("path", { class: "axis", d: `M${x(rate)} ${y(0)}V${y(1)}M${x(0)} ${y(rate)}H${x(1)}` }));
    plot.append(svg("text", { x: x(rate), y: size - bottom + 16, "text-anchor": rate === 1 ? "end" : "middle" }, String(rate)));
    plot.append(svg("text", { x: left - 6, y: y(rate) + 4, "text-anchor": "end" }, String(rate)));
  }
  plot.append(svg("path", { class: "axis", d: `M${x(0)} ${y(0)}L${x(1)} ${y(1)}`, "stroke-dasharray": "3 4" }));
  plot.append(svg("text", { x: x(0.5), y: size - 6, "text-anchor": "middle" }, "false positive rate"));
  plot.append(svg("text", { transform: `translate(11 ${y(0.5)}) rotate(-90)`, "text-anchor": "middle" }, "true positive rate"));
  const shown = shownMethods();
  for (const method of shown) {
    const packed = curveOf(method).roc[state.protocol];
    if (!packed) continue;
    const rates = unpack(packed);
    let path = "";
    for (let place = 0; place < rates.length; place += 2) path += `${place ? "L" : "M"}${x(rates[place] / STEPS).toFixed(1)} ${y(rates[place + 1] / STEPS).toFixed(1)}`;
    plot.append(svg("path", { class: "curve", d: path, ...stroke(method) }));
  }
  const numbers = dataset().numbers[state.protocol];
  const none = shown.filter((method) => !curveOf(method).roc[state.protocol]).map((method) => data.methods[method].label);
  const list = element("table", { class: "readout" },
    element("caption", {}, `${dataset().name}, ${protocol().name}`),
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "method"), element("th", { scope: "col" }, `${data.metric.name} of the table`))),
    element("tbody", {}, ...shown.map((method) => element("tr", {}, element("th", { scope: "row" }, swatch(method), " ", data.methods[method].label), element("td", {}, numbers[method] || "–")))));
  const words = element("p", { class: "hint" }, `Frames of all clips pooled, after ${protocol().words.split(";")[0]}.` +
    (protocol().pooled ? "" : " The number of this protocol is not the area under these curves: it joins clips or scenes in another way.") +
    (shown.some((method) => dataset().curves.filter((curve) => curve.method === method).length > 1) ? " Of several seeds the chosen one is drawn; the number is that of all." : "") +
    (none.length ? ` No curve, as the scored frames are of one class: ${none.join(", ")}.` : ""));
  $("roc-plot").replaceChildren(element("div", { class: "roc" }, plot, element("div", {}, list, words)));
}

// -- clip by clip ----------------------------------------------------------------------------------------------------------

function drawByClip() {
  const { clips, by_clip: byClip } = dataset();
  const numbers = byClip[state.protocol];
  const methods = data.methods.map((_, number) => number).filter((number) => numbers[number]);
  const marks = new Set();
  const rows = clips.map((clip, place) => {
    const cells = methods.map((method) => {
      const { text, why } = numberAt(numbers[method][place]);
      if (why) {
        marks.add(why);
        return element("td", { class: "none", title: why }, text);
      }
      const away = (Number(text) - 50) * (data.metric.higher ? 1 : -1);
      const cell = element("td", { class: away >= 0 ? "good" : "poor" }, text);
      cell.style.setProperty("--strength", Math.min(60, Math.round(Math.abs(away) * 1.1)));
      return cell;
    });
    return element("tr", {},
      element("th", { scope: "row" }, element("button", { type: "button", title: "open this clip", onclick: () => openClip(place, true) }, clip.id)),
      ...cells,
      element("td", { class: "of" }, kindOf(clip).replace(" frames anomalous", "")));
  });
  const table = element("table", { class: "heat" },
    element("caption", {}, `${data.metric.name} of each clip by itself in percent, ${dataset().name}, protocol ${protocol().name}` +
      (labelSet() ? `, labels ${labelSet()}` : "") + ". Blue: better than 50; orange: worse." + (marks.size ? ` – stands where there is no number: ${[...marks].join("; ")}.` : "")),
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "clip"),
      ...methods.map((method) => element("th", { scope: "col" }, element("span", {}, data.methods[method].label))), element("th", { scope: "col", class: "of" }, "anomalous frames"))),
    element("tbody", {}, ...rows));
  $("by-clip-table").replaceChildren(element("div", { class: "box heat-box", tabindex: "0", role: "region", "aria-label": "Table, scrolls where it is large" }, table));
}

// -- training --------------------------------------------------------------------------------------------------------------

const COUNTS = ["epoch", "step", "steps", "steps_refused", "seconds"];
const NAMES = { sigma: "σ(l)" };

function drawTraining() {
  const name = $("column").value;
  const groups = new Map();
  for (const one of data.training) {
    const key = JSON.stringify([one.label, one.dataset, one.scene]);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const several = new Set(data.training.map((one) => one.dataset)).size > 1;
  const cards = [...groups.values()].flatMap((cells) =>
    [...new Set([name, "sigma"])].filter((column) => cells.some((one) => one.columns[column])).map((column) => trainingPlot(cells, column, several)));
  $("training-plots").replaceChildren(...(cards.length ? cards : [element("p", { class: "said" }, "No cell has a training.csv: methods without a network, and scores from a file, train in no epochs.")]));
}

function trainingPlot(cells, column, several) {
  const [width, height, left, bottom, top, right] = [260, 140, 46, 20, 8, 8];
  const values = cells.map((one) => one.columns[column] ?? []);
  const finite = values.flat().filter((value) => value !== null);
  const log = finite.length > 0 && Math.min(...finite) > 0 && Math.max(...finite) / Math.min(...finite) > 10;
  const scale = log ? Math.log10 : (value) => value;
  let [low, high] = [scale(Math.min(...finite)), scale(Math.max(...finite))];
  if (low === high) [low, high] = [low - Math.abs(low || 1) * 0.1, high + Math.abs(high || 1) * 0.1];
  const most = Math.max(2, ...values.map((of) => of.length));
  const x = (epoch) => left + ((width - left - right) * (epoch - 1)) / (most - 1);
  const y = (value) => top + (height - top - bottom) * (1 - (scale(value) - low) / (high - low));
  const title = `${cells[0].label}: ${NAMES[column] ?? column}`;
  const plot = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `${title} by epoch` });
  for (const place of [low, (low + high) / 2, high]) {
    const value = log ? 10 ** place : place;
    plot.append(svg("path", { class: "axis", d: `M${left} ${y(value)}H${width - right}` }), svg("text", { x: left - 5, y: y(value) + 4, "text-anchor": "end" }, short(value)));
  }
  plot.append(svg("text", { x: x(1), y: height - 5 }, "epoch 1"), svg("text", { x: width - right, y: height - 5, "text-anchor": "end" }, String(Math.max(...values.map((of) => of.length)))));
  values.forEach((of, seed) => {
    const points = of.map((value, place) => (value === null ? null : [x(place + 1), y(value)]));
    const path = points.map((point, place) => (point ? `${place && points[place - 1] ? "L" : "M"}${point[0].toFixed(1)} ${point[1].toFixed(1)}` : "")).join("");
    const colours = { stroke: `var(--c${column === "sigma" ? 1 : 0})`, "stroke-dasharray": DASHES[seed % DASHES.length] };
    plot.append(svg("path", { class: "curve", d: path, ...colours }));
    if (points.filter(Boolean).length === 1) points.filter(Boolean).forEach(([cx, cy]) => plot.append(svg("circle", { cx, cy, r: 2.5, fill: colours.stroke })));
  });
  const last = cells.map((one, number) => {
    const known = values[number].filter((value) => value !== null);
    return (cells.length > 1 ? `seed ${one.seed}: ` : "") + (known.length ? `${short(known[0])} → ${short(known.at(-1))}` : "no value") + (one.status === "done" ? "" : ` (${one.status})`);
  });
  const of = [several && cells[0].dataset, cells[0].scene && `scene ${cells[0].scene}`, log && "logarithmic"].filter(Boolean).join(", ");
  return element("div", { class: "plot" }, element("h3", {}, title), plot, element("p", {}, last.join("; ") + (of ? ` · ${of}` : "")));
}

// -- together --------------------------------------------------------------------------------------------------------------

function drawDataset() {
  const seeds = [...new Set(dataset().curves.map((curve) => curve.seed))].sort((one, other) => one - other);
  fillSelect($("seed"), seeds.map(String));
  state.seed = seeds[0] ?? null;
  $("seed").onchange = (event) => { state.seed = seeds[event.target.value]; drawClip(); drawRoc(); };
  if (!shownMethods().length) chooseMethods();
  state.clip = null;
  drawChips();
  drawProtocol();
  const both = dataset().clips.findIndex((clip) => labelSet() && !kindOf(clip).endsWith("one class"));
  if (dataset().clips.length) openClip(Math.max(0, both));
}

function drawProtocol() {
  for (const box of document.querySelectorAll("[data-protocol]")) box.hidden = box.dataset.protocol !== protocol().name;
  $("sorted").textContent = "";
  if (!data.datasets.length) return;
  drawClipList();
  markOpenClip();
  drawClip();
  drawRoc();
  drawByClip();
}

function begin() {
  fillSelect($("protocol"), data.protocols.map((one) => one.name));
  fillSelect($("dataset"), data.datasets.map((one) => one.name));
  const columns = [...new Set(data.training.flatMap((one) => Object.keys(one.columns)))].filter((name) => !COUNTS.includes(name) && name !== "sigma");
  $("column").replaceChildren(...columns.map((name) => element("option", { value: name }, NAMES[name] ?? name)));
  $("column").parentElement.hidden = columns.length < 2;
  $("protocol").onchange = (event) => { state.protocol = Number(event.target.value); drawProtocol(); };
  $("dataset").onchange = (event) => { state.dataset = Number(event.target.value); drawDataset(); };
  $("theme").onchange = (event) => { document.documentElement.dataset.theme = event.target.value; };
  $("column").onchange = drawTraining;
  for (const button of document.querySelectorAll(".sort")) button.onclick = () => sortBy(button.parentElement);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && state.clip !== null) closeClip(); });
  addEventListener("beforeprint", () => document.querySelectorAll("#more details:not([open])").forEach((one) => { one.open = true; one.dataset.printed = ""; }));
  addEventListener("afterprint", () => document.querySelectorAll("details[data-printed]").forEach((one) => { one.open = false; delete one.dataset.printed; }));
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; if (data.datasets.length) drawClip(); } });
  drawTraining();
  if (data.datasets.length) drawDataset();
  else {
    for (const id of ["clips", "roc", "by-clip"]) $(id).append(element("p", { class: "said" }, "No cell is done: there are no scores."));
    $("seed").parentElement.hidden = true;
  }
}

begin();
