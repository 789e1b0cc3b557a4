"""The labels of a published dataset, from several kinds of files, and the clips that have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from bench import Clip, DataError, ImageFiles, Split, count_frames

from ..formats.arrays import as_labels, as_row, read_npy, read_npz
from ..formats.layout import entries, find_below, same_name
from ..formats.matlab import read_mat_ranges
from ..formats.ranges import ranges_to_labels
from ..formats.unreadable import FORMATS, is_pickle
from .finding import FoundDataset


@dataclass(frozen=True)
class LabelSource:
    """One file or folder with labels of one label set: which clips it has, and how those of one
    clip are read.
    """

    label_set: str
    path: Path
    clip_ids: frozenset[str]
    read: Callable[[str], np.ndarray]
    """Clip id -> (N,) uint8."""
    knows_length: bool
    """Whether the labels are 0/1 a frame, not ranges, so that they tell how long a clip is."""


@dataclass(frozen=True)
class _TestSplit:
    """The test split as it is here, once labels and frames are brought together."""

    clips: tuple[Clip, ...]
    label_sets: tuple[str, ...]
    """Those that have all of `clips`; the default first."""
    unlabelled: tuple[Clip, ...]
    """Clips with frames that the default label set does not have."""
    incomplete: Mapping[str, tuple[str, ...]]
    """Label set -> clips that it lacks."""


class LabelledDataset(FoundDataset):
    """A dataset with known label files. A subclass says what they are called."""

    row_names: ClassVar[tuple[str, ...]]
    """`frame_labels_NAME.npy` (labels of all clips in one row) is looked for under these names."""

    def own_label_sources(self) -> list[LabelSource]:
        """Return the label files that only this dataset has, the best first."""
        return []

    def clips(self, split: Split) -> list[Clip]:
        """Return the clips of one split; see `Dataset.clips`. Test clips that have frames but no
        labels are left out.
        """
        return list(self._framed("train") if split == "train" else self._test.clips)

    @cached_property
    def _test(self) -> _TestSplit:
        framed = self._framed("test")
        coverage = {label_set: sources[0].clip_ids for label_set, sources in self._sources.items()}
        wanted = {clip.id for clip in framed}
        sets = [
            label_set
            for label_set, clip_ids in coverage.items()
            if (clip_ids & wanted if framed else clip_ids)
        ]
        if not sets:
            return _TestSplit(framed, (), (), {})
        default = coverage[sets[0]]
        if framed:
            clips = tuple(clip for clip in framed if clip.id in default)
        else:
            clips = tuple(
                Clip(
                    clip_id,
                    "test",
                    None,
                    self._length_of_labels(self._sources[sets[0]][0], clip_id),
                    self.scene_of(clip_id),
                )
                for clip_id in sorted(default)
            )
        incomplete = {
            label_set: tuple(
                clip.id for clip in (framed or clips) if clip.id not in coverage[label_set]
            )
            for label_set in coverage
        }
        here = {clip.id for clip in clips}
        return _TestSplit(
            clips=clips,
            label_sets=tuple(label_set for label_set in sets if here <= coverage[label_set]),
            unlabelled=tuple(clip for clip in framed if clip.id not in default),
            incomplete={label_set: missing for label_set, missing in incomplete.items() if missing},
        )

    def _length_of_labels(self, source: LabelSource, clip_id: str) -> int | None:
        known = self.expected.get("test", {}).get(clip_id)
        return len(source.read(clip_id)) if source.knows_length or not known else known

    def available_label_sets(self) -> tuple[str, ...]:
        """Return the label sets that have all test clips here; the default first."""
        return self._test.label_sets

    def labels(self, clip: Clip, label_set: str | None = None) -> np.ndarray:
        """Return 0/1 a frame of a test clip; see `Dataset.labels`."""
        chosen = label_set or next(iter(self._test.label_sets), None)
        if chosen is None or chosen not in self._sources:
            raise DataError(self._no_labels(chosen))
        source = self._sources[chosen][0]
        return self._read_labels(source, clip)

    def _read_labels(self, source: LabelSource, clip: Clip) -> np.ndarray:
        if clip.id not in source.clip_ids:
            raise DataError(f"{self.name}: clip {clip.id} has no labels in {source.path}")
        remembered: dict[tuple[Path, str], np.ndarray] = self.__dict__.setdefault(
            "_labels_read", {}
        )
        if (source.path, clip.id) not in remembered:
            remembered[source.path, clip.id] = source.read(clip.id)
        labels = remembered[source.path, clip.id]
        if isinstance(clip.source, ImageFiles) and len(labels) != len(clip.source.paths):
            raise DataError(
                f"{self.name}: clip {clip.id} has {len(clip.source.paths)} frames, its labels {source.label_set!r} have {len(labels)}; "
                f"looked in {clip.source.paths[0].parent} and {source.path}. A frame is missing or the labels are another version "
                f"({self.command('verify')})"
            )
        return labels.copy()

    def _no_labels(self, label_set: str | None) -> str:
        kind = "labels" if label_set is None else f"labels {label_set!r}"
        here = f"; there are {', '.join(self._sources)}" if self._sources else ""
        looked = ", ".join(
            [
                *self.label_files,
                f"frame_labels_{self.row_names[0]}.npy",
                "labels/NAME.npz (0/1 a frame, key = clip id)",
            ]
        )
        unread = "".join(
            f". {path} is a pickle, which can run any code when it is loaded, and is never read"
            for path in self._pickles()
        )
        return f"{self.name}: no {kind} in {self.root}{here}; looked for {looked}{unread}"

    def _pickles(self) -> list[Path]:
        found = [
            path
            for folder in (self._folder, self._folder.parent)
            for path in find_below(folder, "gt_label.json")
        ]
        return [path for path in found if is_pickle(path)]

    @cached_property
    def _sources(self) -> dict[str, list[LabelSource]]:
        """Label set -> its sources here, the first of which is used; declared sets first, then the
        user's own by name.
        """
        everything = [*self._npz_sources(), *self.own_label_sources(), *self._row_sources()]
        names = list(
            dict.fromkeys([*self.label_sets, *sorted(source.label_set for source in everything)])
        )
        grouped = {
            name: [source for source in everything if source.label_set == name] for name in names
        }
        return {name: sources for name, sources in grouped.items() if sources}

    def _npz_sources(self) -> list[LabelSource]:
        outer = (
            [self._folder.parent]
            if any(same_name(self._folder.parent.name, name) for name in self.folder_names)
            else []
        )
        folders = [
            path for folder in (self._folder, *outer) for path in find_below(folder, "labels")
        ]
        files = [
            folder / entry.name
            for folder in folders
            if folder.is_dir()
            for entry in entries(folder)
        ]
        return [
            self._npz_source(path) for path in files if path.suffix == ".npz" and path.is_file()
        ]

    def _npz_source(self, path: Path) -> LabelSource:
        arrays: dict[str, np.ndarray] = {}
        for key, array in read_npz(path).items():
            clip_id = self.clip_id(key, "test")
            if clip_id is None or clip_id in arrays:
                why = "is no clip id" if clip_id is None else f"is clip {clip_id} a second time"
                raise DataError(
                    f"{path}: the key {key!r} {why}; keys are clip ids, like {self._some_id()!r}"
                )
            arrays[clip_id] = as_labels(array, f"{path}, clip {clip_id}")
        return LabelSource(path.stem, path, frozenset(arrays), arrays.__getitem__, True)

    def _some_id(self) -> str:
        return next(iter(self.expected.get("test", {})), "01")

    def _row_sources(self) -> list[LabelSource]:
        """Labels of all clips in one row; such files often lie beside the dataset's folder."""
        found = [
            path
            for folder in (self._folder, self._folder.parent)
            for name in self.row_names
            for path in find_below(folder, f"frame_labels_{name}.npy")
        ]
        return [
            LabelSource(
                self.label_sets[0],
                path,
                frozenset(self._row_lengths()),
                self._row_reader(path),
                True,
            )
            for path in found
        ]

    def _row_lengths(self) -> dict[str, int]:
        """Return the lengths by which a row is cut: as published, else of the frames here."""
        published = {
            clip_id: frames for clip_id, frames in self.expected.get("test", {}).items() if frames
        }
        return published or {clip.id: count_frames(clip) for clip in self._framed("test")}

    def _row_reader(self, path: Path) -> Callable[[str], np.ndarray]:
        def read(clip_id: str) -> np.ndarray:
            row, lengths = as_row(read_npy(path), str(path)), self._row_lengths()
            if len(row) != sum(lengths.values()):
                raise DataError(
                    f"{path} has {len(row)} labels in one row, the {len(lengths)} test clips have {sum(lengths.values())} frames; "
                    f"it is cut by clip only where both agree. {FORMATS} is read instead"
                )
            start = 0
            for name, length in sorted(lengths.items()):
                if name == clip_id:
                    break
                start += length
            return row[start : start + lengths[clip_id]]

        return read

    def range_source(self, label_set: str, path: Path, ranges: Sequence[np.ndarray]) -> LabelSource:
        """Return the source of ranges that a file has clip by clip, in the order of the clips ('01'
        first).
        """
        by_clip = {
            self.clip_id(str(number), "test") or str(number): found
            for number, found in enumerate(ranges, start=1)
        }

        def read(clip_id: str) -> np.ndarray:
            return ranges_to_labels(
                by_clip[clip_id],
                self._known_length(clip_id),
                f"{self.name}, clip {clip_id}: the labels in {path}",
            )

        return LabelSource(label_set, path, frozenset(by_clip), read, False)

    def mat_source(self, label_set: str, path: Path) -> LabelSource:
        """Return the source of a Matlab file with the ranges of each clip in `gt`."""
        return self.range_source(label_set, path, read_mat_ranges(path))

    def _known_length(self, clip_id: str) -> int:
        """Return the frames of a test clip as published, else as counted; so a lost last frame
        shows against the labels.
        """
        published = self.expected.get("test", {}).get(clip_id, 0)
        if published:
            return published
        clip = next((clip for clip in self._framed("test") if clip.id == clip_id), None)
        if clip is None:
            raise DataError(
                f"{self.name}: nothing tells how many frames clip {clip_id} has: its frames are not here, and its labels are ranges"
            )
        return count_frames(clip)
