"""What every kind of thing that is kept of a cell has in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.contracts.method import Context
from bench.worker.open_cell import OpenCell


class Keeper:
    """Keeps one kind of thing (`--keep`), clip by clip, so that a cell that was cut off goes on.

    Scores must not depend on what is kept.
    """

    @classmethod
    def of(cls, cell: OpenCell) -> Keeper | None:
        """Return the keeper of a cell; None where its method has nothing of this kind."""
        raise NotImplementedError

    @classmethod
    def before_fitting(cls, cell: OpenCell) -> None:
        """Get ready for the training; called for every cell that keeps this kind of thing."""

    def before_scoring(self, cell: OpenCell) -> None:
        """Get ready: the method is fitted, and no clip has been scored."""

    def part(self, clip_id: str) -> Path | None:
        """Return the file or folder of what is kept of a clip; None for no such thing.

        A clip whose part is missing is scored again.
        """
        return None

    def finish(self, clip_id: str, scored: np.ndarray) -> None:
        """Write the part of a clip whose frames `scored` have a score. The scores are written
        afterwards.
        """

    def collect(self, cell: OpenCell) -> None:
        """Put what is kept into the folder of the cell: all its test clips have been scored."""


def add_image_taker(context: Context, taker: Callable[..., None]) -> None:
    """Have the inference engine hand the images of each frame to one more taker."""
    before = context.images

    def both(*shown: Any) -> None:
        assert before is not None
        before(*shown)
        taker(*shown)

    context.images = taker if before is None else both
