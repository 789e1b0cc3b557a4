"""What the clips resolve of a ranking, as a figure: the interval of every row's rank."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench.evaluation.columns import MOST, ranking
from bench.evaluation.summaries import shown_summaries
from bench.figures.shown_rows import facts, looks_of, rows_of
from bench.figures.style import SINGLE, Drawn, new_figure, point_look, shortened, slug
from bench.scoring.ranks import Ranking
from bench.tables.secondary.rank_table import contenders_of, resolution

if TYPE_CHECKING:
    from bench.tables.kinds import Source

ABSENT = (
    f"the figure of ranks needs AUC and 2 to {MOST} methods with a number, trivial ones not counted"
)
LETTERS = 28
"""Of a name beside its line; longer ones are cut in the middle."""


def intervals_of_ranks(source: Source) -> Iterator[Drawn]:
    """Yield one figure a dataset: a line a method, the best at the top, from the best to the worst
    rank that the clips allow, and a point at its rank.
    """
    shown = shown_summaries(source.run_scores, source.protocol, source.metric)
    for dataset, contenders in contenders_of(shown).items():
        found = ranking(source.run_scores, contenders, source.metric)
        if found is not None:
            yield _draw(source, dataset, found)


def _draw(source: Source, dataset: str, found: Ranking) -> Drawn:
    from matplotlib.ticker import MaxNLocator

    count, column = len(found.ranks), source.run_scores.names.heading(dataset)
    looks = looks_of(source)
    figure = new_figure(SINGLE, 0.7 + 0.145 * count)
    axis = figure.subplots()
    for place, (row, known) in enumerate(found.ranks.items(), 1):
        look = point_look(looks[row])
        axis.plot([known.low, known.high], [place, place], color=look["color"], linewidth=1.2)
        axis.plot(place, place, markersize=3.5, linestyle="", **look)
    names = source.run_scores.names
    axis.set_yticks(
        range(1, count + 1), [shortened(names.row(row), LETTERS) for row in found.ranks]
    )
    axis.set_ylim(count + 0.6, 0.4)
    axis.set_xlim(0.5, count + 0.5)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.set_xlabel("rank")
    axis.set_title("first in", loc="right", fontsize="small")
    beside = axis.secondary_yaxis("right")
    beside.set_yticks(
        range(1, count + 1),
        ["" if one.first is None else f"{100 * one.first:.0f} %" for one in found.ranks.values()],
    )
    beside.tick_params(length=0)
    axis.tick_params(axis="y", length=0)
    return Drawn(
        f"ranks-{slug(dataset)}",
        dataset,
        figure,
        f"What the clips resolve of the order on {column}: the rank of each method and its 95 % "
        "interval, as in the table of ranks; on the right, how often it is first in the resamples. "
        f"{resolution(column, found)}. {facts(source, rows_of(source, dataset))}",
    )
