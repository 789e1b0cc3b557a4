"""The frames of one video file: OpenCV reads them, and PyAV those that OpenCV cannot.

Published numbers were made with OpenCV's frames, so what it reads rightly stays its own. It does
not read interlaced video (from 4.13 on `read()` then returns a buffer that nobody wrote), nor what
its FFmpeg has no decoder for (AV1).

Both hand FFmpeg's frames through the same scaler: on progressive video they are equal to the bit
where both carry one version of FFmpeg. Interlaced frames come as they are coded, both fields woven
into one frame; fields are not interpolated. Frames deeper than 8 bits are converted to 8.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.contracts.clip import Clip
from bench.errors import DataError
from bench.files.source_file import quiet_opencv
from bench.frames.video_survey import open_container, survey_video

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

ANOTHER = 4.0
"""Mean difference, of 255, from which on OpenCV's frame and PyAV's are not the same frame. Chosen
here: rounding, and another way of interpolating colour, are below 3."""


def video_frames(clip: Clip, path: Path, anew: bool = False) -> Iterator[tuple[Path, np.ndarray]]:
    """Yield the path and each frame, (H, W, 3) BGR uint8, of a video in order.

    Parameters
    ----------
    anew : look for damage again, even if the file was found whole and has not changed since.

    Raises
    ------
    DataError : before the first frame, whatever `survey_video` finds wrong.
    """
    where = f"clip {clip.id}: {path}"
    survey = survey_video(path, where, anew=anew)
    frames = _by_pyav(path, where) if survey.interlaced else _by_either(path, where, survey.frames)
    count = 0
    for frame in frames:
        count += 1
        yield path, frame
    if count != survey.frames:
        raise DataError(
            f"{where}: {count} frames were read, {survey.frames} are in it; was it changed meanwhile?"
        )


def _by_either(path: Path, where: str, length: int) -> Iterator[np.ndarray]:
    """Yield OpenCV's frames, and from the first one on that it did not write, or ends without,
    PyAV's.

    A buffer that OpenCV leaves unwritten holds what it held before: the first one anything, every
    other one the frame before it. So these are looked up in PyAV's frames: whether the first is the
    same frame, and whether a frame that repeats the one before it does so there.
    """
    pixels = _converter()
    with (
        contextlib.closing(_by_opencv(path)) as own,
        contextlib.closing(_coded(path, where)) as others,
    ):
        numbered = enumerate(others)
        before: np.ndarray | None = None
        theirs: tuple[int, VideoFrame] | None = None
        index = -1
        for index, frame in enumerate(own):
            written = True
            if before is None:
                theirs = next(numbered, None)
                written = theirs is not None and _same_frame(frame, pixels(theirs[1]))
            elif _equal(frame, before):
                while theirs is not None and theirs[0] < index - 1:
                    theirs = next(numbered, None)
                last, theirs = theirs, next(numbered, None)
                written = (
                    last is not None
                    and theirs is not None
                    and _equal(pixels(theirs[1]), pixels(last[1]))
                )
            if not written:
                if index > 1 and before is not None:
                    yield before
                # The second frame may repeat a first one that was not written either.
                yield from itertools.islice(_by_pyav(path, where), index if index > 1 else 0, None)
                return
            if before is not None:
                yield before
            before = frame
        if before is not None:
            yield before
        if index + 1 < length:
            yield from itertools.islice(_by_pyav(path, where), index + 1, None)


def _equal(frame: np.ndarray, other: np.ndarray) -> bool:
    middle = len(frame) // 2
    return (
        frame.shape == other.shape
        and np.array_equal(frame[middle], other[middle])
        and np.array_equal(frame, other)
    )


def _same_frame(frame: np.ndarray, other: np.ndarray) -> bool:
    import cv2

    if frame.shape != other.shape or frame.dtype != other.dtype:
        return False
    return float(cv2.absdiff(frame, other).mean()) < ANOTHER


def _by_opencv(path: Path) -> Generator[np.ndarray, None, None]:
    """Yield what OpenCV's FFmpeg decodes; nothing where it cannot open the video."""
    import cv2

    os.environ.setdefault(
        "OPENCV_FFMPEG_LOGLEVEL", "-8"
    )  # AV_LOG_QUIET: what is wrong is an error of ours
    with quiet_opencv():
        # Left to itself OpenCV takes a name with digits for a sequence of images when the video
        # cannot be opened; and it crashes on a str that is not UTF-8.
        video: Any = cv2.VideoCapture(os.fsencode(path.absolute()), cv2.CAP_FFMPEG)  # type: ignore[call-overload]
    try:
        while True:
            found, frame = video.read()
            if not found:
                return
            yield frame
    finally:
        video.release()


def _by_pyav(path: Path, where: str) -> Iterator[np.ndarray]:
    """Yield PyAV's frames as OpenCV converts and turns them."""
    return map(_converter(), _coded(path, where))


def _coded(path: Path, where: str) -> Generator[VideoFrame, None, None]:
    from av.error import FFmpegError

    with open_container(path, where) as (container, stream):
        stream.thread_type = "AUTO"
        for packet in container.demux(stream):
            try:
                yield from packet.decode()  # type: ignore[misc]
            except FFmpegError:  # the survey let this pass only before the first frame
                continue


def _converter() -> Callable[[VideoFrame], np.ndarray]:
    from av.video.reformatter import VideoReformatter

    reformatter = VideoReformatter()  # one for all frames: each makes its tables anew

    def pixels(frame: VideoFrame) -> np.ndarray:
        found: np.ndarray = reformatter.reformat(
            frame, format="bgr24", interpolation="BICUBIC"
        ).to_ndarray()
        quarters, rest = divmod(frame.rotation, 90)
        return found if rest or not quarters else np.ascontiguousarray(np.rot90(found, quarters))

    return pixels
