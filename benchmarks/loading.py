"""Whether drawing samples keeps up with a device: the share of a training's time in which the
network waits for its next batch.
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
from bench.engine.batches import LOADERS, batch_order, prefetched
from bench.engine.context import make_context
from bench.testing import make_clip

from .measure import Report

STEP = 0.010
"""Seconds of a step: what a fast GPU takes."""
SIZE = 256


def idle_time(report: Report, steps: int) -> None:
    """Let a network that only sleeps, as the processor does while a GPU computes, train on C3DSU's
    windows, and say which share of the time it waits for them.
    """
    report.section(f"drawing C3DSU's windows for a device that takes {STEP * 1e3:.0f} ms a step")
    method = PlainC3DSU(C3DSUParameters(pseudo="patch", size=SIZE))
    with tempfile.TemporaryDirectory() as folder:
        clips = []
        for number in (1, 2, 3):
            clip = make_clip(number, "train", method.frames, True)
            path = Path(folder, f"{number}.npy")
            np.save(path, clip.frames)
            frames = np.load(path, mmap_mode="r")
            clips.append(
                OpenClip(
                    clip.id, "train", clip.length, "made",
                    opener=lambda frames=frames: frames, tracks=clip.tracks,
                )
            )  # fmt: skip
        context = make_context(0, Compute("cpu"), Path(folder))
        for creator in method._creators:
            creator.prepare(clips, context)
        windows = [
            (number, start)
            for number, clip in enumerate(clips)
            for start in method.training_window.starts(clip.length, 1)
        ]
        for batch in (1, 2, int(method.parameters.batch)):
            per_epoch = len(windows) // batch
            order = batch_order(len(windows), batch, per_epoch, 0, 0, steps)
            drawn = prefetched(
                method, clips, windows, order, context, torch.device("cpu"), loaders=LOADERS
            )
            next(drawn)
            waited, began, worked = 0.0, time.perf_counter(), time.process_time()
            for _ in range(steps - 1):
                asked = time.perf_counter()
                next(drawn)
                waited += time.perf_counter() - asked
                time.sleep(STEP)
            share = waited / (time.perf_counter() - began)
            needed = (time.process_time() - worked) / (steps - 1) / STEP
            what = f"batch {batch}: waits, percent of the time"
            if batch == method.parameters.batch:
                report.goal(what, 100 * share, 5, " %", least=False)
            else:
                report.figure(what, 100 * share, " %")
            report.figure(f"batch {batch}: keeping up takes", needed, " cores")
