"""Masks: the pixels of one object in one window."""

from __future__ import annotations

import numpy as np


def box_mask(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return 1 inside the box of each frame, 0 elsewhere.

    As the DDL code does it: coordinates times the resized width and height, truncated to integers,
    half-open (rows y1..y2-1, columns x1..x2-1). What lies beyond the picture is cut off; a box
    below one pixel leaves an empty mask.

    Parameters
    ----------
    boxes : (T, 4) float, x1, y1, x2, y2 relative to the frame (0..1).
    size : (height, width) in pixels, of the resized frame.

    Returns
    -------
    (T, H, W) float32.
    """
    height, width = size
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    mask = np.zeros((len(boxes), height, width), dtype=np.float32)
    corners = np.clip(
        np.trunc(boxes * (width, height, width, height)), 0, (width, height, width, height)
    ).astype(int)
    for plane, (x1, y1, x2, y2) in zip(mask, corners):
        plane[y1:y2, x1:x2] = 1
    return mask
