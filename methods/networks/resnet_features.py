"""Features of the last stage of a frozen ResNet, averaged over the patches of a frame (Luo et al.,
2017; code at commit 8c942cb).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from .pretrained import FrozenFeatures

PATCHES = 21
"""Of a frame: 1 of the whole, 4 and 16 of two grids."""
FEATURES = {"resnet50": 2048, "random": 128}
"""Length of a patch's vector for each kind of ResNet."""
RANDOM_SEED = 0


class PatchFeatures(FrozenFeatures):
    """The vectors of a frame's patches. The trunk gives a map (N, F, h, w) of images (N, 3, 32 h,
    32 w); h and w are 7, or another size whose patches are 21.
    """

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Return (N, 21, F) for RGB frames (N, 3, H, W) in 0..1."""
        return patches(self.trunk(self.normalised(frames)))


def patches(maps: torch.Tensor) -> torch.Tensor:
    """Return the means of the blocks of grids 1, 2 and 4 of maps (N, F, h, w), row by row, (N,
    blocks, F).

    A block is ceil(h / grid) high; those at the end are cut off where the map ends. 7 x 7 and 4 x 4
    maps have 21 blocks.
    """
    height, width = maps.shape[2:]
    found = []
    for grid in (1, 2, 4):
        high, wide = -(-height // grid), -(-width // grid)
        found += [
            maps[:, :, top : top + high, left : left + wide].mean(dim=(2, 3))
            for top in range(0, height, high)
            for left in range(0, width, wide)
        ]
    return torch.stack(found, dim=1)


def trained(weights: Mapping[str, torch.Tensor]) -> PatchFeatures:
    """Return the features of torchvision's ResNet-50 with these weights.

    Raises
    ------
    RuntimeError : weights of another network.
    """
    from torchvision.models import resnet50

    with torch.device("meta"):  # nothing is drawn that the weights would replace
        network = resnet50(weights=None)
    network.load_state_dict(weights, assign=True)
    return PatchFeatures(
        nn.Sequential(*list(network.children())[:-2])
    )  # without the pooling and the classifier


def untrained() -> PatchFeatures:
    """Return the features of `random_trunk`."""
    return PatchFeatures(random_trunk())


def random_trunk() -> nn.Sequential:
    """Return a thin ResNet of one block a stage, with the same random weights each time: a stem,
    and stages of strides 4, 8, 16 and 32.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(RANDOM_SEED)
        stem = nn.Sequential(
            nn.Conv2d(3, 16, 7, 2, 3, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        )
        trunk = nn.Sequential(
            stem,
            _block(16, 16, 1),
            _block(16, 32, 2),
            _block(32, 64, 2),
            _block(64, FEATURES["random"], 2),
        )
        for module in trunk.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return trunk


def _block(inputs: int, outputs: int, stride: int) -> nn.Module:
    from torchvision.models.resnet import BasicBlock

    shortcut = None
    if stride > 1:
        shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
        )
    block: nn.Module = BasicBlock(inputs, outputs, stride, shortcut)
    return block
