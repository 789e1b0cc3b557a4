"""The weight of pseudo-anomalies over training, sigma(l) of the DDL paper."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures.shown_rows import looks_of
from bench.figures.style import SINGLE, Drawn, legend_below, line_look, new_figure, slug
from bench.runs.records import CellRecord
from bench.runs.status import Status

if TYPE_CHECKING:
    from bench.tables.kinds import Source

COLUMN = "sigma"
"""Of steps.csv and training.csv: sigma(l) as it is multiplied with the content."""


def weights(source: Source) -> Iterator[Drawn]:
    """Yield one figure a dataset: a line a cell."""
    curves: dict[str, dict[str, list[tuple[CellRecord, list[float], list[float]]]]] = {}
    for cell in source.run_scores.cells:
        if cell.status == Status.DONE and (found := history(source, cell)) is not None:
            curves.setdefault(cell.dataset, {}).setdefault(cell.label, []).append((cell, *found))
    for dataset, of_dataset in curves.items():
        yield _draw(source, dataset, of_dataset)


ABSENT = (
    "no finished network of the run has a weight of its pseudo-anomalies (a column sigma in training.csv): "
    "those of the group ddl have, and any with [pseudo=objects,pseudo_loss=distinction]"
)


def history(source: Source, cell: CellRecord) -> tuple[list[float], list[float]] | None:
    """Return epochs passed (steps, for a network that counts these) and sigma; None where the
    training has none, or is not readable.

    Of single steps, where the cell kept them, else the mean of each epoch at its end.
    """
    files = source.run.files_of(cell)
    try:
        means = _lines(files.training)
        count = "epoch" if "epochs" in cell.parameters else "step"
        found = [(float(line[count]), float(line[COLUMN])) for line in means if line.get(COLUMN)]
        if found and files.steps.is_file():
            steps = float(means[-1]["step"]) / float(means[-1][count])
            found = [
                ((float(line["step"]) - 1) / steps, float(line[COLUMN]))
                for line in _lines(files.steps)
            ]
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return None
    return ([at for at, _ in found], [value for _, value in found]) if found else None


def _lines(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def _draw(
    source: Source,
    dataset: str,
    of_dataset: dict[str, list[tuple[CellRecord, list[float], list[float]]]],
) -> Drawn:
    from matplotlib.lines import Line2D

    looks = looks_of(source)
    figure = new_figure(SINGLE, 1.9)
    axis = figure.subplots()
    epochs = all(
        "epochs" in cell.parameters for cells in of_dataset.values() for cell, _, _ in cells
    )
    for label, cells in of_dataset.items():
        for cell, at, values in cells:
            single = source.run.files_of(cell).steps.is_file()
            axis.plot(
                at,
                values,
                marker="" if single else "o",
                markersize=2,
                linewidth=0.7,
                **line_look(looks[label]),
            )
    axis.set_ylim(0, 1)
    axis.set_xlabel("epoch" if epochs else "epoch, or step")
    axis.set_ylabel("σ(l)")
    axis.locator_params(axis="x", integer=True)
    legend_below(
        figure,
        [Line2D([], [], **line_look(looks[label])) for label in of_dataset],
        [source.run_scores.names.row(label) for label in of_dataset],
    )
    profiles = ", ".join(
        dict.fromkeys(cell.profile for cells in of_dataset.values() for cell, _, _ in cells)
    )
    kept = {
        source.run.files_of(cell).steps.is_file()
        for cells in of_dataset.values()
        for cell, _, _ in cells
    }
    points = {
        True: "at single steps of the training, as steps.csv has it",
        False: "the mean over the samples of each epoch, as training.csv has it",
    }
    several = any(len(cells) > 1 for cells in of_dataset.values())
    return Drawn(
        f"sigma-{slug(dataset)}",
        dataset,
        figure,
        f"The weight σ(l) of the pseudo-anomalies over training on {source.run_scores.names.heading(dataset)}: {', or '.join(points[one] for one in sorted(kept, reverse=True))}; "
        "0 is no anomaly, 1 an opaque one; training begins at 0.5."
        + (" One line a seed, or a scene with a model of its own." if several else "")
        + f" Profile: {profiles}.",
    )
