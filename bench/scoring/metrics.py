"""Metrics: the number itself, from the labels and scores of pooled frames.

Written out rather than taken from scikit-learn, whose values differ in the last bits: its AUC sums
trapezoids, its average precision adds in another order. All follow from `operating_points`, so that
the frames are sorted once for all of them.
Tests compare all of them with scikit-learn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.contracts.metric import Metric
from bench.errors import RequestError
from bench.wording import unknown

if TYPE_CHECKING:
    from bench.plugins.registry import Registry


def choose_metric(name: str, registry: Registry) -> Metric:
    """Return the metric of a name.

    Raises
    ------
    RequestError : there is none.
    """
    if not isinstance(name, str):
        raise RequestError(
            f"a metric is chosen by its name, not by {name!r} (there are "
            f"{', '.join(registry.metrics)})"
        )
    if name not in registry.metrics:
        raise RequestError(unknown("metric", name, registry.metrics))
    return registry.metrics[name]


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the ROC curve: the Mann-Whitney statistic over the pairs of both
    classes, ties half.
    """
    return _auc(*operating_points(labels, scores))


def _auc(false: np.ndarray, true: np.ndarray) -> float:
    # The trapezoids below the curve, multiplied out: twice the pairs of frames in the right order.
    # Whole numbers, so that the sum is exact: also where a product overflows 64 bits, since the
    # result, at most twice all pairs, does not.
    pairs = false[-1] * true[-1] + false[1:] @ true[:-1] - false[:-1] @ true[1:]
    return float(pairs / 2 / (int(true[-1]) * int(false[-1])))


def operating_points(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positives (T,) at each threshold, from the highest distinct score down;
    equal scores go together.

    Raises
    ------
    ValueError : a score is NaN.
    """
    order = np.argsort(scores)[::-1]
    ordered = scores[order]
    if np.isnan(ordered[0]):
        raise ValueError("a score is NaN")
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(scores) - 1)
    true = np.cumsum(labels[order] == 1)[last]
    return last + 1 - true, true


def roc(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rate at each threshold, from (0, 0) to (1, 1); straight lines
    join them. Both classes present.
    """
    return _rates(*operating_points(labels, scores))


def _rates(false: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([[0.0], false / false[-1]]), np.concatenate([[0.0], true / true[-1]])


def ap(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the average precision: precision at each threshold, weighted by the gain in recall (no
    interpolation).
    """
    return _ap(*operating_points(labels, scores))


def _ap(false: np.ndarray, true: np.ndarray) -> float:
    recall = true / true[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * true / (true + false)))


def eer(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the rate at which false positives and false negatives are equally frequent, linearly
    interpolated on the ROC curve.
    """
    return _eer(*operating_points(labels, scores))


def _eer(false: np.ndarray, true: np.ndarray) -> float:
    false_rate, hit_rate = _rates(false, true)
    miss_rate = 1 - hit_rate
    difference = false_rate - miss_rate  # never falls, from -1 to 1
    after = int(np.searchsorted(difference, 0.0))
    before = after - 1
    share = -difference[before] / (difference[after] - difference[before])
    return float(false_rate[before] + share * (false_rate[after] - false_rate[before]))


METRICS = (
    Metric("auc", auc, lambda labels: 0.5, title="Frame-level AUC", of_counts=_auc),
    Metric(
        "ap",
        ap,
        lambda labels: float(np.mean(labels == 1)),
        title="Frame-level average precision",
        of_counts=_ap,
    ),
    Metric(
        "eer",
        eer,
        lambda labels: 0.5,
        higher_is_better=False,
        title="Frame-level equal error rate",
        of_counts=_eer,
    ),
)
"""The metrics that come with bench."""
