"""The regions that a cell keeps, of error maps or with a score each, and those of a dataset's pixel
masks.

A box is x1, y1, x2, y2 in pixels, ends excluded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.errors import RunError
from bench.files.whole_files import npz, read_npz, write_bytes


@dataclass(frozen=True)
class ClipRegions:
    """What is kept of the error maps of one test clip.

    Parameters
    ----------
    frames : (K,) int32, the frames that have a map, ascending.
    maximum : (K,) float32, the largest value of each map.
    threshold_40 : (K,) float32, the largest threshold that 40 % of the anomalous pixels of the
        frame reach; NaN where the frame has no anomalous pixel.
    boxes, box_frames, box_levels : (R, 4) uint16, (R,) int32, (R,) uint8: the regions, the frame
        and the level (an index) of each.
    dropped : (levels,) int32, at each level the regions that were counted and not kept.
    """

    frames: np.ndarray
    maximum: np.ndarray
    threshold_40: np.ndarray
    boxes: np.ndarray
    box_frames: np.ndarray
    box_levels: np.ndarray
    dropped: np.ndarray


FIELDS = {name: name for name in ClipRegions.__dataclass_fields__} | {"threshold_40": "forty"}
"""Fields, and what the file calls them."""


@dataclass(frozen=True)
class Regions:
    """What a cell keeps of its error maps: `levels` (L,) float32, ascending; `size` of the maps,
    height and width; each clip.
    """

    levels: np.ndarray
    size: tuple[int, int]
    clips: Mapping[str, ClipRegions]


@dataclass(frozen=True)
class ClipDetections:
    """The regions that a method detected in one test clip, with a score each.

    Parameters
    ----------
    frames : (K,) int32, the frames in which regions were looked for, ascending.
    boxes : (R, 4) float64, in pixels of the dataset's frames. box_frames : (R,) int32, the frame of
        each.
    box_scores : (R,) float64, higher = more anomalous.
    """

    frames: np.ndarray
    boxes: np.ndarray
    box_frames: np.ndarray
    box_scores: np.ndarray


DETECTION_FIELDS = tuple(ClipDetections.__dataclass_fields__)


@dataclass(frozen=True)
class Detections:
    """What a cell keeps of a method that detects regions itself."""

    clips: Mapping[str, ClipDetections]


@dataclass(frozen=True)
class TrueRegions:
    """The components of the pixel masks of one clip: `boxes` (G, 4) int32, the `frames` (G,) int32
    of each, `size` of the masks.
    """

    boxes: np.ndarray
    frames: np.ndarray
    size: tuple[int, int]


def write_regions(path: Path, regions: Regions | Detections) -> None:
    """Write regions.npz: for each clip `ID.` and each array of `ClipRegions` or `ClipDetections`;
    `levels` and `size` of maps.
    """
    if isinstance(regions, Detections):
        write_bytes(
            path,
            npz(
                {
                    f"{clip}.{name}": getattr(kept, name)
                    for clip, kept in regions.clips.items()
                    for name in DETECTION_FIELDS
                }
            ),
        )
        return
    arrays = {
        f"{clip}.{key}": getattr(kept, name)
        for clip, kept in regions.clips.items()
        for name, key in FIELDS.items()
    }
    write_bytes(
        path,
        npz({"levels": regions.levels, "size": np.asarray(regions.size, dtype=np.int32), **arrays}),
    )


def read_regions(path: Path) -> Regions | Detections:
    """Read what `write_regions` wrote.

    Raises
    ------
    RunError : absent or damaged.
    """
    arrays = read_npz(path)
    detected = [key.removesuffix(".box_scores") for key in arrays if key.endswith(".box_scores")]
    clips = [key.removesuffix(".maximum") for key in arrays if key.endswith(".maximum")]
    try:
        if detected:
            return Detections(
                {
                    clip: ClipDetections(
                        **{name: arrays[f"{clip}.{name}"] for name in DETECTION_FIELDS}
                    )
                    for clip in detected
                }
            )
        found = {
            clip: ClipRegions(**{name: arrays[f"{clip}.{key}"] for name, key in FIELDS.items()})
            for clip in clips
        }
        return Regions(arrays["levels"], _size(arrays["size"]), found)
    except KeyError as error:
        raise RunError(f"{path} has no array {error}") from error


def write_true_regions(path: Path, regions: Mapping[str, TrueRegions]) -> None:
    """Write datasets/NAME.regions.npz: for each clip `ID.boxes`, `ID.frames` and `ID.size`."""
    arrays: dict[str, np.ndarray] = {}
    for clip, kept in regions.items():
        arrays |= {
            f"{clip}.boxes": kept.boxes,
            f"{clip}.frames": kept.frames,
            f"{clip}.size": np.asarray(kept.size, dtype=np.int32),
        }
    write_bytes(path, npz(arrays))


def read_true_regions(path: Path) -> dict[str, TrueRegions]:
    """Read what `write_true_regions` wrote.

    Raises
    ------
    RunError : absent or damaged.
    """
    arrays = read_npz(path)
    clips = [key.removesuffix(".size") for key in arrays if key.endswith(".size")]
    try:
        return {
            clip: TrueRegions(
                arrays[f"{clip}.boxes"], arrays[f"{clip}.frames"], _size(arrays[f"{clip}.size"])
            )
            for clip in clips
        }
    except KeyError as error:
        raise RunError(f"{path} has no array {error}") from error


def _size(array: np.ndarray) -> tuple[int, int]:
    height, width = array
    return int(height), int(width)
