"""Conv3DSkipUNet (C3DSU) and UNet of Dynamic Distinction Learning, Lappas et al., 2024; code at
commit 167526d.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional


def quick(x: torch.Tensor) -> bool:
    """Whether the form is taken that is equal but for rounding, and quicker: where casts are
    automatic, and rounding coarse already.

    Channels lie last in memory then, and a 1x1 convolution after a pixel unshuffle is a 2x2
    convolution of stride 2. In fp32 the network computes bit by bit what it always did.
    """
    return torch.is_autocast_enabled(x.device.type)


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
        x = torch.cat([convolution(x) for convolution in self.parallel], dim=1)
        x = functional.relu(self.norm(x))
        if not self.up and quick(x):
            x = functional.conv2d(
                x, self.mix.weight.reshape(len(self.mix.weight), -1, 2, 2), self.mix.bias, stride=2
            )
        else:
            x = functional.pixel_shuffle(x, 2) if self.up else functional.pixel_unshuffle(x, 2)
            if self.last and quick(x):
                with exact(x):
                    return self.mix(x.float())
            x = self.mix(x)
        return x if self.last else functional.relu(self.mix_norm(x))


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
        if quick(frames):
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
        if quick(stacked[0]):
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


FEW = 4
"""Input channels up to which a block's kernels are padded to one size and joined. Chosen here,
measured: a convolution of so few channels waits for memory, and reads its input once then."""
NARROW = 128
"""Latent width up to which channels lie last in memory while scoring. Chosen here, measured on x86
with AVX-512: wider convolutions in fp32 are slower so."""


LEVELS = 255
"""Of a frame: as v, not as v / 255, they are exact in bfloat16. Measured with c3dsu-plain on Ped2
(128x128, one epoch): scoring in bfloat16 moved the AUC by up to 0.58 points with rounded frames, by
up to 0.08 with exact ones; of C3DSU in profile `small` by up to 0.18 with exact ones (`median17`;
0.03 under `ddl`), and by 0.17 with the last layer in fp32 as well, as it is now."""


class FoldedBlock(nn.Module):
    """A `Block` in eval mode with both normalisations inside its weights, in its quick form; equal
    but for rounding.
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.up, self.last = block.up, block.last
        scale, shift = _affine(block.norm)
        count = len(block.parallel)
        weights, biases = [], []
        for convolution, factor, offset in zip(
            block.parallel, scale.chunk(count), shift.chunk(count)
        ):
            assert isinstance(convolution, nn.Conv2d) and convolution.bias is not None
            weights.append(convolution.weight * factor[:, None, None, None])
            biases.append(convolution.bias * factor + offset)
        if weights[0].shape[1] <= FEW:
            largest = max(weight.shape[-1] for weight in weights)
            weights = [
                torch.cat(
                    [
                        functional.pad(weight, [(largest - weight.shape[-1]) // 2] * 4)
                        for weight in weights
                    ]
                )
            ]
            biases = [torch.cat(biases)]
        mix, mix_bias = block.mix.weight, block.mix.bias
        assert mix_bias is not None
        if not self.last:
            scale, shift = _affine(block.mix_norm)
            mix, mix_bias = mix * scale[:, None, None, None], mix_bias * scale + shift
        if self.up:  # before the shuffle, so that a third as many channels are shuffled: each quarter of them mixes with its own
            quarters = (
                torch.eye(4, device=mix.device)[None, :, None] * mix.flatten(1)[:, None, :, None]
            )
            mix, mix_bias = quarters.reshape(4 * len(mix), -1, 1, 1), mix_bias.repeat_interleave(4)
        else:
            mix = mix.reshape(len(mix), -1, 2, 2)
        self.weights, self.biases = nn.ParameterList(weights), nn.ParameterList(biases)
        self.mix, self.mix_bias = nn.Parameter(mix), nn.Parameter(mix_bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the block returns."""
        given = [
            functional.conv2d(x, weight, bias, padding="same")
            for weight, bias in zip(self.weights, self.biases)
        ]
        x = functional.relu_(torch.cat(given, dim=1) if len(given) > 1 else given[0])
        if self.last and quick(x):
            with exact(x):
                x = functional.conv2d(x.float(), self.mix, self.mix_bias)
        else:
            x = functional.conv2d(x, self.mix, self.mix_bias, stride=1 if self.up else 2)
        x = x if self.last else functional.relu_(x)
        return functional.pixel_shuffle(x, 2) if self.up else x


class FoldedUNet(UNet):
    """A trained `UNet` or `Conv3DSkipUNet` in the form that scores fastest; equal but for rounding,
    and not to be trained.
    """

    def __init__(self, network: UNet) -> None:
        nn.Module.__init__(self)
        self.widths = network.widths
        self.encoder = nn.ModuleList(FoldedBlock(block) for block in network.encoder)  # type: ignore[arg-type]
        self.decoder = nn.ModuleList(FoldedBlock(block) for block in network.decoder)  # type: ignore[arg-type]
        skips = getattr(network, "skips", ())
        self.skip_weights = nn.ParameterList(
            time_as_channels(skip.weight).clone() for skip in skips
        )
        self.skip_biases = nn.ParameterList(skip.bias for skip in skips)
        for weight in self.encoder[0].weights:  # type: ignore[union-attr]
            weight.data /= LEVELS
        self.layout = torch.channels_last if self.widths[-1] <= NARROW else torch.contiguous_format
        self.to(memory_format=self.layout).requires_grad_(False)

    def encode(self, frames: torch.Tensor) -> list[torch.Tensor]:
        """Return the features of frames as `UNet.encode` does."""
        return super().encode((frames * LEVELS).contiguous(memory_format=self.layout))

    def skip(self, level: int, stacked: torch.Tensor) -> torch.Tensor:
        """Return what the skip connection of a level carries."""
        if not len(self.skip_weights):
            return stacked
        return functional.conv2d(
            stacked, self.skip_weights[level], self.skip_biases[level], padding=1
        )


def _affine(norm: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Return factor and offset, (C,) each, of a normalisation in eval mode."""
    assert (
        isinstance(norm, nn.BatchNorm2d)
        and norm.running_mean is not None
        and norm.running_var is not None
    )
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale


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
