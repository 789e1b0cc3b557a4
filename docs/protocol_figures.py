"""Draws the figures of protocols.md from real scores: `python docs/protocol_figures.py DATA`.

DATA holds scores/memae/{ped2,avenue}.npz, scores of a MemAE for each frame as
github.com/lyn1874/memAE publishes them, and the datasets' labels. Scores and 0/1 labels alone are
shown, no frame. `numbers` gives what the page and the figures say.
"""

import sys
from pathlib import Path

import matplotlib
import numpy as np
from bench.datasets import Avenue, Ped2

import bench
from bench.plugins.registry import load
from bench.scoring.protocols import process

FIGURES = Path(__file__).parent / "figures"
FIRST = 8
"""Frame of the first score: each is the error of a window of 16 frames, and stands for its frame
8."""
ROWS = ("raw", "minmax", "median17", "minmax-median17")
SHADE, LINE = "#d9534f", "#1f4e79"

Scores = dict[str, np.ndarray]


def read(data: Path, name: str, label_set: str | None = None) -> tuple[Scores, Scores]:
    """Return the scores of a dataset, and the labels of all its frames, by clip."""
    dataset = {"ped2": Ped2, "avenue": Avenue}[name]()
    dataset.locate([data])
    with np.load(data / "scores" / "memae" / f"{name}.npz") as file:
        scores = {clip.id: file[clip.id] for clip in dataset.clips("test")}
    return scores, {clip.id: dataset.labels(clip, label_set) for clip in dataset.clips("test")}


def numbers(data: Path) -> dict[str, dict[str, float]]:
    """Return 'ped2', 'avenue (mat)' and 'avenue (pixel)' -> protocol -> AUC in percent."""
    found = {}
    for name, label_set in (("ped2", None), ("avenue", "mat"), ("avenue", "pixel")):
        scores, labels = read(data, name, label_set)
        column = f"{name} ({label_set})" if label_set else name
        protocols = [*load().protocols, "median17[edge=zero]"]
        found[column] = {
            protocol: 100 * bench.score(scores, labels, protocol, frames=FIRST)
            for protocol in protocols
        }
    return found


def shade(axes, labels: np.ndarray, first: int) -> None:
    """Shade the anomalous frames."""
    edges = np.flatnonzero(np.diff(labels.astype(int), prepend=0, append=0))
    for begin, end in zip(edges[::2], edges[1::2]):
        axes.axvspan(first + begin - 0.5, first + end - 0.5, color=SHADE, alpha=0.22, linewidth=0)


def draw_clips(plt, scores: Scores, labels: Scores, auc: dict[str, float]):
    """Draw all clips behind each other, one row a protocol."""
    figure, rows = plt.subplots(len(ROWS), 1, figsize=(7.2, 6.4), sharex=True)
    words = {"raw": "as they are", "minmax": "min-max in each clip", "median17": "median of 17 frames, then min-max",
             "minmax-median17": "min-max, then median of 17 frames"}  # fmt: skip
    for axes, name in zip(rows, ROWS):
        start = 0
        for clip, values in scores.items():
            shown = process(values, load().protocols[name])
            frames = start + np.arange(len(values))
            shade(axes, labels[clip][FIRST : FIRST + len(values)], start)
            axes.plot(frames, shown, color=LINE, linewidth=0.9)
            start += len(values)
            axes.axvline(start, color="0.6", linewidth=0.5)
        axes.set_title(f"{name}: {words[name]}; AUC {auc[name]:.1f} %", loc="left", fontsize=9)
        axes.margins(x=0)
        axes.tick_params(labelsize=7)
    rows[-1].set_xlabel(
        "scored frames of the 12 test clips of Ped2, one clip after the other; shaded: anomalous",
        fontsize=8,
    )
    return figure


def draw_numbers(plt, found: dict[str, dict[str, float]]):
    """Draw the AUC of each dataset under each protocol."""
    figure, axes = plt.subplots(figsize=(7.2, 2.6))
    names = list(load().protocols)
    for row, auc in enumerate(found.values()):
        values = [auc[name] for name in names]
        axes.plot(
            [min(values), max(values)],
            [row, row],
            color="0.75",
            linewidth=4,
            solid_capstyle="round",
            zorder=1,
        )
        axes.scatter(values, [row] * len(values), color=LINE, s=18, zorder=2)
        axes.annotate(
            f"{min(values):.1f}",
            (min(values), row),
            (0, 7),
            textcoords="offset points",
            fontsize=8,
            ha="center",
        )
        axes.annotate(
            f"{max(values):.1f}",
            (max(values), row),
            (0, 7),
            textcoords="offset points",
            fontsize=8,
            ha="center",
        )
    axes.set_yticks(range(len(found)), list(found), fontsize=8)
    axes.set_ylim(-0.5, len(found) - 0.4)
    axes.tick_params(labelsize=8)
    axes.set_xlabel("AUC in percent of the same scores; a dot is a protocol", fontsize=8)
    return figure


def main(data: Path, folder: Path = FIGURES) -> None:
    """Write the figures; the same scores give the same bytes."""
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False}
    scores, labels = read(data, "ped2")
    found = numbers(data)
    figures = {
        "protocols-clips": draw_clips(plt, scores, labels, found["ped2"]),
        "protocols-numbers": draw_numbers(plt, found),
    }
    folder.mkdir(exist_ok=True)
    for name, figure in figures.items():
        figure.tight_layout()
        figure.savefig(folder / f"{name}.png", dpi=140, metadata={"Software": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
