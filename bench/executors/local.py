"""Worker processes on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import psutil

from bench.contracts.executor import Event, Executor, Place
from bench.executors.launcher import Launcher, make_launcher
from bench.runs.folder import Run


class LocalExecutor(Executor):
    """Worker processes on this machine, `--workers` at a time. None outlives the runner."""

    name = "local"

    def open(self, place: Place) -> int:
        """Start what starts workers."""
        self.launcher: Launcher = make_launcher(
            place.plugins, place.torch_wanted, Run(place.run).server_log
        )
        self.pids: dict[int, int] = {}
        return place.slots

    def start(self, task: Mapping[str, Any]) -> None:
        """Start a worker."""
        self.launcher.start(task)

    def events(self, timeout: float) -> Sequence[Event]:
        """Return which workers started or ended."""
        found = []
        for event in self.launcher.events(timeout):
            if event.pid is not None:
                self.pids[event.task] = event.pid
                found.append(Event(event.task, started=f"process {event.pid}"))
            else:
                self.pids.pop(event.task, None)
                found.append(Event(event.task, code=event.code or 0))
        return found

    def stop(self, task: int, kill: bool) -> None:
        """Signal the worker."""
        if task not in self.pids:
            return
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pids[task])
            if kill:
                process.kill()
            else:
                # A frozen process hears nothing but SIGCONT.
                if process.status() == psutil.STATUS_STOPPED:
                    process.resume()
                process.terminate()

    def memory(self, task: int) -> int:
        """Return the resident size of the worker."""
        with contextlib.suppress(psutil.Error, KeyError):
            return int(psutil.Process(self.pids[task]).memory_info().rss)
        return 0

    def frozen(self, task: int) -> bool:
        """Whether the worker was stopped with SIGSTOP."""
        with contextlib.suppress(psutil.Error, KeyError):
            return bool(psutil.Process(self.pids[task]).status() == psutil.STATUS_STOPPED)
        return False

    def close(self) -> None:
        """End every worker."""
        self.launcher.close()
