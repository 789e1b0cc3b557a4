// -- the table -------------------------------------------------------------------------------------------------------------

const rowsOf = (table) => [...table.querySelectorAll("tr[data-method]")];
const everyRow = [...document.querySelectorAll("#table tr[data-method]")];
const FAMILIES = [...new Set(everyRow.map((row) => row.dataset.family))];
const SUPERVISIONS = [...new Set(everyRow.map((row) => row.dataset.supervision || NOT_STATED))];
const tableShown = () => document.querySelector("#table [data-view]:not([hidden]) table");
const headingOf = (column) => [...tableShown().tHead.rows[0].cells].find((heading) => heading.dataset.column === column);

/** Choose the view of a protocol and a label set; the datasets' own labels where it has no such. */
function chooseView(protocol, labels) {
  const of = data.views.map((one, place) => [one, place]).filter(([one]) => one.protocol === protocol);
  const [, place] = of.find(([one]) => one.labels === labels) ?? of[0] ?? [null, 0];
  state.view = place;
}

function drawTable() {
  const table = tableShown();
  hideFacts(table);
  const heading = state.sort && headingOf(state.sort.column);
  order(table, heading ?? table.tHead.rows[0].cells[0], heading ? state.sort.direction : "none");
  filterTable(table);
  showFacts(table);
}

const hideFacts = (table) => table.querySelectorAll("tr.facts").forEach((row) => row.remove());

function showFacts(table) {
  for (const row of rowsOf(table)) {
    const method = Number(row.dataset.method);
    row.querySelector(".open").setAttribute("aria-expanded", String(state.open.has(method)));
    if (state.open.has(method) && !row.hidden) row.after(factsOf(method, table));
  }
}

/** Hide the rows and columns that are not asked for, and say so. */
function filterTable(table) {
  const rows = rowsOf(table);
  for (const row of rows) {
    row.hidden = (state.family !== null && row.dataset.family !== state.family) ||
      (state.supervision !== null && (row.dataset.supervision || NOT_STATED) !== state.supervision);
  }
  for (const head of table.querySelectorAll("tr.family")) head.hidden = [...head.parentElement.rows].every((row) => row === head || row.hidden);
  for (const cell of table.querySelectorAll("[data-dataset]")) cell.hidden = state.hidden.has(cell.dataset.dataset);
  const shown = rows.filter((row) => !row.hidden).length;
  const said = [];
  if (state.sort && headingOf(state.sort.column)) said.push(sortedWords(headingOf(state.sort.column)));
  if (shown < rows.length) said.push(`${shown} of ${rows.length} rows are shown; marks, ranks and groups are those of all rows.`);
  $("sorted").textContent = said.join(" ");
}

/** The facts of a method, below its row. */
function factsOf(method, table) {
  const own = $(`method-${method}`).content.cloneNode(true);
  const seeds = data.datasets.flatMap((of) => {
    const found = of.seeds[state.view][method];
    return found.length ? [element("dd", {}, `${of.name}: ${found.map(([seed, text]) => `seed ${seed} ${text}`).join(", ")}`)] : [];
  });
  if (seeds.length) own.querySelector("dl").append(element("dt", {}, `Seeds (${data.metric.name}, ${view().name})`), ...seeds);
  return element("tr", { class: "facts" }, element("td", { colspan: table.tHead.rows[0].cells.length + 1 }, element("div", {}, own)));
}

function toggleFacts(method) {
  if (!state.open.delete(method)) state.open.add(method);
  hideFacts(tableShown());
  showFacts(tableShown());
  remember();
}

// -- sorting ---------------------------------------------------------------------------------------------------------------

/** The next order of a column: first the better way, then the other, then as it was. */
function nextDirection(heading) {
  const table = heading.closest("table");
  const rising = heading.cellIndex === 0 || heading.classList.contains("rank") || !higherIsBetter(table);
  const first = rising ? "ascending" : "descending";
  const second = rising ? "descending" : "ascending";
  return { none: first, [first]: second, [second]: "none" }[heading.getAttribute("aria-sort")];
}

/** Sort rows by a column: families dissolve, rows without a number come last, trivial methods stay apart. */
function order(table, heading, direction) {
  const column = heading.cellIndex;
  const unsorted = (table.unsorted ??= [...table.tBodies].map((body) => [body, [...body.rows]]));
  for (const other of heading.parentElement.children) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", direction);
  table.classList.toggle("sorted", direction !== "none");
  for (const [body, rows] of unsorted) body.replaceChildren(...rows);
  if (direction === "none") return;
  const sign = direction === "ascending" ? 1 : -1;
  const key = (row) => (column === 0 ? row.cells[0].firstChild.textContent : parseFloat(row.cells[column].dataset.value));
  const compare = (one, other) => {
    const [a, b] = [key(one), key(other)];
    if (column === 0) return sign * a.localeCompare(b);
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    return sign * (a - b);
  };
  for (const apart of [false, true]) {
    const bodies = unsorted.map(([body]) => body).filter((body) => body.classList.contains("apart") === apart);
    const rows = bodies.flatMap((body) => [...body.rows]);
    const heads = rows.filter((row) => row.classList.contains("family"));
    if (bodies.length) bodies[0].append(...heads, ...rows.filter((row) => !heads.includes(row)).sort(compare));
  }
}

