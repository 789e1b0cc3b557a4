"""Scores the clips of `results/search-medium/held_out.py` with finished networks, twice: with the
running averages of their training, and with statistics that are computed anew (`precise_bn`):
`recomputed.py RUN HELD_OUT`. RUN was made with --keep weights.
"""

from __future__ import annotations

import csv
import logging
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

import bench
from bench.applying.finished_cell import finished_method
from bench.contracts.compute import Compute
from bench.contracts.method import OpenClip
from bench.contracts.network_method import NetworkMethod
from bench.engine.context import make_context
from bench.engine.learning_checks import ExplainedVariance
from bench.engine.precise_bn import PreciseBN
from bench.frames.conversion import converted_bgr
from bench.plugins.registry import load
from bench.runs.folder import Run
from bench.runs.records import CellRecord
from bench.runs.status import Status

WINDOWS = 200
"""Training windows that statistics are computed from."""


def opened(folder: Path, split: str, method: NetworkMethod) -> OpenClip:
    """Return a clip of images, as the network sees them."""
    files = sorted(file for file in folder.iterdir() if file.suffix in (".png", ".jpg"))
    frames = np.stack([converted_bgr(cv2.imread(str(file)), method.frames) for file in files])
    return OpenClip(folder.name, split, len(frames), "held-out", opener=lambda: frames)


def report(run: Run, cell: CellRecord, held_out: Path) -> None:
    """Print what a network explains of training frames, and its AUC on made anomalies."""
    method = finished_method(run, cell).method
    assert isinstance(method, NetworkMethod) and method.network is not None
    network = method.network
    train, test = (
        [opened(folder, split, method) for folder in sorted((held_out / split).iterdir())]
        for split in ("train", "test")
    )
    labels = {clip.id: np.zeros(clip.length, np.uint8) for clip in test}
    with (held_out / "labels.csv").open() as file:
        for row in csv.DictReader(file):
            labels[row["clip"]][int(row["first"]) : int(row["last"]) + 1] = 1
    compute = Compute("cpu", threads=1, precision=cell.compute.precision)
    context = make_context(0, compute, Path(tempfile.mkdtemp()), logging.getLogger("recomputed"))
    variance = ExplainedVariance(method, train, context)
    for windows in (None, WINDOWS):
        method.parameters = replace(method.parameters, precise_bn=windows)
        PreciseBN(method, train, context, method.parameters.batch).apply(network)
        explained = variance.of(network)
        network.eval()
        scores = {clip.id: method.score(clip, context) for clip in test}
        numbers = [
            f"{protocol} {100 * bench.score(scores, labels, protocol=protocol).value:.2f}"
            for protocol in ("ddl", "raw", "minmax", "median17")
        ]
        print(
            f"{cell.label}, seed {cell.seed}, precise_bn={windows}: explained {explained:.3f}, "
            + ", ".join(numbers),
            flush=True,
        )


def main() -> None:
    """Report each finished cell of the run."""
    load()
    run = Run.open(Path(sys.argv[1]))
    for cell in run.cells():
        if cell.status == Status.DONE:
            report(run, cell, Path(sys.argv[2]))


if __name__ == "__main__":
    main()
