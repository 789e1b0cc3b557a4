"""A folder of one's own as a dataset: videos or folders of images, and optional labels."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from bench import (
    Clip,
    DataError,
    Dataset,
    DatasetInfo,
    ImageFiles,
    PassedOver,
    Split,
    count_frames,
    look_into,
    parameter,
)

from .formats.layout import Found, entries, find_below, find_clips, two_copies
from .formats.own_labels import ENDINGS, FRAME_HEADER, READ, OwnLabels, read_own_labels
from .formats.ranges import CSV_HEADER

_NAMES: dict[Split, tuple[str, ...]] = {"train": ("train", "training"), "test": ("test", "testing")}
_NOT_IN_NAMES = '/\\:*?"<>|[]$'
"""What selections, other systems' paths and formulas in figures have a meaning for."""
_OF_ARRAYS = (".frames", ".boxes", ".size")
"""A run stores these arrays beside a clip's scores, under its name."""
_LONGEST = 200
"""Bytes of a clip's name: files of a run are called after it, with endings, and 255 is what file
systems allow."""
_HEADER = ",".join(CSV_HEADER)
_BESIDE = "beside train/ and test/; clips are looked for in these, and labels are labels.csv, .npz or .npy, or lie in labels/"


@dataclass(frozen=True)
class FolderParameters:
    """Parameters of a folder of one's own."""

    path: Path = parameter(
        doc="The folder: train/ and test/ (or training/ and testing/) in it hold the clips."
    )
    labels: Path | None = parameter(
        None,
        doc=f"Labels of the test clips: a CSV with the header {_HEADER} (abnormal ranges, frames counted from 0, both ends included) or "
        f"{','.join(FRAME_HEADER)} (0/1 a frame), an .npz with 0/1 a frame for each clip (key = clip), an .npy with those of all clips in a "
        "row, or a folder with one .npy a clip. Without one: labels.csv, labels.npz or labels.npy in PATH, and what lies in PATH/labels.",
    )


