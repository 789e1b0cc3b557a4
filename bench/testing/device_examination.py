"""Examines a device: `bench doctor --device cuda`, and `python -m benchmarks gpu`.

What a suite without a GPU cannot know: whether networks compute on the device what they compute on
the CPU, whether a training repeats and resumes there bit by bit, and what it costs there.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.contracts.compute import OPTIONS, Compute
from bench.contracts.method import Context, OpenClip
from bench.contracts.network_method import NetworkMethod
from bench.engine import precision as arithmetic
from bench.engine.batches import AHEAD, Batch, batch_order, prefetched
from bench.engine.context import make_context
from bench.engine.inference import infer
from bench.engine.out_of_memory import is_out_of_memory, release
from bench.engine.seeding import seed_everything
from bench.engine.training import gradients
from bench.errors import BenchError
from bench.planning.memory_estimate import PeakTensorBytes, estimate
from bench.plugins.registry import Registry
from bench.plugins.selection import profile_values
from bench.testing.device_findings import (
    GRADIENTS,
    LOSS,
    MEMORY,
    SCORES,
    Examination,
    Finding,
    device_facts,
)
from bench.testing.made import SEED, make_clip

PRECISIONS = next(option.metadata["choices"] for option in OPTIONS if option.name == "precision")


class _Stop(Exception):
    """Cuts a training off, as a kill does."""


def examine_device(
    device: str,
    registry: Registry,
    methods: Sequence[str] = (),
    profile: str = "small",
    seconds: float = 100.0,
    say: Callable[[str], None] = lambda text: None,
) -> Examination:
    """Examine a device with network methods on clips made in memory.

    Parameters
    ----------
    methods : names; all networks of the registry where none is given.
    profile : in which memory and speed are measured; all else is in profile smoke.
    seconds : what of the examination has not begun by then is left out, and said.
    say : told what is examined next.
    """
    found = Examination(device, device_facts(device))
    began = time.monotonic()
    classes = {
        name: cls
        for name, cls in registry.methods.items()
        if issubclass(cls, NetworkMethod)
        and not (cls.needs_parameters or cls.published_only)
        and (name in methods or not methods)
    }
    parts: list[tuple[str, Callable[[type[NetworkMethod]], Iterator[Finding]]]] = [
        ("conformance", lambda cls: _conformance(cls, device)),
        ("repetition", lambda cls: _repetition(cls, device)),
        ("memory", lambda cls: _memory(cls, device, profile)),
        ("speed", lambda cls: _speed(cls, device, profile)),
    ]
    for number, (part, examine) in enumerate(parts, start=1):
        left_out = []
        for name, cls in classes.items():
            if time.monotonic() - began > seconds * number / len(parts):
                left_out.append(name)
                continue
            say(f"{part}: {name}")
            try:
                method = _made(cls, "smoke")
                method.check("made")
                found.findings += examine(cls)
            except BenchError as error:
                found.findings.append(Finding(part, name, "note", f"not examined: {error}"))
            except Exception as error:  # an error of torch or of the driver is what is looked for
                state = "note" if is_out_of_memory(error) else "FAILED"
                first = (str(error).strip().splitlines() or [""])[0]
                text = f"{type(error).__name__}: {first}"
                found.findings.append(Finding(part, name, state, text))
            release()
        if left_out:
            text = f"no time for {', '.join(left_out)}"
            found.findings.append(Finding(part, "left out", "note", text))
    found.seconds = time.monotonic() - began
    return found


# -- the parts -------------------------------------------------------------------------------------


def _conformance(cls: type[NetworkMethod], device: str) -> Iterator[Finding]:
    """Compare a training step, and the scores of a clip, with those of the CPU."""
    with _ready(cls, "smoke") as (method, clips, context):
        seed_everything(SEED)
        network = method.build()
        steps = []
        for place in ("cpu", device):
            here = replace(context, compute=Compute(place))
            trained = copy.deepcopy(network).to(place).train()
            steps.append(_step(method, trained, clips, here))
        (loss, grads), (loss_there, grads_there) = steps
        differences = [
            ("loss", abs(loss_there - loss) / max(abs(loss), 1e-12), LOSS),
            ("gradients", _difference(grads_there, grads), GRADIENTS),
        ]
        scored = []
        for place in ("cpu", device):
            method.network = copy.deepcopy(network).eval()
            seed_everything(SEED)
            clip = make_clip(1, "test", method.frames, False)
            scored.append(infer(method, clip, replace(context, compute=Compute(place))).values)
        differences.append(("scores", _difference(scored[1], scored[0]), SCORES))
    wrong = [name for name, value, limit in differences if not value <= limit]
    text = ", ".join(f"{name} {value:.1e}" for name, value, _ in differences)
    yield Finding("conformance", cls.name, "FAILED" if wrong else "ok", text)


def _step(
    method: NetworkMethod, network: torch.nn.Module, clips: Sequence[OpenClip], context: Context
) -> tuple[float, np.ndarray]:
    """Return the loss of the first batch, and all gradients."""
    for module in network.modules():  # devices draw other numbers for it
        if isinstance(module, torch.nn.modules.dropout._DropoutNd):
            module.p = 0.0
    seed_everything(SEED)
    given = gradients(
        method, network, method.optimiser(network), _batch(method, clips, context), context
    )
    if not given:
        raise BenchError("it has no loss for the first batch")
    grads = [one.grad.flatten().cpu() for one in network.parameters() if one.grad is not None]
    return float(given[0][1]["loss"]), torch.cat(grads).numpy()


def _repetition(cls: type[NetworkMethod], device: str) -> Iterator[Finding]:
    """Train twice with one seed, and once cut off and resumed: all three end with equal weights."""
    weights = []
    for way in ("once", "again", "cut off"):
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = Path(folder, "checkpoint.pt")
            for attempt in range(2 if way == "cut off" else 1):
                cut = way == "cut off" and attempt == 0
                seed_everything(SEED)
                method = _made(cls, "smoke")

                def step(done: int, total: int, what: str, cut: bool = cut) -> None:
                    if cut and what.startswith("training") and done > max(1, total // 2):
                        raise _Stop

                context = make_context(
                    SEED, Compute(device), Path(folder), step=step, checkpoint=checkpoint
                )
                with contextlib.suppress(_Stop):
                    method.fit(_clips(method), context)
            assert method.network is not None
            parameters = [one.detach().flatten().cpu() for one in method.network.parameters()]
            weights.append(torch.cat([one.float() for one in parameters]))
    same = [bool(torch.equal(weights[0], other)) for other in weights[1:]]
    text = ", ".join(
        f"{what}: {'equal' if one else 'DIFFERENT'} weights"
        for what, one in zip(("same seed twice", "resumed"), same, strict=True)
    )
    yield Finding("repetition", cls.name, "ok" if all(same) else "FAILED", text)


def _memory(cls: type[NetworkMethod], device: str, profile: str) -> Iterator[Finding]:
    """Compare the bytes alive in two training steps with those predicted."""
    expected = estimate(_made(cls, profile), Compute(device))
    if expected.unknown or not expected.training:
        return
    with _ready(cls, profile) as (method, clips, context):
        context = replace(context, compute=Compute(device))
        on_cpu = device == "cpu"
        if not on_cpu:
            torch.cuda.reset_peak_memory_stats(device)
        batch = _batch(method, clips, context)
        network = method.build().to(device).train()
        optimiser = method.optimiser(network)
        # Counted only on a CPU: the count costs time, and a GPU's allocator counts by itself.
        with PeakTensorBytes() if on_cpu else contextlib.nullcontext() as counted:
            if counted is not None:
                counted.hold([batch, list(network.parameters()), list(network.buffers())])
            for _ in range(2):
                gradients(method, network, optimiser, batch, context)
                optimiser.step()
    used = torch.cuda.max_memory_allocated(device) if counted is None else counted.most
    # On a CPU the batches that are drawn ahead are counted too, which wait for nobody here.
    predicted = expected.training - ((AHEAD + 1) * _raw(method, clips) if on_cpu else 0)
    low, high = MEMORY
    fits = low <= used / predicted <= high
    yield Finding(
        "memory",
        cls.name,
        "ok" if fits else "FAILED",
        f"training, batch {method.parameters.batch}: predicted {predicted / 2**20:.0f} MB, used "
        f"{used / 2**20:.0f} MB ({used / predicted:.2f})",
    )


def _speed(cls: type[NetworkMethod], device: str, profile: str) -> Iterator[Finding]:
    """Measure windows a second in training and frames a second in scoring, in each precision."""
    with _ready(cls, profile) as (method, clips, context):
        seed_everything(SEED)
        fresh = method.build()
        clip = make_clip(1, "test", method.frames, False)
        base = None
        for name in PRECISIONS:
            compute = Compute(device, precision=name)
            if lacks := [*arithmetic.missing(compute), *filter(None, [method.refusal(compute)])]:
                reason = lacks[0].partition("; ")[0]
                yield Finding("speed", f"{cls.name}, {name}", "note", reason)
                continue
            here = replace(context, compute=compute)
            network = arithmetic.laid_out(method, copy.deepcopy(fresh).to(device), name).train()
            optimiser = method.optimiser(network)
            batch = _batch(method, clips, here)

            def step(
                network: Any = network, optimiser: Any = optimiser, batch: Batch = batch,
                here: Context = here,
            ) -> None:  # fmt: skip
                gradients(method, network, optimiser, batch, here)
                optimiser.step()

            windows = int(method.parameters.batch) / _seconds(step, device)
            method.network = copy.deepcopy(fresh).eval()
            scores = infer(method, clip, here).values
            taken = _seconds(functools.partial(infer, method, clip, here), device)
            base = scores if base is None else base
            text = f"trains {windows:.0f} windows/s, scores {len(scores) / taken:.0f} frames/s"
            if name != PRECISIONS[0]:
                text += f"; scores differ from {PRECISIONS[0]} by {_difference(scores, base):.1e}"
            yield Finding("speed", f"{cls.name}, {name}", "note", text)


# -- what they share -------------------------------------------------------------------------------


def _made(cls: type[NetworkMethod], profile: str) -> NetworkMethod:
    return cls(cls.Parameters(**profile_values(cls, profile)))


def _clips(method: NetworkMethod) -> list[OpenClip]:
    return [make_clip(n, "train", method.frames, "tracks" in method.needs) for n in (1, 2)]


@contextlib.contextmanager
def _ready(
    cls: type[NetworkMethod], profile: str
) -> Iterator[tuple[NetworkMethod, list[OpenClip], Context]]:
    """Give a method that has done what its `fit` does before training, its clips, and a context."""
    seed_everything(SEED)
    method = _made(cls, profile)
    clips = _clips(method)
    folder = Path(tempfile.mkdtemp())
    try:
        context = make_context(SEED, Compute("cpu"), folder)

        def stop(method: NetworkMethod, clips: Sequence[OpenClip], context: Context) -> None:
            method.stats = method.stats or method.statistics(clips)
            raise _Stop

        context.train = stop
        with contextlib.suppress(_Stop):
            method.fit(clips, context)
        yield method, clips, context
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _batch(method: NetworkMethod, clips: Sequence[OpenClip], context: Context) -> Batch:
    """Return the first batch of a training, on the context's device."""
    windows = [
        (number, start)
        for number, clip in enumerate(clips)
        for start in method.training_window.starts(clip.length, 1)
    ]
    order = batch_order(len(windows), int(method.parameters.batch), 1, SEED, 0, 1)
    device = torch.device(context.device)
    ((_, batch),) = prefetched(method, clips, windows, order, context, device)
    return batch


def _raw(method: NetworkMethod, clips: Sequence[OpenClip]) -> int:
    """Return the bytes of a batch as it is drawn."""
    sample = method.sample(clips[0], 0, np.random.default_rng(0))
    return int(method.parameters.batch) * sum(part.nbytes for part in sample.values())


def _seconds(action: Callable[[], object], device: str) -> float:
    """Return the median seconds of an action after one that warms up: of five, or of those that
    begin within a second.
    """
    taken: list[float] = []
    action()
    while not taken or (len(taken) < 5 and sum(taken) < 1.0):
        _wait(device)
        began = time.perf_counter()
        action()
        _wait(device)
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference over the largest value."""
    largest = float(np.abs(expected).max(initial=0.0))
    return float(np.abs(found - expected).max(initial=0.0)) / max(largest, 1e-12)
