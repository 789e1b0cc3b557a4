"""Regions that a method detects itself, and hands over through `context.regions`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bench.contracts.method import OpenClip
from bench.errors import MethodError
from bench.runs.regions import ClipDetections, Detections, read_regions, write_regions
from bench.worker.keepers.keeper import Keeper
from bench.worker.open_cell import OpenCell


class DetectionKeeper(Keeper):
    """Gathers the regions that a method detects itself: PARTS/CLIP.npz for each clip."""

    def __init__(self, parts: Path) -> None:
        self.parts = parts
        self._taken: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    @classmethod
    def of(cls, cell: OpenCell) -> Keeper | None:
        """Return the keeper of what the method of a cell detects."""
        return cls(cell.scratch / "regions")

    def before_scoring(self, cell: OpenCell) -> None:
        """Have the method hand over its regions."""
        cell.context.regions = self

    def __call__(
        self, clip: OpenClip, boxes: np.ndarray, frames: np.ndarray, scores: np.ndarray
    ) -> None:
        """Take the regions of a clip.

        Raises
        ------
        MethodError : arrays that do not pair up, boxes that end before they begin, values that are
            not finite.
        """
        boxes, frames, scores = (
            np.asarray(boxes, dtype=np.float64),
            np.asarray(frames),
            np.asarray(scores, dtype=np.float64),
        )
        who = f"regions of clip {clip.id}"
        if (
            boxes.shape != (len(frames), 4)
            or scores.shape != frames.shape
            or (frames.size and frames.dtype.kind not in "iu")
        ):
            raise MethodError(
                f"{who}: boxes have the shape {boxes.shape}, frames {frames.shape} "
                f"({frames.dtype}), scores {scores.shape}; "
                "expected (R, 4), (R,) whole numbers and (R,)"
            )
        if not (
            np.isfinite(boxes).all()
            and np.isfinite(scores).all()
            and (boxes[:, :2] <= boxes[:, 2:]).all()
        ):
            raise MethodError(f"{who}: boxes must be x1 <= x2, y1 <= y2, and all values finite")
        self._taken[clip.id] = boxes, frames.astype(np.int32), scores

    def part(self, clip_id: str) -> Path:
        """Return the file of a clip's part."""
        return self.parts / f"{clip_id}.npz"

    def finish(self, clip_id: str, scored: np.ndarray) -> None:
        """Write the part of a clip whose frames `scored` have a score; without frames where the
        method gave no regions.

        Raises
        ------
        MethodError : a region in a frame that has no score.
        """
        nothing = np.zeros((0, 4)), np.zeros(0, np.int32), np.zeros(0)
        boxes, frames, scores = self._taken.get(clip_id, nothing)
        beyond = frames[~np.isin(frames, scored)]
        if len(beyond):
            raise MethodError(
                f"regions of clip {clip_id}: frame {int(beyond[0])} has a region and no score"
            )
        looked = (
            np.asarray(scored, dtype=np.int32) if clip_id in self._taken else np.zeros(0, np.int32)
        )
        write_regions(
            self.part(clip_id), Detections({clip_id: ClipDetections(looked, boxes, frames, scores)})
        )
        self._taken.pop(clip_id, None)

    def collect(self, cell: OpenCell) -> None:
        """Write the regions of all clips; nothing where no clip gave any."""
        if (found := self.joined(cell.lengths)) is not None:
            cell.run.write_regions(cell.record, found)

    def joined(self, clip_ids: Iterable[str]) -> Detections | None:
        """Return the parts of all clips as one; None where the method gave no regions.

        Raises
        ------
        RunError : a part is absent or damaged.
        """
        parts = [read_regions(self.part(clip_id)) for clip_id in clip_ids]
        clips = {
            clip: kept
            for part in parts
            if isinstance(part, Detections)
            for clip, kept in part.clips.items()
        }
        return Detections(clips) if any(len(kept.frames) for kept in clips.values()) else None
