"""Compare methods that find anomalous frames in surveillance video.

This is the public door: all that a plugin may import. Names are loaded at first use, so that
`import bench` is quick and needs no torch; type checkers read them in `__init__.pyi`.
"""

from __future__ import annotations

import importlib
from typing import Any

NAMES: dict[str, dict[str, str]] = {
    "contracts": {
        "contracts.clip": "Clip ImageFiles PassedOver Split VideoFile Window",
        "contracts.creator": "Creator",
        "contracts.dataset": "Dataset DatasetInfo Finding",
        "contracts.detector": "Detector",
        "contracts.executor": "Event Executor",
        "contracts.method": "Context FrameFormat Method MethodInfo OpenClip PublishedAUC Scores",
        "contracts.metric": "Metric",
        "contracts.network_method": "NetworkMethod",
        "contracts.observer": "Observer",
        "contracts.parameters": "parameter",
        "contracts.protocol": "Protocol",
        "contracts.released_weights": "ReleasedWeights",
        "contracts.tracks": "Tracks",
        "files.download": "Download PretrainedWeights",
        "errors": "BenchError DataError DidNotLearn MethodError RequestError RunError",
        "plugins.hookspecs": "hookimpl",
    },
    "helpers": {
        "contracts.method": "ascend_within",
        "contracts.released_weights": "read_pretrained",
        "files.arrays": "load_npy load_npz load_rows",
        "files.cache": "cache_folder",
        "files.matlab": "load_mat",
        "frames.decode": "count_frames read_frames",
        "frames.folders": "VIDEO_ENDINGS FolderContent Media look_into",
        "frames.frame_names": "natural_order",
        "frames.image_files": "numbered_images",
        "plugins.selection": "make_creators",
    },
    "functions": {
        "reporting.loaded_run": "load",
        "running.python_api": "run",
        "scoring.arrays": "score",
    },
}
"""The public names by what they are: `contracts`, of which a plugin is made; `helpers` for writing
one; `functions` for scripts and notebooks. Each by the module that it lies in."""
_HOME = {
    name: module
    for modules in NAMES.values()
    for module, names in modules.items()
    for name in names.split()
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
