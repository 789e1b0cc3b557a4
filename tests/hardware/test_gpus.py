"""Several GPUs: which a run uses, and how its workers share them. The GPUs are simulated, the
processes are real."""

import json
import os
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import forked
import pytest

from bench.errors import RequestError
from bench.hardware import gpus
from bench.hardware.gpus import Gpu, chosen_devices, own_gpu
from bench.runs.folder import Run

SIMULATED = Path(__file__).parents[1] / "simulated_gpus.py"


def listed(count):
    return [Gpu(f"cuda:{number}", f"GPU-{number}", "A100", 2**36) for number in range(count)]


@pytest.fixture
def run(place, monkeypatch):
    """Return a function that runs the cells of some seeds on simulated GPUs."""
    (place / "together").mkdir()
    monkeypatch.setenv("BENCH_CACHE", str(place / "cache"))

    def command(count, seeds, *more, device="cuda", **environment):
        words = ["run", "--methods", "together", "--datasets", "toy", "--seeds", seeds]
        words += ["--plugin", str(forked.TOYS), "--plugin", str(SIMULATED), "--data", "data"]
        return forked.bench(
            *words, "--device", device, "--out", "run", *more, cwd=place,
            SIMULATED_GPUS=str(count), TOGETHER=str(place / "together"), **environment,
        )  # fmt: skip

    return command


def cells(place):
    return Run.open(place / "run").cells()


def test_each_gpu_is_used_and_no_cell_is_run_twice(place, run):
    """Twelve cells on four GPUs; the worker of one is killed, and its GPU serves the others. The
    same command makes the killed one alone."""
    done = run(4, "0-11", KILLED="1")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "device cuda (cuda:0, cuda:1, cuda:2, cuda:3: Simulated); 4 workers" in done.stdout
    outcome = {cell.seed: cell for cell in cells(place)}
    killed = outcome.pop(5)
    assert killed.status == "failed" and "SIGKILL" in killed.reason
    assert {(cell.status, cell.attempts) for cell in outcome.values()} == {("done", 1)}
    assert {cell.gpu for cell in outcome.values()} == {f"cuda:{number}" for number in range(4)}
    for cell in outcome.values():  # each saw its own GPU alone
        assert cell.facts["sees"] == f"GPU-{cell.gpu[-1]}"
        assert (cell.device, cell.gpu_model) == ("cuda", "Simulated")
    status = forked.bench("status", "run", cwd=place).stdout
    assert Counter(word for word in status.split() if word.startswith("cuda:")).keys() == {
        cell.gpu for cell in [*outcome.values(), killed]
    }
    # Fewer GPUs, another number: nothing that is done is run again.
    assert run(1, "0-11").returncode == 0
    assert {cell.seed: cell.attempts for cell in cells(place)} == {
        seed: 1 + (seed == 5) for seed in range(12)
    }


def test_chosen_gpus_alone_are_used(place, run):
    """With more workers than GPUs, several cells share one."""
    (place / "together" / "nobody").touch()
    done = run(4, "0-2", "--workers", "3", device="cuda:3,cuda:1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {cell.gpu for cell in cells(place)} == {"cuda:1", "cuda:3"}


def test_a_process_takes_the_gpu_that_the_fewest_hold(tmp_path, monkeypatch):
    """The first is shared when each is held, and free again when its holder has let go."""
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    monkeypatch.setenv(gpus.VISIBLE, "before")
    offered = [asdict(gpu) for gpu in listed(2)]
    with own_gpu(offered) as one, own_gpu(offered) as two:
        assert (one.name, two.name) == ("cuda:0", "cuda:1")
        assert os.environ[gpus.VISIBLE] == "GPU-1"
        with own_gpu(offered) as three:
            assert three.name == "cuda:0"
    with own_gpu(offered[::-1]) as again:
        assert again.name == "cuda:1"
    with own_gpu(()) as none:
        assert none is None


def test_a_gpu_is_taken_without_a_disk(tmp_path, monkeypatch):
    """The cache may be another user's, or lie where files cannot be locked."""
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(gpus.VISIBLE, "before")
    (tmp_path / "cache").write_text("no folder can be made here")
    offered = [asdict(gpu) for gpu in listed(1)]
    with own_gpu(offered) as one, own_gpu(offered) as other:
        assert one == other == listed(1)[0]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("cuda", [0, 1, 2]),
        ("cuda:2", [2]),
        ("cuda:2,cuda:0,cuda:2", [2, 0]),
        ("cuda:1,cuda", [0, 1, 2]),
    ],
)
def test_devices_that_are_asked_for(monkeypatch, asked, expected):
    """All, one, or some in their order."""
    monkeypatch.setattr(gpus, "gpus", lambda: listed(3))
    device, found = chosen_devices(asked)
    assert device == "cuda" and [gpu.name for gpu in found] == [f"cuda:{n}" for n in expected]


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (
            "cuda:0,cuda:7",
            "--device 'cuda:0,cuda:7': there is no cuda:7; torch finds cuda:0, cuda:1, cuda:2 here",
        ),
        (
            "cpu,cuda:0",
            "--device 'cpu,cuda:0': 'cpu' is no GPU; several devices are written like cuda:0,cuda:2",
        ),
        (
            "cuda:0,",
            "--device 'cuda:0,': 'nothing' is no GPU; several devices are written like cuda:0,cuda:2",
        ),
    ],
)
def test_devices_that_are_not_there(monkeypatch, asked, text):
    """Refused before anything runs, with what is there."""
    monkeypatch.setattr(gpus, "gpus", lambda: listed(3))
    with pytest.raises(RequestError) as caught:
        chosen_devices(asked)
    assert caught.value.mistakes == (text,)


@pytest.mark.parametrize(
    ("visible", "count", "expected"),
    [
        (None, 2, ["0", "1"]),
        ("3,GPU-7", 2, ["3", "GPU-7"]),
        ("3,-1,2", 1, ["3"]),
        ("MIG-a,MIG-b,MIG-c", 1, ["MIG-a", "MIG-b", "MIG-c"]),
    ],
)
def test_what_the_environment_allows(monkeypatch, visible, count, expected):
    """CUDA_VISIBLE_DEVICES in numbers or names; torch sees the first MIG instance alone, and each
    in the list is one all the same."""
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    found = type("Properties", (), {"name": "A100", "total_memory": 5})
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: found)
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    if visible is not None:
        monkeypatch.setenv(gpus.VISIBLE, visible)
    there = gpus.gpus()
    assert [gpu.visible for gpu in there] == expected
    assert [gpu.name for gpu in there] == [f"cuda:{number}" for number in range(len(expected))]
    json.dumps([asdict(gpu) for gpu in there])
