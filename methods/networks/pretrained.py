"""Networks of torchvision that others trained and that stay as they are."""

from __future__ import annotations

import hashlib

import torch
from torch import nn

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the RGB images on which torchvision trains, in 0..1."""


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
