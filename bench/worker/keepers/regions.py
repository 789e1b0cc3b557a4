"""Regions of the error maps of a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from bench.contracts.method import OpenClip
from bench.contracts.network_method import NetworkMethod
from bench.files.whole_files import npz, read_npz, write_bytes
from bench.objects.motion import components
from bench.runs.regions import ClipRegions, Regions, read_regions, write_regions
from bench.worker.keepers.detections import DetectionKeeper
from bench.worker.keepers.keeper import Keeper, add_image_taker
from bench.worker.keepers.levels import training_levels
from bench.worker.open_cell import OpenCell
from bench.worker.preparation import checked_masks

MOST = 20
"""Regions of a frame that are kept at one level, the largest; the others are counted. Chosen here:
a level with more than one false region a frame lies outside of what RBDC and TBDC look at."""


class RegionKeeper(Keeper):
    """Gathers what is kept of the error maps of a clip, and writes it when the clip is done:
    PARTS/CLIP.npz.

    Parameters
    ----------
    masks : clip id -> (N, H, W) bool, or None for a clip without pixel masks. Called once a clip.
    """

    def __init__(
        self, parts: Path, levels: np.ndarray, masks: Callable[[str], np.ndarray | None]
    ) -> None:
        self.parts, self.levels, self.masks = parts, levels, masks
        self._begin("")

    @classmethod
    def of(cls, cell: OpenCell) -> Keeper | None:
        """Return the keeper of a network's regions, at the levels of an earlier attempt where there
        was one; of another method, the keeper of those that it detects.
        """
        if not isinstance(cell.method, NetworkMethod):
            return DetectionKeeper.of(cell)
        path = cell.scratch / "levels.npz"
        if not path.exists():
            levels = training_levels(cell.method, cell.training_clips(), cell.context)
            write_bytes(path, npz({"levels": levels}))
        dataset, lengths = cell.dataset, {clip: n for clip, n, _ in cell.dataset_record.clips}
        clips = {clip.id: clip for clip in dataset.clips("test")}

        def masks(clip_id: str) -> np.ndarray | None:
            if "regions" in cell.dataset_record.problems:  # said in the table
                return None
            what = f"{dataset.name}: clip {clip_id}"
            return checked_masks(dataset.pixel_masks(clips[clip_id]), lengths[clip_id], what)

        return cls(cell.scratch / "regions", read_npz(path)["levels"], masks)

    def before_scoring(self, cell: OpenCell) -> None:
        """Have the inference engine hand over its maps."""
        add_image_taker(cell.context, self)

    def _begin(self, clip_id: str) -> None:
        self._clip = clip_id
        self._masks = self.masks(clip_id) if clip_id else None
        self._size = (0, 0)
        self._frames: list[tuple[int, float, float]] = []
        self._boxes: list[np.ndarray] = []
        self._places: list[tuple[int, int, int]] = []
        self._dropped = np.zeros(len(self.levels), dtype=np.int32)

    def __call__(
        self, method: NetworkMethod, clip: OpenClip, frame: int, found: dict[str, np.ndarray]
    ) -> None:
        """Take the regions of a frame's error map at each level."""
        if "map" not in found:
            return
        if clip.id != self._clip:
            self._begin(clip.id)
        values = found["map"]
        self._size = values.shape
        largest = float(values.max())
        self._frames.append(
            (
                frame,
                largest,
                np.nan if self._masks is None else threshold_40(values, self._masks[frame]),
            )
        )
        for number, level in enumerate(self.levels):
            if largest < level:
                break
            boxes, areas = components(values >= level)
            if len(boxes) > MOST:
                self._dropped[number] += len(boxes) - MOST
                boxes = boxes[np.sort(np.argsort(-areas, kind="stable")[:MOST])]
            self._boxes.append(boxes)
            self._places.append((frame, number, len(boxes)))

    def part(self, clip_id: str) -> Path:
        """Return the file of a clip's part."""
        return self.parts / f"{clip_id}.npz"

    def finish(self, clip_id: str, scored: np.ndarray) -> None:
        """Write the part of a clip that has been scored; empty where it gave no map."""
        if clip_id != self._clip:
            self._begin(clip_id)
        frames, largest, at_40 = np.asarray(self._frames, dtype=np.float64).reshape(-1, 3).T
        of_frames, of_levels, counts = np.asarray(self._places, dtype=np.int32).reshape(-1, 3).T
        kept = ClipRegions(
            frames.astype(np.int32),
            largest.astype(np.float32),
            at_40.astype(np.float32),
            np.concatenate([np.zeros((0, 4), np.uint16), *self._boxes]).astype(np.uint16),
            np.repeat(of_frames, counts),
            np.repeat(of_levels, counts).astype(np.uint8),
            self._dropped,
        )
        write_regions(self.part(clip_id), Regions(self.levels, self._size, {clip_id: kept}))
        self._begin("")

    def collect(self, cell: OpenCell) -> None:
        """Write the regions of all clips; nothing where no clip gave any."""
        if (found := self.joined(cell.lengths)) is not None:
            cell.run.write_regions(cell.record, found)

    def joined(self, clip_ids: Iterable[str]) -> Regions | None:
        """Return the parts of all clips as one; None where no clip gave a map.

        Raises
        ------
        RunError : a part is absent or damaged.
        """
        parts = [read_regions(self.part(clip_id)) for clip_id in clip_ids]
        maps = [part for part in parts if isinstance(part, Regions)]
        sizes = [part.size for part in maps if any(part.size)]
        if not sizes:
            return None
        return Regions(
            self.levels,
            sizes[0],
            {clip: kept for part in maps for clip, kept in part.clips.items()},
        )


def threshold_40(values: np.ndarray, mask: np.ndarray) -> float:
    """Return the largest threshold at which at least 40 % of the mask's pixels are detected (value
    >= threshold); NaN for an empty mask.

    The map (h, w) is brought to the size of the mask (H, W), each of its values standing for the
    area that it covers: so no mask is lost in a small map, no value is made up between two, and the
    largest value stays what it is. 40 %: Mahadevan et al. 2010.
    """
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return np.nan
    height, width = values.shape
    inside = values[
        (2 * rows + 1) * height // (2 * mask.shape[0]),
        (2 * columns + 1) * width // (2 * mask.shape[1]),
    ]
    needed = -(-2 * len(inside) // 5)
    return float(np.partition(inside, len(inside) - needed)[len(inside) - needed])
