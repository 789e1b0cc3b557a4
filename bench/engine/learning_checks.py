"""Whether a network learns: how much of the training frames it explains, and what a training
refuses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from bench.contracts.method import Context, OpenClip
from bench.contracts.network_method import NetworkMethod
from bench.engine.batches import spread_windows
from bench.engine.precision import autocast
from bench.errors import DidNotLearn
from bench.hardware.accelerators import forked_random

WINDOWS = 32
"""Windows that the errors are taken on."""
BATCH = 4
"""Most windows at once: it happens beside the state of the training, which may leave little
memory."""
FRAMES = 128
"""Windows whose target frames make the mean frame. With so few, the error is at most 1/128 of the
variance too high."""


class ExplainedVariance:
    """1 - (error of the reconstruction / error of the mean training frame).

    Both errors are mean squares over the pixels of the target frames of up to WINDOWS training
    windows, as they are scored; the mean frame is that of the target frames of up to FRAMES
    training windows. Both samples are spaced evenly over the training split. 1: all is explained;
    0: no better than to answer the mean frame, whatever is asked. Chosen here; there is no source.

    Nothing is drawn at random, and the network is in eval mode meanwhile, so that the training
    stays what it was, bit by bit.
    """

    def __init__(
        self,
        method: NetworkMethod,
        clips: Sequence[OpenClip],
        context: Context,
    ) -> None:
        self.method, self.clips, self.context = method, clips, context
        self.of_mean: float | None = None
        """The mean frame's error; None before it is needed."""
        self.reconstructs = True
        """Until a network is seen to give no reconstruction."""

    def of(self, network: torch.nn.Module) -> float | None:
        """Return what a network in train mode explains; None where it gives no reconstruction, or
        all frames are alike.
        """
        if not self.reconstructs or not self._windows(1) or self.of_mean == 0:
            return None
        network.eval()
        try:
            with forked_random(torch.device(self.context.device)), torch.no_grad():
                error = self._error(network)
                if error is None:
                    self.reconstructs = False
                    return None
                if self.of_mean is None:
                    self.of_mean = self._error_of_mean()
        finally:
            network.train()
        found = 1 - error / self.of_mean if self.of_mean else math.nan
        return found if math.isfinite(found) else None

    def _windows(self, most: int) -> list[tuple[int, int]]:
        return spread_windows(self.method, self.clips, most)

    def _read(self, place: tuple[int, int]) -> torch.Tensor:
        """Return a window (C, T, H, W)."""
        number, start = place
        return self.method.read_window(self.clips[number], start, self.method.window)

    def _targets(self, windows: torch.Tensor) -> torch.Tensor:
        """Return the target frames (..., targets, C, H, W) of (..., C, T, H, W)."""
        return windows.transpose(-4, -3)[..., list(self.method.window.targets), :, :, :]

    def _error(self, network: torch.nn.Module) -> float | None:
        device = torch.device(self.context.device)
        errors = []
        places = self._windows(WINDOWS)
        batch = min(BATCH, self.context.compute.scoring_batch)
        for first in range(0, len(places), batch):
            self.context.step(first, len(places), "what is explained of the training frames")
            windows = torch.stack([self._read(place) for place in places[first : first + batch]])
            with autocast(device, self.context.compute.precision):
                terms = self.method.error(network, {"window": windows.to(device)})
            if "reconstruction" not in terms:
                return None
            difference = terms["reconstruction"].cpu().double() - self._targets(windows)
            errors.append(difference.square().flatten(1).mean(dim=1))
        return float(torch.cat(errors).mean())

    def _error_of_mean(self) -> float:
        mean = torch.stack(
            [
                self._targets(self._read(place)).double().mean(dim=0)
                for place in self._windows(FRAMES)
            ]
        ).mean(dim=0)
        return float(
            np.mean(
                [
                    float((self._targets(self._read(place)) - mean).square().mean())
                    for place in self._windows(WINDOWS)
                ]
            )
        )


def refuse_infinite(method: NetworkMethod, loss: torch.Tensor, step: int, per_epoch: int) -> None:
    """Refuse a loss that is not finite.

    Raises
    ------
    DidNotLearn : it is not.
    """
    if not torch.isfinite(loss):
        raise DidNotLearn(
            f"{method.name}: the loss is {loss.item()} in epoch {step // per_epoch + 1}, step "
            f"{step + 1}; try a lower learning_rate"
        )


def has_no_gradient(network: torch.nn.Module) -> bool:
    """Whether the gradients of all weights are zero."""
    return not any(
        parameter.grad is not None and bool(parameter.grad.any())
        for parameter in network.parameters()
    )


def refuse_constant(
    method: NetworkMethod,
    clips: Sequence[OpenClip],
    windows: Sequence[tuple[int, int]],
    device: torch.device,
) -> None:
    """Refuse a network that answers all of up to four spread training windows with the same output.

    Raises
    ------
    DidNotLearn : it does, or its output is not finite.
    """
    assert method.network is not None
    spread = [
        windows[index]
        for index in np.linspace(0, len(windows) - 1, num=min(4, len(windows))).astype(int)
    ]
    starts = [
        (clips[number], min(start, clips[number].length - method.window.span))
        for number, start in spread
    ]
    inputs = torch.stack(
        [method.read_window(clip, start, method.window) for clip, start in starts if start >= 0]
    ).to(device)
    if len(inputs) < 2 or bool((inputs == inputs[:1]).all()):
        return
    with torch.inference_mode():
        terms = method.error(method.network, {"window": inputs})
    watched = terms.get("reconstruction")
    if watched is None:
        watched = torch.cat(
            [term.reshape(len(inputs), -1) for name, term in terms.items() if name != "map"], dim=1
        )
    if not bool(torch.isfinite(watched).all()):
        raise DidNotLearn(
            f"{method.name}: the trained network's output is not finite; try a lower learning_rate"
        )
    if float((watched.float() - watched[:1].float()).abs().max()) < 1e-6:
        raise DidNotLearn(
            f"{method.name}: the trained network's output is the same for all inputs; try a lower "
            "learning_rate or more epochs"
        )
