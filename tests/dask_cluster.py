"""A Dask cluster of this machine, started as its documentation says, for tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster:
    """A scheduler and workers as `dask scheduler` and `dask worker` start them."""

    def __init__(self, place: Path, host: str = "127.0.0.1") -> None:
        self.place, self.host = place, host
        self.port = free_port()
        self.address = f"tcp://{host}:{self.port}"
        self.processes: list[subprocess.Popen] = []

    def start(self, words: list[str], **environment: str) -> subprocess.Popen:
        with (self.place / "dask.log").open("ab") as log:
            process = subprocess.Popen(
                words,
                cwd=self.place,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def scheduler(self, *before: str) -> subprocess.Popen:
        """Start the scheduler; `before` are words in front of its command."""
        command = [*before, sys.executable, "-m", "distributed.cli.dask_scheduler"]
        return self.start(
            [*command, "--host", self.host, "--port", str(self.port), "--no-dashboard"]
        )

    def worker(self, *before: str, **environment: str) -> subprocess.Popen:
        """Start a worker; `before` are words in front of its command."""
        command = [*before, sys.executable, "-m", "distributed.cli.dask_worker", self.address]
        return self.start(
            [*command, "--nthreads", "1", "--no-dashboard", "--memory-limit", "0"], **environment
        )

    def end(self, *processes: subprocess.Popen) -> None:
        for process in processes or self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
