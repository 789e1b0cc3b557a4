"""Preparing a dataset once for all cells: lengths, labels, frame store, tracks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.contracts.clip import Clip, Split
from bench.contracts.dataset import Dataset, checked_labels
from bench.contracts.detector import Detector
from bench.contracts.executor import Exit
from bench.contracts.method import FrameFormat
from bench.errors import BenchError, DataError, RunError
from bench.frames.fingerprint import dataset_fingerprint
from bench.frames.store import prepare_frames
from bench.objects.motion import components
from bench.runs.folder import Run
from bench.runs.records import DatasetRecord
from bench.runs.regions import TrueRegions
from bench.worker.opening import clip_length, located_dataset, make_detector
from bench.worker.progress import Reporter

Step = Callable[[int, int, str], None]


def prepare_dataset(
    dataset: Dataset,
    name: str,
    label: str,
    test_formats: Iterable[FrameFormat],
    train_formats: Iterable[FrameFormat],
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
        for need, split, formats in (
            ("frames", "test", test_formats),
            ("train", "train", train_formats),
        ):
            chosen = sorted(set(formats), key=str)
            if not chosen:
                continue
            try:
                found = _with_frames(dataset, split)  # type: ignore[arg-type]
                prepare_frames(dataset, found, chosen, step, jobs)
                train = found if split == "train" else train
            except DataError as error:
                problems[need] = str(error)
    tracks: dict[str, Any] = {}
    if detector is not None and not problems:
        try:
            tracks = _tracks(dataset.owner("train"), train, detector, step)
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


def true_regions(masks: np.ndarray) -> TrueRegions:
    """Return the components of the pixel masks (N, H, W) of a clip."""
    boxes = [components(mask)[0] for mask in masks]
    frames = np.repeat(np.arange(len(masks), dtype=np.int32), [len(found) for found in boxes])
    return TrueRegions(
        np.concatenate([np.zeros((0, 4), np.int32), *boxes]), frames, masks.shape[1:]
    )


def checked_masks(masks: np.ndarray | None, length: int, what: str) -> np.ndarray | None:
    """Return the masks of a clip of `length` frames as they are.

    Raises
    ------
    DataError : another number of masks.
    """
    if masks is not None and len(masks) != length:
        raise DataError(f"{what} has {length} frames, but {len(masks)} pixel masks")
    return masks


def _with_frames(dataset: Dataset, split: Split) -> list[Clip]:
    return [clip for clip in dataset.clips(split) if clip.source is not None]


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


def prepare(task: Mapping[str, Any]) -> int:
    """Prepare the dataset of a task, and return the exit code."""
    reporter = Reporter(Path(task["progress"]))
    reporter.begin("prepare", "reading the dataset")
    try:
        dataset = located_dataset(task["dataset"], task["roots"], task.get("fingerprint", ""))
    except RunError as error:
        sys.stderr.write(f"{error}\n")
        return Exit.REFUSED
    except BenchError as error:
        sys.stderr.write(f"{error}\n")
        return Exit.BAD_DATA
    try:
        record = prepare_dataset(
            dataset,
            task["name"],
            task["label"],
            [FrameFormat(tuple(size), channels) for size, channels in task["test_formats"]],
            [FrameFormat(tuple(size), channels) for size, channels in task["train_formats"]],
            make_detector(task["detector"]),
            reporter.step,
            regions="regions" in task["keep"],
            jobs=int(task["threads"]),
        )
        Run(Path(task["run"])).write_dataset(record)
    except BenchError as error:
        sys.stderr.write(f"{error}\n")
        return Exit.BAD_DATA
    finally:
        reporter.path.unlink(missing_ok=True)
    return Exit.WRITTEN
