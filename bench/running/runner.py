"""The runner: prepares datasets, runs the cells of a plan in worker processes, and watches them."""

from __future__ import annotations

import contextlib
import signal
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from bench.contracts.executor import ENDED, Executor, Exit, Place
from bench.errors import BenchError, RunError
from bench.files.claims import DEAD, Claim, Holder
from bench.files.whole_files import read_json, write_bytes, write_json
from bench.planning.plan import Plan, PlannedCell, PlannedDataset
from bench.running.duration import duration
from bench.running.stopping import asked_to_stop
from bench.runs.folder import Run
from bench.runs.records import CellRecord
from bench.worker.progress import Progress, read_progress

POLL = 0.1
"""Seconds between two looks at the workers."""
LOOK = 1.0
"""Seconds between two looks at cells that another runner works on."""
TAKEN_AT_MOST = 8
"""Attempts at a cell that end because it is another worker's, after which the cell fails. Chosen
here: `LOOK` doubles after each, so that they take four minutes, longer than a claim of a dead
process on another host lasts, or what an NFS client remembers of a folder."""
GRACE = 10.0
"""Seconds a worker has to write its outcome after it was asked to stop."""
SILENCE = 60.0
"""Seconds after which a worker that was killed, and whose end nobody reports, means that the server
of the workers is frozen."""


@dataclass
class Job:
    """A worker at work: on a dataset (`cell` None) or on a cell."""

    number: int
    title: str
    dataset: PlannedDataset
    cell: PlannedCell | None
    progress_file: Path
    began: float = field(default_factory=time.monotonic)
    where: str = ""
    """Where it runs, as the executor says; empty while it waits there."""
    progress: Progress | None = None
    submitted: bool = False
    """Whether it goes on without this process."""
    steps: int = -1
    moved: float = field(default_factory=time.monotonic)
    memory: int = 0
    """Largest resident size seen, bytes."""
    stopping: str = ""
    """Why it was asked to stop: 'interrupted', 'stalled' or 'time limit'."""
    stop_by: float = 0.0
    frozen_since: float | None = None
    """When its process was first seen stopped (SIGSTOP), and has been since."""


class Listener:
    """What is told of a run while it goes on; the display at the terminal is one."""

    def started(self, job: Job) -> None:
        """A worker was asked for."""

    def ended(self, job: Job, record: CellRecord | None, problem: str) -> None:
        """A worker ended; `record` is the cell's outcome, `problem` why a preparation failed."""

    def tick(self, jobs: list[Job], waiting: int) -> None:
        """Some time has passed; progress is fresh."""

    def say(self, text: str) -> None:
        """Something the user should know now."""


def _identity(run: Run) -> str:
    """Return the text by which other machines know this run folder; made once."""
    path = run.identity_file
    if not path.exists():
        write_bytes(path, uuid.uuid4().hex.encode())
    return path.read_text()


def _title(cell: PlannedCell) -> str:
    record = cell.record
    return f"{record.label} on {record.dataset}, seed {record.seed}" + (
        f", scene {record.scene}" if record.scene else ""
    )


