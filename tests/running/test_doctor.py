"""`bench doctor`: what it says of machines of many kinds. No torch: stand-ins take its place in the
processes that try it."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench.cli.setup.doctor import command
from bench.files import cache

TORCH = """
__version__ = "9.9"
class version: cuda = {cuda!r}
class cuda:
    is_available = staticmethod(lambda: {gpus} > 0)
    device_count = staticmethod(lambda: {gpus})
    @staticmethod
    def get_device_properties(number):
        class Properties: name = f"GPU {{number}}"; total_memory = 2**34
        return Properties
"""


NO_GPU = TORCH.format(cuda=None, gpus=0)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that writes the modules of a machine and asks the doctor; it gives the
    findings by subject, and the exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch_home"))
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))

    def ask(*arguments, torch=NO_GPU, cv2="__version__ = '9.9'"):
        (tmp_path / "torch.py").write_text(torch)
        (tmp_path / "torchvision.py").write_text("__version__ = '9.8'")
        (tmp_path / "cv2.py").write_text(cv2)
        done = CliRunner().invoke(command, ["--json", *map(str, arguments)])
        found = json.loads(done.stdout)
        return {finding["subject"]: finding for finding in found}, done.exit_code

    return ask


def test_a_machine_without_a_gpu(machine):
    """All that a run needs is there: exit code 0; the device is a note with what to do."""
    found, code = machine()
    assert code == 0 and {
        found[name]["state"]
        for name in ("python", "packages", "torch", "opencv", "cores", "cache", "results")
    } == {"ok"}
    assert found["torch"]["text"] == "9.9, torchvision 9.8, no CUDA in this build"
    assert found["device"]["state"] == "note" and "a torch with CUDA" in found["device"]["todo"]
    assert found["dataset ped2"] == {
        "subject": "dataset ped2",
        "state": "missing",
        "text": "not found",
        "todo": "bench download ped2",
    }
    assert (
        "rendered on first use" in found["dataset demo"]["text"]
        and not (cache.cache_folder() / "demo-v1").exists()
    )
    assert found["weights"]["state"] == "missing" and found["weights"]["todo"].startswith(
        "bench download "
    )
    assert all(
        found[f"plugin {name}"]["state"] == "ok" for name in ("builtin", "methods", "datasets")
    )


def test_gpus_are_named(machine):
    """Each with its memory."""
    found, code = machine(torch=TORCH.format(cuda="13.0", gpus=2))
    assert code == 0 and found["device"] == {
        "subject": "device", "state": "ok", "text": "cuda:0: GPU 0, 16.0 GB; cuda:1: GPU 1, 16.0 GB", "todo": ""
    }  # fmt: skip


def test_a_broken_torch_is_a_finding(machine):
    """An import that raises, or kills Python, is told, and the rest is looked at all the same."""
    found, code = machine(torch="raise OSError('libcudart.so.12: cannot open shared object file')")
    assert code == 1 and found["torch"]["state"] == "broken"
    assert (
        found["torch"]["text"] == "OSError: libcudart.so.12: cannot open shared object file"
        and "pip install" in found["torch"]["todo"]
    )
    assert found["opencv"]["state"] == "ok" and "device" not in found
    found, code = machine(torch="import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert code == 1 and found["torch"]["text"] == "importing it ends Python with -9"


def test_opencv_without_libgl(machine):
    """The line to install it is the README's."""
    found, code = machine(
        cv2="raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')"
    )
    line = "apt-get install libgl1 libglib2.0-0"
    assert code == 1 and found["opencv"]["state"] == "broken" and line in found["opencv"]["todo"]
    assert line in (Path(__file__).parents[2] / "README.md").read_text()


def test_folders_that_cannot_be_written(machine, tmp_path, monkeypatch):
    """A file in the place of the cache or of results/ breaks every run; so does a data folder that
    is not there."""
    (tmp_path / "file").write_text("")
    (tmp_path / "results").write_text("")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "file" / "cache"))
    found, code = machine("--data", tmp_path / "nowhere")
    assert code == 1
    assert {name for name, finding in found.items() if finding["state"] == "broken"} == {
        "cache",
        "results",
        "data",
    }
    assert "BENCH_CACHE" in found["cache"]["todo"] and "nowhere" in found["data"]["text"]


def test_little_room_is_a_note(machine, monkeypatch):
    """Less than a gigabyte for the cache."""
    import shutil

    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(2**40, 2**40, 2**29))
    found, code = machine()
    assert (
        code == 0 and found["cache"]["state"] == "note" and "0.5 GB free" in found["cache"]["text"]
    )


def test_datasets_are_found_and_judged(machine, tmp_path):
    """A dataset with labels alone is a note that names what is missing; one of a plugin is found
    whole."""
    (tmp_path / "avenue" / "labels").mkdir(parents=True)
    from bench.datasets import Avenue

    lengths = Avenue.expected["test"]
    np.savez(
        tmp_path / "avenue" / "labels" / "pixel.npz",
        **{clip: np.zeros(length) for clip, length in lengths.items()},
    )
    found, _ = machine("--data", tmp_path, "--plugin", Path(__file__).parents[1] / "toys.py")
    assert (
        found["dataset avenue"]["state"] == "note"
        and "no test frames" in found["dataset avenue"]["text"]
    )
    assert found["dataset avenue"]["todo"] == "bench verify avenue"
    assert (
        found["dataset toy"]["state"] == "ok"
        and str(tmp_path / "toy") in found["dataset toy"]["text"]
    )


def test_a_broken_plugin_costs_itself(machine, tmp_path):
    """It is a note with the reason: all else goes on."""
    (tmp_path / "mine.py").write_text("import no_such_module\n")
    found, code = machine("--plugin", tmp_path / "mine.py")
    assert (
        code == 0
        and found["plugin mine.py"]["state"] == "note"
        and "no_such_module" in found["plugin mine.py"]["text"]
    )


def test_text_says_the_same(machine, monkeypatch):
    """A line a finding, what to do below it, and a last line that sums up."""
    monkeypatch.setenv("COLUMNS", "100")
    machine()
    done = CliRunner().invoke(command, [])
    assert done.exit_code == 0 and done.output.rstrip().endswith(
        "`bench run` has everything it requires"
    )
    assert (
        "\nnote     device: cpu" in done.output
        and "\n         -> if this machine has a GPU" in done.output
    )
    assert max(map(len, done.output.splitlines())) <= 200
    missing = [line for line in done.output.splitlines() if line.startswith("missing  ")]
    commands = {line.rpartition(" -> ")[2] for line in missing if "bench download" in line}
    names = ["ped2", "avenue", "shanghaitech", "ped1", "fasterrcnn", "resnet50", "mobilenet_v2"]
    assert commands == {f"bench download {name}" for name in names}
