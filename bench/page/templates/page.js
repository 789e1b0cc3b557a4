// -- together --------------------------------------------------------------------------------------------------------------

const seeds = () => [...new Set(dataset().curves.map((curve) => curve.seed))].sort((one, other) => one - other);

/** Choose what another dataset has: its first seed, methods and a clip of both classes. */
function drawDataset() {
  fillSelect($("seed"), seeds().map(String));
  state.seed = seeds()[0] ?? null;
  if (!shownMethods().length) chooseMethods();
  state.clip = null;
  const both = dataset().clips.findIndex((clip) => labelSet() && !kindOf(clip).endsWith("one class"));
  if (dataset().clips.length) openClip(Math.max(0, both));
}

/** Draw everything as it is chosen. */
function drawAll() {
  $("protocol").value = PROTOCOLS.indexOf(view().protocol);
  fillLabels();
  for (const box of document.querySelectorAll("[data-view]")) box.hidden = Number(box.dataset.view) !== state.view;
  drawFilters();
  drawTable();
  drawPair();
  if (!data.datasets.length) return;
  $("dataset").value = state.dataset;
  $("seed").value = seeds().indexOf(state.seed);
  drawChips();
  drawClipList();
  markOpenClip();
  drawClip();
  drawRoc();
  drawByClip();
}

const PROTOCOLS = [...new Set(data.views.map((one) => one.protocol))];

/** The label sets of the chosen protocol. */
function fillLabels() {
  const sets = data.views.filter((one) => one.protocol === view().protocol).map((one) => one.labels);
  fillSelect($("labels"), sets.map((name) => name || "of the dataset"), sets.indexOf(view().labels));
  $("labels").onchange = (event) => { chooseView(view().protocol, sets[event.target.value]); drawAll(); remember(); };
}

function begin() {
  fillSelect($("protocol"), PROTOCOLS);
  fillSelect($("dataset"), data.datasets.map((one) => one.name));
  const columns = [...new Set(data.training.flatMap((one) => Object.keys(one.columns)))].filter((name) => !COUNTS.includes(name) && name !== "sigma");
  $("column").replaceChildren(...columns.map((name) => element("option", { value: name }, NAMES[name] ?? name)));
  $("column").parentElement.hidden = columns.length < 2;
  $("protocol").onchange = (event) => { chooseView(PROTOCOLS[event.target.value], view().labels); drawAll(); remember(); };
  $("dataset").onchange = (event) => { state.dataset = Number(event.target.value); drawDataset(); drawAll(); remember(); };
  $("seed").onchange = (event) => { state.seed = seeds()[event.target.value]; drawClip(); drawRoc(); remember(); };
  $("theme").onchange = (event) => { document.documentElement.dataset.theme = event.target.value; };
  $("column").onchange = drawTraining;
  beginTable();
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
  drawAll();
  keepAddress();
}

begin();
