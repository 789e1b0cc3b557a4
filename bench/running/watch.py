"""Watches workers, ends those that stand still or take too long, and tells why one has ended.

Everything about a stalled cell is here: when a worker counts as stalled, and what the user is told.
"""

from __future__ import annotations

import signal
import time

import psutil

from bench.contracts.executor import ENDED, Executor, Exit
from bench.errors import BenchError
from bench.planning.request import Request
from bench.running.duration import duration
from bench.running.jobs import Job, StopReason
from bench.runs.folder import Run
from bench.runs.status import Status
from bench.worker.progress import read_progress

GRACE = 10.0
"""Seconds a worker has to write its outcome after it was asked to stop, and to be gone after it was
killed, before it is killed once more."""
SILENCE = 60.0
"""Seconds after which a worker that was killed, and whose end nobody reports, means that the server
of the workers is frozen."""


class Watch:
    """Watches the workers that an executor runs for a run, under the limits of a request."""

    def __init__(self, executor: Executor, request: Request, run: Run) -> None:
        self.executor, self.request, self.run = executor, request, run

    def look(self, job: Job) -> None:
        """Take down progress and memory of a worker, and stop it where a limit is reached.

        Raises
        ------
        BenchError : a worker was ended, and nobody reports it.
        """
        now = time.monotonic()
        progress = read_progress(job.progress_file)
        if progress is not None and progress != job.progress:  # another phase is a step, too
            job.progress, job.last_step = progress, now
        if not job.where:
            return
        job.memory = max(job.memory, self.executor.memory(job.number))
        frozen = self.executor.frozen(job.number)
        job.frozen_since = (job.frozen_since or now) if frozen else None
        if job.stopping:
            if now > job.stop_by + SILENCE:
                raise BenchError(
                    f"the server of the workers does not answer: {job.title} was ended "
                    f"{duration(SILENCE)} ago, and nobody reports it; the same command goes on"
                )
            if now > max(job.stop_by, job.killed + GRACE):
                job.killed = now
                self.executor.stop(job.number, kill=True)
        elif self._is_stalled(job, now):
            self.stop(job, StopReason.STALLED)
        elif self._is_late(job, now):
            self.stop(job, StopReason.TIME_LIMIT)

    def _is_stalled(self, job: Job, now: float) -> bool:
        """Whether a worker makes no step, or its process stands still.

        A plain `fit` in one piece makes no steps, and is held by the time limit alone.
        """
        limit = self.request.stall_limit
        if job.frozen_since is not None and now - job.frozen_since > limit:
            return True
        if job.cell is None or job.progress is None:
            return False
        makes_steps = job.cell.network or job.progress.phase == "score"
        return makes_steps and now - job.last_step > limit

    def _is_late(self, job: Job, now: float) -> bool:
        limit = self.request.time_limit
        return job.cell is not None and limit is not None and now - job.began > limit

    def stop(self, job: Job, why: StopReason) -> None:
        """Ask a worker to write down where it is and to end."""
        job.stopping, job.stop_by = why, time.monotonic() + GRACE
        self.executor.stop(job.number, kill=False)

    def preparation_problem(self, job: Job, code: int, reason: str, by_user: bool) -> str:
        """Return why a dataset could not be prepared; empty where it was.

        Parameters
        ----------
        code, reason : of the event that told the end.
        by_user : whether the user stopped the worker.
        """
        _, log = self.run.preparation_files(job.dataset.name)
        if code == Exit.WRITTEN:
            log.unlink(missing_ok=True)
            return ""
        title = f"preparing {job.dataset.selected.label}"
        if limit := self._limit_reached(job):
            return f"{title}: {limit}"
        if code == Exit.STOPPED:
            why = "stopped by the user" if by_user else ENDED
            return f"{title}: {why} before it was done; the same command goes on with it"
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        if code == Exit.BAD_DATA and lines:
            return lines[-1]
        return f"{title}: {reason or _death(job, code)}. Log: {log.relative_to(self.run.path)}"

    def cell_outcome(self, job: Job, code: int, reason: str, by_user: bool) -> tuple[Status, str]:
        """Return status and reason of a cell whose worker wrote none; parameters as above."""
        assert job.cell is not None
        log = self.run.files_of(job.cell.record).log
        go_on = "the same command goes on from the last checkpoint"
        if by_user:
            return Status.INTERRUPTED, f"stopped by the user; {go_on}"
        text = self._limit_reached(job) or f"{reason or _death(job, code)}{job.doing}"
        if code == Exit.STOPPED and not job.stopping:
            text = f"{reason or ENDED}{job.doing}; {go_on}"
        return Status.FAILED, f"{text}. Log: {log.relative_to(self.run.path)}"

    def _limit_reached(self, job: Job) -> str:
        """Return which limit ended a worker, for the user; empty where none did."""
        if job.stopping is StopReason.STALLED:
            limit = duration(self.request.stall_limit)
            if job.cell is None:
                return (
                    f"stalled: its process stood still for {limit}; "
                    "the same command goes on with it"
                )
            return f"stalled: no step for {limit}{job.doing}; try again, or a higher --stall-limit"
        if job.stopping is StopReason.TIME_LIMIT:
            took = duration(time.monotonic() - job.began)
            return (
                f"time limit: stopped after {took}{job.doing}; "
                "the same command goes on from the last checkpoint"
            )
        return ""


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
