"""A cell on another machine: which GPU it gets there."""

import pytest

from bench.contracts.executor import Event, Exit
from bench.executors import remote_job
from bench.hardware.gpus import Gpu


class Recorder:
    """An executor whose preparations find no data."""

    tasks: list = []

    def open(self, place):
        assert place.slots == 1

    def start(self, task):
        self.tasks.append(task)

    def events(self, timeout):
        return [Event(1, code=Exit.BAD_DATA)]

    def memory(self, task):
        return 0

    def close(self):
        pass


@pytest.mark.parametrize(("wanted", "offered"), [(1, ["cuda:0", "cuda:1"]), (0, [])])
def test_a_cell_is_offered_the_gpus_of_its_machine(tmp_path, monkeypatch, wanted, offered):
    """Where it wants one; those of the machine that sent it are not named."""
    there = [Gpu(f"cuda:{number}", str(number), "A100", 2**36) for number in range(2)]
    monkeypatch.setattr(remote_job, "gpus", lambda: there)
    monkeypatch.setattr(remote_job, "LocalExecutor", Recorder)
    monkeypatch.setattr(Recorder, "tasks", [])
    cell = {
        "folder": "cells/net/toy/0", "method": "net", "label": "net", "selector": "net",
        "dataset": "toy", "dataset_folder": "toy", "seed": 0,
    }  # fmt: skip
    task = {
        "run": str(tmp_path), "cell": cell, "plugins": {}, "torch": False, "prepare": {},
        "gpus": [], "resources": {"gpus": wanted},
    }  # fmt: skip
    outcome = remote_job.run_job(task, lambda: "", lambda said: None, shared=True)
    assert outcome["code"] == Exit.BAD_DATA
    (prepared,) = Recorder.tasks
    assert [gpu["name"] for gpu in prepared["gpus"]] == offered
