"""What a clip is: the files of one video, in the order of its frames."""

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
