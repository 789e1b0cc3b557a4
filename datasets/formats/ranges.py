"""Ranges of abnormal frames: Matlab's, counted from 1, and those of a CSV, counted from 0; both
ends included.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench import DataError

from .unreadable import refuse_unreadable

CSV_HEADER = ("clip", "first", "last")
_START = re.compile(r"TestVideoFile\s*=\s*\{\s*\}\s*;?")
_ENTRY = re.compile(
    r"TestVideoFile\s*\{\s*end\s*\+\s*1\s*\}\s*\.\s*gt_frame\s*=\s*\[(?P<ranges>[^\[\]]*)\]\s*;?"
)
_RANGE = re.compile(r"([0-9]{1,9})\s*:\s*([0-9]{1,9})")
_RANGES = re.compile(rf"{_RANGE.pattern}(\s+{_RANGE.pattern})*")
_INT = re.compile(r"[0-9]{1,18}")


def read_m_ranges(path: Path) -> list[np.ndarray]:
    """Return the ranges of each clip of a `UCSDpedN.m`, in its order: (k, 2) int64 of first and
    last frame, from 1.

    The file is parsed line by line, never evaluated.

    Raises
    ------
    DataError : a line that is no list of ranges, with file and line.
    """
    refuse_unreadable(path)
    return parse_m_ranges(path.read_text(encoding="latin-1"), str(path))


def parse_m_ranges(text: str, where: str) -> list[np.ndarray]:
    r"""Return the ranges of each clip, as `read_m_ranges` does; `where` names the file in errors.

    >>> parse_m_ranges("TestVideoFile = {};\nTestVideoFile{end+1}.gt_frame = [5:90, 140:200];",
    "x.m")[0].tolist() [[5, 90], [140, 200]]
    """
    clips: list[np.ndarray] = []
    for number, line in enumerate(text.splitlines(), start=1):
        code = line.split("%", 1)[0].strip()
        if not code or _START.fullmatch(code):
            continue
        entry = _ENTRY.fullmatch(code)
        if entry is None:
            raise DataError(
                f"{where}, line {number}: {code[:80]!r} is no list of frame ranges; "
                "expected TestVideoFile{end+1}.gt_frame = [first:last, first:last]; (it is parsed, never evaluated)"
            )
        clips.append(_m_ranges(entry["ranges"], f"{where}, line {number}"))
    if not clips:
        raise DataError(
            f"{where}: no line with TestVideoFile{{end+1}}.gt_frame = [first:last]; is it another file?"
        )
    return clips


def parse_ranges(text: str, where: str) -> list[np.ndarray]:
    """Return the ranges of each line that is not empty, as `read_m_ranges` does."""
    return [_m_ranges(line, where) for line in text.splitlines() if line.strip()]


def _m_ranges(text: str, where: str) -> np.ndarray:
    """Read 'a:b, c:d' or 'a:b c:d'."""
    found: list[tuple[int, int]] = []
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    for part in parts:
        if not _RANGES.fullmatch(part):
            raise DataError(f"{where}: {part!r} is no range first:last of frame numbers")
        found += [(int(match[1]), int(match[2])) for match in _RANGE.finditer(part)]
    return check_ranges(np.array(found, dtype=np.int64).reshape(-1, 2), where)


def check_ranges(ranges: np.ndarray, where: str) -> np.ndarray:
    """Return (k, 2) int64 ranges counted from 1, or refuse one that begins before frame 1 or ends
    before it begins.
    """
    for first, last in ranges:
        if first < 1 or last < first:
            raise DataError(
                f"{where}: {first}:{last} is no range of frames; they are counted from 1, first to last"
            )
    return ranges


def ranges_to_labels(ranges: np.ndarray, length: int, where: str) -> np.ndarray:
    """Return 0/1 a frame, (length,) uint8, of (k, 2) ranges counted from 1, both ends included.

    Raises
    ------
    DataError : a range that reaches beyond the clip, with both lengths.
    """
    labels = np.zeros(length, dtype=np.uint8)
    for first, last in ranges.astype(np.int64):
        if last > length:
            raise DataError(
                f"{where} call frames {first} to {last} (counted from 1) abnormal, but the clip has {length} frames; "
                "frames are missing, or the labels are another version"
            )
        labels[first - 1 : last] = 1
    return labels


def ranges_of_rows(
    path: Path, rows: Sequence[tuple[int, list[str]]], clips: Container[str]
) -> dict[str, list[tuple[int, int, int]]]:
    """Return clip id -> (first frame, last frame, line of the file) of the rows of a CSV below the
    header `clip,first,last`.

    Frames are counted from 0, both ends included.

    Raises
    ------
    DataError : a clip that is not among `clips`, anything that is no whole number, with file and
        line.
    """
    ranges: dict[str, list[tuple[int, int, int]]] = {}
    for line, row in rows:
        where = f"{path}, line {line}"
        clip, first, last = clip_and_numbers(where, row, CSV_HEADER, clips)
        if last < first:
            raise DataError(f"{where}: the range ends ({last}) before it begins ({first})")
        ranges.setdefault(clip, []).append((first, last, line))
    return ranges


def clip_and_numbers(
    where: str, row: Sequence[str], header: Sequence[str], clips: Container[str]
) -> tuple[str, int, int]:
    """Return the test clip of a row, and the two whole numbers behind it.

    Raises
    ------
    DataError : another number of cells, a clip that is not among `clips`, or something that is no
        whole number.
    """
    if len(row) != len(header):
        raise DataError(
            f"{where}: {','.join(row)!r} has {len(row)} cells, expected {len(header)}: {','.join(header)}"
        )
    clip = unicodedata.normalize("NFC", row[0])
    if clip not in clips:
        raise DataError(
            f"{where}: there is no test clip {clip!r}; clips are called as their folders, or as their video files without ending"
        )
    for name, text in zip(header[1:], row[1:]):
        if not _INT.fullmatch(text):
            raise DataError(
                f"{where}: {name} is {text!r}, expected a whole number"
                + (", a frame counted from 0" if name != "label" else "")
            )
    return clip, int(row[1]), int(row[2])


def csv_labels(
    ranges: Mapping[str, list[tuple[int, int, int]]], clip: str, length: int, path: Path
) -> np.ndarray:
    """Return 0/1 a frame, (length,) uint8, of the ranges that a CSV has for a clip; a clip not
    mentioned is normal.

    Raises
    ------
    DataError : a range that reaches beyond the clip, with file and line.
    """
    labels = np.zeros(length, dtype=np.uint8)
    for first, last, line in ranges.get(clip, ()):
        if last >= length:
            raise DataError(
                f"{path}, line {line}: the range ends at frame {last}, but clip {clip} has {length} frames, "
                f"so its last one is {length - 1} (counted from 0)"
            )
        labels[first : last + 1] = 1
    return labels
