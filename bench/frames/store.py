"""The frame store: the decoded, resized frames of a dataset on disk, one uint8 `.npy` a clip and
format, memory-mapped.

    <cache>/<dataset>-<8 hex of its root>/frames/<split>/<clip>-<8 hex of its files' paths>/
      <height>x<width>x<channels>
        .npy    the frames, (N, H, W) or (N, H, W, 3)
        .json   where they come from, and their checksum

OpenCV decodes, and PyAV what it cannot (`video_decode`); then comes the one `conversion`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import numpy as np

from bench.contracts.clip import Clip, ImageFiles, VideoFile
from bench.contracts.dataset import Dataset
from bench.contracts.method import FrameFormat
from bench.errors import DataError
from bench.files.cache import cache_folder, cannot_write, file_stem, full_disk, locked, replacing
from bench.frames.decode import decoded_frames, estimate_frames
from bench.frames.frame_file import (
    FrameWriter,
    file_size,
    is_whole,
    read_record,
    remove_record,
    write_record,
)

VIDEO_DECODING = b"opencv, pyav where it cannot"
"""What is made of videos under another one is made again: OpenCV alone read interlaced video as
black frames."""
REPORT_EVERY = 50
"""Frames between two calls of `progress`."""

Progress = Callable[[int, int, str], None]


def dataset_folder(dataset: Dataset) -> Path:
    """Return the folder in the cache for what is made of one dataset at one place:
    `<cache>/<name>-<8 hex of its root>`.
    """
    root = str(dataset.root.resolve()) if dataset.root is not None else ""
    return (
        cache_folder()
        / f"{file_stem(dataset.name)}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:8]}"
    )


def entry_name(clip: Clip) -> str:
    """Return what the entry of a clip is called in the cache: its id, and 8 hex digits of the paths
    of its files in their order. Parameters of a dataset may choose among several sources of one
    clip, or among its files, and each choice has an entry of its own.

    Raises
    ------
    DataError : the clip has no frames here.
    """
    digest = hashlib.sha256()
    for _, path in _files(clip):
        digest.update(f"{path}\n".encode(errors="surrogateescape"))
    return f"{file_stem(clip.id)}-{digest.hexdigest()[:8]}"


def source_fingerprint(clip: Clip) -> str:
    """Return a text that changes when a file of the clip does, or how it is decoded: a hash of
    paths, sizes and times of change.

    Raises
    ------
    DataError : the clip has no frames here, or a file is gone.
    """
    digest = hashlib.sha256(VIDEO_DECODING if isinstance(clip.source, VideoFile) else b"")
    for path, real in _files(clip):
        try:
            status = path.stat()
        except OSError as error:
            raise DataError(
                f"clip {clip.id}: {path} cannot be read: {error.strerror or error}"
            ) from error
        digest.update(
            f"{real}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape")
        )
    return digest.hexdigest()


def _files(clip: Clip) -> Iterator[tuple[Path, str]]:
    """Yield the files of a clip, each with its path in the real folder: one dataset, by whatever
    links it was reached.
    """
    if clip.source is None:
        raise DataError(f"clip {clip.id}: there are only labels of it here, no frames")
    paths = clip.source.paths if isinstance(clip.source, ImageFiles) else (clip.source.path,)
    real: dict[str, str] = {}
    for path in paths:  # as texts: a dataset has a hundred thousand files
        folder, name = os.path.split(path)
        if folder not in real:
            real[folder] = os.path.realpath(folder)
        yield path, f"{real[folder]}{os.sep}{name}"


def disk_needed(dataset: Dataset, clips: Sequence[Clip], formats: Iterable[FrameFormat]) -> int:
    """Return the bytes still to be written for these clips and formats; of a video not yet counted,
    by its header.
    """
    formats = list(formats)
    return sum(
        file_size(frames, estimate_frames(clip))
        for clip in clips
        for frames in _missing(dataset, clip, formats)
    )


def prepare_frames(
    dataset: Dataset,
    clips: Sequence[Clip],
    formats: Iterable[FrameFormat],
    progress: Progress,
    jobs: int = 1,
) -> None:
    """Write what is missing, damaged or older than its sources; each clip is decoded once, for all
    formats.

    Safe to call from several processes at once: the second waits for the first, clip by clip, and
    finds its work done.

    Parameters
    ----------
    progress : called with frames done, frames in all (an estimate for videos) and what is being
        done; one call at a time.
    jobs : clips at a time, each in a thread, from which `progress` is called then: decoding,
        resizing and checksums leave Python's lock alone.

    Raises
    ------
    DataError : not enough room on the disk (before anything is written), a cache that cannot be
        written, a damaged source.
    """
    formats = list(dict.fromkeys(formats))
    waiting = [clip for clip in clips if _missing(dataset, clip, formats)]
    if not waiting:
        return
    _check_disk(dataset, disk_needed(dataset, waiting, formats))
    total = sum(estimate_frames(clip) for clip in waiting)
    done: dict[str, int] = {}
    turn, stop = threading.Lock(), threading.Event()

    def say(clip: Clip, count: int, what: str) -> None:
        with turn:
            if stop.is_set():
                raise _Stopped
            done[clip.id] = count
            so_far = sum(done.values())
            progress(so_far, max(total, so_far), what)

    def prepare(clip: Clip) -> None:
        what = f"frames of {dataset.name}, {clip.split} clip {clip.id}"

        def wait() -> None:
            say(clip, 0, f"waiting for another process that prepares {what}")

        with locked(_entry_folder(dataset, clip) / "lock", what, wait):
            missing = _missing(
                dataset, clip, formats
            )  # another process may have written it meanwhile
            count = (
                _write(dataset, clip, missing, lambda count: say(clip, count, what))
                if missing
                else estimate_frames(clip)
            )
        say(clip, count, what)

    if jobs <= 1 or len(waiting) == 1:
        for clip in waiting:
            prepare(clip)
        return
    pool = ThreadPoolExecutor(jobs)
    try:
        for future in as_completed([pool.submit(prepare, clip) for clip in waiting]):
            future.result()
    finally:  # the other clips end at their next report, and leave nothing half written
        stop.set()
        pool.shutdown(cancel_futures=True)


class _Stopped(Exception):
    """Another clip failed, or the user asked to stop."""


def open_frames(dataset: Dataset, clip: Clip, frames: FrameFormat) -> np.ndarray:
    """Return the frames of a prepared clip: (N, H, W) or (N, H, W, 3) uint8, memory-mapped,
    read-only.

    Raises
    ------
    DataError : not prepared, damaged since, or made from files that have changed since.
    """
    path = _path(dataset, clip, frames)
    again = f"run `{dataset.command('prepare')}`"
    record = read_record(path)
    if record is None:
        raise DataError(
            f"{dataset.name}: the frames of {clip.split} clip {clip.id} ({frames}) are not in the frame store ({path}); {again}"
        )
    if record.get("sources") != source_fingerprint(clip):
        raise DataError(
            f"{dataset.name}: the files of {clip.split} clip {clip.id} have changed since its frames were stored ({path}); {again}"
        )
    try:
        if path.stat().st_size != record["bytes"]:
            raise ValueError(f"{path.stat().st_size} bytes, {record['bytes']} were written")
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        if list(array.shape) != record["shape"] or array.dtype != np.uint8:
            raise ValueError(
                f"{array.dtype} {array.shape}, uint8 {tuple(record['shape'])} was written"
            )
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"{dataset.name}: the stored frames of {clip.split} clip {clip.id} are damaged ({path}: {error}); {again}"
        ) from error
    return array


@contextlib.contextmanager
def temporary_frames(
    clip: Clip, frames: FrameFormat, count: Callable[[int], None]
) -> Iterator[np.ndarray]:
    """Decode a clip that belongs to no dataset, and give its frames as `open_frames` does, for as
    long as the block lasts.

    They lie on the disk of the cache, so that memory does not grow with the clip. `count` is called
    with the frames done.

    Raises
    ------
    DataError : a damaged source, or no room on the disk.
    """
    what = f"the frames of {clip.id}"
    with contextlib.ExitStack() as stack:
        try:
            cache_folder().mkdir(parents=True, exist_ok=True)
            folder = Path(
                stack.enter_context(
                    tempfile.TemporaryDirectory(dir=cache_folder(), prefix="apply-")
                )
            )
            needed, free = file_size(frames, estimate_frames(clip)), shutil.disk_usage(folder).free
            if needed > free:
                raise full_disk(folder, what, f"{_amount(needed)} needed, {_amount(free)} free")
        except OSError as error:
            raise cannot_write(cache_folder(), error, what) from error
        path = folder / "frames.npy"
        with replacing(path, what) as file:
            writer = FrameWriter(frames, file)
            for frame in decoded_frames(clip):
                writer.add(frame)
                count(writer.length)
            writer.finish()
        opened: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        yield opened


def _entry_folder(dataset: Dataset, clip: Clip) -> Path:
    return dataset_folder(dataset.owner(clip.split)) / "frames" / clip.split / entry_name(clip)


def _path(dataset: Dataset, clip: Clip, frames: FrameFormat) -> Path:
    return _entry_folder(dataset, clip) / f"{frames}.npy"


# --------------------------------------------------------------------------------------------------
# what is there already


def _missing(dataset: Dataset, clip: Clip, formats: Iterable[FrameFormat]) -> list[FrameFormat]:
    fingerprint = source_fingerprint(clip)
    return [
        frames
        for frames in formats
        if not is_whole(_path(dataset, clip, frames), frames, fingerprint)
    ]


# --------------------------------------------------------------------------------------------------
# writing


def _check_disk(dataset: Dataset, needed: int) -> None:
    folder = dataset_folder(dataset)
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise full_disk(
            folder,
            f"the frames of {dataset.name}",
            f"{_amount(needed)} needed, {_amount(free)} free",
        )


def _amount(count: int) -> str:
    return f"{count / 1e9:.2f} GB ({count} bytes)"


def _write(
    dataset: Dataset, clip: Clip, formats: Sequence[FrameFormat], count: Callable[[int], None]
) -> int:
    """Decode a clip and write all `formats` of it; return its length."""
    fingerprint = source_fingerprint(clip)
    what = f"the frames of {dataset.name}, {clip.split} clip {clip.id}"
    length = 0
    with contextlib.ExitStack() as stack:
        writers = []
        for frames in formats:
            path = _path(dataset, clip, frames)
            remove_record(path, what)
            writer = FrameWriter(frames, stack.enter_context(replacing(path, what)))
            writers.append((path, writer))
        for frame in decoded_frames(clip):
            for _, writer in writers:
                writer.add(frame)
            length += 1
            if length % REPORT_EVERY == 0:
                count(length)
        records = [(path, writer.finish()) for path, writer in writers]
    for path, record in records:
        write_record(path, record, fingerprint, what)
    return length
