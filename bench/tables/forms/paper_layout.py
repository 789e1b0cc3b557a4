"""The comparison as a paper prints it: rows, columns and facts that `table.toml` chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bench.contracts.metric import Metric
from bench.errors import RequestError
from bench.evaluation.published_numbers import RERUN, number_of, published_numbers
from bench.evaluation.run_scores import RunScores
from bench.plugins.registry import Registry
from bench.runs.records import CellRecord
from bench.runs.status import Status
from bench.runs.table_options import FACTS, FILE, TableOptions
from bench.scoring.intervals import METRIC
from bench.tables.forms.side_by_side import COLUMNS, COSTS, SideBySide, without_hidden_tie
from bench.tables.table import (
    DIGITS,
    FROM_A_FILE,
    NOTHING,
    PUBLISHED,
    TRIVIAL,
    Footnotes,
    Row,
    Table,
    TableCell,
    cell_as_printed,
    ranks_of,
)
from bench.wording import unknown

HEADINGS = {
    "year": "Year",
    "supervision": "Supervision",
    "knowledge": "Extra knowledge",
    "input": "Input",
}


def supervision_of(cell: CellRecord) -> str:
    """Return what a method learns from: normal videos alone ('one-class') or nothing
    ('training-free'); a cell from a file does not say, and says a dash.
    """
    if cell.supervision:
        return cell.supervision
    if cell.family == FROM_A_FILE:
        return ""
    return "one-class" if "train" in cell.needs else "training-free"


def knowledge_of(cell: CellRecord, registry: Registry) -> str:
    """Return what a cell's method uses beside the dataset; of a cell of an earlier version, which
    does not say, what its method usually does.
    """
    if cell.extra_knowledge is not None:
        return cell.extra_knowledge
    method = registry.methods.get(cell.method)
    return method.info.extra_knowledge if method is not None else ""


def paper_table(
    table: Table,
    run_scores: RunScores,
    registry: Registry,
    others: Mapping[str, Mapping[str, Table]],
    metric: Metric,
) -> Table:
    """Return a comparison with the rows, columns and facts that the run's table.toml asks for.

    Parameters
    ----------
    others : metric -> label of a dataset -> the table that has it in a column; of every metric in
        `metrics` of table.toml but that of `table`.

    Raises
    ------
    RequestError : table.toml names a row, dataset or published method that is not there.
    """
    options = run_scores.options
    _check(options, table, run_scores)
    cells = {cell.label: cell for cell in reversed(run_scores.cells)}
    datasets = list(options.datasets) or table.columns
    places = [table.columns.index(name) for name in datasets]
    rows = [replace(row, cells=tuple(row.cells[place] for place in places)) for row in table.rows]
    footnotes, brief = Footnotes(table.footnotes), dict(table.brief)
    if options.rows:
        by_name = {row.name: row for row in rows}
        rows = [by_name[name] for name in options.rows]
    names = {row.name for row in rows}
    rows = [
        replace(
            row,
            cells=tuple(
                without_hidden_tie(cell, table, place, names)
                for cell, place in zip(row.cells, places)
            ),
        )
        for row in rows
    ]
    rows = [with_facts(row, cells.get(row.name), registry) for row in rows]
    # Published numbers are AUCs.
    published = options.published if metric.name == METRIC else ()
    rows += [
        with_facts(_published_row(key, datasets, footnotes, brief, options), None, registry)
        for key in published
    ]
    if options.metrics:
        beside = SideBySide(table, datasets, options.metrics, others)
        rows = beside.rows(rows, footnotes, brief)
        columns = beside.columns
        table = replace(
            table,
            tied=beside.tied,
            short=beside.short(f"{metric.title} (%)"),
            notes=[*table.notes, *filter(None, [beside.said])],
        )
    else:
        columns = datasets
    rows = [_digits(row, options.decimals) for row in rows]
    rows = _ranked(rows, columns, metric.higher_is_better, options.decimals)
    return replace(
        table,
        columns=columns,
        rows=_grouped(rows, options),
        footnotes=footnotes.used(rows),
        brief=brief,
        facts=_facts(rows, options),
        ordered=bool(options.rows) or isinstance(options.groups, Mapping),
        short=options.caption or table.short,
    )


def _check(options: TableOptions, table: Table, run_scores: RunScores) -> None:
    keys = [one.key for one in published_numbers() if not one.key.endswith(RERUN)]
    rows = [row.name for row in table.rows]
    grouped = options.groups.values() if isinstance(options.groups, Mapping) else ()
    asked = [
        *(("rows: no row", name, rows) for name in options.rows),
        *(("groups: no row", name, rows) for names in grouped for name in names),
        *(("datasets: no dataset", name, table.columns) for name in options.datasets),
        *(("published: no method", name, keys) for name in options.published),
        *(
            ("names: no row or dataset", name, [*rows, *table.columns])
            for name in options.names
            if name not in run_scores.names.rows and name not in run_scores.names.datasets
        ),
    ]
    mistakes = [
        f"{FILE}: {unknown(what.partition('no ')[2], name, known)}"
        for what, name, known in asked
        if name not in known
    ]
    if mistakes:
        raise RequestError(*mistakes)


def _published_row(
    key: str,
    datasets: Sequence[str],
    footnotes: Footnotes,
    brief: dict[str, str],
    options: TableOptions,
) -> Row:
    """Return the published numbers of a method, each with its source in a footnote where that is
    not its own paper. Without headings of groups a footnote says, too, that it is published.
    """
    numbers = [number_of(key, name) for name in datasets]
    shown = []
    for number in numbers:
        if number is None:
            shown.append(NOTHING)
            continue
        texts = [
            *([PUBLISHED] if options.groups is False else []),
            *number.marks(),
            *([number.said()] if number.confidence != "high" else []),
        ]
        brief |= {text: text for text in texts}
        shown.append(cell_as_printed(number.auc, tuple(map(footnotes.letter, texts))))
    first = next(one for one in published_numbers() if one.key == key)
    year = int(first.year) if first.year.isdigit() else None
    return Row(key, PUBLISHED, year, tuple(shown), first.citation)


def with_facts(row: Row, cell: CellRecord | None, registry: Registry) -> Row:
    """Return a row with what is known of its method: year, supervision, extra knowledge, input."""
    facts = {"year": str(row.year or "")}
    if cell is not None:
        known = registry.methods.get(cell.method)
        info = known.info if known is not None else None
        facts |= {
            "supervision": "" if cell.status == Status.PUBLISHED_ONLY else supervision_of(cell),
            "knowledge": knowledge_of(cell, registry),
            "input": info.inputs if info else "",
        }
    return replace(row, facts=facts)


def _facts(rows: Sequence[Row], options: TableOptions) -> list[str]:
    """Return the columns of facts: those that were asked for, else the year, and others in which
    rows differ.
    """
    if options.facts is not None:
        return list(options.facts)
    compared = [row for row in rows if row.family != TRIVIAL]
    found = ["year"] if any(row.facts.get("year") for row in rows) else []
    for name in FACTS[1:3]:
        if len({row.facts.get(name, "") for row in compared} - {""}) > (name == "supervision"):
            found.append(name)
    return found


def _ranked(
    rows: Sequence[Row], columns: Sequence[str], higher_is_better: bool, decimals: int
) -> list[Row]:
    """Return the rows with the best and the second of those that are shown, as they are printed.
    Published numbers take no part: their protocols differ.
    """
    shown = [list(row.cells) for row in rows]
    for number in range(len(columns)):
        values = {
            row.name: cell.value
            for row, cells in zip(rows, shown)
            if (cell := cells[number]).value is not None
            and row.family not in (TRIVIAL, PUBLISHED)
            and cell.decimals == decimals
        }
        metric = next(
            (key for key, name in COLUMNS.items() if columns[number].endswith(f" {name}")), ""
        )
        higher = metric != "eer" if metric else higher_is_better
        ranks = {} if metric in COSTS else ranks_of(values, higher, decimals)
        for row, cells in zip(rows, shown):
            # A published row may have the name of a measured one.
            rank = 0 if row.family == PUBLISHED else ranks.get(row.name, 0)
            cells[number] = replace(cells[number], rank=rank)
    return [replace(row, cells=tuple(cells)) for row, cells in zip(rows, shown)]


def _digits(row: Row, decimals: int) -> Row:
    """Return a row with so many digits behind the point of each percentage, as tables print them; a
    published number gets none that its paper does not have.
    """
    digits = min(decimals, DIGITS) if row.family == PUBLISHED else decimals
    usual = TableCell().form
    return replace(
        row,
        cells=tuple(
            replace(cell, form=f"{{:.{digits}f}}", decimals=digits) if cell.form == usual else cell
            for cell in row.cells
        ),
    )


def _grouped(rows: Sequence[Row], options: TableOptions) -> list[Row]:
    if options.groups is False:
        return [replace(row, family="") for row in rows]
    if isinstance(options.groups, Mapping):
        heading = {name: title for title, names in options.groups.items() for name in names}
        return [
            row
            if row.family == PUBLISHED
            else replace(row, family=heading.get(row.name, row.family))
            for row in rows
        ]
    return list(rows)
