"""What a clip is: the files of one video, in the order of its frames; and windows of frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Split = Literal["train", "test"]
SPLITS: tuple[Split, Split] = ("train", "test")


@dataclass(frozen=True)
class ImageFiles:
    """Frames as one image file each, in frame order."""

    paths: tuple[Path, ...]


@dataclass(frozen=True)
class VideoFile:
    """Frames as one video file. Its length is known only by decoding it (headers and seeking are
    inexact).
    """

    path: Path


@dataclass(frozen=True)
class Clip:
    """One video of a dataset: id, split, scene, where its frames are, and its length as far as
    known.

    Parameters
    ----------
    id : the same in every layout of the dataset, e.g. '01' or '01_0014'.
    source : None where only labels are present.
    length : frames; None for a video that was not counted yet.
    """

    id: str
    split: Split
    source: ImageFiles | VideoFile | None = None
    length: int | None = None
    scene: str = ""


@dataclass(frozen=True)
class PassedOver:
    """A file or folder among the clips of a dataset, or in a folder of footage, that is not
    read.
    """

    path: Path
    reason: str
    may_hold_frames: bool = True
    """False for text, and for what is no clip by its name: named, and no fault."""


ValueRange = Literal["0..1", "-1..1", "mean-subtracted"]


@dataclass(frozen=True)
class Window:
    """The frames a network sees at once.

    Parameters
    ----------
    length : frames. `step` : frames between two of them.
    targets : indices inside the window of the frames whose scores come out.
    value_range : '0..1' = v/255; '-1..1' = v/127.5 - 1; 'mean-subtracted' = (v - mean training
        frame)/255.
    """

    length: int
    step: int = 1
    targets: tuple[int, ...] = (0,)
    value_range: ValueRange = "0..1"

    @property
    def span(self) -> int:
        """Frames from the first to the last, both included."""
        return (self.length - 1) * self.step + 1

    def starts(self, clip_length: int, every: int = 1) -> range:
        """Return the first frames of all windows of a clip; empty if the clip is shorter than the
        window.
        """
        return range(0, clip_length - self.span + 1, every)
