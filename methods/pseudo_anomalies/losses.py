"""Losses of training with pseudo-anomalies. Tensors are (B, C, K, H, W): K reconstructed frames of
B windows.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

EPSILON = 1e-6
"""Keeps both sides of a ratio above 0. DDL, code (commit 167526d); the paper gives no value."""


def channel_norm(difference: torch.Tensor) -> torch.Tensor:
    """Return the root mean square over channels at each pixel, (B, K, H, W).

    The library's norm has gradient 0 where the difference is 0; a root of a sum of squares has NaN
    there, and outside of its mask a pseudo-anomalous window equals the normal one exactly. The
    library's takes five times as long over so few channels (measured, a twentieth of C3DSU's
    training step in bf16): under automatic casts, where rounding is coarse, a root is taken whose
    sum is kept above 0, which has gradient 0 there as well.
    """
    if torch.is_autocast_enabled(difference.device.type):
        squares = difference.float().square().sum(dim=1)
        return (squares.clamp_min(torch.finfo(squares.dtype).tiny) / difference.shape[1]).sqrt()
    return torch.linalg.vector_norm(difference, dim=1) / difference.shape[1] ** 0.5


def reconstruction(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean over pixels of the channel norm: DDL, code. For one channel the mean absolute
    error.
    """
    return channel_norm(target - output).mean()


def distinction_ratios(
    normal: torch.Tensor,
    pseudo: torch.Tensor,
    output: torch.Tensor,
    mask: torch.Tensor,
    inside: Sequence[int],
) -> torch.Tensor:
    """Return, at each masked pixel of the batch, how far the output is from the normal frame over
    how far from the pseudo-anomalous one.

    DDL, code: the ratio is taken pixel by pixel. Below 1 the network restores the normal frame.

    Parameters
    ----------
    normal, pseudo, output : (B, C, K, H, W); the output is that for the pseudo-anomalous window.
    mask : (B, 1, K, H, W), above 0 inside the object.
    inside : the masked pixels of each sample. Known beforehand, so that the CPU need not wait for
        a device to count them.

    Returns
    -------
    (P,) for the P masked pixels.
    """
    places = _places(mask[:, 0] > 0, sum(inside))
    return (channel_norm(normal - output).flatten()[places] + EPSILON) / (
        channel_norm(pseudo - output).flatten()[places] + EPSILON
    )


def distinction_of_norms(
    normal: torch.Tensor,
    pseudo: torch.Tensor,
    output: torch.Tensor,
    mask: torch.Tensor,
    inside: Sequence[int],
) -> torch.Tensor:
    """Return, for each sample with a mask, the ratio of the two norms over its whole masked frames:
    DDL, paper.

    Whether the paper means a sample or the batch it does not say; a sample is taken here.
    Parameters are those of `distinction_ratios`.

    Returns
    -------
    (S,) for the S samples with a mask.
    """
    places = _places((mask > 0).flatten(1).any(dim=1), sum(count > 0 for count in inside))
    above = torch.linalg.vector_norm((mask * (normal - output)).flatten(1), dim=1)
    below = torch.linalg.vector_norm((mask * (pseudo - output)).flatten(1), dim=1)
    return ((above + EPSILON) / (below + EPSILON))[places]


def _places(wanted: torch.Tensor, count: int) -> torch.Tensor:
    """Return where a tensor, seen flat, is true: it is at `count` places."""
    return torch.nonzero_static(wanted.flatten(), size=count)[:, 0]


class AnomalyWeight(torch.nn.Module):
    """sigma(l), the weight of the noise in a pseudo-anomaly: a learned scalar that starts at l = 0
    (sigma .5), or a fixed one.

    DDL, section 3.1 and code; "static" is the paper's SDL, sigma = .5.
    """

    def __init__(self, learned: bool) -> None:
        super().__init__()
        self.logit = torch.nn.Parameter(torch.zeros(()), requires_grad=learned)

    def forward(self) -> torch.Tensor:
        """Return sigma, a scalar in 0..1."""
        return torch.sigmoid(self.logit)
