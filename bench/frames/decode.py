"""Decoding: the frames of a clip, in order, and how many there are.

Damaged files are refused, never half-decoded: a lost frame would shift every label behind it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..dataset import Clip, ImageFiles, VideoFile
from ..errors import DataError
from .cache import cache_folder, replacing

AGAIN = "copy or unpack it again"
LFS_POINTER = b"version https://git-lfs"
# A container's header may count one or two frames that no decoder returns (null frames, packed B-frames), or miss some.
HEADER_SLACK = 2
# AVI RIFF file reference, AVIOLDINDEX.
AVI_INDEX = np.dtype([("kind", "S4"), ("flags", "<u4"), ("offset", "<u4"), ("length", "<u4")])


def read_frames(clip: Clip, channels: int = 3) -> Iterator[np.ndarray]:
    """Decode a clip once, in order, at its own size.

    Parameters
    ----------
    channels : 3 for (H, W, 3) uint8 RGB, 1 for (H, W) uint8 gray: BT.601 luma of colour files, one-channel files as they are.

    Yields
    ------
    One array a frame; a new one each time.

    Raises
    ------
    DataError : a file is missing, truncated, damaged, a Git LFS pointer, not 8 bits deep, or of another size than the first
        frame, with file and frame (from 0). A video that ends too early is known at its end only.
    """
    source = _source(clip)
    frames = _images(clip, source) if isinstance(source, ImageFiles) else _video(clip, source.path)
    first: tuple[int, int] | None = None
    for index, (path, frame) in enumerate(frames):
        if first is None:
            first = frame.shape[:2]
        elif frame.shape[:2] != first:
            raise DataError(
                f"clip {clip.id}, frame {index}: {path} is {_size(frame.shape[:2])}, but frame 0 is {_size(first)} (width x height); "
                "all frames of a clip must have one size: was a file of another clip copied here?"
            )
        yield _convert(frame, channels)
    if first is None:
        raise DataError(
            f"clip {clip.id} has no frames" + (f": nothing can be decoded of {source.path}" if isinstance(source, VideoFile) else "")
        )


def count_frames(clip: Clip) -> int:
    """Return the number of frames of a clip: of files, or of frames that come out of a video.

    A video is decoded once; its count is remembered in the cache folder, by path, size and time of change.

    Raises
    ------
    DataError : the clip has no frames here, or its video is missing or damaged.
    """
    source = _source(clip)
    if isinstance(source, ImageFiles):
        return len(source.paths)
    known = remembered_count(source.path)
    if known is None:
        known = sum(1 for _ in read_frames(clip))
        remember_count(source.path, known)
    return known


def estimate_frames(clip: Clip) -> int:
    """Return the number of frames as far as it is known without decoding: for a video not yet counted, what its header says."""
    source = _source(clip)
    if isinstance(source, ImageFiles):
        return len(source.paths)
    known = remembered_count(source.path)
    if known is not None:
        return known
    with _capture(clip, source.path) as video:
        return max(1, _header_count(video))


def frame_rate(clip: Clip) -> float | None:
    """Return the frames a second that a video's header says; None for pictures, and where it says nothing that can be."""
    import cv2

    source = _source(clip)
    if isinstance(source, ImageFiles):
        return None
    with _capture(clip, source.path) as video:
        rate = float(video.get(cv2.CAP_PROP_FPS))
    return rate if 0 < rate <= 1000 else None


def remembered_count(path: Path) -> int | None:
    """Return the frames counted earlier in a video that has not changed since, or None."""
    try:
        record = json.loads(_count_file(path).read_text(encoding="utf-8"))
        return int(record["frames"]) if record["video"] == _identity(path) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember_count(path: Path, frames: int) -> None:
    """Keep the number of frames of a video. A cache that cannot be written costs a second decoding, no error."""
    with contextlib.suppress(DataError, OSError), replacing(_count_file(path), "a frame count") as file:
        file.write(json.dumps({"video": _identity(path), "frames": frames}).encode())


def _count_file(path: Path) -> Path:
    return cache_folder() / "frame-counts" / f"{hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:32]}.json"


