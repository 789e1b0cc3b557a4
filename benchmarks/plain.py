"""The plain implementations that `bench` is measured against: as one would write them first, from
the papers and the authors' code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from bench.methods.networks.c3dsu import Conv3DSkipUNet
from scipy.signal import medfilt
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn import functional


class PlainC3DSU(nn.Module):
    """C3DSU as its authors run it: each frame of each window is encoded, and whole 3D convolutions
    are computed of which one plane is used.

    The weights are those of the given network.
    """

    def __init__(self, network: Conv3DSkipUNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Return the middle frames (B, C, H, W) of windows (B, C, T, H, W)."""
        batch, channels, length, height, width = windows.shape
        x = windows.transpose(1, 2).reshape(batch * length, channels, height, width)
        skips = []
        for block, convolution in zip(self.network.encoder, self.network.skips):
            x = block(x)
            planes = x.reshape(batch, length, *x.shape[1:]).transpose(1, 2)
            skips.append(convolution(planes)[:, :, (length - 1) // 2])
        x = skips.pop()
        for block in self.network.decoder:
            x = block(x)
            if skips:
                x = torch.cat([x, skips.pop()], dim=1)
        return torch.sigmoid(x)


def plain_scores(network: nn.Module, frames: np.ndarray, batch: int) -> list[float]:
    """Return the patch-max scores of a clip (N, H, W, 3) uint8, window by window."""
    scores: list[float] = []
    with torch.no_grad():
        for first in range(0, len(frames) - 2, batch):
            starts = range(first, min(first + batch, len(frames) - 2))
            windows = torch.stack(
                [
                    torch.from_numpy(frames[start : start + 3]).permute(3, 0, 1, 2).float() / 255
                    for start in starts
                ]
            )
            error = (windows[:, :, 1] - network(windows)).square().sum(dim=1).sqrt() / 3**0.5
            grids = [
                functional.avg_pool2d(part[:, None], 16).flatten(1).amax(dim=1)
                for part in (error, error[:, 8:-8, 8:-8])
            ]
            scores += torch.maximum(*grids).tolist()
    return scores


def plain_step(
    network: nn.Module, optimiser: torch.optim.Optimizer, windows: torch.Tensor
) -> float:
    """Make one training step on windows (B, C, 3, H, W), and return the loss."""
    target = windows[:, :, 1]
    loss = (target - network(windows)).norm(dim=1).mean() / 3**0.5
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


def plain_windows(
    paths: Sequence[Path], length: int, size: int, starts: Sequence[int]
) -> Iterator[np.ndarray]:
    """Yield windows (T, H, W) uint8, decoding each from its files."""
    for start in starts:
        images = [cv2.imread(str(path), cv2.IMREAD_COLOR) for path in paths[start : start + length]]
        yield np.stack(
            [cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (size, size)) for image in images]
        )


def plain_auc(scores: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> float:
    """Return the frame AUC of clips: a median over 17 frames, min-max in each clip, all frames
    pooled.
    """
    parts = []
    for clip in scores:
        smooth = medfilt(np.pad(clip.astype(np.float64), 8, mode="symmetric"), 17)[8:-8]
        parts.append((smooth - smooth.min()) / (smooth.max() - smooth.min()))
    return float(roc_auc_score(np.concatenate(labels), np.concatenate(parts)))
