"""Starts workers and tells when they end: forked from a server where that is possible, spawned
elsewhere.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench.engine.openmp import short_spin
from bench.errors import BenchError

ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "20000000000",
    "MALLOC_TOP_PAD_": "500000000",
}
"""Makes glibc keep the large blocks that a training step frees, instead of asking the system for
zeroed pages at every step: C3DSU's training step took half the time (measured, 256x256, two cores).
Other systems ignore these names."""


def worker_environment() -> dict[str, str]:
    """Return the environment of a process that computes: this one's, and our settings where it has
    none of its own.
    """
    return {**ALLOCATOR, **short_spin(os.environ), **os.environ}


@dataclass(frozen=True)
class Event:
    """A worker process was started (`pid`), or has ended (`code`; negative: the signal that ended
    it).
    """

    task: int
    pid: int | None = None
    code: int | None = None


class Launcher(Protocol):
    """What the local executor needs of either way to start workers."""

    def start(self, task: Mapping[str, Any]) -> None:
        """Start a worker on a task."""

    def events(self, timeout: float) -> list[Event]:
        """Return what happened, waiting for at most `timeout` seconds."""

    def close(self) -> None:
        """End every worker."""


class ForkLauncher:
    """Workers forked from one server process."""

    def __init__(self, plugins: Sequence[Path], torch_wanted: bool, log: Path) -> None:
        arguments = json.dumps({"plugins": [str(file) for file in plugins], "torch": torch_wanted})
        with log.open("ab") as errors:
            self.server = subprocess.Popen(
                [sys.executable, "-m", "bench.worker.server", arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=worker_environment(),
                start_new_session=True,  # Ctrl-C at the terminal is for the runner alone, which then asks the workers
            )
        self.log = log
        self._events: queue.Queue[Event | None] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.server.stdout is not None
        with (
            self.server.stdout as lines
        ):  # a caller that lives on, like a notebook, keeps no open file
            for line in lines:
                value = json.loads(line)
                self._events.put(
                    Event(value["started"], pid=value["pid"])
                    if "started" in value
                    else Event(value["exited"], code=value["code"])
                )
        self._events.put(None)

    def start(self, task: Mapping[str, Any]) -> None:
        """Ask for a worker."""
        assert self.server.stdin is not None
        try:
            self.server.stdin.write(json.dumps(task).encode() + b"\n")
            self.server.stdin.flush()
        except OSError as error:
            raise self._gone() from error

    def events(self, timeout: float) -> list[Event]:
        """Return what happened, waiting for at most `timeout` seconds."""
        found: list[Event] = []
        with contextlib.suppress(queue.Empty):
            event = self._events.get(timeout=timeout)
            while True:
                if event is None:
                    self._events.put(None)
                    raise self._gone()
                found.append(event)
                event = self._events.get_nowait()
        return found

    def _gone(self) -> BenchError:
        return BenchError(
            f"the server of the workers ended (exit code {self.server.wait()}); see {self.log}. The same command goes on"
        )

    def close(self) -> None:
        """End the server, and with it every worker."""
        assert self.server.stdin is not None
        with contextlib.suppress(OSError):
            self.server.stdin.close()
        try:
            self.server.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()


class SpawnLauncher:
    """Workers started one by one, where processes cannot be forked. Each imports all anew."""

    def __init__(self, plugins: Sequence[Path], torch_wanted: bool, log: Path) -> None:
        self.plugins = [str(file) for file in plugins]
        self.torch_wanted = torch_wanted
        self.workers: dict[int, subprocess.Popen[bytes]] = {}
        self._started: list[Event] = []

    def start(self, task: Mapping[str, Any]) -> None:
        """Start a worker."""
        full = {**task, "plugins": self.plugins, "torch": self.torch_wanted}
        with Path(task["output"]).open("ab") as output:
            worker = subprocess.Popen(
                [sys.executable, "-m", "bench.worker.attempt"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=worker_environment(),
            )
        assert worker.stdin is not None
        worker.stdin.write(json.dumps(full).encode() + b"\n")
        worker.stdin.flush()
        self.workers[task["id"]] = worker
        self._started.append(Event(task["id"], pid=worker.pid))

    def events(self, timeout: float) -> list[Event]:
        """Return what happened, waiting for at most `timeout` seconds."""
        found, self._started = self._started, []
        if not found and self.workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                next(iter(self.workers.values())).wait(timeout=timeout)
        for task, worker in list(self.workers.items()):
            code = worker.poll()
            if code is not None:
                del self.workers[task]
                _close(worker)
                found.append(Event(task, code=code))
        return found

    def close(self) -> None:
        """End every worker."""
        for worker in self.workers.values():
            worker.kill()
            worker.wait()
            _close(worker)
        self.workers.clear()


def _close(worker: subprocess.Popen[bytes]) -> None:
    assert worker.stdin is not None
    with contextlib.suppress(OSError):
        worker.stdin.close()


def make_launcher(plugins: Sequence[Path], torch_wanted: bool, log: Path) -> Launcher:
    """Return the quickest launcher that works on this system."""
    return (ForkLauncher if hasattr(os, "fork") else SpawnLauncher)(plugins, torch_wanted, log)
