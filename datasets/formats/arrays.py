"""Labels and masks in `.npy` and `.npz` files. Arrays of Python objects, which are pickles, are
refused.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench import DataError, load_npy, load_npz

from .unreadable import FORMATS, refuse_unreadable


def read_npy(path: Path, mapped: bool = False) -> np.ndarray:
    """Return the array of a `.npy` file, memory-mapped where asked for.

    Raises
    ------
    DataError : it is damaged, a pickle, or an array of Python objects.
    """
    refuse_unreadable(path)
    if _begins_with(path, b"PK\x03\x04"):
        raise DataError(f"{path} is an .npz archive under another name; rename it to .npz")
    try:
        return load_npy(path, mapped)
    except (ValueError, OSError) as error:
        raise _unreadable(path, error) from error


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Return all arrays of a `.npz` file by their keys.

    Raises
    ------
    DataError : it is damaged, a pickle, or holds an array of Python objects.
    """
    refuse_unreadable(path)
    if _begins_with(path, b"\x93NUMPY"):
        raise DataError(
            f"{path} is an .npy file under another name; expected an .npz with one array a clip (key = clip id)"
        )
    try:
        return load_npz(path)
    except (ValueError, OSError) as error:
        raise _unreadable(path, error) from error


def _begins_with(path: Path, start: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(start)) == start


def _unreadable(path: Path, error: Exception) -> DataError:
    if "pickle" in str(error):
        return DataError(
            f"{path} holds an array of Python objects, which is a pickle, can run any code when it is loaded, and is never read here; "
            f"{FORMATS} is read instead"
        )
    return DataError(f"{path} cannot be read: {error}; copy or unpack it again")


def as_labels(array: np.ndarray, where: str) -> np.ndarray:
    """Return (N,) uint8 of an array of 0/1 a frame.

    Raises
    ------
    DataError : another shape, or a value that is neither 0 nor 1, with its frame.
    """
    if array.ndim != 1 or array.dtype.kind not in "biuf":
        raise DataError(
            f"{where} is {array.dtype} {array.shape}, expected one 0 or 1 a frame, (N,)"
        )
    wrong = np.flatnonzero((array != 0) & (array != 1))
    if wrong.size:
        raise DataError(
            f"{where}: frame {wrong[0]} is {array[wrong[0]]}, expected 0 (normal) or 1 (abnormal); {wrong.size} values are neither"
        )
    return array.astype(np.uint8)


def as_row(array: np.ndarray, where: str) -> np.ndarray:
    """Return (N,) uint8 of the labels of all clips in one row, (1, N) or (N,).

    Raises
    ------
    DataError : another shape (one that is transposed, say), or values that are no 0/1.
    """
    if array.ndim == 2 and array.shape[0] == 1:
        array = array[0]
    elif array.ndim != 1:
        raise DataError(
            f"{where} is {array.dtype} {array.shape}, expected one row for all clips, (1, N); a transposed one is not guessed at"
        )
    return as_labels(array, where)
