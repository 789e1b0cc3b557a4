"""Consecutive frames on their way to final scores."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from bench.contracts.method import Scores
from bench.scoring.watching import RunningSmooth


@dataclass
class PendingFrame:
    """A frame that is not scored yet."""

    frame: int
    seconds: float
    at: float
    small: np.ndarray
    image: np.ndarray | None


Judged = tuple[PendingFrame, float | None, float | None, np.ndarray | None]
"""A frame, its score, its smoothed score and its error map; None if there is none."""


@dataclass
class Stretch:
    """Consecutive frames between two gaps: those without a row yet, and those without a smoothed
    score yet.
    """

    smoother: RunningSmooth
    base: int = 0
    waiting: deque[PendingFrame] = field(default_factory=deque)
    """Frames `base`, `base` + 1, ... of the stretch."""
    raw: deque[tuple[int, float]] = field(default_factory=deque)
    errors: dict[int, np.ndarray] = field(default_factory=dict)

    def scored(self, scores: Scores) -> Iterator[Judged]:
        """Add scores; yield the frames whose scores are final, and unscored ones before them."""
        self.raw.extend(zip(scores.frames.tolist(), scores.values.tolist()))
        yield from self._final(self.smoother.add(scores.values))

    def finish(self) -> Iterator[Judged]:
        """Yield the remaining frames."""
        yield from self._final(self.smoother.finish())
        while self.waiting:
            yield self.waiting.popleft(), None, None, None

    def _final(self, smoothed: np.ndarray) -> Iterator[Judged]:
        for value in smoothed.tolist():
            place, score = self.raw.popleft()
            while self.base < place:
                self.base += 1
                yield self.waiting.popleft(), None, None, None
            self.base += 1
            yield self.waiting.popleft(), score, value, self.errors.pop(place, None)
