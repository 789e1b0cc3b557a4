"""The number against what it costs: time of fitting, parameters."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.figures.shown_rows import Row, datasets_of, facts, rows_of
from bench.figures.style import DOUBLE, Drawn, new_figure, point_look, shortened, slug
from bench.runs.records import CellRecord
from bench.tables.secondary.speed_table import seconds_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bench.tables.kinds import Source

LEAST = 0.1
"""Seconds: what fits in less is drawn there, since a logarithmic axis has no 0. Chosen here."""
LETTERS = 28
"""Of a name beside its point; longer ones are cut in the middle."""
DISTANCES = (5, 9, 14, 20, 28, 38, 50, 64, 80)
"""Points from the mark to its name, tried from the nearest."""
ANGLES = (0, 180, 30, -30, 150, -150, 60, -60, 120, -120, 90, -90)
"""Degrees, tried in this order."""
NEAR = 6
"""Points from a mark to its name up to which no line leads to it."""
Box = tuple[float, float, float, float]


def seconds(cells: Sequence[CellRecord]) -> float | None:
    """Return the seconds of fitting of a seed, as drawn; of all scenes' own models together."""
    found = seconds_of(cells, "fit")
    return None if found is None else max(LEAST, found)


def parameters(cells: Sequence[CellRecord]) -> float | None:
    """Return the parameters of the network."""
    return cells[0].cost.get("parameters") or None


Measure = Callable[[Sequence[CellRecord]], float | None]
MEASURES: dict[str, Measure] = {
    "seconds of fitting": seconds,
    "parameters": parameters,
}


ABSENT = "no cell with a number has its time of fitting or its parameters on record"


def clouds(source: Source) -> Iterator[Drawn]:
    """Yield one figure a dataset: a panel a measure, a point a method."""
    for dataset in datasets_of(source):
        rows = rows_of(source, dataset)
        measured = {
            name: found for name, measure in MEASURES.items() if (found := points(rows, measure))
        }
        if measured:
            yield _draw(source, dataset, rows, measured)


def points(rows: Sequence[Row], measure: Measure) -> list[tuple[Row, float]]:
    """Return what each row costs: the mean over its seeds, as in the table of speed; rows of which
    a seed was not measured are left out.
    """
    found = []
    for row in rows:
        values = [value for seed in row.seeds if (value := measure(row.seed(seed))) is not None]
        if values and len(values) == len(row.seeds):
            found.append((row, statistics.fmean(values)))
    return found


def _draw(
    source: Source, dataset: str, rows: Sequence[Row], measured: dict[str, list[tuple[Row, float]]]
) -> Drawn:
    from matplotlib.ticker import LogLocator

    height = 2.4 + 0.05 * len(rows)
    figure = new_figure(DOUBLE, height, layout=None)
    figure.subplots_adjust(left=0.065, right=0.99, top=0.98, bottom=0.38 / height, wspace=0.12)
    axes = figure.subplots(1, len(measured), squeeze=False, sharey=True)[0]
    values = [row.value for row in rows]
    margin = max(2.0, 0.08 * (max(values) - min(values)))
    for axis, (name, found) in zip(axes, measured.items()):
        axis.set_xscale("log")
        costs = [cost for _, cost in found]
        spread = max(1.7, (max(costs) / min(costs)) ** 0.12)
        axis.set_xlim(min(costs) / spread, max(costs) * spread)
        axis.set_ylim(min(values) - margin, max(values) + margin)
        if max(costs) / min(costs) < 30:  # too few powers of ten for an axis
            axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(lambda value, _: _plain(value))
        axis.xaxis.set_minor_formatter(lambda value, _: "")
        axis.set_xlabel(name)
        for row, cost in found:
            axis.plot(cost, row.value, markersize=4, linestyle="", **point_look(row.look))
        _name_points(axis, [(shortened(row.name, LETTERS), cost, row.value) for row, cost in found])
    better = "" if source.metric.higher_is_better else ", lower is better"
    axes[0].set_ylabel(f"{source.metric.title.removeprefix('Frame-level ')} / %{better}")
    left_out = {
        name: [row.name for row in rows if row not in [other for other, _ in found]]
        for name, found in measured.items()
    }
    missing = "".join(
        f" Without {name}: {', '.join(labels)}." for name, labels in left_out.items() if labels
    )
    return Drawn(
        f"cost-{slug(dataset)}",
        dataset,
        figure,
        f"What a number costs on {source.run_scores.names.heading(dataset)}: {' and '.join(measured)}, on logarithmic axes; means over seeds, as measured while other work may "
        f"have gone on. All methods with a number are shown; fitting of less than {LEAST:g} s is drawn at {LEAST:g} s.{missing} "
        f"{facts(source, rows)}",
    )


