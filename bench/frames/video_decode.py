"""The frames of one video file: OpenCV reads them, and PyAV those that OpenCV cannot.

Published numbers were made with OpenCV's frames, so what it reads rightly stays its own. It does not read interlaced video
(from 4.13 on `read()` then returns a buffer that nobody wrote), nor what its FFmpeg has no decoder for (AV1).

Both hand FFmpeg's frames through the same scaler: on progressive video they are equal to the bit where both carry one
version of FFmpeg. Interlaced frames come as they are coded, both fields woven into one picture; fields are not
interpolated. Frames deeper than 8 bits are converted to 8.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..dataset import Clip
from ..errors import DataError
from .source_file import quiet_opencv
from .video_survey import open_container, survey_video

ANOTHER = 8.0
"""Mean difference, of 255, from which on OpenCV's frame and PyAV's are not one picture. Chosen here: rounding is below 1."""


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
    frames = _by_pyav(path, where) if survey.interlaced else _by_either(path, where)
    count = 0
    for frame in frames:
        count += 1
        yield path, frame
    if count != survey.frames:
        raise DataError(f"{where}: {count} frames were read, {survey.frames} are in it; was it changed meanwhile?")


def _by_either(path: Path, where: str) -> Iterator[np.ndarray]:
    """Yield OpenCV's frames, and from the first one on that it did not write, or ends without, PyAV's.

    A buffer that OpenCV leaves unwritten holds what it held before: that of the first frame anything, any other one the
    frame before it. So these frames alone are compared with PyAV's.
    """
    with contextlib.closing(_by_opencv(path)) as own, contextlib.closing(_by_pyav(path, where)) as others:
        taken, count = 0, 0
        before: np.ndarray | None = None
        for count, frame in enumerate(own, start=1):
            if before is None or _same(frame, before):
                other = next(itertools.islice(others, count - 1 - taken, None), None)
                taken = count
                if other is None or not _agree(frame, other):
                    if other is not None:
                        yield other
                    yield from others
                    return
            before = frame
            yield frame
        yield from itertools.islice(others, count - taken, None)


def _same(frame: np.ndarray, other: np.ndarray) -> bool:
    middle = len(frame) // 2
    return frame.shape == other.shape and np.array_equal(frame[middle], other[middle]) and np.array_equal(frame, other)


def _agree(frame: np.ndarray, other: np.ndarray) -> bool:
    import cv2

    if frame.shape != other.shape or frame.dtype != other.dtype:
        return False
    return float(cv2.absdiff(frame, other).mean()) < ANOTHER


def _by_opencv(path: Path) -> Generator[np.ndarray, None, None]:
    """Yield what OpenCV's FFmpeg decodes; nothing where it cannot open the video."""
    import cv2

    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET: what is wrong is an error of ours
    with quiet_opencv():
        # Left to itself OpenCV takes a name with digits for a sequence of pictures when the video cannot be opened;
        # and it crashes on a str that is not UTF-8.
        video: Any = cv2.VideoCapture(os.fsencode(path.absolute()), cv2.CAP_FFMPEG)  # type: ignore[call-overload]
    try:
        while True:
            found, frame = video.read()
            if not found:
                return
            yield frame
    finally:
        video.release()


def _by_pyav(path: Path, where: str) -> Generator[np.ndarray, None, None]:
    """Yield PyAV's frames as OpenCV converts and turns them."""
    from av.error import FFmpegError
    from av.video.reformatter import VideoReformatter

    with open_container(path, where) as (container, stream):
        stream.thread_type = "AUTO"
        reformatter = VideoReformatter()  # one for all: each makes its tables anew
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except FFmpegError:  # before the first frame of a stream that begins anywhere; the survey let nothing else pass
                continue
            for frame in frames:
                picture = reformatter.reformat(frame, format="bgr24", interpolation="BICUBIC").to_ndarray()
                quarters, rest = divmod(frame.rotation, 90)  # type: ignore[union-attr]
                yield picture if rest or not quarters else np.ascontiguousarray(np.rot90(picture, quarters))
