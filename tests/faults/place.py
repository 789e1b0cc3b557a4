"""One place where faults are injected: a run folder, its cache, the command that fills it, the
numbers it has undisturbed; and what is counted."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import psutil

from bench.runs.folder import Run
from bench.runs.records import CellRecord
from bench.runs.scores import read_scores

SEED = os.environ.get("BENCH_FAULTS_SEED", "0")
SHARE = float(os.environ.get("BENCH_FAULTS_SHARE", "1"))
WANTED = {
    "worker killed": 100, "worker terminated": 60, "frozen": 60, "runner killed": 60, "runner terminated": 40, "server killed": 30, "disk": 60,
    "clock": 30, "byte": 100, "network killed": 200, "Dask worker killed": 20, "Dask worker terminated": 15, "Dask scheduler killed": 10, "worker cut off": 10, "scheduler cut off": 10,
    **{f"{system} job preempted, phase {phase}": 10 for system in ("SLURM", "Dask") for phase in ("prepare", "fit", "score")},
}  # fmt: skip
"""How many faults of each kind are injected."""
DONE: Counter[str] = Counter()
METHODS = "brightness[pause=0.004|0.006]"
LIMIT = 300.0
"""Seconds after which a command counts as hung. Chosen here: one takes about three on an idle
machine."""


class Place:
    """A folder for data, cache and one run."""

    def __init__(self, folder: Path, rng: Random) -> None:
        self.folder, self.rng = folder, rng
        self.executor = ""
        """Goes behind --executor; empty: the local one."""
        self.stall_limit = "3s"
        self.run = folder / "run"
        self.cache = folder / "cache"
        self.far = folder / "far"
        """The cache of workers that share no disk with the run."""
        self.faults = folder / "fault.json"
        self.output = folder / "output.txt"
        (folder / "data").mkdir(parents=True, exist_ok=True)

    def begin_anew(self) -> None:
        """Forget what was run."""
        for folder in (self.run, self.cache, self.far):
            shutil.rmtree(folder, ignore_errors=True)
        self.output.unlink(missing_ok=True)

    def start(self) -> psutil.Process:
        """Start the command. It is forked from this process, which has imported all it needs, and
        says the same as typed."""
        arguments = [
            "run", "--methods", METHODS, "--datasets", "toy", "--plugin", str(Path(__file__).with_name("faulty.py")), "--device", "cpu",
            "--threads", "1", "--workers", "2", "--seeds", "0,1,2,3", "--data", str(self.folder / "data"), "--out", str(self.run),
            "--stall-limit", self.stall_limit, *(["--executor", self.executor] if self.executor else []),
        ]  # fmt: skip
        pid = os.fork()
        if pid:
            return psutil.Process(pid)
        code = 99
        try:
            os.setsid()
            output = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            for number in (1, 2):
                os.dup2(output, number)
            os.environ |= {
                "BENCH_CACHE": str(self.cache), "BENCH_FAULTS": str(self.faults), "BENCH_FAULT_PLACES": f"{self.run}{os.pathsep}{self.cache}"
            }  # fmt: skip
            sys.stdout = sys.stderr = open(self.output, "a")  # noqa: PTH123, SIM115
            os.chdir(self.folder)
            from bench.cli.main import bench

            bench.main(arguments)
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)

    def wait(self, command: psutil.Process) -> int:
        """Wait for the command and all that it started; return its exit code, negative for a
        signal."""
        family = descendants(command)
        end = time.monotonic() + LIMIT
        while True:
            pid, status = os.waitpid(command.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > end:
                for one in [*descendants(command), command]:
                    with contextlib.suppress(psutil.Error):
                        one.kill()
                os.waitpid(command.pid, 0)
                raise AssertionError(f"the command hung for {LIMIT:g} s:\n{self.said()}")
            family = descendants(command) or family
            time.sleep(0.02)
        _, alive = psutil.wait_procs(family, timeout=20)
        for one in alive:
            one.kill()
        assert not alive, f"outlived the command: {alive}"
        return os.waitstatus_to_exitcode(status)

    def go(self) -> int:
        """Run the command undisturbed."""
        return self.wait(self.start())

    def said(self) -> str:
        """Return the end of what the commands said."""
        return self.output.read_text(errors="replace")[-1500:] if self.output.exists() else ""

    def cells(self) -> list[CellRecord]:
        """Return the cells as they are."""
        return Run.open(self.run).cells()

    def numbers(self) -> dict[str, bytes]:
        """Return results.csv, and the scores of every cell: a table shows few of the digits."""
        found = {"tables/results.csv": (self.run / "tables" / "results.csv").read_bytes()}
        for path in sorted(
            self.run.glob("cells/**/scores.npz")
        ):  # as they are read: a date in the archive is no score
            scores = read_scores(path)
            found[str(path.relative_to(self.run))] = b"".join(
                clip.encode() + one.values.tobytes() + one.frames.tobytes()
                for clip, one in scores.items()
            )
        return found

    def inject(self, **fault: object) -> None:
        """Let the next command fail as the fault says."""
        self.faults.write_text(json.dumps(fault))
        Path(f"{self.faults}.hit").unlink(missing_ok=True)

    def lift(self) -> bool:
        """Take the fault away; return whether it was met."""
        self.faults.unlink(missing_ok=True)
        return Path(f"{self.faults}.hit").exists()

    def check(self, expected: dict[str, bytes], after: str) -> None:
        """The same command, undisturbed, ends with the undisturbed numbers."""
        code = self.go()
        said = self.said()
        assert code == 0, f"after {after}: exit code {code}\n{said}"
        assert [cell.status for cell in self.cells()] == ["done"] * 8, (
            f"after {after}: {[(cell.status, cell.reason) for cell in self.cells()]}"
        )
        found = self.numbers()
        other = [name for name in {**expected, **found} if expected.get(name) != found.get(name)]
        assert not other, f"after {after}: other numbers in {other}\n{said}"
        assert "Traceback" not in said, f"after {after}:\n{said}"


def wanted(kind: str) -> bool:
    """Whether more faults of a kind are to be injected."""
    return DONE[kind] < max(1, round(WANTED[kind] * SHARE))


def descendants(process: psutil.Process) -> list[psutil.Process]:
    """Return the processes below one, the nearest first."""
    with contextlib.suppress(psutil.Error):
        return process.children(recursive=True)
    return []


def workers(command: psutil.Process) -> list[psutil.Process]:
    """Return the processes that do the work: those below the command without any below themselves,
    but for a server that idles."""
    found = []
    for one in descendants(command):
        with contextlib.suppress(psutil.Error):
            if (
                not one.children()
                and one.ppid() != command.pid
                and one.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(one)
    return found


def send(process: psutil.Process, number: int) -> bool:
    """Send a signal; return whether it arrived at a living process."""
    with contextlib.suppress(psutil.Error):
        if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            os.kill(process.pid, number)
            return True
    return False


def below(pid: int) -> list[psutil.Process]:
    """Return the processes that a process has started itself, but for shells' waiting."""
    with contextlib.suppress(psutil.Error):
        return [one for one in psutil.Process(pid).children() if one.name() != "sleep"]
    return []


