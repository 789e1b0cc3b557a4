"""Run folders of up to 10,000 cells at ShanghaiTech's size, made by a script: how plan, status,
scoring and the table grow.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from bench import Scores
from bench.plugins.registry import load
from bench.runs.folder import Run
from bench.runs.manifest import Manifest
from bench.runs.records import CellRecord, DatasetRecord

from .measure import Report, alternate

CLIPS, FRAMES = 107, 40_791
"""Test clips and frames of ShanghaiTech."""
SHANGHAITECH = [FRAMES // CLIPS + (number < FRAMES % CLIPS) for number in range(CLIPS)]
PED2 = [180, 180, 150, 180, 150, 180, 180, 180, 120, 150, 180, 180]
"""Frames of clips: of equal length where the published ones are many."""
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


def make_run(
    path: Path, cells: int, seeds: int = SEEDS, lengths: Sequence[int] = SHANGHAITECH
) -> Run:
    """Make a finished run of so many cells: rows of `seeds` seeds, labels in blocks, scores that
    tell a little of them.
    """
    generator = np.random.default_rng(0)
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
        label = f"method-{number // seeds:04d}"
        record = CellRecord(
            folder=f"cells/{label}/shanghaitech/{number % seeds}",
            method=label,
            label=label,
            selector=label,
            dataset="shanghaitech",
            dataset_folder="shanghaitech",
            seed=number % seeds,
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
            seeds=list(range(seeds)),
            cells=[asdict(record) for record in records],
        )
    )
    return run


def run_folders(report: Report) -> None:
    """Say how the processor time of each command grows with the cells of a run."""
    report.section("run folders at ShanghaiTech's size: 107 clips, 40,791 frames; processor time")
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for command, sizes in SIZES.items():
            found = seconds[command] = []
            for cells in sizes:
                path = Path(folder) / str(cells)
                if command == "bench run --dry-run":
                    # A plan is made from a request: the cells of a method that draws, one a seed.
                    words = (
                        "run --dry-run --methods random-network --datasets demo-ped2 --profile "
                        f"smoke --out {path}-planned --seeds 0-{cells - 1}"
                    ).split()
                else:
                    name, *options = command.split()[1:]
                    run = path if path.exists() else make_run(path, cells).path
                    words = [name, str(run), *options]
                found.append(_processor_seconds(words))
            report.say(
                command,
                ", ".join(
                    f"{taken:.1f} s of {cells:,} cells" for cells, taken in zip(sizes, found)
                ),
            )
    report.goal("bench status of 10,000 cells", seconds["bench status"][-1], 1, " s", least=False)
    report.goal(
        "bench run --dry-run of 10,000 cells",
        seconds["bench run --dry-run"][-1],
        5,
        " s",
        least=False,
    )
    few, many = SIZES["bench score"][0], SIZES["bench score"][-1]
    less, more = seconds["bench score"][0], seconds["bench score"][-1]
    a_cell = (more - less) / (many - few)
    report.goal("bench score, each further cell", a_cell, 0.24, " s", least=False)
    scores = np.random.default_rng(0).random(FRAMES)
    sort = alternate({"": lambda: np.argsort(scores)}, 5)[""]
    protocols = len(load().protocols)
    report.limit(
        "bench score, each further cell",
        protocols * sort / a_cell,
        f"one sort of all scores for each of {protocols} protocols",
    )


def reports(report: Report) -> None:
    """Measure the processor time of whole reports."""
    report.section("bench report, all tables, figures and the page; processor time")
    with tempfile.TemporaryDirectory() as folder:
        for name, cells, seeds, lengths, goal in (
            ("30 cells of 12 clips, 2,010 frames", 30, SEEDS, PED2, 6),
            ("15 methods on 107 clips, 40,791 frames", 15, 1, SHANGHAITECH, 60),
        ):
            run = make_run(Path(folder, name.replace(" ", "-")), cells, seeds, lengths)
            report.goal(
                name, _processor_seconds(["report", str(run.path)]), goal, " s", least=False
            )


def _processor_seconds(words: list[str]) -> float:
    """Return the processor seconds of a command and of all processes that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "bench", *words], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
