"""Damage of images that decoders pass over with a warning: what they print, and what no encoder
writes.

JPEG, WebP and JPEG 2000 have no checksums, so that a few changed bytes can decode to another
image without a trace.
"""

from __future__ import annotations

import io
import os
import re
import tempfile
import warnings
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from multiprocessing import get_context
from typing import IO

from bench.contracts.clip import Clip, ImageFiles
from bench.errors import DataError
from bench.files import source_file
from bench.frames.decode import read_frames

FRAMES_A_PROCESS = 500
"""Frames from which on another process is worth its start. Chosen here: about a second of
decoding."""
ZEROS = bytes(32)
"""So many zeros in a row no encoder writes into compressed data. Chosen here: the longest run in
4,560 JPEGs of UCSD Ped2 has 7."""
# libjpeg's jerror.h, libtiff's names of functions: what is said of tags, colour spaces and versions
# is no damage.
_JPEG = re.compile(
    r"^(?:Corrupt JPEG data: (?!bad ICC)|Premature end of JPEG|Inconsistent progression)",
    re.MULTILINE,
)
_TIFF = re.compile(r"TIFF_Error \S.*|TIFF_Warning (?!TIFF[A-Z]|_TIFF)\w+: .*")
_DEFLATE, _LZW, _PACKBITS = (8, 32946), 5, 32773
"""TIFF 6.0, tag Compression, and the Adobe notes on deflate."""

_printed: IO[bytes] | None = None


def find_damage(clips: Sequence[Clip]) -> Iterator[tuple[Clip, str]]:
    """Decode clips of images whole, in processes of their own, and yield each in turn with what
    is wrong, or an empty text.

    A decoder prints its warnings to stderr, which belongs to the whole process; there nobody else
    prints.
    """
    frames = sum(len(clip.source.paths) for clip in clips if isinstance(clip.source, ImageFiles))
    affinity = getattr(os, "sched_getaffinity", None)  # which macOS lacks
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    workers = min(cores, 1 + frames // FRAMES_A_PROCESS)
    left = list(clips)
    while left:
        with ProcessPoolExecutor(workers, get_context("spawn"), _take_stderr) as pool:
            for clip, answer in [(clip, pool.submit(_damage, clip)) for clip in left]:
                try:
                    text = answer.result()
                except BrokenExecutor:
                    if workers > 1:  # one of those under way did it
                        workers = 1
                        break
                    text = f"clip {clip.id}: decoding its images ended the process that did it; {source_file.AGAIN}"
                    left = left[1:]
                    yield clip, text
                    break
                left = left[1:]
                yield clip, text


def _take_stderr() -> None:
    """Have what libraries print to stderr written to a file that can be looked at."""
    from cv2.utils import logging

    global _printed
    logging.setLogLevel(logging.LOG_LEVEL_WARNING)
    _printed = tempfile.TemporaryFile()  # noqa: SIM115
    os.dup2(_printed.fileno(), 2)
    source_file.listening = True


def _damage(clip: Clip) -> str:
    assert isinstance(clip.source, ImageFiles)
    _what_was_printed()
    try:
        for index, (path, _) in enumerate(zip(clip.source.paths, read_frames(clip))):
            if found := warned(_what_was_printed()) or zeros(path.read_bytes()):
                return f"clip {clip.id}, frame {index}: {path} is damaged: {found}; {source_file.AGAIN}"
    except (DataError, OSError) as error:
        return str(error)
    return ""


def _what_was_printed() -> str:
    assert _printed is not None
    _printed.seek(0)
    text = _printed.read().decode(errors="replace")
    _printed.seek(0)
    _printed.truncate()
    return text


def warned(printed: str) -> str:
    """Return the first line that tells of damage among what a decoder printed; empty where none
    does.
    """
    for line in printed.splitlines():
        if _JPEG.search(line):
            return f"its decoder says {line.strip()!r}"
        if match := _TIFF.search(line):
            return f"its decoder says {match[0].split(' ', 1)[1].strip()!r}"
    return ""


def zeros(content: bytes) -> str:
    """Return what shows that zeros lie where a JPEG or a compressed TIFF has data; empty where
    nothing does.
    """
    if content.startswith(b"\xff\xd8"):
        places = _scan(content)
    elif content.startswith((b"II*\0", b"MM\0*")):
        kind, places = _strips(content)
        if kind in _DEFLATE:
            return next(
                (text for start, end in places if (text := _inflate(content[start:end]))), ""
            )
        if kind not in (_LZW, _PACKBITS):
            return ""
    else:
        return ""
    for start, end in places:
        if (found := content.find(ZEROS, start, end)) >= 0:
            return f"zeros lie in its compressed data, from byte {found} on"
    return ""


def _scan(content: bytes) -> list[tuple[int, int]]:
    """Return where the data of a sequential JPEG lie, if zeros cannot be a flat area in its code
    (ITU-T T.81, annexes B and C).

    Zero bits are the code of the first symbol of a table. Where that of the first AC table is the
    end of a block, zeros may be one flat block behind the other; else they are an image that no
    camera sees.
    """
    position, first = 2, 0
    while position + 4 <= len(content) and content[position] == 0xFF:
        marker, length = (
            content[position + 1],
            int.from_bytes(content[position + 2 : position + 4], "big"),
        )
        if marker == 0xC2:  # progressive: scans of bits, in which zeros are usual
            return []
        segment = content[position + 4 : position + 2 + length]
        while marker == 0xC4 and len(segment) > 17:
            symbols = sum(segment[1:17])
            if segment[0] == 0x10 and symbols:
                first = segment[17]
            segment = segment[17 + symbols :]
        position += 2 + length
        if marker == 0xDA:
            # Cameras and cards may pad a file behind the end of the image; 0xFF in data has 0 behind.
            end = content.find(b"\xff\xd9", position)
            return [(position, end if end >= 0 else len(content))] if first else []
    return []


def _strips(content: bytes) -> tuple[int, list[tuple[int, int]]]:
    """Return the compression of a TIFF, and where the data of its strips or tiles lie."""
    from PIL import Image

    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(content)) as image:
            warnings.simplefilter("ignore")
            tags = image.tag_v2  # type: ignore[attr-defined]
            starts, sizes = (
                (tags.get(273), tags.get(279)) if 273 in tags else (tags.get(324), tags.get(325))
            )
            return int(tags.get(259, 1)), [
                (start, start + size) for start, size in zip(starts, sizes)
            ]
    except Exception:  # what Pillow does not know, OpenCV has decoded: there is nothing to look at
        return 1, []


def _inflate(content: bytes) -> str:
    """Return what zlib says of a deflated strip: it has a checksum, which libtiff does not look at
    where the image is full before.
    """
    stream = zlib.decompressobj()
    try:
        stream.decompress(content)
    except zlib.error as error:
        return f"its deflated data are wrong ({error})"
    return "" if stream.eof else "its deflated data end too early"
