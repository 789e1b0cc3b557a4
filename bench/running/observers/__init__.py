"""The observers that come with `bench`, registered like anyone's."""

from __future__ import annotations

from ...observer import Observer
from ...plugins.hookspecs import hookimpl
from .mlflow import MLflowObserver
from .tensorboard import TensorBoardObserver


@hookimpl
def bench_observers() -> list[type[Observer]]:
    """Offer `tensorboard` and `mlflow`."""
    return [TensorBoardObserver, MLflowObserver]
