"""Decoding: the frames of a clip, in order, and how many there are.

Damaged files are refused, never half-decoded: a lost frame would shift every label behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from bench.contracts.clip import Clip, ImageFiles, VideoFile
from bench.errors import DataError
from bench.frames.image_decode import image_frames
from bench.frames.video_decode import video_frames
from bench.frames.video_survey import Survey, estimated_frames, survey_video


def read_frames(clip: Clip, channels: int = 3, anew: bool = False) -> Iterator[np.ndarray]:
    """Decode a clip once, in order, at its own size.

    Parameters
    ----------
    channels : 3 for (H, W, 3) uint8 RGB, 1 for (H, W) uint8 gray: BT.601 luma of colour files,
        one-channel files as they are.
    anew : look for damage in a video again, even if it was found whole earlier and has not changed
        since.

    Yields
    ------
    One array a frame; a new one each time.

    Raises
    ------
    DataError : a file is missing, truncated, damaged, a Git LFS pointer, not 8 bits deep, or of
        another size than the first frame, with file and frame (from 0). Damage of a video is known
        before its first frame comes.
    """
    for frame in decoded_frames(clip, anew):
        yield _convert(frame, channels)


def decoded_frames(clip: Clip, anew: bool = False) -> Iterator[np.ndarray]:
    """Yield what `read_frames` yields as the decoder gives it: (H, W) gray, or (H, W, 3) BGR."""
    source = _source(clip)
    frames = (
        image_frames(clip, source)
        if isinstance(source, ImageFiles)
        else video_frames(clip, source.path, anew)
    )
    first: tuple[int, int] | None = None
    for index, (path, frame) in enumerate(frames):
        if first is None:
            first = frame.shape[:2]
        elif frame.shape[:2] != first:
            raise DataError(
                f"clip {clip.id}, frame {index}: {path} is {_size(frame.shape[:2])}, but frame 0 is {_size(first)} (width x height); "
                "all frames of a clip must have one size: was a file of another clip copied here?"
            )
        yield frame
    if first is None:
        raise DataError(f"clip {clip.id} has no frames")


def count_frames(clip: Clip) -> int:
    """Return the number of frames of a clip: of files, or of frames that come out of a video.

    A video is decoded once; its count is remembered in the cache folder, by path, size and time of
    change.

    Raises
    ------
    DataError : the clip has no frames here, or its video is missing or damaged.
    """
    source = _source(clip)
    return len(source.paths) if isinstance(source, ImageFiles) else video_survey(clip).frames


def estimate_frames(clip: Clip) -> int:
    """Return the number of frames as far as it is known without decoding: for a video not yet
    counted, what its header says.
    """
    source = _source(clip)
    return (
        len(source.paths)
        if isinstance(source, ImageFiles)
        else estimated_frames(source.path, f"clip {clip.id}: {source.path}")
    )


def video_survey(clip: Clip, step: Callable[[int], None] | None = None) -> Survey:
    """Return how many frames a clip's video has, and when each is shown; decoded once, and
    remembered.

    Parameters
    ----------
    step : called with the number of frames decoded so far; may raise, to end it.

    Raises
    ------
    DataError : the clip's frames are no video, or it is missing or damaged.
    """
    source = _source(clip)
    if isinstance(source, ImageFiles):
        raise DataError(f"clip {clip.id}: its frames are images, no video")
    return survey_video(source.path, f"clip {clip.id}: {source.path}", step)


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
