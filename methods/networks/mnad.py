"""MNAD, Park et al., 2020, for reconstruction: an autoencoder whose decoder sees features beside
what a memory reads for them.

Code at commit 4e108a8. The memory's functions take the items as an argument: at test time they
change from frame to frame, while those of the network stay as they were trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

WIDTHS = (64, 128, 256, 512)
"""Channels of the four levels of the encoder; the last is also the length of a memory item
(code)."""


def convolutions(inputs: int, outputs: int) -> list[nn.Module]:
    """Return the layers of two 3 x 3 convolutions, each with its normalisation and ReLU."""
    return [
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]


def upsampling(channels: int) -> nn.Sequential:
    """Return a transposed convolution that doubles height and width, with its normalisation and
    ReLU.
    """
    return nn.Sequential(
        nn.ConvTranspose2d(channels, channels, 3, stride=2, padding=1, output_padding=1),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    )


class Normalise(nn.Module):
    """Features (B, F, h, w) of length 1 at each position."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the features divided by their norm over channels."""
        return functional.normalize(features, dim=1)


class MemoryGuidedAutoEncoder(nn.Module):
    """Encoder of single frames, memory items, and decoder without skip connections.

    The encoder ends with the queries: features of length 1. The items are a buffer: they are saved
    and moved with the network, but no gradient reaches them; `updated` learns them. The authors'
    encoder owns another normalisation that it never uses; these 1,024 parameters are left out.

    Parameters
    ----------
    channels : of a frame, 1 or 3.
    width : factor of the channels 64, 128, 256, 512; 1 is the authors' network.
    items : M, at least 2.
    """

    if TYPE_CHECKING:
        items: torch.Tensor

    def __init__(self, channels: int = 3, width: float = 1.0, items: int = 10) -> None:
        super().__init__()
        first, second, third, fourth = (max(1, round(number * width)) for number in WIDTHS)
        self.encoder = nn.Sequential(
            nn.Sequential(*convolutions(channels, first)),
            nn.MaxPool2d(2),
            nn.Sequential(*convolutions(first, second)),
            nn.MaxPool2d(2),
            nn.Sequential(*convolutions(second, third)),
            nn.MaxPool2d(2),
            nn.Sequential(
                *convolutions(third, fourth)[:-2]
            ),  # signed: the last convolution stands alone
            Normalise(),
        )
        self.decoder = nn.Sequential(
            nn.Sequential(*convolutions(2 * fourth, fourth)),
            upsampling(fourth),
            nn.Sequential(*convolutions(fourth, third)),
            upsampling(third),
            nn.Sequential(*convolutions(third, second)),
            upsampling(second),
            nn.Sequential(
                *convolutions(second, first), nn.Conv2d(first, channels, 3, padding=1), nn.Tanh()
            ),
        )
        self.register_buffer("items", functional.normalize(torch.rand(items, fourth), dim=1))

    def decode(self, queries: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Return frames (B, C, 8h, 8w) in -1..1 from queries (B, F, h, w) and what items (M, F)
        give for them.
        """
        return self.decoder(torch.cat([queries, read(queries, items)], dim=1))

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Return the reconstruction of (B, C, H, W) frames with the memory as trained; H and W
        multiples of 8.
        """
        return self.decode(self.encoder(frames), self.items)


def rows(queries: torch.Tensor) -> torch.Tensor:
    """Return queries (B, F, h, w) as (B * h * w, F)."""
    return queries.movedim(1, -1).flatten(0, -2)


def read(queries: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
    """Return mixtures of the items (M, F), like the queries (B, F, h, w): by the softmax of their
    products with the query.

    No gradient passes: the encoder learns by the queries beside them alone (code).
    """
    with torch.no_grad():
        batch, _, height, width = queries.shape
        weights = functional.softmax(rows(queries) @ items.T, dim=1)
        return (weights @ items).unflatten(0, (batch, height, width)).movedim(-1, 1)


def nearest(queries: torch.Tensor, items: torch.Tensor, count: int) -> torch.Tensor:
    """Return the indices (Q, count) of the items (M, F) whose product with each query (Q, F) is
    largest, the largest first.
    """
    return (queries.detach() @ items.T).topk(count, dim=1).indices


def compactness(queries: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
    """Return, for each frame of queries (B, F, h, w), the mean squared difference between query and
    nearest item, (B,).
    """
    flat = rows(queries)
    found = items[nearest(flat, items, 1)[:, 0]]
    return (flat - found).square().unflatten(0, (len(queries), -1)).mean(dim=(1, 2))


def separateness(queries: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
    """Return the triplet loss, a scalar: each query is to be nearer to its nearest item than to the
    second nearest, by 1.
    """
    flat = rows(queries)
    found = nearest(flat, items, 2)
    return functional.triplet_margin_loss(flat, items[found[:, 0]], items[found[:, 1]], margin=1.0)


@torch.no_grad()
def updated(queries: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
    """Return the items (M, F) drawn towards the queries (B, F, h, w) that have them as their
    nearest, again of length 1.

    A query weighs by its update weight, the softmax over all queries of their products with the
    item, over the largest such weight; an item that is nobody's nearest stays.
    """
    flat = rows(queries)
    products = flat @ items.T
    weights = (products - products.amax(dim=0)).exp()  # the quotient of two softmax values
    is_nearest = products.argmax(dim=1, keepdim=True) == torch.arange(
        len(items), device=items.device
    )
    return functional.normalize(items + (weights * is_nearest).T @ flat, dim=1)


def psnr(errors: torch.Tensor) -> torch.Tensor:
    """Return the peak signal-to-noise ratio in dB, (B,), of squared errors (B, ...) of values in
    0..1; at most 120.
    """
    return -10 * errors.flatten(1).mean(dim=1).clamp_min(1e-12).log10()


def point_score(errors: torch.Tensor) -> torch.Tensor:
    """Return the mean of the squared errors (B, ...) of values in 0..1, (B,), weighted by 1 -
    exp(-error): large errors count more.
    """
    flat = errors.flatten(1)
    weights = -torch.expm1(-flat)
    # Where there is no error at all there is no weight either.
    return (weights * flat).sum(dim=1) / weights.sum(dim=1).clamp_min(torch.finfo(flat.dtype).tiny)


def from_authors(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename the weights of the authors' network with its memory items, 'keys', and turn the order
    of colours.

    OpenCV reads blue, green, red, and so the authors' network sees and gives them; frames are red,
    green, blue here. It matters for trained weights alone: a network that is trained here learns
    either order.

    Raises
    ------
    KeyError : no memory items, or no first or last convolution.
    """
    encoder = {f"moduleConv{level}": str(2 * (level - 1)) for level in (1, 2, 3, 4)}
    decoder = (
        "moduleConv",
        "moduleUpsample4",
        "moduleDeconv3",
        "moduleUpsample3",
        "moduleDeconv2",
        "moduleUpsample2",
        "moduleDeconv1",
    )
    places = {("encoder", name): place for name, place in encoder.items()}
    places |= {("decoder", name): str(place) for place, name in enumerate(decoder)}
    renamed = {"items": weights["keys"]}
    for name, tensor in weights.items():
        part, _, rest = name.partition(".")
        module, _, layer = rest.partition(".")
        if name == "keys" or module == "moduleBatchNorm":  # the latter is never used
            continue
        renamed[f"{part}.{places[part, module]}.{layer}" if (part, module) in places else name] = (
            tensor
        )
    for name, axis in (
        ("encoder.0.0.weight", 1),
        ("decoder.6.6.weight", 0),
        ("decoder.6.6.bias", 0),
    ):
        renamed[name] = renamed[name].flip(axis)
    return renamed
