"""The 3D convolutional autoencoder of MemAE without its memory, Gong et al., 2019."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import nn

WIDTHS = (96, 128, 256, 256)
"""Channels of the four encoder layers (MemAE, code)."""


def channels_of(width: float) -> list[int]:
    """Return the channels of the four encoder layers at a width, 1 for the authors' network."""
    return [max(1, round(number * width)) for number in WIDTHS]


def block(convolution: nn.Module, channels: int) -> nn.Sequential:
    """Return a (transposed) convolution to `channels` with its normalisation and leaky ReLU."""
    return nn.Sequential(convolution, nn.BatchNorm3d(channels), nn.LeakyReLU(0.2))


class AutoEncoder3D(nn.Module):
    """Four strided 3D convolutions, and four transposed ones back; the last has no activation.

    Parameters
    ----------
    channels : of a frame, 1 or 3.
    width : factor of the channels 96, 128, 256, 256; 1 is the authors' network.
    """

    def __init__(self, channels: int = 1, width: float = 1.0) -> None:
        super().__init__()
        first, second, third, fourth = channels_of(width)
        # The outer layers keep the number of frames, the inner ones halve and double it too.
        self.encoder = nn.Sequential(
            block(nn.Conv3d(channels, first, 3, (1, 2, 2), 1), first),
            block(nn.Conv3d(first, second, 3, 2, 1), second),
            block(nn.Conv3d(second, third, 3, 2, 1), third),
            block(nn.Conv3d(third, fourth, 3, 2, 1), fourth),
        )
        self.decoder = nn.Sequential(
            block(nn.ConvTranspose3d(fourth, third, 3, 2, 1, 1), third),
            block(nn.ConvTranspose3d(third, second, 3, 2, 1, 1), second),
            block(nn.ConvTranspose3d(second, first, 3, 2, 1, 1), first),
            nn.ConvTranspose3d(first, channels, 3, (1, 2, 2), 1, (0, 1, 1)),
        )
        self.apply(initialise)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Return the reconstruction of (B, C, T, H, W) windows, of the same shape; T a multiple of
        8, H and W of 16.
        """
        return self.decoder(self.encoder(windows))


def initialise(module: nn.Module) -> None:
    """Draw weights as MemAE's code does: convolutions N(0, 0.02), normalisations N(1, 0.02) with
    bias 0.
    """
    if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm3d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def from_flat(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename the weights of authors' networks, in which convolution, normalisation and activation
    lie flat, one after the other.

    `encoder.3.weight` (MemAE) and `encoder.encoder.3.weight` (LNTRA, STEAL) become
    `encoder.1.0.weight`; other names stay.
    """

    def rename(name: str) -> str:
        found = re.fullmatch(r"(?:encoder\.|decoder\.)?(encoder|decoder)\.(\d+)\.(\w+)", name)
        if found is None:
            return name
        number, layer = divmod(int(found[2]), 3)
        # The last deconvolution stands alone here, without a block around it.
        place = f"{number}" if (found[1], number) == ("decoder", 3) else f"{number}.{layer}"
        return f"{found[1]}.{place}.{found[3]}"

    return {rename(name): tensor for name, tensor in weights.items()}
