"""What distinction learning trains with and what comes of it: Figures 3 and 4 of the DDL paper,
from kept weights and a training clip.

What the network makes of the window is computed elsewhere
(`bench.applying.pseudo_anomaly_example`), where the dataset and torch are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.figures.reconstructions import proportions
from bench.figures.style import DOUBLE, ERRORS, Drawn, new_figure, slug
from bench.planning.commands import keep_commands
from bench.plugins.display_names import plain
from bench.runs.records import CellRecord
from bench.runs.status import Status

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bench.tables.kinds import Source

SIGMAS = (0.05, 0.95)
"""Near 0 and near 1, beside the learned weight. Chosen here."""


@dataclass(frozen=True)
class Distinction:
    """The scored frame of one training window, and of its pseudo-anomalous form; images are (H,
    W) or (H, W, 3) uint8.

    `blends` are the frame at each of `SIGMAS`, `pseudo_anomaly` is it at `sigma`, that of the
    training's end; `residuals` are (H, W) float32, root mean square over channels, as a share of
    the value range, by the two images that they compare.
    """

    clip: str
    frame: int
    sigma: float
    learned: bool
    blends: tuple[np.ndarray, ...]
    normal: np.ndarray
    pseudo_anomaly: np.ndarray
    of_normal: np.ndarray
    of_pseudo_anomaly: np.ndarray
    residuals: dict[str, np.ndarray]
    notes: list[str] = field(default_factory=list)


Remake = Callable[[CellRecord], Distinction]
"""Makes the images of a cell anew, with the weights that it kept."""

RULE = "The window is the first with an object from the middle of the middle training clip on"


def weights_at_three(source: Source, remake: Remake) -> Iterator[Drawn]:
    """Yield one figure a cell: the frame with a pseudo-anomaly of a weight near 0, of the cell's
    own, and near 1 (Figure 3).
    """
    for cell in _cells(source):
        made = remake(cell)
        word = "learned" if made.learned else "static"
        images = {"X": made.normal, f"σ = {SIGMAS[0]:g}": made.blends[0]}
        images |= {
            f"σ = {made.sigma:.3f}, {word}": made.pseudo_anomaly,
            f"σ = {SIGMAS[1]:g}": made.blends[1],
        }
        figure, axes, _ = _canvas(source, cell, 1, len(images), made.normal)
        for axis, (title, image) in zip(axes[0], images.items()):
            _show(axis, image)
            axis.set_title(title, pad=3)
        yield Drawn(
            f"pseudo-anomaly-{slug(cell.label, cell.dataset)}",
            cell.dataset,
            figure,
            f"A training frame of {plain(cell.dataset_display_name)} and its pseudo-anomaly at three weights σ: near 0, {word} by {plain(cell.display_name)}, near 1. {_where(cell, made)}",
        )


def restorations(source: Source, remake: Remake) -> Iterator[Drawn]:
    """Yield one figure a cell: X, X_A, f(X), f(X_A), and what differs between them (Figure 4)."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    for cell in _cells(source):
        made = remake(cell)
        images = {
            "X": made.normal,
            "X_A": made.pseudo_anomaly,
            "f(X)": made.of_normal,
            "f(X_A)": made.of_pseudo_anomaly,
        }
        figure, axes, scale = _canvas(source, cell, 2, len(images), made.normal, made.residuals)
        for axis, (title, image) in zip(axes[0], images.items()):
            _show(axis, image)
            axis.set_title(title.replace("_A", "ₐ"), pad=3)
        for axis, (title, residual) in zip(axes[1], made.residuals.items()):
            _show(axis, residual, cmap=ERRORS, vmin=0, vmax=scale)
            axis.set_title(title.replace("_A", "ₐ"), pad=3)
        bar = figure.colorbar(
            ScalarMappable(Normalize(0, scale), ERRORS), ax=axes[1, -1], fraction=0.08, aspect=20
        )
        bar.outline.set_visible(False)
        bar.ax.locator_params(nbins=5)
        yield Drawn(
            f"restoration-{slug(cell.label, cell.dataset)}",
            cell.dataset,
            figure,
            f"What {plain(cell.display_name)} makes of a training frame X of {plain(cell.dataset_display_name)} and of its pseudo-anomalous form Xₐ (σ = {made.sigma:.3f}): outputs f, and "
            f"residuals, the root mean square over channels as a share of the value range, on one scale. {_where(cell, made)}",
        )


def absent(source: Source) -> str:
    """Return why there is no such figure, and the command that would make one possible."""
    cells = [
        cell
        for cell in source.run_scores.cells
        if cell.status == Status.DONE and _distinguishes(cell)
    ]
    if not cells:
        return "no finished network of the run was trained with distinction: those of the group ddl are, but for the plain ones"
    first = list({(cell.dataset, cell.label): cell for cell in reversed(cells)}.values())[::-1]
    return "no weights were kept; this trains again and keeps them: " + "; ".join(
        f"`{line}`" for line in keep_commands(source.run, first, "weights")
    )


def _cells(source: Source) -> list[CellRecord]:
    """Return, of each row and dataset, the first cell that kept its weights."""
    kept = [
        cell
        for cell in source.run_scores.cells
        if cell.status == Status.DONE
        and _distinguishes(cell)
        and source.run.files_of(cell).weights.is_file()
    ]
    return list({(cell.dataset, cell.label): cell for cell in reversed(kept)}.values())[::-1]


def _distinguishes(cell: CellRecord) -> bool:
    return (
        cell.parameters.get("pseudo", "none") != "none"
        and cell.parameters.get("pseudo_loss") == "distinction"
    )


def _where(cell: CellRecord, made: Distinction) -> str:
    notes = "".join(f" Note: {note}." for note in made.notes)
    return f"Clip {made.clip}, frame {made.frame}; seed {cell.seed}, profile {cell.profile}. {RULE}; the noise is drawn with the cell's seed.{notes}"


def _canvas(
    source: Source,
    cell: CellRecord,
    lines: int,
    columns: int,
    image: np.ndarray,
    residuals: dict[str, np.ndarray] | None = None,
) -> tuple[Figure, Any, float]:
    """Return figure, axes (lines, columns), and the scale of the residuals."""
    ratio = proportions(source, cell.dataset) or image.shape[0] / image.shape[1]
    width = (DOUBLE - (0.6 if residuals else 0)) / columns
    figure = new_figure(DOUBLE, (width * ratio + 0.28) * lines)
    axes = figure.subplots(lines, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[:].set_visible(False)
        axis.set_box_aspect(ratio)
    scale = (
        max((float(residual.max()) for residual in (residuals or {}).values()), default=1.0) or 1.0
    )
    return figure, axes, scale


def _show(axis: Any, image: np.ndarray, **more: Any) -> None:
    gray = {"cmap": "gray", "vmin": 0, "vmax": 255} if image.ndim == 2 and not more else {}
    axis.imshow(image, aspect="auto", **gray, **more)
