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
from .image_decode import image_frames
from .video_decode import header_count, open_video, video_frames


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
    frames = image_frames(clip, source) if isinstance(source, ImageFiles) else video_frames(clip, source.path)
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
    with open_video(clip, source.path) as video:
        return max(1, header_count(video))


def frame_rate(clip: Clip) -> float | None:
    """Return the frames a second that a video's header says; None for pictures, and where it says nothing that can be."""
    import cv2

    source = _source(clip)
    if isinstance(source, ImageFiles):
        return None
    with open_video(clip, source.path) as video:
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