def _identity(path: Path) -> list[Any]:
    status = path.stat()
    return [str(path.absolute()), status.st_size, status.st_mtime_ns]


def _source(clip: Clip) -> ImageFiles | VideoFile:
    if clip.source is None:
        raise DataError(f"clip {clip.id}: there are only labels of it here, no frames")
    return clip.source


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _convert(frame: np.ndarray, channels: int) -> np.ndarray:
    """Return a decoded frame, gray or BGR, as gray or RGB."""
    import cv2

    if frame.ndim == 2:
        return frame if channels == 1 else cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB)
    return cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY if channels == 1 else cv2.COLOR_BGR2RGB)


# ---------------------------------------------------------------------------------------------------------------- images


def _images(clip: Clip, source: ImageFiles) -> Iterator[tuple[Path, np.ndarray]]:
    for index, path in enumerate(source.paths):
        where = f"clip {clip.id}, frame {index}: {path}"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(f"{where} cannot be read: {error.strerror or error}") from error
        yield path, _decode_image(content, where)


def _decode_image(content: bytes, where: str) -> np.ndarray:
    import cv2

    _refuse_stand_in(content, where)
    if content.startswith(b"\xff\xd8") and not _has_end_of_jpeg(content):
        # Some decoders fill what is missing with gray and only print a warning.
        raise DataError(f"{where} is truncated: a JPEG that ends after {len(content)} bytes, before its end marker; {AGAIN}")
    with _quiet():
        try:
            frame = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:
            frame = None
    if frame is None:
        raise DataError(f"{where} cannot be decoded ({len(content)} bytes): it is truncated, damaged, or no picture; {AGAIN}")
    if frame.dtype != np.uint8:
        raise DataError(f"{where} has {frame.dtype.itemsize * 8} bits a channel ({frame.dtype}); only pictures with 8 are read: convert it")
    if frame.ndim == 3 and frame.shape[2] == 4:
        frame = frame[:, :, :3]
    if frame.ndim == 3 and frame.shape[2] == 1:
        frame = frame[:, :, 0]
    if frame.ndim == 3 and frame.shape[2] != 3:
        raise DataError(
            f"{where} has {frame.shape[2]} channels; pictures with 1 (gray), 3 (colour) or 4 (colour and transparency) are read"
        )
    return frame


def _refuse_stand_in(content: bytes, where: str) -> None:
    if not content:
        raise DataError(f"{where} is empty (0 bytes); {AGAIN}")
    if content.startswith(LFS_POINTER):
        raise DataError(
            f"{where} is a Git LFS pointer of {len(content)} bytes, not the file itself; fetch it with `git lfs pull` in its repository"
        )


def _has_end_of_jpeg(content: bytes) -> bool:
    """Whether an end-of-image marker follows the picture's own data (a thumbnail before it has one of its own).

    ITU-T T.81, annex B: segments carry their length, up to start of scan; in the data behind, 0xFF is followed by 0x00.
    """
    position = 2
    while position + 4 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker == 0xDA:
            return content.find(b"\xff\xd9", position) >= 0
        position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
    return False


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep OpenCV's own lines off the terminal: an error of ours says the same, with file and frame."""
    from cv2.utils import logging

    before = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(before)


# ---------------------------------------------------------------------------------------------------------------- videos


def _video(clip: Clip, path: Path) -> Iterator[tuple[Path, np.ndarray]]:
    count = 0
    with _capture(clip, path) as video:
        promised = _header_count(video)
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
def _capture(clip: Clip, path: Path) -> Iterator[Any]:
    import cv2

    where = f"clip {clip.id}: {path}"
    try:
        with path.open("rb") as file:
            _refuse_stand_in(file.read(256), where)
    except OSError as error:
        raise DataError(f"{where} cannot be read: {error.strerror or error}") from error
    _refuse_truncated_avi(path, where)
    with _quiet():
        # Left to itself OpenCV takes a name with digits for a sequence of pictures when the video cannot be opened.
        video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not video.isOpened():
            raise DataError(f"{where} cannot be opened as a video: it is truncated, damaged, or of an unknown kind; {AGAIN}")
        yield video
    finally:
        video.release()


def _header_count(video: Any) -> int:
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
