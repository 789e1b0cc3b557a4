"""Memory addressing with hard shrinkage of MemAE, Gong et al., 2019: features are replaced by
mixtures of a few learned items.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

EPSILON = 1e-12
"""Keeps denominators and logarithms away from 0 (MemAE, code)."""


class Memory(nn.Module):
    """Items that stand for what is normal; each feature is read from those that it resembles most.

    The items are parameters: they are trained, saved and moved with the network.

    Parameters
    ----------
    items : their number N.
    features : their length, the channels of the features.
    shrinkage : lambda; attention up to it becomes 0. The paper recommends 1/N to 3/N.
    """

    def __init__(self, items: int, features: int, shrinkage: float) -> None:
        super().__init__()
        bound = features**-0.5
        self.items = nn.Parameter(torch.empty(items, features).uniform_(-bound, bound))
        self.shrinkage = shrinkage

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Read the memory at each position of a map.

        Parameters
        ----------
        features : (B, C, ...), any number of axes behind the channels.

        Returns
        -------
        what was read, like `features`, and the attention (B, N, ...): it sums to 1 at each
        position, or is 0 in all items where none has more than the shrinkage; 0 is read there.
        """
        # Attention to one of 2000 items lies near the shrinkage of 0.0025, where half precision
        # cannot tell them apart.
        with torch.autocast(features.device.type, enabled=False):
            precise = torch.promote_types(features.dtype, torch.float32)
            queries = features.movedim(1, -1).to(precise)
            items = self.items.to(precise)
            attention = functional.normalize(
                shrink(functional.softmax(queries @ items.T, dim=-1), self.shrinkage),
                p=1,
                dim=-1,
                eps=EPSILON,
            )
            return (attention @ items).movedim(-1, 1).to(features.dtype), attention.movedim(-1, 1)


def shrink(attention: torch.Tensor, threshold: float) -> torch.Tensor:
    """Return attention (>= 0) above the threshold as it is, and 0 else: w max(w - t, 0) / (|w - t|
    + 1e-12), MemAE, code.
    """
    above = attention - threshold
    return functional.relu(above) * attention / (above.abs() + EPSILON)


def entropy(attention: torch.Tensor) -> torch.Tensor:
    """Return the mean entropy (nats, a scalar) of the attention (B, N, ...) over positions; it is
    small where few items are read.

    MemAE, code: -sum w log(w + 1e-12). An empty position counts as 0, and one item alone as -1e-12.
    """
    return -(attention * torch.log(attention + EPSILON)).sum(dim=1).mean()


def share_empty(attention: torch.Tensor) -> torch.Tensor:
    """Return the share of positions (0..1, a scalar) at which no item is left in the attention (B,
    N, ...).
    """
    return (attention == 0).all(dim=1).float().mean()
