"""Detector `motion`: what differs from the background of its clip. Needs no weights; finds nothing
that stands still.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.contracts.clip import Clip
from bench.contracts.detector import Detector
from bench.contracts.parameters import parameter
from bench.errors import DataError
from bench.frames.decode import count_frames, read_frames

FOREGROUND = 255
"""What OpenCV's subtractor gives to moving pixels; shadows are 127, the background is 0."""


class MotionDetector(Detector):
    """Connected components of OpenCV's MOG2 background subtraction, shadows removed.

    The background is learned first, from frames evenly spaced over the whole clip, and then stays
    as it is: benchmark clips are short (48 frames in the demo), and a model that learns as it goes
    would be blind for their first half. Deterministic. Every box has the score 1.
    """

    name = "motion"
    version = 2

    @dataclass(frozen=True)
    class Parameters:
        """Fixed for all datasets, chosen on the training clips of UCSD Ped2 without any label."""

        samples: int = parameter(
            60,
            unit="frames",
            minimum=2,
            source="no source: chosen here because clips of 48 frames are used whole, and long ones at little cost",
            doc="Frames of a clip that its background is learned from.",
        )
        threshold: float = parameter(
            16.0,
            minimum=0.0,
            source="code OpenCV createBackgroundSubtractorMOG2, default of varThreshold",
            doc="Squared distance from the background, in variances, from which a pixel moves.",
        )
        background: float = parameter(
            0.7,
            minimum=0.0,
            maximum=1.0,
            source="no source: chosen here because it finds people who cover a pixel in up to 30 % of the samples; OpenCV's default is 0.9",
            doc="Share of the samples that shows the background of a pixel, at least; what is rarer moves.",
        )
        minimum_area: float = parameter(
            0.0005,
            unit="share of the frame",
            minimum=0.0,
            maximum=1.0,
            source="no source: chosen here because it is 43 pixels on Ped2, a twelfth of a pedestrian's box",
            doc="Components with fewer pixels are noise.",
        )

    def __init__(self, parameters: Any = None) -> None:
        super().__init__(parameters)
        self._subtractor: Any = None

    def begin(self, clip: Clip, dataset: str) -> None:
        """Learn the background of the clip; decodes it once."""
        import cv2

        length = count_frames(clip)
        chosen = set(
            np.linspace(0, length - 1, min(self.parameters.samples, length))
            .round()
            .astype(int)
            .tolist()
        )
        self._subtractor = cv2.createBackgroundSubtractorMOG2(
            len(chosen), self.parameters.threshold, True
        )
        self._subtractor.setBackgroundRatio(self.parameters.background)
        seen = 0
        for index, frame in enumerate(read_frames(clip)):
            if index in chosen:
                seen += 1
                # 1/n: all samples weigh the same. OpenCV's own rate favours the first ones, and
                # would take for background whoever stands in them.
                self._subtractor.apply(frame, None, 1 / seen)

    def detect(self, clip: Clip, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the boxes of what moves in each frame."""
        if self._subtractor is None:
            raise DataError(
                f"clip {clip.id}: detector {self.name} was asked for boxes before begin()"
            )
        return [self._boxes(frame) for frame in frames]

    def _boxes(self, frame: np.ndarray) -> np.ndarray:
        import cv2

        moving = (self._subtractor.apply(frame, None, 0) == FOREGROUND).astype(np.uint8)
        # Opening takes single noisy pixels away, closing joins the parts of one body; sizes chosen
        # here, on Ped2.
        moving = cv2.morphologyEx(
            moving, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
        )
        moving = cv2.morphologyEx(
            moving, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
        )
        boxes, areas = components(moving)
        boxes = boxes[areas >= self.parameters.minimum_area * moving.size]
        return np.column_stack([boxes, np.ones(len(boxes))]).astype(np.float64)


def components(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the boxes (R, 4) int32 (x1, y1, x2, y2, ends excluded) and areas (R,) int32 of the
    components of (H, W), 8 neighbours.
    """
    import cv2

    # The first component that OpenCV lists is the background.
    _, _, stats, _ = cv2.connectedComponentsWithStats(
        np.ascontiguousarray(mask, dtype=np.uint8), connectivity=8
    )
    left, top, width, height, area = stats[1:].T
    return np.stack([left, top, left + width, top + height], axis=1), area
