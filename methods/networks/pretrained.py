"""Networks of torchvision that others trained and that stay as they are."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from bench import DataError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the RGB pictures on which torchvision trains, in 0..1."""

Network = TypeVar("Network")


class FrozenFeatures(nn.Module):
    """Features of frames, from a trunk that is never trained and always in eval mode."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, trunk: nn.Sequential) -> None:
        super().__init__()
        self.trunk = trunk
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(STD)[:, None, None])
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> FrozenFeatures:
        """Stay in eval mode: batch statistics of surveillance frames are not those that the weights
        belong to.
        """
        return super().train(False)

    def normalised(self, frames: torch.Tensor) -> torch.Tensor:
        """Return RGB frames (N, 3, H, W) in 0..1 as the trunk was trained on them."""
        return (frames - self.mean) / self.std

    def digest(self) -> bytes:
        """Return the SHA-256 of the trunk's weights, 32 bytes."""
        found = hashlib.sha256()
        for name, tensor in self.trunk.state_dict().items():
            found.update(name.encode())
            found.update(tensor.cpu().contiguous().numpy().tobytes())
        return found.digest()


def made_of_file(
    path: Path, network: str, make: Callable[[Mapping[str, torch.Tensor]], Network]
) -> Network:
    """Return what `make` makes of the weights in a file.

    Parameters
    ----------
    network : torchvision's name of it, for errors.

    Raises
    ------
    DataError : the file cannot be read as weights, or has those of another network.
    """
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        ValueError,
        KeyError,
        OSError,
    ) as error:
        raise DataError(
            f"{path} cannot be read as weights (a state dict of tensors): {_first_line(error)}"
        ) from error
    try:
        return make(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} has no weights of torchvision's {network}: {_first_line(error)}"
        ) from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
