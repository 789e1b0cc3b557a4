// -- clips -----------------------------------------------------------------------------------------------------------------

const labelSet = () => dataset().sets[state.view];
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
  remember();
  if (scroll) $("clip").scrollIntoView({ block: "nearest" });
}

function closeClip() {
  const button = $("clip-list").children[state.clip];
  state.clip = null;
  markOpenClip();
  drawClip();
  remember();
  button?.focus();
}

/** Frames and scores of a curve in a clip under the protocol; null where it has none. */
function scoresOf(curve, clip) {
  const packed = curve.scores[clip];
  const of = packed?.of[view().curve];
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
  const ranges = curve.scores.map((packed) => packed?.of[view().curve]).filter(Boolean);
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
  const images = element("div", { class: "of-frame" });
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
    element("p", { class: "hint" }, `Protocol ${view().name}: ` +
      (view().unit ? "each clip from 0 to 1." : "scores are not normalised: each method is drawn from its lowest to its highest score over all clips.") +
      (labelSet() ? " Shaded: anomalous frames." : "")),
    element("div", { class: "under" }, readout, images),
  );
  const show = (frame) => {
    state.frame = Math.max(0, Math.min(clip.length - 1, frame));
    remember();
    plot.point(state.frame);
    readout.replaceChildren(readoutOf(clip, shown));
    const drawn = imagesOf(clip, shown);
    const focused = images.contains(document.activeElement);
    images.replaceChildren(...drawn);
    if (focused) images.querySelector("select")?.focus();
    plot.node.setAttribute("aria-valuenow", state.frame);
    plot.node.setAttribute("aria-valuetext", `frame ${state.frame}` + (labelSet() ? `, ${isAnomalous(clip, state.frame) ? "anomalous" : "normal"}` : "") +
      shown.map((one) => `, ${data.methods[one.method].name} ${at(one, state.frame)}`).join(""));
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
  const [left, right, top, bottom, height] = [view().unit ? 34 : 8, 8, 8, 26, width < 600 ? 210 : 270];
  const x = (frame) => left + ((width - left - right) * frame) / Math.max(1, clip.length - 1);
  const y = (share) => top + (height - top - bottom) * (1 - share);
  const half = (width - left - right) / Math.max(1, clip.length - 1) / 2;
  const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" });
  for (const [first, end] of truth(clip)) {
    const [from, to] = [Math.max(left, x(first) - half), Math.min(width - right, x(end - 1) + half)];
    chart.append(svg("rect", { class: "shade", x: from, y: top, width: Math.max(1, to - from), height: height - top - bottom }));
  }
  for (const share of view().unit ? [0, 0.5, 1] : [0, 1]) {
    chart.append(svg("path", { class: "axis", d: `M${left} ${y(share)}H${width - right}` }));
    if (view().unit) chart.append(svg("text", { x: left - 6, y: y(share) + 4, "text-anchor": "end" }, String(share)));
  }
  for (const frame of ticks(0, clip.length - 1, width / 110)) {
    if (!Number.isInteger(frame)) continue;
    chart.append(svg("text", { x: x(frame), y: height - 8, "text-anchor": frame === 0 ? "start" : x(frame) > width - 30 ? "end" : "middle" }, frame === 0 ? "frame 0" : String(frame)));
  }
  for (const { method, curve, frames, values } of shown) {
    const [low, high] = view().unit ? [0, 1] : rangeOf(curve);
    const step = Math.min(...frames.slice(1).map((frame, position) => frame - frames[position]));
    const path = values.map((value, position) => {
      const joined = position > 0 && frames[position] - frames[position - 1] === step;
      return `${joined ? "L" : "M"}${x(frames[position]).toFixed(1)} ${y((value - low) / (high - low || 1)).toFixed(1)}`;
    });
    chart.append(svg("path", { class: "curve", d: path.join(""), ...stroke(method) }));
  }
  const cursor = svg("path", { class: "cursor" });
  chart.append(cursor);
  const node = element("div", {
    class: "timeline", tabindex: "0", role: "slider", "aria-label": `Frame of clip ${clip.id}; arrow keys move it`, "aria-valuemin": 0, "aria-valuemax": clip.length - 1,
  }, chart);
  return {
    node,
    point: (frame) => cursor.setAttribute("d", `M${x(frame).toFixed(1)} ${top}V${height - bottom}`),
    frameAt: (clientX) => {
      const seen = chart.getBoundingClientRect();
      const inside = ((clientX - seen.left) / seen.width) * width;
      return Math.round(((inside - left) / (width - left - right)) * (clip.length - 1));
    },
  };
}

