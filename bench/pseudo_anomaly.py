"""What a creator is: it makes a pseudo-anomalous window out of a normal one."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .dataset import NoParameters
from .method import OpenClip
from .network_method import Window


class Creator:
    """Makes a pseudo-anomalous window out of a normal one, in two halves.

    `draw` runs in the loader and draws everything random; `blend` runs in the training step and is differentiable in
    `sigma`, so that a learned weight can be trained through it. sigma = 1 replaces the content.

    Parameters
    ----------
    window : what the network sees in training (length, step, value range).
    parameters : an instance of the creator's `Parameters`.
    """

    name: ClassVar[str]
    Parameters: ClassVar[type] = NoParameters
    needs: ClassVar[frozenset[str]] = frozenset()
    """Added to the needs of the method that uses it, e.g. {'tracks'}."""

    sigma: ClassVar[float] = 1.0
    """The weight of the content where none is learned: 1 replaces."""

    def __init__(self, window: Window, parameters: Any = None) -> None:
        self.window = window
        self.parameters = type(self).Parameters() if parameters is None else parameters

    def draw(self, clip: OpenClip, start: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Return {'content': (C, T, H, W) float32 in the window's value range, 'mask': (1, T, H, W) float32 in 0..1}.

        The mask is all zero where no pseudo-anomaly can be made of this window.
        """
        raise NotImplementedError

    def blend(self, window: Any, content: Any, mask: Any, sigma: Any) -> Any:
        """Return the pseudo-anomalous windows: (1 - M) X + M ((1 - sigma) X + sigma content), batched tensors."""
        return window + mask * sigma * (content - window)
