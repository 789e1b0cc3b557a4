"""Worker processes on this machine, forked from one server."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import psutil

from bench.contracts.executor import Event, Executor, Place
from bench.errors import BenchError
from bench.hardware.openmp import short_spin
from bench.runs.folder import Run

ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "20000000000",
    "MALLOC_TOP_PAD_": "500000000",
}
"""Makes glibc keep the large blocks that a training step frees, instead of asking the system for
zeroed pages at every step: C3DSU's training step took half the time (measured, 256x256, two cores).
Other systems ignore these names."""


class LocalExecutor(Executor):
    """Worker processes on this machine, `--workers` at a time. None outlives the runner."""

    name = "local"

    def open(self, place: Place) -> int:
        """Start the server that workers are forked from."""
        self.log = Run(place.run).server_log
        arguments = {"plugins": [str(file) for file in place.plugins], "torch": place.torch_wanted}
        with self.log.open("ab") as errors:
            self.server = self.start_server(json.dumps(arguments), errors)
        self.pids: dict[int, int] = {}
        self._lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        return place.slots

    def start_server(self, arguments: str, errors: BinaryIO) -> subprocess.Popen[bytes]:
        """Return the server's process, with pipes to its stdin and from its stdout."""
        return subprocess.Popen(
            [sys.executable, "-m", "bench.worker.server", arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**ALLOCATOR, **short_spin(os.environ), **os.environ},
            # Ctrl-C at the terminal is for the runner alone, which then asks the workers.
            start_new_session=True,
        )

    def _listen(self) -> None:
        assert self.server.stdout is not None
        # Closed at the end: a caller that lives on, like a notebook, keeps no open file.
        with self.server.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(b"")

    def start(self, task: Mapping[str, Any]) -> None:
        """Ask the server for a worker."""
        assert self.server.stdin is not None
        try:
            self.server.stdin.write(json.dumps(task).encode() + b"\n")
            self.server.stdin.flush()
        except OSError as error:
            raise self._gone() from error

    def events(self, timeout: float) -> Sequence[Event]:
        """Return which workers started or ended."""
        found: list[Event] = []
        with contextlib.suppress(queue.Empty):
            line = self._lines.get(timeout=timeout)
            while True:
                if not line:
                    self._lines.put(line)
                    raise self._gone()
                found.append(self._event(json.loads(line)))
                line = self._lines.get_nowait()
        return found

    def _event(self, said: Mapping[str, Any]) -> Event:
        if "started" in said:
            self.pids[said["started"]] = said["pid"]
            return Event(said["started"], started=f"process {said['pid']}")
        self.pids.pop(said["exited"], None)
        return Event(said["exited"], code=said["code"])

    def _gone(self) -> BenchError:
        return BenchError(
            f"the server of the workers ended (exit code {self.server.wait()}); see {self.log}. "
            "The same command goes on"
        )

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
        """End the server, and with it every worker."""
        assert self.server.stdin is not None
        with contextlib.suppress(OSError):
            self.server.stdin.close()
        try:
            self.server.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()
