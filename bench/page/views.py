"""The views of the page: every named protocol, under every label set that its datasets have, and the
table of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from bench.contracts.protocol import Protocol
from bench.evaluation.columns import ranking
from bench.evaluation.summaries import shown_summaries
from bench.plugins.syntax import parse, write
from bench.runs.status import Status
from bench.scoring.intervals import METRIC
from bench.tables.comparison import compare
from bench.tables.forms.paper_layout import with_facts
from bench.tables.kinds import Source
from bench.tables.paper_protocols import under_paper_protocols
from bench.tables.secondary.published_tables import with_published_columns
from bench.tables.secondary.rank_table import contenders_of
from bench.tables.table import NOTHING, Footnotes, Row, Table, TableCell

MEASURED, PUBLISHED, UNDER_PAPER = "measured", "published", "as-in-paper"
RANK, GROUPS = "rank", "groups"
_Columns = list[tuple[str, str]]


@dataclass(frozen=True)
class View:
    """A protocol and a label set, with what the page shows under them."""

    protocol: Protocol
    base: str
    """The name of the protocol without its label set."""
    labels: str
    """The label set that is chosen; empty for that of each dataset."""
    comparison: Table
    table: Table
    """The comparison with published numbers, intervals of ranks and groups beside the measured
    numbers."""
    columns: _Columns
    """(dataset, what) of each column of `table`; `what` is MEASURED, PUBLISHED, UNDER_PAPER, RANK or
    GROUPS."""

    @property
    def holds(self) -> set[str]:
        """What its columns hold, and 'interval' where numbers have one."""
        intervals = any(cell.low is not None for row in self.table.rows for cell in row.cells)
        return {kind for _, kind in self.columns} | ({"interval"} if intervals else set())


def views_of(source: Source) -> list[View]:
    """Return the views of a run, that of its question first."""
    named = [source.protocol, *source.registry.protocols.values()]
    bases = {protocol.name: protocol for protocol in named}.values()
    return [
        _view(source, protocol, base.name, labels)
        for base in bases
        for labels, protocol in _with_labels(source, base)
    ]


def _with_labels(source: Source, base: Protocol) -> Iterator[tuple[str, Protocol]]:
    """Yield a protocol as it is, and with each label set that is not the first of its dataset."""
    yield "", base
    if base.labels != "default":
        return
    records = map(source.run_scores.dataset, source.run_scores.cells)
    others = [name for record in records if record is not None for name in record.label_sets[1:]]
    (item,) = parse(base.name)
    values = {key: value for key, (value,) in (item.values or {}).items()}
    for name in dict.fromkeys(others):
        selector = write(item.name, {**values, "labels": name})
        yield name, replace(base, labels=name, name=selector)


def _view(source: Source, protocol: Protocol, base: str, labels: str) -> View:
    same = protocol == source.protocol
    made = source.comparison if same else compare(source.run_scores, protocol, source.metric)
    table, columns = _beside(source, protocol, made)
    return View(protocol, base, labels, made, table, columns)


def _beside(source: Source, protocol: Protocol, comparison: Table) -> tuple[Table, _Columns]:
    """Return the comparison with more columns a dataset, and what these are."""
    registry, run_scores = source.registry, source.run_scores
    cells = {cell.label: cell for cell in reversed(run_scores.cells)}
    published = (
        with_published_columns(
            under_paper_protocols(run_scores, registry, comparison, protocol, source.metric),
            run_scores.cells,
        )
        if source.metric.name == METRIC
        else None
    )
    contenders = contenders_of(shown_summaries(run_scores, protocol, source.metric))
    columns: _Columns = []
    shown: dict[str, list[TableCell]] = {row.name: [] for row in comparison.rows}
    for place, dataset in enumerate(comparison.columns):
        parts = [(MEASURED, {row.name: row.cells[place] for row in comparison.rows})]
        if published is not None:
            printed = {row.name: row.cells[3 * place] for row in published.rows}
            if any(cell.value is not None for cell in printed.values()):
                parts = [(MEASURED, _without_published(source, dataset, parts[0][1]))]
                parts += [(PUBLISHED, printed), (UNDER_PAPER, _under_paper(published, place))]
        found = ranking(run_scores, contenders.get(dataset, []), source.metric)
        if found is not None:
            ranks = {
                name: TableCell(one.low, "{:.0f} to {:.0f}", (one.high,))
                for name, one in found.ranks.items()
            }
            groups = {name: TableCell(mark=one.groups) for name, one in found.ranks.items()}
            parts += [(RANK, ranks), (GROUPS, groups)]
        for kind, of_kind in parts:
            columns.append((dataset, kind))
            for name, row in shown.items():
                row.append(of_kind.get(name, NOTHING))
    rows: list[Row] = [
        with_facts(replace(row, cells=tuple(shown[row.name])), cells.get(row.name), registry)
        for row in comparison.rows
    ]
    footnotes = Footnotes(comparison.footnotes if published is None else published.footnotes)
    return (
        replace(
            comparison,
            columns=[
                dataset if kind == MEASURED else f"{dataset} {kind.replace('-', ' ')}"
                for dataset, kind in columns
            ],
            rows=rows,
            footnotes=footnotes.used(rows),
        ),
        columns,
    )


def _without_published(
    source: Source, dataset: str, measured: Mapping[str, TableCell]
) -> dict[str, TableCell]:
    """Return the measured numbers of a dataset without the published ones that stand in the place
    of those that were not measured: they have a column of their own.
    """
    status = {
        cell.label: cell.status for cell in source.run_scores.cells if cell.dataset == dataset
    }
    return {
        name: replace(NOTHING, notes=cell.notes)
        if status.get(name) == Status.PUBLISHED_ONLY
        else cell
        for name, cell in measured.items()
    }


def _under_paper(published: Table, place: int) -> dict[str, TableCell]:
    """Return what was measured under the protocol of the paper, with its name, where the paper
    prints a number.
    """
    found = {}
    for row in published.rows:
        printed, measured, used = row.cells[3 * place], row.cells[3 * place + 1], row.cells[-1]
        if printed.value is not None and measured.value is not None:
            found[row.name] = replace(measured, mark=used.mark, notes=used.notes, rank=0)
    return found
