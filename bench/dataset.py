"""What a dataset is: clips, how their frames are decoded, and the 0/1 labels of the test part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from .errors import DataError

Part = Literal["train", "test"]
PARTS: tuple[Part, Part] = ("train", "test")


@dataclass(frozen=True)
class ImageFiles:
    """Frames as one image file each, in frame order."""

    paths: tuple[Path, ...]


@dataclass(frozen=True)
class VideoFile:
    """Frames as one video file. Its length is known only by decoding it (headers and seeking are inexact)."""

    path: Path


@dataclass(frozen=True)
class Clip:
    """One video of a dataset: id, part, scene, where its frames are, and its length as far as known.

    Parameters
    ----------
    id : the same in every layout of the dataset, e.g. '01' or '01_0014'.
    source : None where only labels are present.
    length : frames; None for a video that was not counted yet.
    """

    id: str
    part: Part
    source: ImageFiles | VideoFile | None = None
    length: int | None = None
    scene: str = ""


@dataclass(frozen=True)
class DatasetInfo:
    """Facts about a dataset that no file of it says."""

    title: str = ""
    citation: str = ""
    year: int | None = None
    licence: str = ""
    obtain: str = ""
    resolution: tuple[int, int] | None = None
    """Height and width in pixels."""
    frame_rate: float | None = None
    """Frames a second; None where that is not known."""
    scenes: int = 1
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One line of `bench verify`: what was looked at, whether it is as it should be, and what to do."""

    subject: str
    ok: bool
    text: str


@dataclass(frozen=True)
class PassedOver:
    """A file or folder among the clips of a dataset, or in a folder of footage, that is not read."""

    path: Path
    reason: str
    may_hold_frames: bool = True
    """False for text, and for what is no clip by its name: named, and no fault."""


@dataclass(frozen=True)
class NoParameters:
    """A dataset, method or detector without parameters."""


class Dataset:
    """Clips and labels of one dataset, found below the data folders.

    A subclass names itself, and implements `locate`, `clips` and `labels`. Instances are made by the harness with
    the parameters of the selection; `locate` is called before anything else.
    """

    name: ClassVar[str]
    info: ClassVar[DatasetInfo] = DatasetInfo()
    Parameters: ClassVar[type] = NoParameters
    label_sets: ClassVar[tuple[str, ...]] = ("frame",)
    """Names of the published versions of the labels; the first is the default."""
    default_profile: ClassVar[str | None] = None
    default_detector: ClassVar[str | None] = None
    needs_parameters: ClassVar[bool] = False
    """True for a dataset that means nothing without parameters: it is then in no group."""
    expected: ClassVar[Mapping[str, Mapping[str, int]]] = {}
    """Integrity constants: for each part, clip id -> frames; 0 where the clip must be there and its length is not known."""
    expected_totals: ClassVar[Mapping[str, int]] = {}
    """Integrity constants: for each part, the frames of all its clips."""
    typical_length: ClassVar[int] = 1
    """Frames that `share` takes for a clip whose expected length is not known."""
    expected_anomalous: ClassVar[Mapping[str, Mapping[str, int]]] = {}
    """Integrity constants: for each label set, clip id -> anomalous frames."""

    def __init__(self, parameters: Any = None) -> None:
        self.parameters = type(self).Parameters() if parameters is None else parameters
        self.root: Path | None = None

    def locate(self, roots: Sequence[Path]) -> None:
        """Find the dataset below one of the data folders and set `root`.

        Raises
        ------
        DataError : nothing found (with all places looked at), or two copies found (with both paths).
        """
        raise NotImplementedError

    def clips(self, part: Part) -> list[Clip]:
        """Return the clips of one part, sorted by id; a part that is absent is an empty list.

        Where no test clip has frames, those with labels are listed with `source=None`. Where some have frames, only these
        are listed, so that all rows of a table stand on the same clips, and `share` says how many.

        Raises
        ------
        DataError : a gap in the frame numbers, an unreadable folder.
        """
        raise NotImplementedError

    def labels(self, clip: Clip, label_set: str | None = None) -> np.ndarray:
        """Return 0/1 a frame of a test clip: (N,) uint8, N = the length that the labels know.

        Raises
        ------
        DataError : no such label set here, or a label file that cannot be read.
        """
        raise NotImplementedError

    def available_label_sets(self) -> tuple[str, ...]:
        """Return the label sets present, the default first."""
        return self.label_sets

    def label_content(self, clip: Clip, label_set: str) -> bytes:
        """Return what tells these labels from others, for the fingerprint; the labels themselves, unless they cost a decoding."""
        return np.asarray(self.labels(clip, label_set), dtype=np.uint8).tobytes()

    def pixel_masks(self, clip: Clip) -> np.ndarray | None:
        """Return (N, H, W) bool, the anomalous pixels of a test clip, or None where there are no masks."""
        return None

    def model_scenes(self) -> tuple[str, ...]:
        """Return the scenes that get a model, and so a cell, of their own; empty for one model for all."""
        return ()

    def passed_over(self) -> list[PassedOver]:
        """Return what lies among the clips and is not read, with the reasons; what cannot be listed is left to `clips`.

        `bench verify` names it all, and calls wrong what may hold frames; runs name that in a line.
        """
        return []

    def verify(self) -> list[Finding]:
        """Compare what is there with the integrity constants, clip by clip."""
        return compare_with_expected(self)

    def share(self) -> float:
        """Return the share (0..1) of the expected frames that are here; 1.0 where nothing is expected."""
        weights = {
            part: {clip_id: frames or self.typical_length for clip_id, frames in lengths.items()} for part, lengths in self.expected.items()
        }
        wanted = sum(sum(lengths.values()) for lengths in weights.values())
        if not wanted:
            return 1.0
        here = 0
        for part in PARTS:
            lengths = weights.get(part, {})
            here += sum(lengths.get(clip.id, 0) for clip in self.clips(part) if clip.source is not None)
        return here / wanted

    def lacks(self, need: str) -> str | None:
        """Return why a method's need ('lengths', 'frames' or 'train') cannot be met here, or None."""
        test = self.clips("test")
        if not test:
            return f"{self.name}: no test clips below {self.root}"
        if need == "frames":
            without = [clip.id for clip in test if clip.source is None]
            if without:
                return f"{self.name}: no frames of {_some(without)} ({len(without)} of {len(test)} test clips) below {self.root}"
        if need == "train" and not any(clip.source is not None for clip in self.clips("train")):
            return f"{self.name}: no training frames below {self.root}"
        return None


