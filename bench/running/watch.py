"""Watches workers, and ends those that stand still or take too long.

Everything about a stalled cell is here: when a worker counts as stalled, and what the user is told.
"""

from __future__ import annotations

import time

from bench.contracts.executor import Executor
from bench.errors import BenchError
from bench.planning.request import Request
from bench.running.duration import duration
from bench.running.jobs import Job, StopReason
from bench.worker.progress import read_progress

GRACE = 10.0
"""Seconds a worker has to write its outcome after it was asked to stop."""
SILENCE = 60.0
"""Seconds after which a worker that was killed, and whose end nobody reports, means that the server
of the workers is frozen."""


class Watch:
    """Watches the workers that an executor runs, under the limits of a request."""

    def __init__(self, executor: Executor, request: Request) -> None:
        self.executor, self.request = executor, request

    def look(self, job: Job) -> None:
        """Take down progress and memory of a worker, and stop it where a limit is reached.

        Raises
        ------
        BenchError : a worker was ended, and nobody reports it.
        """
        now = time.monotonic()
        progress = read_progress(job.progress_file)
        if progress is not None and progress != job.progress:  # another phase is a step, too
            job.progress, job.moved = progress, now
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
            if now > job.stop_by:
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
        return makes_steps and now - job.moved > limit

    def _is_late(self, job: Job, now: float) -> bool:
        limit = self.request.time_limit
        return job.cell is not None and limit is not None and now - job.began > limit

    def stop(self, job: Job, why: StopReason) -> None:
        """Ask a worker to write down where it is and to end."""
        job.stopping, job.stop_by = why, time.monotonic() + GRACE
        self.executor.stop(job.number, kill=False)

    def limit_reached(self, job: Job) -> str:
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
