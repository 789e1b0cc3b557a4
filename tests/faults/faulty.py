"""The toys of the runner's tests, as a plugin that makes its process fail as the file BENCH_FAULTS
says. No torch.

A fault is {"process": "runner" or "server", "kind": "disk", "errno": n, "at": k, "once": bool}: the
k-th write of the process, or of a worker forked from it, fails, and all behind it unless once; or
{..., "kind": "clock", "at": k, "jump": seconds}: the clock jumps at its k-th reading.
"""

import importlib.util
import json
import os
import sys
import time
from pathlib import Path

from bench import hookimpl

_spec = importlib.util.spec_from_file_location(
    "bench_fault_toys", Path(__file__).parents[1] / "toys.py"
)
_toys = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_toys)


@hookimpl
def bench_datasets():
    return [_toys.Toy]


@hookimpl
def bench_methods():
    return [_toys.Brightness]


def _break_disk(fault):
    """Let writes fail: files opened for writing, made, renamed, or flushed to the disk."""
    places = tuple(os.environ["BENCH_FAULT_PLACES"].split(os.pathsep))
    count = 0

    def hit(path):
        nonlocal count
        if not os.fsdecode(path).startswith(places) or os.fsdecode(path).endswith(".lock"):
            return
        count += 1
        if count == fault["at"] or (count > fault["at"] and not fault["once"]):
            Path(os.environ["BENCH_FAULTS"] + ".hit").touch()
            raise OSError(fault["errno"], os.strerror(fault["errno"]))

    def hook(event, arguments):
        if (
            event == "open"
            and isinstance(arguments[0], str | bytes)
            and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)
        ):
            hit(arguments[0])
        elif event == "os.rename":
            hit(arguments[1])

    fsync = os.fsync

    def failing_fsync(handle):
        hit(Path(f"/proc/self/fd/{handle}").readlink())
        fsync(handle)

    os.fsync = failing_fsync
    sys.addaudithook(hook)


def _break_clock(fault):
    """Let the wall clock jump; the monotonic one never does."""
    read, count = time.time, 0

    def jumping():
        nonlocal count
        count += 1
        if count == fault["at"]:
            Path(os.environ["BENCH_FAULTS"] + ".hit").touch()
        return read() + (fault["jump"] if count >= fault["at"] else 0.0)

    time.time = jumping


_file = os.environ.get("BENCH_FAULTS", "")
if _file and Path(_file).exists():
    _fault = json.loads(Path(_file).read_text())
    if _fault["process"] == (
        "server" if "bench.worker.server" in " ".join(sys.orig_argv) else "runner"
    ):
        (_break_disk if _fault["kind"] == "disk" else _break_clock)(_fault)
