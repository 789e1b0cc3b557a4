"""Weights, inputs and clips that tests of several methods are made with (golden values of networks
belong to them), and a look at shapes."""

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import nn

from bench import OpenClip
from bench.engine.batches import in_range, joined


def fill(network: nn.Module, gain: float) -> nn.Module:
    """Weights that do not depend on names or order: w_i = gain sin(0.7 i + 0.3) / sqrt(fan), biases
    0.01 cos(0.5 i); normalisations pass on."""
    network = network.double().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
            continue
        for parameter in module.parameters(recurse=False):
            index = torch.arange(parameter.numel(), dtype=torch.float64)
            if parameter.ndim == 1:
                parameter.data = 0.01 * torch.cos(0.5 * index)
            else:
                fan = parameter.numel() / parameter.shape[0]
                parameter.data = (gain * torch.sin(0.7 * index + 0.3) / math.sqrt(fan)).reshape(
                    parameter.shape
                )
    return network


def counted(method, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The batch with what its samples would say of their masks."""
    of_samples = [method.counted(mask) for mask in batch["mask"]]
    return batch | {name: torch.stack([one[name] for one in of_samples]) for name in of_samples[0]}


def watched(layers: Iterable[nn.Module]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """A list that fills with the shapes of what each layer is given and gives, in the order of
    their calls."""
    seen: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    for layer in layers:
        layer.register_forward_hook(
            lambda module, inputs, output: seen.append(
                (tuple(inputs[0].shape), tuple(output.shape))
            )
        )
    return seen


def wave(*shape: int, frequency: float = 0.11, phase: float = 0.0) -> torch.Tensor:
    return torch.sin(
        frequency * torch.arange(math.prod(shape), dtype=torch.float64) + phase
    ).reshape(shape)


def moving_square(length: int, size: int = 32) -> np.ndarray:
    frames = np.full((length, size, size), 60, dtype=np.uint8)
    for number in range(length):
        start = number % (size - 8)
        frames[number, 10:18, start : start + 8] = 200
    return frames


def clip_of(frames: np.ndarray, split: str = "train", name: str = "01") -> OpenClip:
    return OpenClip(name, split, len(frames), "made", opener=lambda: frames)


class Known(nn.Module):
    """A network whose error is known."""

    def __init__(self, residual: torch.Tensor) -> None:
        super().__init__()
        self.residual = residual

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        return windows - self.residual


def batch_of_samples(method, samples):
    """Join samples as the training loop does."""
    batch = joined(method, samples)
    return {name: in_range(method, tensor) for name, tensor in batch.items()}
