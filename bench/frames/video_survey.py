"""What a video holds, found by decoding it once with PyAV: how many frames, when each is shown, and
who reads them.

PyAV, unlike OpenCV, tells which packets and frames are damaged, which frames are interlaced, and
every time stamp. A survey is remembered in the cache folder by the file's path, size and time of
change, and by the versions of both decoders.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import DataError
from bench.files.cache import cache_folder, replacing
from bench.files.source_file import AGAIN, refuse_placeholder
from bench.frames.containers import indexed_frames, refuse_incomplete

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

FORMAT = 1
"""Of the remembered surveys; another one is made anew."""
ANEW = "if it was recorded like this, encode it again (`ffmpeg -i FILE NEW.mp4`)"
ROUNDED = 0.0015
"""Seconds by which a time stamp may differ from number / rate and mean the same: Matroska and FLV
count milliseconds."""
NOT_IMPLEMENTED = (errno.ENOSYS, 0x45574150)
"""Errors of a decoder that cannot decode such a stream: ENOSYS, and FFmpeg's
AVERROR_PATCHWELCOME."""
MOST_FRAMES_A_SECOND = 1000
"""A container that states more states none."""
REPORT_EVERY = 50
"""Frames between two calls of `step`."""
CHECKED = frozenset({"mjpeg", "ffv1", "png"})
"""Codecs whose damage FFmpeg only marks when it is asked to stop there; the rest of such a frame
is left unwritten."""
JOINED_ANYWHERE = frozenset({"mpegts", "mpeg", "mpegvideo", "h264", "hevc", "m4v"})
"""Demuxers (FFmpeg's names) of streams without an index: they may begin, or be joined, in the
middle of a group of pictures."""


@dataclass(frozen=True)
class Survey:
    """What a video holds.

    Parameters
    ----------
    frames : how many are shown: those that an edit list hides are not counted.
    interlaced : whether any frame is flagged so, anywhere in the file.
    rate : frames a second, on average; None where the file says nothing that can be.
    times : (N,) seconds from the first frame on at which each is shown, to a microsecond, where
        these are not number / rate.
    """

    frames: int
    interlaced: bool
    rate: float | None
    times: tuple[float, ...] | None = None


def survey_video(
    path: Path, where: str, step: Callable[[int], None] | None = None, anew: bool = False
) -> Survey:
    """Return what a video holds, from the cache where it has not changed since.

    Parameters
    ----------
    where : begins the text of an error.
    step : called with the number of frames decoded so far; may raise, to end it.
    anew : decode it whatever is remembered.

    Raises
    ------
    DataError : the file is missing, truncated, damaged, no video, or of a codec that cannot be
        decoded.
    """
    try:
        with path.open("rb") as file:
            refuse_placeholder(file.read(256), where)
        known = None if anew else _remembered(path)
        if known is not None:
            return known
        refuse_incomplete(path, where)
    except OSError as error:
        raise DataError(f"{where} cannot be read: {error.strerror or error}") from error
    found = _decoded(path, where, step or (lambda done: None))
    _remember(path, found)
    return found


def estimated_frames(path: Path, where: str) -> int:
    """Return the frames of a video as far as known without decoding: those of its survey, or what
    its header says, at least 1.
    """
    known = _remembered(path)
    if known is not None:
        return known.frames
    with open_container(path, where) as (_, stream):
        rate = _stated_rate(stream)
        length = float(stream.duration * (stream.time_base or 0)) if stream.duration else 0.0
        return max(1, stream.frames or round(length * (rate or 0)))


@contextlib.contextmanager
def open_container(path: Path, where: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video with PyAV, and give its container and the stream that is shown; nothing but that
    file is opened.

    Raises
    ------
    DataError : that fails, or there is no video in it.
    """
    import av

    av.logging.set_level(None)  # an error of ours says the same, with file and frame
    try:
        # An absolute path is never taken for a protocol, and a file cannot make FFmpeg open another
        # one or an address.
        options = {"protocol_whitelist": "file"}
        container = av.open(str(path.absolute()), options=options, metadata_errors="replace")
    except OSError as error:
        raise DataError(f"{where} cannot be read: {error.strerror or error}") from error
    except (av.error.FFmpegError, ValueError) as error:
        raise DataError(
            f"{where} cannot be opened as a video: it is truncated, damaged, or of an unknown kind; {AGAIN}"
        ) from error
    with container:
        stream = container.streams.best("video")
        if stream is None:
            raise DataError(f"{where} holds no video")
        yield container, stream  # type: ignore[misc]


def _decoded(path: Path, where: str, step: Callable[[int], None]) -> Survey:
    with open_container(path, where) as (container, stream):
        codec = _codec(container, stream, where)
        # Threads that decode a frame each lose errors, and hand frames over before these are marked
        # as damaged.
        stream.thread_type = "SLICE"
        if codec in CHECKED:
            stream.codec_context.options = {"err_detect": "crccheck+explode"}
        frames = packets = 0
        interlaced = False
        stamps: list[int | None] = []
        for packet, decoded in _packets(container, stream, codec, where):
            packets += packet.size > 0
            for frame in decoded:
                if frame.is_corrupt:
                    raise DataError(f"{where}, frame {frames} is damaged; {AGAIN}, or {ANEW}")
                frames += 1
                interlaced = interlaced or bool(frame.interlaced_frame)
                stamps.append(frame.pts)
                if frames % REPORT_EVERY == 0:
                    step(frames)
        stored = indexed_frames(path)
        if stored > packets:
            raise DataError(
                f"{where} is damaged: it holds {stored} frames, of which {packets} can be found; {AGAIN}"
            )
        if not frames:
            raise DataError(
                f"{where} is damaged: nothing can be decoded of its {packets} packets of {codec}; {AGAIN}"
            )
        rate, times = _timing(stream, stamps)
        return Survey(frames, interlaced, rate, times)


def _packets(
    container: InputContainer, stream: VideoStream, codec: str, where: str
) -> Iterator[tuple[Packet, list[VideoFrame]]]:
    """Yield each packet and the frames that come out with it; refuse what is damaged."""
    from av.error import FFmpegError

    lenient = container.format.name in JOINED_ANYWHERE
    frames = 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError as error:
            raise DataError(
                f"{where} is damaged after {frames} frames: {error.strerror}; {AGAIN}"
            ) from error
        if packet is None:
            return
        if packet.is_corrupt and not lenient:
            raise DataError(
                f"{where} is damaged or truncated after {frames} frames: a packet is incomplete; {AGAIN}"
            )
        try:
            decoded = packet.decode()
        except FFmpegError as error:
            if error.errno in NOT_IMPLEMENTED:
                raise _no_decoder(codec, where) from error
            if frames or not lenient:
                raise DataError(
                    f"{where} is damaged after {frames} frames: a packet of {codec} cannot be decoded; {AGAIN}, or {ANEW}"
                ) from error
            decoded = []
        frames += len(decoded)
        yield packet, decoded  # type: ignore[misc]


def _codec(container: InputContainer, stream: VideoStream, where: str) -> str:
    """Return FFmpeg's name of the codec; raise `DataError` where there is no decoder for it."""
    import av

    if stream.codec_context is not None:
        return str(stream.codec_context.codec.canonical_name)
    # PyAV itself knows nothing of such a stream; FFmpeg's description of the file names it.
    av.logging.set_level(av.logging.INFO)
    try:
        text = container.dumps_format() or ""
    finally:
        av.logging.set_level(None)
    found = re.search(r"Video: (\w+) \((\w+)", text)
    name, tag = found.groups() if found else ("unknown", "")
    raise _no_decoder(tag if name == "none" and tag else name, where)


def _no_decoder(codec: str, where: str) -> DataError:
    import av

    return DataError(
        f"{where} is not damaged, but this PyAV ({av.__version__}) has no decoder for {codec}; convert it, "
        "for example with `ffmpeg -i FILE NEW.mp4`"
    )


def _timing(
    stream: VideoStream, stamps: Sequence[int | None]
) -> tuple[float | None, tuple[float, ...] | None]:
    """Return the frames a second, and the time of each frame where the rate alone does not tell
    it.
    """
    rate = _stated_rate(stream)
    known = [stamp for stamp in stamps if stamp is not None]
    if len(known) < max(2, len(stamps)) or stream.time_base is None:
        return rate, None
    unit = float(stream.time_base)
    times = (np.array(known, np.float64) - known[0]) * unit
    if (
        np.diff(times) <= 0
    ).any():  # some muxers and decoders count frames in the order of their packets
        return rate, None
    if rate is not None and np.abs(times - np.arange(len(times)) / rate).max() <= max(
        unit, ROUNDED
    ):
        return rate, None
    return float(round((len(times) - 1) / times[-1], 6)), tuple(np.round(times, 6).tolist())


def _stated_rate(stream: VideoStream) -> float | None:
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate is not None and 0 < rate <= MOST_FRAMES_A_SECOND:
            return float(rate)
    return None


# --------------------------------------------------------------------------------------------------
# remembered


def _remembered(path: Path) -> Survey | None:
    try:
        record = json.loads(_file(path).read_text(encoding="utf-8"))
        if record["video"] != _identity(path):
            return None
        times = record["survey"].pop("times")
        return Survey(**record["survey"], times=None if times is None else tuple(times))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _remember(path: Path, survey: Survey) -> None:
    """Keep a survey. A cache that cannot be written costs a second decoding, no error."""
    with (
        contextlib.suppress(DataError, OSError),
        replacing(_file(path), "a video's survey") as file,
    ):
        file.write(json.dumps({"video": _identity(path), "survey": asdict(survey)}).encode())


def _file(path: Path) -> Path:
    name = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32]
    return cache_folder() / "video-surveys" / f"{name}.json"


def _identity(path: Path) -> list[Any]:
    status = path.stat()
    return [FORMAT, _decoders(), str(path.absolute()), status.st_size, status.st_mtime_ns]


@cache
def _decoders() -> str:
    import av
    import cv2

    return f"OpenCV {cv2.__version__}, PyAV {av.__version__}"
