"""What a creator is: it makes a pseudo-anomalous window out of a normal one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bench.contracts.clip import Window
from bench.contracts.method import Context, OpenClip
from bench.contracts.parameters import NoParameters


class Creator:
    """Makes a pseudo-anomalous window out of a normal one, in two halves.

    `draw` runs in the loader and draws everything random; `blend` runs in the training step and is
    differentiable in `sigma`, so that a learned weight can be trained through it. sigma = 1
    replaces the content.

    Parameters
    ----------
    window : what the network sees in training (length, step, value range).
    parameters : an instance of the creator's `Parameters`.
    to_range : turns (T, H, W[, 3]) uint8 frames into (C, T, H, W) float32 in the method's value
        range.

    Raises
    ------
    RequestError : no pseudo-anomaly of this kind can be made of such a window.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    """Raised whenever what it makes changes: finished cells that were trained with another version
    are not reused."""
    Parameters: ClassVar[type] = NoParameters
    needs: ClassVar[frozenset[str]] = frozenset()
    """Added to the needs of the method that uses it, e.g. {'tracks'}."""

    sigma: ClassVar[float] = 1.0
    """The weight of the content where none is learned: 1 replaces."""

    def __init__(
        self,
        window: Window,
        parameters: Any = None,
        to_range: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self.window = window
        self.parameters = type(self).Parameters() if parameters is None else parameters
        self._to_range = to_range

    @property
    def extra_knowledge(self) -> str:
        """What it uses beside the dataset, in a few words: of the method that uses it too."""
        return "detected objects" if "tracks" in self.needs else ""

    def to_range(self, frames: np.ndarray) -> np.ndarray:
        """Return (T, H, W[, 3]) uint8 frames as (C, T, H, W) float32 in the method's value
        range.
        """
        assert self._to_range is not None, "made without the method that it works for"
        return self._to_range(frames)

    def found_files(self) -> Mapping[str, Path]:
        """Return the files that it reads though no parameter names them, each under a name of its
        own. Default: none.

        Their content is part of a cell's key, as is that of files that parameters name.

        Raises
        ------
        DataError : one that it cannot do without is not there; the method's cells are then a dash
            with this reason.
        """
        return {}

    def prepare(self, clips: Sequence[OpenClip], context: Context) -> None:
        """Look at the training clips once, before training. The default needs nothing of them."""

    def draw(
        self, clip: OpenClip, start: int, generator: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Return {'content': (C, T, H, W) float32 in the window's value range, 'mask': (1, T, H, W)
        float32 in 0..1}.

        The mask is all zero where no pseudo-anomaly can be made of this window. 'window', (C, T, H,
        W), may be returned beside them: the normal window that the content belongs to, where that
        is not the one at `start`.
        """
        raise NotImplementedError

    def blend(self, window: Any, content: Any, mask: Any, sigma: Any) -> Any:
        """Return the pseudo-anomalous windows: (1 - M) X + M ((1 - sigma) X + sigma content),
        batched tensors.
        """
        return window + mask * sigma * (content - window)
