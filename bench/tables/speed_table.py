"""What a number costs: parameters, time and memory of each cell, as measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.evaluation.run_scores import RunScores
from bench.runs.records import CellRecord
from bench.runs.status import Status
from bench.tables.table import NOTHING, Row, Table, TableCell
from bench.wording import counted, listed

Measure = Callable[[CellRecord, int], float | None]


def _cost(name: str, unit: float = 1.0) -> Measure:
    """Return what reads a cost that the worker measured."""
    return lambda cell, frames: cell.cost[name] / unit if name in cell.cost else None


def _fit(cell: CellRecord, frames: int) -> float | None:
    return cell.seconds["fit"] / 60 if "fit" in cell.seconds else None


def _speed(cell: CellRecord, frames: int) -> float | None:
    return frames / cell.seconds["score"] if cell.seconds.get("score") and frames else None


COLUMNS: dict[str, tuple[Measure, str]] = {
    "parameters/M": (_cost("parameters", 1e6), "{:.2f}"),
    "GFLOP/frame": (_cost("gflops_a_frame"), "{:.3g}"),
    "fit/min": (_fit, "{:.1f}"),
    "s/step": (_cost("seconds_a_step"), "{:.3f}"),
    "frames/s": (_speed, "{:.1f}"),
    "network frames/s": (_cost("frames_a_second"), "{:.1f}"),
    "memory/GB": (_cost("peak_memory", 2**30), "{:.2f}"),
}
"""By heading: what measures a cell, given its scored frames, and how it is printed."""


def speed_tables(run_scores: RunScores) -> list[Table]:
    """Return one table a dataset: parameters, operations, minutes of fitting, scored frames a
    second, peak memory; means over seeds.

    `frames/s` has in it all that scoring a test clip takes: reading from the frame store, the
    method, and its scores on disk; `network frames/s` is that of a network's full batches after the
    first, as `cost` of cell.json says.
    """
    tables = []
    done = [cell for cell in run_scores.cells if cell.status == Status.DONE]
    for dataset in dict.fromkeys(cell.dataset for cell in done):
        of_dataset = [cell for cell in done if cell.dataset == dataset]
        rows = []
        for label in dict.fromkeys(cell.label for cell in of_dataset):
            cells = [cell for cell in of_dataset if cell.label == label]
            shown = tuple(
                _mean(cells, run_scores, measure, form) for measure, form in COLUMNS.values()
            )
            rows.append(Row(label, cells[0].family, cells[0].year, shown))
        places = sorted(
            {f"{cell.hardware}, {counted(cell.threads, 'thread')}" for cell in of_dataset}
        )
        caption = (
            f"Cost on {run_scores.names.heading(dataset)}. Parameters of the network in millions; its 10^9 operations a "
            "scored frame; minutes of fitting; seconds of "
            "a training step; scored frames a second, with reading and writing, and of the "
            "network in full batches; the largest resident memory of the cell's process. Means "
            "over seeds, as measured while other work may have gone on. "
            f"Profile: {listed(cell.profile for cell in of_dataset)}. Device: {'; '.join(places)}."
        )
        table = Table(list(COLUMNS), rows, caption, [], [], names=run_scores.names)
        tables.append(replace(table, dataset=dataset))
    return tables


def _mean(
    cells: Sequence[CellRecord], run_scores: RunScores, measure: Measure, form: str
) -> TableCell:
    values = [measure(cell, run_scores.scored_frames(cell)) for cell in cells]
    known = [value for value in values if value is not None]
    return TableCell(statistics.fmean(known), form) if known else NOTHING
