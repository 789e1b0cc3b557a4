"""What a network's cell costs, measured while it runs: operations a frame, frames a second, seconds
a step.
"""

from __future__ import annotations

import contextlib
import csv
import logging
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from bench.contracts.compute import Compute
from bench.contracts.network_method import NetworkMethod

Chunk = TypeVar("Chunk")


@dataclass
class Stopwatch:
    """Times the batches that the inference engine scores: reading from the frame store and the
    network, without what is kept of it.
    """

    batch: int = 0
    """Windows, or streamed frames, at once."""
    seconds: list[float] = field(default_factory=list)
    """Of each batch."""
    frames: list[int] = field(default_factory=list)
    """Scores that each gave."""

    def each(
        self, chunks: Iterator[tuple[np.ndarray, Chunk]], device: str
    ) -> Iterator[tuple[np.ndarray, Chunk]]:
        """Yield what `chunks` yields, and keep how long each took."""
        while True:
            began = time.perf_counter()
            chunk = next(chunks, None)
            if chunk is None:
                return
            if device != "cpu":
                import torch

                from bench.hardware.accelerators import synchronize

                synchronize(torch.device(device))
            self.seconds.append(time.perf_counter() - began)
            self.frames.append(len(chunk[0]))
            yield chunk

    @property
    def frames_a_second(self) -> float | None:
        """Scored frames a second: the median over the full batches after the first, which warms up;
        None where there are none.
        """
        full = max(self.frames, default=0)
        rates = [
            count / taken
            for count, taken in list(zip(self.frames, self.seconds))[1:]
            if count == full and taken > 0
        ]
        return statistics.median(rates) if rates else None


class FitClock:
    """Counts the seconds of the fit that a result comes from: those of earlier attempts up to the
    checkpoint that a training went on from, and those of this one; not what is done aside.
    """

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin to count, with nothing behind it."""
        self.before = 0.0
        """Seconds of earlier attempts behind the checkpoint."""
        self._aside = 0.0
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """What was counted so far."""
        return self.before + time.monotonic() - self._began - self._aside

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Do not count the block."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._aside += time.monotonic() - began


def seconds_a_step(history: Path) -> float | None:
    """Return the mean seconds of a training step in the last epoch of a training.csv, loading in;
    None where there is none.
    """
    try:
        with history.open(newline="") as file:
            last = list(csv.DictReader(file))[-1]
        return float(last["seconds"]) / (float(last["steps"]) + float(last["steps_refused"]))
    except (OSError, IndexError, KeyError, ValueError, ZeroDivisionError):
        return None


def gflops_a_frame(method: NetworkMethod, batch: int) -> float:
    """Return the 10^9 operations (a multiplication and an addition are two) that the network takes
    for each scored frame, without arithmetic.

    Counted by torch on tensors without data: those of convolutions and matrix products.

    Raises
    ------
    Exception : of any kind, where the code needs data.
    """
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.utils.flop_counter import FlopCounterMode

    assert method.frames is not None
    shape = (method.frames.channels, *method.frames.size)
    window = method.window
    with (
        torch.random.fork_rng(devices=[]),
        FakeTensorMode(allow_non_fake_inputs=True),
        torch.no_grad(),
    ):
        network = method.build().eval()
        if not method.streams:
            with FlopCounterMode(display=False) as counter:
                method.error(
                    network, {"window": torch.empty(batch, shape[0], window.length, *shape[1:])}
                )
            return counter.get_total_flops() / 1e9 / (batch * len(window.targets))
        state = method.start(network)
        for _ in range(window.span // batch + 2):
            with FlopCounterMode(display=False) as counter:
                _, state = method.next(network, state, torch.empty(batch, *shape))
        return counter.get_total_flops() / 1e9 / batch


def network_cost(
    method: NetworkMethod,
    stopwatch: Stopwatch,
    history: Path,
    logger: logging.Logger,
    compute: Compute,
) -> dict[str, float | str]:
    """Return what cell.json keeps of the cost of a network that was trained and has scored; what is
    not known is left out.

    Parameters
    ----------
    history : training.csv.
    compute : how it was computed.
    """
    assert method.network is not None and method.frames is not None
    cost: dict[str, float | str | None] = {
        "parameters": float(sum(parameter.numel() for parameter in method.network.parameters()))
    }
    try:
        cost["gflops_a_frame"] = gflops_a_frame(
            type(method)(method.parameters), stopwatch.batch or 1
        )
    except Exception as error:  # code that meets tensors without data can raise anything
        logger.info(
            "operations a frame are not counted: scoring needs data (%s: %s)",
            type(error).__name__,
            error,
        )
    cost["seconds_a_step"] = seconds_a_step(history)
    cost["frames_a_second"] = stopwatch.frames_a_second
    if cost["frames_a_second"] is not None:
        cost["frames_a_second_of"] = (
            f"batches of {stopwatch.batch} {'frames' if method.streams else 'windows'}, "
            f"{method.frames}, {compute.precision}{', compiled' if compute.compile else ''}, "
            f"{compute.device} of {compute.threads} thread{'s' * (compute.threads > 1)}; frames from the frame store, decoding out; "
            "the median of full batches after the first"
        )
    if compute.device != "cpu":
        import torch

        from bench.hardware.accelerators import peak_memory

        peak = peak_memory(torch.device(compute.device))
        cost["peak_memory_gpu"] = None if peak is None else float(peak)
    return {name: value for name, value in cost.items() if value is not None}
