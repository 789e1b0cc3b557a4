"""One GPU, measured in at most eight minutes: the examination of `bench doctor --device` in the
published settings, and scoring in batches of several sizes.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from bench.methods.c3dsu import C3DSUParameters, PlainC3DSU

from bench import OpenClip
from bench.contracts.compute import Compute
from bench.engine.context import make_context
from bench.engine.inference import infer
from bench.plugins.registry import load
from bench.testing.device_examination import examine_device

from .measure import Report

SECONDS = 360.0
"""After which no further part of the examination begins."""


def examination(report: Report, device: str, quick: bool) -> None:
    """Print the block of `bench doctor --device`, with memory and speed in profile paper on a GPU
    and in profile small on a CPU; `quick`: of two methods in profile smoke.
    """
    report.section(f"examination of {device}")
    profile = "smoke" if quick else "small" if device == "cpu" else "paper"
    methods = ("ae-3d", "c3dsu") if quick else ()
    found = examine_device(device, load(), methods, profile, 30.0 if quick else SECONDS)
    print(found.text(), flush=True)


def scoring_batches(report: Report, device: str, quick: bool) -> None:
    """Score a clip with C3DSU in batches of several sizes: frames a second, and by how much scores
    depend on the size.
    """
    latent, size, length = (8, 64, 70) if quick else (64 if device == "cpu" else 512, 256, 280)
    batches = (1, 4, 64) if device == "cpu" else (1, 4, 16, 64, 256)
    if device == "cpu" and not quick:
        length = 70
    report.section(f"scoring {length} frames, C3DSU latent {latent}, {size}x{size}, on {device}")
    torch.manual_seed(0)
    method = PlainC3DSU(C3DSUParameters(latent=latent, size=size))
    method.network = method.build().eval()
    images = np.random.default_rng(0).integers(0, 256, (length, size, size, 3), dtype=np.uint8)
    clip = OpenClip("01", "test", length, "made", opener=lambda: images)
    first = None
    for batch in batches:
        compute = Compute(device, batch=batch)
        with tempfile.TemporaryDirectory() as folder:
            context = make_context(0, compute, Path(folder))
            scores = infer(method, clip, context).values
            began = time.perf_counter()
            infer(method, clip, context)
            rate = len(scores) / (time.perf_counter() - began)
        first = scores if first is None else first
        difference = float(np.abs(scores - first).max() / np.abs(first).max())
        used = context.compute.batch
        lowered = f" (out of memory: {used})" if used != batch else ""
        report.say(
            f"batches of {batch}{lowered}",
            f"{rate:.1f} frames/s; scores differ from batches of 1 by {difference:.1e}",
        )
