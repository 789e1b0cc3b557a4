"""What a network makes of frames: frame, reconstruction and error of each variant of its training,
side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import RunError
from bench.evaluation.measurements import label_sets_of
from bench.figures.style import DOUBLE, ERRORS, Drawn, new_figure, slug, wrapped
from bench.planning.commands import keep_commands
from bench.runs.layout import IMAGE_PARTS
from bench.runs.records import CellRecord
from bench.runs.status import Status
from bench.tables.secondary.ablation_table import places_of

if TYPE_CHECKING:
    from bench.tables.kinds import Source

ROWS = 4
"""Frames of a strip. Chosen here: with the frame's proportions they fit on half a page."""
ORDER = ("plain", "SDL", "DDL")
"""Of the columns; variants that are not here come after them."""
Kept = Mapping[tuple[str, int], Mapping[str, Path]]
"""The kept images of a (clip, frame), by what they show."""


def strips(source: Source) -> Iterator[Drawn]:
    """Yield one figure a dataset and network that has kept images."""
    networks: dict[tuple[str, str], dict[str, list[CellRecord]]] = {}
    places = places_of(source.run_scores.cells)
    for cell in _members(source):
        network, variant = places[cell.label]
        of_variant = networks.setdefault((cell.dataset, network), {}).setdefault(variant, [])
        if not of_variant or of_variant[0].seed == cell.seed:
            of_variant.append(cell)
    for (dataset, network), variants in networks.items():
        kept = {
            variant: found for variant, cells in variants.items() if (found := _kept(source, cells))
        }
        names = sorted(kept, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
        if names and (
            shown := _choose(source, variants[names[0]][0], [kept[name] for name in names])
        ):
            yield _draw(source, dataset, network, {name: kept[name] for name in names}, *shown)


def absent(source: Source) -> str:
    """Return why there is no strip, and the command that would make one."""
    cells = _members(source)
    if not cells:
        return "no finished method of the run has a place in an ablation, so there is no network without and with its distinction"
    return (
        "no images of anomalous frames were kept; this trains again and keeps them: "
        + "; ".join(f"`{line}`" for line in keep_commands(source.run, cells, "images"))
    )


def _members(source: Source) -> list[CellRecord]:
    return [
        cell for cell in source.run_scores.cells if cell.status == Status.DONE and cell.ablation
    ]


def _kept(source: Source, cells: Sequence[CellRecord]) -> Kept:
    """Return the images of each (clip, frame) that has all of them, by what they show."""
    record = source.run_scores.dataset(cells[0])
    assert record is not None, "a finished cell without its dataset"
    found: dict[tuple[str, int], dict[str, Path]] = {}
    for cell in cells:
        for clip, frame, shown, path in source.run.files_of(cell).kept_images():
            found.setdefault((clip, frame), {})[shown] = path
    order = [clip for clip, _, _ in record.clips]
    whole = [key for key, of in found.items() if key[0] in order and len(of) == len(IMAGE_PARTS)]
    return {key: found[key] for key in sorted(whole, key=lambda key: order.index(key[0]))}


def _choose(
    source: Source, cell: CellRecord, kept: Sequence[Kept]
) -> tuple[list[tuple[str, int]], int, str] | None:
    """Return the frames to show, of how many they are chosen, and by which label set; None where no
    anomalous frame was kept.
    """
    record = source.run_scores.dataset(cell)
    assert record is not None, "a finished cell without its dataset"
    label_set = "".join(label_sets_of(record, source.protocol)[:1])
    if not label_set:
        return None
    labels = record.labels[label_set]
    frames = [
        key
        for key in kept[0]
        if all(key in other for other in kept)
        and key[1] < len(labels[key[0]])
        and labels[key[0]][key[1]]
    ]
    if not frames:
        return None
    count = min(ROWS, len(frames))
    return (
        [frames[int((number + 0.5) * len(frames) / count)] for number in range(count)],
        len(frames),
        label_set,
    )


def _draw(
    source: Source,
    dataset: str,
    network: str,
    kept: Mapping[str, Kept],
    frames: Sequence[tuple[str, int]],
    candidates: int,
    label_set: str,
) -> Drawn:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    first = next(iter(kept.values()))
    images = [
        [
            read_image(first[key]["frame"]),
            *(read_image(of_variant[key]["reconstruction"]) for of_variant in kept.values()),
            *(read_image(of_variant[key]["error"])[..., 0] / 255 for of_variant in kept.values()),
        ]
        for key in frames
    ]
    titles = [
        "frame",
        *(f"reconstruction\n{name}" for name in kept),
        *(f"error\n{name}" for name in kept),
    ]
    known = proportions(source, dataset)
    ratio = known or images[0][0].shape[0] / images[0][0].shape[1]
    width = (DOUBLE - 0.75) / len(titles)
    width = min(width, 1.6)
    figure = new_figure(width * len(titles) + 0.75, (width * ratio + 0.03) * len(frames) + 0.35)
    axes = figure.subplots(len(frames), len(titles), squeeze=False)
    scale = max(image.max() for row in images for image in row[1 + len(kept) :]) or 1.0
    for line, (row, (clip, frame)) in enumerate(zip(images, frames)):
        axes[line, 0].set_ylabel(f"{wrapped(f'clip {clip}', 14)}\nframe {frame}", fontsize=6)
        for column, image in enumerate(row):
            axis = axes[line, column]
            axis.set_xticks([])
            axis.set_yticks([])
            axis.spines[:].set_visible(False)
            aspect = ratio * image.shape[1] / image.shape[0]
            if column > len(kept):
                axis.imshow(image, cmap=ERRORS, vmin=0, vmax=scale, aspect=aspect)
            else:
                axis.imshow(image, aspect=aspect)
            if line == 0:
                axis.set_title(titles[column], pad=3)
    places = places_of(source.run_scores.cells)
    cell = next(
        cell
        for cell in _members(source)
        if (cell.dataset, places[cell.label][0]) == (dataset, network)
    )
    bar = figure.colorbar(
        ScalarMappable(Normalize(0, scale), ERRORS), ax=axes[:, -1], fraction=0.08, aspect=30
    )
    bar.outline.set_visible(False)
    bar.ax.locator_params(nbins=5)
    return Drawn(
        f"qualitative-{slug(dataset, network)}",
        dataset,
        figure,
        f"{network} on {source.run_scores.names.heading(dataset)}: frames, their reconstructions and error maps, by variant of the training ({', '.join(kept)}), "
        f"seed {cell.seed}, profile {cell.profile}. {len(frames)} of the {candidates} anomalous frames whose images were kept for all variants, "
        f"evenly spread over their order (clip, frame); labels {label_set}. Frames are at the size the network sees"
        + (", in the proportions of the video" if known else "")
        + ". All error maps have one scale, from 0 to the largest error shown, as a share of the value range; maps are kept as 8-bit JPEG.",
    )


def read_image(path: Path) -> np.ndarray:
    """Return one kept image, (H, W, 3) uint8 RGB.

    Raises
    ------
    RunError : damaged.
    """
    import cv2

    image = (
        cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        if path.stat().st_size
        else None
    )
    if image is None:
        raise RunError(
            f"{path} is damaged: it cannot be decoded; delete it, and other frames are shown"
        )
    return np.ascontiguousarray(image[..., ::-1])


def proportions(source: Source, dataset: str) -> float | None:
    """Return height / width of a dataset's videos, where they are known: networks see frames that
    were pressed into a square.
    """
    known = source.registry.datasets.get(dataset.partition("[")[0])
    resolution = None if known is None else known.info.resolution
    return resolution[0] / resolution[1] if resolution else None
