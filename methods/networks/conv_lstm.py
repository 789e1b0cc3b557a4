"""A convolutional LSTM cell, and its run over a window."""

from __future__ import annotations

import torch
from torch import nn


class ConvLSTM(nn.Module):
    """An LSTM whose products are convolutions; gates in the order input, forget, output, candidate,
    no peepholes (Luo et al. 2017, code).

    The convolution of the input has the one bias of the four gates, that of the hidden state has
    none.

    Parameters
    ----------
    inputs, hidden : channels.
    kernel : odd size; maps keep theirs.
    """

    def __init__(self, inputs: int, hidden: int, kernel: int = 3) -> None:
        super().__init__()
        self.hidden = hidden
        self.from_input = nn.Conv2d(inputs, 4 * hidden, kernel, padding=kernel // 2)
        self.from_hidden = nn.Conv2d(hidden, 4 * hidden, kernel, padding=kernel // 2, bias=False)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Return the hidden states (B, T, hidden, H, W) of windows (B, T, inputs, H, W); both
        states begin at 0.
        """
        batch, length, _, height, width = windows.shape
        driven = self.from_input(windows.flatten(0, 1)).unflatten(0, (batch, length))
        hidden = cell = windows.new_zeros(batch, self.hidden, height, width)
        found = []
        for time in range(length):
            # The first hidden state is 0, and its convolution, which has no bias, as well.
            gates = driven[:, time] + self.from_hidden(hidden) if time else driven[:, time]
            admit, forget, emit, candidate = gates.chunk(4, dim=1)
            cell = torch.sigmoid(forget) * cell + torch.sigmoid(admit) * torch.tanh(candidate)
            hidden = torch.sigmoid(emit) * torch.tanh(cell)
            found.append(hidden)
        return torch.stack(found, dim=1)
