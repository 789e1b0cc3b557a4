"""Reading files of numbers that anybody may have written (`.npy`, `.npz`, text): nothing is
unpickled, no size is believed.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

LARGEST = 1 << 29
"""Bytes that the arrays of one `.npz` may take, or one `.npy` that is not mapped. Chosen here: half
a GiB is a score a frame of a month of video, and a small file can claim any size."""
_MAGIC = b"\x93NUMPY"


def load_npy(path: Path, mapped: bool = False) -> np.ndarray:
    """Return the array of a `.npy` file, memory-mapped, read-only, where asked for.

    Raises
    ------
    OSError : the file cannot be read.
    ValueError : it is no such file, is damaged, holds Python objects, or is too large, with the
        reason.
    """
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        needed = _described(file, size).needed
        if mapped and needed:
            return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
        if needed > LARGEST:
            raise ValueError(f"it holds {needed} bytes, more than the {LARGEST} that are read")
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)


def load_npz(source: Path | IO[bytes]) -> dict[str, np.ndarray]:
    """Return the arrays of a `.npz` by their names.

    Raises
    ------
    OSError : the file cannot be read.
    ValueError : it is no such file, is damaged, holds Python objects, two arrays of one name,
        something that is no array, or is too large, with the reason.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > LARGEST:
                raise ValueError(
                    f"unpacked it would take {total} bytes, more than the {LARGEST} that are read"
                )
            arrays: dict[str, np.ndarray] = {}
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name in arrays:
                    raise ValueError(f"it holds {name!r} twice")
                arrays[name] = _array(archive.read(member), name)
            return arrays
    except (OSError, ValueError):
        raise
    except Exception as error:  # a damaged archive raises whatever zipfile and zlib stumble over
        raise ValueError(str(error) or type(error).__name__) from error


def load_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, list[float]]]:
    """Yield the lines of a text file of comma-separated numbers: where each stands, for errors, and
    its numbers.

    Empty lines are passed over.

    Raises
    ------
    OSError : the file cannot be read.
    ValueError : it is no text, or a line does not hold one finite number for each of `columns`;
        with its place.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} cannot be read ({error})") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}: {line.strip()[:60]!r}"
        try:
            values = [float(part) for part in line.split(",")]
        except ValueError:
            values = []
        if len(values) != len(columns) or not all(map(math.isfinite, values)):
            raise ValueError(f"{where} must be {len(columns)} numbers: {', '.join(columns)}")
        yield where, values


class _Described(NamedTuple):
    """What the header of a `.npy` promises."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    start: int
    """Of the values, in bytes."""
    needed: int
    """Bytes that the values take."""


def _array(content: bytes, name: str) -> np.ndarray:
    if not content.startswith(_MAGIC):
        raise ValueError(f"{name!r} is no array")
    try:
        found = _described(io.BytesIO(content), len(content))
    except ValueError as error:
        raise ValueError(f"{name!r}: {error}") from error
    count = math.prod(found.shape)
    values = np.frombuffer(content, found.dtype, count, found.start).copy()
    return values.reshape(found.shape, order="F" if found.fortran else "C")


def _described(file: IO[bytes], size: int) -> _Described:
    """Return what the header promises; refuse one that promises what is not there."""
    try:
        lead = file.read(12)
        behind = 10 if lead[6:7] == b"\x01" else 12  # version 1 has two bytes for the length
        file.seek(0)
        header = file.read(behind + int.from_bytes(lead[8:behind], "little"))
        shape, fortran, dtype = _parsed(header)
    except Exception as error:  # numpy raises whatever its parser stumbles over
        raise ValueError(f"it is no array that numpy can read: {error}") from error
    if dtype.hasobject:
        raise ValueError("it holds an array of Python objects, which is a pickle")
    needed = dtype.itemsize
    for length in shape:
        if type(length) is not int or not 0 <= length < 2**63:
            raise ValueError(f"an array cannot have the shape {shape}")
        needed *= length
    if needed > size - len(header):
        raise ValueError(
            f"an array {dtype} {shape} takes {needed} bytes, and {size - len(header)} are there"
        )
    return _Described(shape, fortran, dtype, len(header), needed)


@lru_cache(maxsize=1024)
def _parsed(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, order and type of a header. Kept, because the files of a run have thousands of
    arrays with few headers, and numpy takes longer to read a header than its values.
    """
    file = io.BytesIO(header)
    version = np.lib.format.read_magic(file)  # type: ignore[arg-type]
    read: Any = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    found: tuple[tuple[int, ...], bool, np.dtype[Any]] = read(file)
    return found
