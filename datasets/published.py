"""What the published datasets share: finding the one copy, its clips, its labels from several kinds
of files, its masks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from bench import (
    Clip,
    DataError,
    Dataset,
    Finding,
    ImageFiles,
    PassedOver,
    Split,
    count_frames,
    parameter,
)

from .labels.arrays import as_labels, as_row, read_npy, read_npz
from .labels.masks import read_image_masks, read_npy_masks
from .labels.matlab import read_mat_masks, read_mat_ranges
from .labels.ranges import ranges_to_labels
from .labels.stand_ins import FORMATS, is_pickle
from .layout import (
    DEPTH,
    Place,
    entries,
    find_below,
    find_clips,
    find_copies,
    frame_files,
    same_name,
    two_copies,
)

SPLITS: tuple[Split, Split] = ("train", "test")


@dataclass(frozen=True)
class PublishedParameters:
    """Parameters of a published dataset."""

    path: Path | None = parameter(
        None,
        doc="The folder of the dataset itself, whatever its name, instead of looking below the data folders.",
    )


@dataclass(frozen=True)
class VideoParameters(PublishedParameters):
    """Parameters of a dataset that is published as videos, and that many keep as extracted frames
    as well.
    """

    frames_from: Literal["any", "images", "videos"] = parameter(
        "any",
        doc="Which copy is read where a split is here twice, as images and as videos; `any`: the only one.",
    )


def numbered(numbers: str) -> dict[str, int]:
    """Return clip id ('01', '02', ...) -> number, of numbers in clip order."""
    return {f"{index:02d}": int(number) for index, number in enumerate(numbers.split(), start=1)}


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
class _TestPart:
    """The test split as it is here, once labels and frames are brought together."""

    clips: tuple[Clip, ...]
    label_sets: tuple[str, ...]
    """Those that have all of `clips`; the default first."""
    unlabelled: tuple[Clip, ...]
    """Clips with frames that the default label set does not have."""
    incomplete: Mapping[str, tuple[str, ...]]
    """Label set -> clips that it lacks."""


class PublishedDataset(Dataset):
    """A dataset with known folders, clips and label files. A subclass says what they are called."""

    Parameters: ClassVar[type] = PublishedParameters
    folder_names: ClassVar[tuple[str, ...]]
    """What the dataset's own folder is called; case, blanks, hyphens and underscores do not
    matter."""
    places: ClassVar[tuple[Place, ...]]
    """Where clips are looked for."""
    label_files: ClassVar[tuple[str, ...]]
    """What else shows that a folder is the dataset: label files and folders, relative to it."""
    row_names: ClassVar[tuple[str, ...]]
    """`frame_labels_NAME.npy` (labels of all clips in one row) is looked for under these names."""
    mask_places: ClassVar[Mapping[str, str]] = {}
    """Folders with pixel masks -> what stands behind the clip in the names there ('_gt')."""
    masks_are_compared: ClassVar[bool] = False
    """Whether `verify` compares the masks, pixel by pixel, with the labels: where they are small,
    and agree officially."""

    # -------------------------------------------------------------------------------------------
    # what a subclass may say

    @staticmethod
    def clip_id(name: str, split: Split) -> str | None:
        """Return the one id of a clip by the name that it has in any layout, or None where that is
        no clip.
        """
        raise NotImplementedError

    @staticmethod
    def scene_of(clip_id: str) -> str:
        """Return the scene of a clip; empty where there is one scene."""
        return ""

    def own_label_sources(self) -> list[LabelSource]:
        """Return the label files that only this dataset has, the best first."""
        return []

    def mask_folders(self) -> list[tuple[Path, str]]:
        """Return the folders with pixel masks that are here, and the suffix of the names there."""
        return [
            (folder, suffix)
            for relative, suffix in self.mask_places.items()
            for folder in find_below(self._folder, relative)
        ]

    # ---------------------------------------------------------------------------------------------------------
    # finding it

    def locate(self, roots: Sequence[Path]) -> None:
        """Find the one copy, below the data folders or where the parameter `path` says."""
        given: Path | None = self.parameters.path
        if given is not None:
            folder = given.expanduser()
            if not folder.is_dir():
                raise DataError(f"{self.name}: path={str(folder)!r} is no folder")
            inside = find_copies([folder], self.folder_names, self._is_copy, self._has_frames)
            if not self._has_frames(folder) and len(inside) == 1:
                (folder,) = inside
            if not self._is_copy(folder):
                raise DataError(
                    f"{self.name}: path={str(folder)!r} holds {self._signs(' nor ')}, so it is not the dataset; {self.info.obtain}"
                )
        else:
            copies = find_copies(roots, self.folder_names, self._is_copy, self._has_frames)
            if not copies:
                raise DataError(self._not_found(roots))
            if len(copies) > 1:
                raise two_copies(
                    self.name,
                    copies,
                    f"name one: --data {str(copies[0])!r}, or --datasets '{self.name}[path=\"{copies[0]}\"]'",
                )
            folder = copies[0]
        self.root = (
            folder.absolute()
        )  # not resolved: a link is there so that the place behind it need not be named

    def _is_copy(self, folder: Path) -> bool:
        try:
            return any(find_below(folder, relative) for relative in self._sign_files())
        except DataError:
            return False

    def _has_frames(self, folder: Path) -> bool:
        """Whether one of the folders that hold clips is there, with something in it."""
        try:
            found = [
                one
                for place in self.places
                for one in find_below(folder, place.folder)
                if one.is_dir()
            ]
            return any(entries(one) for one in found)
        except DataError:
            return True  # it is there, and reading it later says why it cannot be read

    def _sign_files(self) -> list[str]:
        return [*(place.folder for place in self.places), *self.label_files, "labels"]

    def _signs(self, between: str) -> str:
        return ("neither " if between == " nor " else "") + between.join(self._sign_files())

    def _not_found(self, roots: Sequence[Path]) -> str:
        looked = (
            ", ".join(f"{root}" + ("" if root.is_dir() else " (not there)") for root in roots)
            or "no folder at all"
        )
        names = " or ".join(repr(name) for name in self.folder_names)
        return (
            f"{self.name}: not found. Looked below {looked} for a folder {names} (at most {DEPTH} folders deep) "
            f"that holds {self._signs(' or ')}. {self.info.obtain} Then name its place with --data DIR or BENCH_DATA"
        )

    @property
    def _folder(self) -> Path:
        if self.root is None:
            raise RuntimeError("locate() comes first")
        return self.root

    # --------------------------------------------------------------------------------------------------------------
    # clips

    def clips(self, split: Split) -> list[Clip]:
        """Return the clips of one split; see `Dataset.clips`. Test clips that have frames but no
        labels are left out.
        """
        return list(self._framed("train") if split == "train" else self._test.clips)

    def _framed(self, split: Split) -> tuple[Clip, ...]:
        return self._train_with_frames if split == "train" else self._test_with_frames

    @cached_property
    def _train_with_frames(self) -> tuple[Clip, ...]:
        return self._find_clips("train")

    @cached_property
    def _test_with_frames(self) -> tuple[Clip, ...]:
        return self._find_clips("test")

    def _find_clips(self, split: Split) -> tuple[Clip, ...]:
        wanted = getattr(self.parameters, "frames_from", "any")
        found: list[tuple[Path, tuple[Clip, ...]]] = []
        for place in self.places:
            if place.split == split and wanted in ("any", place.kind):
                for folder in find_below(self._folder, place.folder):
                    if folder.is_dir():
                        here = find_clips(folder, split, (place.kind,), self.clip_id)
                        self._passed_over.setdefault(split, []).extend(here.passed_over)
                        found.append((folder, here.clips))
        found = [(folder, clips) for folder, clips in found if clips]
        if len(found) > 1:
            hint = "move one out of the folder"
            if hasattr(self.parameters, "frames_from"):
                hint += f", or name one: '{self.name}[frames_from=images]' or '{self.name}[frames_from=videos]'"
            raise two_copies(f"{self.name}, {split} split", [folder for folder, _ in found], hint)
        return (
            tuple(dataclasses.replace(clip, scene=self.scene_of(clip.id)) for clip in found[0][1])
            if found
            else ()
        )

    @cached_property
    def _passed_over(self) -> dict[Split, list[PassedOver]]:
        """What was passed over on the way to the clips of each split."""
        return {}

    def passed_over(self) -> list[PassedOver]:
        """Return what is here among the clips in a form, or under a name, that is not read; masks
        and texts are not meant.

        None of it is wrong by itself: a clip that should be there and is not has a finding of its
        own.
        """
        try:
            for split in SPLITS:
                self._framed(split)
            masks = set(self.mask_paths.values())
        except DataError:
            masks = set()
        found = [one for split in SPLITS for one in self._passed_over.get(split, ())]
        return [
            dataclasses.replace(one, may_hold_frames=False)
            for one in found
            if one.path not in masks and (one.may_hold_frames or one.path.is_dir())
        ]

    @cached_property
    def _test(self) -> _TestPart:
        framed = self._framed("test")
        coverage = {label_set: sources[0].clip_ids for label_set, sources in self._sources.items()}
        wanted = {clip.id for clip in framed}
        sets = [
            label_set
            for label_set, clip_ids in coverage.items()
            if (clip_ids & wanted if framed else clip_ids)
        ]
        if not sets:
            return _TestPart(framed, (), (), {})
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
        return _TestPart(
            clips=clips,
            label_sets=tuple(label_set for label_set in sets if here <= coverage[label_set]),
            unlabelled=tuple(clip for clip in framed if clip.id not in default),
            incomplete={label_set: missing for label_set, missing in incomplete.items() if missing},
        )

    def _length_of_labels(self, source: LabelSource, clip_id: str) -> int | None:
        known = self.expected.get("test", {}).get(clip_id)
        return len(source.read(clip_id)) if source.knows_length or not known else known

    # -------------------------------------------------------------------------------------------------------------
    # labels

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
                f"(bench verify {self.name})"
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

    # --------------------------------------------------------------------------------------------------------------
    # masks

    def pixel_masks(self, clip: Clip) -> np.ndarray | None:
        """Return (N, H, W) bool of a test clip, or None where it has no masks here."""
        path = self.mask_paths.get(clip.id)
        if path is None:
            return None
        masks = self._read_masks(clip.id, path)
        length = len(clip.source.paths) if isinstance(clip.source, ImageFiles) else clip.length
        if length is not None and len(masks) != length:
            raise DataError(
                f"{self.name}: clip {clip.id} has {length} frames, but {len(masks)} pixel masks in {path}"
            )
        return masks

    def _read_masks(self, clip_id: str, path: Path) -> np.ndarray:
        if path.is_dir():
            return read_image_masks(clip_id, list(frame_files(path).values()))
        return read_mat_masks(path) if path.suffix == ".mat" else read_npy_masks(path)

    @cached_property
    def mask_paths(self) -> dict[str, Path]:
        """Clip id -> folder of images, `.npy` or `.mat` with its masks."""
        found: dict[str, Path] = {}
        for folder, suffix in self.mask_folders():
            for entry in entries(folder):
                path = folder / entry.name
                stem = entry.name if path.is_dir() else path.stem
                clip_id = (
                    self.clip_id(stem[: len(stem) - len(suffix)], "test")
                    if stem.casefold().endswith(suffix)
                    else None
                )
                if clip_id is None or not (
                    path.suffix in (".npy", ".mat") or (path.is_dir() and entries(path))
                ):
                    continue
                if clip_id in found:
                    raise two_copies(
                        f"{self.name}, pixel masks of clip {clip_id}",
                        [found[clip_id], path],
                        "move one away",
                    )
                found[clip_id] = path
        return found

    # ------------------------------------------------------------------------------------------------------------
    # checking

    def lacks(self, need: str) -> str | None:
        """Return why a need cannot be met here: what is here, what is missing, and where it was
        looked for.
        """
        if not self.clips("test"):
            return f"{self.name}: neither test frames nor labels in {self.root}; looked for test frames in {self._looked('test')}"
        if need == "lengths" and not self._test.label_sets:
            return self._no_labels(None)
        split: Split = "train" if need == "train" else "test"
        if need in ("frames", "train") and not self._framed(split):
            kind = "training" if split == "train" else "test"
            return f"{self.name}: no {kind} frames in {self.root}, {self._what_is_here()}; looked in {self._looked(split)}"
        return None

    def _what_is_here(self) -> str:
        parts = []
        if self._test.label_sets:
            parts.append(
                f"labels ({', '.join(self._test.label_sets)}) of {len(self._test.clips)} test clips"
            )
        parts += [
            f"frames of {len(self._framed(split))} {split} clips"
            for split in ("train", "test")
            if self._framed(split)
        ]
        return f"only {' and '.join(parts)}" if parts else "nothing else either"

    def _looked(self, split: Split) -> str:
        return ", ".join(
            f"{place.folder} ({place.kind})" for place in self.places if place.split == split
        )

    def verify(self, compared: list[Finding]) -> list[Finding]:
        """Compare labels and masks with one another, and say of a clip without labels that it is
        left out.
        """
        findings = compared
        try:
            test = self._test
            masks = self.mask_paths
        except DataError as error:
            return (
                findings
                if any(finding.text == str(error) for finding in findings)
                else [*findings, Finding("labels", False, str(error))]
            )
        unlabelled = {f"test clip {clip.id}": clip for clip in test.unlabelled}
        findings = [
            self._say_unlabelled(unlabelled[one.subject]) if one.subject in unlabelled else one
            for one in findings
        ]
        if not test.label_sets:
            findings.append(Finding("labels", False, self._no_labels(None)))
        for label_set, missing in test.incomplete.items():
            if label_set not in test.label_sets[:1]:
                path = self._sources[label_set][0].path
                findings.append(
                    Finding(
                        f"labels {label_set}",
                        False,
                        f"not used: {path} has no labels of {len(missing)} clips: {', '.join(missing)}",
                    )
                )
        findings += [finding for clip in test.clips for finding in self._compare_sources(clip)]
        findings += [self._check_masks(clip) for clip in test.clips if clip.id in masks]
        findings += [
            Finding(path.name, True, f"{path} is a pickle and is not read")
            for path in self._pickles()
        ]
        return findings

    def _say_unlabelled(self, clip: Clip) -> Finding:
        source = self._sources[self._test.label_sets[0]][0]
        return Finding(
            f"test clip {clip.id}",
            False,
            f"frames, but no labels in {source.path}; left out of runs",
        )

    def _compare_sources(self, clip: Clip) -> list[Finding]:
        """Compare the labels that are used with those of other files here, for the same label
        set.
        """
        findings = []
        for label_set in self._test.label_sets:
            used, *others = self._sources[label_set]
            for other in others:
                try:
                    same = clip.id not in other.clip_ids or np.array_equal(
                        self._read_labels(used, clip), self._read_labels(other, clip)
                    )
                    text = (
                        f"{other.path} says the same as {used.path}"
                        if same
                        else f"{other.path} differs from {used.path}, which is used"
                    )
                except DataError as error:
                    same, text = False, str(error)
                findings.append(Finding(f"second labels {label_set}, clip {clip.id}", same, text))
        return findings

    def _check_masks(self, clip: Clip) -> Finding:
        subject = f"pixel masks, clip {clip.id}"
        path = self.mask_paths[clip.id]
        try:
            if not self.masks_are_compared:
                length = (
                    len(frame_files(path))
                    if path.is_dir()
                    else len(read_npy(path, mapped=True))
                    if path.suffix == ".npy"
                    else None
                )
                wanted = len(self.labels(clip)) if self._test.label_sets else clip.length
                fits = None in (length, wanted) or length == wanted
                return Finding(
                    subject,
                    fits,
                    f"{path}" if fits else f"{length} masks in {path} for {wanted} frames",
                )
            masks = self.pixel_masks(clip)
            if masks is None or not self._test.label_sets:
                return Finding(subject, True, str(path))
            other = np.flatnonzero(masks.any(axis=(1, 2)) != self.labels(clip))
            if other.size:
                return Finding(
                    subject,
                    False,
                    f"{other.size} frames differ from the labels, the first is {other[0]} (from 0): {path}",
                )
            return Finding(subject, True, f"{len(masks)} masks, as the labels say")
        except DataError as error:
            return Finding(subject, False, str(error))
