"""Workers at work: what they are told, and who is told of them."""

from __future__ import annotations

import enum
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.planning.cells import PlannedCell
from bench.planning.located import PlannedDataset
from bench.planning.plan import Plan
from bench.runs.records import CellRecord
from bench.worker.progress import Progress


def title_of(cell: PlannedCell) -> str:
    """Return how a cell is called at the terminal."""
    record = cell.record
    return f"{record.label} on {record.dataset}, seed {record.seed}" + (
        f", scene {record.scene}" if record.scene else ""
    )


class StopReason(enum.Enum):
    """Why a worker is asked to stop."""

    USER = enum.auto()
    STALLED = enum.auto()
    TIME_LIMIT = enum.auto()


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
    last_step: float = field(default_factory=time.monotonic)
    memory: int = 0
    """Largest resident size seen, bytes."""
    stopping: StopReason | None = None
    """Why it was asked to stop."""
    stop_by: float = 0.0
    killed: float = -math.inf
    """When it was last killed."""
    frozen_since: float | None = None
    """When its process was first seen stopped (SIGSTOP), and has been since."""

    @property
    def doing(self) -> str:
        """What it was last at, in brackets behind a space; empty where it has not said."""
        return f" ({self.progress.what})" if self.progress and self.progress.what else ""


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


def task_of(plan: Plan, job: Job, identity: str, handle: str) -> dict[str, Any]:
    """Return the task of a job, which JSON can hold (`bench.contracts.executor.Executor`).

    Parameters
    ----------
    identity : by which other machines know the run folder; for remote executors.
    handle : of the job that an earlier runner left for the cell; empty where there is none.
    """
    planned, cell = job.dataset, job.cell
    log = (
        plan.run.preparation_files(planned.name)[1]
        if cell is None
        else plan.run.files_of(cell.record).log
    )
    task: dict[str, Any] = {
        "id": job.number,
        "run": str(plan.run.path.resolve()),
        "roots": [str(root) for root in plan.roots],
        "threads": plan.compute.threads,
        "output": str(log),
        "progress": str(job.progress_file),
        "gpus": [asdict(gpu) for gpu in plan.gpus],
    }
    prepare = {
        "kind": "prepare",
        "dataset": planned.selected.text,
        "detector": planned.detector if planned.wants_tracks else "",
        "keep": list(plan.request.keep),
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
            "spec": cell.spec.as_json(),
            "fresh": cell.fresh,
        }
    if cell is not None and plan.executor.remote:
        task |= {
            "prepare": {**prepare, "fingerprint": planned.fingerprint},
            "identity": identity,
            "torch": cell.network or planned.wants_tracks,
            "plugins": {str(file): file.read_text() for file in plan.request.plugins},
            "resources": {
                "threads": plan.compute.threads,
                "memory": cell.memory.peak
                if cell.memory is not None and not cell.memory.unknown
                else None,
                "gpus": int(plan.compute.device.startswith("cuda")),
            },
            "handle": handle,
        }
    return task
