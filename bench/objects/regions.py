"""Connected components of a picture, as boxes."""

from __future__ import annotations

import numpy as np


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
