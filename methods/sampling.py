"""A bounded number of training frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench import Context, OpenClip


def evenly_spaced(clips: Sequence[OpenClip], most: int, context: Context) -> np.ndarray:
    """Return at most `most` frames (M, H, W[, 3]) uint8, evenly spaced over all clips in a row, the
    first and the last among them.
    """
    total = sum(clip.length for clip in clips)
    chosen = np.linspace(0, total - 1, min(total, most)).round().astype(int)
    found, begin = [], 0
    for number, clip in enumerate(clips):
        context.step(number, len(clips) + 1, "reading training frames")
        inside = chosen[(chosen >= begin) & (chosen < begin + clip.length)] - begin
        found.append(clip.frames[inside])
        begin += clip.length
    return np.concatenate(found)
