"""Compare methods that find anomalous frames in surveillance video.

This is the public door: all that a plugin may import. Names are loaded at first use, so that `import bench` is quick
and needs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .array_files import load_npy as load_npy
    from .array_files import load_npz as load_npz
    from .array_files import load_rows as load_rows
    from .dataset import Clip as Clip
    from .dataset import Dataset as Dataset
    from .dataset import DatasetInfo as DatasetInfo
    from .dataset import Finding as Finding
    from .dataset import ImageFiles as ImageFiles
    from .dataset import Part as Part
    from .dataset import PassedOver as PassedOver
    from .dataset import VideoFile as VideoFile
    from .dataset import compare_with_expected as compare_with_expected
    from .errors import BenchError as BenchError
    from .errors import DataError as DataError
    from .errors import DidNotLearn as DidNotLearn
    from .errors import MethodError as MethodError
    from .errors import RequestError as RequestError
    from .errors import RunError as RunError
    from .executor import Event as Event
    from .executor import Executor as Executor
    from .frames.cache import cache_folder as cache_folder
    from .frames.decode import count_frames as count_frames
    from .frames.decode import read_frames as read_frames
    from .frames.endings import VIDEO_ENDINGS as VIDEO_ENDINGS
    from .frames.folders import FolderContent as FolderContent
    from .frames.folders import Media as Media
    from .frames.folders import look_into as look_into
    from .frames.frame_names import natural_order as natural_order
    from .frames.image_files import numbered_images as numbered_images
    from .method import Context as Context
    from .method import Frames as Frames
    from .method import Method as Method
    from .method import MethodInfo as MethodInfo
    from .method import OpenClip as OpenClip
    from .method import PublishedAUC as PublishedAUC
    from .method import Scores as Scores
    from .network_method import NetworkMethod as NetworkMethod
    from .network_method import Window as Window
    from .objects.detector import Detector as Detector
    from .objects.masks import box_mask as box_mask
    from .objects.tracks import Tracks as Tracks
    from .observer import Observer as Observer
    from .plugins.hookspecs import hookimpl as hookimpl
    from .plugins.parameters import ReleasedWeights as ReleasedWeights
    from .plugins.parameters import parameter as parameter
    from .plugins.selection import make_creators as make_creators
    from .pseudo_anomaly import Creator as Creator
    from .reporting.loaded import load as load
    from .running.keywords import run as run
    from .scoring.arrays import score as score
    from .scoring.metrics import Metric as Metric
    from .scoring.protocols import Protocol as Protocol

_HOME = {
    "load_npy": "array_files",
    "load_npz": "array_files",
    "load_rows": "array_files",
    "Clip": "dataset",
    "Dataset": "dataset",
    "DatasetInfo": "dataset",
    "Finding": "dataset",
    "ImageFiles": "dataset",
    "Part": "dataset",
    "PassedOver": "dataset",
    "VideoFile": "dataset",
    "compare_with_expected": "dataset",
    "BenchError": "errors",
    "DataError": "errors",
    "DidNotLearn": "errors",
    "MethodError": "errors",
    "RequestError": "errors",
    "RunError": "errors",
    "Event": "executor",
    "Executor": "executor",
    "Observer": "observer",
    "cache_folder": "frames.cache",
    "count_frames": "frames.decode",
    "read_frames": "frames.decode",
    "VIDEO_ENDINGS": "frames.endings",
    "FolderContent": "frames.folders",
    "Media": "frames.folders",
    "look_into": "frames.folders",
    "natural_order": "frames.frame_names",
    "numbered_images": "frames.image_files",
    "Context": "method",
    "Frames": "method",
    "Method": "method",
    "MethodInfo": "method",
    "OpenClip": "method",
    "PublishedAUC": "method",
    "Scores": "method",
    "NetworkMethod": "network_method",
    "Window": "network_method",
    "Detector": "objects.detector",
    "box_mask": "objects.masks",
    "Tracks": "objects.tracks",
    "hookimpl": "plugins.hookspecs",
    "ReleasedWeights": "plugins.parameters",
    "parameter": "plugins.parameters",
    "make_creators": "plugins.selection",
    "Creator": "pseudo_anomaly",
    "load": "reporting.loaded",
    "run": "running.keywords",
    "score": "scoring.arrays",
    "Metric": "scoring.metrics",
    "Protocol": "scoring.protocols",
}

__version__ = "0.1.0"
__all__ = sorted([*_HOME, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
