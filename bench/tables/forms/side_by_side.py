"""Several metrics a dataset, as columns of one table: cells of other tables beside those of the
comparison.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.tables.table import NOTHING, PUBLISHED, Footnotes, Row, Table, TableCell

COLUMNS = {
    "auc": "AUC",
    "ap": "AP",
    "eer": "EER",
    "rbdc": "RBDC",
    "tbdc": "TBDC",
    "fps": "FPS",
    "parameters": "Param. (M)",
}
FRAME_LEVEL = ("auc", "ap", "eer")
OF_REGIONS = ("rbdc", "tbdc")
COSTS = {"fps": "FPS", "parameters": "parameters in millions"}
"""Metrics that are no percentages, and how a caption calls them."""
TRACKS, COMPONENTS = "RBDC, tracks", "RBDC, components"
SOURCES = {
    "rbdc": (TRACKS, COMPONENTS),
    "tbdc": ("TBDC, tracks",),
    "fps": ("frames/s",),
    "parameters": ("parameters/M",),
}
"""The columns of other tables that some metrics come from: the first that is there."""
REGIONS = {TRACKS: "the regions of tracks", COMPONENTS: "connected components of the pixel masks"}
NO_TRACKS = "TBDC needs tracks of the anomalous objects"
NO_REGIONS = "no row kept the regions that it found"


@dataclass(frozen=True)
class SideBySide:
    """What stands side by side: `metrics` of each of `datasets`.

    Parameters
    ----------
    others : metric -> label of a dataset -> the table that has it in a column; of every metric but
        that of `table`, the comparison.
    """

    table: Table
    datasets: Sequence[str]
    metrics: Sequence[str]
    others: Mapping[str, Mapping[str, Table]]

    @property
    def columns(self) -> list[str]:
        """The headings: dataset and metric."""
        return [
            f"{dataset} {COLUMNS[metric]}" for dataset in self.datasets for metric in self.metrics
        ]

    @property
    def tied(self) -> str:
        """What the mark of a tie means, whichever of the tables has it."""
        tables = [self.table, *(one for found in self.others.values() for one in found.values())]
        return next((one.tied for one in tables if one.tied), "")

    @property
    def said(self) -> str:
        """What RBDC was measured on; empty where there is none."""
        found: dict[str, list[str]] = {}
        for dataset, table in self.others.get("rbdc", {}).items():
            if dataset in self.datasets and (column := _source("rbdc", dataset, table)):
                found.setdefault(REGIONS[column], []).append(self.table.names.heading(dataset))
        parts = [
            words + (f" ({', '.join(names)})" if len(found) > 1 else "")
            for words, names in found.items()
        ]
        return f"RBDC on {' and on '.join(parts)}" if parts else ""

    def short(self, title: str) -> str:
        """Return the caption in a paper, which begins with all metrics in place of `title`."""
        frames, regions = (
            ", ".join(COLUMNS[one] for one in self.metrics if one in kind)
            for kind in (FRAME_LEVEL, OF_REGIONS)
        )
        costs = [COSTS[one] for one in self.metrics if one in COSTS]
        parts = [f"Frame-level {frames} (%)"] * bool(frames) + [f"{regions} (%)"] * bool(regions)
        begun = ", ".join([*parts, *costs])
        rest = self.table.short.removeprefix(title)
        return begun[:1].upper() + begun[1:] + rest + (f" {self.said}." if self.said else "")

    def rows(self, rows: Sequence[Row], footnotes: Footnotes, brief: dict[str, str]) -> list[Row]:
        """Return rows of the comparison with the cells of all metrics; why a number is missing is
        added to `footnotes` and `brief`.
        """
        names = {row.name for row in rows}

        def cell(row: Row, dataset: str, metric: str) -> TableCell:
            if metric not in self.others:
                return row.cells[self.datasets.index(dataset)]
            if row.family == PUBLISHED:
                return NOTHING
            table = self.others[metric].get(dataset)
            column = _source(metric, dataset, table) if table is not None else ""
            if table is None or not column:
                reason = NO_REGIONS if table is None else NO_TRACKS
                if metric in OF_REGIONS and any(one.value is not None for one in row.cells):
                    brief[reason] = reason
                    return replace(NOTHING, notes=(footnotes.letter(reason),))
                return NOTHING
            place = table.columns.index(column)
            found = next((one.cells[place] for one in table.rows if one.name == row.name), NOTHING)
            found = without_hidden_tie(found, table, place, names)
            if found.value is not None:
                return replace(found, notes=())  # what is said of the row stands at its own number
            texts = [text for letter, text in table.footnotes if letter in found.notes]
            for text in texts:
                short = text.partition(":")[0]
                here = f"no {COLUMNS[metric]}" if re.search("[/`]", short) else short
                brief.setdefault(text, table.brief.get(text, here))
            return replace(found, notes=tuple(map(footnotes.letter, texts)))

        return [
            replace(
                row,
                cells=tuple(
                    cell(row, dataset, metric)
                    for dataset in self.datasets
                    for metric in self.metrics
                ),
            )
            for row in rows
        ]


def _source(metric: str, dataset: str, table: Table) -> str:
    """Return the column of another table that a metric comes from; empty where it has none."""
    return next(
        (one for one in SOURCES.get(metric, (dataset,)) if one in table.columns),
        "",
    )


def without_hidden_tie(cell: TableCell, table: Table, place: int, shown: set[str]) -> TableCell:
    """Return a cell of a column of `table` without the mark of a tie where the best of that column
    is not among the rows that are shown.
    """
    best = {row.name for row in table.rows if row.cells[place].rank == 1}
    return replace(cell, tied=cell.tied and best <= shown)
