"""ShanghaiTech Campus: thirteen cameras of one campus; bicycles, chases, brawls are abnormal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from bench import DataError, DatasetInfo, Download, Finding, Split, parameter

from .formats.arrays import as_labels, read_npy
from .formats.layout import ClipFolder, entries, find_below
from .published import LabelSource, PublishedDataset, VideoParameters

_CLIP = re.compile(r"([0-9]{1,2})_([0-9]{1,4})")
_TRAINING_CLIPS = "83 15 6 20 66 30 8 49 10 11 10 15 7"
"""Training clips of scenes 01 to 13; their ids count from SS_001 without gaps."""
_TEST_CLIPS = """
01 0014=265/76 0015=433/288 0016=337/91 0025=601/55 0026=505/120 0027=409/74 0028=457/64 0029=313/113 0030=409/200 0051=337/170
01 0052=337/89 0053=457/235 0054=577/293 0055=313/245 0056=529/135 0063=193/71 0064=289/213 0073=289/91 0076=265/229 0129=241/98
01 0130=337/94 0131=289/97 0132=265/87 0133=217/216 0134=433/185 0135=409/189 0136=529/311 0138=313/120 0139=217/107 0140=241/73
01 0141=313/146 0162=193/104 0163=265/120 0177=317/85
02 0128=457/252 0161=337/220 0164=361/190
03 0031=529/60 0032=409/120 0033=313/115 0035=385/106 0036=457/216 0039=481/211 0041=457/106 0059=433/147 0060=385/84 0061=241/47
04 0001=553/290 0003=937/226 0004=865/130 0010=505/108 0011=313/313 0012=361/343 0013=361/210 0046=529/170 0050=337/84
05 0017=433/133 0018=481/66 0019=649/160 0020=649/56 0021=409/81 0022=337/107 0023=769/278 0024=433/135
06 0144=241/140 0145=217/165 0147=265/76 0150=265/156 0153=217/69 0155=265/96
07 0005=409/66 0006=385/103 0007=481/93 0008=457/186 0009=313/82 0047=601/204 0048=241/52 0049=481/100
08 0044=313/152 0058=337/231 0077=457/320 0078=217/151 0079=241/95 0080=289/174 0156=337/90 0157=313/141 0158=337/164 0159=265/131
08 0178=265/132 0179=337/211
09 0057=361/84
10 0037=433/309 0038=241/227 0042=433/364 0074=601/539 0075=505/100
11 0176=337/141
12 0142=601/519 0143=265/177 0148=313/177 0149=241/130 0151=289/213 0152=361/305 0154=385/296 0173=217/116 0174=337/244 0175=265/157
"""
"""Scene, then clip=frames/anomalous frames, as counted in the label files (equal in two public
repositories)."""


def _training_clips() -> dict[str, int]:
    """Return clip id -> 0: the lengths are not known from files."""
    return {
        f"{scene:02d}_{number:03d}": 0
        for scene, count in enumerate(_TRAINING_CLIPS.split(), start=1)
        for number in range(1, int(count) + 1)
    }


def _test_clips() -> dict[str, tuple[int, int]]:
    """Return clip id -> frames, anomalous frames."""
    found = {}
    for line in _TEST_CLIPS.split("\n"):
        scene, *clips = line.split() or [""]
        for clip in clips:
            number, frames, anomalous = re.split("[=/]", clip)
            found[f"{scene}_{number}"] = (int(frames), int(anomalous))
    return found


@dataclass(frozen=True)
class ShanghaiTechParameters(VideoParameters):
    """Parameters of ShanghaiTech."""

    models: Literal["one", "per-scene"] = parameter(
        "one",
        source="DDL paper: one model a scene; most others: one for all",
        doc="One model for all scenes, or one a scene, each a cell of its own.",
    )


class ShanghaiTech(PublishedDataset):
    """ShanghaiTech Campus. Official test labels are 0/1 a frame, one `.npy` a clip."""

    name = "shanghaitech"
    info = DatasetInfo(
        display_name="ShanghaiTech",
        title="ShanghaiTech Campus",
        citation="W. Luo, W. Liu, S. Gao: A Revisit of Sparse Coding Based Anomaly Detection in Stacked RNN Framework. ICCV 2017",
        year=2017,
        licence="research only (SVIP Lab, ShanghaiTech University)",
        resolution=(480, 856),
        frame_rate=24,  # of the literature; not read in a file
        scenes=13,
        groups=("all",),
    )
    downloads: ClassVar[tuple[Download, ...]] = (
        Download(  # its owners' page offers shared folders of two drives, for a browser
            file="shanghaitech.tar.gz",
            sha256="c13a827043b259ccf8493c9d9130486872992153a9d714fe229e523cd4c94116",
            page="https://svip-lab.github.io/dataset/campus_dataset.html",
            member="shanghaitech",
            folder="shanghaitech",
        ),
    )
    Parameters = ShanghaiTechParameters
    folder_names = ("shanghaitech", "ShanghaiTech Campus", "shanghai")
    label_files = ("testing/test_frame_mask",)
    row_names = ("shanghaitech", "shanghai")
    clip_folders: ClassVar[tuple[ClipFolder, ...]] = (
        ClipFolder("train", "training/videos", "videos"),
        ClipFolder("train", "training/frames", "images"),
        ClipFolder("test", "testing/frames", "images"),
    )
    mask_suffixes: ClassVar[Mapping[str, str]] = {"testing/test_pixel_mask": ""}
    expected = {
        "train": _training_clips(),
        "test": {clip: frames for clip, (frames, _) in _test_clips().items()},
    }
    expected_anomalous = {
        "frame": {clip: anomalous for clip, (_, anomalous) in _test_clips().items()}
    }
    typical_length = 832
    """274,515 training frames, a number of the literature that was not counted in files, / 330
    clips."""

    @staticmethod
    def clip_id(name: str, split: Split) -> str | None:
        """Return 'SS_NNN' for training, 'SS_NNNN' for test."""
        match = _CLIP.fullmatch(name)
        if match is None:
            return None
        return f"{int(match[1]):02d}_{int(match[2]):0{3 if split == 'train' else 4}d}"

    @staticmethod
    def scene_of(clip_id: str) -> str:
        """Return the camera, '01' to '13'."""
        return clip_id.split("_", 1)[0]

    def model_scenes(self) -> tuple[str, ...]:
        """Return, for `models=per-scene`, the scenes that can be trained and tested here."""
        if self.parameters.models == "one":
            return ()
        train, test = ({clip.scene for clip in self.clips(split)} for split in ("train", "test"))  # type: ignore[arg-type]
        return tuple(sorted(train & test))

    def own_label_sources(self) -> list[LabelSource]:
        """Return the official folder with one `.npy` a clip."""
        return [
            _folder_source(folder)
            for folder in find_below(self._folder, "testing/test_frame_mask")
            if _clip_files(folder)
        ]

    def verify(self, compared: list[Finding]) -> list[Finding]:
        """Add the sums of each scene to what every dataset is checked for."""
        return [*super().verify(compared), *self._check_scenes()]

    def _check_scenes(self) -> list[Finding]:
        try:
            found = (
                {clip.id: self.labels(clip, "frame") for clip in self.clips("test")}
                if "frame" in self.available_label_sets()
                else {}
            )
        except DataError:
            return []  # the finding of that clip says why
        frames, anomalous = self.expected["test"], self.expected_anomalous["frame"]
        findings = []
        for scene in sorted({self.scene_of(clip_id) for clip_id in frames}):
            wanted = [clip_id for clip_id in frames if self.scene_of(clip_id) == scene]
            here = [labels for clip_id, labels in found.items() if self.scene_of(clip_id) == scene]
            is_there = (len(here), sum(map(len, here)), sum(int(labels.sum()) for labels in here))
            should_be = (
                len(wanted),
                sum(frames[clip_id] for clip_id in wanted),
                sum(anomalous[clip_id] for clip_id in wanted),
            )
            text = "{:,} test clips, {:,} labelled frames, {:,} anomalous".format(*is_there)
            if is_there != should_be:
                text += "; {:,}, {:,} and {:,} expected".format(*should_be)
            findings.append(Finding(f"scene {scene}", is_there == should_be, text))
        return findings


def _clip_files(folder: Path) -> dict[str, Path]:
    """Return clip id -> `.npy`."""
    files = (
        [folder / entry.name for entry in entries(folder) if entry.name.endswith(".npy")]
        if folder.is_dir()
        else []
    )
    named = {ShanghaiTech.clip_id(path.stem, "test"): path for path in files}
    return {clip_id: path for clip_id, path in named.items() if clip_id is not None}


def _folder_source(folder: Path) -> LabelSource:
    paths = _clip_files(folder)

    def read(clip_id: str) -> np.ndarray:
        return as_labels(read_npy(paths[clip_id]), str(paths[clip_id]))

    return LabelSource("frame", folder, frozenset(paths), read, True)
