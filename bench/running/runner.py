"""The runner: prepares datasets, runs the cells of a plan in worker processes, and watches them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.contracts.executor import Event, Executor, Exit, Place
from bench.errors import RunError
from bench.files.whole_files import read_json, write_bytes, write_json
from bench.planning.cells import PlannedCell
from bench.planning.located import PlannedDataset
from bench.planning.plan import Plan
from bench.running.cell_queue import TAKEN_AT_MOST, CellQueue
from bench.running.jobs import Job, Listener, StopReason, task_of, title_of
from bench.running.shared_cells import SharedCells
from bench.running.stopping import asked_to_stop
from bench.running.watch import Watch
from bench.runs.folder import Run
from bench.runs.status import Status

POLL = 0.1
"""Seconds between two looks at the workers."""


def _identity(run: Run) -> str:
    """Return the text by which other machines know this run folder; made once."""
    path = run.identity_file
    if not path.exists():
        write_bytes(path, uuid.uuid4().hex.encode())
    return path.read_text()


class Runner:
    """Runs one plan."""

    def __init__(self, plan: Plan, listener: Listener) -> None:
        self.plan = plan
        self.run: Run = plan.run
        self.executor: Executor = plan.executor
        self.listener = listener
        self.cells = SharedCells(plan.run, plan.request.keep, listener.say)
        self.watch = Watch(plan.executor, plan.request, plan.run)
        self.queue = CellQueue(())
        self.jobs: dict[int, Job] = {}
        self.failed = False
        self.detached = False
        self.identity = ""
        self.stops: Callable[[], int] = lambda: 0
        """How often the user has asked to stop."""
        self._number = 0

    def execute(self) -> bool:
        """Run every cell that has to be run. Returns whether the user stopped it.

        A failed cell, or one whose dataset cannot be prepared, costs itself alone. Afterwards every
        cell of the run has its outcome on disk.
        """
        self._drop_jobs()
        for cell in self.plan.cells:
            if cell.mine:  # of one that is used again words may be new, nothing that was measured
                self.cells.write(cell, to_gather=bool(self._handle(cell)))
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
            if self.executor.remote:
                self.identity = _identity(self.run)
            self.queue = CellQueue(to_run, () if self.executor.remote else to_prepare)
            slots = self.executor.open(place)
            try:
                self._loop(slots)
            finally:
                self.executor.detach() if self.detached else self.executor.close()
            return stops() > 0

    # -- the loop ----------------------------------------------------------------------------------

    def _loop(self, slots: int | None) -> None:
        asked = 0
        while True:
            stopping = self.stops() > 0 or (self.failed and self.plan.request.fail_fast)
            if not stopping:
                self._fill(slots)
                if (
                    self.plan.request.detach
                    and not self.queue.cells
                    and all(job.submitted for job in self.jobs.values())
                ):
                    self.detached = True
                    return
            if not self.jobs and (stopping or self.queue.is_empty):
                break
            for cell in self.queue.due():
                self._look_again(cell)
            for event in self.executor.events(POLL):
                self._take(event)
            if self.stops() > asked:
                asked = self.stops()
                self._stop_all(asked)
            for job in self.jobs.values():
                self.watch.look(job)
            self.listener.tick(list(self.jobs.values()), len(self.queue.cells))
        reason = (
            "stopped by the user before it began"
            if self.stops()
            else "not begun: --fail-fast after a failed cell"
        )
        for cell in self.queue.cells:
            cell.record.status, cell.record.reason = Status.INTERRUPTED, reason
            self.cells.write(cell, to_gather=bool(self._handle(cell)))

    def _fill(self, slots: int | None) -> None:
        """Start what waits, as long as there are free slots."""
        while slots is None or len(self.jobs) < slots:
            if (cell := self.queue.next_cell()) is not None:
                self._begin(cell)
            elif (planned := self.queue.next_dataset()) is not None:
                self._start(planned, None)
            else:
                return

    def _begin(self, cell: PlannedCell) -> None:
        if problem := self.queue.problem_of(cell):
            self._fail(cell, problem)
        elif handle := self._handle(cell):
            self._start(cell.dataset, cell, handle)
        elif self.cells.holder(cell) is not None:
            self.queue.put_aside(cell)
        elif not self._settled(cell):
            self._start(cell.dataset, cell)

    def _look_again(self, cell: PlannedCell) -> None:
        """Look at a cell that another worker had."""
        if not self.cells.clear(cell):
            self.queue.put_aside(cell)
        elif self.queue.taken(cell) < TAKEN_AT_MOST:
            self.queue.put_back(cell)
        else:
            claim = self.run.files_of(cell.record).claim
            self._fail(
                cell,
                f"{self.queue.taken(cell)} attempts in a row found the cell taken by another "
                "process, or lost it to one, and no such process is seen from here. Where no other "
                f"command fills this run, remove {claim.relative_to(self.run.path)}.*; where one "
                "does, "
                "look at the clocks and the mount of the shared disk; then the same command goes "
                "on",
            )

    def _take(self, event: Event) -> None:
        """Take in what happened to a job."""
        job = self.jobs[event.task]
        job.memory = max(job.memory, event.memory)
        if event.reason and event.code is None:
            self.listener.say(f"{job.title}: {event.reason}")
        if event.handle and job.cell is not None:
            job.submitted = True
            self._keep_handle(job.cell, event.handle)
        if event.started:
            job.where, job.began = event.started, time.monotonic()
        if event.code is None:
            return
        del self.jobs[event.task]
        if job.cell is not None:
            self._handle_file(job.cell).unlink(missing_ok=True)
        if job.cell is not None and event.code == Exit.TAKEN:
            self.queue.attempt_was_taken(job.cell)
        else:
            self._finish(job, event.code, event.reason)

    def _stop_all(self, asked: int) -> None:
        self.listener.say(
            "stopping: each worker records that it was interrupted (Ctrl-C once more ends them at once)"
            if asked == 1
            else "ending the workers at once"
        )
        for job in self.jobs.values():
            if asked == 1:
                self.watch.stop(job, StopReason.USER)
            else:
                self.executor.stop(job.number, kill=True)

    # -- jobs that an earlier runner left ----------------------------------------------------------

    def _handle_file(self, cell: PlannedCell) -> Path:
        return self.run.files_of(cell.record).job

    def _keep_handle(self, cell: PlannedCell, handle: str) -> None:
        write_json(
            self._handle_file(cell),
            {"executor": self.plan.request.executor, "handle": handle, "key": cell.record.key},
            durable=False,
        )

    def _left(self, cell: PlannedCell) -> dict[str, Any]:
        """Return what an earlier runner kept of a cell's job; empty where this executor has none."""
        if not self.executor.detachable or not self._handle_file(cell).exists():
            return {}
        try:
            left = read_json(self._handle_file(cell), "job")
        except RunError:
            return {}
        return left if left.get("executor") == self.plan.request.executor else {}

    def _handle(self, cell: PlannedCell) -> str:
        """Return by what the executor finds the job that an earlier runner left for a cell; empty
        where there is none.
        """
        left = self._left(cell)
        return str(left["handle"]) if left.get("key") == cell.record.key else ""

    def _drop_jobs(self) -> None:
        """Let go of jobs whose outcome is not wanted, and end those that are alive: of cells that
        are used again, of another request's cell in the same place, and of cells that have ended
        and are to be computed anew.
        """
        handles = []
        for cell in self.plan.cells:
            if cell.reuse:
                self._handle_file(cell).unlink(missing_ok=True)
            elif cell.mine and (left := self._left(cell)):
                another = left.get("key") != cell.record.key
                if another or (cell.fresh and self.cells.ended(cell)):
                    handles.append(str(left.get("handle")))
                    self._handle_file(cell).unlink(missing_ok=True)
        if handles:
            self.executor.cancel(handles)

    # -- beginning and ending ----------------------------------------------------------------------

    def _settled(self, cell: PlannedCell) -> bool:
        """Take over the outcome of another runner, if it has one."""
        now = self.cells.changed(cell)
        if now is None or now.status not in (Status.DONE, Status.FAILED):
            return False
        cell.record = now
        self.failed = self.failed or now.status == Status.FAILED
        self.listener.ended(Job(0, title_of(cell), cell.dataset, cell, Path()), now, "")
        return True

    def _start(self, planned: PlannedDataset, cell: PlannedCell | None, handle: str = "") -> None:
        self._number += 1
        if cell is None:
            progress, _ = self.run.preparation_files(planned.name)
        else:
            progress = self.run.files_of(cell.record).progress
        progress.parent.mkdir(parents=True, exist_ok=True)
        progress.unlink(missing_ok=True)
        title = title_of(cell) if cell else f"preparing {planned.selected.label}"
        job = Job(self._number, title, planned, cell, progress)
        self.jobs[job.number] = job
        self.executor.start(task_of(self.plan, job, self.identity, handle))
        self.listener.started(job)

    def _fail(self, cell: PlannedCell, reason: str) -> None:
        if self._settled(cell):  # another runner has computed it meanwhile
            return
        cell.record.status, cell.record.reason = Status.FAILED, reason
        self.failed = True
        self.cells.write(cell)
        self.listener.ended(Job(0, title_of(cell), cell.dataset, cell, Path()), cell.record, "")

    def _finish(self, job: Job, code: int, reason: str) -> None:
        """Take down the outcome of a worker that ended."""
        job.progress_file.unlink(missing_ok=True)
        # A signal to the whole group of processes reaches workers before the runner has told them.
        by_user = job.stopping is StopReason.USER or (job.stopping is None and self.stops() > 0)
        if job.cell is None:
            problem = self.watch.preparation_problem(job, code, reason, by_user)
            self.listener.ended(job, None, problem)
            self.queue.dataset_done(job.dataset, problem)
            return
        record = self.run.cell(job.cell.record)
        # Done is done: a worker may be killed between its last line and its end.
        if record.status in (Status.RUNNING, Status.QUEUED) or (
            code != Exit.WRITTEN and record.status != Status.DONE
        ):
            record.status, record.reason = self.watch.cell_outcome(job, code, reason, by_user)
        record.cost["peak_memory"] = max(record.cost.get("peak_memory", 0.0), float(job.memory))
        self.run.write_cell(record)
        job.cell.record = record
        self.failed = self.failed or record.status == Status.FAILED
        self.listener.ended(job, record, "")
