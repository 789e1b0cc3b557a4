"""Compare methods that find anomalous frames in surveillance video.

This is the public door: all that a plugin may import. Names are loaded at first use, so that
`import bench` is quick and needs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.contracts.clip import Clip as Clip
    from bench.contracts.clip import ImageFiles as ImageFiles
    from bench.contracts.clip import PassedOver as PassedOver
    from bench.contracts.clip import Split as Split
    from bench.contracts.clip import VideoFile as VideoFile
    from bench.contracts.creator import Creator as Creator
    from bench.contracts.dataset import Dataset as Dataset
    from bench.contracts.dataset import DatasetInfo as DatasetInfo
    from bench.contracts.dataset import Finding as Finding
    from bench.contracts.detector import Detector as Detector
    from bench.contracts.executor import Event as Event
    from bench.contracts.executor import Executor as Executor
    from bench.contracts.method import Context as Context
    from bench.contracts.method import FrameFormat as FrameFormat
    from bench.contracts.method import Method as Method
    from bench.contracts.method import MethodInfo as MethodInfo
    from bench.contracts.method import OpenClip as OpenClip
    from bench.contracts.method import PublishedAUC as PublishedAUC
    from bench.contracts.method import Scores as Scores
    from bench.contracts.metric import Metric as Metric
    from bench.contracts.network_method import NetworkMethod as NetworkMethod
    from bench.contracts.network_method import Window as Window
    from bench.contracts.observer import Observer as Observer
    from bench.contracts.parameters import ReleasedWeights as ReleasedWeights
    from bench.contracts.parameters import parameter as parameter
    from bench.contracts.protocol import Protocol as Protocol
    from bench.contracts.tracks import Tracks as Tracks
    from bench.errors import BenchError as BenchError
    from bench.errors import DataError as DataError
    from bench.errors import DidNotLearn as DidNotLearn
    from bench.errors import MethodError as MethodError
    from bench.errors import RequestError as RequestError
    from bench.errors import RunError as RunError
    from bench.files.arrays import load_npy as load_npy
    from bench.files.arrays import load_npz as load_npz
    from bench.files.arrays import load_rows as load_rows
    from bench.files.cache import cache_folder as cache_folder
    from bench.frames.decode import count_frames as count_frames
    from bench.frames.decode import read_frames as read_frames
    from bench.frames.endings import VIDEO_ENDINGS as VIDEO_ENDINGS
    from bench.frames.folders import FolderContent as FolderContent
    from bench.frames.folders import Media as Media
    from bench.frames.folders import look_into as look_into
    from bench.frames.frame_names import natural_order as natural_order
    from bench.frames.image_files import numbered_images as numbered_images
    from bench.objects.masks import box_mask as box_mask
    from bench.plugins.hookspecs import hookimpl as hookimpl
    from bench.plugins.selection import make_creators as make_creators
    from bench.reporting.loaded_run import load as load
    from bench.running.python_api import run as run
    from bench.scoring.arrays import score as score

_HOME = {
    "load_npy": "files.arrays",
    "load_npz": "files.arrays",
    "load_rows": "files.arrays",
    "Clip": "contracts.clip",
    "Dataset": "contracts.dataset",
    "DatasetInfo": "contracts.dataset",
    "Finding": "contracts.dataset",
    "ImageFiles": "contracts.clip",
    "Split": "contracts.clip",
    "PassedOver": "contracts.clip",
    "VideoFile": "contracts.clip",
    "BenchError": "errors",
    "DataError": "errors",
    "DidNotLearn": "errors",
    "MethodError": "errors",
    "RequestError": "errors",
    "RunError": "errors",
    "Event": "contracts.executor",
    "Executor": "contracts.executor",
    "Observer": "contracts.observer",
    "cache_folder": "files.cache",
    "count_frames": "frames.decode",
    "read_frames": "frames.decode",
    "VIDEO_ENDINGS": "frames.endings",
    "FolderContent": "frames.folders",
    "Media": "frames.folders",
    "look_into": "frames.folders",
    "natural_order": "frames.frame_names",
    "numbered_images": "frames.image_files",
    "Context": "contracts.method",
    "FrameFormat": "contracts.method",
    "Method": "contracts.method",
    "MethodInfo": "contracts.method",
    "OpenClip": "contracts.method",
    "PublishedAUC": "contracts.method",
    "Scores": "contracts.method",
    "NetworkMethod": "contracts.network_method",
    "Window": "contracts.network_method",
    "Detector": "contracts.detector",
    "box_mask": "objects.masks",
    "Tracks": "contracts.tracks",
    "hookimpl": "plugins.hookspecs",
    "ReleasedWeights": "contracts.parameters",
    "parameter": "contracts.parameters",
    "make_creators": "plugins.selection",
    "Creator": "contracts.creator",
    "load": "reporting.loaded_run",
    "run": "running.python_api",
    "score": "scoring.arrays",
    "Metric": "contracts.metric",
    "Protocol": "contracts.protocol",
}

__version__ = "0.1.0"
__all__ = sorted([*_HOME, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
