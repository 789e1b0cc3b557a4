"""What a dataset is: clips, and the 0/1 labels of the test split."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bench.contracts.clip import SPLITS, Clip, PassedOver, Split
from bench.contracts.parameters import NoParameters
from bench.errors import DataError
from bench.files.download import Download
from bench.wording import listed


@dataclass(frozen=True)
class DatasetInfo:
    """Facts about a dataset that no file of it says."""

    title: str = ""
    display_name: str = ""
    """The heading of its column, as in papers: 'Ped2'. Default: derived from the identifier."""
    citation: str = ""
    year: int | None = None
    licence: str = ""
    obtain: str = ""
    """How it is had, where `bench download` does not get it."""
    resolution: tuple[int, int] | None = None
    """Height and width in pixels."""
    frame_rate: float | None = None
    """Frames a second; None where that is not known."""
    scenes: int = 1
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One line of `bench verify`: what was looked at, whether it is as it should be, and what to
    do.
    """

    subject: str
    ok: bool
    text: str


class Dataset:
    """Clips and labels of one dataset, found below the data folders.

    A subclass names itself, and implements `locate`, `clips` and `labels`. Instances are made by
    the harness with the parameters of the selection; `locate` is called before anything else.
    """

    name: ClassVar[str]
    info: ClassVar[DatasetInfo] = DatasetInfo()
    Parameters: ClassVar[type] = NoParameters
    label_sets: ClassVar[tuple[str, ...]] = ("frame",)
    """Names of the published versions of the labels; the first is the default."""
    default_profile: ClassVar[str | None] = None
    default_detector: ClassVar[str | None] = None
    downloads: ClassVar[tuple[Download, ...]] = ()
    """The archives of which `bench download` makes the dataset."""
    official: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    """Integrity constants: for each split, clip id -> digest of the owners' own files, as
    `bench.frames.fingerprint.content_digest` makes it. `bench verify --full` compares them."""
    needs_parameters: ClassVar[bool] = False
    """True for a dataset that means nothing without parameters: it is then in no group."""
    expected: ClassVar[Mapping[str, Mapping[str, int]]] = {}
    """Integrity constants: for each split, clip id -> frames; 0 where the clip must be there
    and its length is not known."""
    expected_totals: ClassVar[Mapping[str, int]] = {}
    """Integrity constants: for each split, the frames of all its clips."""
    typical_length: ClassVar[int] = 1
    """Frames that `share` takes for a clip whose expected length is not known."""
    expected_anomalous: ClassVar[Mapping[str, Mapping[str, int]]] = {}
    """Integrity constants: for each label set, clip id -> anomalous frames."""
    selector: str = ""
    """What selects it, with its parameters; set by the harness."""

    def __init__(self, parameters: Any = None) -> None:
        self.parameters = type(self).Parameters() if parameters is None else parameters
        self.root: Path | None = None

    @classmethod
    def how_to_obtain(cls) -> str:
        """Return the command that gets the dataset, or the sentence that says how it is had."""
        return f"bench download {cls.name}" if cls.downloads else cls.info.obtain

    def command(self, verb: str) -> str:
        """Return the command `bench VERB` for this dataset with its parameters, as a shell takes
        it.
        """
        return f"bench {verb} {shlex.quote(self.selector or self.name)}"

    def locate(self, roots: Sequence[Path]) -> None:
        """Find the dataset below one of the data folders and set `root`.

        Raises
        ------
        DataError : nothing found (with all places looked at), or two copies found (with both
            paths).
        """
        raise NotImplementedError

    def clips(self, split: Split) -> list[Clip]:
        """Return the clips of one split, sorted by id; a split that is absent is an empty list.

        Where no test clip has frames, those with labels are listed with `source=None`. Where some
        have frames, only these are listed, so that all rows of a table stand on the same clips, and
        `share` says how many.

        Raises
        ------
        DataError : a gap in the frame numbers, an unreadable folder.
        """
        raise NotImplementedError

    def owner(self, split: Split) -> Dataset:
        """Return the dataset whose files the clips of a split are, under whose name their boxes,
        tracks and stored frames are kept: this one, unless it is trained on another.
        """
        return self

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
        """Return what tells these labels from others, for the fingerprint; the labels themselves,
        unless they cost a decoding.
        """
        return np.asarray(self.labels(clip, label_set), dtype=np.uint8).tobytes()

    def pixel_masks(self, clip: Clip) -> np.ndarray | None:
        """Return (N, H, W) bool, the anomalous pixels of a test clip, or None where there are no
        masks.
        """
        return None

    def model_scenes(self) -> tuple[str, ...]:
        """Return the scenes that get a model, and so a cell, of their own; empty for one model for
        all.
        """
        return ()

    def passed_over(self, splits: Sequence[Split] = SPLITS) -> list[PassedOver]:
        """Return what lies among the clips of these splits and is not read, with the reasons; what
        cannot be listed is left to `clips`. What lies beside the splits belongs to the test clips.

        `bench verify` names it all, and calls wrong what may hold frames; runs name that in a line.
        """
        return []

    def verify(self, compared: list[Finding]) -> list[Finding]:
        """Return the findings of `bench verify`. The default returns `compared` as it is.

        Parameters
        ----------
        compared : one finding for each clip, label set and total, from comparing the files with the
            integrity constants. An implementation may add findings, or replace one by a finding
            that says more.
        """
        return compared

    def share(self) -> float:
        """Return the share (0..1) of the expected frames that are here; 1.0 where nothing is
        expected.
        """
        weights = {
            split: {
                clip_id: frames or self.owner(split).typical_length
                for clip_id, frames in self.expected.get(split, {}).items()
            }
            for split in SPLITS
        }
        wanted = sum(sum(lengths.values()) for lengths in weights.values())
        if not wanted:
            return 1.0
        here = 0
        for split in SPLITS:
            lengths = weights.get(split, {})
            here += sum(
                lengths.get(clip.id, 0) for clip in self.clips(split) if clip.source is not None
            )
        return here / wanted

    def lacks(self, need: str) -> str | None:
        """Return why a method's need ('lengths', 'frames' or 'train') cannot be met here, or None.
        'train' is about training clips alone, which may serve the test clips of another dataset.
        """
        if need == "train":
            if any(clip.source is not None for clip in self.clips("train")):
                return None
            return f"{self.name}: no training frames below {self.root}"
        test = self.clips("test")
        if not test:
            return f"{self.name}: no test clips below {self.root}"
        if need == "frames":
            without = [clip.id for clip in test if clip.source is None]
            if without:
                return f"{self.name}: no frames of {listed(without, 3)} ({len(without)} of {len(test)} test clips) below {self.root}"
        return None


def checked_labels(
    dataset: Dataset, clip: Clip, length: int, label_set: str | None = None
) -> np.ndarray:
    """Return the labels of a test clip, (length,) uint8.

    Parameters
    ----------
    length : frames of the clip: counted where it has frames.

    Raises
    ------
    DataError : labels that cannot be read, or that do not fit, with both lengths. They are never
        cut.
    """
    labels = np.asarray(dataset.labels(clip, label_set), dtype=np.uint8)
    if len(labels) != length:
        chosen = label_set or next(iter(dataset.available_label_sets()), "")
        raise DataError(
            f"{dataset.name}: clip {clip.id} has {length} frames, its labels {chosen!r} have {len(labels)}; looked in {dataset.root}. "
            f"A frame is missing or the labels are another version ({dataset.command('verify')})"
        )
    return labels
