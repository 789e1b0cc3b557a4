"""Matlab files: `gt` (ranges of abnormal frames, a cell a clip) and `volLabel` (pixel masks, a cell
a frame).

Version 5 is read with scipy, version 7.3, which is HDF5, with h5py: there arrays are transposed and
cells are references.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench import DataError, load_mat

from .ranges import check_ranges
from .unreadable import refuse_unreadable


def read_mat_ranges(path: Path) -> list[np.ndarray]:
    """Return the ranges of each clip in the cell array `gt`: (k, 2) int64 of first and last frame,
    from 1, both included.

    Raises
    ------
    DataError : not a Matlab file, without `gt`, or a cell that is not (2, k) whole numbers, with
        the clip.
    """
    cells = _read_cells(path, "gt")
    return [
        _cell_ranges(cell, f"{path}, gt, cell {number}")
        for number, cell in enumerate(cells, start=1)
    ]


def read_mat_masks(path: Path) -> np.ndarray:
    """Return the masks in the cell array `volLabel`: (N, H, W) bool, a mask a frame.

    Raises
    ------
    DataError : not a Matlab file, without `volLabel`, or masks of different sizes, or that are no
        numbers.
    """
    return np.stack([cell != 0 for cell in _mask_cells(path)])


def read_mat_mask_labels(path: Path) -> np.ndarray:
    """Return (N,) uint8 of the masks in `volLabel`: 1 where a frame's mask has a pixel.

    Raises
    ------
    DataError : as `read_mat_masks`.
    """
    return np.array([cell.any() for cell in _mask_cells(path)], dtype=np.uint8)


def _mask_cells(path: Path) -> list[np.ndarray]:
    cells = _read_cells(path, "volLabel")
    shapes = {cell.shape for cell in cells}
    if (
        len(shapes) != 1
        or cells[0].ndim != 2
        or any(cell.dtype.kind not in "biuf" for cell in cells)
    ):
        raise DataError(
            f"{path}: the masks of volLabel have the shapes {sorted(shapes)}, expected numbers, of one height and width for all frames"
        )
    return cells


def _cell_ranges(cell: np.ndarray, where: str) -> np.ndarray:
    numbers = np.asarray(cell)
    if numbers.size == 0:
        return np.zeros((0, 2), dtype=np.int64)
    if numbers.dtype.kind not in "iuf" or numbers.ndim not in (1, 2) or numbers.shape[0] != 2:
        raise DataError(
            f"{where} is {numbers.dtype} {numbers.shape}, expected (2, k) numbers: first frames, and last frames below them"
        )
    # As int64 before anything is computed: these files hold uint8, in which 180 + 100 is 24.
    whole = numbers.astype(np.int64)
    if not np.array_equal(whole, numbers):
        raise DataError(f"{where} holds {numbers.ravel().tolist()}, expected whole frame numbers")
    return check_ranges(whole.reshape(2, -1).T, where)


def _read_cells(path: Path, name: str) -> list[np.ndarray]:
    """Return the cells of a one-dimensional cell array, as Matlab has them."""
    refuse_unreadable(path)
    try:
        value = load_mat(path, name).get(name)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read as a Matlab file: {error}; copy or unpack it again"
        ) from error
    if value is None:
        raise DataError(f"{path} has no variable {name!r}; is it another file?")
    if isinstance(value, list):
        return value
    if name == "gt" and value.ndim == 2 and value.shape[1] == 2 and value.shape[0] != 2:
        return list(value)  # cells of one range each, stacked to (clips, 2)
    raise DataError(
        f"{path}: {name} is {value.dtype} {value.shape}, expected a cell array with one cell a "
        f"{'clip' if name == 'gt' else 'frame'}"
    )
