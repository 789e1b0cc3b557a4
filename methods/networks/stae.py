"""The spatio-temporal autoencoder of Zhao et al., 2017: one 3D encoder, one decoder for its frames
and one for those that follow.

The authors' code is not public; layers and widths are those on which two public reimplementations
agree. Where they differ (slope .2 or .01 of the leaky ReLU, kernel 3 or 4 of the deconvolutions)
the default is PyAnomaly's.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from .autoencoder_3d import block

WIDTHS = (32, 48, 64, 64)
"""Channels of the four encoder layers (public reimplementations)."""


class HalvingPool3D(nn.Module):
    """The maxima of 2 x 2 x 2 blocks of (B, C, T, H, W), all even.

    Equal to torch's MaxPool3d, whose gradient has no deterministic form on a GPU.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, C, T / 2, H / 2, W / 2)."""
        earlier, later = x.unflatten(2, (-1, 2)).unbind(3)
        planes = torch.maximum(earlier, later)
        return functional.max_pool2d(planes.flatten(0, 1), 2).unflatten(0, planes.shape[:2])


class SpatioTemporalAutoEncoder(nn.Module):
    """A 3D encoder with two decoders of the same form: reconstruction of a window, and prediction
    of the next one.

    Parameters
    ----------
    channels : of a frame, 1 or 3.
    width : factor of the channels 32, 48, 64, 64.
    prediction : whether there is a decoder that predicts.
    kernel : of the transposed convolutions, 3 or 4; both double frames, height and width.
    """

    def __init__(
        self, channels: int = 1, width: float = 1.0, prediction: bool = True, kernel: int = 3
    ) -> None:
        super().__init__()
        first, second, third, fourth = (max(1, round(number * width)) for number in WIDTHS)

        def decoder() -> nn.Sequential:
            def double(inputs: int, outputs: int) -> nn.Sequential:
                return block(
                    nn.ConvTranspose3d(inputs, outputs, kernel, 2, 1, output_padding=4 - kernel),
                    outputs,
                )

            return nn.Sequential(
                double(fourth, second),
                double(second, first),
                double(first, first),
                nn.Conv3d(first, channels, 3, padding=1),
                nn.Sigmoid(),
            )

        self.encoder = nn.Sequential(
            block(nn.Conv3d(channels, first, 3, padding=1), first),
            HalvingPool3D(),
            block(nn.Conv3d(first, second, 3, padding=1), second),
            HalvingPool3D(),
            block(nn.Conv3d(second, third, 3, padding=1), third),
            HalvingPool3D(),
            block(nn.Conv3d(third, fourth, 3, padding=1), fourth),
        )
        self.reconstruction = decoder()
        self.prediction = decoder() if prediction else None
        self.apply(initialise)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Return the reconstruction of (B, C, T, H, W) windows, of the same shape, in 0..1; T, H
        and W multiples of 8.
        """
        return self.reconstruction(self.encoder(windows))

    def continued(self, windows: torch.Tensor) -> torch.Tensor:
        """Return the reconstruction of (B, C, T, H, W) windows and behind it the T frames that
        follow, (B, C, 2T, H, W).
        """
        assert self.prediction is not None
        features = self.encoder(windows)
        return torch.cat([self.reconstruction(features), self.prediction(features)], dim=2)


def initialise(module: nn.Module) -> None:
    """Draw weights as PyAnomaly, a public reimplementation, does: He's normal distribution over the
    outputs, also of the deconvolutions.
    """
    if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def prediction_loss(
    output: torch.Tensor, target: torch.Tensor, last_is_free: bool = False
) -> torch.Tensor:
    """Return the weighted sum of the T frames' mean squared errors, a scalar: a frame farther ahead
    weighs less.

    Parameters
    ----------
    output, target : (B, C, T, H, W).
    last_is_free : frame t = 0..T - 1 weighs (T - t) / T^2 (PyAnomaly), or (T - 1 - t) / T^2, the
        last then nothing (another public reimplementation).
    """
    length = output.shape[2]
    weights = torch.arange(length, 0, -1, dtype=output.dtype, device=output.device) - float(
        last_is_free
    )
    return ((output - target).square().mean(dim=(0, 1, 3, 4)) * weights).sum() / length**2