function readoutOf(clip, shown) {
  const numbers = dataset().by_clip[state.view];
  const head = `Frame ${state.frame}` + (labelSet() ? `: ${isAnomalous(clip, state.frame) ? "anomalous" : "normal"}` : "");
  return element("table", { class: "readout" },
    element("caption", {}, head),
    element("thead", {}, element("tr", {}, ...["", "score", `${data.metric.name}, this clip`].map((text) => element("th", { scope: "col" }, text || "method")))),
    element("tbody", {}, ...shown.map((one) => {
      const number = numberAt(numbers[one.method]?.[state.clip]);
      return element("tr", {},
        element("th", { scope: "row" }, swatch(one.method), " ", data.methods[one.method].name),
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

// -- images ----------------------------------------------------------------------------------------------------------------

let files = null; // parsed at the first use: they are most of the page

function image(number) {
  files ??= JSON.parse($("images").textContent);
  return `data:image/jpeg;base64,${files[number]}`;
}

function nearest(curve, clip, frame) {
  const kept = curve.images?.[clip] ?? [];
  return kept.reduce((best, one) => (best && Math.abs(best[0] - frame) <= Math.abs(one[0] - frame) ? best : one), null);
}

function imagesOf(clip, shown) {
  if (!shown.length) return [element("p", { class: "hint" }, "Choose a method above to see its scores.")];
  const has = (one) => nearest(one.curve, state.clip, state.frame);
  const chosen = shown.find((one) => one.method === state.imageMethod) ?? shown.find(has) ?? shown[0];
  const select = element("select", { "aria-label": "Images of", onchange: (event) => { state.imageMethod = Number(event.target.value); $("clip").show(state.frame); } },
    ...shown.map((one) => element("option", { value: one.method, selected: one === chosen ? "" : null }, data.methods[one.method].name)));
  const head = element("div", { class: "image-head" }, element("label", {}, "Images of ", select));
  const own = nearest(chosen.curve, state.clip, state.frame);
  // Another method's image of the frame is still the frame.
  const kept = own ?? dataset().curves.map((curve) => nearest(curve, state.clip, state.frame)).find(Boolean);
  const said = [];
  if (kept) head.append(` frame ${kept[0]}` + (kept[0] === state.frame ? "" : `, the nearest kept one, ${Math.abs(kept[0] - state.frame)} away`));
  const missing = ["frame", "reconstruction", "error map"].filter((_, kind) => !own || own[kind + 1] < 0);
  if (missing.length) {
    const { command, why } = data.methods[chosen.method].images;
    const label = data.methods[chosen.method].name;
    if (own) said.push(element("p", { class: "hint" }, `No ${missing.join(" and no ")}: ${label} gives none.`));
    else if (why) said.push(element("p", { class: "hint" }, `No images of ${label}: ${why}.`));
    else said.push(element("p", { class: "hint" }, `No images of ${label} were kept for this clip. This line makes them:`), element("pre", {}, command));
  }
  said.push(...data.thinned.map((text) => element("p", { class: "hint" }, `${text}.`)));
  const figures = ["frame", "reconstruction", "error map"].flatMap((name, kind) => {
    const number = kind === 0 ? kept?.[1] : own?.[kind + 1];
    if (number === undefined || number < 0) return [];
    const text = `${name} of frame ${kept[0]}, clip ${clip.id}` + (kind ? `, ${data.methods[chosen.method].name}` : "");
    return [element("figure", {}, element("img", { src: image(number), alt: text }), element("figcaption", {}, name))];
  });
  return [head, element("div", { class: "images" }, ...figures), ...said];
}
