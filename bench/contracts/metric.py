"""What a metric is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Metric:
    """A named number.

    Parameters
    ----------
    function : of labels (N,) 0/1 and scores (N,) float, higher = more anomalous, both classes
        present.
    title : as captions begin, 'Frame-level AUC'; default: the name.
    chance : of labels: what scores that know nothing get; None where that is not known.
    of_counts : the same number from false and true positives (T,) at each threshold, from the
        highest distinct score down to the lowest. Where it is given, frames are sorted once for
        several metrics.
    """

    name: str
    function: Callable[[np.ndarray, np.ndarray], float]
    chance: Callable[[np.ndarray], float] | None = None
    higher_is_better: bool = True
    title: str = ""
    of_counts: Callable[[np.ndarray, np.ndarray], float] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", self.title or self.name)