def _some(ids: Sequence[str], most: int = 3) -> str:
    return ", ".join(ids[:most]) + (" ..." if len(ids) > most else "")


def checked_labels(dataset: Dataset, clip: Clip, length: int, label_set: str | None = None) -> np.ndarray:
    """Return the labels of a test clip, (length,) uint8.

    Parameters
    ----------
    length : frames of the clip: counted where it has frames.

    Raises
    ------
    DataError : labels that cannot be read, or that do not fit, with both lengths. They are never cut.
    """
    labels = np.asarray(dataset.labels(clip, label_set), dtype=np.uint8)
    if len(labels) != length:
        chosen = label_set or next(iter(dataset.available_label_sets()), "")
        raise DataError(
            f"{dataset.name}: clip {clip.id} has {length} frames, its labels {chosen!r} have {len(labels)}; looked in {dataset.root}. "
            f"A frame is missing or the labels are another version (bench verify {dataset.name})"
        )
    return labels


def compare_with_expected(dataset: Dataset) -> list[Finding]:
    """List, clip by clip, how a dataset differs from its integrity constants; every clip gets one finding."""
    findings: list[Finding] = []
    counted: dict[Part, dict[str, int]] = {}
    for part in PARTS:
        counted[part] = {}
        lengths = dataset.expected.get(part, {})
        try:
            clips = {clip.id: clip for clip in dataset.clips(part)}
        except DataError as error:
            findings.append(Finding(f"{part} clips", False, str(error)))
            continue
        if not lengths and not clips:
            findings.append(Finding(f"{part} clips", False, f"none below {dataset.root}"))
        for clip_id in sorted(set(lengths) | set(clips)):
            findings.append(_check_clip(dataset, part, clip_id, clips.get(clip_id), counted[part]))
        total = dataset.expected_totals.get(part)
        if total is not None and counted[part].keys() >= lengths.keys():
            found = sum(counted[part].values())
            text = f"{found:,} frames" + ("" if found == total else f", {total:,} expected")
            findings.append(Finding(f"{part} clips together", found == total, text))
    try:
        label_sets = dataset.available_label_sets()
    except DataError as error:
        if all(finding.text != str(error) for finding in findings):
            findings.append(Finding("labels", False, str(error)))
        return findings
    for label_set in label_sets:
        findings += _check_label_set(dataset, label_set, counted["test"])
    return findings


def _check_clip(dataset: Dataset, part: Part, clip_id: str, clip: Clip | None, counted: dict[str, int]) -> Finding:
    from .frames.decode import count_frames  # only verifying counts frames by decoding

    subject = f"{part} clip {clip_id}"
    if clip is None or clip.source is None:
        return Finding(subject, False, "no frames")
    try:
        found = counted[clip_id] = count_frames(clip)
    except DataError as error:
        return Finding(subject, False, str(error))
    lengths = dataset.expected.get(part, {})
    wanted = lengths.get(clip_id, 0)
    if lengths and clip_id not in lengths:
        return Finding(subject, False, f"{found} frames, but the dataset has no such clip")
    if wanted and found != wanted:
        return Finding(subject, False, f"{found} frames, {wanted} expected")
    return Finding(subject, True, f"{found} frames")


def _check_label_set(dataset: Dataset, label_set: str, counted: Mapping[str, int]) -> list[Finding]:
    """Check the labels of every test clip; a clip that is not in `counted` has no frames, or they cannot be counted."""
    findings: list[Finding] = []
    expected = dataset.expected_anomalous.get(label_set, {})
    for clip in dataset.clips("test"):
        subject = f"labels {label_set}, clip {clip.id}"
        try:
            labels = dataset.labels(clip, label_set)
        except DataError as error:
            findings.append(Finding(subject, False, str(error)))
            continue
        length = counted.get(clip.id, clip.length or len(labels))
        anomalous = int(labels.sum())
        if len(labels) != length:
            findings.append(Finding(subject, False, f"{len(labels)} labels for {length} frames"))
        elif clip.id in expected and expected[clip.id] != anomalous:
            findings.append(Finding(subject, False, f"{anomalous} anomalous frames, {expected[clip.id]} expected"))
        else:
            findings.append(Finding(subject, True, f"{anomalous} of {length} frames anomalous"))
    return findings
