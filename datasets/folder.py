"""A folder of one's own as a dataset: videos or folders of pictures, and an optional CSV of abnormal ranges."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from bench import Clip, DataError, Dataset, DatasetInfo, ImageFiles, Part, count_frames, parameter

from .labels.ranges import CSV_HEADER, csv_labels, read_csv_ranges
from .layout import Place, entries, find_below, find_clips, two_copies

_NAMES: dict[Part, tuple[str, ...]] = {"train": ("train", "training"), "test": ("test", "testing")}
_CLIP = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_HEADER = ",".join(CSV_HEADER)


@dataclass(frozen=True)
class FolderParameters:
    """Parameters of a folder of one's own."""

    path: Path = parameter(doc="The folder: train/ and test/ (or training/ and testing/) in it hold the clips.")
    labels: Path | None = parameter(
        None,
        doc=f"CSV of abnormal ranges with the header {_HEADER}, frames counted from 0, both ends included; without one, PATH/labels.csv.",
    )


class Folder(Dataset):
    """A folder of one's own: each clip of train/ and test/ is a video file, or a folder of numbered pictures.

    Clips that the CSV does not mention are normal. Without a CSV there are scores, and no metric.
    """

    name = "folder"
    info = DatasetInfo(
        title="A folder of your own: 'folder[path=DIR]'",
        obtain=(
            f"DIR/train and DIR/test hold videos, or folders of numbered pictures; DIR/labels.csv, with the header {_HEADER}, is optional."
        ),
    )
    Parameters: ClassVar[type] = FolderParameters
    needs_parameters = True

    def locate(self, roots: Sequence[Path]) -> None:
        """Take the folder that the parameter `path` names: as it stands, else below one of the data folders."""
        given: Path = self.parameters.path.expanduser()
        places = [given] if given.is_absolute() else [given, *(root / given for root in roots)]
        found = {place.resolve(): place.absolute() for place in places if place.is_dir()}
        if not found:
            raise DataError(f"folder: no folder {str(given)!r}; looked for {', '.join(str(place.absolute()) for place in places)}")
        if len(found) > 1:
            raise two_copies(f"folder[path={given}]", list(found.values()), "name one by its whole path")
        (self.root,) = found.values()
        if not any(self._part_folders(part) for part in _NAMES):
            raise DataError(f"folder: {self.root} has neither train/ nor test/ in it. {self.info.obtain}")

    @property
    def _root(self) -> Path:
        if self.root is None:
            raise RuntimeError("locate() comes first")
        return self.root

    def _part_folders(self, part: Part) -> list[Path]:
        return [folder for name in _NAMES[part] for folder in find_below(self._root, name) if folder.is_dir()]

    def clips(self, part: Part) -> list[Clip]:
        """Return the clips of one part: every video, and every folder with pictures in it. Names are ids."""
        return list(self._train if part == "train" else self._test)

    @cached_property
    def _train(self) -> tuple[Clip, ...]:
        return self._find("train")

    @cached_property
    def _test(self) -> tuple[Clip, ...]:
        return self._find("test")

    def _find(self, part: Part) -> tuple[Clip, ...]:
        folders = self._part_folders(part)
        if len(folders) > 1:
            raise two_copies(f"folder, {part} part", folders, "keep one of them")
        clips: dict[str, Clip] = {}
        for folder in folders:
            loose = [
                entry.name for entry in entries(folder) if entry.is_file() and entry.name.lower().endswith((".jpg", ".png", ".tif", ".bmp"))
            ]
            if loose:
                raise DataError(
                    f"folder: {folder} holds pictures itself ({loose[0]} ...); put those of each clip into a folder of their own in it"
                )
            for kind in ("images", "videos"):
                # A clip of one's own may be cut out of a longer one: its numbers may begin anywhere.
                for clip in find_clips(folder, Place(part, "", kind), _own_id, starts=None):  # type: ignore[arg-type]
                    if clip.id in clips:
                        raise DataError(f"folder: {folder} has two clips called {clip.id!r}, a folder of pictures and a video; rename one")
                    clips[clip.id] = clip
        return tuple(clips[name] for name in sorted(clips))

    def available_label_sets(self) -> tuple[str, ...]:
        """Return the one label set where there is a CSV; else none: scores, but no metric."""
        return self.label_sets if self._csv is not None else ()

    @cached_property
    def _csv(self) -> Path | None:
        given: Path | None = self.parameters.labels
        if given is None:
            usual = self._root / "labels.csv"
            return usual if usual.is_file() else None
        places = [given.expanduser(), self._root / given.expanduser()]
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise DataError(
                f"folder: labels={str(given)!r} is not there; looked for {' and '.join(str(place.absolute()) for place in places)}"
            )
        return found

    @cached_property
    def _ranges(self) -> dict[str, list[tuple[int, int, int]]]:
        return read_csv_ranges(self._csv, {clip.id for clip in self._test}) if self._csv is not None else {}

    def label_content(self, clip: Clip, label_set: str) -> bytes:
        """Return the ranges of the CSV: as labels they would need the clip's length, which a video tells only by decoding."""
        return repr(sorted((first, last) for first, last, _ in self._ranges.get(clip.id, ()))).encode()

    def labels(self, clip: Clip, label_set: str | None = None) -> np.ndarray:
        """Return 0/1 a frame of a test clip from the CSV; 0 for a clip that it does not mention."""
        if label_set not in (None, *self.label_sets):
            raise DataError(f"folder: no labels {label_set!r}; a folder of one's own has one label set, {self.label_sets[0]!r}")
        if self._csv is None:
            raise DataError(
                f"folder: no labels in {self.root}; write {self._root / 'labels.csv'} with the header {_HEADER} and a line for each "
                "abnormal range (frames counted from 0, both ends included), or name such a file: 'folder[path=...,labels=FILE]'"
            )
        length = len(clip.source.paths) if isinstance(clip.source, ImageFiles) else count_frames(clip)
        return csv_labels(self._ranges, clip.id, length, self._csv)


def _own_id(name: str, part: Part) -> str:
    if not _CLIP.fullmatch(name):
        raise DataError(
            f"folder: a clip of {part} is called {name!r}; names become keys and paths, "
            "so only letters (A-Z, a-z), digits, '.', '_' and '-' may be in them"
        )
    return name
