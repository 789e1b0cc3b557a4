"""Statistics of batch normalisation that fit the weights a training ends with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch.optim.swa_utils import update_bn

from bench.contracts.method import Context, OpenClip
from bench.contracts.network_method import NetworkMethod
from bench.engine.batches import spread_windows
from bench.engine.precision import autocast
from bench.hardware.accelerators import forked_random


class PreciseBN:
    """Computes the statistics of batch normalisation anew, from normal training windows.

    Running statistics are an average over the last steps of a training, with the weights of each
    step. Where weights move fast they fit none of them, and the network in eval mode is another
    than the one that was trained. PreciseBN replaces them by statistics of up to
    `method.precise_bn` windows under the final weights (Wu and Johnson, Rethinking "Batch" in
    BatchNorm, 2021, section 3): the means of the batches' means and variances, as torch's
    `update_bn` computes them. The windows are spaced evenly over the training split, in batches of
    the size of training, each of which goes over all of the split. Nothing is drawn at random.
    """

    def __init__(
        self, method: NetworkMethod, clips: Sequence[OpenClip], context: Context, batch: int
    ) -> None:
        self.method, self.clips, self.context = method, clips, context
        windows = spread_windows(method, clips, method.precise_bn)
        batches = -(-len(windows) // -(-batch // context.compute.accumulate))
        self.batches = [windows[number::batches] for number in range(batches)]

    def apply(self, network: torch.nn.Module) -> None:
        """Replace the statistics of a network, and leave it in the mode that it was in."""
        if not self.batches:
            return
        device = torch.device(self.context.device)
        with forked_random(device), autocast(device, self.context.compute.precision):
            scored = _Scored(self.method, network).train(network.training)
            update_bn(self._windows(device), scored)

    @contextlib.contextmanager
    def applied(self, network: torch.nn.Module, kept: bool) -> Iterator[None]:
        """Replace the statistics of a network; afterwards they are `kept`, or those of its training
        again, so that it can go on.
        """
        buffers = [] if kept or not self.batches else list(network.buffers())
        before = [buffer.clone() for buffer in buffers]
        self.apply(network)
        try:
            yield
        finally:
            for buffer, value in zip(buffers, before):
                buffer.copy_(value)

    def _windows(self, device: torch.device) -> Iterator[torch.Tensor]:
        for number, batch in enumerate(self.batches):
            self.context.step(number, len(self.batches), "statistics of batch normalisation")
            yield torch.stack(
                [
                    self.method.read_window(self.clips[clip], start, self.method.window)
                    for clip, start in batch
                ]
            ).to(device)


class _Scored(torch.nn.Module):
    """A network that is called as the method scores with it, which is all that update_bn knows."""

    def __init__(self, method: NetworkMethod, network: torch.nn.Module) -> None:
        super().__init__()
        self.method, self.network = method, network

    def forward(self, windows: torch.Tensor) -> None:
        self.method.error(self.network, {"window": windows})
