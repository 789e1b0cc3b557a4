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
    """Return the number of these clips. Their order does not matter.

    Clips without a scored frame are left out and counted, and so are clips (macro) or scenes of one class. `frames`, `anomalous_frames`
    and `clips` count what went in; `chance` is pooled as the value is.
    """
    scored = [_Part(clip.scene, clip.labels[clip.frames], process(clip.scores, protocol)) for clip in clips if len(clip.scores)]
    groups = _groups(scored, protocol)
    used = [group for group in groups if _has_both(_labels(group, protocol))] if len(groups) > 1 else groups
    parts = [part for group in used for part in group]
    anomalous = sum(int(part.labels.sum()) for part in parts)
    counts = (sum(len(part.labels) for part in parts), anomalous, len(parts), len(clips) - len(parts))
    if not used:
        reason = (
            "no frame has a score" if not scored else f"no {'clip' if protocol.pool == 'macro' else 'scene'} has frames of both classes"
        )
        return Result(None, reason, *counts, None)
    if not _has_both(_labels(used[0], protocol)):
        kind = "anomalous" if anomalous else "normal"
        return Result(None, f"every scored frame is {kind}, and one class alone has no {metric.name}", *counts, None)
    try:
        values = [float(metric.function(_labels(group, protocol), _scores(group, protocol))) for group in used]
        chances = [] if metric.chance is None else [float(metric.chance(_labels(group, protocol))) for group in used]
    except Exception as error:  # a metric of a plugin costs its own value, never the table
        return Result(None, f"metric {metric.name}: {type(error).__name__}: {error}", *counts, None)
    value = _join(values, protocol)
    if not np.isfinite(value):
        return Result(None, f"metric {metric.name} gave {value}", *counts, None)
    return Result(value, "", *counts, _join(chances, protocol) if chances else None)


@dataclass(frozen=True)
class _Part:
    """A clip after smoothing and normalising: the labels (K,) and scores (K,) of its scored frames."""

    scene: str
    labels: np.ndarray
    scores: np.ndarray


def _groups(parts: list[_Part], protocol: Protocol) -> list[list[_Part]]:
    """Return the parts that get one number together: all of them, each alone, or those of a scene."""
    if protocol.pool.startswith("macro"):
        return [[part] for part in parts]
    if protocol.pool.startswith("scene"):
        return [[part for part in parts if part.scene == scene] for scene in sorted({part.scene for part in parts})]
    return [parts] if parts else []


def _labels(group: list[_Part], protocol: Protocol) -> np.ndarray:
    return np.concatenate([*(part.labels for part in group), *([[0, 1]] if protocol.pool == "macro-padded" else [])]).astype(np.int64)


def _scores(group: list[_Part], protocol: Protocol) -> np.ndarray:
    return np.concatenate([*(part.scores for part in group), *([[0.0, 1.0]] if protocol.pool == "macro-padded" else [])])


def _has_both(labels: np.ndarray) -> bool:
    return 0 < labels.sum() < len(labels)


def _join(values: list[float], protocol: Protocol) -> float:
    # Sorted, so that the order of clips does not show in the last digit.
    return float(np.median(values) if protocol.pool == "scene-median" else np.mean(sorted(values)))
