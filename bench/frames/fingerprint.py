"""The fingerprint of a dataset: what tells whether two runs saw the same frames and labels."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from bench.contracts.clip import SPLITS, Clip, ImageFiles
from bench.contracts.dataset import Dataset
from bench.errors import DataError
from bench.files.cache import locked, replacing
from bench.frames.store import dataset_folder

MIB = 1 << 20
CACHE_FORMAT = 1

Step = Callable[[int, int, str], None]


def dataset_fingerprint(dataset: Dataset, full: bool = False, step: Step | None = None) -> str:
    """Return the SHA-256 (hex) of clip ids, scenes, file sizes, labels, and contents of files;
    paths and names do not count.

    Parameters
    ----------
    full : hash every file whole, without the cache. Else the first, middle and last file of each
        clip (of a video, the first, middle and last MiB), remembered by path, size and time of
        change. The two kinds never agree.
    step : called with clips done, clips in all, and what is being done.

    Raises
    ------
    DataError : clips or labels that cannot be read.
    """
    known = {} if full else _read_cache(dataset)
    before = dict(known)
    digest = hashlib.sha256(f"{dataset.name} {'full' if full else 'sampled'}\n".encode())
    clips = [clip for split in SPLITS for clip in dataset.clips(split)]
    for done, clip in enumerate(clips, start=1):
        digest.update(
            f"{clip.split} {clip.id} {clip.scene} {'' if clip.source is None else len(_paths(clip))}\n".encode()
        )
        _add_files(digest, clip, full, known)
        if step is not None:
            step(done, len(clips), f"hashing {clip.split} clip {clip.id}")
    for label_set in sorted(dataset.available_label_sets()):
        for clip in dataset.clips("test"):
            content = dataset.label_content(clip, label_set)
            digest.update(f"{label_set} {clip.id} {len(content)}\n".encode() + content)
    if not full and known != before:
        _write_cache(dataset, known)
    return digest.hexdigest()


def content_digest(clip: Clip) -> str:
    """Return what tells the files of a clip from others, whatever their names.

    Of images: the SHA-256 of the lines of their SHA-256, in order
    (`sha256sum CLIP/* | cut -c1-64 | sha256sum`). Of a video: its git blob id, a SHA-1
    (`git hash-object FILE`), since that is what public lists have; it shows which file it is, and
    guards against no forger.

    Raises
    ------
    DataError : a file that cannot be read.
    """
    try:
        if isinstance(clip.source, ImageFiles):
            lines = (f"{_hash(path, 0, True)}\n" for path in clip.source.paths)
            return hashlib.sha256("".join(lines).encode()).hexdigest()
        (path,) = _paths(clip)
        digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
        with path.open("rb") as file:
            while block := file.read(MIB):
                digest.update(block)
        return digest.hexdigest()
    except OSError as error:
        raise DataError(
            f"{clip.split} clip {clip.id}: {error.filename} cannot be read: {error.strerror}"
        ) from error


def _paths(clip: Clip) -> tuple[Path, ...]:
    if clip.source is None:
        return ()
    return clip.source.paths if isinstance(clip.source, ImageFiles) else (clip.source.path,)


# path -> size, time of change in ns, SHA-256
_Known = dict[str, tuple[int, int, str]]


def _add_files(digest: hashlib._Hash, clip: Clip, full: bool, known: _Known) -> None:
    paths = _paths(clip)
    chosen = set(range(len(paths))) if full else {0, len(paths) // 2, len(paths) - 1}
    for index, path in enumerate(paths):
        try:
            status = path.stat()
            digest.update(f"{status.st_size}\n".encode())
            if index not in chosen:
                continue
            key = str(path.resolve())
            if known.get(key, ())[:2] != (status.st_size, status.st_mtime_ns):
                known[key] = (
                    status.st_size,
                    status.st_mtime_ns,
                    _hash(path, status.st_size, full or isinstance(clip.source, ImageFiles)),
                )
        except OSError as error:
            raise DataError(
                f"{clip.split} clip {clip.id}: {path} cannot be read: {error.strerror or error}"
            ) from error
        digest.update(known[key][2].encode())


def _hash(path: Path, size: int, whole: bool) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        if whole or size <= 3 * MIB:
            while block := file.read(MIB):
                digest.update(block)
        else:
            for start in (0, (size - MIB) // 2, size - MIB):
                file.seek(start)
                digest.update(file.read(MIB))
    return digest.hexdigest()


def _cache_file(dataset: Dataset) -> Path:
    return dataset_folder(dataset) / "hashes.json"


def _read_cache(dataset: Dataset) -> _Known:
    """Return the hashes known; a cache that is damaged or of another format is as good as none."""
    try:
        content = json.loads(_cache_file(dataset).read_text(encoding="utf-8"))
        if content["format"] != CACHE_FORMAT:
            return {}
        return {
            str(path): (int(size), int(changed), str(text))
            for path, (size, changed, text) in content["files"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _write_cache(dataset: Dataset, known: _Known) -> None:
    """Keep hashes, with what other processes wrote meanwhile. A cache that cannot be written costs
    a second reading, no error.
    """
    path = _cache_file(dataset)
    with contextlib.suppress(DataError), locked(path.with_suffix(".lock"), "hashes", lambda: None):
        merged = {**_read_cache(dataset), **known}
        with replacing(path, "hashes") as file:
            file.write(json.dumps({"format": CACHE_FORMAT, "files": merged}).encode())
