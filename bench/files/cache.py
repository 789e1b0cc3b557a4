"""The cache folder: where decoded frames, frame counts and tracks are kept between runs, and how
files get there whole.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO
from urllib.parse import quote

import platformdirs

from bench.errors import DataError
from bench.files.claims import Claim

LONGEST = 120
"""Characters of a name's part of a path; file systems allow 255 bytes, and endings come behind. A
letter may take nine ('%C3%A4' is an ä)."""


def cache_folder() -> Path:
    """Return the cache folder: `BENCH_CACHE`, else the user's cache folder of this system. It need
    not exist yet.
    """
    chosen = os.environ.get("BENCH_CACHE")
    return (
        Path(chosen).expanduser()
        if chosen
        else platformdirs.user_cache_path("vad-bench", appauthor=False)
    )


def file_stem(name: str) -> str:
    """Return `name` as part of a path: without separators, never '..', short, and different for
    different names.
    """
    stem = quote(name, safe=" +,=@", errors="surrogateescape")
    if len(stem) > LONGEST:
        stem = f"{stem[: LONGEST - 17]}~{hashlib.sha256(stem.encode()).hexdigest()[:16]}"
    return "%2E" + stem[1:] if stem.startswith(".") else stem


def is_full(error: OSError) -> bool:
    """Whether a write failed because the disk, or the user's share of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def cannot_write(folder: Path, error: OSError, what: str) -> DataError:
    """Return the error for a cache that is full or cannot be written, with what to do."""
    if is_full(error):
        return full_disk(folder, what, error.strerror or "no space left")
    return DataError(
        f"cannot write {what} in {folder}: {error.strerror or error}; "
        f"make the folder writable, or set BENCH_CACHE to one that is (cache: {cache_folder()})"
    )


def full_disk(folder: Path, what: str, found: str) -> DataError:
    """Return the error for a disk without room: `found` says how much is needed and free."""
    return DataError(
        f"no room on the disk for {what} in {folder}: {found}; "
        f"free some space, or set BENCH_CACHE to a folder on a larger disk (cache: {cache_folder()})"
    )


@contextlib.contextmanager
def replacing(path: Path, what: str) -> Iterator[IO[bytes]]:
    """Open a file for writing beside `path`, and rename it into place once the block ends without
    an exception.

    Hold the lock of the entry: the temporary name is fixed, so that what a killed process left is
    written over.

    Raises
    ------
    DataError : the folder cannot be written, or the disk is full; the half-written file is removed.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb+") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        _remove(temporary)
        raise cannot_write(path.parent, error, what) from error
    except BaseException:
        _remove(temporary)
        raise


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


@contextlib.contextmanager
def locked(path: Path, what: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the claim `path`, so that no other process, here or on another host that shares the
    cache, makes the same entry.

    Who died while holding it is followed at once on its own host, and after
    `bench.files.claims.DEAD` seconds from another.

    Parameters
    ----------
    waiting : called about once a second while another process holds the lock.

    Raises
    ------
    DataError : the claim cannot be made.
    """
    claim = Claim(path)
    said = time.monotonic()
    try:
        while claim.take() is not None:
            time.sleep(0.05)
            if time.monotonic() - said >= 1.0:
                waiting()
                said = time.monotonic()
    except OSError as error:
        raise cannot_write(path.parent, error, what) from error
    with claim:
        yield
