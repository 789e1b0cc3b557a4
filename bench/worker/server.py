"""The server that worker processes are forked from: it has imported torch already, so that a worker
starts at once.

It reads tasks, one JSON object a line, from stdin, and writes events to stdout: {"started": id,
"pid": n} and {"exited": id, "code": n} (negative: the signal). When stdin closes, its runner is
gone: it ends, and its workers with it. It starts no thread: a process with threads cannot be forked
safely.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from pathlib import Path
from typing import Any

from bench.contracts.executor import Exit
from bench.plugins.registry import load
from bench.worker.interrupts import STOPS
from bench.worker.process import run_task

POLL = 0.05
"""Seconds between two looks at the workers."""


def serve(plugins: list[str], torch_wanted: bool) -> None:
    """Fork a worker for each task on stdin until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for (
        number
    ) in STOPS:  # of a batch system, to all processes of a job: the worker has to write its outcome
        signal.signal(number, signal.SIG_IGN)
    load([Path(file) for file in plugins])
    if torch_wanted:
        import torch

        torch.use_deterministic_algorithms(
            True
        )  # its first call imports torch's compiler: a second that each cell would pay
    # Only this process holds the writing end: a worker sees it close when this process ends,
    # however it ends.
    reading, writing = os.pipe()
    workers: dict[int, Any] = {}
    pending = b""
    while True:
        ready, _, _ = select.select([0], [], [], POLL)
        if ready:
            data = os.read(0, 65536)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                task = json.loads(line)
                workers[_fork(task, reading, writing)] = task["id"]
        for pid in list(workers):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                _say({"exited": workers.pop(pid), "code": os.waitstatus_to_exitcode(status)})


def _fork(task: dict[str, Any], reading: int, writing: int) -> int:
    pid = os.fork()
    if pid:
        _say({"started": task["id"], "pid": pid})
        return pid
    code: int = Exit.BROKEN
    try:
        os.close(writing)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        output = os.open(task["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(output, 1)
        os.dup2(output, 2)
        code = run_task(task, reading)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _say(event: dict[str, Any]) -> None:
    os.write(1, (json.dumps(event) + "\n").encode())


def main() -> None:
    """Serve with the arguments of the command line."""
    arguments = json.loads(sys.argv[1])
    serve(arguments["plugins"], arguments["torch"])


if __name__ == "__main__":
    main()
