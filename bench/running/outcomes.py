"""What is told of a worker that ended without writing down its outcome."""

from __future__ import annotations

import signal

import psutil

from bench.contracts.executor import ENDED, Exit
from bench.running.jobs import Job
from bench.runs.folder import Run
from bench.runs.status import Status


def preparation_problem(
    run: Run, job: Job, code: int, reason: str, limit: str, by_user: bool
) -> str:
    """Return why a dataset could not be prepared; empty where it was.

    Parameters
    ----------
    code, reason : of the event that told the end.
    limit : which limit ended the worker (`Watch.limit_reached`).
    by_user : whether the user did.
    """
    path = run.path / "datasets" / f"{job.dataset.name}.log"
    if code == Exit.WRITTEN:
        path.unlink(missing_ok=True)
        return ""
    title = f"preparing {job.dataset.selected.label}"
    if limit:
        return f"{title}: {limit}"
    if code == Exit.STOPPED:
        why = "stopped by the user" if by_user else ENDED
        return f"{title}: {why} before it was done; the same command goes on with it"
    lines = path.read_text(errors="replace").strip().splitlines() if path.exists() else []
    if code == Exit.BAD_DATA and lines:
        return lines[-1]
    return f"{title}: {reason or _death(job, code)}. Log: datasets/{path.name}"


def cell_outcome(job: Job, code: int, reason: str, limit: str, by_user: bool) -> tuple[Status, str]:
    """Return status and reason of a cell whose worker wrote none (parameters as above)."""
    assert job.cell is not None
    if by_user:
        return (
            Status.INTERRUPTED,
            "stopped by the user; the same command goes on from the last checkpoint",
        )
    if limit:
        text = limit
    elif code == Exit.STOPPED:
        text = f"{reason or ENDED}{job.doing}; the same command goes on from the last checkpoint"
    else:
        text = f"{reason or _death(job, code)}{job.doing}"
    return Status.FAILED, f"{text}. Log: {job.cell.record.folder}/log.txt"


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
