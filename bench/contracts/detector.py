"""What a detector is: boxes of objects in a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from bench.contracts.clip import Clip
from bench.contracts.parameters import NoParameters
from bench.files.download import PretrainedWeights


class Detector:
    """Finds the objects in the frames of a clip, at the dataset's own resolution."""

    name: ClassVar[str]
    version: ClassVar[int] = 1
    """Raised whenever the boxes change: kept tracks of another version are made anew."""
    Parameters: ClassVar[type] = NoParameters
    pretrained: ClassVar[tuple[PretrainedWeights, ...]] = ()
    """Weights of others that it needs, for `bench download`."""
    needs_parameters: ClassVar[bool] = False
    needs_frames: ClassVar[bool] = True
    """False for a detector that knows its boxes without looking: then `known_boxes` is called,
    never `detect`."""
    unkeyed: ClassVar[frozenset[str]] = frozenset()
    """Parameters that do not enter the key of the tracks: they change no box, or `key` covers what
    they do (a path)."""

    def __init__(self, parameters: Any = None) -> None:
        self.parameters = type(self).Parameters() if parameters is None else parameters

    def check(self, dataset: str) -> None:
        """Raise DataError, with what to do, if the detector cannot work for this dataset: weights
        or a file are missing.
        """

    def key(self, dataset: str) -> str:
        """Return a text that changes when the boxes may: weights or the content of a file. Part of
        the tracks' key.
        """
        return ""

    def begin(self, clip: Clip, dataset: str) -> None:
        """Prepare for the first frame of a clip: load a model, forget the background of the clip
        before.
        """

    def known_boxes(self, clip: Clip, length: int) -> tuple[tuple[int, int], list[np.ndarray]]:
        """Return (height, width) that the boxes refer to, and the boxes of all `length` frames of a
        clip, as `detect` does.

        Called after `begin`, only where `needs_frames` is False.
        """
        raise NotImplementedError

    def detect(self, clip: Clip, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the boxes of the next consecutive `frames` of a clip, each (H, W, 3) uint8 RGB.

        One array a frame: (K, 5) float of x1, y1, x2, y2 in pixels (origin top left, half-open) and
        a score in 0..1. Called with frames in order, from the first to the last; `begin` comes
        before.
        """
        raise NotImplementedError
