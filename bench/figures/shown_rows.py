"""Which rows of the comparison a figure shows, and their scores."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bench.evaluation.measurements import label_sets_of
from bench.runs.records import CellRecord
from bench.scoring.evaluate import ClipScores
from bench.scoring.protocols import process, sentence
from bench.tables.table import as_printed

if TYPE_CHECKING:
    from bench.tables.kinds import Source


@dataclass(frozen=True)
class Row:
    """A row of the comparison that has a number on one dataset."""

    label: str
    name: str
    """What is shown of it."""
    number: str
    """As the table prints it, in percent."""
    spread: str
    """Of the seeds, as the table prints it; empty for one."""
    cells: tuple[CellRecord, ...]
    """Of all seeds, and of all scenes that have models of their own."""
    look: int
    """A row looks the same in every figure of a run (`looks_of`)."""

    @property
    def value(self) -> float:
        """The number, in percent."""
        return float(self.number)

    @property
    def text(self) -> str:
        """What a legend says."""
        return f"{self.name} {self.number}{self.spread}"

    def seed(self, seed: int) -> tuple[CellRecord, ...]:
        """Return the cells of one seed."""
        return tuple(cell for cell in self.cells if cell.seed == seed)

    @property
    def seeds(self) -> list[int]:
        """The seeds, in order of the run."""
        return list(dict.fromkeys(cell.seed for cell in self.cells))


def looks_of(source: Source) -> dict[str, int]:
    """Return a number for each row of the comparison: low ones, which look least alike, for what
    `choose` prefers; rows without a mean last.
    """
    means = {
        row.name: statistics.fmean(numbers)
        for row in source.comparison.rows
        if (numbers := [as_printed(cell.value) for cell in row.cells if cell.value is not None])
    }
    order = sorted(means, key=lambda label: means[label], reverse=source.metric.higher_is_better)
    of_ablation = {cell.label for cell in source.run_scores.cells if cell.ablation}
    pairs = itertools.zip_longest(
        [label for label in order if label in of_ablation],
        [label for label in order if label not in of_ablation],
    )
    ranked = [label for pair in pairs for label in pair if label is not None]
    without = [row.name for row in source.comparison.rows if row.name not in means]
    return {label: number for number, label in enumerate([*ranked, *without])}


def rows_of(source: Source, dataset: str) -> list[Row]:
    """Return the rows that have a number on a dataset, the best first; of equal ones the first of
    the table.
    """
    looks = looks_of(source)
    column = source.comparison.columns.index(dataset)
    rows = [
        Row(
            row.name,
            source.comparison.row_name(row),
            found.shown,
            found.spread,
            tuple(
                cell
                for cell in source.run_scores.cells
                if (cell.label, cell.dataset) == (row.name, dataset)
            ),
            looks[row.name],
        )
        for row in source.comparison.rows
        if (found := row.cells[column]).value is not None
    ]
    return sorted(rows, key=lambda row: -row.value if source.metric.higher_is_better else row.value)


def datasets_of(source: Source) -> list[str]:
    """Return the datasets on which any row has a number."""
    return [dataset for dataset in source.comparison.columns if rows_of(source, dataset)]


def choose(rows: Sequence[Row], most: int) -> tuple[list[Row], str]:
    """Return at most so many rows, in the order they came in, and the rule in words.

    Half of the places are for rows of an ablation, so that what a paper is about is shown beside
    what is best, however it fares.
    """
    if len(rows) <= most:
        return list(rows), "All methods with a number are shown"
    studied = [row for row in rows if any(cell.ablation for cell in row.cells)][: most // 2]
    others = [row for row in rows if row not in studied][: most - len(studied)]
    rule = f"{most} of {len(rows)} methods are shown"
    rule += (
        f": the best {len(studied)} of those in an ablation, and the best {len(others)} of all others"
        if studied
        else ": the best"
    )
    return [
        row for row in rows if row in studied or row in others
    ], f"{rule}, trivial ones included"


def label_set_of(source: Source, row: Row) -> str:
    """Return the label set of the row's number."""
    record = source.run_scores.dataset(row.cells[0])
    assert record is not None, "a number without its dataset"
    return label_sets_of(record, source.protocol)[0]


def processed(source: Source, row: Row, seed: int) -> list[ClipScores]:
    """Return the clips of one seed with labels, their scores smoothed and normalised under the
    protocol.
    """
    clips = source.run_scores.clips(row.seed(seed), label_set_of(source, row), source.protocol)
    return [replace(clip, scores=process(clip.scores, source.protocol)) for clip in clips]


def pooled(clips: Sequence[ClipScores]) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and scores of all scored frames of all clips."""
    return np.concatenate([clip.labels[clip.frames] for clip in clips]), np.concatenate(
        [clip.scores for clip in clips]
    )


def facts(source: Source, rows: Sequence[Row]) -> str:
    """Return what every caption says: the number, the protocol, labels, profile."""
    profiles = ", ".join(
        dict.fromkeys(cell.profile for row in rows for cell in row.cells if cell.profile)
    )
    return (
        f"Numbers: {source.metric.title} in percent, as in the comparison. "
        f"Protocol {source.protocol.name}: {sentence(source.protocol)}. Labels: {label_set_of(source, rows[0])}. Profile: {profiles}."
    )
