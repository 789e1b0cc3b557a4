"""Principal component analysis of small frames: the linear autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bench import Context, FrameFormat, Method, MethodError, MethodInfo, OpenClip, parameter

from .sampling import evenly_spaced

CHUNK = 256
"""Frames that are scored at once."""


@dataclass(frozen=True)
class PCAParameters:
    """Parameters of pca."""

    size: int = parameter(
        32,
        unit="pixels",
        source="no source: an exact SVD is quick",
        doc="height and width of a frame",
        minimum=2,
    )
    components: int = parameter(
        64, source="no source: chosen here", doc="principal components that are kept", minimum=1
    )
    samples: int = parameter(
        5000,
        unit="frames",
        source="no source: chosen here",
        doc="training frames at most, evenly spaced",
        minimum=2,
    )

    def __post_init__(self) -> None:
        if self.components >= self.size**2:
            raise ValueError(
                f"components {self.components} must be less than the {self.size**2} pixels of a frame, or every error is 0"
            )


class PCA(Method):
    """Norm of what the first principal components of the training frames cannot explain in a
    frame.
    """

    name = "pca"
    info = MethodInfo(
        display_name="PCA",
        title="Principal component analysis",
        family="reference",
        groups=("baseline", "reference"),
        inputs="gray frames",
    )
    Parameters: ClassVar[type] = PCAParameters
    uses_seed = False
    needs = frozenset({"frames", "train"})

    mean: np.ndarray
    """(size²,) float64: the mean training frame, in 0..1."""
    components: np.ndarray
    """(K, size²) float64: the principal components, orthonormal rows."""

    @property
    def frames(self) -> FrameFormat:  # type: ignore[override]
        """Small gray frames."""
        return FrameFormat((self.parameters.size, self.parameters.size), 1)

    def fit(self, clips: Sequence[OpenClip], context: Context) -> None:
        """Take mean and components of evenly spaced frames of all training clips."""
        total = sum(clip.length for clip in clips)
        if total < 2:
            raise MethodError(
                f"{self.name}: principal components need at least 2 training frames, there are {total}"
            )
        frames = _vectors(evenly_spaced(clips, self.parameters.samples, context))
        self.mean = frames.mean(axis=0)
        context.step(len(clips), len(clips) + 1, "singular value decomposition")
        self.components = np.linalg.svd(frames - self.mean, full_matrices=False)[2][
            : self.parameters.components
        ]
        if len(self.components) < self.parameters.components:
            context.logger.info(
                "%d training frames have %d components, fewer than asked for",
                len(frames),
                len(self.components),
            )

    def score(self, clip: OpenClip, context: Context) -> np.ndarray:
        """Return the norm of each frame's residual."""
        scores = []
        for begin in range(0, clip.length, CHUNK):
            context.step(begin, clip.length, f"scoring clip {clip.id}")
            centred = _vectors(clip.frames[begin : begin + CHUNK]) - self.mean
            residual = centred - centred @ self.components.T @ self.components
            scores.append(np.linalg.norm(residual, axis=1))
        return np.concatenate(scores)


def _vectors(frames: np.ndarray) -> np.ndarray:
    """Return (N, H, W) uint8 frames as (N, H * W) float64 in 0..1."""
    return frames.reshape(len(frames), frames.shape[1] * frames.shape[2]).astype(np.float64) / 255
