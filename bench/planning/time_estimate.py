"""About how long cells will take, before anything runs.

Of each cell the best that is known: the seconds that an equal cell took; else, for a network, its
operations (`memory_estimate` counts them) over the speed of this machine, which a short probe
measures; else, for a method without a network, what it takes for some made frames.

The probe's speed is multiplied by `EFFICIENCY`. Measured on UCSD Ped2 in profile small (x86, the
cells of results/ped2-small): with one thread, cells of 14 networks took 0.5 to 3.1 times what is
estimated, median 0.9; with two threads up to 7 times. Networks of 3D convolutions with few channels
take the most.
"""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.contracts.clip import Split
from bench.contracts.compute import Compute
from bench.contracts.dataset import Dataset
from bench.contracts.method import Method, OpenClip
from bench.contracts.network_method import NetworkMethod
from bench.engine.context import make_context
from bench.planning.cells import PlannedCell
from bench.planning.earlier_durations import like
from bench.plugins.registry import Registry
from bench.plugins.selection import select_one

PROBE_SECONDS = 0.3
EFFICIENCY = 0.5
"""What networks reach of the speed of the probe: the median of those measured."""
TRIED = 32
"""Frames that a method without a network is tried with."""
START = 2.0
"""Seconds of a cell beside its work: measured, of cells of `constant`."""


def expected_seconds(
    cells: Sequence[PlannedCell], known: Mapping[tuple[Any, ...], float], registry: Registry
) -> dict[PlannedCell, tuple[float, bool]]:
    """Return the seconds that cells will take, and whether that is an estimate; without those of
    which nothing is known.

    Parameters
    ----------
    cells : networks with their `memory`.
    known : seconds of finished cells by `like`.
    """
    speeds: dict[Compute, float] = {}
    tried: dict[tuple[str, str], tuple[float, float] | None] = {}
    made: dict[tuple[str, str], Method] = {}
    frames: dict[tuple[int, str], tuple[list[int] | None, list[int] | None]] = {}
    found = {}
    for cell in cells:
        before = known.get(like(cell.record))
        if before is not None:
            found[cell] = before, False
            continue
        # The seeds of a row have these in common, and there may be thousands.
        key = cell.record.selector, cell.record.profile
        if key not in made:
            made[key] = select_one("methods", key[0], registry, key[1]).make()
        method, dataset = made[key], cell.dataset.dataset
        part = id(cell.dataset), cell.record.scene
        if part not in frames:
            frames[part] = (
                None if dataset is None else _lengths(dataset, "test", cell.record.scene),
                None if dataset is None else _lengths(dataset, "train", cell.record.scene),
            )
        test, train = frames[part]
        if test is None or ("train" in method.needs and train is None):
            continue
        if isinstance(method, NetworkMethod):
            if cell.memory is None or not cell.memory.frame_flops:
                continue
            compute = cell.spec.compute
            if compute not in speeds:
                speeds[compute] = EFFICIENCY * probe(compute)
            flops = cell.memory.frame_flops * sum(test)
            if cell.memory.step_flops:
                flops += cell.memory.step_flops * _steps(method, train or [])
            found[cell] = START + flops / speeds[compute], True
        else:
            if key not in tried:
                tried[key] = _seconds_a_frame(method)
            if (rates := tried[key]) is not None:
                found[cell] = START + rates[0] * sum(train or []) + rates[1] * sum(test), True
    return found


def _seconds_a_frame(method: Method) -> tuple[float, float] | None:
    """Return the seconds of fitting and of scoring a frame, tried with noise; None where that is
    not possible.
    """
    if "tracks" in method.needs:
        return None
    if not method.needs & {"frames", "train"} or method.frames is None:
        return 0.0, 0.0
    size, channels = method.frames.size, method.frames.channels
    shape = (TRIED, *size, 3) if channels == 3 else (TRIED, *size)
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    train, test = (
        OpenClip("01", split, TRIED, "made", opener=lambda: noise) for split in ("train", "test")
    )
    logger = logging.Logger("bench.time", logging.CRITICAL + 1)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the code says of noise is meant for nobody
        context = make_context(0, Compute("cpu"), Path(folder), logger)
        times = [time.process_time()]
        try:
            method.fit([train] if "train" in method.needs else [], context)
            times.append(time.process_time())
            method.score(test, context)
        except Exception:  # the code of a method can raise anything; its cell will tell
            return None
        times.append(time.process_time())
    fitting, scoring = np.diff(times) / TRIED
    return (float(fitting) if "train" in method.needs else 0.0), float(scoring)


def _steps(method: NetworkMethod, lengths: Sequence[int]) -> int:
    """Return the steps of a training on clips of these lengths, as `engine.training` makes them."""
    if method.steps is not None:
        return method.steps
    every = int(getattr(method.parameters, "every", 1))
    windows = sum(len(method.training_window.starts(length, every)) for length in lengths)
    batch = int(method.parameters.batch)
    return (method.epochs or 0) * (windows // batch if method.drop_last else -(-windows // batch))


def _lengths(dataset: Dataset, split: Split, scene: str) -> list[int] | None:
    """Return the frames of each clip that is here, those of videos as published; None where one is
    not known.
    """
    expected = dataset.expected.get(split, {})
    clips = [
        clip
        for clip in dataset.clips(split)
        if clip.source is not None and (not scene or clip.scene == scene)
    ]
    lengths = [clip.length or expected.get(clip.id) for clip in clips]
    known = [length for length in lengths if length is not None]
    return known if len(known) == len(lengths) else None


def probe(compute: Compute) -> float:
    """Return the operations a second of a small convolution, forward and backward: the best of
    those that fit into PROBE_SECONDS.
    """
    device = torch.device(compute.device)
    threads = torch.get_num_threads()
    torch.set_num_threads(compute.threads or threads)
    try:
        layer = torch.nn.Conv2d(32, 32, 3, padding=1).to(device)
        images = torch.ones(4, 32, 64, 64, device=device, requires_grad=True)
        flops = 3 * 2 * images.numel() * 32 * 9  # forward, and the gradients of weights and images
        # Processor time is the same on a machine that is busy just now.
        clock = time.process_time if device.type == "cpu" else time.perf_counter
        used = torch.get_num_threads() if device.type == "cpu" else 1
        least = float("inf")
        end = time.perf_counter() + PROBE_SECONDS
        while time.perf_counter() < end or least == float("inf"):
            began = clock()
            layer(images).sum().backward()
            assert layer.weight.grad is not None, "a layer without a gradient"
            float(layer.weight.grad.sum())  # waits for the device
            least = min(least, (clock() - began) / used)
    finally:
        torch.set_num_threads(threads)
    return flops / least
