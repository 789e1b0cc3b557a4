"""Figures for a paper, as PDF and PNG, each with a text that says what is shown and by which rule
it was chosen.

Made from the run's folder alone. matplotlib is imported when a figure is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import (
    anomaly_weight,
    cost_scatter,
    distinction,
    protocol_heatmap,
    rank_intervals,
    reconstructions,
    roc_curves,
    timelines,
)
from bench.figures.distinction import Remake
from bench.figures.style import Drawn, encoded, styled
from bench.files.whole_files import write_bytes, write_text

if TYPE_CHECKING:
    from bench.tables.kinds import Source


@dataclass(frozen=True)
class Kind:
    """One kind of figure."""

    about: str
    draw: Callable[[Source], Iterator[Drawn]] | None = None
    absent: Callable[[Source], str] = lambda source: "no cell has a number"
    """Why a run has none, and what would make one."""
    remade: Callable[[Source, Remake], Iterator[Drawn]] | None = None
    """Instead of `draw`: draws what has to be computed again with kept weights and the dataset."""


KINDS = {
    "timelines": Kind("scores along each clip, the truth shaded", timelines.timelines),
    "roc": Kind("ROC curves of all frames", roc_curves.curves),
    "qualitative": Kind(
        "frames, reconstructions and errors without and with distinction; from kept images",
        reconstructions.strips,
        reconstructions.absent,
    ),
    "sigma": Kind(
        "the weight of pseudo-anomalies over training",
        anomaly_weight.weights,
        lambda source: anomaly_weight.ABSENT,
    ),
    "pseudo-anomaly": Kind(
        "a training frame and its pseudo-anomaly at three weights; from kept weights and the dataset",
        remade=distinction.weights_at_three,
        absent=distinction.absent,
    ),
    "restoration": Kind(
        "a training frame, its pseudo-anomaly, what the network makes of both, and residuals; from kept weights and the dataset",
        remade=distinction.restorations,
        absent=distinction.absent,
    ),
    "protocols": Kind(
        "every method under every protocol, a colour for each number", protocol_heatmap.heatmaps
    ),
    "ranks": Kind(
        "the rank of every method with its interval over clips",
        rank_intervals.intervals_of_ranks,
        lambda source: rank_intervals.ABSENT,
    ),
    "cost": Kind(
        "the number against time of fitting and parameters",
        cost_scatter.clouds,
        lambda source: cost_scatter.ABSENT,
    ),
}
"""Every kind of figure, by the name that `--figure` takes, in the order of the report."""

OF_THE_RUN = tuple(name for name, kind in KINDS.items() if kind.draw is not None)
"""Those that need nothing but the run's folder: what a report without a name has."""


def write_figures(
    source: Source, names: Sequence[str], folder: Path, remake: Remake | None = None
) -> tuple[list[Path], list[str]]:
    """Write figures as PDF and PNG, and beside each a text that says in words what it shows. Equal
    scores give equal bytes.

    Parameters
    ----------
    remake : what makes the images of a cell anew, for figures that need the dataset and kept
        weights.

    Returns the paths, and a sentence for each kind that this run has none of.
    """
    written: list[Path] = []
    missing = []
    taken: set[str] = set()
    for name in names:
        found = False
        with styled():
            kind = KINDS[name]
            if kind.draw is not None:
                figures = kind.draw(source)
            else:
                assert kind.remade is not None and remake is not None, (
                    f"the figure {name} needs what makes the images of a cell anew"
                )
                figures = kind.remade(source, remake)
            for drawn in figures:
                found = True
                stem, number = drawn.name, 1
                while stem in taken:  # names that differ in what a file name cannot hold
                    number += 1
                    stem = f"{drawn.name}-{number}"
                taken.add(stem)
                for form, content in encoded(drawn.figure).items():
                    write_bytes(folder / f"{stem}.{form}", content)
                    written.append(folder / f"{stem}.{form}")
                write_text(folder / f"{stem}.txt", drawn.caption + "\n")
                written.append(folder / f"{stem}.txt")
        if not found:
            missing.append(f"{name}: {KINDS[name].absent(source)}")
    return written, missing
