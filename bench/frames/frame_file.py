"""One file of the frame store: the frames of a clip in one format, a `.npy` that is written frame
by frame, and the record beside it, by which the file is known to be whole.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from bench.contracts.method import FrameFormat
from bench.files.cache import cannot_write, replacing
from bench.frames.conversion import CONVERSION, converted_bgr

CHUNK = 1 << 24
"""Bytes read at once when a checksum is verified."""


def array_shape(frames: FrameFormat, length: int) -> tuple[int, ...]:
    """Return (N, H, W) or (N, H, W, 3) of so many frames."""
    return (
        (length, *frames.size) if frames.channels == 1 else (length, *frames.size, frames.channels)
    )


def file_size(frames: FrameFormat, length: int) -> int:
    """Return the bytes of a file of so many frames."""
    return int(np.prod(array_shape(frames, length), dtype=np.int64)) + len(_header((0,)))


def is_whole(path: Path, frames: FrameFormat, fingerprint: str) -> bool:
    """Whether an entry is there, whole, and made from the sources as they are.

    The content is read only where size or time of change differ from what was recorded at writing.
    """
    record = read_record(path)
    if (
        record is None
        or record.get("conversion") != CONVERSION
        or record.get("sources") != fingerprint
    ):
        return False
    try:
        if list(array_shape(frames, record["shape"][0])) != record["shape"]:
            return False
        status = path.stat()
        if status.st_size != record["bytes"]:
            return False
        header = _header(tuple(record["shape"]))
        with path.open("rb") as file:
            if file.read(len(header)) != header:
                return False
            if status.st_mtime_ns == record["changed"]:
                return True
            if _checksum(file) != record["crc32"]:
                return False
        with contextlib.suppress(OSError):  # the next look need not read it again
            os.utime(path, ns=(status.st_atime_ns, record["changed"]))
        return True
    except (OSError, KeyError, IndexError, TypeError):
        return False


def read_record(path: Path) -> dict[str, Any] | None:
    """Return the record beside a file; None where there is none, or it is damaged."""
    try:
        record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return (
        record
        if isinstance(record, dict) and {"bytes", "shape", "changed", "crc32"} <= record.keys()
        else None
    )


def _checksum(file: IO[bytes]) -> int:
    checksum = 0
    while chunk := file.read(CHUNK):
        checksum = zlib.crc32(chunk, checksum)
    return checksum


@dataclasses.dataclass
class FrameWriter:
    """One format of one clip on its way to disk; frame by frame, so that memory stays flat."""

    frames: FrameFormat
    file: IO[bytes]
    length: int = 0
    checksum: int = 0

    def __post_init__(self) -> None:
        self.file.write(_header(array_shape(self.frames, 0)))

    def add(self, frame: np.ndarray) -> None:
        """Convert and write the next frame as it is decoded: gray or BGR."""
        content = converted_bgr(frame, self.frames).tobytes()
        self.file.write(content)
        self.checksum = zlib.crc32(content, self.checksum)
        self.length += 1

    def finish(self) -> dict[str, Any]:
        """Put the header in its place, now that the number of frames is known, and return what
        the record holds of the file.
        """
        shape = array_shape(self.frames, self.length)
        size = self.file.tell()
        self.file.seek(0)
        self.file.write(_header(shape))
        return {
            "shape": list(shape),
            "bytes": size,
            "crc32": self.checksum,
            "conversion": CONVERSION,
        }


def _header(shape: tuple[int, ...]) -> bytes:
    """Return the 128 bytes that open a `.npy` file (format 1.0) of uint8, whatever the shape: so it
    can be written last.
    """
    text = repr({"descr": "|u1", "fortran_order": False, "shape": shape}).encode("latin1")
    return np.lib.format.magic(1, 0) + (118).to_bytes(2, "little") + text.ljust(117) + b"\n"


def remove_record(path: Path, what: str) -> None:
    """Remove the record, without which the file does not count: a process killed later leaves
    nothing misleading.

    Raises
    ------
    DataError : it cannot be removed.
    """
    try:
        path.with_suffix(".json").unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path.parent, error, what) from error


def write_record(path: Path, record: dict[str, Any], fingerprint: str, what: str) -> None:
    """Write what `FrameWriter.finish` returned beside a finished file, with the `fingerprint` of
    its sources.

    Raises
    ------
    DataError : it cannot be written.
    """
    try:
        changed = path.stat().st_mtime_ns
    except OSError as error:
        raise cannot_write(path.parent, error, what) from error
    with replacing(path.with_suffix(".json"), what) as file:
        file.write(
            json.dumps({**record, "changed": changed, "sources": fingerprint}, indent=1).encode()
        )
