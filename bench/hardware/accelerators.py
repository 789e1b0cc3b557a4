"""The few things that torch does otherwise for each kind of device: CUDA, XPU, MPS and others."""

from __future__ import annotations

import contextlib
from typing import Any

import torch


def pinned(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a tensor of the CPU where a device can fetch it while the CPU goes on."""
    if device.type in ("cpu", "mps"):  # whose memory is that of the CPU
        return tensor
    return tensor.pin_memory()


def on_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a tensor of the CPU, `pinned` before, on a device."""
    if device.type == "cpu":
        return tensor
    return tensor.to(device, non_blocking=device.type != "mps")


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all it was told."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def random_state(device: torch.device) -> torch.Tensor | None:
    """Return the state of the device's own random generator, on the CPU; None for the CPU, whose
    state is `torch.get_rng_state()`.
    """
    if device.type == "cpu":
        return None
    state: torch.Tensor = torch.get_device_module(device).get_rng_state(device)
    return state


def set_random_state(device: torch.device, state: torch.Tensor | None) -> None:
    """Give a device the state that `random_state` returned."""
    if device.type != "cpu" and state is not None:
        torch.get_device_module(device).set_rng_state(state, device)


def forked_random(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Return a context that leaves the random generators of CPU and device as they were."""
    if device.type == "cpu":
        return torch.random.fork_rng(devices=[])
    return torch.random.fork_rng(devices=[device.index or 0], device_type=device.type)


def peak_memory(device: torch.device) -> int | None:
    """Return the most memory that tensors had on the device, bytes; None where torch does not
    count it.
    """
    if device.type == "cpu":
        return None
    try:
        return torch.accelerator.max_memory_allocated(device)
    except (RuntimeError, NotImplementedError):
        return None
