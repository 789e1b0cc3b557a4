"""Reading scores from npz, npy, csv and mat. Nothing is unpickled, and no size is believed."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench import MethodError, load_mat, load_npy, load_npz

LARGEST = 1 << 29
"""Bytes that a csv file may take: as of npz."""
_MAGIC = b"\x93NUMPY"
_CLIP = ("clip", "video", "clip_id", "video_id")
_FRAME = ("frame", "frame_id", "frame_index")
_SCORE = ("score", "anomaly_score", "value")

Arrays = dict[str, np.ndarray]
"""The arrays of a file by name; one without a name under the empty text, several without names as
arr_0, arr_1, ..."""


def read_arrays(path: Path) -> Arrays:
    """Return the arrays of a file of scores, whose ending says what it is: .npy, .mat, .csv or
    .txt, and npz for every other.

    Raises
    ------
    MethodError : there is none, it cannot be read, or it is something else.
    """
    form, read, wanted = _reader(path)
    try:
        return read(path)
    except FileNotFoundError as error:
        raise MethodError(
            f"there is no file {path}; look at the path, and at {{dataset}} in it"
        ) from error
    except OSError as error:
        raise MethodError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise MethodError(
            f"{path} cannot be read as {form} ({error}); pickled files and arrays of objects are refused, {wanted}"
        ) from error


def _reader(path: Path) -> tuple[str, Callable[[Path], Arrays], str]:
    """Return the form of a file, what reads it, and how it should be saved."""
    ending = path.suffix.lower()
    if ending == ".npy":
        return "npy", _npy, "save it as numpy.save(path, scores)"
    if ending == ".mat":
        return "mat", _mat, "save it in MATLAB with save(path, 'scores')"
    if ending in (".csv", ".txt"):
        return "csv", _csv, "its lines are clip,frame,score under such a header, or one number each"
    return "npz", _npz, "save it as numpy.savez(path, **{clip: scores})"


def _npz(path: Path) -> Arrays:
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) == _MAGIC:  # a npy under another name
            return _npy(path)
    return load_npz(path)


def _npy(path: Path) -> Arrays:
    array = load_npy(path)
    return {"": array} if array.ndim < 2 or 1 in array.shape else _rows(array)


def _rows(array: np.ndarray) -> Arrays:
    """Return an array of one row for each clip as arrays without names."""
    return {f"arr_{number}": row for number, row in enumerate(array)}


# -- csv -------------------------------------------------------------------------------------------


def _csv(path: Path) -> Arrays:
    """Read lines of one number each, or columns clip, score and frame under a header."""
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it is larger than the {LARGEST} bytes that are read")
    try:
        lines = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(str(error)) from error
    lines = [[cell.strip() for cell in line] for line in lines if any(map(str.strip, line))]
    if not lines:
        raise ValueError("it is empty")
    if _number(lines[0][0]) is not None:
        return {"": np.array([_only(line, number) for number, line in enumerate(lines, 1)])}
    head = [cell.lower() for cell in lines[0]]
    clip, score, frame = (
        next((head.index(name) for name in names if name in head), None)
        for names in (_CLIP, _SCORE, _FRAME)
    )
    if score is None or (clip is None and len(head) > 1):
        raise ValueError(f"its first line is {','.join(lines[0])[:60]!r}, no clip,frame,score")
    values: dict[str, list[float]] = {}
    frames: dict[str, list[float]] = {}
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(head):
            raise ValueError(f"line {number} has {len(line)} columns, and the first {len(head)}")
        key = "" if clip is None else line[clip]
        values.setdefault(key, []).append(_cell(line[score], number))
        if frame is not None:
            frames.setdefault(key, []).append(_cell(line[frame], number))
    arrays = {key: np.array(found) for key, found in values.items()}
    for key, found in frames.items():
        whole = np.array(found)
        if (whole != whole.astype(np.int64)).any():
            raise ValueError(f"a frame of clip {key!r} is no whole number")
        order = np.argsort(whole, kind="stable")
        arrays[key] = arrays[key][order]
        arrays[f"{key}.frames"] = whole[order].astype(np.int64)
    return arrays


def _only(line: list[str], number: int) -> float:
    if len(line) > 1:
        raise ValueError(f"line {number} has {len(line)} columns and no header says what they are")
    return _cell(line[0], number)


def _cell(text: str, number: int) -> float:
    value = _number(text)
    if value is None:
        raise ValueError(f"line {number}: {text[:40]!r} is no finite number")
    return value


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


# -- mat -------------------------------------------------------------------------------------------


def _mat(path: Path) -> Arrays:
    """Read the numeric arrays of a mat file, or the elements of a cell array of them."""
    found = load_mat(path)
    arrays: Arrays = {}
    for name, value in found.items():
        if isinstance(value, list):
            if len(found) > 1 or not all(one.dtype.kind in "fiub" for one in value):
                raise ValueError(
                    f"{name!r} holds something else than one row of numbers for each clip"
                )
            return {f"arr_{number}": one for number, one in enumerate(value)}
        if value.dtype.kind not in "fiub":
            raise ValueError(f"{name!r} is no array of numbers")
        arrays[name] = value
    if len(arrays) == 1 and "arr_0" not in arrays:
        (array,) = arrays.values()
        return {"": array} if array.ndim < 2 or 1 in array.shape else _rows(array)
    return arrays
