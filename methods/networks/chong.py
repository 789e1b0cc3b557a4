"""The spatiotemporal autoencoder of Chong and Tay, 2017, with tanh behind its convolutions, as in
public reimplementations.
"""

from __future__ import annotations

import torch
from torch import nn

from .conv_lstm import ConvLSTM

WIDTHS = (128, 64, 32)
"""Channels of the two convolutions, and of the narrowest ConvLSTM."""


class SpatioTemporalAutoEncoder(nn.Module):
    """Two strided convolutions for each frame, three ConvLSTMs over the window, and two transposed
    convolutions back.

    Parameters
    ----------
    width : factor of the channels 128, 64, 32.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        first, second, third = (max(1, round(number * width)) for number in WIDTHS)
        self.encoder = nn.Sequential(
            nn.Conv2d(1, first, 11, 4), nn.Tanh(), nn.Conv2d(first, second, 5, 2), nn.Tanh()
        )
        self.memory = nn.Sequential(
            ConvLSTM(second, second), ConvLSTM(second, third), ConvLSTM(third, second)
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(second, first, 5, 2),
            nn.Tanh(),
            nn.ConvTranspose2d(first, 1, 11, 4),
            nn.Tanh(),
        )

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Return the reconstruction of windows (B, 1, T, H, W), of the same shape, in -1..1; H and
        W of the form 8k + 19.
        """
        batch, _, length = windows.shape[:3]
        features = self.encoder(windows.transpose(1, 2).flatten(0, 1)).unflatten(0, (batch, length))
        output = self.decoder(self.memory(features).flatten(0, 1)).unflatten(0, (batch, length))
        return output.transpose(1, 2)
