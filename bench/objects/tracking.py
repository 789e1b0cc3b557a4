"""Tracks: the same object over frames. Found once for each dataset, detector and setting, and kept
in the cache.

    <cache>/<dataset>-<8 hex>/tracks/<detector>-<8 hex of the key>/
        about.json          what made them
        <split>/<clip>-<8 hex of its files' paths>.npz   the tracks of one clip
        <split>/<clip>-<8 hex of its files' paths>.json  their checksum, sources and counts

The tracker is OC-SORT of the `trackers` library with its defaults but for the frame rate. It has no
randomness; it is made anew for each clip, so that ids (from 0) and boxes do not depend on the clips
before.

In OC-SORT's original code (noahcao/OC_SORT) an object that is new in one of the first three frames
of a clip has its id there (`frame_count <= min_hits`); the library gives it from the next frame on,
in which it is matched. The original is followed: those boxes are kept under the id that their
object gets.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np

from bench.contracts.clip import SPLITS, Clip
from bench.contracts.dataset import Dataset
from bench.contracts.detector import Detector
from bench.contracts.tracks import Tracks
from bench.errors import DataError
from bench.files.cache import locked, replacing
from bench.frames.decode import count_frames, estimate_frames, read_frames
from bench.frames.store import dataset_folder, entry_name, source_fingerprint
from bench.plugins.named_files import content_hash, named_files
from bench.plugins.registry import current

FRAME_RATE = 10
"""Frames a second told to the tracker; it scales for how long a lost object is looked for: 10
frames, 1 second, where OC-SORT's own default is 30 frames. UCSD Ped2 has 10 (an older README of
it); fixed for all datasets, chosen here because frames stored as images do not say theirs."""
YOUNG = 3
"""Frames at the beginning of a clip in which a new object has its id at once, as in OC-SORT's
original code (`min_hits`)."""
BATCH = 8
"""Consecutive frames that a detector gets at once; chosen here: bounds the memory."""

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class TrackSummary:
    """What the tracker made of the boxes of some clips.

    `boxes` found by the detector, `kept` those of them that belong to a track, `dropped` the share
    of the others (0..1), `tracks` and `frames` in all, `frames_with_track` those with at least one.
    """

    boxes: int
    kept: int
    dropped: float
    tracks: int
    frames: int
    frames_with_track: int
    clips: int


def tracks_key(dataset: Dataset, detector: Detector) -> str:
    """Return 64 hex digits that change when the tracks may: detector, its parameters and files,
    tracker and its setting.
    """
    text = json.dumps(_about(dataset, detector), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def prepare_tracks(
    dataset: Dataset, clips: Sequence[Clip], detector: Detector, progress: Progress
) -> None:
    """Detect and track in each clip whose tracks are missing, damaged or older than its frames;
    each is decoded once.

    Parameters
    ----------
    progress : called with frames done, frames in all (an estimate for videos) and what is being
        done.

    Raises
    ------
    DataError : weights or boxes are missing, a clip or a file is damaged, the cache cannot be
        written.
    """
    detector.check(dataset.name)
    waiting = [clip for clip in clips if not _is_good(dataset, clip, detector)]
    if not waiting:
        return
    total = sum(estimate_frames(clip) for clip in waiting)
    done = 0
    for clip in waiting:
        path = _path(dataset, clip, detector)
        what = f"tracks of {dataset.name}, {clip.split} clip {clip.id} ({detector.name})"

        def report(count: int, done: int = done, what: str = what) -> None:
            progress(done + count, max(total, done + count), what)

        def wait(done: int = done, what: str = what) -> None:
            progress(done, total, f"waiting for another process that prepares {what}")

        with locked(path.with_suffix(".lock"), what, wait):
            if _is_good(dataset, clip, detector):  # another process made them meanwhile
                done += estimate_frames(clip)
            else:
                sources = source_fingerprint(clip)
                tracks = _track(dataset, clip, detector, report)
                tracks.save(path, sources)
                done += tracks.length
        progress(done, max(total, done), what)
    about = _folder(dataset, detector) / "about.json"
    with (
        locked(about.with_suffix(".lock"), "tracks", lambda: None),
        replacing(about, "tracks") as file,
    ):
        file.write(json.dumps(_about(dataset, detector), indent=1, default=str).encode())


def open_tracks(dataset: Dataset, clip: Clip, detector: Detector) -> Tracks:
    """Return the tracks of a prepared clip.

    Raises
    ------
    DataError : not prepared, damaged since, or made from other frames.
    """
    try:
        return Tracks.load(_path(dataset, clip, detector), source_fingerprint(clip))
    except DataError as error:
        raise DataError(
            f"{dataset.name}, {clip.split} clip {clip.id}: {error}; run `{dataset.command('prepare')}`"
        ) from error


def summary(dataset: Dataset, clips: Sequence[Clip], detector: Detector) -> TrackSummary:
    """Return what the tracker made of the boxes in these prepared clips."""
    opened = [open_tracks(dataset, clip, detector) for clip in clips]
    boxes, kept = sum(tracks.found for tracks in opened), sum(tracks.kept for tracks in opened)
    return TrackSummary(
        boxes=boxes,
        kept=kept,
        dropped=1 - kept / boxes if boxes else 0.0,
        tracks=sum(len(tracks) for tracks in opened),
        frames=sum(tracks.length for tracks in opened),
        frames_with_track=sum(int(tracks.usable(1).sum()) for tracks in opened),
        clips=len(opened),
    )


def named_by_detector(
    dataset: Dataset, detector: Detector
) -> tuple[dict[str, list[Path]], list[str]]:
    """Return which files the parameters of a detector name, but for those that its `key` covers,
    and what is said of absent ones.
    """
    home = current().file("detectors", detector.name)
    words = [{"dataset": dataset.name, "part": split} for split in SPLITS]
    found, missing = named_files(detector.parameters, words, None if home is None else home.parent)
    return {name: paths for name, paths in found.items() if name not in detector.unkeyed}, missing


def _about(dataset: Dataset, detector: Detector) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if dataclasses.is_dataclass(detector.parameters):
        values = dataclasses.asdict(detector.parameters)  # type: ignore[arg-type]
    named = {
        name: content_hash(paths) for name, paths in named_by_detector(dataset, detector)[0].items()
    }
    source = current().source("detectors", detector.name)
    return {
        "detector": detector.name,
        "version": detector.version,
        "parameters": {
            name: value for name, value in values.items() if name not in detector.unkeyed
        },
        "files": detector.key(dataset.name),
        "tracker": "OC-SORT",
        "trackers": importlib.metadata.version("trackers"),
        "frame_rate": FRAME_RATE,
        **({"named": named} if named else {}),
        **({"plugin": source} if source else {}),
        "young": YOUNG,
    }


def _folder(dataset: Dataset, detector: Detector) -> Path:
    return (
        dataset_folder(dataset) / "tracks" / f"{detector.name}-{tracks_key(dataset, detector)[:8]}"
    )


def _path(dataset: Dataset, clip: Clip, detector: Detector) -> Path:
    return _folder(dataset, detector) / clip.split / f"{entry_name(clip)}.npz"


def _is_good(dataset: Dataset, clip: Clip, detector: Detector) -> bool:
    try:
        Tracks.load(_path(dataset, clip, detector), source_fingerprint(clip))
    except DataError:
        return False
    return True


def _track(
    dataset: Dataset, clip: Clip, detector: Detector, report: Callable[[int], None]
) -> Tracks:
    detector.begin(clip, dataset.name)
    if detector.needs_frames:
        first, frames = _peek(read_frames(clip))
        return track(_detections(clip, frames, detector, report), first.shape[:2])
    size, boxes = detector.known_boxes(clip, count_frames(clip))
    return track(boxes, size)


def _peek(frames: Iterator[np.ndarray]) -> tuple[np.ndarray, Iterator[np.ndarray]]:
    from itertools import chain

    first = next(frames)
    return first, chain([first], frames)


def _detections(
    clip: Clip, frames: Iterator[np.ndarray], detector: Detector, report: Callable[[int], None]
) -> Iterator[np.ndarray]:
    done = 0
    while batch := list(islice(frames, BATCH)):
        found = detector.detect(clip, batch)
        if len(found) != len(batch):
            raise DataError(
                f"detector {detector.name}: detect() returned boxes of {len(found)} frames for {len(batch)}"
            )
        yield from found
        done += len(batch)
        report(done)


def track(detections: Iterable[np.ndarray], size: tuple[int, int]) -> Tracks:
    """Return the tracks through the boxes of consecutive frames.

    Parameters
    ----------
    detections : for each frame (K, 5) float, x1, y1, x2, y2 in pixels and a score; boxes are
        clipped to the frame, and those with nothing left are no boxes.
    size : (height, width) of the frame in pixels.
    """
    from supervision import Detections
    from trackers import OCSORTTracker

    height, width = size
    tracker = OCSORTTracker(frame_rate=FRAME_RATE)
    frames: list[np.ndarray] = []
    ids: list[np.ndarray] = []
    boxes: list[np.ndarray] = []
    young: list[tuple[int, Any, np.ndarray]] = []  # frame, object and box
    found = 0
    length = 0
    for length, detected in enumerate(detections, start=1):
        rows = np.asarray(detected, dtype=np.float64).reshape(-1, 5)
        corners = np.clip(rows[:, :4], 0, (width, height, width, height))
        inside = (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])
        found += int(inside.sum())
        tracked = tracker.update(Detections(xyxy=corners[inside], confidence=rows[inside, 4]))
        known = tracked.tracker_id >= 0  # -1: no track, or one too young
        frames.append(np.full(int(known.sum()), length - 1))
        ids.append(tracked.tracker_id[known])
        boxes.append(tracked.xyxy[known])
        if length <= YOUNG:
            new = [
                one for one in tracker.tracks if one.tracker_id < 0 and not one.time_since_update
            ]
            young += [(length - 1, one, one.last_observation) for one in new]
    if not length:
        raise DataError("no frames to track objects in")
    unused = count(max((int(values.max()) for values in ids if len(values)), default=-1) + 1)
    for frame, one, box in young:
        frames.append(np.array([frame]))
        ids.append(
            np.array([one.tracker_id if one.tracker_id >= 0 else next(unused)])
        )  # one that was never seen again has none
        boxes.append(box[None])
    return Tracks(
        np.concatenate(frames),
        np.concatenate(ids),
        np.concatenate(boxes) / (width, height, width, height),
        length,
        (height, width),
        found,
    )
