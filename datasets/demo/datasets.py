"""The demo datasets: small, rendered on first use, nothing to download, and read by the loaders of
the published ones.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from bench import DataError, DatasetInfo, Download, cache_folder

from ..avenue import Avenue
from ..published import PublishedDataset, numbered
from ..shanghaitech import ShanghaiTech
from ..ucsd import Ped2

VERSION = "demo-v1"
"""Folder below the cache folder; another version wherever a rendered pixel changes."""


def _info(display_name: str, title: str, scenes: int = 1) -> DatasetInfo:
    return DatasetInfo(
        display_name=display_name,
        title=title,
        citation="rendered by this software",
        licence="as this software",
        obtain="It is rendered on first use, into the cache folder (BENCH_CACHE).",
        resolution=(160, 240),
        frame_rate=10,  # `RATE` of the renderer, which is imported where it renders only
        scenes=scenes,
        groups=("demo",),
    )


def rendered(name: str) -> Path:
    """Return the folder with the rendered dataset in its folder `name`; renders it unless it is
    there whole.

    Raises
    ------
    DataError : the cache folder cannot be written.
    """
    folder = cache_folder() / VERSION
    target = folder / name
    if target.is_dir():
        return folder
    temporary = folder / f".{name}.tmp"  # what begins with a dot is no copy of a dataset
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f".{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
            if not target.is_dir():  # another process may have rendered it while this one waited
                from .write import WRITERS

                shutil.rmtree(temporary, ignore_errors=True)  # left by a process that was killed
                WRITERS[name](temporary)
                temporary.rename(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            shutil.rmtree(temporary)
        raise DataError(
            f"the demo dataset cannot be rendered in {folder}: {error.strerror or error}; "
            "free some space there, or set BENCH_CACHE to a folder that can be written"
        ) from error
    return folder


class Rendered(PublishedDataset):
    """A dataset that is rendered where it is looked for. Comes before the published dataset among
    the bases.
    """

    downloads: ClassVar[tuple[Download, ...]] = ()
    official: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    mat_ranges = ""
    default_profile = "smoke"
    default_detector = "motion"

    def locate(self, roots: Sequence[Path]) -> None:
        """Render the dataset unless it is in the cache, and find it there; the data folders are not
        looked at.
        """
        super().locate(roots if self.parameters.path else [rendered(self.folder_names[0])])


class DemoPed2(Rendered, Ped2):
    """Gray frames of one walkway: a bicycle, a cart and a runner are abnormal."""

    name = "demo-ped2"
    info = _info("Demo Ped2", "Demo in the layout of UCSD Ped2")
    expected = {"train": numbered("64 56 72 60 64"), "test": numbered("72 80 12 72")}
    expected_totals = {"train": 316, "test": 236}
    expected_anomalous = {"frame": numbered("33 52 11 29")}


class DemoAvenue(Rendered, Avenue):
    """Colour videos of one campus: a runner, thrown bags and a bicycle are abnormal."""

    name = "demo-avenue"
    info = _info("Demo Avenue", "Demo in the layout of CUHK Avenue")
    expected = {"train": numbered("72 60 64 56 48"), "test": numbered("76 72 14 72")}
    expected_totals = {"train": 300, "test": 234}
    expected_anomalous = {"pixel": numbered("25 19 9 33")}


class DemoShanghaiTech(Rendered, ShanghaiTech):
    """Colour, three cameras: a cart, a runner, a bicycle and a thrown bag are abnormal."""

    name = "demo-shanghaitech"
    info = _info("Demo ShanghaiTech", "Demo in the layout of ShanghaiTech Campus", scenes=3)
    expected = {
        "train": {
            "01_001": 64,
            "01_002": 52,
            "02_001": 64,
            "02_002": 52,
            "03_001": 64,
            "03_002": 52,
        },
        "test": {"01_0014": 72, "01_0015": 15, "02_0128": 72, "03_0031": 72},
    }
    expected_totals = {"train": 348, "test": 231}
    expected_anomalous = {"frame": {"01_0014": 50, "01_0015": 12, "02_0128": 35, "03_0031": 19}}
