"""The 2D convolutional autoencoder of Hasan et al., 2016, in its symmetric form with true
unpooling.

The authors' network file is not public; layers and sizes follow public reimplementations.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

WIDTHS = (512, 256, 128)
"""Channels of the three encoder layers."""


class ConvAutoEncoder2D(nn.Module):
    """Three convolutions with two poolings, and the way back; all activations are tanh.

    Parameters
    ----------
    length : gray frames of a window, which are the channels of the first layer.
    width : factor of the channels 512, 256, 128.
    """

    def __init__(self, length: int = 10, width: float = 1.0) -> None:
        super().__init__()
        first, second, third = (max(1, round(number * width)) for number in WIDTHS)
        self.encoder = nn.ModuleList(
            [
                nn.Conv2d(length, first, 11, 4),
                nn.Conv2d(first, second, 5, padding=2),
                nn.Conv2d(second, third, 3, padding=1),
            ]
        )
        self.decoder = nn.ModuleList(
            [
                nn.ConvTranspose2d(third, second, 3, padding=1),
                nn.ConvTranspose2d(second, first, 5, padding=2),
                nn.ConvTranspose2d(first, length, 11, 4),
            ]
        )
        for layer in (*self.encoder, *self.decoder):
            assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
            nn.init.xavier_uniform_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Return the reconstruction of (B, T, H, W) windows, of the same shape, in -1..1; H and W
        of the form 11 + 4k, from 23.
        """
        x = torch.tanh(self.encoder[0](windows))
        outer = x.shape[2:]
        x, outer_indices = pool(x)
        x = torch.tanh(self.encoder[1](x))
        inner = x.shape[2:]
        x, inner_indices = pool(x)
        x = torch.tanh(self.encoder[2](x))
        x = unpool(torch.tanh(self.decoder[0](x)), inner_indices, inner)
        x = unpool(torch.tanh(self.decoder[1](x)), outer_indices, outer)
        return torch.tanh(self.decoder[2](x))


def pool(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the maxima of 2 x 2 blocks of (B, C, H, W), (B, C, H // 2, W // 2), and their places
    in the flattened map.
    """
    pooled: tuple[torch.Tensor, torch.Tensor] = functional.max_pool2d(x, 2, return_indices=True)  # type: ignore[assignment]
    return pooled


def unpool(x: torch.Tensor, indices: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """Return maps of `size` (H, W) that hold the values of `x` at their `indices`, and 0 elsewhere.

    Equal to torch's max_unpool2d, which has no deterministic form.
    """
    empty = x.new_zeros(*x.shape[:2], size[0] * size[1])
    return empty.scatter(2, indices.flatten(2), x.flatten(2)).unflatten(2, size)
