"""The frame store: the decoded, resized frames of a dataset on disk, one uint8 `.npy` a clip and
format, memory-mapped.

    <cache>/<dataset>-<8 hex of its root>/frames/<split>/<clip>/<height>x<width>x<channels>
        .npy    the frames, (N, H, W) or (N, H, W, 3)
        .json   where they come from, and their checksum

The conversion, the same for all methods (design: one chain): OpenCV decodes, and PyAV what it
cannot (`video_decode`); RGB, or gray as BT.601 luma, at the clip's own size; then resizing on
uint8, each axis for itself: axes that shrink first, with INTER_AREA, then axes that grow, with
INTER_LINEAR.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import IO, Any

import numpy as np

from bench.contracts.clip import Clip, ImageFiles
from bench.contracts.dataset import Dataset
from bench.contracts.method import FrameFormat
from bench.errors import DataError
from bench.files.cache import cache_folder, cannot_write, file_stem, full_disk, locked, replacing
from bench.frames.decode import estimate_frames, read_frames

CONVERSION = "opencv; RGB or BT.601 luma at own size; per axis INTER_AREA where it shrinks, then INTER_LINEAR where it grows; uint8"
VIDEO_DECODING = b"opencv, pyav where it cannot"
"""What is made of videos under another one is made again: OpenCV alone read interlaced video as
black frames."""
CHUNK = 1 << 24
"""Bytes read at once when a checksum is verified."""
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
        / f"{file_stem(dataset.name)}-{hashlib.sha256(root.encode()).hexdigest()[:8]}"
    )


def source_fingerprint(clip: Clip) -> str:
    """Return a text that changes when a file of the clip does, or how it is decoded: a hash of
    paths, sizes and times of change.

    Raises
    ------
    DataError : the clip has no frames here, or a file is gone.
    """
    if clip.source is None:
        raise DataError(f"clip {clip.id}: there are only labels of it here, no frames")
    paths = clip.source.paths if isinstance(clip.source, ImageFiles) else (clip.source.path,)
    digest = hashlib.sha256(b"" if isinstance(clip.source, ImageFiles) else VIDEO_DECODING)
    folders = {
        folder: folder.resolve() for folder in {path.parent for path in paths}
    }  # one dataset, by whatever links it was reached
    for path in paths:
        try:
            status = path.stat()
        except OSError as error:
            raise DataError(
                f"clip {clip.id}: {path} cannot be read: {error.strerror or error}"
            ) from error
        digest.update(
            f"{folders[path.parent] / path.name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(
                errors="surrogateescape"
            )
        )
    return digest.hexdigest()


def disk_needed(dataset: Dataset, clips: Sequence[Clip], formats: Iterable[FrameFormat]) -> int:
    """Return the bytes still to be written for these clips and formats; of a video not yet counted,
    by its header.
    """
    formats = list(formats)
    return sum(
        _bytes(frames, estimate_frames(clip))
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
    finally:  # whatever ended this: the other clips end at their next report, and leave nothing half written
        stop.set()
        pool.shutdown(cancel_futures=True)


class _Stopped(Exception):
    """Another clip failed, or the user asked to stop."""


def open_frames(dataset: Dataset, clip: Clip, frames: FrameFormat) -> np.ndarray:
    """Return the frames of a prepared clip: (N, H, W) or (N, H, W, 3) uint8, memory-mapped,
    read-only.

    Raises
    ------
    DataError : not prepared, or damaged since.
    """
    path = _path(dataset, clip, frames)
    again = f"run `bench prepare {dataset.name}`"
    record = _record(path)
    if record is None:
        raise DataError(
            f"{dataset.name}: the frames of {clip.split} clip {clip.id} ({frames}) are not in the frame store ({path}); {again}"
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


def converted(frame: np.ndarray, frames: FrameFormat) -> np.ndarray:
    """Return a decoded frame, (H, W) gray or (H, W, 3) RGB uint8, as a method sees it. Gray to RGB
    is not done here.
    """
    import cv2

    if frames.channels == 1 and frame.ndim == 3:
        frame = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    return resize(frame, frames.size)


def resize(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a (H, W[, 3]) uint8 frame at `size` = (height, width).

    Each axis for itself: those that shrink first, with OpenCV's INTER_AREA, then those that grow,
    with INTER_LINEAR.
    """
    import cv2

    height, width = size
    smaller = (min(height, frame.shape[0]), min(width, frame.shape[1]))
    if smaller != frame.shape[:2]:
        frame = cv2.resize(frame, smaller[::-1], interpolation=cv2.INTER_AREA)
    if size != frame.shape[:2]:
        frame = cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR)
    return frame


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
            needed, free = _bytes(frames, estimate_frames(clip)), shutil.disk_usage(folder).free
            if needed > free:
                raise full_disk(folder, what, f"{_amount(needed)} needed, {_amount(free)} free")
        except OSError as error:
            raise cannot_write(cache_folder(), error, what) from error
        path = folder / "frames.npy"
        with replacing(path, what) as file:
            writer = _Writer(frames, file)
            file.write(_header(_shape(frames, 0)))
            for frame in read_frames(clip, channels=frames.channels):
                writer.add(frame)
                count(writer.length)
            writer.finish()
        opened: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        yield opened