class Runner:
    """Runs one plan."""

    def __init__(self, plan: Plan, listener: Listener) -> None:
        self.plan = plan
        self.run: Run = plan.run
        self.executor: Executor = plan.executor
        self.listener = listener
        self.jobs: dict[int, Job] = {}
        self.failed = False
        self.detached = False
        self.claims: dict[str, Claim] = {}
        self.said: set[str] = set()
        self.taken: Counter[str] = Counter()
        """Attempts that ended because the cell was another worker's, by the cell's folder."""
        self.stops: Callable[[], int] = lambda: 0
        """How often the user has asked to stop."""
        self._number = 0

    def execute(self) -> bool:
        """Run every cell that has to be run. Returns whether the user stopped it.

        A failed cell, or one whose dataset cannot be prepared, costs itself alone. Afterwards every
        cell of the run has its outcome on disk.
        """
        for cell in self.plan.cells:
            if cell.reuse:
                self._handle_file(cell).unlink(missing_ok=True)
            if cell.mine:  # of one that is used again words may be new, nothing that was measured
                self._write(cell)
        to_prepare = [
            planned
            for planned in self.plan.datasets
            if planned.wants_record
            and any(cell.mine and cell.dataset is planned for cell in self.plan.cells)
        ]
        to_run = self.plan.to_run
        if not to_prepare:
            return False
        word = self.run.stop_file
        word.unlink(missing_ok=True)
        with asked_to_stop(word) as stops:
            self.stops = stops
            torch_wanted = any(cell.network for cell in to_run) or any(
                planned.wants_tracks for planned in to_prepare
            )
            place = Place(
                self.run.path.resolve(), self.plan.request.plugins, torch_wanted, self.plan.workers
            )
            if self.executor.away:
                self.identity = _identity(self.run)
            slots = self.executor.open(place)
            try:
                self._loop(slots, to_prepare, to_run, stops)
            finally:
                self.executor.leave() if self.detached else self.executor.close()
            return stops() > 0

    # -- the loop ----------------------------------------------------------------------------------

    def _loop(
        self,
        slots: int | None,
        to_prepare: list[PlannedDataset],
        to_run: list[PlannedCell],
        stops: Callable[[], int],
    ) -> None:
        prepared: set[str] = set()
        unprepared: dict[str, str] = {}
        waiting_datasets = list(to_prepare)
        if self.executor.away:
            prepared |= {planned.name for planned in waiting_datasets}
            waiting_datasets = []
        waiting_cells = list(to_run)
        elsewhere: dict[PlannedCell, float] = {}  # when to look at each again
        asked = 0
        while True:
            stopping = stops() > 0 or (self.failed and self.plan.request.fail_fast)
            while not stopping and (slots is None or len(self.jobs) < slots):
                cell = next(
                    (
                        cell
                        for cell in waiting_cells
                        if cell.dataset.name in prepared | unprepared.keys()
                    ),
                    None,
                )
                if cell is not None:
                    waiting_cells.remove(cell)
                    if cell.dataset.name in unprepared:
                        self._fail(cell, unprepared[cell.dataset.name])
                    elif self._handle(cell) == "" and self._holder(cell) is not None:
                        elsewhere[cell] = time.monotonic() + LOOK
                    elif self._handle(cell) or not self._settled(cell):
                        self._start(cell.dataset, cell)
                elif waiting_datasets:
                    self._start(waiting_datasets.pop(0), None)
                else:
                    break
            if (
                self.plan.request.detach
                and not stopping
                and not waiting_cells
                and all(job.submitted for job in self.jobs.values())
            ):
                self.detached = True
                return
            if not self.jobs and (stopping or not (waiting_cells or waiting_datasets or elsewhere)):
                break
            for cell in [cell for cell, when in elsewhere.items() if time.monotonic() >= when]:
                if not self._clear(cell):
                    elsewhere[cell] = time.monotonic() + LOOK
                    continue
                del elsewhere[cell]
                if self.taken[cell.record.folder] < TAKEN_AT_MOST:
                    waiting_cells.append(cell)
                elif not self._settled(cell):
                    self._fail(cell, self._always_taken(cell))
            for event in self.executor.events(POLL):
                job = self.jobs[event.task]
                job.memory = max(job.memory, event.memory)
                if event.reason and event.code is None:
                    self.listener.say(f"{job.title}: {event.reason}")
                if event.handle and job.cell is not None:
                    job.submitted = True
                    self._keep_handle(job.cell, event.handle)
                if event.started:
                    job.where, job.began = event.started, time.monotonic()
                if event.code is not None:
                    del self.jobs[event.task]
                    if job.cell is not None:
                        self._handle_file(job.cell).unlink(missing_ok=True)
                    if job.cell is not None and event.code == Exit.TAKEN:
                        self.taken[job.cell.record.folder] += 1
                        elsewhere[job.cell] = time.monotonic() + LOOK * 2 ** (
                            self.taken[job.cell.record.folder] - 1
                        )
                        continue
                    problem = self._finish(job, event.code, event.reason)
                    if job.cell is None:
                        if problem:
                            unprepared[job.dataset.name] = problem
                        else:
                            prepared.add(job.dataset.name)
            if stops() > asked:
                asked = stops()
                self._stop_all(asked)
            self._watch()
            self.listener.tick(list(self.jobs.values()), len(waiting_cells))
        reason = (
            "stopped by the user before it began"
            if stops()
            else "not begun: --fail-fast after a failed cell"
        )
        for cell in waiting_cells:
            if cell.record.status != "queued" or stops() or self.failed:
                cell.record.status, cell.record.reason = "interrupted", reason
                self._write(cell)

    # -- jobs that an earlier runner left ----------------------------------------------------------

    def _handle_file(self, cell: PlannedCell) -> Path:
        return self.run.files_of(cell.record).job

    def _keep_handle(self, cell: PlannedCell, handle: str) -> None:
        write_json(
            self._handle_file(cell),
            {"executor": self.plan.request.executor, "handle": handle, "key": cell.record.key},
            durable=False,
        )

    def _handle(self, cell: PlannedCell) -> str:
        """Return by what the executor finds the job that an earlier runner left for a cell; empty
        where there is none.
        """
        if not self.executor.lasts or not self._handle_file(cell).exists():
            return ""
        try:
            left = read_json(self._handle_file(cell), "job")
        except RunError:
            return ""
        if left.get("executor") != self.plan.request.executor:
            return ""
        if left.get("key") != cell.record.key:  # another request's cell in this place
            self.executor.cancel([str(left.get("handle"))])
            return ""
        return str(left["handle"])

    # -- other runners of the same run -------------------------------------------------------------

    def _claim(self, cell: PlannedCell) -> Claim:
        return self.claims.setdefault(
            cell.record.folder, Claim(self.run.files_of(cell.record).claim)
        )

    def _holder(self, cell: PlannedCell) -> Holder | None:
        """Return who works on a cell: another runner's worker, or one that is about to end with its
        runner.
        """
        holder = self._claim(cell).holder()
        if holder is not None and not holder.here and cell.record.folder not in self.said:
            self.said.add(cell.record.folder)
            unknown = (
                ""
                if holder.pid
                else f"; its claim cannot be read, and counts for nothing after {DEAD:g} s without a sign of life"
            )
            self.listener.say(f"{_title(cell)}: {holder} is at work on it{unknown}")
        return holder

    def _clear(self, cell: PlannedCell) -> bool:
        """Remove the claims of who was seen to die. A worker sees them for the first time, and
        would wait for them anew.
        """
        with (
            self._claim(cell) as claim,
            contextlib.suppress(OSError),
        ):  # the disk may be full: there is time to look again
            return claim.take() is None
        return False

    def _write(self, cell: PlannedCell) -> None:
        """Write a cell as it stands, so that a look at the folder is true at any time; not where
        another runner has it, or had it since.
        """
        with self._claim(cell) as claim:
            try:
                if claim.take() is None and not self._changed(cell):
                    self.run.write_cell(cell.record)
            except OSError as error:
                raise RunError(
                    f"cannot write to {self.run.path}: {error.strerror or error}; choose another folder with --out"
                ) from error

    def _always_taken(self, cell: PlannedCell) -> str:
        return (
            f"{self.taken[cell.record.folder]} attempts in a row found the cell taken by another process, or lost it to one, and no such "
            f"process is seen from here. Where no other command fills this run, remove {cell.record.folder}/{self.run.files_of(cell.record).claim.name}.*; where one does, "
            "look at the clocks and the mount of the shared disk; then the same command goes on"
        )

    def _changed(self, cell: PlannedCell) -> CellRecord | None:
        """Return a cell as it is on disk, where somebody has worked on it since it was planned:
        another runner, or a worker whose runner died.
        """
        now = self.run.cell(replace(cell.record))
        same = (
            now.key == cell.record.key or cell.record.status == "no data"
        )  # whose key lacks what is not there
        if same and now.attempts > cell.record.attempts:
            return now
        # One that had been done when it was planned would be reused.
        ended = now.key == cell.record.key and now.status == "done" and not cell.fresh
        return now if ended and not self.run.lacking(now, self.plan.request.keep) else None

    def _settled(self, cell: PlannedCell) -> bool:
        """Take over the outcome of another runner, if it has one."""
        now = self._changed(cell)
        if now is None or now.status not in ("done", "failed"):
            return False
        cell.record = now
        self.failed = self.failed or now.status == "failed"
        self.listener.ended(Job(0, _title(cell), cell.dataset, cell, Path()), now, "")
        return True

    # -- starting ----------------------------------------------------------------------------------

    def _start(self, planned: PlannedDataset, cell: PlannedCell | None) -> None:
        self._number += 1
        if cell is None:
            progress, output = self.run.preparation_files(planned.name)
        else:
            files = self.run.files_of(cell.record)
            progress, output = files.progress, files.log
        output.parent.mkdir(parents=True, exist_ok=True)
        progress.unlink(missing_ok=True)
        title = _title(cell) if cell else f"preparing {planned.selected.label}"
        job = Job(self._number, title, planned, cell, progress)
        task: dict[str, Any] = {
            "id": job.number,
            "run": str(self.run.path.resolve()),
            "roots": [str(root) for root in self.plan.roots],
            "dataset": planned.selected.text,
            "detector": planned.detector if planned.wants_tracks else "",
            "threads": self.plan.threads,
            "output": str(output),
            "progress": str(progress),
        }
        prepare = {
            "kind": "prepare",
            "keep": list(self.plan.request.keep),
            "name": planned.name,
            "label": planned.selected.label,
            "test_formats": [
                [frames.size, frames.channels] for frames in sorted(planned.test_formats, key=str)
            ],
            "train_formats": [
                [frames.size, frames.channels] for frames in sorted(planned.train_formats, key=str)
            ],
        }
        if cell is None:
            task |= prepare
        else:
            task |= {
                "kind": "cell",
                "cell": dict(vars(cell.record)),
                "fresh": cell.fresh,
                "keep": list(self.plan.request.keep),
            }
        if cell is not None and self.executor.away:
            task |= {
                "prepare": prepare,
                "fingerprint": planned.fingerprint,
                "identity": self.identity,
                "torch": cell.network or planned.wants_tracks,
                "plugins": {str(file): file.read_text() for file in self.plan.request.plugins},
                "resources": {
                    "threads": self.plan.threads,
                    "memory": cell.memory.peak
                    if cell.memory is not None and not cell.memory.unknown
                    else None,
                    "gpus": int(self.plan.device.startswith("cuda")),
                },
                "handle": self._handle(cell),
            }
        self.jobs[job.number] = job
        self.executor.start(task)
        self.listener.started(job)

    def _fail(self, cell: PlannedCell, reason: str) -> None:
        cell.record.status, cell.record.reason = "failed", reason
        self.failed = True
        self.run.write_cell(cell.record)
        self.listener.ended(
            Job(0, f"{cell.record.label} on {cell.record.dataset}", cell.dataset, cell, Path()),
            cell.record,
            "",
        )

    # -- watching ----------------------------------------------------------------------------------

    def _watch(self) -> None:
        now = time.monotonic()
        request = self.plan.request
        for job in self.jobs.values():
            progress = read_progress(job.progress_file)
            if progress is not None and progress != job.progress:  # another phase is a step, too
                job.progress, job.steps, job.moved = progress, progress.steps, now
            if not job.where:
                continue
            job.memory = max(job.memory, self.executor.memory(job.number))
            job.frozen_since = (
                (job.frozen_since or now) if self.executor.frozen(job.number) else None
            )
            if job.stopping:
                if now > job.stop_by + SILENCE:
                    raise BenchError(
                        f"the server of the workers does not answer: {job.title} was ended {duration(SILENCE)} ago, and nobody reports it; "
                        "the same command goes on"
                    )
                if now > job.stop_by:
                    self.executor.stop(job.number, kill=True)
            elif (
                job.cell is not None
                and job.steps >= 0
                and now - job.moved > request.stall_limit
                and self._is_stepped(job)
            ) or (job.frozen_since is not None and now - job.frozen_since > request.stall_limit):
                self._stop(job, "stalled")
            elif (
                job.cell is not None
                and request.time_limit is not None
                and now - job.began > request.time_limit
            ):
                self._stop(job, "time limit")

    def _is_stepped(self, job: Job) -> bool:
        """Whether the worker has shown that it makes steps: a plain `fit` in one piece is held by
        the time limit alone.
        """
        assert job.cell is not None
        return job.cell.network or (job.progress is not None and job.progress.phase == "score")

    def _stop(self, job: Job, why: str) -> None:
        job.stopping, job.stop_by = why, time.monotonic() + GRACE
        self.executor.stop(job.number, kill=False)

    def _stop_all(self, asked: int) -> None:
        self.listener.say(
            "stopping: each worker writes down where it is (Ctrl-C once more ends them at once)"
            if asked == 1
            else "ending the workers at once"
        )
        for job in self.jobs.values():
            if asked == 1:
                self._stop(job, "interrupted")
            else:
                self.executor.stop(job.number, kill=True)

    # -- outcomes ----------------------------------------------------------------------------------

    def _finish(self, job: Job, code: int, reason: str) -> str:
        """Take down the outcome of a worker that ended. Returns why a preparation failed, or an
        empty text.
        """
        job.progress_file.unlink(missing_ok=True)
        if job.cell is None:
            problem = self._preparation_problem(job, code, reason)
            self.listener.ended(job, None, problem)
            return problem
        record = self.run.cell(job.cell.record)
        if record.status in ("running", "queued") or code != Exit.WRITTEN:
            record.status, record.reason = self._unwritten_outcome(job, code, reason)
        record.cost["peak_memory"] = max(record.cost.get("peak_memory", 0.0), float(job.memory))
        self.run.write_cell(record)
        job.cell.record = record
        self.failed = self.failed or record.status == "failed"
        self.listener.ended(job, record, "")
        return ""

    def _preparation_problem(self, job: Job, code: int, reason: str) -> str:
        _, path = self.run.preparation_files(job.dataset.name)
        if code == Exit.WRITTEN:
            path.unlink(missing_ok=True)
            return ""
        if job.stopping == "stalled":
            limit = duration(self.plan.request.stall_limit)
            return f"preparing {job.dataset.selected.label}: stalled: its process stood still for {limit}; the same command goes on with it"
        if code == Exit.STOPPED:
            why = "stopped by the user" if self._asked(job) else ENDED
            return f"preparing {job.dataset.selected.label}: {why} before it was done; the same command goes on with it"
        lines = path.read_text(errors="replace").strip().splitlines() if path.exists() else []
        if code == Exit.BAD_DATA and lines:
            return lines[-1]
        return f"preparing {job.dataset.selected.label}: {reason or self._death(job, code)}. Log: datasets/{path.name}"

    def _unwritten_outcome(self, job: Job, code: int, reason: str) -> tuple[Any, str]:
        assert job.cell is not None
        request = self.plan.request
        log = f"Log: {job.cell.record.folder}/log.txt"
        where = f" ({job.progress.what})" if job.progress and job.progress.what else ""
        if self._asked(job):
            return (
                "interrupted",
                "stopped by the user; the same command goes on from the last checkpoint",
            )
        if job.stopping == "stalled":
            return (
                "failed",
                f"stalled: no step for {duration(request.stall_limit)}{where}; try again, or a higher --stall-limit. {log}",
            )
        if job.stopping == "time limit":
            took = duration(time.monotonic() - job.began)
            return (
                "failed",
                f"time limit: stopped after {took}{where}; the same command goes on from the last checkpoint. {log}",
            )
        if code == Exit.STOPPED:
            return (
                "failed",
                f"{reason or ENDED}{where}; the same command goes on from the last checkpoint. {log}",
            )
        return "failed", f"{reason or self._death(job, code)}{where}. {log}"

    def _asked(self, job: Job) -> bool:
        """Whether the user ended a job: a signal to the whole group of processes reaches workers
        before the runner has told them.
        """
        return job.stopping == "interrupted" or (job.stopping == "" and self.stops() > 0)

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
            text += (
                ": the system was out of memory; try --workers 1, a smaller batch or a smaller size"
            )
        return text
