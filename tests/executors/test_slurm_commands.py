"""What SLURM is asked and told, by programs that stand for its own."""

import os
from pathlib import Path

import pytest

from bench.contracts.executor import Place
from bench.errors import RunError
from bench.executors import slurm
from bench.executors.slurm_jobs import SlurmJobs

pytest.importorskip("submitit")
PROGRAMS = {
    "sbatch": 'if [ "$(wc -l < {calls})" -gt {takes} ]; then'
    ' echo "sbatch: error: QOSMaxSubmitJobPerUserLimit" >&2; exit 1; fi\n'
    'echo "Submitted batch job 100"',
    "squeue": "echo 100_0; echo 100_1",
    "scancel": "",
    "srun": "",
}


class Asked:
    """Programs in a folder of PATH, and how often each was called."""

    def __init__(self, folder: Path, takes: int):
        self.folder = folder
        folder.mkdir()
        for name, text in PROGRAMS.items():
            calls = folder / f"{name}.calls"
            calls.touch()
            script = f'#!/bin/sh\necho "$@" >> {calls}\n' + text.format(calls=calls, takes=takes)
            (folder / name).write_text(script + "\n")
            (folder / name).chmod(0o755)

    def calls(self, name: str) -> list[str]:
        return (self.folder / f"{name}.calls").read_text().splitlines()


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A SLURM that takes one array, and no second one."""
    made = Asked(tmp_path / "programs", takes=1)
    monkeypatch.setenv("PATH", f"{made.folder}{os.pathsep}{os.environ['PATH']}")
    return made


def opened(tmp_path) -> slurm.SlurmExecutor:
    executor = slurm.SlurmExecutor(slurm.Parameters())
    executor.check()
    executor.open(Place(tmp_path, (), False, 1))
    return executor


def task(number: int, handle: str = "") -> dict:
    resources = {"threads": 1, "memory": None, "gpus": 0}
    return {"id": number, "handle": handle, "resources": resources}


def test_what_was_submitted_before_a_refusal_goes_on(tmp_path, asked, monkeypatch):
    """Its handles are told, so that the same command takes it up, and nothing is cancelled."""
    monkeypatch.setattr(slurm, "AT_ONCE", 2)
    executor = opened(tmp_path)
    for number in range(4):
        executor.start(task(number))
    told = executor.events(0.01)
    assert [event.handle.partition("/")[0] for event in told] == ["100_0", "100_1"]
    with pytest.raises(RunError, match="SLURM takes no jobs: .*QOSMaxSubmitJobPerUserLimit"):
        executor.events(0.01)
    executor.close()
    assert asked.calls("scancel") == []
    # The same command: nothing is submitted twice.
    again = opened(tmp_path)
    for number, event in enumerate(told):
        again.start(task(number, event.handle))
    assert again.jobs and not again.pending
    again.close()
    assert asked.calls("scancel") == ["100_0 100_1"]


def test_jobs_are_taken_up_with_one_question(tmp_path, asked):
    """Those that SLURM does not know any more are submitted."""
    executor = opened(tmp_path)
    for number in range(20):
        executor.start(task(number, f"100_{number}/name{number}"))
    assert len(asked.calls("squeue")) == 1
    assert sorted(executor.jobs) == [0, 1] and len(executor.pending) == 18


def test_number_of_a_local_job_that_is_another_process_now(monkeypatch):
    """It is no job, and is not ended."""
    jobs = SlurmJobs(local=True)
    jobs.cancel([str(os.getpid())])  # this process goes on
    assert jobs.alive([str(os.getpid())]) == set()
