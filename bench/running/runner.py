"""The runner: prepares datasets, runs the cells of a plan in worker processes, and watches them."""

from __future__ import annotations

import contextlib
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from ..errors import BenchError, RunError
from ..runs.folder import KEPT, CellRecord, Run
from .duration import duration
from .launcher import Launcher, make_launcher
from .plan import Plan, PlannedCell, PlannedDataset
from .reporter import Progress, read_progress
from .stopping import asked_to_stop
from .worker import STOPPED

POLL = 0.1
"""Seconds between two looks at the workers."""
GRACE = 10.0
"""Seconds a worker has to write its outcome after it was asked to stop."""
SILENCE = 60.0
"""Seconds after which a worker that was killed, and whose end nobody reports, means that the server of the workers is frozen."""


@dataclass
class Job:
    """A worker at work: on a dataset (`cell` None) or on a cell."""

    number: int
    title: str
    dataset: PlannedDataset
    cell: PlannedCell | None
    progress_file: Path
    began: float = field(default_factory=time.monotonic)
    pid: int | None = None
    progress: Progress | None = None
    steps: int = -1
    moved: float = field(default_factory=time.monotonic)
    memory: int = 0
    """Largest resident size seen, bytes."""
    stopping: str = ""
    """Why it was asked to stop: 'interrupted', 'stalled' or 'time limit'."""
    stop_by: float = 0.0
    frozen_since: float | None = None
    """When its process was first seen stopped (SIGSTOP), and has been since."""


class Observer:
    """What is told of a run while it goes on; the display at the terminal is one."""

    def started(self, job: Job) -> None:
        """A worker was asked for."""

    def ended(self, job: Job, record: CellRecord | None, problem: str) -> None:
        """A worker ended; `record` is the cell's outcome, `problem` why a preparation failed."""

    def tick(self, jobs: list[Job], waiting: int) -> None:
        """Some time has passed; progress is fresh."""

    def say(self, text: str) -> None:
        """Something the user should know now."""


