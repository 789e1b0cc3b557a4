"""Pseudo-anomalies out of two windows on top of each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench import Context, Creator, OpenClip


class Fusion(Creator):
    """Blends the window with another of a random place in the training split, half and half where
    no weight is learned.

    PseudoBound names the kind; its form has no source.
    """

    name = "fusion"
    sigma = 0.5

    def prepare(self, clips: Sequence[OpenClip], context: Context) -> None:
        """Keep the clips that have a window: each of their windows is as likely."""
        self._clips = [clip for clip in clips if clip.length >= self.window.span]
        self._ends = np.cumsum([clip.length - self.window.span + 1 for clip in self._clips])

    def draw(
        self, clip: OpenClip, start: int, generator: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Return the other window and a full mask."""
        number = int(generator.integers(self._ends[-1]))
        index = int(np.searchsorted(self._ends, number, side="right"))
        other = self._clips[index]
        begin = int(self._ends[index]) - number - 1
        content = self.to_range(other.frames[begin : begin + self.window.span : self.window.step])
        return {"content": content, "mask": np.ones_like(content[:1])}
