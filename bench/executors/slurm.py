"""Cells as jobs of SLURM, submitted through `submitit`. The run folder, and the environment of
Python, lie on a disk that all nodes see.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import math
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.contracts.executor import ENDED, Event, Executor, Exit, Place
from bench.contracts.parameters import parameter
from bench.errors import RequestError, RunError
from bench.executors.remote_job import run_job
from bench.executors.slurm_jobs import ASK, AT_ONCE, SlurmJobs
from bench.files.whole_files import read_json, write_json, write_text

LOOK = 1.0
"""Seconds between two looks at what jobs have written."""
MEMORY = 8.0
"""GB of a cell whose memory was not estimated. Chosen here: twice what a cell of profile small
peaks at."""
MARGIN = 1.5
"""Of the memory that is asked for over what was estimated. Chosen here: frames that were touched
count for SLURM, not in the estimate."""

PLANNED = "no source: the plan's where 0"


@dataclass(frozen=True)
class Parameters:
    """What a job asks for."""

    partition: str = parameter("", source="no source: the user's", doc="empty: SLURM's default")
    time: str = parameter(
        "04:00:00",
        unit="[days-]hours:minutes:seconds",
        source="no source: chosen here",
        doc="longest time of a cell",
    )
    gpus: int = parameter(0, unit="GPUs of a cell", source=PLANNED, minimum=0)
    threads: int = parameter(0, unit="CPU threads of a cell", source=PLANNED, minimum=0)
    memory: float = parameter(
        0.0,
        unit="GB",
        source="no source: the plan's estimate where 0, and half as much again",
        minimum=0,
        doc="memory of a cell",
    )
    parallel: int = parameter(
        256, unit="jobs", source="submitit's array_parallelism", doc="cells at a time", minimum=1
    )
    account: str = parameter("", source="no source: the user's")
    qos: str = parameter("", source="no source: the user's")
    constraint: str = parameter("", source="no source: the user's")
    cluster: str = parameter(
        "slurm",
        source="submitit",
        choices=("slurm", "local"),
        doc="local: submitit's own processes on this machine, to try things",
    )


class SlurmExecutor(Executor):
    """Jobs of SLURM, an array for cells that ask for the same:
    `slurm[partition=gpu,gpus=1,time=04:00:00]`.
    """

    name = "slurm"
    Parameters = Parameters
    remote = True

    def check(self) -> None:
        """Refuse a machine without submitit, or from which no job can be submitted."""
        if importlib.util.find_spec("submitit") is None:
            raise RequestError(
                "--executor slurm needs the package submitit, which is not installed here; pip "
                "install 'vad-bench[slurm]'"
            )
        if self.parameters.cluster == "slurm" and shutil.which("sbatch") is None:
            raise RequestError(
                "--executor slurm: there is no sbatch here; run this where jobs are submitted from "
                "(a login node)"
            )
        self._minutes()

    @property
    def detachable(self) -> bool:
        """Jobs need nobody who waits."""
        return True

    @property
    def threads(self) -> int | None:
        """Those asked for."""
        return self.parameters.threads or None

    @property
    def gpus(self) -> int | None:
        """Those asked for."""
        return self.parameters.gpus or None

    def _minutes(self) -> int:
        days, dash, rest = self.parameters.time.rpartition("-")
        try:
            hours, minutes, seconds = (int(part) for part in rest.split(":"))
            if (dash and not days.isdecimal()) or min(hours, minutes, seconds) < 0:
                raise ValueError
        except ValueError as error:
            raise RequestError(
                f"--executor slurm: time={self.parameters.time}: expected hours:minutes:seconds, "
                "like 04:00:00"
            ) from error
        return max(1, math.ceil((int(days or 0) * 24 + hours) * 60 + minutes + seconds / 60))

    def open(self, place: Place) -> None:
        """Get ready to submit."""
        import submitit

        self.folder = place.run / ".slurm"
        (self.folder / "jobs").mkdir(parents=True, exist_ok=True)
        self.submitit = submitit.AutoExecutor(
            folder=self.folder / "logs", cluster=self.parameters.cluster
        )
        self.pending: list[Mapping[str, Any]] = []
        self.jobs: dict[int, _Job] = {}
        self.news: list[Event] = []
        self.looked = self.asked = 0.0
        self.processes: list[Any] = []
        """Submitit's own, which are children of this process."""
        self.refusal: RunError | None = None
        """Why SLURM took no more jobs."""

    # -- tasks -------------------------------------------------------------------------------------

    def start(self, task: Mapping[str, Any]) -> None:
        """Take up the job that an earlier runner left, where it is alive or has ended since; else
        submit it with the next array.
        """
        identity, _, name = task["handle"].partition("/")
        if name and (
            self._said(name).get("code") is not None or identity in self._alive([identity], ASK)
        ):
            self.jobs[task["id"]] = _Job(identity, name)
        else:
            self.pending.append(task)

    def events(self, timeout: float) -> Sequence[Event]:
        """Return what jobs have written, and which of them SLURM no longer knows."""
        if self.refusal is not None:  # the news of what was submitted before it is delivered
            raise self.refusal
        if self.pending:
            try:
                self._submit()
            except RunError as error:
                self.refusal = error
        elif not self.news:
            time.sleep(timeout)
        now = time.monotonic()
        if now - self.looked >= LOOK:
            self.looked = now
            written = self._written()
            for number, job in list(self.jobs.items()):
                if written.get(job.name) not in (None, job.seen):
                    job.seen = written[job.name]
                    self._look(number, job)
        if now - self.asked >= (ASK if self.parameters.cluster == "slurm" else LOOK) and self.jobs:
            self.asked = now
            self._ask()
        news, self.news = self.news, []
        return news

    def _submit(self) -> None:
        groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
        for task in self.pending:
            wanted = task["resources"]
            memory = self.parameters.memory or (
                wanted["memory"] / 1e9 * MARGIN if wanted["memory"] else MEMORY
            )
            groups.setdefault(
                (wanted["threads"], math.ceil(memory), self.parameters.gpus or wanted["gpus"]), []
            ).append(task)
        self.pending = []
        for (threads, memory, gpus), tasks in groups.items():
            given = {"partition": self.parameters.partition, "account": self.parameters.account}
            given |= {
                "qos": self.parameters.qos,
                "constraint": self.parameters.constraint,
                "array_parallelism": self.parameters.parallel,
            }
            self.submitit.update_parameters(
                name="bench",
                timeout_min=self._minutes(),
                cpus_per_task=threads,
                mem_gb=memory,
                **({"gpus_per_node": gpus} if gpus else {}),
            )
            if self.parameters.cluster == "slurm":
                self.submitit.update_parameters(
                    **{f"slurm_{key}": value for key, value in given.items() if value}
                )
            for first in range(0, len(tasks), AT_ONCE):
                self._submit_array(tasks[first : first + AT_ONCE])

    def _submit_array(self, tasks: Sequence[Mapping[str, Any]]) -> None:
        import submitit

        names = [uuid.uuid4().hex for _ in tasks]
        try:
            with self.submitit.batch():
                jobs = [
                    self.submitit.submit(_work, dict(task), str(self.folder / "jobs"), name)
                    for task, name in zip(tasks, names)
                ]
        except (
            submitit.core.utils.FailedJobError,
            submitit.core.utils.FailedSubmissionError,
            subprocess.CalledProcessError,
        ) as error:
            text = " ".join(str(error).split())
            raise RunError(
                f"SLURM takes no jobs: {text}. What was submitted before goes on; the same command "
                "takes it up"
            ) from error
        if self.parameters.cluster == "local":
            self.processes += jobs
        for task, name, job in zip(tasks, names, jobs):
            self.jobs[task["id"]] = _Job(job.job_id, name)
            self.news.append(Event(task["id"], handle=f"{job.job_id}/{name}"))

    def _written(self) -> dict[str, int]:
        """Return when each job last wrote, by its name: one look at the folder, however many jobs
        wait.
        """
        found = {}
        with os.scandir(self.folder / "jobs") as entries:
            for entry in entries:
                if entry.name.endswith(".json"):
                    with contextlib.suppress(FileNotFoundError):
                        found[entry.name.removesuffix(".json")] = entry.stat().st_mtime_ns
        return found

    def _said(self, name: str) -> dict[str, Any]:
        try:
            return read_json(self.folder / "jobs" / f"{name}.json", "job")
        except RunError:
            return {}

    def _look(self, number: int, job: _Job) -> None:
        said = self._said(job.name)
        if said.get("where") and said["where"] != job.where:
            job.where = said["where"]
            self.news.append(Event(number, started=job.where))
        job.ended = said.get("ended", "")
        if job.ended:
            self.asked = 0.0  # at once: does SLURM start it again?
        if said.get("code") is not None:
            outcome = {name: said[name] for name in ("code", "reason", "memory")}
            self._forget(number, Event(number, **outcome))

    def _ask(self) -> None:
        """Give up jobs that SLURM does not know, twice in a row: what they wrote may need a moment
        to be seen here.
        """
        alive = self._alive([job.identity for job in self.jobs.values()])
        for number, job in list(self.jobs.items()):
            job.missed = 0 if job.identity in alive else job.missed + 1
            if job.missed and job.ended:
                reason = f"SLURM ended it (job {job.identity}: {job.ended})"
                self._forget(number, Event(number, code=Exit.STOPPED, reason=reason))
            elif job.missed >= 2:
                why = f"job {job.identity}: {self._slurm.why(job.identity)}"
                reason = f"SLURM ended it ({why}); its log is in {self.folder.name}/logs"
                self._forget(number, Event(number, code=Exit.LOST, reason=reason))

    def _forget(self, number: int, event: Event) -> None:
        job = self.jobs.pop(number)
        for end in (".json", ".stop"):
            (self.folder / "jobs" / (job.name + end)).unlink(missing_ok=True)
        if event.code == Exit.WRITTEN:  # submitit's own files of a job that needs no explaining
            for end in ("_0_log.out", "_0_log.err", "_0_result.pkl", "_submitted.pkl"):
                (self.folder / "logs" / (job.identity + end)).unlink(missing_ok=True)
        self.news.append(event)

    def _alive(self, identities: Sequence[str], age: float = 0.0) -> set[str]:
        for job in self.processes:  # so that none stays a zombie
            job.done()
        return self._slurm.alive(identities, age)

    @functools.cached_property
    def _slurm(self) -> SlurmJobs:
        return SlurmJobs(self.parameters.cluster == "local")

    def stop(self, task: int, kill: bool) -> None:
        """Leave word for the job; one that still waits, or shall end at once, is cancelled."""
        self.pending = [waiting for waiting in self.pending if waiting["id"] != task]
        job = self.jobs.get(task)
        if job is None:
            self.news.append(Event(task, code=Exit.WRITTEN))
            return
        self._look(task, job)
        if task not in self.jobs:
            return
        write_text(self.folder / "jobs" / f"{job.name}.stop", "kill" if kill else "stop")
        if kill or not job.where:
            self.cancel([job.identity])
        if not job.where:
            self._forget(task, Event(task, code=Exit.WRITTEN))

    def cancel(self, handles: Sequence[str]) -> None:
        """Cancel jobs; a running one has SLURM's KillWait (30 s) to write down where it is."""
        self._slurm.cancel([handle.partition("/")[0] for handle in handles])

    def close(self) -> None:
        """Cancel what is left, unless SLURM refused a part: what was submitted before goes on."""
        if self.jobs and self.refusal is None:
            self.cancel([job.identity for job in self.jobs.values()])


