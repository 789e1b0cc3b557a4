"""How much the protocol decides, as a figure: every method under every protocol."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from bench.figures.style import DOUBLE, Drawn, new_figure, slug, wrapped
from bench.tables.secondary.protocol_ranking import protocol_ranking
from bench.tables.table import Table, as_printed

if TYPE_CHECKING:
    from bench.tables.kinds import Source

COLOURS = "crest"
"""Of seaborn: its lightness never rises, so that it reads in gray."""
LETTERS = 34
"""Of a name on one line."""


def heatmaps(source: Source) -> Iterator[Drawn]:
    """Yield one figure a dataset and label set: rows and numbers of the table `protocols`, and a
    colour for each number.
    """
    tables = protocol_ranking(source.run_scores, source.registry, source.protocol, source.metric)
    for (dataset, label_set), table in tables.items():
        yield _draw(source, dataset, label_set, table)


def _draw(source: Source, dataset: str, label_set: str, table: Table) -> Drawn:
    import seaborn

    rows = [row for _, group in table.groups() for row in group]
    numbers = np.array(
        [
            [np.nan if cell.value is None else as_printed(cell.value) for cell in row.cells]
            for row in rows
        ]
    )
    names = [wrapped(table.row_name(row), LETTERS) for row in rows]
    columns = [_column(name) for name in table.columns]
    figure = new_figure(DOUBLE, 0.7 + 0.15 * sum(name.count("\n") + 1 for name in names))
    axis = figure.subplots()
    metric = source.metric.title
    seaborn.heatmap(
        numbers,
        ax=axis,
        cmap=COLOURS if source.metric.higher_is_better else f"{COLOURS}_r",
        annot=np.array([[cell.shown for cell in row.cells] for row in rows]),
        fmt="",
        annot_kws={"fontsize": 6},
        linewidths=0.4,
        xticklabels=columns,
        yticklabels=names,
        cbar_kws={"label": f"{metric.removeprefix('Frame-level ')} / %", "aspect": 40, "pad": 0.01},
    )
    profiles = ", ".join(
        dict.fromkeys(
            cell.profile
            for cell in source.run_scores.cells
            if cell.dataset == dataset and cell.profile
        )
    )
    best = [cell.rank == 1 for row in rows for cell in row.cells if cell.value is not None]
    for text, is_best in zip(axis.texts, best, strict=True):
        text.set_fontweight("bold" if is_best else "normal")
    axis.tick_params(axis="x", rotation=0, length=0)
    axis.tick_params(axis="y", rotation=0, length=0)
    return Drawn(
        f"protocols-{slug(dataset, label_set)}",
        dataset,
        figure,
        f"{metric} in percent of every method under every protocol on {table.names.heading(dataset)}, labels {label_set}. The better, the darker; the best of each "
        "protocol is bold, trivial methods excluded. "
        + ("Blank where there is no number. " if np.isnan(numbers).any() else "")
        + "The table of protocols says what each of them does, and which methods change their "
        f"order. Profile: {profiles}.",
    )


def _column(name: str) -> str:
    """Return the name of a protocol on lines as wide as a number's place: minmax-, median17."""
    pieces = re.sub(r"(?<=[=,-])|(?=\[)", " ", name)
    return "\n".join(line.replace(" ", "") for line in textwrap.wrap(pieces, 11))
