"""From the scores of clips to one number, under a protocol and a metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .metrics import Metric
from .protocols import Protocol, process


@dataclass(frozen=True)
class ClipScores:
    """Scores of one test clip beside its labels.

    Parameters
    ----------
    scores : (K,) float of the K scored `frames` (K,) int, ascending.
    labels : (N,) 0/1 of all frames of the clip.
    """

    id: str
    scene: str
    scores: np.ndarray
    frames: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Result:
    """A number, or why there is none, and what went into it."""

    value: float | None
    reason: str
    frames: int
    anomalous_frames: int
    clips: int
    clips_left_out: int
    chance: float | None


def evaluate(clips: Sequence[ClipScores], protocol: Protocol, metric: Metric) -> Result:
    """Return the number of these clips. Clips without a scored frame are left out, and counted.

    A single class gives no value; macro pooling leaves clips of one class out.
    """
    scored = [clip for clip in clips if len(clip.scores)]
    pairs = [(clip.scene, clip.labels[clip.frames], process(clip.scores, protocol)) for clip in scored]
    left_out = len(clips) - len(scored)
    if protocol.pool.startswith("macro"):
        if protocol.pool == "macro-padded":
            pairs = [(scene, np.append(labels, [0, 1]), np.append(scores, [0.0, 1.0])) for scene, labels, scores in pairs]
        both = [pair for pair in pairs if 0 < pair[1].sum() < len(pair[1])]
        left_out += len(pairs) - len(both)
        groups = [[pair] for pair in both]
        pairs = both
    elif protocol.pool.startswith("scene"):
        groups = [[pair for pair in pairs if pair[0] == scene] for scene in sorted({scene for scene, _, _ in pairs})]
    else:
        groups = [pairs]
    padding = 2 * len(pairs) if protocol.pool == "macro-padded" else 0
    labels = np.concatenate([pair[1] for pair in pairs]) if pairs else np.zeros(0)
    counts = {
        "frames": len(labels) - padding,
        "anomalous_frames": int(labels.sum()) - padding // 2,
        "clips": len(pairs),
        "clips_left_out": left_out,
        "chance": metric.chance(labels) if metric.chance is not None and len(labels) else None,
    }
    values = []
    for group in groups:
        group_labels = np.concatenate([pair[1] for pair in group]) if group else np.zeros(0)
        group_scores = np.concatenate([pair[2] for pair in group]) if group else np.zeros(0)
        if not 0 < group_labels.sum() < len(group_labels):
            if protocol.pool == "micro":
                return Result(None, _one_class(group_labels), **counts)  # type: ignore[arg-type]
            continue  # a scene of one class has no number
        try:
            values.append(float(metric.function(group_labels, group_scores)))
        except Exception as error:  # a metric of somebody's plugin costs its own value only
            return Result(None, f"metric {metric.name}: {type(error).__name__}: {error}", **counts)  # type: ignore[arg-type]
    if not values:
        return Result(None, "no clip has frames of both classes", **counts)  # type: ignore[arg-type]
    value = float(np.median(values)) if protocol.pool == "scene-median" else float(np.mean(values))
    if not np.isfinite(value):
        return Result(None, f"metric {metric.name} gave {value}", **counts)  # type: ignore[arg-type]
    return Result(value, "", **counts)  # type: ignore[arg-type]


def _one_class(labels: np.ndarray) -> str:
    if not len(labels):
        return "no frame has a score"
    return "every scored frame is " + ("anomalous" if labels[0] else "normal") + ": one class has no curve"
