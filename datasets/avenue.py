"""CUHK Avenue: one camera, 37 short videos of a campus; runners, thrown objects, wrong directions
are abnormal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from bench import DatasetInfo, Download, Split

from .formats.label_cache import cached_labels
from .formats.layout import ClipFolder, find_below
from .formats.matlab import read_mat_mask_labels
from .formats.ranges import parse_ranges
from .published import (
    LabelSource,
    PublishedDataset,
    VideoParameters,
    numbered,
    official_files,
)

_CLIP = re.compile(r"0*([0-9]{1,2})")
_SITE = "http://www.cse.cuhk.edu.hk/leojia/projects/detectabnormal"
_MAT = """
78:120, 392:422, 503:666, 868:910, 932:1101
273:320, 724:764, 1051:1100
295:340, 582:622
380:428, 649:692
469:786
345:625, 856:1007
423:494, 563:595
21:30
136:183, 496:566, 741:755, 875:981, 1013:1044, 1104:1163
571:607, 637:656, 678:713, 724:755, 783:818
21:164, 308:346
539:617, 645:729, 759:843
259:286, 458:510
399:455, 485:500
498:587
632:730
21:56, 99:420
21:285
109:240
65:144, 168:241
14:66
"""
"""Abnormal frames of the 21 test clips, from 1, both ends included: what `avenue.mat` of Liu et al.
2018 says (equal in four public repositories)."""
_MASKS = "ground_truth_demo/testing_label_mask"


class Avenue(PublishedDataset):
    """CUHK Avenue. Label set `mat` is that of Liu et al. 2018, `pixel` the official masks: frames
    that have a pixel in them.
    """

    name = "avenue"
    info = DatasetInfo(
        display_name="Avenue",
        title="CUHK Avenue",
        citation="C. Lu, J. Shi, J. Jia: Abnormal Event Detection at 150 FPS in MATLAB. ICCV 2013",
        year=2013,
        licence="research only (Multimedia Lab, The Chinese University of Hong Kong)",
        resolution=(360, 640),
        frame_rate=25,
        groups=("all",),
    )
    downloads: ClassVar[tuple[Download, ...]] = (
        Download(
            file="Avenue_Dataset.zip",
            sha256="fc9cb8432a11ca79c18aa180c72524011411b69d3b0ff27c8816e41c0de61531",
            size=813_227_845,
            url=f"{_SITE}/Avenue_Dataset.zip",
            page=f"{_SITE}/dataset.html",
            member="Avenue Dataset",
            folder="avenue/Avenue Dataset",
        ),
        Download(
            file="ground_truth_demo.zip",
            sha256="60fec1728ec8f73a58aad3aeb5729d70a805a47e0b8eb4bf91ab67ef06386d77",
            size=931_269,
            url=f"{_SITE}/ground_truth_demo.zip",
            page=f"{_SITE}/dataset.html",
            member="ground_truth_demo",
            folder="avenue/ground_truth_demo",
        ),
    )
    official: ClassVar[Mapping[str, Mapping[str, str]]] = official_files("avenue")
    Parameters = VideoParameters
    folder_names = ("Avenue Dataset", "avenue", "CUHK Avenue")
    label_sets = ("mat", "pixel")
    mat_ranges: ClassVar[str] = _MAT
    """The label set `mat`, which no official archive has; a line a clip, empty for none."""
    label_files = ("avenue.mat", _MASKS, "testing_label_mask")
    row_names = ("avenue",)
    clip_folders: ClassVar[tuple[ClipFolder, ...]] = (
        ClipFolder("train", "training_videos", "videos"),
        ClipFolder("test", "testing_videos", "videos"),
        ClipFolder("train", "training/videos", "videos"),
        ClipFolder("test", "testing/videos", "videos"),
        ClipFolder("train", "training/frames", "images"),
        ClipFolder("test", "testing/frames", "images"),
    )
    mask_suffixes: ClassVar[Mapping[str, str]] = {_MASKS: "_label", "testing_label_mask": "_label"}
    expected = {
        "train": numbered("0 " * 16),
        "test": numbered(
            "1439 1211 923 947 1007 1283 605 36 1175 841 472 1271 549 507 1001 740 426 294 248 273 76"
        ),
    }
    expected_totals = {"train": 15_328}
    typical_length = 958
    """15,328 / 16."""
    expected_anomalous = {
        "pixel": numbered(
            "408 89 87 93 318 429 123 36 289 133 144 190 75 74 90 109 384 294 140 154 53"
        ),
        "mat": numbered(
            "451 139 87 93 318 433 105 10 333 161 183 249 81 73 90 99 358 265 132 154 53"
        ),
    }

    @staticmethod
    def clip_id(name: str, split: Split) -> str | None:
        """Return '01' for '01' and '1'."""
        match = _CLIP.fullmatch(name)
        return f"{int(match[1]):02d}" if match else None

    def mask_folders(self) -> list[tuple[Path, str]]:
        """Return the folders of the second archive, which unpacks beside the first or is moved into
        it.
        """
        beside = [(folder, "_label") for folder in find_below(self._folder.parent, _MASKS)]
        return [*super().mask_folders(), *beside]

    def own_label_sources(self) -> list[LabelSource]:
        """Return an `avenue.mat` that is here, else the ranges above, and the official masks as 0/1
        a frame.
        """
        mats = [
            path
            for folder in (self._folder, self._folder.parent)
            for path in find_below(folder, "avenue.mat")
            if path.is_file()
        ]
        sources = [self.mat_source("mat", path) for path in mats]
        if ranges := parse_ranges(self.mat_ranges, __file__):
            sources.append(self.range_source("mat", Path(__file__), ranges))
        masks = self.mask_paths
        if masks:
            folder = next(iter(masks.values())).parent
            sources.append(
                LabelSource("pixel", folder, frozenset(masks), self._frames_with_a_pixel, False)
            )
        return sources

    def _frames_with_a_pixel(self, clip_id: str) -> np.ndarray:
        return cached_labels(self.mask_paths[clip_id], read_mat_mask_labels)
