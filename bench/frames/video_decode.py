"""Decoding of one video file: its frames, and what its container says of their number."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..dataset import Clip
from ..errors import DataError
from .source_file import AGAIN, quiet_opencv, refuse_stand_in

# A container's header may count one or two frames that no decoder returns (null frames, packed B-frames), or miss some.
HEADER_SLACK = 2
# AVI RIFF file reference, AVIOLDINDEX.
AVI_INDEX = np.dtype([("kind", "S4"), ("flags", "<u4"), ("offset", "<u4"), ("length", "<u4")])


def video_frames(clip: Clip, path: Path) -> Iterator[tuple[Path, np.ndarray]]:
    """Yield the path and each frame, (H, W, 3) BGR uint8, of a video in order; refuse one that ends too early."""
    count = 0
    with open_video(clip, path) as video:
        promised = header_count(video)
        while True:
            found, frame = video.read()
            if not found:
                break
            if frame.dtype != np.uint8:
                raise DataError(
                    f"clip {clip.id}, frame {count}: {path} has {frame.dtype.itemsize * 8} bits a channel; only videos with 8 are read"
                )
            count += 1
            yield path, frame
    if promised - count > HEADER_SLACK:
        # The header is an estimate: it is believed only where the frames' own data are found in the file.
        stored = max(_packets(path), _indexed_frames(path))
        if stored - count > HEADER_SLACK:
            raise DataError(f"clip {clip.id}: {path} is damaged: it holds {stored} frames, of which {count} can be decoded; {AGAIN}")


@contextlib.contextmanager
def open_video(clip: Clip, path: Path) -> Iterator[Any]:
    """Open a video with OpenCV's FFmpeg for as long as the block lasts; raise `DataError` where that fails."""
    import cv2

    where = f"clip {clip.id}: {path}"
    try:
        with path.open("rb") as file:
            refuse_stand_in(file.read(256), where)
    except OSError as error:
        raise DataError(f"{where} cannot be read: {error.strerror or error}") from error
    _refuse_truncated_avi(path, where)
    with quiet_opencv():
        # Left to itself OpenCV takes a name with digits for a sequence of pictures when the video cannot be opened.
        video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not video.isOpened():
            raise DataError(f"{where} cannot be opened as a video: it is truncated, damaged, or of an unknown kind; {AGAIN}")
        yield video
    finally:
        video.release()


def header_count(video: Any) -> int:
    """Return the number of frames that the container's header states; 0 where it states none that can be."""
    import cv2

    count = float(video.get(cv2.CAP_PROP_FRAME_COUNT))
    return int(count) if 0 < count < 1e9 else 0


def _packets(path: Path) -> int:
    """Return the number of encoded frames that can be found in a video, decoded or not."""
    import cv2

    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        count = 0
        if video.set(cv2.CAP_PROP_FORMAT, -1):
            while video.grab():
                count += 1
        return count
    finally:
        video.release()


def _refuse_truncated_avi(path: Path, where: str) -> None:
    """Compare the sizes in an AVI's outermost chunks with the file's own."""
    size = path.stat().st_size
    with path.open("rb") as file:
        position = 0
        while header := _chunk(file, position):
            kind, length = header
            if kind != b"RIFF" or length in (0, 0xFFFFFFFF):  # 0, -1: a writer that did not come back to fill it in
                return
            end = position + 8 + length
            if end > size:
                raise DataError(f"{where} is truncated: it has {size} bytes, its header says {end}; {AGAIN}")
            position = end + length % 2


def _indexed_frames(path: Path) -> int:
    """Return the frames with content that an AVI's index (`idx1`) lists for its first video stream; 0 where there is none."""
    with path.open("rb") as file:
        if _chunk(file, 0) is None or file.read(4) != b"AVI ":
            return 0
        position = 12
        while header := _chunk(file, position):
            kind, length = header
            if kind == b"idx1":
                entries = np.frombuffer(file.read(length // 16 * 16), dtype=AVI_INDEX)
                kinds = entries["kind"]
                pictures = kinds[np.char.endswith(kinds, b"dc") | np.char.endswith(kinds, b"db")]
                return int(((kinds == pictures[0]) & (entries["length"] > 0)).sum()) if len(pictures) else 0
            position += 8 + length + length % 2
    return 0


def _chunk(file: Any, position: int) -> tuple[bytes, int] | None:
    file.seek(position)
    header = file.read(8)
    return (header[:4], int.from_bytes(header[4:], "little")) if len(header) == 8 else None
