"""How much the protocol decides, as a picture: every method under every protocol."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from bench.figures.style import DOUBLE, Drawn, new_figure, slug, wrapped
from bench.scoring.protocols import sentence
from bench.tables.comparison import METRICS, Comparison
from bench.tables.sensitivity import protocols_of, sensitivity

if TYPE_CHECKING:
    from bench.tables.report import Source

COLOURS = "crest"
"""Of seaborn: its lightness never rises, so that it reads in gray."""
LETTERS = 34
"""Of a name on one line."""


def heatmaps(source: Source) -> Iterator[Drawn]:
    """Yield one figure a dataset and label set: rows and numbers of the table `protocols`, and a
    colour for each number.
    """
    tables = sensitivity(
        source.run, source.registry, source.protocol, source.metric, source.evidence
    )
    for (dataset, label_set), table in tables.items():
        yield _draw(source, dataset, label_set, table)


def _draw(source: Source, dataset: str, label_set: str, table: Comparison) -> Drawn:
    import seaborn

    lines = [line for _, group in table.groups() for line in group]
    numbers = np.array([[float(entry.mean or "nan") for entry in line.entries] for line in lines])
    names = [wrapped(line.label, LETTERS) for line in lines]
    columns = [_column(name) for name in table.columns]
    figure = new_figure(DOUBLE, 0.7 + 0.15 * sum(name.count("\n") + 1 for name in names))
    axis = figure.subplots()
    metric = METRICS.get(source.metric.name, source.metric.name)
    seaborn.heatmap(
        numbers,
        ax=axis,
        cmap=COLOURS if source.metric.higher_is_better else f"{COLOURS}_r",
        annot=np.array([[entry.mean for entry in line.entries] for line in lines]),
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
            for cell in source.evidence.cells
            if cell.dataset == dataset and cell.profile
        )
    )
    best = [entry.rank == 1 for line in lines for entry in line.entries if entry.mean]
    for text, is_best in zip(axis.texts, best, strict=True):
        text.set_fontweight("bold" if is_best else "normal")
    axis.tick_params(axis="x", rotation=0, length=0)
    axis.tick_params(axis="y", rotation=0, length=0)
    return Drawn(
        f"protocols-{slug(dataset, label_set)}",
        figure,
        f"{metric} in percent of every method under every protocol on {dataset}, labels {label_set}. The better, the darker; the best of each "
        "protocol is bold, trivial methods aside. "
        + ("Blank where there is no number. " if np.isnan(numbers).any() else "")
        + " ".join(
            f"{one.name}: {sentence(one)}."
            for one in protocols_of(source.registry, source.protocol)
        )
        + f" Profile: {profiles}."
        + "".join(f" {note}." for note in table.notes),
    )


def _column(name: str) -> str:
    """Return the name of a protocol on lines as wide as a number's place: minmax-, median17."""
    pieces = re.sub(r"(?<=[=,-])|(?=\[)", " ", name)
    return "\n".join(line.replace(" ", "") for line in textwrap.wrap(pieces, 11))
