"""Scores along each clip, the truth shaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from bench.figures.shown_rows import Row, choose, datasets_of, facts, processed, rows_of
from bench.figures.style import (
    DOUBLE,
    TRUTH,
    Drawn,
    legend_below,
    line_look,
    new_figure,
    slug,
    spans,
    wrapped,
)
from bench.wording import counted

if TYPE_CHECKING:
    from bench.tables.kinds import Source

METHODS = 4
"""Lines that can be told apart in a small panel. Chosen here."""
CLIPS = 24
"""Panels of a page. Chosen here: all of Ped2 and Avenue."""
COLUMNS = 3


def timelines(source: Source) -> Iterator[Drawn]:
    """Yield one figure a dataset: a panel a clip, a line a method."""
    for dataset in datasets_of(source):
        rows, rule = choose(rows_of(source, dataset), METHODS)
        yield _draw(source, dataset, rows, rule)


def _draw(source: Source, dataset: str, rows: list[Row], rule: str) -> Drawn:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    record = source.run_scores.dataset(rows[0].cells[0])
    assert record is not None
    places = range(len(record.clips))
    if len(places) > CLIPS:
        places = np.linspace(0, len(places) - 1, CLIPS).round().astype(int).tolist()
    shown = [record.clips[place][0] for place in places]
    clips = {
        row.label: {clip.id: clip for clip in processed(source, row, row.seeds[0])} for row in rows
    }
    labels = {clip.id: clip.labels for of_row in clips.values() for clip in of_row.values()}
    down = -(-len(shown) // COLUMNS)
    across = min(COLUMNS, len(shown))
    figure = new_figure(DOUBLE, 0.8 * down + 0.15)
    axes = figure.subplots(down, across, squeeze=False, sharey=True)
    for axis, clip_id in zip(axes.flat, shown):
        of_clip = labels.get(clip_id)
        axis.set_title(wrapped(clip_id, 40) + _class(of_clip), loc="left", pad=2)
        if of_clip is None:
            axis.text(0.5, 0.5, "no score", transform=axis.transAxes, ha="center", va="center")
            axis.set_xticks([])
            continue
        axis.broken_barh(
            spans(of_clip),
            (0, 1),
            transform=axis.get_xaxis_transform(),
            facecolor=TRUTH,
            alpha=0.35,
            linewidth=0,
        )
        for row in rows:
            if (clip := clips[row.label].get(clip_id)) is None or not len(clip.scores):
                continue
            line = np.full(len(of_clip), np.nan)
            line[clip.frames] = (
                clip.scores
                if source.protocol.normalise == "clip"
                else _scaled(clip.scores, clips[row.label].values())
            )
            axis.plot(line, linewidth=0.8, **line_look(row.look))
        axis.set_xlim(0, max(1, len(of_clip) - 1))
        axis.set_ylim(-0.04, 1.04)
        axis.set_yticks([0, 1])
        axis.locator_params(axis="x", nbins=4, integer=True)
    for axis in axes.flat[len(shown) :]:
        axis.set_axis_off()
    for axis in axes.flat[max(0, len(shown) - across) : len(shown)]:
        axis.set_xlabel("frame", labelpad=1)
    for axis in axes[:, 0]:
        axis.set_ylabel("score", labelpad=1)
    handles = [
        *(Line2D([], [], **line_look(row.look)) for row in rows),
        Patch(facecolor=TRUTH, alpha=0.35),
    ]
    legend_below(figure, handles, [*(row.text for row in rows), "anomalous"])
    total = len(record.clips)
    which = (
        f"All {counted(total, 'test clip')}"
        if len(shown) == total
        else f"{len(shown)} of {total} test clips, evenly spread over their order"
    )
    seeds = (
        " Lines are those of the first seed, numbers the mean over seeds."
        if any(len(row.seeds) > 1 for row in rows)
        else ""
    )
    scale = (
        ""
        if source.protocol.normalise == "clip"
        else " The protocol does not normalise: each method is drawn from its lowest to its highest score over all clips."
    )
    return Drawn(
        f"timelines-{slug(dataset)}",
        dataset,
        figure,
        f"Scores along the test clips of {source.run_scores.names.heading(dataset)}; anomalous frames are shaded. {which}. {rule}.{seeds}{scale} {facts(source, rows)}",
    )


def _class(labels: np.ndarray | None) -> str:
    """Return a remark on a clip of one class."""
    if labels is None or 0 < labels.sum() < len(labels):
        return ""
    return " (all anomalous)" if labels.any() else " (all normal)"


def _scaled(scores: np.ndarray, clips: object) -> np.ndarray:
    everything = np.concatenate([clip.scores for clip in clips])  # type: ignore[attr-defined]
    low, high = everything.min(), everything.max()
    return (scores - low) / (high - low) if high > low else np.zeros_like(scores)
