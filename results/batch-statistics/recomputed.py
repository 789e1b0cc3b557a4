"""Scores the clips of `results/search-medium/held_out.py` with a finished network, twice: with its
own batch normalisation, and with statistics that are computed anew from normal training windows:
`recomputed.py RUN HELD_OUT`. RUN was made with --keep weights.
"""

from __future__ import annotations

import csv
import logging
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.optim.swa_utils import update_bn

import bench
from bench.applying.finished_cell import finished_method
from bench.contracts.compute import Compute
from bench.contracts.method import OpenClip
from bench.contracts.network_method import NetworkMethod
from bench.engine.context import make_context
from bench.engine.learning_checks import ExplainedVariance
from bench.engine.precision import autocast
from bench.frames.conversion import converted_bgr
from bench.plugins.registry import load
from bench.runs.folder import Run
from bench.runs.status import Status

WINDOWS, BATCH = 600, 10
"""Training windows that statistics are computed from."""


def opened(folder: Path, split: str, method: NetworkMethod) -> OpenClip:
    """Return a clip of pictures, as the network sees them."""
    files = sorted(file for file in folder.iterdir() if file.suffix in (".png", ".jpg"))
    frames = np.stack([converted_bgr(cv2.imread(str(file)), method.frames) for file in files])
    return OpenClip(folder.name, split, len(frames), "held-out", opener=lambda: frames)


def main() -> None:
    """Print what the network explains of training frames, and its AUC on made anomalies."""
    load()
    run, held_out = Run.open(Path(sys.argv[1])), Path(sys.argv[2])
    cell = next(cell for cell in run.cells() if cell.status == Status.DONE)
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

    def report(name: str) -> None:
        explained = variance.of(network)
        network.eval()
        scores = {clip.id: method.score(clip, context) for clip in test}
        numbers = [
            f"{protocol} {100 * bench.score(scores, labels, protocol=protocol).value:.2f}"
            for protocol in ("ddl", "raw", "minmax", "median17")
        ]
        print(f"{name}: explained {explained:.3f}, {', '.join(numbers)}", flush=True)

    report("statistics of training")
    places = [(clip, start) for clip in train for start in method.window.starts(clip.length)]
    chosen = np.random.default_rng(0).permutation(len(places))[:WINDOWS]
    batches = (
        torch.stack([method.read_window(*places[place], method.window) for place in part])
        for part in np.array_split(chosen, WINDOWS // BATCH)
    )
    with autocast(torch.device("cpu"), compute.precision):
        update_bn(batches, network)
    report("statistics computed anew")


if __name__ == "__main__":
    main()