const sortedWords = (heading) =>
  `Sorted by ${heading.textContent.trim()}, ${heading.getAttribute("aria-sort")}; rows without a number after the others, trivial methods apart.`;

const higherIsBetter = (table) => data.metric.higher || !/^(comparison|scenes)/.test(table.id);

function sortBy(heading) {
  const direction = nextDirection(heading);
  if (heading.closest("table").classList.contains("comparison")) {
    state.sort = direction === "none" ? null : { column: heading.dataset.column, direction };
    drawTable();
    remember();
  } else {
    order(heading.closest("table"), heading, direction);
    $("sorted").textContent = direction === "none" ? "" : sortedWords(heading);
  }
  if (direction === "none") $("sorted").textContent ||= "In the order of the table.";
}

// -- two methods -----------------------------------------------------------------------------------------------------------

/** What `bench compare` says of the two chosen methods on each dataset. */
function drawPair() {
  for (const [place, id] of ["first", "second"].entries()) $(id).value = state.pair[place] ?? "";
  const [first, second] = state.pair;
  if (first === null || second === null) return $("pair").replaceChildren();
  if (first === second) return $("pair").replaceChildren(element("p", { class: "hint" }, "Choose two different methods."));
  const said = data.datasets.filter((of) => !state.hidden.has(of.label)).flatMap((of) => pairOn(of, first, second));
  $("pair").replaceChildren(...said);
}

function pairOn(of, first, second) {
  const about = (...children) => element("p", {}, element("b", {}, `${of.name}: `), ...children);
  const pairs = of.pairs[state.view];
  const names = [first, second].map((method) => data.methods[method].label);
  const line = (labels) => element("pre", {}, `bench compare RUN ${labels.map(quoted).join(" ")} --dataset ${quoted(of.label)} --protocol ${quoted(view().name)}`);
  if (pairs === null && data.metric.name !== "AUC") return [about("paired tests are given for AUC alone.")];
  if (pairs === null) return [about("so many rows are not compared on the page. This line compares the two:"), line(names)];
  const found = pairs.find(([one, other]) => (one === first && other === second) || (one === second && other === first));
  if (!found) {
    const without = [first, second].filter((method) => !of.numbers[state.view][method]).map((method) => data.methods[method].name);
    return [about(without.length ? `no number of ${without.join(" and ")}.` : "the two have no frames of both classes in common.")];
  }
  const [better, other, sentence, remarks] = found;
  return [about(sentence), ...remarks.map((place) => element("p", { class: "hint" }, `Warning: ${of.remarks[place]}.`)),
    element("p", { class: "hint" }, "All values of this comparison:"), line([better, other].map((method) => data.methods[method].label))];
}

/** A word of a command as a shell reads it. */
const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`);

// -- controls of the table -------------------------------------------------------------------------------------------------

/** A choice among some values or all of them. */
function fillFilter(id, values, choose) {
  fillSelect($(id), ["all", ...values]);
  $(id).parentElement.hidden = values.length < 2;
  $(id).onchange = (event) => { choose(event.target.value === "0" ? null : values[event.target.value - 1]); drawTable(); remember(); };
}

function drawFilters() {
  $("family").value = FAMILIES.indexOf(state.family) + 1;
  $("supervision").value = SUPERVISIONS.indexOf(state.supervision) + 1;
  const box = document.querySelector("#filters .chips");
  const focused = [...box.children].indexOf(document.activeElement);
  box.hidden = data.datasets.length < 2;
  $("filters").hidden = [...$("filters").children].every((one) => one.hidden);
  box.replaceChildren(...data.datasets.map((of) =>
    element("button", { type: "button", class: "chip", "aria-pressed": String(!state.hidden.has(of.label)), onclick: () => toggleColumn(of.label) }, of.name)));
  if (focused >= 0) box.children[focused].focus();
}

function toggleColumn(label) {
  if (!state.hidden.delete(label)) state.hidden.add(label);
  drawFilters();
  drawTable();
  drawPair();
  remember();
}

function beginTable() {
  fillFilter("family", FAMILIES, (value) => { state.family = value; });
  fillFilter("supervision", SUPERVISIONS, (value) => { state.supervision = value; });
  for (const [place, id] of ["first", "second"].entries()) {
    const options = data.methods.map((method, value) => element("option", { value }, method.name));
    $(id).replaceChildren(element("option", { value: "" }, "choose a method"), ...options);
    $(id).onchange = (event) => { state.pair[place] = event.target.value === "" ? null : Number(event.target.value); drawPair(); remember(); };
  }
  $("compare").hidden = data.methods.length < 2;
  for (const button of document.querySelectorAll(".sort")) button.onclick = () => sortBy(button.parentElement);
  for (const button of document.querySelectorAll(".open")) button.onclick = () => toggleFacts(Number(button.closest("tr").dataset.method));
}
