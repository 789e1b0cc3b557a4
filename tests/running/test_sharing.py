"""Several runners fill one run folder: shards on one host, whole runs on two. No cell is run twice."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.runs.folder import Run

TOYS = Path(__file__).with_name("toys.py")
METHODS = "brightness[pause=0.005],brightness[pause=0.006]"


def start(place: Path, *more: str, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    (place / "data").mkdir(exist_ok=True)
    command = [*before, sys.executable, "-m", "bench", "run", "--methods", METHODS, "--datasets", "toy", "--seeds", "0-2"]
    command += ["--plugin", str(TOYS), "--data", "data", "--device", "cpu", "--threads", "1", *more]
    return subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(*runners: subprocess.Popen[str]) -> list[str]:
    outputs = [runner.communicate(timeout=120)[0] for runner in runners]
    assert [runner.returncode for runner in runners] == [0] * len(runners), outputs
    return outputs


def same_numbers(place: Path, first: str, second: str) -> None:
    one, other = Run.open(place / first), Run.open(place / second)
    for cell, again in zip(one.cells(), other.cells(), strict=True):
        assert cell.folder == again.folder
        for clip, scores in one.scores(cell).items():
            np.testing.assert_array_equal(scores.values, other.scores(again)[clip].values)
    assert (one.tables / "results.csv").read_bytes() == (other.tables / "results.csv").read_bytes()


def test_shards_fill_one_run(tmp_path):
    """Two shards started together run each cell once; the same line for all then repeats nothing and has the numbers of one runner."""
    finish(start(tmp_path, "--out", "shared", "--shard", "1/2"), start(tmp_path, "--out", "shared", "--shard", "2/2"))
    run = Run.open(tmp_path / "shared")
    assert [(cell.status, cell.attempts) for cell in run.cells()] == [("done", 1)] * 6
    assert not list(run.path.glob("**/.claim*")) and not list(run.path.glob(".run*"))
    _, again = finish(start(tmp_path, "--out", "whole"), start(tmp_path, "--out", "shared"))
    assert "6 of 6 cells are done already" in again
    same_numbers(tmp_path, "whole", "shared")


def test_shard_runs_its_cells_alone(tmp_path):
    """Every third cell from the second on, always the same ones."""
    finish(start(tmp_path, "--out", "run", "--shard", "2/3"))
    assert [cell.status for cell in Run.open(tmp_path / "run").cells()] == ["queued", "done", "queued"] * 2


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "1/0", "a/b", "1/2/3"])
def test_shard_that_is_none_is_refused(tmp_path, shard):
    """I/N with I from 1 to N."""
    runner = start(tmp_path, "--shard", shard)
    output, _ = runner.communicate(timeout=60)
    assert runner.returncode == 2
    assert f"--shard {shard!r}: expected I/N with I from 1 to N, like 2/8" in output


def another_host() -> tuple[str, ...]:
    """A space of process numbers of its own is another host to `bench.claims`."""
    command = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    if shutil.which("unshare") is None or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("no new space of process numbers can be made here")
    return command


def test_two_hosts_fill_one_run_by_the_same_line(tmp_path):
    """Both run cells, none is run twice, and each waits for the other's before it writes the tables."""
    elsewhere = another_host()
    finish(start(tmp_path, "--out", "whole"))
    finish(start(tmp_path, "--out", "shared"), start(tmp_path, "--out", "shared", before=elsewhere))
    run = Run.open(tmp_path / "shared")
    assert [(cell.status, cell.attempts) for cell in run.cells()] == [("done", 1)] * 6
    same_numbers(tmp_path, "whole", "shared")
