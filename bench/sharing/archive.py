"""Zip files of which equal content gives equal bytes, and which are unpacked without trust."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from bench.errors import RunError
from bench.files.whole_files import put_in_place
from bench.runs.layout import is_file_name

DATE = (1980, 1, 1, 0, 0, 0)
"""Of every member: the earliest that a zip can hold."""
LARGEST = 16 * 2**30
"""Bytes that a zip may unpack to. Chosen here: the weights of a thousand cells, and room on most
disks."""
MOST = 200_000
"""Members that a zip may have. Chosen here: images of a hundred cells."""
_BLOCK = 1 << 20


def write_archive(path: Path, files: Mapping[str, str | Path]) -> None:
    """Write a zip, whole or not at all.

    Parameters
    ----------
    files : by name in the zip, a text, or the path of a file.

    Raises
    ------
    RunError : a file cannot be read, or the zip cannot be written.
    """
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with (
            os.fdopen(handle, "wb") as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            for name, content in sorted(files.items()):
                member = zipfile.ZipInfo(name, DATE)
                member.compress_type = zipfile.ZIP_DEFLATED
                member.external_attr = (stat.S_IFREG | 0o644) << 16
                with archive.open(member, "w", force_zip64=True) as target:
                    if isinstance(content, str):
                        target.write(content.encode())
                    else:
                        with content.open("rb") as source:
                            shutil.copyfileobj(source, target, _BLOCK)
        put_in_place(Path(temporary), path)
    except OSError as error:
        raise RunError(
            f"cannot write {path}: {error.strerror or error} ({error.filename or path}); choose another place with --out"
        ) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def unpack_archive(path: Path, folder: Path) -> dict[str, str]:
    """Unpack a zip that anybody may have made. Nothing is written outside of `folder`.

    Returns
    -------
    The SHA-256 of each file, in hex, by its name in the zip.

    Raises
    ------
    RunError : it is no zip or damaged; a name leaves the folder, stands there twice or cannot be a
        file's; a member is a link or encrypted; it is too large; the disk is full.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            _check(path, members)
            return {
                member.filename: _unpack(archive, member, folder / member.filename)
                for member in members
            }
    except FileNotFoundError as error:
        raise RunError(f"there is no file {path}") from error
    except OSError as error:
        raise RunError(f"{path} cannot be unpacked ({error.strerror or error})") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise RunError(f"{path} is no zip, or damaged ({error})") from error


def _check(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse what is no plain file inside of the folder, and what is too much."""
    names = [member.filename for member in members]
    if len(names) > MOST:
        raise RunError(f"{path} holds {len(names)} files, more than the {MOST} that are unpacked")
    total = sum(member.file_size for member in members)
    if total > LARGEST:
        raise RunError(
            f"{path} would unpack to {total} bytes, more than the {LARGEST} that are unpacked"
        )
    seen: set[str] = set()
    for member in members:
        name = member.filename
        what = ""
        if not all(map(is_file_name, name.split("/"))) or "\\" in name:
            what = "which leaves the folder or is no file name"
        elif name in seen:
            what = "twice"
        elif any(str(parent) in seen for parent in PurePosixPath(name).parents):
            what = "below a file"
        elif stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
            what = "which is a link or a device"
        elif member.flag_bits & 1:
            what = "which is encrypted"
        if what:
            raise RunError(f"{path} holds {name!r}, {what}; nothing was unpacked")
        seen.add(name)


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> str:
    """Write one member, at most as many bytes as it says, and return its SHA-256 in hex."""
    digest = hashlib.sha256()
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member) as source, target.open("xb") as file:
        while block := source.read(_BLOCK):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()
