"""Idle threads sleep soon in every process of ours that computes, and a user's own setting is left
alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.contracts.executor import Place
from bench.executors import remote_job
from bench.executors.local import LocalExecutor
from bench.hardware.openmp import short_spin

VARIABLES = ("GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_WAIT_POLICY", "KMP_LIBRARY")


@pytest.fixture(autouse=True)
def undecided(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "1"}),
        ({"GOMP_SPINCOUNT": "5"}, {"KMP_BLOCKTIME": "1"}),
        ({"KMP_BLOCKTIME": "200"}, {"GOMP_SPINCOUNT": "1000"}),
        ({"KMP_LIBRARY": "turnaround"}, {"GOMP_SPINCOUNT": "1000"}),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {}),
    ],
)
def test_a_users_setting_decides(environment, expected):
    assert short_spin(environment) == expected


@pytest.mark.parametrize(("own", "expected"), [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7")])
def test_the_server_of_the_workers_starts_with_it(tmp_path, monkeypatch, own, expected):
    """What the system has of a started process, since a runtime reads its variables when it is
    loaded."""
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    started = {}

    class Process(subprocess.Popen):
        def __init__(self, *arguments, **keywords):
            started.update(keywords["env"])
            super().__init__(*arguments, **keywords)

    monkeypatch.setattr(subprocess, "Popen", Process)
    executor = LocalExecutor()
    executor.open(Place(tmp_path, (), False, 1))
    executor.close()
    assert started["GOMP_SPINCOUNT"] == expected and started["KMP_BLOCKTIME"] == "1"


def test_the_executors_of_clusters_start_workers_by_the_same_server():
    """A job of Dask or SLURM runs a `LocalExecutor` where it is."""
    assert remote_job.LocalExecutor is LocalExecutor


def test_commands_have_it_before_torch_is_there(tmp_path):
    """`bench apply` and others compute in their own process."""
    code = (
        "import json, os, sys; from bench.cli import main; import bench.cli.main as module\n"
        "names = ['GOMP_SPINCOUNT', 'KMP_BLOCKTIME']\n"
        "module.bench = lambda: print(json.dumps(['torch' in sys.modules, *(os.environ.get(name) for name in names)]))\n"
        "main()"
    )
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=Path.cwd(),
    )
    assert json.loads(done.stdout) == [False, "1000", "1"]
