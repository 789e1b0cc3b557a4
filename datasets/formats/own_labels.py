"""Labels of one's own footage: ranges of abnormal frames, or 0/1 a frame."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench import DataError, natural_order

from .arrays import as_labels, as_row, read_npy, read_npz
from .csv_file import read_rows
from .layout import entries
from .ranges import CSV_HEADER, clip_and_numbers, csv_labels, ranges_of_rows
from .unreadable import refuse_unreadable

FRAME_HEADER = ("clip", "frame", "label")
ENDINGS = frozenset({".csv", ".npy", ".npz"})
READ = (
    f"what is read is a CSV with the header {','.join(CSV_HEADER)} (abnormal ranges, frames counted from 0, both ends included) or "
    f"{','.join(FRAME_HEADER)} (0 or 1 for each frame), an .npz with one array of 0/1 for each test clip (key = clip), "
    "an .npy or a CSV of one column with the 0/1 of all test clips in a row, or a folder with one .npy for each test clip"
)
_SHOWN = 3


@dataclass(frozen=True)
class OwnLabels:
    """The labels in one file, or in one folder of `.npy` files; one of the three kinds is there."""

    path: Path
    ranges: Mapping[str, list[tuple[int, int, int]]] | None = None
    """Clip -> (first, last, line of the file); clips that are not in it are normal."""
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Clip -> (N,) uint8, of every test clip."""
    row: np.ndarray | None = None
    """(N,) uint8 of all test clips, one behind the other in the order of their names."""

    def content(self, clip: str) -> bytes:
        """Return what tells the labels of a clip from others, without its length."""
        if self.ranges is not None:
            return repr(
                sorted((first, last) for first, last, _ in self.ranges.get(clip, ()))
            ).encode()
        return self.row.tobytes() if self.row is not None else self.arrays[clip].tobytes()

    def of(self, clip: str, length: int, lengths: Callable[[], Mapping[str, int]]) -> np.ndarray:
        """Return 0/1 a frame, (length,) uint8, of a test clip.

        Parameters
        ----------
        lengths : called for the frames of all test clips where the labels are one row.

        Raises
        ------
        DataError : labels that do not fit the clip, with both lengths.
        """
        if self.ranges is not None:
            return csv_labels(self.ranges, clip, length, self.path)
        labels = self._cut(clip, lengths()) if self.row is not None else self.arrays[clip]
        if len(labels) != length:
            raise DataError(
                f"clip {clip} has {length} frames, its labels in {self.path} have {len(labels)}; there must be one for each frame"
            )
        return labels.copy()

    def _cut(self, clip: str, lengths: Mapping[str, int]) -> np.ndarray:
        assert self.row is not None
        total = sum(lengths.values())
        if len(self.row) != total:
            raise DataError(
                f"{self.path} has {len(self.row)} labels in one row, the {len(lengths)} test clips have {total} frames; write an .npz with one "
                "array for each clip (key = clip)"
            )
        start = sum(length for name, length in lengths.items() if name < clip)
        return self.row[start : start + lengths[clip]]


def read_own_labels(
    path: Path, clips: Sequence[str], files: Sequence[Path] | None = None
) -> OwnLabels:
    """Return the labels in a file, whatever its ending, or in a folder.

    Parameters
    ----------
    clips : ids of the test clips, in NFC.
    files : those of a folder that are read; None: each `.npy` in it.

    Raises
    ------
    DataError : nothing of what `READ` tells; a clip that is not among `clips`, one that has no
        labels, values other than 0 and 1.
    """
    if path.is_dir():
        if files is None:
            named = [path / entry.name for entry in entries(path) if entry.is_file()]
            files = [one for one in named if one.suffix.lower() == ".npy"]
        return _per_clip(path, {one.stem: read_npy(one) for one in files}, clips)
    refuse_unreadable(path)
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"PK\x03\x04"):
        return _per_clip(path, read_npz(path), clips)
    if start.startswith(b"\x93NUMPY"):
        return OwnLabels(path, row=_row(path, as_row(read_npy(path), str(path)), clips))
    if start.startswith((b"MATLAB", b"\x89HDF")):
        raise DataError(f"{path} is a Matlab or HDF5 file; {READ}")
    return _read_csv(path, clips)