def _plain(value: float) -> str:
    """Return a number of a logarithmic axis without powers: 0.1, 100, 20k, 1M."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:g}{letter}"
    return f"{value:g}"


def _name_points(axis: Axes, names: Sequence[tuple[str, float, float]]) -> None:
    """Write a name beside each point where it covers neither points nor names, and is nearer to its
    own point than to others; one that had to go far away is led to by a line.
    """
    places = axis.transData.transform([(x, y) for _, x, y in names])
    marks: list[Box] = [(x - 2.5, y - 2.5, x + 2.5, y + 2.5) for x, y in places]
    frame = axis.get_window_extent()
    taken: list[Box] = []
    for (name, x, y), (left, bottom) in zip(names, places):
        text = axis.annotate(
            name, (x, y), (0, 0), textcoords="offset points", fontsize=6, ha="center", va="center"
        )
        extent = text.get_window_extent()
        wide, high = extent.width / 2 + 1, extent.height / 2

        def cost(
            offset: tuple[float, float],
            left: float = left,
            bottom: float = bottom,
            wide: float = wide,
            high: float = high,
        ) -> float:
            across, up = left + offset[0], bottom + offset[1]
            box = (across - wide, up - high, across + wide, up + high)
            outside = (
                max(0, frame.x0 - box[0])
                + max(0, box[2] - frame.x1)
                + max(0, frame.y0 - box[1])
                + max(0, box[3] - frame.y1)
            )
            own = _distance(box, left, bottom)
            others = sum(
                _distance(box, *place) < own for place in places if tuple(place) != (left, bottom)
            )
            return (
                sum(shared_area(box, other) for other in (*taken, *marks))
                + 100 * outside
                + 20 * others
            )

        offsets = [
            (
                float(np.cos(np.radians(angle)) * (distance + wide)),
                float(np.sin(np.radians(angle)) * (distance + high)),
            )
            for distance, angle in itertools.product(DISTANCES, ANGLES)
        ]
        across, up = min(offsets, key=cost)  # of equal ones the first: the nearest
        text.set_position((across, up))
        taken.append(
            (left + across - wide, bottom + up - high, left + across + wide, bottom + up + high)
        )
        if _distance(taken[-1], left, bottom) > NEAR:
            end = (
                left + np.clip(0, across - wide, across + wide),
                bottom + np.clip(0, up - high, up + high),
            )
            ends = axis.transData.inverted().transform([(left, bottom), end])
            axis.plot(*ends.T, color="0.6", linewidth=0.4, zorder=0.5)


def _distance(box: Box, x: float, y: float) -> float:
    """Return how far a point is from a box; 0 inside."""
    return float(np.hypot(max(box[0] - x, 0, x - box[2]), max(box[1] - y, 0, y - box[3])))


def shared_area(box: Box, other: Box) -> float:
    """Return the area that two (left, bottom, right, top) boxes share."""
    return max(0.0, min(box[2], other[2]) - max(box[0], other[0])) * max(
        0.0, min(box[3], other[3]) - max(box[1], other[1])
    )
