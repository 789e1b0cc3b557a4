"""Networks that are killed while they train and score, beside three busy processes: weights and
scores of those that nothing disturbed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import numpy as np
import psutil
import pytest
from place import DONE, SEED, SHARE, WANTED, descendants, running, send, workers_in

from bench.runs.folder import Run

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked"),
]
METHODS = ("mnad", "c3dsu", "memae", "ae-3d")
CELLS = max(len(METHODS), round(WANTED["network killed"] * SHARE))
BUSY = 3


@pytest.fixture
def load():
    """Busy processes, more than there are cores to spare."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BUSY)]
    yield
    for one in busy:
        one.kill()
        one.wait()


def start(place: Path, out: str) -> psutil.Popen:
    words = [
        sys.executable,
        "-m",
        "bench",
        "run",
        "--methods",
        ",".join(METHODS),
        "--datasets",
        "demo-ped2",
        "--device",
        "cpu",
    ]
    seeds = f"0-{-(-CELLS // len(METHODS)) - 1}"
    more = ["--threads", "1", "--seeds", seeds, "--keep", "weights", "--out", out]
    return psutil.Popen(
        [*words, *more], cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def outcome(run: Run) -> dict[str, bytes]:
    """Return weights and scores of each cell."""
    found = {}
    for cell in run.cells():
        assert cell.status == "done", (cell.label, cell.seed, cell.reason)
        found[f"{cell.folder}/weights"] = (run.cell_path(cell) / "weights").read_bytes()
        for clip, scores in run.scores(cell).items():
            found[f"{cell.folder}/{clip}"] = (
                np.asarray(scores.values).tobytes() + scores.frames.tobytes()
            )
    return found


def test_networks_that_are_killed_end_with_the_undisturbed_weights_and_scores(tmp_path, load):
    """Each cell is killed once at a random moment of training or scoring; the same command then
    ends it, bit by bit as undisturbed."""
    rng = Random(f"{SEED}/networks")
    assert start(tmp_path, "whole").wait() == 0
    whole = Run.open(tmp_path / "whole")
    quickest = min(cell.seconds["total"] for cell in whole.cells())
    run, command, doomed = Run(tmp_path / "run"), start(tmp_path, "run"), {}
    while running(command):
        for phase in ("fit", "score"):
            for worker in workers_in(descendants(command), [run.path], phase):
                doomed.setdefault(worker.pid, time.monotonic() + rng.uniform(0, quickest))
                if time.monotonic() > doomed[worker.pid]:
                    DONE["network killed"] += send(worker, signal.SIGKILL)
        time.sleep(0.005)
    command.wait()
    killed = [cell.folder for cell in run.cells() if cell.status == "failed"]
    assert start(tmp_path, "run").wait() == 0
    expected, found = outcome(whole), outcome(run)
    print(f"\n{len(killed)} of {len(run.cells())} cells were killed and gone on with")
    assert killed
    assert [name for name in expected if found[name] != expected[name]] == []
