"""One worker process: it does its task, stops when asked to, and ends with who started it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Mapping
from typing import Any

from bench.contracts.executor import Exit
from bench.hardware.gpus import own_gpu
from bench.worker.attempt import attempt
from bench.worker.interrupts import Interrupted, ignore_stops, listen_for_stops
from bench.worker.preparation import prepare


def run_task(task: Mapping[str, Any], alive: int | None = None) -> int:
    """Do one task and return its exit code (`bench.contracts.executor.Exit`).

    `alive` is the reading end of a pipe that only the process that started this one can write to:
    when it closes, that process is gone and this one ends at once.
    """
    if alive is not None:
        threading.Thread(target=_end_with, args=(alive,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        listen_for_stops()
        _limit_threads(int(task["threads"]))
        with own_gpu(task.get("gpus", ())) as gpu:
            return prepare(task) if task["kind"] == "prepare" else attempt(task, gpu)
    except Interrupted:
        return Exit.STOPPED
    finally:
        ignore_stops()


def _end_with(alive: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(alive, 1):
            pass
    os._exit(Exit.ORPHANED)


def _limit_threads(threads: int) -> None:
    import cv2
    from threadpoolctl import threadpool_limits

    cv2.setNumThreads(threads)
    threadpool_limits(threads)
