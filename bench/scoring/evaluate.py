"""From the scores of clips to one number, under a protocol and a metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.scoring.protocols import process

UPSIDE_DOWN, UPRIGHT = 1 / 3, 2 / 3
"""The AUC up to which scores may be upside down, and that from which their negatives confirm it."""


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


def evaluate(
    clips: Sequence[ClipScores], protocol: Protocol, metric: Metric, parts: list[Part] | None = None
) -> Result:
    """Return the number of these clips. Their order does not matter.

    Clips without a scored frame are left out and counted, and so are clips (macro) or scenes of one
    class. `frames`, `anomalous_frames` and `clips` count what went in; `chance` is pooled as the
    value is. `parts` are the same clips, where they were `processed` before.
    """
    scored = processed(clips, protocol) if parts is None else parts
    used = used_groups(scored, protocol)
    counted = [part for group in used for part in group]
    anomalous = sum(int(part.labels.sum()) for part in counted)
    counts = (
        sum(len(part.labels) for part in counted),
        anomalous,
        len(counted),
        len(clips) - len(counted),
    )
    if not used:
        reason = (
            "no frame has a score"
            if not scored
            else f"no {'clip' if protocol.pool == 'macro' else 'scene'} has frames of both classes"
        )
        return Result(None, reason, *counts, None)
    if not has_both(pooled_labels(used[0], protocol)):
        kind = "anomalous" if anomalous else "normal"
        return Result(
            None,
            f"every scored frame is {kind}, and one class alone has no {metric.name}",
            *counts,
            None,
        )
    try:
        values = [
            float(metric.function(pooled_labels(group, protocol), pooled_scores(group, protocol)))
            for group in used
        ]
        chances = (
            []
            if metric.chance is None
            else [float(metric.chance(pooled_labels(group, protocol))) for group in used]
        )
    except Exception as error:  # a metric of a plugin costs its own value, never the table
        return Result(None, f"metric {metric.name}: {type(error).__name__}: {error}", *counts, None)
    value = _join(values, protocol)
    if not np.isfinite(value):
        return Result(None, f"metric {metric.name} gave {value}", *counts, None)
    return Result(value, "", *counts, _join(chances, protocol) if chances else None)


def turned_round(
    value: float | None, clips: Sequence[ClipScores], protocol: Protocol, metric: Metric
) -> float | None:
    """Return the AUC of the negative scores, where the scores are probably upside down; else None.

    The rule, chosen here: of all pairs of an anomalous and a normal frame at least twice as many
    are in the wrong order as in the right one, and the other way round for the negative scores
    under the same protocol. `value` is the number of the scores as they are.
    """
    if metric.name != "auc" or value is None or value > UPSIDE_DOWN:
        return None
    other = evaluate(
        [replace(clip, scores=-np.asarray(clip.scores, dtype=np.float64)) for clip in clips],
        protocol,
        metric,
    ).value
    return other if other is not None and other >= UPRIGHT else None


@dataclass(frozen=True)
class Part:
    """A clip after smoothing and normalising: the labels (K,) and scores (K,) of its scored
    frames.
    """

    id: str
    scene: str
    labels: np.ndarray
    scores: np.ndarray


def processed(clips: Sequence[ClipScores], protocol: Protocol) -> list[Part]:
    """Return the clips that have a scored frame, smoothed and normalised as the protocol says."""
    return [
        Part(clip.id, clip.scene, clip.labels[clip.frames], process(clip.scores, protocol))
        for clip in clips
        if len(clip.scores)
    ]


def used_groups(parts: list[Part], protocol: Protocol) -> list[list[Part]]:
    """Return the groups of parts that get a number: of several, those with frames of both classes;
    a single one as it is.
    """
    groups = _groups(parts, protocol)
    return (
        [group for group in groups if has_both(pooled_labels(group, protocol))]
        if len(groups) > 1
        else groups
    )


def _groups(parts: list[Part], protocol: Protocol) -> list[list[Part]]:
    """Return the parts that get one number together: all of them, each alone, or those of a
    scene.
    """
    if protocol.pool.startswith("macro"):
        return [[part] for part in parts]
    if protocol.pool.startswith("scene"):
        return [
            [part for part in parts if part.scene == scene]
            for scene in sorted({part.scene for part in parts})
        ]
    return [parts] if parts else []


def pooled_labels(group: list[Part], protocol: Protocol) -> np.ndarray:
    """Return the 0/1 labels of a group as the metric sees them, with what the protocol adds."""
    return np.concatenate(
        [*(part.labels for part in group), *([[0, 1]] if protocol.pool == "macro-padded" else [])]
    ).astype(np.int64)


def pooled_scores(group: list[Part], protocol: Protocol) -> np.ndarray:
    """Return the scores of a group beside its labels."""
    return np.concatenate(
        [
            *(part.scores for part in group),
            *([[0.0, 1.0]] if protocol.pool == "macro-padded" else []),
        ]
    )


def has_both(labels: np.ndarray) -> bool:
    """Return whether 0/1 labels are of both classes."""
    return 0 < labels.sum() < len(labels)


def _join(values: list[float], protocol: Protocol) -> float:
    # Sorted, so that the order of clips does not show in the last digit.
    return float(np.median(values) if protocol.pool == "scene-median" else np.mean(sorted(values)))
