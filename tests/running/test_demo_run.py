"""A demo run as a user makes it, with a network: cut off at random moments, and finished by the
same command."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from forked import Command, bench

from bench.runs.folder import Run

WORDS = [
    *(
        "run",
        "--methods",
        "ae-3d[epochs=2],pca,frame-index",
        "--datasets",
        "demo-ped2",
    ),
    *("--device", "cpu", "--threads", "1", "--out", "run"),
]


def fresh(place: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in processes of its own, with nothing of the tests'."""
    command = [sys.executable, "-m", "bench", *WORDS]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=300)


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [int(child), *children(int(child))]
    return found


def cut(place: Path, moment: float, worker: bool) -> None:
    """Kill the runner, or its worker, some seconds after the first cell began."""
    runner = Command(*WORDS, cwd=place)
    end = time.monotonic() + 120
    while (
        not [*place.glob("run/cells/ae-3d*/demo-ped2/0/progress.json")]
        and runner.poll() is None
        and time.monotonic() < end
    ):
        time.sleep(0.02)
    time.sleep(moment)
    if runner.poll() is not None:
        return
    targets = children(runner.pid)[1:] if worker else [runner.pid]
    for pid in targets:
        os.kill(pid, signal.SIGKILL)
    runner.wait(timeout=120)


def test_killed_demo_run_ends_with_the_undisturbed_numbers(tmp_path):
    """kill -9 of the runner and of a cell at random moments, then the same command: the same scores
    and the same table."""
    whole, disturbed = tmp_path / "whole", tmp_path / "disturbed"
    whole.mkdir()
    disturbed.mkdir()
    done = fresh(whole)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ae-3d" in done.stdout
    assert "comparison.{md,tex,txt}" in done.stdout
    moments = random.Random()  # another moment in each run of this test: it must not matter
    cut(disturbed, moments.uniform(0, 3), worker=False)
    cut(disturbed, moments.uniform(0, 3), worker=True)
    done = bench(*WORDS, cwd=disturbed)
    assert done.returncode == 0, done.stdout + done.stderr
    expected, found = Run.open(whole / "run"), Run.open(disturbed / "run")
    for cell, other in zip(expected.cells(), found.cells(), strict=True):
        assert cell.folder == other.folder
        scores, again = expected.scores(cell), found.scores(other)
        assert scores.keys() == again.keys()
        for clip, result in scores.items():
            np.testing.assert_array_equal(result.values, again[clip].values)
            np.testing.assert_array_equal(result.frames, again[clip].frames)
    pd.testing.assert_frame_equal(
        pd.read_csv(expected.report.tables() / "results.csv"),
        pd.read_csv(found.report.tables() / "results.csv"),
    )
    assert (expected.report.tables() / "comparison.txt").read_bytes() == (
        found.report.tables() / "comparison.txt"
    ).read_bytes()
