"""Opens what a cell is computed on: a dataset, found on this machine, and its clips."""

from __future__ import annotations

import os
import shlex
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.contracts.clip import Clip
from bench.contracts.dataset import Dataset
from bench.contracts.detector import Detector
from bench.contracts.method import Method, OpenClip
from bench.errors import DataError, RunError
from bench.frames.decode import count_frames
from bench.frames.fingerprint import dataset_fingerprint
from bench.frames.store import open_frames
from bench.objects.tracking import open_tracks
from bench.plugins.registry import current
from bench.plugins.selection import select_one


def located_dataset(selector: str, roots: list[str], fingerprint: str = "") -> Dataset:
    """Return a dataset by its selector, found below the data folders.

    With a `fingerprint` it must be that copy; then this machine's own BENCH_DATA is looked at after
    `roots`.

    Raises
    ------
    RunError : this machine has another copy, or none.
    """
    tried = [roots, os.environ.get("BENCH_DATA", "").split(os.pathsep)] if fingerprint else [roots]
    found = []
    for places in tried:
        dataset: Dataset = select_one("datasets", selector, current()).make()
        try:
            dataset.locate([Path(root) for root in places if root])
        except (DataError, OSError, IndexError) as error:
            if not fingerprint:
                raise
            found.append(str(error) or "there is none")
            continue
        if not fingerprint or (own := dataset_fingerprint(dataset)) == fingerprint:
            return dataset
        found.append(
            f"its copy below {dataset.root} differs (fingerprint {own[:12]}, the run has "
            f"{fingerprint[:12]})"
        )
    raise RunError(
        f"{selector} on {socket.gethostname()}: {'; '.join(dict.fromkeys(found))}. `bench verify "
        f"{shlex.quote(selector)}` there tells what differs; "
        "BENCH_DATA says where data lies there"
    )


def make_detector(selector: str) -> Detector | None:
    """Return a detector by its selector; None for an empty text."""
    if not selector:
        return None
    detector: Detector = select_one("detectors", selector, current()).make()
    return detector


def clip_length(clip: Clip) -> int:
    """Return the frames of a clip: counted where it has frames, as its labels know where it has
    none.
    """
    if clip.source is not None:
        return count_frames(clip)
    if clip.length is None:
        raise DataError(f"clip {clip.id}: neither frames nor labels tell its length")
    return clip.length


def open_clip(
    dataset: Dataset,
    clip: Clip,
    length: int,
    method: Method,
    detector: Detector | None,
    touch: Callable[[], None],
) -> OpenClip:
    """Return a clip as this method sees it: frames opened at first use, tracks for training
    clips.
    """
    dataset = dataset.owner(clip.split)
    wanted = method.frames if method.needs & {"frames", "train"} else None

    def opener() -> np.ndarray:
        assert wanted is not None
        frames = open_frames(dataset, clip, wanted)
        if len(frames) != length:
            raise DataError(
                f"{dataset.name}: the frame store has {len(frames)} frames of clip {clip.id}, the "
                f"dataset {length}; `{dataset.command('prepare')}` makes it anew"
            )
        return frames

    tracks = (
        open_tracks(dataset, clip, detector)
        if detector is not None and clip.split == "train"
        else None
    )
    return OpenClip(
        clip.id,
        clip.split,
        length,
        dataset.name,
        clip.scene,
        opener=opener if wanted is not None and clip.source is not None else None,
        tracks=tracks,
        touched=touch,
    )
