"""Detached runs that are gathered: what a job has written is neither lost nor replaced."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import forked
import pytest
from forked import TOYS, toy_words

from bench.contracts.compute import Compute
from bench.contracts.executor import Event, Exit
from bench.executors.slurm import Parameters, SlurmExecutor
from bench.planning.plan import make_plan
from bench.planning.request import Request
from bench.plugins.registry import load
from bench.running.jobs import Listener
from bench.running.runner import Runner
from bench.running.session import run_finder
from bench.runs.folder import Run

EXECUTOR = "slurm[cluster=local]"


class Recorded(SlurmExecutor):
    """Looks for jobs as SLURM's executor does; what it submits finishes its cell at once."""

    dropped = ()

    def open(self, place):
        super().open(place)
        self.submitted = 0

    def _submit(self):
        for task in self.pending:
            run = Run(Path(task["run"]))
            (cell,) = run.cells()
            run.write_cell(replace(cell, status="done", attempts=task["cell"]["attempts"] + 1))
            self.submitted += 1
            self.news.append(Event(task["id"], code=Exit.WRITTEN))
        self.pending = []

    def cancel(self, handles):
        self.dropped = list(handles)


def planned(place: Path, **more):
    request = Request(
        "brightness", "toy", compute=Compute("cpu"), data=(place / "data",), plugins=(TOYS,),
        executor=EXECUTOR, **more,
    )  # fmt: skip
    plan = make_plan(request, load([TOYS]), run_finder(place / "run", False))
    plan.executor = Recorded(Parameters(cluster="local"))
    return plan


@pytest.fixture
def left(place, once):
    """A finished cell whose job has ended, and was not gathered: `left(status, reason)`."""
    pytest.importorskip("submitit")

    def make(folder):
        done = forked.bench(*toy_words("brightness", "--out", "run"), cwd=folder)
        assert done.returncode == 0

    def end(**outcome) -> Run:
        run = Run.open(place / "run")
        (cell,) = run.cells()
        run.write_cell(replace(cell, **outcome))
        handle = {"executor": EXECUTOR, "handle": "2147483647/job", "key": cell.key}
        run.files_of(cell).job.write_text(json.dumps(handle))
        jobs = run.path / ".slurm" / "jobs"
        jobs.mkdir(parents=True)
        said = {"where": "node3, job 1", "code": 0, "reason": "", "memory": 5}
        (jobs / "job.json").write_text(json.dumps(said))
        return run

    shutil.copytree(once("finished", make) / "run", place / "run")
    return end


def test_failed_job_keeps_its_reason(place, left):
    """Gathered, it is the row that the worker wrote; the same command once more repeats it."""
    run = left(status="failed", reason="ValueError: the true reason")
    for reason, attempts in (("ValueError: the true reason", 1), ("", 2)):
        plan = planned(place)
        Runner(plan, Listener()).execute()
        (cell,) = run.cells()
        assert (cell.reason, cell.attempts) == (reason, attempts)
        assert not run.files_of(cell).job.exists()
        assert plan.cells[0].record.reason == reason


def test_failed_job_keeps_its_reason_where_nothing_is_begun(place, left, monkeypatch):
    """The user stops the command before it has gathered the cell."""
    run = left(status="failed", reason="ValueError: the true reason")
    runner = Runner(planned(place), Listener())
    run.stop_file.touch()
    monkeypatch.setattr("bench.running.runner.asked_to_stop", lambda word: Asked())
    assert runner.execute()
    (cell,) = run.cells()
    assert (cell.status, cell.reason) == ("failed", "ValueError: the true reason")
    assert run.files_of(cell).job.exists()


class Asked:
    def __enter__(self):
        return lambda: 1

    def __exit__(self, *ended):
        pass


def test_forced_cell_is_computed_anew_though_its_job_was_not_gathered(place, left):
    """Its old job is let go of, and a new one is submitted."""
    run = left()
    plan = planned(place, force="brightness")
    Runner(plan, Listener()).execute()
    (cell,) = run.cells()
    assert (cell.status, cell.attempts) == ("done", 2)
    assert (plan.executor.submitted, plan.executor.dropped) == (1, ["2147483647/job"])
