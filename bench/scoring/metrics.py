"""Metrics: the number itself, from the labels and scores of pooled frames.

Written out rather than taken from scikit-learn, whose values differ in the last bits: its AUC sums
trapezoids, its average precision adds in another order. `roc` would be equal, and half as fast.
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
    from scipy.stats import rankdata

    positive = labels == 1
    count = int(positive.sum())
    above = rankdata(scores)[positive].sum() - count * (count + 1) / 2
    return float(above / (count * (len(labels) - count)))


def _operating_points(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positives at each threshold, from the highest distinct score down;
    equal scores go together.
    """
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    true = np.cumsum(labels[order] == 1)[last]
    return last + 1 - true, true


def roc(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rate at each threshold, from (0, 0) to (1, 1); straight lines
    join them. Both classes present.
    """
    false, true = _operating_points(labels, scores)
    return np.concatenate([[0.0], false / false[-1]]), np.concatenate([[0.0], true / true[-1]])


def ap(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the average precision: precision at each threshold, weighted by the gain in recall (no
    interpolation).
    """
    false, true = _operating_points(labels, scores)
    recall = true / true[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * true / (true + false)))


def eer(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the rate at which false positives and false negatives are equally frequent, linearly
    interpolated on the ROC curve.
    """
    false_rate, hit_rate = roc(labels, scores)
    miss_rate = 1 - hit_rate
    difference = false_rate - miss_rate  # never falls, from -1 to 1
    after = int(np.searchsorted(difference, 0.0))
    before = after - 1
    share = -difference[before] / (difference[after] - difference[before])
    return float(false_rate[before] + share * (false_rate[after] - false_rate[before]))


METRICS = (
    Metric("auc", auc, lambda labels: 0.5, title="Frame-level AUC"),
    Metric(
        "ap",
        ap,
        lambda labels: float(np.mean(labels == 1)),
        title="Frame-level average precision",
    ),
    Metric(
        "eer",
        eer,
        lambda labels: 0.5,
        higher_is_better=False,
        title="Frame-level equal error rate",
    ),
)
"""The metrics that come with bench."""
