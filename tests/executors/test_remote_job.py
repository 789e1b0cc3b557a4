"""A cell on another machine: which GPU and which plugins it gets there."""

import pytest

from bench.contracts.executor import Event, Exit
from bench.executors import remote_job
from bench.hardware.gpus import Gpu


class Recorder:
    """An executor whose preparations find no data."""

    tasks: list = []
    plugins: list = []

    def open(self, place):
        assert place.slots == 1
        self.plugins[:] = [path.read_text() for path in place.plugins]

    def start(self, task):
        self.tasks.append(task)

    def events(self, timeout):
        return [Event(1, code=Exit.BAD_DATA)]

    def memory(self, task):
        return 0

    def close(self):
        pass


def task(folder, gpus=0, plugins=()):
    cell = {
        "folder": "cells/net/toy/0", "method": "net", "label": "net", "selector": "net",
        "dataset": "toy", "dataset_folder": "toy", "seed": 0,
    }  # fmt: skip
    return {
        "run": str(folder), "cell": cell, "plugins": dict(plugins), "torch": False, "prepare": {},
        "gpus": [], "resources": {"gpus": gpus},
    }  # fmt: skip


@pytest.mark.parametrize(("wanted", "offered"), [(1, ["cuda:0", "cuda:1"]), (0, [])])
def test_a_cell_is_offered_the_gpus_of_its_machine(tmp_path, monkeypatch, wanted, offered):
    """Where it wants one; those of the machine that sent it are not named."""
    there = [Gpu(f"cuda:{number}", str(number), "A100", 2**36) for number in range(2)]
    monkeypatch.setattr(remote_job, "gpus", lambda: there)
    monkeypatch.setattr(remote_job, "LocalExecutor", Recorder)
    monkeypatch.setattr(Recorder, "tasks", [])
    outcome = remote_job.run_job(task(tmp_path, wanted), lambda: "", lambda said: None, shared=True)
    assert outcome["code"] == Exit.BAD_DATA
    (prepared,) = Recorder.tasks
    assert [gpu["name"] for gpu in prepared["gpus"]] == offered


def test_plugins_of_one_name_are_sent_as_two(tmp_path, monkeypatch):
    """Where the machine has neither of them."""
    monkeypatch.setattr(remote_job, "LocalExecutor", Recorder)
    monkeypatch.setattr(Recorder, "tasks", [])
    sent = {"/elsewhere/a/mine.py": "# a", "/elsewhere/b/mine.py": "# b"}
    remote_job.run_job(task(tmp_path, 0, sent), lambda: "", lambda said: None, shared=True)
    assert Recorder.plugins == ["# a", "# b"]
