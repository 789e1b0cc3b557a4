"""Videos made by PyAV, in the forms that cameras, recorders and cutters leave behind."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

FIELDS = {"flags": "+ilme+ildct"}
INTERLACED: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "h264 mp4, top field first": (
        ".mp4",
        "libx264",
        "yuv420p",
        {**FIELDS, "x264-params": "tff=1:threads=1"},
    ),
    "h264 mkv, bottom field first": (
        ".mkv",
        "libx264",
        "yuv420p",
        {**FIELDS, "x264-params": "bff=1:threads=1"},
    ),
    "h264 avi": (".avi", "libx264", "yuv420p", {**FIELDS, "x264-params": "tff=1:threads=1"}),
    "h264 ts": (".ts", "libx264", "yuv420p", {**FIELDS, "x264-params": "tff=1:threads=1"}),
    "h264 4:2:2": (".mp4", "libx264", "yuv422p", {**FIELDS, "x264-params": "tff=1:threads=1"}),
    "h264 10 bits": (
        ".mp4",
        "libx264",
        "yuv420p10le",
        {**FIELDS, "x264-params": "tff=1:threads=1"},
    ),
    "h264 gray": (".mp4", "libx264", "gray", {**FIELDS, "x264-params": "tff=1:threads=1"}),
    "h265": (".mp4", "libx265", "yuv420p", {"x265-params": "interlace=tff:log-level=none:pools=1"}),
    "mpeg2 mpg": (".mpg", "mpeg2video", "yuv420p", FIELDS),
    "mpeg2 mp4": (".mp4", "mpeg2video", "yuv420p", FIELDS),
    "mpeg4 avi": (".avi", "mpeg4", "yuv420p", FIELDS),
    "mpeg4 mp4": (".mp4", "mpeg4", "yuv420p", FIELDS),
    "dv": (".avi", "dvvideo", "yuv420p", {}),
    "prores": (".mov", "prores_ks", "yuv422p10le", {"flags": "+ildct"}),
}
"""Ending, codec, pixel format and options of each kind."""


def moving(count: int, size: tuple[int, int] = (96, 128)) -> list[np.ndarray]:
    """Return frames, (H, W, 3) uint8 BGR, of a bright square that moves over a slope."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    slope = np.dstack([60 + rows // 2, 90 + columns // 4, 140 - rows // 2]).astype(np.uint8)
    frames = []
    for number in range(count):
        frame = slope.copy()
        left = 2 * number % (size[1] - 20)
        frame[size[0] // 3 : size[0] // 3 + 20, left : left + 20] = (40, 220, 250)
        frames.append(frame)
    return frames


def encode(
    path: Path,
    frames: Sequence[np.ndarray],
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    times: Sequence[float] | None = None,
    rate: int = 25,
    container_options: dict[str, str] | None = None,
    rotation: int = 0,
) -> Path:
    """Write a video; `times` in seconds where they are not number / rate, `rotation`
    counter-clockwise."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream: Any = container.add_stream(codec, rate=rate, options=dict(options or {}))
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pix_fmt
        if codec not in ("dvvideo", "ffv1", "prores_ks", "libx264", "libx265"):
            stream.bit_rate = 2_000_000
        unit = Fraction(1, rate) if times is None else Fraction(1, 1000)
        stream.codec_context.time_base = unit
        for number, frame in enumerate(frames):
            coded = av.VideoFrame.from_ndarray(frame, format="bgr24").reformat(format=pix_fmt)
            coded.pts = number if times is None else round(times[number] / unit)
            coded.time_base = unit
            container.mux(stream.encode(coded))
        container.mux(stream.encode(None))
    if rotation:
        _rotate(path, rotation)
    return path


def _rotate(path: Path, degrees: int) -> None:
    """Put a rotation into an MP4's track header, as phones do (ISO/IEC 14496-12, 8.3.2: the matrix,
    44 bytes behind its name)."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 44
    one = 1 << 16
    a, b = {90: (0, -one), 180: (-one, 0), 270: (0, one)}[degrees]
    content[at : at + 36] = struct.pack(">9i", a, b, 0, -b, a, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


def cut_without_encoding(source: Path, path: Path, first: int, rate: int = 25) -> Path:
    """Write what a cutter makes of `source` that copies packets: those before frame `first` stay,
    and an edit list hides them."""
    with av.open(str(source)) as before, av.open(str(path), "w") as after:
        given = before.streams.video[0]
        stream: Any = after.add_stream_from_template(given)
        assert given.time_base is not None
        shift = round(Fraction(first, rate) / given.time_base)
        packets = [
            packet
            for packet in before.demux(given)
            if packet.dts is not None and packet.pts is not None
        ]
        start = max(
            n for n, packet in enumerate(packets) if packet.is_keyframe and packet.pts <= shift
        )  # type: ignore[operator]
        for packet in packets[start:]:
            packet.pts -= shift  # type: ignore[operator]
            packet.dts -= shift  # type: ignore[operator]
            packet.stream = stream
            after.mux(packet)
    return path
