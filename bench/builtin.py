"""What comes with `bench` itself, offered through the hooks that plugins use: metrics, protocols,
detectors, executors, observers.

Methods and datasets are packages of their own: `bench.methods`, `bench.datasets`.
"""

from __future__ import annotations

from bench.contracts.detector import Detector
from bench.contracts.executor import Executor
from bench.contracts.metric import Metric
from bench.contracts.observer import Observer
from bench.contracts.protocol import Protocol
from bench.executors.dask import DaskExecutor
from bench.executors.local import LocalExecutor
from bench.executors.slurm import SlurmExecutor
from bench.objects.boxes import BoxesDetector
from bench.objects.fasterrcnn import FasterRCNNDetector
from bench.objects.motion import MotionDetector
from bench.observers.mlflow import MLflowObserver
from bench.observers.tensorboard import TensorBoardObserver
from bench.plugins.hookspecs import hookimpl
from bench.scoring.metrics import METRICS


@hookimpl
def bench_protocols() -> list[Protocol]:
    """Offer the protocols that come with bench."""
    return [
        Protocol("median17", smooth="median", normalise="clip"),
        Protocol("ddl", smooth="median", edge="zero", pool="scene-median"),
        Protocol("minmax", normalise="clip"),
        Protocol("raw"),
        Protocol("minmax-median17", smooth="median", normalise="clip", order="normalise-first"),
        Protocol("gaussian10", smooth="gaussian", normalise="clip"),
        Protocol("macro17", smooth="median", normalise="clip", pool="macro"),
        Protocol("macro17-padded", smooth="median", normalise="clip", pool="macro-padded"),
    ]


@hookimpl
def bench_metrics() -> list[Metric]:
    """Offer the metrics that come with bench."""
    return list(METRICS)


@hookimpl
def bench_detectors() -> list[type[Detector]]:
    """Offer `fasterrcnn`, `motion` and `boxes`."""
    return [FasterRCNNDetector, MotionDetector, BoxesDetector]


@hookimpl
def bench_executors() -> list[type[Executor]]:
    """Offer `local`, `dask` and `slurm`."""
    return [LocalExecutor, DaskExecutor, SlurmExecutor]


@hookimpl
def bench_observers() -> list[type[Observer]]:
    """Offer `tensorboard` and `mlflow`."""
    return [TensorBoardObserver, MLflowObserver]
