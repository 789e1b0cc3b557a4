// -- the address keeps what is chosen --------------------------------------------------------------------------------------

let initial = null; // what the page chooses by itself: this stands in no address
let waiting = null;

/** What is chosen, as names and lists of texts. */
function chosen() {
  const some = (value) => (value === null || value === "" ? [] : [String(value)]);
  const labels = (methods) => methods.map((method) => data.methods[method].label);
  const of = data.datasets.length ? dataset() : null;
  const shown = data.datasets.map((one) => one.label).filter((label) => !state.hidden.has(label));
  return {
    protocol: [view().protocol],
    labels: some(view().labels),
    dataset: of ? [of.label] : [],
    seed: some(state.seed),
    family: some(state.family),
    supervision: some(state.supervision),
    column: state.hidden.size ? shown : [],
    sort: state.sort ? [state.sort.column, state.sort.direction] : [],
    open: labels([...state.open]),
    compare: state.pair.includes(null) ? [] : labels(state.pair),
    method: labels(state.slots.filter((method) => method !== null)),
    clip: state.clip === null ? [] : [of.clips[state.clip].id],
    frame: state.clip === null ? [] : [String(state.frame)],
  };
}

/** Write the address, a moment after the last change. */
function remember() {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    const found = new URLSearchParams();
    for (const [name, values] of Object.entries(chosen())) {
      if (values.join("\n") === initial[name].join("\n")) continue;
      for (const value of values.length ? values : [""]) found.append(name, value);
    }
    if (state.section && found.size) found.append("section", state.section);
    const text = found.size ? found.toString() : state.section;
    if (found.size || location.hash.includes("=")) history.replaceState(null, "", text ? `#${text}` : location.href.split("#")[0]);
  }, 200);
}

/** Choose what an address says; what it does not say is as at the beginning, and what is not here is named. */
function follow(address) {
  const asked = new URLSearchParams(address.slice(1));
  const missing = [];
  const wanted = (name) => (asked.has(name) ? asked.getAll(name).filter(Boolean) : initial[name]);
  const one = (name) => wanted(name)[0] ?? null;
  const known = (name, values, text) => {
    const place = values.indexOf(text);
    if (place < 0) missing.push(`${name} ${text}`);
    return place;
  };
  const methods = (name) => wanted(name).map((label) => known("method", data.methods.map((method) => method.label), label)).filter((place) => place >= 0);
  const some = (name, values) => { const text = one(name); return text !== null && known(name, values, text) >= 0 ? text : null; };

  known("protocol", data.views.map((of) => of.protocol), one("protocol"));
  const labels = some("labels", data.views.map((of) => of.labels)) ?? "";
  chooseView(one("protocol"), labels);
  state.family = some("family", FAMILIES);
  state.supervision = some("supervision", SUPERVISIONS);
  const columns = wanted("column");
  state.hidden = new Set(columns.length ? data.datasets.map((of) => of.label).filter((label) => !columns.includes(label)) : []);
  const [column, direction] = wanted("sort");
  state.sort = column && headingOf(column) && ["ascending", "descending"].includes(direction) ? { column, direction } : null;
  if (column && !state.sort) missing.push(`column ${column}`);
  state.open = new Set(methods("open"));
  const pair = methods("compare");
  state.pair = pair.length === 2 ? pair : [null, null];
  if (data.datasets.length) {
    state.dataset = Math.max(0, known("dataset", data.datasets.map((of) => of.label), one("dataset")));
    state.slots = methods("method");
    drawDataset();
    const seed = one("seed");
    if (seed !== null && known("seed", seeds().map(String), seed) >= 0) state.seed = Number(seed);
    if (asked.has("clip") && one("clip") === null) state.clip = null;
    else if (asked.has("clip") && known("clip", dataset().clips.map((clip) => clip.id), one("clip")) >= 0) {
      openClip(dataset().clips.findIndex((clip) => clip.id === one("clip")));
      if (asked.has("frame")) state.frame = Number.parseInt(one("frame"), 10) || 0;
    }
  }
  drawAll();
  state.section = asked.get("section") ?? "";
  if (state.section) $(state.section)?.scrollIntoView();
  $("not-here").textContent = missing.length ? `The link asks for what is not in this report: ${[...new Set(missing)].join(", ")}.` : "";
}

function keepAddress() {
  initial = chosen();
  const read = () => {
    if (location.hash.includes("=")) follow(location.hash);
    else if ([...document.querySelectorAll("nav a")].some((link) => link.hash === location.hash)) {
      state.section = location.hash.slice(1);
      remember();
    }
  };
  addEventListener("hashchange", read);
  read();
}
