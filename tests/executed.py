"""Runs of toys through an executor, and what must be equal to the run that `local` makes. For tests
of executors."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from forked import bench

from bench.runs.folder import Run

TOYS = Path(__file__).parents[0] / "toys.py"


def command(
    *more: str, methods: str = "brightness,brightness[pause=0.001]", datasets: str = "toy"
) -> list[str]:
    words = [
        sys.executable,
        "-m",
        "bench",
        "run",
        "--methods",
        methods,
        "--datasets",
        datasets,
        "--threads",
        "1",
    ]
    return [*words, "--plugin", str(TOYS), "--data", "data", *more]


def run(
    place: Path, *more: str, environment: dict[str, str] | None = None, **what: str
) -> subprocess.CompletedProcess[str]:
    (place / "data").mkdir(exist_ok=True)
    words = command(*more, **what)[3:]
    return bench(*words, cwd=place, timeout=900, **(environment or {}))


def on_disk(place: Path) -> list[str]:
    """Return the status of each cell of the run `run`, as its own file has it."""
    return [
        json.loads(path.read_text())["status"] for path in place.glob("run/cells/*/*/*/cell.json")
    ]


def wait_for(condition, seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def check(place: Path, name: str, whole: str = "whole") -> Run:
    """Every cell is done, and the tables are those of the run `whole`, byte for byte."""
    found = Run.open(place / name)
    assert {cell.status for cell in found.cells()} == {"done"}
    assert (found.report.tables() / "results.csv").read_bytes() == (
        place / whole / "tables" / "results.csv"
    ).read_bytes()
    for cell in found.cells():
        for clip, scores in Run(place / whole).scores(cell).items():
            np.testing.assert_array_equal(scores.values, found.scores(cell)[clip].values)
    return found