def _per_clip(path: Path, arrays: Mapping[str, np.ndarray], clips: Sequence[str]) -> OwnLabels:
    """Return labels by clip; there must be one array for each test clip, and no other."""
    named: dict[str, np.ndarray] = {}
    for key, array in arrays.items():
        clip = unicodedata.normalize("NFC", key)
        if clip not in clips:
            unnamed = (
                " (an array that was saved without a name)"
                if re.fullmatch("arr_[0-9]+", key)
                else ""
            )
            raise DataError(
                f"{path}: there is no test clip {key!r}{unnamed}; the test clips are {_some(clips)}"
            )
        if clip in named:
            raise DataError(f"{path} has labels of clip {clip!r} twice")
        named[clip] = as_labels(array, f"{path}, clip {clip}")
    _refuse_missing(path, [clip for clip in clips if clip not in named])
    return OwnLabels(path, arrays=named)


def _refuse_missing(path: Path, clips: Sequence[str]) -> None:
    if clips:
        raise DataError(
            f"{path} has no labels of the test clips {_some(clips)} ({len(clips)}); each needs 0/1 for all its frames"
        )


def _row(path: Path, row: np.ndarray, clips: Sequence[str]) -> np.ndarray:
    """Return labels of all clips in a row where the order of the clips is beyond doubt."""
    by_number = natural_order(clips)
    if by_number != sorted(clips):
        one, other = next(
            (one, other) for one, other in zip(by_number, sorted(clips)) if one != other
        )
        raise DataError(
            f"{path} holds the labels of all clips in a row, but the order of the clips is in doubt: {one!r} or {other!r} may come first; "
            "write an .npz with one array for each clip (key = clip)"
        )
    return row


def _read_csv(path: Path, clips: Sequence[str]) -> OwnLabels:
    try:
        rows = read_rows(path)
    except DataError as error:
        raise DataError(f"{error}; {READ}") from error
    header = tuple(cell.casefold() for cell in rows[0][1]) if rows else ()
    if header == CSV_HEADER:
        return OwnLabels(path, ranges=ranges_of_rows(path, rows[1:], clips))
    if header == FRAME_HEADER:
        return _frame_by_frame(path, rows[1:], clips)
    if (
        header
        and all(cell in ("0", "1") for _, row in rows for cell in row)
        and (len(rows) == 1 or len(header) == 1)
    ):
        return OwnLabels(
            path,
            row=_row(
                path, np.array([int(cell) for _, row in rows for cell in row], np.uint8), clips
            ),
        )
    line, found = (rows[0][0], repr(",".join(rows[0][1])[:80])) if rows else (1, "nothing")
    raise DataError(
        f"{path}, line {line}: expected the header {','.join(CSV_HEADER)!r} or {','.join(FRAME_HEADER)!r}, found {found}; {READ}"
    )


def _frame_by_frame(
    path: Path, rows: Sequence[tuple[int, list[str]]], clips: Sequence[str]
) -> OwnLabels:
    """Read a line for each frame, in any order."""
    found: dict[str, dict[int, int]] = {}
    for line, row in rows:
        where = f"{path}, line {line}"
        clip, frame, label = clip_and_numbers(where, row, FRAME_HEADER, clips)
        if label not in (0, 1):
            raise DataError(f"{where}: label is {label}, expected 0 (normal) or 1 (abnormal)")
        if frame in found.setdefault(clip, {}):
            raise DataError(f"{where}: frame {frame} of clip {clip} a second time")
        found[clip][frame] = label
    for clip, labels in found.items():
        missing = next((frame for frame in range(len(labels)) if frame not in labels), None)
        if missing is not None:
            raise DataError(
                f"{path}: clip {clip} has no label for frame {missing} (frames are counted from 0)"
            )
    _refuse_missing(path, [clip for clip in clips if clip not in found])
    return OwnLabels(
        path,
        arrays={
            clip: np.array([labels[frame] for frame in range(len(labels))], np.uint8)
            for clip, labels in found.items()
        },
    )


def _some(clips: Sequence[str]) -> str:
    return ", ".join(map(repr, clips[:_SHOWN])) + (" ..." if len(clips) > _SHOWN else "")
