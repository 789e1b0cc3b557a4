"""Figures for a paper, as PDF and PNG, each with a text that says what is shown and by which rule it was chosen.

Made from the run's folder alone. matplotlib is imported when a figure is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...runs.files import write_bytes, write_text
from . import cost, protocols, qualitative, roc, sigma, timelines
from .style import Drawn, encoded, styled

if TYPE_CHECKING:
    from ..report import Source

NO_NUMBER = "no cell has a number"


@dataclass(frozen=True)
class Kind:
    """One kind of figure."""

    about: str
    draw: Callable[[Source], Iterator[Drawn]]
    absent: Callable[[Source], str]
    """Why a run has none, and what would make one."""


KINDS = {
    "timelines": Kind("scores along each clip, the truth shaded", timelines.timelines, lambda source: NO_NUMBER),
    "roc": Kind("ROC curves of all frames", roc.curves, lambda source: NO_NUMBER),
    "qualitative": Kind(
        "frames, reconstructions and errors without and with distinction; from kept images", qualitative.strips, qualitative.absent
    ),
    "sigma": Kind("the weight of pseudo-anomalies over training", sigma.weights, lambda source: sigma.ABSENT),
    "protocols": Kind("every method under every protocol, a colour for each number", protocols.heatmaps, lambda source: NO_NUMBER),
    "cost": Kind("the number against time of fitting and parameters", cost.clouds, lambda source: cost.ABSENT),
}
"""Every kind of figure, by the name that `--figure` takes, in the order of the report."""


def write_figures(source: Source, names: Sequence[str], folder: Path) -> tuple[list[Path], list[str]]:
    """Write figures as PDF and PNG, and beside each a text that says in words what it shows. Equal scores give equal bytes.

    Returns the paths, and a sentence for each kind that this run has none of.
    """
    written: list[Path] = []
    missing = []
    taken: set[str] = set()
    for name in names:
        found = False
        with styled():
            for drawn in KINDS[name].draw(source):
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
