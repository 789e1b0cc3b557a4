"""The executors that come with `bench`, registered like anyone's."""

from __future__ import annotations

from ...executor import Executor
from ...plugins.hookspecs import hookimpl
from .dask import DaskExecutor
from .local import LocalExecutor
from .slurm import SlurmExecutor


@hookimpl
def bench_executors() -> list[type[Executor]]:
    """Offer `local`, `dask` and `slurm`."""
    return [LocalExecutor, DaskExecutor, SlurmExecutor]
