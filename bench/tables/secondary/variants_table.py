"""Ablations of any method: its rows along one parameter, or its variants, each against ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench.contracts.metric import Metric
from bench.contracts.parameters import show_value
from bench.contracts.protocol import Protocol
from bench.errors import RequestError
from bench.evaluation.columns import column_of
from bench.evaluation.row_names import RowNames
from bench.evaluation.run_scores import RunScores
from bench.runs.records import CellRecord
from bench.runs.table_options import FILE
from bench.tables.forms.side_by_side import COLUMNS
from bench.tables.table import (
    FROM_A_FILE,
    NOTHING,
    Footnotes,
    Row,
    Table,
    TableCell,
    p_cell,
    ranks_of,
)
from bench.wording import counted, unknown

AXIS = 3
"""Values of a parameter, at least, that make a table of their own. Chosen here."""


def variant_tables(
    run_scores: RunScores, table: Table, protocol: Protocol, metric: Metric
) -> list[Table]:
    """Return the ablations of the methods that have several rows: one table for each parameter that
    takes `AXIS` values or more while all others are held, and one for all other variants.

    Each row is tested against ours, over the clips that both share, with the correction of Holm
    for the rows of a table (of a dataset). Ours is `ours` of table.toml, else the first row
    without changed parameters.

    Parameters
    ----------
    table : the comparison, which has the numbers.

    Raises
    ------
    RequestError : table.toml calls a row ours that is not there.
    """
    chosen = run_scores.options.ours
    if chosen and chosen not in {row.name for row in table.rows}:
        known = [row.name for row in table.rows]
        raise RequestError(f"{FILE}: ours: {unknown('row', chosen, known)}")
    cells = {cell.label: cell for cell in reversed(run_scores.cells)}
    families: dict[str, list[Row]] = {}
    for row in table.rows:
        cell = cells[row.name]
        if cell.family != FROM_A_FILE and any(one.value is not None for one in row.cells):
            families.setdefault("".join(cell.ablation[:1]) or cell.method, []).append(row)
    found = []
    for rows in families.values():
        ours = _ours(rows, cells, chosen)
        others: list[Row] = []
        axes: dict[str, list[Row]] = {}
        for row in rows:
            changed = _differing(cells[ours.name], cells[row.name])
            if len(changed) == 1 and cells[row.name].method == cells[ours.name].method:
                axes.setdefault(changed[0], []).append(row)
            elif changed:
                others.append(row)
        for name, along in axes.items():
            if len(along) < AXIS - 1:
                others += along
                continue
            members = _along(name, [ours, *along], cells)
            names = {row.name: f"{name} = {_value(name, cells[row.name])}" for row in members}
            about = f"{table.row_name(ours)}: {name}, all other parameters held"
            found.append(_against(ours, members, names, about, run_scores, table, protocol, metric))
        if others:
            members = [ours, *(row for row in rows if row in others)]
            about = f"variants of {table.row_name(ours)}"
            found.append(_against(ours, members, {}, about, run_scores, table, protocol, metric))
    return found


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p-values corrected for their number (Holm 1979, "A simple sequentially rejective
    multiple test procedure").
    """
    corrected: dict[str, float] = {}
    largest = 0.0
    for place, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, (len(p_values) - place) * p))
        corrected[name] = largest
    return corrected


def _ours(rows: Sequence[Row], cells: Mapping[str, CellRecord], chosen: str) -> Row:
    named = [row for row in rows if row.name == chosen]
    plain = [row for row in rows if not cells[row.name].parameters_changed]
    return [*named, *plain, *rows][0]


def _differing(one: CellRecord, other: CellRecord) -> list[str]:
    """Return the parameters in which two cells differ."""
    names = dict.fromkeys([*one.parameters, *other.parameters])
    return [name for name in names if one.parameters.get(name) != other.parameters.get(name)]


def _along(name: str, rows: Sequence[Row], cells: Mapping[str, CellRecord]) -> list[Row]:
    """Return rows in the order of a parameter where it is a number, else as they are."""
    values: dict[str, Any] = {row.name: cells[row.name].parameters.get(name) for row in rows}
    if all(isinstance(value, int | float) for value in values.values()):
        return sorted(rows, key=lambda row: values[row.name])
    return list(rows)


def _value(name: str, cell: CellRecord) -> str:
    return show_value(cell.parameters.get(name))


def _against(
    ours: Row,
    rows: Sequence[Row],
    names: Mapping[str, str],
    about: str,
    run_scores: RunScores,
    table: Table,
    protocol: Protocol,
    metric: Metric,
) -> Table:
    """Return rows with their numbers, and how each differs from ours."""
    columns: list[str] = []
    shown: dict[str, list[TableCell]] = {row.name: [] for row in rows}
    tests = 0
    for place, dataset in enumerate(table.columns):
        cells = {row.name: row.cells[place] for row in rows}
        values = {name: cell.value for name, cell in cells.items() if cell.value is not None}
        ranks = ranks_of(values, metric.higher_is_better)
        columns.append(f"{dataset} {COLUMNS.get(metric.name, metric.name)}")
        for name, cell in cells.items():
            shown[name].append(replace(cell, rank=ranks.get(name, 0), tied=False))
        column = column_of(run_scores, dataset, protocol, metric)
        if column is None or ours.name not in values:
            continue
        differences = {
            name: found
            for name in values
            if name != ours.name and (found := column.difference(name, ours.name)) is not None
        }
        corrected = holm({name: one.p for name, one in differences.items() if one.p is not None})
        tests = max(tests, len(corrected))
        columns += [f"{dataset} difference", f"{dataset} p"]
        for name, row in shown.items():
            known = differences.get(name)
            row.append(NOTHING if known is None else TableCell(100 * known.value, "{:+.2f}"))
            row.append(p_cell(corrected[name]) if name in corrected else NOTHING)
    said = (
        f" Difference: from {names.get(ours.name) or table.row_name(ours)}, in points, on the frames that both scored. p: paired "
        f"test over clips, corrected after Holm ({counted(tests, 'test')} a dataset)."
        if tests
        else ""
    )
    return replace(
        table,
        columns=columns,
        rows=[replace(row, family="", cells=tuple(shown[row.name])) for row in rows],
        caption=f"Ablation, {about}.{said} {table.caption}",
        footnotes=Footnotes(table.footnotes).used(rows),
        notes=[],
        tied="",
        names=RowNames({**table.names.rows, **names}, table.names.datasets),
        short=f"Ablation, {about}.{said} {table.short}",
        ordered=True,
    )
