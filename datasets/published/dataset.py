"""What the published datasets share: their files are found, read, and compared with one another."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from bench import Clip, DataError, Finding, PassedOver, Split

from ..formats.arrays import read_npy
from ..formats.layout import frame_files
from .finding import SPLITS
from .masks import MaskedDataset


class PublishedDataset(MaskedDataset):
    """A dataset with known folders, clips and label files. A subclass says what they are called."""

    masks_are_compared: ClassVar[bool] = False
    """Whether `verify` compares the masks, pixel by pixel, with the labels: where they are small,
    and agree officially."""

    def passed_over(self, splits: Sequence[Split] = SPLITS) -> list[PassedOver]:
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
        found = [one for split in splits for one in self._passed_over.get(split, ())]
        return [
            dataclasses.replace(one, may_hold_frames=False)
            for one in found
            if one.path not in masks and (one.may_hold_frames or one.path.is_dir())
        ]

    def lacks(self, need: str) -> str | None:
        """Return why a need cannot be met here: what is here, what is missing, and where it was
        looked for.
        """
        if need != "train" and not self.clips("test"):
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
