"""The executors that come with `bench`, registered like anyone's."""

from __future__ import annotations

from ...executor import Executor
from ...plugins.hookspecs import hookimpl
from .local import LocalExecutor


@hookimpl
def bench_executors() -> list[type[Executor]]:
    """Offer `local`."""
    return [LocalExecutor]
