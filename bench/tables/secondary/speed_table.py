"""What a number costs: parameters, time and memory of each cell, as measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.evaluation.measurements import by_seed, joined
from bench.evaluation.run_scores import RunScores
from bench.runs.records import CellRecord
from bench.runs.status import Status
from bench.tables.table import DASH, NOTHING, Footnotes, Row, Table, TableCell
from bench.wording import counted, listed

NOT_OF_EACH_SEED = "not on record for each of the seeds"
Measure = Callable[[Sequence[CellRecord], int], float | None]


def _cost(
    name: str, unit: float = 1.0, joined: Callable[[list[float]], float] = statistics.fmean
) -> Measure:
    """Return what reads a cost that the worker measured."""

    def measure(cells: Sequence[CellRecord], frames: int) -> float | None:
        known = [cell.cost[name] / unit for cell in cells if name in cell.cost]
        return joined(known) if known else None

    return measure


def seconds_of(cells: Sequence[CellRecord], phase: str) -> float | None:
    """Return the seconds of a phase of one seed, of all scenes' own models together; None where
    those of a cell are not on record.
    """
    known = [cell.seconds[phase] for cell in cells if phase in cell.seconds]
    return sum(known) if len(known) == len(cells) else None


def _fit(cells: Sequence[CellRecord], frames: int) -> float | None:
    seconds = seconds_of(cells, "fit")
    return None if seconds is None else seconds / 60


def _speed(cells: Sequence[CellRecord], frames: int) -> float | None:
    seconds = seconds_of(cells, "score")
    return frames / seconds if seconds and frames else None


COLUMNS: dict[str, tuple[Measure, str]] = {
    "parameters/M": (_cost("parameters", 1e6), "{:.2f}"),
    "GFLOP/frame": (_cost("gflops_a_frame"), "{:.3g}"),
    "fit/min": (_fit, "{:.1f}"),
    "s/step": (_cost("seconds_a_step"), "{:.3f}"),
    "frames/s": (_speed, "{:.1f}"),
    "network frames/s": (_cost("frames_a_second"), "{:.1f}"),
    "memory/GB": (_cost("peak_memory", 2**30, max), "{:.2f}"),
}
"""By heading: what measures the cell of a seed, or its scenes' own models together, given the scored
frames; and how it is printed."""


def speed_tables(run_scores: RunScores) -> list[Table]:
    """Return one table a dataset: parameters, operations, minutes of fitting, scored frames a
    second, peak memory; means over seeds.

    `frames/s` has in it all that scoring a test clip takes: reading from the frame store, the
    method, and its scores on disk; `network frames/s` is that of a network's full batches after the
    first, as `cost` of cell.json says.
    """
    tables = []
    for dataset, of_dataset in run_scores.by_dataset().items():
        footnotes = Footnotes()
        rows = []
        done = [cell for cell in of_dataset if cell.status == Status.DONE]
        for label in dict.fromkeys(cell.label for cell in done):
            cells = [cell for cell in of_dataset if cell.label == label]
            shown = _row(by_seed(cells), run_scores, footnotes)
            rows.append(Row(label, cells[0].family, cells[0].year, shown))
        places = sorted({f"{cell.hardware}, {counted(cell.threads, 'thread')}" for cell in done})
        of_scenes = (
            " Where each scene has its own model, fitting and scoring are those of all scenes "
            "together, and the rest is that of one model, the memory that of the largest."
            if any(cell.scene for cell in done)
            else ""
        )
        caption = (
            f"Cost on {run_scores.names.heading(dataset)}. Parameters of the network in millions; its 10^9 operations a "
            "scored frame; minutes of fitting; seconds of "
            "a training step; scored frames a second, with reading and writing, and of the "
            "network in full batches; the largest resident memory of the cell's process. Means "
            f"over seeds, as measured while other work may have gone on.{of_scenes} "
            f"Profile: {listed(cell.profile for cell in done)}. Device: {'; '.join(places)}."
        )
        table = Table(list(COLUMNS), rows, caption, footnotes.listed(), [], names=run_scores.names)
        tables.append(replace(table, dataset=dataset))
    return tables


def _row(
    seeds: Sequence[Sequence[CellRecord]], run_scores: RunScores, footnotes: Footnotes
) -> tuple[TableCell, ...]:
    """Return the means over the seeds that are done, all scenes' own models of each."""
    done = [cells for cells in seeds if all(cell.status == Status.DONE for cell in cells)]
    if not done:
        return (footnotes.mark(DASH, joined(seeds[0]).reason),) * len(COLUMNS)
    frames = [sum(map(run_scores.scored_frames, cells)) for cells in done]
    shown = []
    for measure, form in COLUMNS.values():
        values = [measure(cells, number) for cells, number in zip(done, frames)]
        known = [value for value in values if value is not None]
        if known and len(known) < len(values):
            shown.append(footnotes.mark(DASH, NOT_OF_EACH_SEED))
        else:
            shown.append(TableCell(statistics.fmean(known), form) if known else NOTHING)
    return tuple(shown)