class Runner:
    """Runs one plan."""

    def __init__(self, plan: Plan, observer: Observer) -> None:
        self.plan = plan
        self.run: Run = plan.run
        self.observer = observer
        self.jobs: dict[int, Job] = {}
        self.failed = False
        self._number = 0

    def execute(self) -> bool:
        """Run every cell that has to be run. Returns whether the user stopped it.

        A failed cell, or one whose dataset cannot be prepared, costs itself alone. Afterwards every cell of the run
        has its outcome on disk.
        """
        for cell in self.plan.cells:
            if cell.reuse:
                self.run.write_cell(cell.record)  # words about it may be new, nothing that was measured
            else:
                self._lay_out(cell)
        to_prepare = [planned for planned in self.plan.datasets if planned.wants_record]
        to_run = self.plan.to_run
        if not to_prepare:
            return False
        with asked_to_stop() as stops:
            torch_wanted = any(cell.network for cell in to_run) or any(planned.wants_tracks for planned in to_prepare)
            launcher = make_launcher(self.plan.request.plugins, torch_wanted, self.run.path / "server.log")
            try:
                self._loop(launcher, to_prepare, to_run, stops)
            finally:
                launcher.close()
            return stops() > 0

    # -- the loop ---------------------------------------------------------------------------------------------------

    def _loop(self, launcher: Launcher, to_prepare: list[PlannedDataset], to_run: list[PlannedCell], stops: Callable[[], int]) -> None:
        prepared: set[str] = set()
        unprepared: dict[str, str] = {}
        waiting_datasets = list(to_prepare)
        waiting_cells = list(to_run)
        asked = 0
        while True:
            stopping = stops() > 0 or (self.failed and self.plan.request.fail_fast)
            while not stopping and len(self.jobs) < self.plan.workers:
                cell = next((cell for cell in waiting_cells if cell.dataset.name in prepared | unprepared.keys()), None)
                if cell is not None:
                    waiting_cells.remove(cell)
                    if cell.dataset.name in unprepared:
                        self._fail(cell, unprepared[cell.dataset.name])
                    else:
                        self._start(launcher, cell.dataset, cell)
                elif waiting_datasets:
                    self._start(launcher, waiting_datasets.pop(0), None)
                else:
                    break
            if not self.jobs and (stopping or (not waiting_cells and not waiting_datasets)):
                break
            for event in launcher.events(POLL):
                job = self.jobs[event.task]
                if event.pid is not None:
                    job.pid = event.pid
                else:
                    del self.jobs[event.task]
                    problem = self._finish(job, event.code or 0)
                    if job.cell is None:
                        if problem:
                            unprepared[job.dataset.name] = problem
                        else:
                            prepared.add(job.dataset.name)
            if stops() > asked:
                asked = stops()
                self._stop_all(asked)
            self._watch()
            self.observer.tick(list(self.jobs.values()), len(waiting_cells))
        reason = "stopped by the user before it began" if stops() else "not begun: --fail-fast after a failed cell"
        for cell in waiting_cells:
            if cell.record.status != "queued" or stops() or self.failed:
                cell.record.status, cell.record.reason = "interrupted", reason
                self.run.write_cell(cell.record)

    def _lay_out(self, cell: PlannedCell) -> None:
        """Write the cell as it stands before it runs, so that a look at the folder is true at any time."""
        folder = self.run.path / cell.record.folder
        if cell.fresh:
            for name in ("cell.json", "scores.npz", "training.csv", "log.txt", "scratch", *KEPT.values()):
                path = folder / name
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
        self.run.write_cell(cell.record)

    def _start(self, launcher: Launcher, planned: PlannedDataset, cell: PlannedCell | None) -> None:
        self._number += 1
        folder = self.run.path / (cell.record.folder if cell else "datasets")
        folder.mkdir(parents=True, exist_ok=True)
        progress = folder / ("progress.json" if cell else f"{planned.name}.progress.json")
        progress.unlink(missing_ok=True)
        title = f"{cell.record.label} on {cell.record.dataset}, seed {cell.record.seed}" if cell else f"preparing {planned.selected.label}"
        if cell and cell.record.scene:
            title += f", scene {cell.record.scene}"
        job = Job(self._number, title, planned, cell, progress)
        task: dict[str, Any] = {
            "id": job.number,
            "run": str(self.run.path.resolve()),
            "roots": [str(root) for root in self.plan.roots],
            "dataset": planned.selected.text,
            "detector": planned.detector if planned.wants_tracks else "",
            "threads": self.plan.threads,
            "output": str(folder / ("log.txt" if cell else f"{planned.name}.log")),
            "progress": str(progress),
        }
        if cell is None:
            task |= {
                "kind": "prepare",
                "keep": list(self.plan.request.keep),
                "name": planned.name,
                "label": planned.selected.label,
                "test_formats": [[frames.size, frames.channels] for frames in sorted(planned.test_formats, key=str)],
                "train_formats": [[frames.size, frames.channels] for frames in sorted(planned.train_formats, key=str)],
            }
        else:
            task |= {"kind": "cell", "cell": dict(vars(cell.record)), "keep": list(self.plan.request.keep)}
        self.jobs[job.number] = job
        launcher.start(task)
        self.observer.started(job)

    def _fail(self, cell: PlannedCell, reason: str) -> None:
        cell.record.status, cell.record.reason = "failed", reason
        self.failed = True
        self.run.write_cell(cell.record)
        self.observer.ended(Job(0, f"{cell.record.label} on {cell.record.dataset}", cell.dataset, cell, Path()), cell.record, "")

    # -- watching ---------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        now = time.monotonic()
        request = self.plan.request
        for job in self.jobs.values():
            progress = read_progress(job.progress_file)
            if progress is not None and progress.steps != job.steps:
                job.progress, job.steps, job.moved = progress, progress.steps, now
            if job.pid is None:
                continue
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(job.pid)
                job.memory = max(job.memory, process.memory_info().rss)
                job.frozen_since = (job.frozen_since or now) if process.status() == psutil.STATUS_STOPPED else None
            if job.stopping:
                if now > job.stop_by + SILENCE:
                    raise BenchError(
                        f"the server of the workers does not answer: {job.title} was ended {duration(SILENCE)} ago, and nobody reports it; "
                        "the same command goes on"
                    )
                if now > job.stop_by:
                    self._signal(job, kill=True)
            elif (job.cell is not None and job.steps >= 0 and now - job.moved > request.stall_limit and self._is_stepped(job)) or (
                job.frozen_since is not None and now - job.frozen_since > request.stall_limit
            ):
                self._stop(job, "stalled")
            elif job.cell is not None and request.time_limit is not None and now - job.began > request.time_limit:
                self._stop(job, "time limit")

    def _is_stepped(self, job: Job) -> bool:
        """Whether the worker has shown that it makes steps: a plain `fit` in one piece is held by the time limit alone."""
        assert job.cell is not None
        return job.cell.network or (job.progress is not None and job.progress.phase == "score")

    def _stop(self, job: Job, why: str) -> None:
        job.stopping, job.stop_by = why, time.monotonic() + GRACE
        self._signal(job, kill=False)

    def _stop_all(self, asked: int) -> None:
        self.observer.say(
            "stopping: each worker writes down where it is (Ctrl-C once more ends them at once)"
            if asked == 1
            else "ending the workers at once"
        )
        for job in self.jobs.values():
            if asked == 1:
                self._stop(job, "interrupted")
            else:
                self._signal(job, kill=True)

    @staticmethod
    def _signal(job: Job, kill: bool) -> None:
        if job.pid is None:
            return
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(job.pid)
            if kill:
                process.kill()
            else:
                # A frozen process hears nothing but SIGCONT.
                if process.status() == psutil.STATUS_STOPPED:
                    process.resume()
                process.terminate()

    # -- outcomes ---------------------------------------------------------------------------------------------------

    def _finish(self, job: Job, code: int) -> str:
        """Take down the outcome of a worker that ended. Returns why a preparation failed, or an empty text."""
        job.progress_file.unlink(missing_ok=True)
        if job.cell is None:
            problem = self._preparation_problem(job, code)
            self.observer.ended(job, None, problem)
            return problem
        record = self.run.cell(job.cell.record)
        if (
            record.status in ("running", "queued")
            or code != 0
            or (record.status == "interrupted" and job.stopping not in ("", "interrupted"))
        ):
            record.status, record.reason = self._unwritten_outcome(job, code)
        record.cost["peak_memory"] = max(record.cost.get("peak_memory", 0.0), float(job.memory))
        self.run.write_cell(record)
        job.cell.record = record
        self.failed = self.failed or record.status == "failed"
        self.observer.ended(job, record, "")
        return ""

    def _preparation_problem(self, job: Job, code: int) -> str:
        path = self.run.path / "datasets" / f"{job.dataset.name}.log"
        if code == 0:
            path.unlink(missing_ok=True)
            return ""
        if job.stopping == "stalled":
            limit = duration(self.plan.request.stall_limit)
            return f"preparing {job.dataset.selected.label}: stalled: its process stood still for {limit}; the same command goes on with it"
        if code == STOPPED:
            return f"preparing {job.dataset.selected.label}: stopped before it was done; the same command goes on with it"
        lines = path.read_text(errors="replace").strip().splitlines() if path.exists() else []
        if code == 4 and lines:
            return lines[-1]
        return f"preparing {job.dataset.selected.label}: {self._death(job, code)}. Log: datasets/{path.name}"

    def _unwritten_outcome(self, job: Job, code: int) -> tuple[Any, str]:
        assert job.cell is not None
        request = self.plan.request
        log = f"Log: {job.cell.record.folder}/log.txt"
        where = f" ({job.progress.what})" if job.progress and job.progress.what else ""
        if job.stopping == "interrupted":
            return "interrupted", "stopped by the user; the same command goes on from the last checkpoint"
        if job.stopping == "stalled":
            return "failed", f"stalled: no step for {duration(request.stall_limit)}{where}; try again, or a higher --stall-limit. {log}"
        if job.stopping == "time limit":
            took = duration(time.monotonic() - job.began)
            return "failed", f"time limit: stopped after {took}{where}; the same command goes on from the last checkpoint. {log}"
        return "failed", f"{self._death(job, code)}{where}. {log}"

    @staticmethod
    def _death(job: Job, code: int) -> str:
        if code >= 0:
            return f"the worker ended with exit code {code} and wrote no outcome"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        memory = psutil.virtual_memory().total
        text = f"killed by {name} at {job.memory / 2**30:.1f} of {memory / 2**30:.1f} GB"
        if -code == signal.SIGKILL and job.memory > 0.5 * memory:
            text += ": the system was out of memory; try --workers 1, a smaller batch or a smaller size"
        return text


def hold(run: Run) -> Any:
    """Return the lock of a run folder, so that two runners never fill one run.

    Raises
    ------
    RunError : another runner is at work there, or the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    try:
        run.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(run.path / ".lock")
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunError(f"{run.path}: another `bench run` is filling this run; wait for it, or start another run with --new") from error
    except OSError as error:
        raise RunError(f"cannot write to {run.path}: {error.strerror or error}; choose another folder with --out") from error
    return lock
