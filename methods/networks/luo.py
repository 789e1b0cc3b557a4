"""The convolutional LSTM autoencoder of Luo et al., 2017: one decoder for the frame that came, one
for the frame before.
"""

from __future__ import annotations

import torch
from torch import nn

from .conv_lstm import ConvLSTM

WIDTHS = (128, 256, 512)
"""Channels of the three convolutions; the ConvLSTM has those of the last (code)."""


class ConvLSTMAutoEncoder(nn.Module):
    """Three strided convolutions for each frame, a ConvLSTM over the window, and two decoders of
    the same form.

    Parameters
    ----------
    width : factor of the channels 128, 256, 512; 1 is the authors' network.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        first, second, third = (max(1, round(number * width)) for number in WIDTHS)
        self.encoder = nn.Sequential(
            nn.Conv2d(1, first, 7, 4, 3),
            nn.ReLU(),
            nn.Conv2d(first, second, 5, 2, 2),
            nn.ReLU(),
            nn.Conv2d(second, third, 3, 2, 1),
            nn.ReLU(),
        )
        self.memory = ConvLSTM(third, third)
        self.current, self.past = (
            nn.Sequential(
                nn.ConvTranspose2d(third, second, 3, 2, 1),
                nn.ReLU(),
                nn.ConvTranspose2d(second, first, 5, 2, 2),
                nn.ReLU(),
                nn.ConvTranspose2d(first, 1, 7, 4, 3),
                nn.Tanh(),
            )
            for _ in range(2)
        )
        self.apply(initialise)

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """Return the features (N, C, h, w) of gray frames (N, 1, H, W); H and W of the form 16k +
        1, each frame by itself.
        """
        return self.encoder(frames)

    def decode(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return frames 0..T-1 and frames 0..T-2 of windows as `forward` does, from their features
        (B, T, C, h, w).
        """
        hidden = self.memory(features)
        batch, length = hidden.shape[:2]
        current = self.current(hidden.flatten(0, 1)).unflatten(0, (batch, length))
        past = self.past(hidden[:, 1:].flatten(0, 1)).unflatten(0, (batch, length - 1))
        return current.transpose(1, 2), past.transpose(1, 2)

    def forward(self, windows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return, of windows (B, 1, T, H, W), frames 0..T-1 from the state at their time, and
        frames 0..T-2 from the state one later.
        """
        batch, _, length = windows.shape[:3]
        features = self.encode(windows.transpose(1, 2).flatten(0, 1)).unflatten(0, (batch, length))
        return self.decode(features)


def initialise(module: nn.Module) -> None:
    """Draw weights uniformly after Glorot (Xavier), biases 0 (code)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
