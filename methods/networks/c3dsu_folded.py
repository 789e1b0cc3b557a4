"""The form of C3DSU and UNet that scores fastest: normalisations folded into the weights."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from .c3dsu import FEW, Block, UNet, exact, joined, time_as_channels, under_autocast

NARROW = 128
"""Latent width up to which channels lie last in memory while scoring. Chosen here, measured on x86
with AVX-512: wider convolutions in fp32 are slower so."""
LEVELS = 255
"""Of a frame: as v, not as v / 255, they are exact in bfloat16. Measured with c3dsu-plain on Ped2
(128x128, one epoch): scoring in bfloat16 moved the AUC by up to 0.58 points with rounded frames, by
up to 0.08 with exact ones; of C3DSU in profile `small` by up to 0.18 with exact ones (`median17`;
0.03 under `ddl`), and by 0.17 with the last layer in fp32 as well, as it is now."""


class FoldedBlock(nn.Module):
    """A `Block` in eval mode, with both normalisations in its weights; equal but for rounding."""

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
            weights = [joined(weights)]
            biases = [torch.cat(biases)]
        mix, mix_bias = block.mix.weight, block.mix.bias
        assert mix_bias is not None
        if not self.last:
            scale, shift = _affine(block.mix_norm)
            mix, mix_bias = mix * scale[:, None, None, None], mix_bias * scale + shift
        if self.up:
            # Before the shuffle, so that a third as many channels are shuffled: each quarter of
            # them mixes with its own.
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
        if self.last and under_autocast(x):
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
        self.skip_biases = nn.ParameterList(skip.bias.detach().clone() for skip in skips)
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
