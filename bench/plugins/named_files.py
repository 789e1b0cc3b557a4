"""The files that parameters name: where they are, and what tells their content from another."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.contracts.parameters import schema
from bench.errors import DataError
from bench.files.cache import cache_folder, locked, replacing

KEPT_FROM = 16 << 20
"""Bytes from which the hash of a file is kept between processes. Chosen here: a smaller file is
read in a few hundredths of a second."""
RACY = 2.0
"""Seconds after a change in which another one may leave times and size as they are: clocks of file
systems tick in steps of up to 2 s."""
LARGEST_FOLDER = 1 << 30
"""Bytes of a folder whose files are read; those of a larger one are told by their size and time of
change."""
CACHE_FORMAT = 1

_hashes: dict[str, tuple[list[int], str]] = {}


def named_files(
    parameters: Any, words: Iterable[Mapping[str, str]] = (), beside: Path | None = None
) -> tuple[dict[str, list[Path]], list[str]]:
    """Return which files some parameters name, by parameter, and what is said of those that are not
    there.

    A `Path` names a file or folder that is read; one that is not the default has to be there. A
    text names a file where there is one of that name, but for a text out of a list of choices.

    Parameters
    ----------
    parameters : an instance of a dataclass.
    words : what stands for '{dataset}' and the like in a path; several ways where a path may stand
        for several files.
    beside : the folder of the plugin, which relative paths may start from, too.
    """
    found: dict[str, list[Path]] = {}
    missing = []
    for entry in schema(type(parameters)):
        value = getattr(parameters, entry.name)
        if not isinstance(value, str | Path) or not str(value) or entry.choices:
            continue
        texts = dict.fromkeys(_filled(str(value), choice) for choice in [*words] or [{}])
        here = [
            path
            for text in texts
            if (path := _place(text, beside, isinstance(value, Path))) is not None
        ]
        if here:
            found[entry.name] = here
        elif isinstance(value, Path) and value != entry.default:
            missing.append(
                f"there is no file or folder {' or '.join(texts)}, which {entry.name} names"
            )
    return found, missing


def _filled(text: str, words: Mapping[str, str]) -> str:
    for word, meant in words.items():
        text = text.replace("{" + word + "}", meant)
    return text


def _place(text: str, beside: Path | None, folders: bool) -> Path | None:
    with contextlib.suppress(
        OSError, RuntimeError, ValueError
    ):  # no user of that name; a text too long for a path, or with a NUL
        path = Path(text).expanduser()
        for place in [path, *([beside / path] if beside is not None else [])]:
            if place.is_file() or (folders and place.is_dir()):
                return place
    return None


def content_hash(paths: Iterable[Path]) -> str:
    """Return the SHA-256 (hex) of the content of files; of a folder, of all files in it by their
    relative paths.

    Raises
    ------
    DataError : a file that cannot be read.
    """
    try:
        hashes = [_of_folder(path) if path.is_dir() else _of_file(path) for path in paths]
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read: {error.strerror or error}") from error
    return hashes[0] if len(hashes) == 1 else hashlib.sha256(" ".join(hashes).encode()).hexdigest()


def _of_folder(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    whole = sum(path.stat().st_size for path in files) <= LARGEST_FOLDER
    digest = hashlib.sha256()
    for path in files:
        status = path.stat()
        content = _of_file(path) if whole else str(status.st_mtime_ns)
        digest.update(
            f"{path.relative_to(folder).as_posix()}\n{status.st_size} {content}\n".encode(
                errors="surrogateescape"
            )
        )
    return digest.hexdigest()


def _of_file(path: Path) -> str:
    """Return the SHA-256 of a file; not read again while size, times, and place on the disk are the
    same.
    """
    status = path.stat()
    identity = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
    key, large = str(path.resolve()), status.st_size >= KEPT_FROM
    known = _hashes.get(key) or (_read_kept().get(key) if large else None)
    if known is not None and known[0] == identity:
        return known[1]
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if time.time() - max(status.st_mtime, status.st_ctime) > RACY:
        _hashes[key] = (identity, found)
        if large:
            _keep(key)
    return found


def _kept_file() -> Path:
    return cache_folder() / "named-files.json"


def _read_kept() -> dict[str, tuple[list[int], str]]:
    """Return the hashes that were kept; a cache that is damaged or of another format is as good as
    none.
    """
    try:
        content = json.loads(_kept_file().read_text(encoding="utf-8"))
        if content["format"] != CACHE_FORMAT:
            return {}
        return {
            str(path): ([int(number) for number in identity], str(text))
            for path, (identity, text) in content["files"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _keep(key: str) -> None:
    """Keep a hash, beside those that other processes keep. A cache that cannot be written costs a
    second reading, no error.
    """
    path = _kept_file()
    with (
        contextlib.suppress(DataError),
        locked(path.with_suffix(".lock"), "hashes", lambda: None),
        replacing(path, "hashes") as file,
    ):
        file.write(
            json.dumps(
                {"format": CACHE_FORMAT, "files": {**_read_kept(), key: _hashes[key]}}
            ).encode()
        )