def running(command: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return command.is_running() and command.status() != psutil.STATUS_ZOMBIE
    return False


KEEP_UP = ("sh", "-c", 'while :; do "$@"; sleep 0.5; done', "sh")
"""Starts a command again where it ended, as a system's service manager does: Dask's worker ends by
itself when it has lost its scheduler."""


@contextlib.contextmanager
def kept_up(place, host="127.0.0.1", scheduler=(), worker=()):
    """A scheduler and a worker; `scheduler` and `worker` are words in front of their commands.
    Yields the processes that keep them up."""
    from dask_cluster import Cluster

    cluster = Cluster(place.folder, host)
    place.executor = f"dask[address={cluster.address},shared=false]"
    try:
        yield (
            cluster.scheduler(*KEEP_UP, *scheduler),
            cluster.worker(*KEEP_UP, *worker, BENCH_CACHE=str(place.far)),
        )
    finally:
        cluster.end()


SERVER = "bench.worker.server"


def says(process: psutil.Process, word: str) -> bool:
    """Whether a word is in the command line of a process; a worker has that of the server it was
    forked from."""
    with contextlib.suppress(psutil.Error):
        return word in " ".join(process.cmdline())
    return False


def workers_in(
    processes: list[psutil.Process], runs: list[Path], phase: str
) -> list[psutil.Process]:
    """Return the workers among processes that are in a phase, 'prepare', 'fit' or 'score': those
    that hold no cell prepare one."""
    found: dict[int, str] = {}
    for claim in [claim for run in runs for claim in run.glob("cells/*/*/*/.claim.*")]:
        with contextlib.suppress(OSError, ValueError, LookupError):
            pid = json.loads(claim.read_text())[0]["pid"]
            found[pid] = ""  # between two phases
            found[pid] = json.loads(claim.with_name("progress.json").read_text())["phase"]
    return [
        one
        for one in processes
        if says(one, SERVER)
        and (parent := one.parent())
        and says(parent, SERVER)
        and found.get(one.pid, "prepare") == phase
    ]


CONT, STOP = signal.SIGCONT, signal.SIGSTOP
