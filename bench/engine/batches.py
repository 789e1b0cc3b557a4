"""The batches of a training: their order, and drawing them ahead of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from bench.contracts.method import Context, OpenClip
from bench.contracts.network_method import NetworkMethod
from bench.hardware.accelerators import on_device, pinned

Batch = dict[str, torch.Tensor]

LOADERS = 4
"""Threads, at least, that draw samples for a device other than the CPU, where one does: more would
take time from the network itself."""
AHEAD = 2
"""Batches whose samples are drawn while the network works on another."""


def batch_order(
    count: int, size: int, per_epoch: int, seed: int, first: int, total: int
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield (step, epoch, window indices). The order of an epoch depends on seed and epoch alone,
    so that resuming is exact.
    """
    order, epoch_of_order = np.empty(0, dtype=int), -1
    for step in range(first, total):
        epoch, position = divmod(step, per_epoch)
        if epoch != epoch_of_order:
            order, epoch_of_order = np.random.default_rng([seed, epoch]).permutation(count), epoch
        yield step, epoch, order[position * size : (position + 1) * size]


def in_range(method: NetworkMethod, tensor: torch.Tensor) -> torch.Tensor:
    """Return a part of a sample, or of a batch of samples, as the loss sees it: of frames, in
    uint8, their values in the method's range.
    """
    return method.to_range(tensor) if tensor.dtype == torch.uint8 else tensor


def joined(method: NetworkMethod, samples: Sequence[Batch]) -> Batch:
    """Return samples as one batch, its frames still in uint8; where only some samples give frames,
    all are in the method's value range.
    """
    batch = {}
    for name in samples[0]:
        parts = [sample[name] for sample in samples]
        if len({part.dtype for part in parts}) > 1:
            parts = [in_range(method, part) for part in parts]
        batch[name] = torch.stack(parts)
    return batch


def prefetched(
    method: NetworkMethod,
    clips: Sequence[OpenClip],
    windows: Sequence[tuple[int, int]],
    order: Iterator[tuple[int, int, np.ndarray]],
    context: Context,
    device: torch.device,
    loaders: int | None = None,
) -> Iterator[tuple[int, Batch]]:
    """Yield (step, batch on the device); the next batches are drawn in threads while the network
    works.

    Parameters
    ----------
    loaders : threads that draw; None: as many as the device needs.
    """

    def draw(epoch: int, index: int) -> Batch:
        clip, start = windows[index]
        # The third number keeps these draws apart from the order of the epoch.
        return method.sample(
            clips[clip], start, np.random.default_rng([context.seed, epoch, 1 + index])
        )

    def join(drawn: list[Future[Batch]]) -> Batch:
        batch = joined(method, [one.result() for one in drawn])
        return {
            name: tensor if name in method.on_cpu else pinned(tensor, device)
            for name, tensor in batch.items()
        }

    def moved(batch: Batch) -> Batch:
        return {
            name: in_range(method, tensor if name in method.on_cpu else on_device(tensor, device))
            for name, tensor in batch.items()
        }

    if loaders is None:
        loaders = 1 if device.type == "cpu" else max(LOADERS, context.compute.threads)
    # Joining has a thread of its own, or the network would wait for it.
    with ThreadPoolExecutor(loaders) as pool, ThreadPoolExecutor(1) as joiner:
        waiting: list[tuple[int, Future[Batch]]] = []
        try:
            for step, epoch, indices in order:
                drawn = [pool.submit(draw, epoch, int(index)) for index in indices]
                waiting.append((step, joiner.submit(join, drawn)))
                if len(waiting) > AHEAD:
                    number, batch = waiting.pop(0)
                    yield number, moved(batch.result())
            while waiting:
                number, batch = waiting.pop(0)
                yield number, moved(batch.result())
        finally:
            # The samples first: the joiner waits for them.
            pool.shutdown(wait=False, cancel_futures=True)
            joiner.shutdown(wait=False, cancel_futures=True)


def spread_windows(
    method: NetworkMethod, clips: Sequence[OpenClip], most: int
) -> list[tuple[int, int]]:
    """Return (clip, first frame) of up to `most` windows, as they are scored, spaced evenly over
    all clips.
    """
    places = [
        (number, start)
        for number, clip in enumerate(clips)
        for start in method.window.starts(clip.length)
    ]
    chosen = np.linspace(0, len(places) - 1, min(most, len(places))).round().astype(int)
    return [places[index] for index in chosen]
