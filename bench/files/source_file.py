"""What decoding of images and of videos shares."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bench.errors import DataError

AGAIN = "copy or unpack it again"
LFS_POINTER = b"version https://git-lfs"
listening = False
"""Whether what OpenCV prints is wanted: in a process that looks for damage."""


def refuse_placeholder(content: bytes, where: str) -> None:
    """Refuse a file that stands in for another: an empty one, or a Git LFS pointer."""
    if not content:
        raise DataError(f"{where} is empty (0 bytes); {AGAIN}")
    if content.startswith(LFS_POINTER):
        raise DataError(
            f"{where} is a Git LFS pointer of {len(content)} bytes, not the file itself; fetch it with `git lfs pull` in its repository"
        )


@contextlib.contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV's own lines off the terminal: an error of ours says the same, with file and
    frame.
    """
    from cv2.utils import logging

    if listening:
        yield
        return
    before = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(before)
