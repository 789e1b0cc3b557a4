"""Histograms of optical flow: where in the frame, how fast and which way things move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bench import Context, FrameFormat, Method, MethodError, MethodInfo, OpenClip, parameter

CHOSEN = "no source: chosen here"


@dataclass(frozen=True)
class OpticalFlowParameters:
    """Parameters of optical-flow."""

    rows: int = parameter(6, source=CHOSEN, doc="of the grid of cells", minimum=1, maximum=120)
    columns: int = parameter(8, source=CHOSEN, doc="of the grid of cells", minimum=1, maximum=160)
    directions: int = parameter(
        8,
        source=CHOSEN,
        doc="bins of a cell for pixels that move; one more counts slow pixels",
        minimum=1,
    )
    slow: float = parameter(
        0.5,
        unit="pixels a frame",
        source=CHOSEN,
        doc="speed below which a pixel is slow",
        minimum=0.0,
    )
    floor: float = parameter(
        1e-4,
        source=CHOSEN,
        doc="least variance of a bin, so that one that never changed does not outweigh all",
        minimum=1e-12,
    )
    every: int = parameter(
        1,
        unit="frames",
        source="no source: every frame, chosen here",
        doc="learn from each n-th flow",
        minimum=1,
    )


class OpticalFlow(Method):
    """Largest distance, over the cells of a grid, of a frame's histogram of optical flow from those
    of training.
    """

    name = "optical-flow"
    info = MethodInfo(
        display_name="Optical flow",
        title="Histograms of optical flow (Farneback)",
        family="reference",
        groups=("reference",),
        inputs="gray frames",
    )
    Parameters: ClassVar[type] = OpticalFlowParameters
    profiles = {"smoke": {"every": 2}}
    uses_seed = False
    frames = FrameFormat((120, 160), 1)
    needs = frozenset({"frames", "train"})

    mean: np.ndarray
    """(cells, bins) float64: the mean histogram of each cell in training."""
    variance: np.ndarray
    """(cells, bins) float64: their variance, at least `floor`."""

    def fit(self, clips: Sequence[OpenClip], context: Context) -> None:
        """Take mean and variance of the histograms of the training frames, cell by cell."""
        count = 0
        total = squares = np.zeros(())
        first: np.ndarray | None = (
            None  # what is summed are differences from it: sums of plain squares lose digits
        )
        for number, clip in enumerate(clips):
            for found in self._histograms(
                clip, context, f"training clip {number + 1} of {len(clips)}", self.parameters.every
            ):
                first = found if first is None else first
                total = total + (found - first)
                squares = squares + (found - first) ** 2
                count += 1
        if first is None:
            raise MethodError(
                f"{self.name}: optical flow needs a training clip of at least 2 frames, there is none"
            )
        self.mean = first + total / count
        self.variance = np.maximum(squares / count - (total / count) ** 2, self.parameters.floor)

    def score(self, clip: OpenClip, context: Context) -> np.ndarray:
        """Return the largest distance of each frame; the first frame takes the second's, and 0
        where it is alone.
        """
        scores = np.zeros(clip.length)
        for index, found in enumerate(
            self._histograms(clip, context, f"scoring clip {clip.id}"), start=1
        ):
            scores[index] = ((found - self.mean) ** 2 / self.variance).sum(axis=1).max()
        scores[0] = scores[min(1, clip.length - 1)]
        return scores

    def _histograms(
        self, clip: OpenClip, context: Context, what: str, every: int = 1
    ) -> Iterator[np.ndarray]:
        """Yield the histograms (cells, bins) of frames 1, 1 + every, ...: of the flow from the
        frame before.
        """
        frames = clip.frames
        grid = (self.parameters.rows, self.parameters.columns)
        for index in range(1, clip.length, every):
            context.step(index, clip.length, what)
            yield histograms(
                flow(frames[index - 1], frames[index]),
                grid,
                self.parameters.directions,
                self.parameters.slow,
            )


def flow(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Return the dense flow from one (H, W) uint8 frame to the next, (H, W, 2) float32: pixels to
    the right, and downwards.

    Farneback's method with the values of OpenCV's tutorial: pyramid scale .5, 3 levels, window 15,
    3 iterations, polynomials over 5 pixels with sigma 1.2.
    """
    import cv2

    empty = np.zeros((*before.shape, 2), dtype=np.float32)
    return np.asarray(cv2.calcOpticalFlowFarneback(before, now, empty, 0.5, 3, 15, 3, 5, 1.2, 0))


def histograms(
    field: np.ndarray, grid: tuple[int, int], directions: int, slow: float
) -> np.ndarray:
    """Return the histograms of a flow (H, W, 2) in each cell of a grid (rows, columns), (cells,
    bins) float64, row by row.

    Bin 0 is centred on movement to the right, the following ones turn downwards, as rows do; the
    last one counts slow pixels. A pixel adds its speed to the bin of its direction, or 1 to the
    last one. All is divided by the pixels of the cell: bins are pixels a frame, and a share.
    """
    height, width = field.shape[:2]
    rows = np.arange(height) * grid[0] // height
    columns = np.arange(width) * grid[1] // width
    cells = (rows[:, None] * grid[1] + columns).reshape(-1)
    right, down = field.reshape(-1, 2).astype(np.float64).T
    speed = np.hypot(right, down)
    direction = np.rint(np.arctan2(down, right) * directions / (2 * np.pi)).astype(int) % directions
    is_slow = speed < slow
    shape = (grid[0] * grid[1], directions + 1)
    places = cells * shape[1] + np.where(is_slow, directions, direction)
    sums = np.bincount(
        places, weights=np.where(is_slow, 1.0, speed), minlength=shape[0] * shape[1]
    ).reshape(shape)
    return np.asarray(sums / np.bincount(cells)[:, None])
