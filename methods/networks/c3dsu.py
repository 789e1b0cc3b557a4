"""Conv3DSkipUNet (C3DSU) and UNet of Dynamic Distinction Learning, Lappas et al., 2024; code at
commit 167526d.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

FEW = 4
"""Input channels up to which a block's kernels are padded to one size and joined, in scoring and
under automatic casts. Chosen here, measured: a convolution of so few channels waits for memory, and
reads its input once then. In training (bf16, latent 64, 256x256, one core) the first block takes
.76 of its time so; joined as well, the encoder's blocks of 8, 16 and 32 channels take .88, 1.05 and
1.15 of theirs."""


def under_autocast(x: torch.Tensor) -> bool:
    """Whether casts are automatic. Rounding is coarse then, and a faster form is taken, equal but
    for rounding.

    Channels lie last in memory then, parallel convolutions of few channels are one, and a 1x1
    convolution after a pixel unshuffle is a 2x2 convolution of stride 2. In fp32 the network
    computes bit by bit what it always did.
    """
    return torch.is_autocast_enabled(x.device.type)


def joined(weights: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the weights (outputs, inputs, k, k) of parallel convolutions of odd sizes k as that of
    one convolution, padded with zeros to the largest.
    """
    largest = max(weight.shape[-1] for weight in weights)
    return torch.cat(
        [functional.pad(weight, [(largest - weight.shape[-1]) // 2] * 4) for weight in weights]
    )


def exact(x: torch.Tensor) -> torch.autocast:
    """Return a context without automatic casts, for the last layer: bfloat16 has steps of .004
    below 1, as wide as errors of a trained network.
    """
    return torch.autocast(x.device.type, enabled=False)


class Block(nn.Module):
    """Parallel convolutions of several kernel sizes, a change of resolution by pixel (un)shuffle,
    and a 1x1 convolution.

    Parameters
    ----------
    inputs, outputs : channels.
    kernels : odd sizes of the parallel convolutions, concatenated in this order.
    up : True doubles height and width (decoder), False halves them (encoder).
    last : no normalisation and no ReLU after the 1x1 convolution. The normalisation exists unused,
        as in the authors' code.
    """

    def __init__(
        self, inputs: int, outputs: int, kernels: Sequence[int], up: bool, last: bool = False
    ) -> None:
        super().__init__()
        self.up, self.last = up, last
        each = 4 * outputs if up else outputs
        self.parallel = nn.ModuleList(
            nn.Conv2d(inputs, each, kernel, padding="same") for kernel in kernels
        )
        self.norm = nn.BatchNorm2d(len(kernels) * each)
        self.mix = nn.Conv2d(len(kernels) * (outputs if up else 4 * outputs), outputs, 1)
        self.mix_norm = nn.BatchNorm2d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, outputs, 2H, 2W) or (B, outputs, H/2, W/2) for (B, inputs, H, W)."""
        x = functional.relu(self.norm(self._side_by_side(x)), inplace=True)
        if not self.up and under_autocast(x):
            x = functional.conv2d(
                x, self.mix.weight.reshape(len(self.mix.weight), -1, 2, 2), self.mix.bias, stride=2
            )
        else:
            x = functional.pixel_shuffle(x, 2) if self.up else functional.pixel_unshuffle(x, 2)
            if self.last and under_autocast(x):
                with exact(x):
                    return self.mix(x.float())
            x = self.mix(x)
        return x if self.last else functional.relu(self.mix_norm(x), inplace=True)

    def _side_by_side(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the parallel convolutions give, concatenated."""
        if x.shape[1] <= FEW and under_autocast(x):
            weight = joined([convolution.weight for convolution in self.parallel])  # type: ignore[misc]
            bias = torch.cat([convolution.bias for convolution in self.parallel])  # type: ignore[misc]
            return functional.conv2d(x, weight, bias, padding="same")
        return torch.cat([convolution(x) for convolution in self.parallel], dim=1)


class UNet(nn.Module):
    """The same U-Net on single frames: skip connections carry the features as they are."""

    def __init__(
        self, channels: int = 3, latent: int = 512, kernels: Sequence[int] = (3, 5, 7)
    ) -> None:
        super().__init__()
        widths = self.widths = (latent // 8, latent // 4, latent // 2, latent)
        inputs = (channels, *widths[:3])
        self.encoder = nn.ModuleList(Block(i, o, kernels, up=False) for i, o in zip(inputs, widths))
        # After the first, a decoder block sees the block before it beside a skip connection.
        outputs = (widths[2], widths[1], widths[0], channels)
        inputs = (widths[3], 2 * widths[2], 2 * widths[1], 2 * widths[0])
        self.decoder = nn.ModuleList(
            Block(i, o, kernels, up=True, last=number == 3)
            for number, (i, o) in enumerate(zip(inputs, outputs))
        )

    def encode(self, frames: torch.Tensor) -> list[torch.Tensor]:
        """Return the features of (N, C, H, W) frames at H/2, H/4, H/8 and H/16; each frame by
        itself.
        """
        features = []
        if under_autocast(frames):
            frames = frames.contiguous(memory_format=torch.channels_last)
        for block in self.encoder:
            frames = block(frames)
            features.append(frames)
        return features

    def skip(self, level: int, stacked: torch.Tensor) -> torch.Tensor:
        """Return what the skip connection of a level carries."""
        return stacked

    def decode(self, stacked: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the target frames (B, C, H, W), in 0..1, from the features of each level: (B, T *
        width, h, w), time first.
        """
        if under_autocast(stacked[0]):
            stacked = [
                features.contiguous(memory_format=torch.channels_last) for features in stacked
            ]
        skips = [self.skip(level, features) for level, features in enumerate(stacked)]
        x = skips.pop()
        for block in self.decoder:
            x = block(x)
            if skips:
                x = torch.cat([x, skips.pop()], dim=1)
        return torch.sigmoid(x)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Return the target frame of each window, (B, C, H, W) in 0..1, for (B, C, T, H, W)."""
        count, channels, length, height, width = windows.shape
        features = self.encode(
            windows.transpose(1, 2).reshape(count * length, channels, height, width)
        )
        return self.decode(
            [level.reshape(count, length * level.shape[1], *level.shape[2:]) for level in features]
        )


class Conv3DSkipUNet(UNet):
    """C3DSU: every skip connection, that of the bottleneck too, is a 3D convolution over the
    window's frames.

    Only the plane of the middle frame is ever used, so the (T, 3, 3) kernels are applied as a 2D
    convolution over T * width channels: equal to the 3D convolution's middle plane, at 1/T of its
    cost.
    """

    def __init__(
        self,
        channels: int = 3,
        latent: int = 512,
        length: int = 3,
        kernels: Sequence[int] = (3, 5, 7),
    ) -> None:
        super().__init__(channels, latent, kernels)
        self.skips = nn.ModuleList(
            nn.Conv3d(width, width, (length, 3, 3), padding="same") for width in self.widths
        )

    def skip(self, level: int, stacked: torch.Tensor) -> torch.Tensor:
        """Return the middle plane of the level's 3D convolution, (B, width, h, w)."""
        convolution = self.skips[level]
        assert isinstance(convolution, nn.Conv3d)
        return functional.conv2d(
            stacked, time_as_channels(convolution.weight), convolution.bias, padding=1
        )


def time_as_channels(weight: torch.Tensor) -> torch.Tensor:
    """Return the weight (outputs, inputs, T, k, k) of a 3D convolution as (outputs, T * inputs, k,
    k), time first.
    """
    return weight.transpose(1, 2).flatten(1, 2)


def patch_max(maps: torch.Tensor, grids: int = 2, patch: int = 16) -> torch.Tensor:
    """Return the largest mean of an error map over patches, (B,) for (B, H, W).

    DDL, section 5: a grid of 16 x 16 patches from the corner; the code adds a second, shifted by
    half a patch.
    """
    means = functional.avg_pool2d(maps[:, None], patch).flatten(1).amax(dim=1)
    half = patch // 2
    if grids == 2 and min(maps.shape[1:]) > patch:
        shifted = (
            functional.avg_pool2d(maps[:, None, half:-half, half:-half], patch)
            .flatten(1)
            .amax(dim=1)
        )
        means = torch.maximum(means, shifted)
    return means