def _entry_folder(dataset: Dataset, clip: Clip) -> Path:
    return dataset_folder(dataset) / "frames" / clip.split / file_stem(clip.id)


def _path(dataset: Dataset, clip: Clip, frames: FrameFormat) -> Path:
    return _entry_folder(dataset, clip) / f"{frames}.npy"


def _shape(frames: FrameFormat, length: int) -> tuple[int, ...]:
    return (
        (length, *frames.size) if frames.channels == 1 else (length, *frames.size, frames.channels)
    )


def _bytes(frames: FrameFormat, length: int) -> int:
    return int(np.prod(_shape(frames, length), dtype=np.int64)) + len(_header((0,)))


# ---------------------------------------------------------------------------------------------------
# what is there already


def _missing(dataset: Dataset, clip: Clip, formats: Iterable[FrameFormat]) -> list[FrameFormat]:
    fingerprint = source_fingerprint(clip)
    return [
        frames
        for frames in formats
        if not _is_good(_path(dataset, clip, frames), frames, fingerprint)
    ]


def _is_good(path: Path, frames: FrameFormat, fingerprint: str) -> bool:
    """Whether an entry is there, whole, and made from the sources as they are.

    The content is read only where size or time of change differ from what was recorded at writing.
    """
    record = _record(path)
    if (
        record is None
        or record.get("conversion") != CONVERSION
        or record.get("sources") != fingerprint
    ):
        return False
    try:
        if list(_shape(frames, record["shape"][0])) != record["shape"]:
            return False
        status = path.stat()
        if status.st_size != record["bytes"]:
            return False
        header = _header(tuple(record["shape"]))
        with path.open("rb") as file:
            if file.read(len(header)) != header:
                return False
            if status.st_mtime_ns == record["changed"]:
                return True
            if _checksum(file) != record["crc32"]:
                return False
        with contextlib.suppress(OSError):  # the next look need not read it again
            os.utime(path, ns=(status.st_atime_ns, record["changed"]))
        return True
    except (OSError, KeyError, IndexError, TypeError):
        return False


def _record(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return (
        record
        if isinstance(record, dict) and {"bytes", "shape", "changed", "crc32"} <= record.keys()
        else None
    )


def _checksum(file: IO[bytes]) -> int:
    checksum = 0
    while chunk := file.read(CHUNK):
        checksum = zlib.crc32(chunk, checksum)
    return checksum


# ----------------------------------------------------------------------------------------------------------------
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


@dataclasses.dataclass
class _Writer:
    """One format of one clip on its way to disk; frame by frame, so that memory stays flat."""

    frames: FrameFormat
    file: IO[bytes]
    length: int = 0
    checksum: int = 0

    def add(self, frame: np.ndarray) -> None:
        content = converted(frame, self.frames).tobytes()
        self.file.write(content)
        self.checksum = zlib.crc32(content, self.checksum)
        self.length += 1

    def finish(self) -> dict[str, Any]:
        """Put the header in its place, now that the number of frames is known."""
        shape = _shape(self.frames, self.length)
        size = self.file.tell()
        self.file.seek(0)
        self.file.write(_header(shape))
        return {
            "shape": list(shape),
            "bytes": size,
            "crc32": self.checksum,
            "conversion": CONVERSION,
        }


def _header(shape: tuple[int, ...]) -> bytes:
    """Return the 128 bytes that open a `.npy` file (format 1.0) of uint8, whatever the shape: so it
    can be written last.
    """
    text = repr({"descr": "|u1", "fortran_order": False, "shape": shape}).encode("latin1")
    return np.lib.format.magic(1, 0) + (118).to_bytes(2, "little") + text.ljust(117) + b"\n"


def _forget(path: Path, what: str) -> None:
    """Remove an entry's record, without which it does not count: a process killed later leaves
    nothing misleading.
    """
    try:
        path.with_suffix(".json").unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path.parent, error, what) from error


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
            _forget(path, what)
            writer = _Writer(frames, stack.enter_context(replacing(path, what)))
            writer.file.write(_header(_shape(frames, 0)))
            writers.append((path, writer))
        for frame in read_frames(clip, channels=max(frames.channels for frames in formats)):
            for _, writer in writers:
                writer.add(frame)
            length += 1
            if length % REPORT_EVERY == 0:
                count(length)
        records = [(path, writer.finish()) for path, writer in writers]
    for path, record in records:
        try:
            changed = path.stat().st_mtime_ns
        except OSError as error:
            raise cannot_write(path.parent, error, what) from error
        with replacing(path.with_suffix(".json"), what) as file:
            file.write(
                json.dumps(
                    {**record, "changed": changed, "sources": fingerprint}, indent=1
                ).encode()
            )
    return length
