"""A background model without learning: how far a frame is from the median training frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bench import Context, FrameFormat, Method, MethodError, MethodInfo, OpenClip, parameter

from .sampling import evenly_spaced

CHUNK = 64
"""Frames, or rows of a frame, that are looked at at once: what bounds the memory beside the
sample."""


@dataclass(frozen=True)
class BackgroundParameters:
    """Parameters of background."""

    size: int = parameter(
        256,
        unit="pixels",
        source="no source: that of most networks here",
        doc="height and width of a frame",
        minimum=2,
    )
    samples: int = parameter(
        1000,
        unit="frames",
        source="no source: 66 MB at 256 pixels; on Ped2 all 2,550 frames change the AUC by 0.01",
        doc="training frames at most that the median is taken of, evenly spaced",
        minimum=1,
    )


class Background(Method):
    """Mean absolute distance of a frame to the median training frame: what is not background."""

    name = "background"
    info = MethodInfo(
        display_name="Median background",
        title="Median background",
        family="reference",
        groups=("baseline", "reference"),
        inputs="gray frames",
    )
    Parameters: ClassVar[type] = BackgroundParameters
    uses_seed = False
    needs = frozenset({"frames", "train"})

    median: np.ndarray
    """(size, size) float32: the median training frame, in gray values."""

    @property
    def frames(self) -> FrameFormat:  # type: ignore[override]
        """Gray frames."""
        return FrameFormat((self.parameters.size, self.parameters.size), 1)

    def fit(self, clips: Sequence[OpenClip], context: Context) -> None:
        """Take the median of evenly spaced frames of all training clips, pixel by pixel."""
        self._median(clips, context)

    def _median(self, clips: Sequence[OpenClip], context: Context) -> np.ndarray:
        """Set the median, and return the frames (M, size, size) uint8 that it was taken of."""
        if not any(clip.length for clip in clips):
            raise MethodError(f"{self.name}: a median needs a training frame, and there is none")
        sample = evenly_spaced(clips, self.parameters.samples, context)
        context.step(len(clips), len(clips) + 1, "median of the training frames")
        rows = [
            np.median(sample[:, begin : begin + CHUNK], axis=0)
            for begin in range(0, sample.shape[1], CHUNK)
        ]
        self.median = np.concatenate(rows).astype(np.float32)
        return sample

    def score(self, clip: OpenClip, context: Context) -> np.ndarray:
        """Return one number a frame."""
        scores = []
        for begin in range(0, clip.length, CHUNK):
            context.step(begin, clip.length, f"scoring clip {clip.id}")
            scores.append(self.measure(np.abs(clip.frames[begin : begin + CHUNK] - self.median)))
        return np.concatenate(scores)

    def measure(self, difference: np.ndarray) -> np.ndarray:
        """Return the score (N,) of frames by their distances to the median (N, size, size)
        float32.
        """
        return np.asarray(difference.mean(axis=(1, 2), dtype=np.float64))


class ForegroundArea(Background):
    """Share of a frame's pixels that are further from the median training frame than noise is."""

    name = "foreground-area"
    info = MethodInfo(
        display_name="Foreground area",
        title="Foreground area",
        family="reference",
        groups=("reference",),
        inputs="gray frames",
    )

    THRESHOLD = 4.0
    """Standard deviations from which on a pixel is foreground. OpenCV's MOG2 has it so: its
    varThreshold is 16 by default."""

    threshold: float
    """In gray values."""

    def fit(self, clips: Sequence[OpenClip], context: Context) -> None:
        """Take the median, and the noise around it: 1.4826 times the median distance, the standard
        deviation of normal noise.
        """
        sample = self._median(clips, context)
        counts = np.zeros(
            511, dtype=np.int64
        )  # a median of bytes is a whole or a half number, and so is a distance to it
        for begin in range(0, len(sample), CHUNK):
            twice = 2 * np.abs(sample[begin : begin + CHUNK] - self.median)
            counts += np.bincount(twice.astype(np.int64).ravel(), minlength=511)
        middle = np.searchsorted(np.cumsum(counts), counts.sum() / 2) / 2
        self.threshold = float(self.THRESHOLD * 1.4826 * middle)

    def measure(self, difference: np.ndarray) -> np.ndarray:
        """Return the share of foreground (N,)."""
        return np.asarray((difference > self.threshold).mean(axis=(1, 2)))
