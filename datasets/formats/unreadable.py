"""Files that stand where data should be, and are not what their name says: pickles, Git LFS
pointers, empty files.
"""

from __future__ import annotations

import io
import os
import pickle
import pickletools
from pathlib import Path

from bench import DataError

LFS_POINTER = b"version https://git-lfs"
LFS_POINTER_SIZE = 200
"""Bytes; a pointer has about 130 (Git LFS specification: below 1024, and in practice three short
lines)."""
FORMATS = "labels/NAME.npz in the dataset's folder (0/1 a frame, key = clip id)"
"""What a user can always write instead of a file that is refused."""


def is_pickle(path: Path) -> bool:
    """Whether a file is a Python pickle, whatever its name. It is looked at, never loaded."""
    try:
        with path.open("rb") as file:
            start = file.read(2)
            if (
                len(start) == 2 and start[0] == 0x80 and 2 <= start[1] <= 5
            ):  # protocol 2 and later say so
                return True
            file.seek(-1, os.SEEK_END)
            if file.read(1) != pickle.STOP:
                return False
            file.seek(0)
            # The instructions of older protocols are read without following them; from memory,
            # where a length that is claimed is not allocated.
            for _ in pickletools.genops(io.BytesIO(file.read())):
                pass
    except (OSError, ValueError):
        return False
    return True


def is_lfs_pointer(path: Path, size: int) -> bool:
    """Whether a file of `size` bytes is a Git LFS pointer; only small files are opened."""
    if not 0 < size < LFS_POINTER_SIZE:
        return False
    with path.open("rb") as file:
        return file.read(len(LFS_POINTER)) == LFS_POINTER


def refuse_unreadable(path: Path) -> None:
    """Refuse a label file that cannot hold labels.

    Raises
    ------
    DataError : it is missing, empty, a Git LFS pointer or a pickle, with what to do.
    """
    try:
        size = path.stat().st_size
        pointer = is_lfs_pointer(path, size)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if size == 0:
        raise DataError(f"{path} is empty (0 bytes); copy or unpack it again")
    if pointer:
        raise DataError(
            f"{path} is a Git LFS pointer ({size} bytes), not the file itself; fetch it with `git lfs pull` in its repository"
        )
    if is_pickle(path):
        raise DataError(
            f"{path} is a pickle, which can run any code when it is loaded, and is never read here; {FORMATS} is read instead"
        )
