"""UCSD Ped1 and Ped2: two walkways, each seen by one camera; what is no pedestrian on foot is
abnormal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from bench import DatasetInfo, Download, Split

from .formats.layout import ClipFolder, find_below
from .formats.ranges import read_m_ranges
from .published import LabelSource, PublishedDataset, numbered, official_files

_CLIP = re.compile(r"(?:train|test)?0*([0-9]{1,2})", re.IGNORECASE)
_CITATION = "V. Mahadevan, W. Li, V. Bhalodia, N. Vasconcelos: Anomaly Detection in Crowded Scenes. CVPR 2010"
_LICENCE = "research only (Statistical Visual Computing Lab, UC San Diego)"


def _archive(folder: str) -> Download:
    """Return the archive of both datasets, of which one is unpacked."""
    return Download(
        file="UCSD_Anomaly_Dataset.tar.gz",
        sha256="2329af326951f5097fdd114c50e853957d3e569493a49d22fc082a9fd791915b",
        size=740_306_953,
        url="http://www.svcl.ucsd.edu/projects/anomaly/UCSD_Anomaly_Dataset.tar.gz",
        page="http://www.svcl.ucsd.edu/projects/anomaly/dataset.htm",
        member=f"UCSD_Anomaly_Dataset.v1p2/{folder}",
        folder=folder,
    )


class UCSD(PublishedDataset):
    """What Ped1 and Ped2 share: layouts, and labels as ranges in a Matlab script."""

    clip_folders: ClassVar[tuple[ClipFolder, ...]] = (
        ClipFolder("train", "Train", "images"),
        ClipFolder("test", "Test", "images"),
        ClipFolder("train", "training/frames", "images"),
        ClipFolder("test", "testing/frames", "images"),
    )
    mask_suffixes: ClassVar[Mapping[str, str]] = {"Test": "_gt", "testing/pixel_masks": ""}
    script: ClassVar[str]
    """The Matlab script with the labels. Its older version ends in '.m~', and differs: names are
    compared whole."""
    mat: ClassVar[str]

    @staticmethod
    def clip_id(name: str, split: Split) -> str | None:
        """Return '01' for '01', '1', 'Test001' and 'Train001'."""
        match = _CLIP.fullmatch(name)
        return f"{int(match[1]):02d}" if match else None

    def own_label_sources(self) -> list[LabelSource]:
        """Return the official script, and the Matlab file of the re-packaged copies."""
        scripts = [
            path
            for relative in (f"Test/{self.script}", self.script)
            for path in find_below(self._folder, relative)
        ]
        mats = [
            path
            for folder in (self._folder, self._folder.parent)
            for path in find_below(folder, self.mat)
        ]
        return [
            *(
                self.range_source("frame", path, read_m_ranges(path))
                for path in scripts
                if path.is_file()
            ),
            *(self.mat_source("frame", path) for path in mats if path.is_file()),
        ]


class Ped1(UCSD):
    """UCSD Ped1: people walk towards and away from the camera."""

    name = "ped1"
    info = DatasetInfo(
        display_name="Ped1",
        title="UCSD Ped1",
        citation=_CITATION,
        year=2010,
        licence=_LICENCE,
        resolution=(158, 238),
        frame_rate=10,
    )
    downloads: ClassVar[tuple[Download, ...]] = (_archive("UCSDped1"),)
    official: ClassVar[Mapping[str, Mapping[str, str]]] = official_files("ped1")
    folder_names = ("UCSDped1", "ped1")
    label_files = ("Test/UCSDped1.m", "ped1.mat")
    row_names = ("ped1",)
    script, mat = "UCSDped1.m", "ped1.mat"
    expected = {"train": numbered("200 " * 34), "test": numbered("200 " * 36)}
    expected_anomalous = {
        "frame": numbered(
            "93 126 110 138 147 191 175 94 48 140 96 71 156 200 63 78 47 67 75 131 170 92 158 122 96 68 113 96 84 26 180 103 161 121 115 94"
        )
    }


class Ped2(UCSD):
    """UCSD Ped2: people walk across the frame."""

    name = "ped2"
    info = DatasetInfo(
        display_name="Ped2",
        title="UCSD Ped2",
        citation=_CITATION,
        year=2010,
        licence=_LICENCE,
        resolution=(240, 360),
        frame_rate=10,  # an older README of the dataset
        groups=("all",),
    )
    downloads: ClassVar[tuple[Download, ...]] = (_archive("UCSDped2"),)
    official: ClassVar[Mapping[str, Mapping[str, str]]] = official_files("ped2")
    folder_names = ("UCSDped2", "ped2")
    label_files = ("Test/UCSDped2.m", "ped2.mat")
    row_names = ("ped2",)
    script, mat = "UCSDped2.m", "ped2.mat"
    masks_are_compared = True
    expected = {
        "train": numbered("120 150 150 180 180 150 150 120 180 180 180 180 180 150 150 150"),
        "test": numbered("180 180 150 180 150 180 180 180 120 150 180 180"),
    }
    expected_anomalous = {"frame": numbered("120 86 146 150 129 159 135 180 120 150 180 93")}
