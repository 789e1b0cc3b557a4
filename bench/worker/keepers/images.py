"""Images of some frames of a cell.

The inference engine hands over the images of each frame that it scores, through `context.images`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from bench.contracts.method import OpenClip
from bench.contracts.network_method import NetworkMethod
from bench.errors import RunError
from bench.runs.layout import image_name
from bench.worker.keepers.keeper import Keeper, add_image_taker
from bench.worker.open_cell import OpenCell

KEPT_IMAGES = 200
"""Frames of a cell whose images are kept, spread evenly; up to one more a clip. Chosen here:
three JPEG a frame stay below 25 MB for Ped2."""
JPEG_QUALITY = 95
"""Of kept images, from 0 to 100. 95: OpenCV's default."""


class ImageKeeper(Keeper):
    """Keeps frame, reconstruction and error map of evenly spaced frames, clip by clip:
    PARTS/CLIP/FRAME-{frame,reconstruction,error}.jpg.

    Kept are the frames whose index is a multiple of `every`; of a clip in which no such frame has
    images, the first that has.
    """

    def __init__(self, parts: Path, lengths: Mapping[str, int]) -> None:
        self.parts = parts
        self.every = max(1, -(-sum(lengths.values()) // KEPT_IMAGES))
        self._begin("")

    @classmethod
    def of(cls, cell: OpenCell) -> Keeper | None:
        """Return the keeper of a network's images."""
        network = isinstance(cell.method, NetworkMethod)
        return cls(cell.scratch / "images", cell.lengths) if network else None

    def before_scoring(self, cell: OpenCell) -> None:
        """Have the inference engine hand over its images."""
        add_image_taker(cell.context, self)

    def _begin(self, clip_id: str) -> None:
        self._clip = clip_id
        self._new = self.parts / ".new"  # becomes PARTS/CLIP when the clip is done
        shutil.rmtree(self._new, ignore_errors=True)
        self._first: Callable[[], None] | None = None

    def __call__(
        self, method: NetworkMethod, clip: OpenClip, frame: int, found: dict[str, np.ndarray]
    ) -> None:
        """Keep the images of a frame whose turn it is."""
        if clip.id != self._clip:
            self._begin(clip.id)
        if frame % self.every == 0:
            self._write(method, clip, frame, found)
        elif self._first is None:
            self._first = lambda: self._write(method, clip, frame, found)

    def _write(
        self, method: NetworkMethod, clip: OpenClip, frame: int, found: dict[str, np.ndarray]
    ) -> None:
        images = {"frame": np.asarray(clip.frames[frame])}
        if "reconstruction" in found:
            images["reconstruction"] = as_image(method, found["reconstruction"])
        if "map" in found:
            # One scale for all frames, so that images compare: the largest error that a value
            # range allows is white.
            scale = 2.0 if method.window.value_range == "-1..1" else 1.0
            images["error"] = np.clip(found["map"] / scale * 255, 0, 255).astype(np.uint8)
        import cv2

        self._new.mkdir(parents=True, exist_ok=True)
        for name, image in images.items():
            coloured = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
            path = self._new / image_name(frame, name)
            options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
            # As bytes: a name that is not UTF-8 crashes OpenCV as a text.
            if not cv2.imwrite(os.fsencode(path), coloured, options):  # type: ignore[call-overload]
                raise RunError(f"cannot write {path}; free space or permission is needed there")

    def part(self, clip_id: str) -> Path:
        """Return the folder of a clip's part."""
        return self.parts / clip_id

    def finish(self, clip_id: str, scored: np.ndarray) -> None:
        """Leave the part of a clip that has been scored; empty where it gave no images."""
        if clip_id != self._clip:
            self._begin(clip_id)
        if self._first is not None and not self._new.exists():
            self._first()
        self._new.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.part(clip_id), ignore_errors=True)
        self._new.replace(self.part(clip_id))
        self._begin("")

    def collect(self, cell: OpenCell) -> None:
        """Move the parts of all clips to the cell, whole or not at all; nothing where no clip gave
        images.
        """
        target = cell.files.images
        for clip_id in cell.lengths:
            with contextlib.suppress(OSError):  # of a clip with images it is not empty
                self.part(clip_id).rmdir()
        shutil.rmtree(target, ignore_errors=True)
        if any(self.parts.iterdir()):
            self.parts.replace(target)


def as_image(method: NetworkMethod, values: np.ndarray) -> np.ndarray:
    """Return (C, H, W) in the method's value range as (H, W) or (H, W, 3) uint8."""
    match method.window.value_range:
        case "0..1":
            shown = values * 255
        case "-1..1":
            shown = (values + 1) * 127.5
        case "mean-subtracted":
            mean = method.stats["mean"]
            shown = values * 255 + (mean if mean.ndim == 2 else mean.transpose(2, 0, 1))
    image = np.clip(np.rint(shown), 0, 255).astype(np.uint8)
    return image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))
