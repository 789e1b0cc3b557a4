"""Run folders of up to 10,000 cells at ShanghaiTech's size, made by a script: how plan, status,
scoring and the table grow.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from bench import Scores
from bench.runs.folder import Run
from bench.runs.manifest import Manifest
from bench.runs.records import CellRecord, DatasetRecord

from .measure import Report

CLIPS, FRAMES = 107, 40_791
"""Test clips and frames of ShanghaiTech."""
SEEDS = 5
SIZES = {
    "bench run --dry-run": (100, 1_000, 10_000),
    "bench status": (100, 1_000, 10_000),
    "bench score": (25, 50, 100),
    "bench report --table comparison": (25, 50, 100),
}
"""Cells of which each command is measured. Those that read scores take tenths of a second a cell,
with intervals and paired tests."""
DISTINCT = 20
"""Score files that differ; the other cells hold links to these, so that a run of 10,000 cells takes
megabytes in place of 3 GB."""


def make_run(path: Path, cells: int) -> Run:
    """Make a finished run of so many cells: rows of `SEEDS` seeds, labels in blocks, scores that
    tell a little of them.
    """
    generator = np.random.default_rng(0)
    lengths = [FRAMES // CLIPS + (number < FRAMES % CLIPS) for number in range(CLIPS)]
    clips = tuple(
        (f"{number // 9 + 1:02d}_{number:04d}", length, f"{number // 9 + 1:02d}")
        for number, length in enumerate(lengths)
    )
    labels = {clip: (np.arange(length) % 200 >= 120).astype(np.uint8) for clip, length, _ in clips}
    run = Run(path)
    run.write_dataset(
        DatasetRecord("shanghaitech", "shanghaitech", clips, "f", ("frame",), {"frame": labels})
    )
    records = []
    for number in range(cells):
        label = f"method-{number // SEEDS:04d}"
        record = CellRecord(
            folder=f"cells/{label}/shanghaitech/{number % SEEDS}",
            method=label,
            label=label,
            selector=label,
            dataset="shanghaitech",
            dataset_folder="shanghaitech",
            seed=number % SEEDS,
            status="done",
            profile="paper",
            family="reconstruction",
            seconds={"fit": 100.0, "score": 10.0, "total": 110.0},
        )
        run.write_cell(record)
        if number < DISTINCT:
            quality = 0.2 + 0.5 * generator.random()
            scores = {
                clip: labels[clip] * quality + generator.random(length) for clip, length, _ in clips
            }
            run.write_scores(
                record,
                {clip: Scores(values, np.arange(len(values))) for clip, values in scores.items()},
            )
        else:
            os.link(
                run.cell_path(records[number % DISTINCT]) / "scores.npz",
                run.cell_path(record) / "scores.npz",
            )
        records.append(record)
    run.write_manifest(
        Manifest(
            command="bench run ...",
            seeds=list(range(SEEDS)),
            cells=[asdict(record) for record in records],
        )
    )
    return run


def run_folders(report: Report) -> None:
    """Say how each command grows with the cells of a run."""
    report.section("run folders at ShanghaiTech's size: 107 clips, 40,791 frames")
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for command, sizes in SIZES.items():
            found = []
            for cells in sizes:
                path = Path(folder) / str(cells)
                words = [sys.executable, "-m", "bench", *command.split()[1:]]
                if (
                    command == "bench run --dry-run"
                ):  # a plan is made from a request: the cells of a method that draws, one a seed
                    words += [
                        "--methods",
                        "random-network",
                        "--datasets",
                        "demo-ped2",
                        "--profile",
                        "smoke",
                        "--out",
                        f"{path}-planned",
                    ]
                    words += ["--seeds", f"0-{cells - 1}"]
                else:
                    words.insert(4, str(path if path.exists() else make_run(path, cells).path))
                began = time.perf_counter()
                subprocess.run(words, capture_output=True, check=True)
                found.append(time.perf_counter() - began)
            seconds[command] = found[-1]
            report.say(
                command,
                ", ".join(
                    f"{taken:.1f} s of {cells:,} cells" for cells, taken in zip(sizes, found)
                ),
            )
            steps = [1000 * (found[i + 1] - found[i]) / (sizes[i + 1] - sizes[i]) for i in (0, 1)]
            report.say(
                "  each further cell, first in the smaller runs",
                ", ".join(f"{step:.1f} ms" for step in steps),
            )
    report.goal("bench status of 10,000 cells", seconds["bench status"], 2.0, " s", least=False)
