"""MemAE, Gong et al., 2019: the 3D autoencoder with a memory between encoder and decoder."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from .autoencoder_3d import AutoEncoder3D, channels_of, from_flat
from .memory import Memory


class MemoryAutoEncoder3D(AutoEncoder3D):
    """The 3D autoencoder whose decoder sees nothing but what the memory holds.

    Parameters
    ----------
    channels, width : as of AutoEncoder3D.
    items, shrinkage : as of Memory.
    """

    def __init__(
        self, channels: int = 1, width: float = 1.0, items: int = 2000, shrinkage: float = 0.0025
    ) -> None:
        super().__init__(channels, width)
        self.memory = Memory(items, channels_of(width)[-1], shrinkage)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Return the reconstruction of (B, C, T, H, W) windows, of the same shape; T a multiple of
        8, H and W of 16.
        """
        read, _ = self.memory(self.encoder(windows))
        return self.decoder(read)


def from_authors(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename the weights of the authors' network."""
    named = {
        "memory.items" if name == "mem_rep.memory.weight" else name: tensor
        for name, tensor in weights.items()
    }
    return from_flat(named)
