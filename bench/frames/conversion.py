"""How a decoded frame becomes what a method sees, the same for all methods.

RGB, or gray as BT.601 luma, at the clip's own size; then resizing on uint8, each axis for itself:
axes that shrink first, with INTER_AREA, then axes that grow, with INTER_LINEAR.
"""

from __future__ import annotations

import numpy as np

from bench.contracts.method import FrameFormat

CONVERSION = "opencv; RGB or BT.601 luma at own size; per axis INTER_AREA where it shrinks, then INTER_LINEAR where it grows; uint8"


def converted(frame: np.ndarray, frames: FrameFormat) -> np.ndarray:
    """Return a decoded frame, (H, W) gray or (H, W, 3) RGB uint8, as a method sees it. Gray to RGB
    is not done here.
    """
    import cv2

    if frames.channels == 1 and frame.ndim == 3:
        frame = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    return resize(frame, frames.size)


def converted_bgr(frame: np.ndarray, frames: FrameFormat) -> np.ndarray:
    """Return what `converted` returns of a frame as a decoder gives it, (H, W) gray or (H, W, 3)
    BGR, and gray as RGB where a method wants that. Resizing treats each colour by itself, so that
    the few pixels behind it are put in order, and not all of those before.
    """
    import cv2

    if frames.channels == 1:
        gray = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        return resize(gray, frames.size)
    small = resize(frame, frames.size)
    return cv2.cvtColor(small, cv2.COLOR_GRAY2RGB if small.ndim == 2 else cv2.COLOR_BGR2RGB)


def resize(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a (H, W[, 3]) uint8 frame at `size` = (height, width).

    Each axis for itself: those that shrink first, with OpenCV's INTER_AREA, then those that grow,
    with INTER_LINEAR.
    """
    import cv2

    height, width = size
    smaller = (min(height, frame.shape[0]), min(width, frame.shape[1]))
    if smaller != frame.shape[:2]:
        frame = cv2.resize(frame, smaller[::-1], interpolation=cv2.INTER_AREA)
    if size != frame.shape[:2]:
        frame = cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR)
    return frame
