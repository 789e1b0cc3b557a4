// -- ROC -------------------------------------------------------------------------------------------------------------------

function drawRoc() {
  const [size, left, bottom, edge] = [400, 40, 40, 8];
  const x = (rate) => left + (size - left - edge) * rate;
  const y = (rate) => size - bottom - (size - bottom - edge) * rate;
  const plot = svg("svg", { viewBox: `0 0 ${size} ${size}`, width: size, height: size, role: "img", "aria-label": `ROC curves on ${dataset().name}, protocol ${view().name}` });
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
    const packed = curveOf(method).roc[state.view];
    if (!packed) continue;
    const rates = unpack(packed);
    let path = "";
    for (let place = 0; place < rates.length; place += 2) path += `${place ? "L" : "M"}${x(rates[place] / STEPS).toFixed(1)} ${y(rates[place + 1] / STEPS).toFixed(1)}`;
    plot.append(svg("path", { class: "curve", d: path, ...stroke(method) }));
  }
  const numbers = dataset().numbers[state.view];
  const none = shown.filter((method) => !curveOf(method).roc[state.view]).map((method) => data.methods[method].name);
  const list = element("table", { class: "readout" },
    element("caption", {}, `${dataset().name}, ${view().name}`),
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "method"), element("th", { scope: "col" }, `${data.metric.name} of the table`))),
    element("tbody", {}, ...shown.map((method) => element("tr", {}, element("th", { scope: "row" }, swatch(method), " ", data.methods[method].name), element("td", {}, numbers[method] || "–")))));
  const words = element("p", { class: "hint" }, `Frames of all clips pooled, after ${view().words.split(";")[0]}.` +
    (view().pooled ? "" : " The number of this protocol is not the area under these curves: it joins clips or scenes in another way.") +
    (shown.some((method) => dataset().curves.filter((curve) => curve.method === method).length > 1) ? " Of several seeds the chosen one is drawn; the number is that of all." : "") +
    (none.length ? ` No curve, as the scored frames are of one class: ${none.join(", ")}.` : ""));
  $("roc-plot").replaceChildren(element("div", { class: "roc" }, plot, element("div", {}, list, words)));
}

// -- clip by clip ----------------------------------------------------------------------------------------------------------

function drawByClip() {
  const { clips, by_clip: byClip } = dataset();
  const numbers = byClip[state.view];
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
    element("caption", {}, `${data.metric.name} of each clip by itself in percent, ${dataset().name}, protocol ${view().name}` +
      (labelSet() ? `, labels ${labelSet()}` : "") + ". Blue: better than 50; orange: worse." + (marks.size ? ` – stands where there is no number: ${[...marks].join("; ")}.` : "")),
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "clip"),
      ...methods.map((method) => element("th", { scope: "col" }, element("span", {}, data.methods[method].name))), element("th", { scope: "col", class: "of" }, "anomalous frames"))),
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
    const key = JSON.stringify([one.name, one.dataset, one.scene]);
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
  const title = `${cells[0].name}: ${NAMES[column] ?? column}`;
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
