"""The batches of a training: their order, and drawing them ahead of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from bench.contracts.method import Context, OpenClip
from bench.contracts.network_method import NetworkMethod
from bench.engine.accelerators import on_device

Batch = dict[str, torch.Tensor]

LOADERS_FOR_CPU, LOADERS_FOR_ACCELERATOR = 1, 4
"""Threads that prepare samples ahead. On a CPU they take time from the network itself."""
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


def prefetched(
    method: NetworkMethod,
    clips: Sequence[OpenClip],
    windows: Sequence[tuple[int, int]],
    order: Iterator[tuple[int, int, np.ndarray]],
    context: Context,
    device: torch.device,
) -> Iterator[tuple[int, Batch]]:
    """Yield (step, batch on the device); the next batches are drawn in threads while the network
    works.
    """

    def draw(epoch: int, index: int) -> Batch:
        clip, start = windows[index]
        # The third number keeps these draws apart from the order of the epoch.
        return method.sample(
            clips[clip], start, np.random.default_rng([context.seed, epoch, 1 + index])
        )

    def collate(samples: list[Batch]) -> Batch:
        batch = {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}
        return {
            name: tensor if name in method.on_cpu else on_device(tensor, device)
            for name, tensor in batch.items()
        }

    loaders = LOADERS_FOR_CPU if device.type == "cpu" else LOADERS_FOR_ACCELERATOR
    with ThreadPoolExecutor(loaders) as pool:
        waiting: list[tuple[int, list[Any]]] = []
        try:
            for step, epoch, indices in order:
                waiting.append((step, [pool.submit(draw, epoch, int(index)) for index in indices]))
                if len(waiting) > AHEAD:
                    number, futures = waiting.pop(0)
                    yield number, collate([future.result() for future in futures])
            for number, futures in waiting:
                yield number, collate([future.result() for future in futures])
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
