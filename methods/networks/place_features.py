"""Features of a pretrained network at each place of a frame (PatchCore: Roth et al., 2022)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import nn

from .pretrained import FrozenFeatures
from .resnet_features import random_trunk

STRIDE = 8
"""Pixels between places."""


class PlaceFeatures(FrozenFeatures):
    """Two stages of a trunk, of strides 8 and 16, each averaged over 3 x 3 places; the coarser one
    is enlarged to the finer one's places (PatchCore, Sections 3.1 and 4.1: stages 2 and 3 of its
    networks, p = 3).

    Parameters
    ----------
    trunk : its last layer gives stride 16.
    fine : number of its layers that give stride 8.
    """

    def __init__(self, trunk: nn.Sequential, fine: int) -> None:
        super().__init__(trunk)
        self.fine = fine

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Return (places, N, F), row by row, for RGB frames (N, 3, H, W) in 0..1."""
        fine = self.trunk[: self.fine](self.normalised(frames))
        coarse = self.trunk[self.fine :](fine)
        fine, coarse = (F.avg_pool2d(stage, 3, stride=1, padding=1) for stage in (fine, coarse))
        coarse = F.interpolate(coarse, fine.shape[2:], mode="bilinear", align_corners=False)
        return torch.cat([fine, coarse], dim=1).flatten(2).permute(2, 0, 1)


def of_mobilenet(weights: Mapping[str, torch.Tensor]) -> PlaceFeatures:
    """Return the features of torchvision's MobileNetV2 with these weights: 32 and 96 a place.

    Raises
    ------
    RuntimeError : weights of another network.
    """
    from torchvision.models import mobilenet_v2

    with torch.device("meta"):  # nothing is drawn that the weights would replace
        network = mobilenet_v2(weights=None)
    network.load_state_dict(weights, assign=True)
    # features.6 and .13: the last blocks of their strides (MobileNetV2, Table 2).
    return PlaceFeatures(network.features[:14], fine=7)


def of_random_weights() -> PlaceFeatures:
    """Return the features of `random_trunk`: 32 and 64 a place."""
    return PlaceFeatures(random_trunk()[:4], fine=3)
