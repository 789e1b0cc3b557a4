"""What a number costs: parameters, time and memory of each cell, as measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from bench.evaluation.results import Evidence
from bench.runs.records import CellRecord
from bench.tables.comparison import DASH, Comparison, Entry, Line

Measure = Callable[[CellRecord, int], float | None]


def _parameters(cell: CellRecord, frames: int) -> float | None:
    return cell.cost["parameters"] / 1e6 if "parameters" in cell.cost else None


def _fit(cell: CellRecord, frames: int) -> float | None:
    return cell.seconds["fit"] / 60 if "fit" in cell.seconds else None


def _speed(cell: CellRecord, frames: int) -> float | None:
    return frames / cell.seconds["score"] if cell.seconds.get("score") and frames else None


def _operations(cell: CellRecord, frames: int) -> float | None:
    return cell.cost.get("gflops_a_frame")


def _step(cell: CellRecord, frames: int) -> float | None:
    return cell.cost.get("seconds_a_step")


def _network_speed(cell: CellRecord, frames: int) -> float | None:
    return cell.cost.get("frames_a_second")


def _memory(cell: CellRecord, frames: int) -> float | None:
    return cell.cost["peak_memory"] / 2**30 if "peak_memory" in cell.cost else None


COLUMNS: dict[str, tuple[Measure, str]] = {
    "parameters/M": (_parameters, "{:.2f}"),
    "GFLOP/frame": (_operations, "{:.3g}"),
    "fit/min": (_fit, "{:.1f}"),
    "s/step": (_step, "{:.3f}"),
    "frames/s": (_speed, "{:.1f}"),
    "network frames/s": (_network_speed, "{:.1f}"),
    "memory/GB": (_memory, "{:.2f}"),
}


def speed(evidence: Evidence) -> list[Comparison]:
    """Return one table a dataset: parameters, operations, minutes of fitting, scored frames a
    second, peak memory; means over seeds.

    `frames/s` has in it all that scoring a test clip takes: reading from the frame store, the
    method, and its scores on disk; `network frames/s` is that of a network's full batches after the
    first, as `cost` of cell.json says.
    """
    tables = []
    done = [cell for cell in evidence.cells if cell.status == "done"]
    for dataset in dict.fromkeys(cell.dataset for cell in done):
        of_dataset = [cell for cell in done if cell.dataset == dataset]
        lines = []
        for label in dict.fromkeys(cell.label for cell in of_dataset):
            cells = [cell for cell in of_dataset if cell.label == label]
            entries = tuple(
                _entry(cells, evidence, measure, form) for measure, form in COLUMNS.values()
            )
            lines.append(Line(label, cells[0].family, cells[0].year, entries))
        places = sorted(
            {
                f"{cell.device}, {cell.threads} thread{'s' * (cell.threads > 1)}"
                for cell in of_dataset
            }
        )
        profiles = ", ".join(dict.fromkeys(cell.profile for cell in of_dataset))
        caption = (
            f"Cost on {dataset}. Parameters of the network in millions; its 10^9 operations a scored frame; minutes of fitting; seconds of "
            "a training step; scored frames a second, with reading and writing, and of the network in full batches; the largest resident memory of the cell's process. Means over seeds, as measured while other work may have gone on. "
            f"Profile: {profiles}. Device: {'; '.join(places)}."
        )
        tables.append(Comparison(list(COLUMNS), lines, caption, [], []))
    return tables


def _entry(cells: Sequence[CellRecord], evidence: Evidence, measure: Measure, form: str) -> Entry:
    values = [measure(cell, evidence.scored_frames(cell)) for cell in cells]
    known = [value for value in values if value is not None]
    return Entry(form.format(statistics.fmean(known))) if known else Entry(mark=DASH)
