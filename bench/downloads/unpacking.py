"""Unpacking an archive of others: a folder of it, whole or not at all, and nothing outside.

Only files and folders are made, below one new folder. Links and devices are refused, and so is
what is much larger than its archive.
"""

from __future__ import annotations

import contextlib
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from bench.downloads.transfer import no_room
from bench.errors import DataError

TIMES = 100
"""How often larger than its archive the content may be. Chosen here: frames and videos are hardly
compressed, masks up to about 50 times."""
MOST_ENTRIES = 1_000_000
"""Chosen here: ShanghaiTech has about 90,000."""
BLOCK = 1 << 20


@dataclass(frozen=True)
class _Entry:
    name: str
    kind: str
    """'file', 'folder', or what is refused: 'link', 'device'."""
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, member: str, target: Path, step: Callable[[int], None]) -> None:
    """Unpack the folder `member` of a zip or tar archive as `target`, which appears once it is
    whole.

    Parameters
    ----------
    step : called with the bytes written.

    Raises
    ------
    DataError : a damaged archive, a name that leaves the folder, a link, a device, too much
        content, no such folder in it, a full disk. Nothing is left behind.
    """
    making = target.with_name(f".{target.name}.unpacking")
    try:
        shutil.rmtree(making, ignore_errors=True)  # of a process that was killed
        making.mkdir(parents=True)
        with _readable(archive):
            _write(archive, member, making, step)
        making.replace(target)
    except OSError as error:
        raise no_room(target.name, target.parent, error) from error
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _write(archive: Path, member: str, making: Path, step: Callable[[int], None]) -> None:
    written, most = 0, TIMES * archive.stat().st_size
    tops: set[str] = set()
    wanted = PurePosixPath(member).parts
    for number, entry in enumerate(_entries(archive), start=1):
        if number > MOST_ENTRIES:
            raise _refused(archive, f"it has more than {MOST_ENTRIES:,} entries")
        parts = _parts(archive, entry.name)
        tops.update(parts[:1])
        if parts[: len(wanted)] != wanted:
            continue
        path = making.joinpath(*parts[len(wanted) :])
        if entry.kind not in ("file", "folder"):
            raise _refused(archive, f"{entry.name!r} is a {entry.kind}")
        if entry.kind == "folder":
            path.mkdir(parents=True, exist_ok=True)
            continue
        if path.exists():
            raise _refused(archive, f"{entry.name!r} is in it twice")
        path.parent.mkdir(parents=True, exist_ok=True)
        with entry.open() as source, path.open("xb") as file:
            while block := source.read(BLOCK):
                written += len(block)
                if written > most:
                    raise _refused(archive, f"its content is more than {TIMES} times its size")
                file.write(block)
                step(written)
    if not any(making.iterdir()):
        raise _refused(archive, f"it has no folder {member!r}, only {', '.join(sorted(tops)[:5])}")


def _refused(archive: Path, why: str) -> DataError:
    return DataError(f"{archive} was not unpacked: {why}; it is not the archive of the owners")


def _parts(archive: Path, name: str) -> tuple[str, ...]:
    """Return the parts of a name, after a look whether it stays in the folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or PureWindowsPath(name).drive:
        raise _refused(archive, f"the name {name!r} leads out of the folder")
    return path.parts


def _entries(archive: Path) -> Iterator[_Entry]:
    """Return what an archive holds, in its order; tar is read once, as a stream."""
    if zipfile.is_zipfile(archive):
        yield from _zipped(archive)
    else:
        yield from _tarred(archive)


def _zipped(archive: Path) -> Iterator[_Entry]:
    with zipfile.ZipFile(archive) as opened:
        for one in opened.infolist():
            kind = "folder" if one.is_dir() else "file"
            mode = one.external_attr >> 16
            if stat.S_ISLNK(mode):
                kind = "link"
            yield _Entry(one.filename, kind, lambda one=one: opened.open(one))  # type: ignore[misc]


def _tarred(archive: Path) -> Iterator[_Entry]:
    with tarfile.open(archive, "r|*") as opened:
        for one in opened:
            kind = "folder" if one.isdir() else "file" if one.isreg() else "device"
            if one.issym() or one.islnk():
                kind = "link"
            yield _Entry(one.name, kind, lambda one=one: opened.extractfile(one))  # type: ignore[misc, arg-type]


@contextlib.contextmanager
def _readable(archive: Path) -> Iterator[None]:
    try:
        yield
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        RuntimeError,  # zipfile's word for a password
        NotImplementedError,
    ) as error:
        raise DataError(
            f"{archive} was not unpacked: it is damaged or no zip or tar archive ({error}); get it again"
        ) from error
