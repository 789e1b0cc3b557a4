"""The batches of a training: their order, and drawing them ahead of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from bench.contracts.method import Context, OpenClip
from bench.contracts.network_method import NetworkMethod

Batch = dict[str, torch.Tensor]

LOADERS = {"cpu": 1, "cuda": 4}
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


def in_range(method: NetworkMethod, tensor: torch.Tensor) -> torch.Tensor:
    """Return a part of a sample, or of a batch of samples, as the loss sees it: of frames, in
    uint8, their values in the method's range.
    """
    return method.to_range(tensor) if tensor.dtype == torch.uint8 else tensor


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
        batch = {}
        for name in samples[0]:
            parts = [sample[name] for sample in samples]
            if len({part.dtype for part in parts}) > 1:  # some samples gave frames, some their own
                parts = [in_range(method, part) for part in parts]
            tensor = torch.stack(parts)
            if device.type == "cuda":
                tensor = tensor.pin_memory().to(device, non_blocking=True)
            batch[name] = in_range(method, tensor)
        return batch

    with ThreadPoolExecutor(LOADERS.get(device.type, 1)) as pool:
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
