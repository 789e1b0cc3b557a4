"""Preparing a dataset once for all cells: lengths, labels, frame store, tracks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from bench.contracts.clip import Clip, Part
from bench.contracts.dataset import Dataset, checked_labels
from bench.contracts.detector import Detector
from bench.contracts.method import Frames
from bench.errors import DataError
from bench.frames.decode import count_frames
from bench.frames.fingerprint import dataset_fingerprint
from bench.frames.store import prepare_frames
from bench.runs.records import DatasetRecord
from bench.runs.regions import TrueRegions
from bench.worker.keepers import checked_masks, true_regions

Step = Callable[[int, int, str], None]


def clip_length(clip: Clip) -> int:
    """Return the frames of a clip: counted where it has frames, as its labels know where it has
    none.
    """
    if clip.source is not None:
        return count_frames(clip)
    if clip.length is None:
        raise DataError(f"clip {clip.id}: neither frames nor labels tell its length")
    return clip.length


def prepare_dataset(
    dataset: Dataset,
    name: str,
    label: str,
    test_formats: Iterable[Frames],
    train_formats: Iterable[Frames],
    detector: Detector | None,
    step: Step,
    regions: bool = False,
    jobs: int = 1,
) -> DatasetRecord:
    """Make what the cells of a dataset need, and return what the run keeps of it.

    What cannot be made is no exception: it stands in `problems` of the record ('lengths', 'frames',
    'train', 'tracks'), so that it costs only the cells that need it. `regions`: the components of
    the pixel masks are wanted. `jobs` clips are decoded at a time.
    """
    problems: dict[str, str] = {}
    clips, labels = _lengths_and_labels(dataset, problems, step)
    test = [clip for clip in dataset.clips("test") if clip.source is not None]
    train: Sequence[Clip] = ()
    if "lengths" not in problems:
        for need, part, formats in (
            ("frames", "test", test_formats),
            ("train", "train", train_formats),
        ):
            chosen = sorted(set(formats), key=str)
            if not chosen:
                continue
            try:
                found = _with_frames(dataset, part)  # type: ignore[arg-type]
                prepare_frames(dataset, found, chosen, step, jobs)
                train = found if part == "train" else train
            except DataError as error:
                problems[need] = str(error)
    tracks: dict[str, Any] = {}
    if detector is not None and not problems:
        try:
            tracks = _tracks(dataset, train, detector, step)
        except DataError as error:
            problems["tracks"] = str(error)
    true: dict[str, TrueRegions] = {}
    if regions and "lengths" not in problems:
        try:
            true = _true_regions(dataset, clips, step)
        except DataError as error:
            problems["regions"] = str(error)
    return DatasetRecord(
        name=name,
        label=label,
        clips=clips,
        fingerprint=dataset_fingerprint(dataset),
        label_sets=tuple(labels),
        labels=labels,
        share=dataset.share(),
        lengths_from="frames" if test else "labels",
        problems=problems,
        tracks=tracks,
        frame_rate=dataset.info.frame_rate,
        resolution=dataset.info.resolution,
        regions=true,
    )


def _true_regions(
    dataset: Dataset, clips: Sequence[tuple[str, int, str]], step: Step
) -> dict[str, TrueRegions]:
    lengths = {clip: length for clip, length, _ in clips}
    found = {}
    for number, clip in enumerate(dataset.clips("test"), start=1):
        masks = checked_masks(
            dataset.pixel_masks(clip), lengths[clip.id], f"{dataset.name}: clip {clip.id}"
        )
        if masks is not None:
            found[clip.id] = true_regions(masks)
        step(number, len(clips), "reading pixel masks")
    if not found:
        raise DataError(f"{dataset.name}: no pixel masks below {dataset.root}")
    return found


def _with_frames(dataset: Dataset, part: Part) -> list[Clip]:
    return [clip for clip in dataset.clips(part) if clip.source is not None]


def _lengths_and_labels(
    dataset: Dataset, problems: dict[str, str], step: Step
) -> tuple[tuple[tuple[str, int, str], ...], dict[str, dict[str, np.ndarray]]]:
    clips: list[tuple[str, int, str]] = []
    labels: dict[str, dict[str, np.ndarray]] = {}
    try:
        test = dataset.clips("test")
        for number, clip in enumerate(test, start=1):
            clips.append((clip.id, clip_length(clip), clip.scene))
            step(number, len(test), "counting frames")
        for label_set in dataset.available_label_sets():
            labels[label_set] = {}
            for clip, (_, length, _) in zip(test, clips):
                labels[label_set][clip.id] = checked_labels(dataset, clip, length, label_set)
    except DataError as error:
        problems["lengths"] = str(error)
        return (), {}
    return tuple(clips), labels


def _tracks(
    dataset: Dataset, train: Sequence[Clip], detector: Detector, step: Step
) -> dict[str, Any]:
    from dataclasses import asdict

    from bench.objects.tracking import prepare_tracks, summary

    prepare_tracks(dataset, train, detector, step)
    return {"detector": detector.name, "train": asdict(summary(dataset, train, detector))}
