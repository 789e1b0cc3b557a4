"""Scoring and training of C3DSU at 256x256 against the plain per-window forward and step, and the
share of the machine's rate.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench.methods.c3dsu import C3DSUParameters, PlainC3DSU
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from bench import OpenClip
from bench.contracts.compute import Compute
from bench.engine import precision as arithmetic
from bench.engine.context import make_context
from bench.engine.inference import infer
from bench.engine.training import gradients

from . import plain
from .measure import Report, alternate

SIZE = 256


def _method(latent: int) -> PlainC3DSU:
    torch.manual_seed(0)
    method = PlainC3DSU(C3DSUParameters(latent=latent))
    network = method.network = method.build().eval()
    for module in network.modules():  # a fresh network answers nearly the same to everything
        if (
            isinstance(module, torch.nn.BatchNorm2d)
            and module.running_mean is not None
            and module.running_var is not None
        ):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.01, 0.1)
    return method


def _frames(count: int) -> np.ndarray:
    """Return (N, H, W, 3) uint8: a bright block that moves over noise."""
    generator = np.random.default_rng(0)
    frames = generator.integers(0, 120, (count, SIZE, SIZE, 3), dtype=np.uint8)
    for number, frame in enumerate(frames):
        frame[100:140, 5 * number % 200 :][:, :40] = 250
    return frames


def _context(precision: str = "fp32", compiled: bool = False) -> Any:
    compute = Compute("cpu", precision=precision, compile=compiled)
    return make_context(0, compute, Path(tempfile.gettempdir()))


def _can(report: Report, precision: str = "fp32", compiled: bool = False) -> bool:
    found = arithmetic.missing(Compute("cpu", precision=precision, compile=compiled))
    for text in found:
        report.say("left out", text)
    return not found


def scoring(
    report: Report,
    latent: int,
    frames: int,
    repeats: int,
    compiled: bool,
    goals: tuple[float, float],
) -> dict[str, float]:
    """Compare clips scored by the engine with clips scored window by window; return the seconds a
    frame of each way.
    """
    report.section(
        f"scoring a clip of {frames} frames, C3DSU latent {latent}, {SIZE}x{SIZE}, RGB, from uint8 to scores"
    )
    method, images = _method(latent), _frames(frames)
    clip = OpenClip("01", "test", frames, "made", opener=lambda: images)
    network = plain.PlainC3DSU(method.network)  # type: ignore[arg-type]
    ways: dict[str, Callable[[], Any]] = {
        "plain, one window at a time": lambda: plain.plain_scores(network, images, 1),
        "plain, four windows at a time": lambda: plain.plain_scores(network, images, 4),
        "fp32": lambda: infer(method, clip, _context()),
    }
    if latent > 64:
        del ways["plain, four windows at a time"]
    if _can(report, "bf16"):
        ways["bf16"] = lambda: infer(method, clip, _context("bf16"))
        if compiled and _can(report, compiled=True):
            other = copy.copy(method)  # the compiled form is kept beside the network
            other.network = copy.deepcopy(method.network)
            ways["bf16, compiled"] = lambda: infer(other, clip, _context("bf16", True))
    expected = np.array(plain.plain_scores(network, images, 1))
    found = infer(method, clip, _context()).values
    report.say(
        "fp32 scores against plain ones, largest relative difference",
        f"{np.abs(found / expected - 1).max():.1e}",
    )
    seconds = {name: value / (frames - 2) for name, value in alternate(ways, repeats).items()}
    for name, value in seconds.items():
        report.figure(name, value, " s a frame")
    base = min(value for name, value in seconds.items() if name.startswith("plain"))
    report.goal(f"scoring, latent {latent}, fp32, exact", base / seconds["fp32"], goals[0])
    fast = {name: value for name, value in seconds.items() if name.startswith("bf16")}
    if fast:
        best = min(fast, key=lambda name: fast[name])
        report.goal(f"scoring, latent {latent}, {best}", base / fast[best], goals[1])
    return seconds


def training(
    report: Report,
    latent: int,
    batch: int,
    size: int,
    repeats: int,
    compiled: bool,
    goals: tuple[float, ...],
) -> float:
    """Compare training steps of the harness with plain ones; return the seconds a step in fp32."""
    report.section(
        f"training, C3DSU latent {latent} on normal windows, {size}x{size}, RGB, batch {batch}"
    )
    torch.manual_seed(0)
    windows = torch.rand(batch, 3, 3, size, size)

    def plainly() -> Callable[[], Any]:
        network = plain.PlainC3DSU(_method(latent).network).train()  # type: ignore[arg-type]
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
        return lambda: plain.plain_step(network, optimiser, windows)

    def harness(precision: str = "fp32", compiled: bool = False) -> Callable[[], Any]:
        method, context = _method(latent), _context(precision)
        network = method.network
        assert network is not None
        network.train()
        if compiled:
            arithmetic.compile_network(method, network)
        optimiser = method.optimiser(network)

        def step() -> None:
            gradients(method, network, optimiser, {"window": windows}, context)
            optimiser.step()

        return step

    ways = {"plain": plainly(), "fp32": harness()}
    if goals[1:] and _can(report, "bf16"):
        ways["bf16"] = harness("bf16")
        if compiled and _can(report, compiled=True):
            ways["bf16, compiled"] = harness("bf16", True)
    seconds = alternate(ways, repeats)
    for name, value in seconds.items():
        report.figure(name, value / batch, " s a sample")
    for (name, value), goal in zip(list(seconds.items())[1:], goals):
        report.goal(f"training, latent {latent}, {name}", seconds["plain"] / value, goal)
    return seconds["fp32"]


def share(
    report: Report,
    latent: int,
    seconds_a_frame: float,
    seconds_a_step: float,
    batch: int,
    repeats: int,
) -> None:
    """Say which share of the rate of one large convolution and one large matrix product scoring and
    training reach, in fp32.
    """
    report.section("share of the machine's rate, fp32")
    inputs, weight, matrix = (
        torch.rand(8, 256, 64, 64),
        torch.rand(256, 256, 3, 3),
        torch.rand(2048, 2048),
    )
    large: dict[str, tuple[float, Callable[[], Any]]] = {
        "one large convolution (256 to 256 channels, 3x3, 64x64, batch 8)": (
            2 * 8 * 64 * 64 * 256 * 256 * 9,
            lambda: torch.nn.functional.conv2d(inputs, weight, padding=1),
        ),
        "one large matrix product (2048x2048)": (2 * 2048**3, lambda: matrix @ matrix),
    }
    with torch.inference_mode():
        seconds = alternate({name: action for name, (_, action) in large.items()}, repeats)
    rates = {name: flops / seconds[name] for name, (flops, _) in large.items()}
    for name, rate in rates.items():
        report.say(name, f"{rate / 1e9:.0f} GFLOP/s")
    with FakeTensorMode(allow_non_fake_inputs=True):  # shapes without data: nothing is computed
        method = PlainC3DSU(C3DSUParameters(latent=latent))
        network = method.build()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            features = network.encode(torch.empty(1, 3, SIZE, SIZE))
            network.decode([torch.cat([level] * 3, dim=1) for level in features])
        a_frame = counter.get_total_flops()
        with FlopCounterMode(display=False) as counter:
            network(torch.empty(1, 3, 3, SIZE, SIZE)).sum().backward()
        a_sample = counter.get_total_flops()
    for what, flops, taken in (
        ("scoring", a_frame, seconds_a_frame),
        ("training", a_sample * batch, seconds_a_step),
    ):
        rate = flops / taken
        report.say(
            f"{what}, latent {latent}: {flops / 1e9:.1f} GFLOP in {taken:.3f} s",
            f"{rate / 1e9:.0f} GFLOP/s",
        )
        for name, value in rates.items():
            report.limit(f"{what}, of {name.split(' (')[0]}", rate / value, name)
