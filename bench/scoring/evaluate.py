"""From the scores of clips to one number, under a protocol and a metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.scoring.metrics import operating_points
from bench.scoring.protocols import process_clips

UPSIDE_DOWN, UPRIGHT = 1 / 3, 2 / 3
"""The AUC up to which scores may be upside down, and that from which their negatives confirm it."""


@dataclass(frozen=True, eq=False)
class ClipScores:
    """Scores of one test clip beside its labels. Equal to itself alone.

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

    @cached_property
    def scored_labels(self) -> np.ndarray:
        """The labels of the scored frames: (K,) 0/1."""
        return self.labels[self.frames]


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
    """Return what `evaluate_all` returns for one metric."""
    return evaluate_all(clips, protocol, [metric])[0]


def evaluate_all(
    clips: Sequence[ClipScores],
    protocol: Protocol,
    metrics: Sequence[Metric],
    parts: list[Part] | None = None,
) -> list[Result]:
    """Return the number of these clips under each metric. The order of clips does not matter.

    Clips without a scored frame are left out and counted, and so are clips (macro) or scenes of one
    class. `frames`, `anomalous_frames` and `clips` count what went in; `chance` is pooled as the
    value is. `parts` are the same clips, where they were `processed` before.
    """
    scored = processed(clips, protocol) if parts is None else parts
    used = used_groups(scored, protocol)
    counted = [part for group in used for part in group]
    anomalous = sum(part.anomalous for part in counted)
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
        return [Result(None, reason, *counts, None)] * len(metrics)
    if not has_both(used[0], protocol):
        kind = "anomalous" if anomalous else "normal"
        reason = f"every scored frame is {kind}, and one class alone has no "
        return [Result(None, reason + metric.name, *counts, None) for metric in metrics]
    pooled = [_pooled(group, protocol) for group in used]
    found = []
    for metric in metrics:
        try:
            values = [group.value(metric) for group in pooled]
            chances = (
                []
                if metric.chance is None
                else [float(metric.chance(one.labels)) for one in pooled]
            )
        except Exception as error:  # a metric of a plugin costs its own value, never the table
            reason = f"metric {metric.name}: {type(error).__name__}: {error}"
            found.append(Result(None, reason, *counts, None))
            continue
        value = _join(values, protocol)
        if np.isfinite(value):
            chance = _join(chances, protocol) if chances else None
            found.append(Result(value, "", *counts, chance))
        else:
            found.append(Result(None, f"metric {metric.name} gave {value}", *counts, None))
    return found


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


@dataclass(frozen=True, eq=False)
class Part:
    """A clip after smoothing and normalising: the labels (K,) and scores (K,) of its scored
    frames, and how many of these are anomalous.
    """

    id: str
    scene: str
    labels: np.ndarray
    scores: np.ndarray
    anomalous: int


class _Pooled:
    """The labels and scores of a group of parts as metrics see them, sorted once for all of
    them.
    """

    def __init__(self, group: Sequence[Part], padded: bool) -> None:
        ends = [[0, 1]] if padded else []
        self.labels = np.concatenate([*(part.labels for part in group), *ends]).astype(np.int64)
        self.scores = np.concatenate([*(part.scores for part in group), *ends])
        self._values: dict[Metric, float] = {}

    @cached_property
    def _counts(self) -> tuple[np.ndarray, np.ndarray]:
        return operating_points(self.labels, self.scores)

    def value(self, metric: Metric) -> float:
        """Return the number of this group."""
        if metric not in self._values:
            self._values[metric] = float(
                metric.function(self.labels, self.scores)
                if metric.of_counts is None
                else metric.of_counts(*self._counts)
            )
        return self._values[metric]


@lru_cache(maxsize=1 << 12)
def _pooled_clip(part: Part, padded: bool) -> _Pooled:
    """Return a clip alone: it counts among all clips, among those of its scene, and in intervals."""
    return _Pooled([part], padded)


def _pooled(group: list[Part], protocol: Protocol) -> _Pooled:
    padded = protocol.pool == "macro-padded"
    return _pooled_clip(group[0], padded) if len(group) == 1 else _Pooled(group, padded)


def value_of(group: list[Part], protocol: Protocol, metric: Metric) -> float:
    """Return the number of one group."""
    return _pooled(group, protocol).value(metric)


REMEMBERED = 256
"""Datasets' worth of processed scores that are kept: a table, an interval and a ranking use the same
ones. Chosen here: 90 MB at ShanghaiTech's size."""


def processed(clips: Sequence[ClipScores], protocol: Protocol) -> list[Part]:
    """Return the clips that have a scored frame, smoothed and normalised as the protocol says."""
    scored = tuple(clip for clip in clips if len(clip.scores))
    return list(_processed(scored, _of_one_clip(protocol)))


@lru_cache
def _of_one_clip(protocol: Protocol) -> Protocol:
    """Return the choices of a protocol that concern the scores of a clip alone."""
    return replace(protocol, name="", pool="micro", frames="own", labels="default")


@lru_cache(maxsize=REMEMBERED)
def _processed(clips: tuple[ClipScores, ...], protocol: Protocol) -> tuple[Part, ...]:
    scores = process_clips([clip.scores for clip in clips], protocol)
    parts = []
    for clip, values in zip(clips, scores, strict=True):
        values.flags.writeable = False
        labels = clip.scored_labels
        parts.append(Part(clip.id, clip.scene, labels, values, int(np.count_nonzero(labels))))
    return tuple(parts)


def used_groups(parts: list[Part], protocol: Protocol) -> list[list[Part]]:
    """Return the groups of parts that get a number: of several, those with frames of both classes;
    a single one as it is.
    """
    groups = _groups(parts, protocol)
    return [group for group in groups if has_both(group, protocol)] if len(groups) > 1 else groups


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


def has_both(group: list[Part], protocol: Protocol) -> bool:
    """Return whether a group has frames of both classes, with what the protocol adds."""
    if protocol.pool == "macro-padded":
        return True
    anomalous = sum(part.anomalous for part in group)
    return 0 < anomalous < sum(len(part.labels) for part in group)


def _join(values: list[float], protocol: Protocol) -> float:
    # Sorted, so that the order of clips does not show in the last digit.
    return float(np.median(values) if protocol.pool == "scene-median" else np.mean(sorted(values)))
