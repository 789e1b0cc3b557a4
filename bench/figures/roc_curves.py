"""ROC curves of all pooled frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.figures.shown_rows import Row, choose, datasets_of, facts, pooled, processed, rows_of
from bench.figures.style import SINGLE, Drawn, legend_below, line_look, new_figure, slug
from bench.scoring.metrics import roc

if TYPE_CHECKING:
    from bench.tables.kinds import Source

METHODS = 12
"""Curves that can be told apart. Chosen here."""


def curves(source: Source) -> Iterator[Drawn]:
    """Yield one figure a dataset: a curve a method."""
    for dataset in datasets_of(source):
        rows, rule = choose(rows_of(source, dataset), METHODS)
        yield _draw(source, dataset, rows, rule)


def _draw(source: Source, dataset: str, rows: Sequence[Row], rule: str) -> Drawn:
    from matplotlib.lines import Line2D

    figure = new_figure(SINGLE, SINGLE)
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color="0.7", linewidth=0.6)
    for row in reversed(rows):  # the best on top
        axis.plot(*curve_of(source, row), **line_look(row.look))
    axis.set_aspect("equal")
    axis.set_xlim(-0.01, 1.01)
    axis.set_ylim(-0.01, 1.01)
    axis.set_xlabel("false positive rate")
    axis.set_ylabel("true positive rate")
    legend_below(
        figure, [Line2D([], [], **line_look(row.look)) for row in rows], [row.text for row in rows]
    )
    seeds = (
        " Several seeds: the mean of their curves at each false positive rate."
        if any(len(row.seeds) > 1 for row in rows)
        else ""
    )
    record = source.run_scores.dataset(rows[0].cells[0])
    assert record is not None
    otherwise = source.protocol.pool.startswith("macro") or (
        source.protocol.pool.startswith("scene") and record.has_scenes
    )
    area = (
        ""
        if source.metric.name == "auc" and not otherwise
        else " The curves pool the frames of all clips: the number is not the area below its curve."
    )
    return Drawn(
        f"roc-{slug(dataset)}",
        dataset,
        figure,
        f"ROC curves on {source.run_scores.names.heading(dataset)}, frame by frame; the gray line is chance. {rule}.{seeds}{area} {facts(source, rows)}",
    )


def curve_of(source: Source, row: Row) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rate of a row, the mean over its seeds."""
    found = [roc(*pooled(processed(source, row, seed))) for seed in row.seeds]
    return mean_curve(found)


def mean_curve(found: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of ROC curves at each false positive rate; its area is the mean of their
    areas.

    At a rate where a curve rises it has two values, below and above: both are kept.
    """
    if len(found) == 1:
        return found[0]
    rates = np.unique(np.concatenate([false for false, _ in found]))
    below, above = np.zeros((2, len(rates)))
    for false, true in found:
        between = np.interp(rates, false, true)
        first, last = (
            np.searchsorted(false, rates, "left"),
            np.searchsorted(false, rates, "right") - 1,
        )
        known = false[np.minimum(first, len(false) - 1)] == rates
        below += np.where(known, true[np.minimum(first, len(true) - 1)], between)
        above += np.where(known, true[last], between)
    return np.repeat(rates, 2), np.stack([below, above], axis=1).reshape(-1) / len(found)
