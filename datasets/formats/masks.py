"""Pixel masks of a test clip: (N, H, W) bool, from one image a frame or from one `.npy`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench import Clip, DataError, ImageFiles, read_frames

from .arrays import read_npy


def read_image_masks(clip_id: str, paths: Sequence[Path]) -> np.ndarray:
    """Return the masks of images in frame order: every pixel that is not black is abnormal.

    Raises
    ------
    DataError : an image that is damaged, or of another size than the first.
    """
    clip = Clip(f"{clip_id} (pixel masks)", "test", ImageFiles(tuple(paths)))
    return np.stack([frame > 0 for frame in read_frames(clip, channels=1)])


def read_npy_masks(path: Path) -> np.ndarray:
    """Return the masks of one clip: (frames, H, W), every value that is not 0 is abnormal.

    Raises
    ------
    DataError : another shape, or not readable.
    """
    array = read_npy(path, mapped=True)
    if array.ndim != 3 or array.dtype.kind not in "biuf":
        raise DataError(
            f"{path} is {array.dtype} {array.shape}, expected masks (frames, height, width)"
        )
    return np.asarray(array != 0)