class Folder(Dataset):
    """A folder of one's own: each clip of train/ and test/ is a video file, or a folder of numbered
    images.

    Clips that a CSV of ranges does not mention are normal. Without labels there are scores, and no
    metric.
    """

    name = "folder"
    info = DatasetInfo(
        title="A folder of your own: 'folder[path=DIR]'",
        obtain=(
            f"DIR/train and DIR/test hold videos, or folders of numbered images; DIR/labels.csv, with the header {_HEADER}, is optional."
        ),
    )
    Parameters: ClassVar[type] = FolderParameters
    needs_parameters = True

    def locate(self, roots: Sequence[Path]) -> None:
        """Take the folder that the parameter `path` names: as it stands, else below one of the data
        folders.
        """
        given: Path = self.parameters.path.expanduser()
        places = [given] if given.is_absolute() else [given, *(root / given for root in roots)]
        found = {place.resolve(): place.absolute() for place in places if place.is_dir()}
        if not found:
            raise DataError(
                f"folder: no folder {str(given)!r}; looked for {', '.join(str(place.absolute()) for place in places)}"
            )
        if len(found) > 1:
            raise two_copies(
                f"folder[path={given}]", list(found.values()), "name one by its whole path"
            )
        (self.root,) = found.values()
        if not any(self._split_folders(split) for split in _NAMES):
            raise DataError(
                f"folder: {self.root} has neither train/ nor test/ in it. {self.info.obtain}"
            )

    @property
    def _root(self) -> Path:
        if self.root is None:
            raise RuntimeError("locate() comes first")
        return self.root

    def _split_folders(self, split: Split) -> list[Path]:
        return [
            folder
            for name in _NAMES[split]
            for folder in find_below(self._root, name)
            if folder.is_dir()
        ]

    # ----------------------------------------------------------------------------------------------
    # clips

    def clips(self, split: Split) -> list[Clip]:
        """Return the clips of one split: every video, and every folder with images in it. Names
        are ids, in Unicode's form NFC.
        """
        return list(self._found(split).clips)

    def _found(self, split: Split) -> Found:
        return self._train if split == "train" else self._test

    @cached_property
    def _train(self) -> Found:
        return self._find("train")

    @cached_property
    def _test(self) -> Found:
        return self._find("test")

    def _find(self, split: Split) -> Found:
        folders = self._split_folders(split)
        if len(folders) > 1:
            raise two_copies(f"folder, {split} split", folders, "keep one of them")
        if not folders:
            return Found((), (), ())
        # A clip of one's own may be cut out of a longer one: its numbers may begin anywhere.
        found = find_clips(folders[0], split, ("images", "videos"), _own_id, starts=None)
        if found.images:
            raise DataError(
                f"folder: {folders[0]} holds images itself ({found.images[0].name} ...); put those of each clip into a folder of "
                "their own in it"
            )
        for clip in found.clips:
            _refuse_name(clip)
        return found

    def passed_over(self, splits: Sequence[Split] = tuple(_NAMES)) -> list[PassedOver]:
        """Return what lies in the splits and is not read, and what lies beside them."""
        try:
            found = [one for split in splits for one in self._found(split).passed_over]
        except DataError:
            return []
        if "test" not in splits:
            return found
        known = {folder for split in _NAMES for folder in self._split_folders(split)} | set(
            self._label_places
        )
        if self.parameters.labels is not None:
            known |= set(self._named_labels())
        beside = look_into(self._root, wanted=lambda name: False)
        others = [
            path
            for path in (*(one.path for one in beside.passed_over), *beside.images)
            if path not in known
        ]
        unread = [
            path
            for folder in self._label_folders
            for path in _files(folder)
            if path.suffix.lower() not in ENDINGS
        ]
        return [
            *found,
            *(PassedOver(path, _BESIDE, False) for path in sorted(others)),
            *(PassedOver(path, f"no labels: {READ}", False) for path in unread),
        ]

    # ----------------------------------------------------------------------------------------------
    # labels

    def available_label_sets(self) -> tuple[str, ...]:
        """Return the label sets that are here, 'frame' first; none where there are no labels:
        scores, but no metric.
        """
        return tuple(self._sources)

    @property
    def _label_folders(self) -> list[Path]:
        return [path for path in find_below(self._root, "labels") if path.is_dir()]

    @property
    def _label_places(self) -> list[Path]:
        """The files in the folder that are called 'labels', and folders of that name, whatever the
        case.
        """
        files = [
            path
            for ending in sorted(ENDINGS)
            for path in find_below(self._root, f"labels{ending}")
            if path.is_file()
        ]
        return [*files, *self._label_folders]

    @cached_property
    def _sources(self) -> dict[str, list[OwnLabels]]:
        """Label set -> the files or folders that have it."""
        given: Path | None = self.parameters.labels
        if given is not None:
            named = [place for place in self._named_labels() if place.exists()]
            if not named:
                looked = " and ".join(str(place.absolute()) for place in self._named_labels())
                raise DataError(f"folder: labels={str(given)!r} is not there; looked for {looked}")
            return {self.label_sets[0]: [read_own_labels(named[0], self._ids)]}
        found: list[tuple[str, Path, list[Path] | None]] = [
            (self.label_sets[0], path, None) for path in self._label_places if path.is_file()
        ]
        for folder in self._label_folders:
            files = [path for path in _files(folder) if path.suffix.lower() in ENDINGS]
            by_clip = [
                path
                for path in files
                if path.suffix.lower() == ".npy" and _normal(path.stem) in self._ids
            ]
            found += [(self.label_sets[0], folder, by_clip)] * bool(by_clip)
            found += [(path.stem, path, None) for path in files if path not in by_clip]
        order = dict.fromkeys([*self.label_sets, *sorted(label_set for label_set, *_ in found)])
        sources = {
            name: [
                read_own_labels(path, self._ids, files)
                for label_set, path, files in found
                if label_set == name
            ]
            for name in order
        }
        return {name: read for name, read in sources.items() if read}

    def _named_labels(self) -> list[Path]:
        """Return where the parameter `labels` may lead, the best first."""
        given: Path = self.parameters.labels.expanduser()
        return [given, self._root / given]

    @property
    def _ids(self) -> list[str]:
        return [clip.id for clip in self._test.clips]

    def _lengths(self) -> dict[str, int]:
        return {clip.id: _length(clip) for clip in self._test.clips}

    def label_content(self, clip: Clip, label_set: str) -> bytes:
        """Return what tells the labels from others, ranges say: the labels themselves may need a
        length, which costs decoding a video.
        """
        return b"".join(source.content(clip.id) for source in self._sources[label_set])

    def labels(self, clip: Clip, label_set: str | None = None) -> np.ndarray:
        """Return 0/1 a frame of a test clip; 0 for one that a CSV of ranges does not mention.

        Raises
        ------
        DataError : no labels, a file that cannot be read or does not fit the clip, or two files
            that differ.
        """
        if not self._sources:
            raise DataError(
                f"folder: no labels in {self.root}; write {self._root / 'labels.csv'} with the header {_HEADER} and a line for each "
                "abnormal range (frames counted from 0, both ends included), or name such a file: 'folder[path=...,labels=FILE]'; "
                + READ
            )
        chosen = label_set or next(iter(self._sources))
        if chosen not in self._sources:
            raise DataError(
                f"folder: no labels {label_set!r}; there are {', '.join(map(repr, self._sources))}"
            )
        used, *others = self._sources[chosen]
        labels = used.of(clip.id, _length(clip), self._lengths)
        for other in others:
            if not np.array_equal(labels, other.of(clip.id, len(labels), self._lengths)):
                raise DataError(
                    f"folder: {used.path} and {other.path} differ in clip {clip.id}; move one away, or name one: "
                    f"'folder[path=...,labels={other.path.name}]'"
                )
        return labels


def _length(clip: Clip) -> int:
    return len(clip.source.paths) if isinstance(clip.source, ImageFiles) else count_frames(clip)


def _files(folder: Path) -> list[Path]:
    return [folder / entry.name for entry in entries(folder) if entry.is_file()]


def _normal(name: str) -> str:
    """Return a name in Unicode's form NFC: macOS may store 'ä' as 'a' and two dots, and who writes
    labels types one letter.
    """
    return unicodedata.normalize("NFC", name)


def _own_id(name: str, split: Split) -> str:
    return _normal(name)


def _refuse_name(clip: Clip) -> None:
    """Refuse what cannot be the name of a clip.

    Names become keys, names of files, and texts in tables, pages and figures; in a CSV of labels
    blanks around them are lost.
    """
    name = clip.id
    signs = [
        sign
        for sign in name
        if sign in _NOT_IN_NAMES
        or unicodedata.category(sign) in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")
    ]
    why = ""
    if signs:
        shown = (
            repr(signs[0])
            if signs[0] in _NOT_IN_NAMES
            else f"U+{ord(signs[0]):04X}, which cannot be seen,"
        )
        why = f"{shown} may not be in it"
    elif name != name.strip():
        why = "it begins or ends with a blank"
    elif name.endswith(_OF_ARRAYS):
        why = f"it ends with {re.sub(r'.*[.]', '.', name)}, which marks arrays of a run"
    elif len(name.encode()) > _LONGEST:
        why = f"it has more than {_LONGEST} bytes"
    if why:
        raise DataError(f"folder: a clip of {clip.split} is called {name!r}: {why}; rename it")
