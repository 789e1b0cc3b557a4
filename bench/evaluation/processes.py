"""One function of many things, computed in forks of this process, one a core."""

from __future__ import annotations

import gc
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from bench.hardware.machine import cores

Item = TypeVar("Item")
Found = TypeVar("Found")

_adopted: Callable[[Any], Any] | None = None
"""What this process computes, where it is such a fork."""


def in_processes(function: Callable[[Item], Found], items: Sequence[Item]) -> Iterator[Found]:
    """Yield `function(item)` of each item, in their order.

    The function may be a closure over much: forks have it already. Items and what is found are
    pickled. Where a fork is killed, e.g. for memory, this process computes what is missing.
    """
    done = 0
    # A daemon of multiprocessing may have no children.
    if min(cores(), len(items)) > 1 and not multiprocessing.current_process().daemon:
        context = multiprocessing.get_context("fork")
        pool = ProcessPoolExecutor(
            min(cores(), len(items)), mp_context=context, initializer=_adopt, initargs=(function,)
        )
        try:
            for found in pool.map(_compute, items):
                done += 1
                yield found
        except BrokenProcessPool:
            pass
        finally:
            pool.shutdown(cancel_futures=True)
    yield from map(function, items[done:])


def _adopt(function: Callable[[Any], Any]) -> None:
    global _adopted
    _adopted = function
    threadpool_limits(1)  # of BLAS: more than one a core would wait for one another
    gc.freeze()  # a search for garbage would copy all pages that this process shares with its parent
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, too, and ends this process


def _compute(item: Any) -> Any:
    assert _adopted is not None
    return _adopted(item)