@dataclass
class _Job:
    identity: str
    """SLURM's number."""
    name: str
    """Of its files below .slurm/jobs."""
    where: str = ""
    seen: int | None = None
    """When it last wrote, as far as that was read."""
    ended: str = ""
    """What ended it, where that was neither the cell nor this command: SLURM may start such a job
    again."""
    missed: int = 0


# -- in a job --------------------------------------------------------------------------------------


def _work(task: dict[str, Any], folder: str, name: str) -> None:
    file, word = Path(folder) / f"{name}.json", Path(folder) / f"{name}.stop"
    where = f"{socket.gethostname()}, job {os.environ.get('SLURM_JOB_ID', os.getpid())}"
    write_json(file, {"where": where, "code": None}, durable=False)

    def asked() -> str:
        try:
            return word.read_text()
        except OSError:
            return ""

    outcome = run_job(task, asked, lambda progress: None, shared=True)
    reason = outcome.get("refused") or outcome.get("reason", "")
    if outcome["code"] == Exit.STOPPED and not asked():
        # Preempted, cancelled or out of time. No outcome: SLURM may requeue the job, which then
        # begins here again.
        write_json(file, {"where": where, "code": None, "ended": reason or ENDED})
        return
    write_json(
        file,
        {"where": where, "code": outcome["code"], "reason": reason, "memory": outcome["memory"]},
    )
