"""Decoding of one image file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.contracts.clip import Clip, ImageFiles
from bench.errors import DataError
from bench.files.source_file import AGAIN, quiet_opencv, refuse_placeholder

_OF_SEVERAL = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\x89PNG", b"RIFF")
"""How files begin that may hold several images: TIFF and BigTIFF, PNG, WebP."""


def image_frames(clip: Clip, source: ImageFiles) -> Iterator[tuple[Path, np.ndarray]]:
    """Yield path and image, (H, W) gray or (H, W, 3) BGR uint8, of each file of a clip in
    order.
    """
    for index, path in enumerate(source.paths):
        where = f"clip {clip.id}, frame {index}: {path}"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(f"{where} cannot be read: {error.strerror or error}") from error
        image = _decode_image(content, where)
        if content.startswith(_OF_SEVERAL):
            _refuse_several(path, where)
        yield path, image


def _refuse_several(path: Path, where: str) -> None:
    """Refuse a file of several images, of which only the first would be decoded: pages of a TIFF,
    an animation.
    """
    import cv2

    with (
        quiet_opencv(),
        contextlib.suppress(cv2.error, UnicodeError),
    ):  # what cannot be counted has been decoded
        # As bytes: a name that is not UTF-8 crashes OpenCV as a text.
        if (count := cv2.imcount(os.fsencode(path))) > 1:  # type: ignore[arg-type]
            raise DataError(
                f"{where} holds {count} images (pages, or an animation), of which only the first would be read; save each as a file of "
                "its own, or make a video of them"
            )


def _decode_image(content: bytes, where: str) -> np.ndarray:
    import cv2

    refuse_placeholder(content, where)
    if content.startswith(b"\xff\xd8") and not _has_end_of_jpeg(content):
        # Some decoders fill what is missing with gray and only print a warning.
        raise DataError(
            f"{where} is truncated: a JPEG that ends after {len(content)} bytes, before its end marker; {AGAIN}"
        )
    with quiet_opencv():
        try:
            frame = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:
            frame = None
    if frame is None:
        raise DataError(
            f"{where} cannot be decoded ({len(content)} bytes): it is truncated, damaged, or no image; {AGAIN}"
        )
    if frame.dtype != np.uint8:
        raise DataError(
            f"{where} has {frame.dtype.itemsize * 8} bits a channel ({frame.dtype}); only images with 8 are read: convert it"
        )
    if frame.ndim == 3 and frame.shape[2] == 4:
        frame = frame[:, :, :3]
    if frame.ndim == 3 and frame.shape[2] == 1:
        frame = frame[:, :, 0]
    if frame.ndim == 3 and frame.shape[2] != 3:
        raise DataError(
            f"{where} has {frame.shape[2]} channels; images with 1 (gray), 3 (colour) or 4 (colour and transparency) are read"
        )
    return frame


def _has_end_of_jpeg(content: bytes) -> bool:
    """Whether an end-of-image marker follows the image's own data (a thumbnail before it has one
    of its own).

    ITU-T T.81, annex B: segments carry their length, up to start of scan; in the data behind, 0xFF
    is followed by 0x00.
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
