"""What an operator asks of scores: with one threshold, which events are found, how soon, and how often is there a false alarm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .evaluate import ClipScores
from .protocols import Protocol, smooth

QUANTILE = 0.999
"""Of the smoothed scores of the training frames: the threshold. Chosen here: one normal frame in a thousand may exceed it, a rule that
needs no frame rate, and is not moved by a single frame as the largest score is."""


@dataclass(frozen=True)
class Alarms:
    """What happened on the test clips. An event is a maximal run of anomalous frames; `delays` are in frames, one an event found."""

    events: int
    delays: tuple[int, ...]
    false_alarms: int
    normal_frames: int
    """Normal frames that have a score: where a false alarm could be."""


def threshold_of(scores: Sequence[np.ndarray], protocol: Protocol, quantile: float = QUANTILE) -> float:
    """Return the threshold from the scores (K,) of each training clip: one that at most a share of 1 - `quantile` of the frames exceeds.

    Each clip is smoothed as the protocol smooths, and not normalised.
    """
    smoothed = np.concatenate([smooth(np.asarray(values, dtype=np.float64), protocol) for values in scores])
    return float(np.quantile(smoothed, quantile, method="higher"))


def alarms(clips: Sequence[ClipScores], threshold: float, protocol: Protocol) -> Alarms:
    """Return what a threshold finds. An alarm is a maximal run of scored frames whose smoothed score is above the threshold.

    An alarm that meets no anomalous frame is false. An event is found at its first frame above the threshold; its delay counts from its
    first frame, and is 0 where an alarm goes on already. An event without a scored frame is not found.
    """
    events, false_alarms, normal_frames = 0, 0, 0
    delays: list[int] = []
    for clip in clips:
        above = smooth(np.asarray(clip.scores, dtype=np.float64), protocol) > threshold
        for first, last in runs(clip.labels == 1):
            events += 1
            within = clip.frames[above & (clip.frames >= first) & (clip.frames <= last)]
            delays += [int(within[0]) - first] if len(within) else []
        for first, last in runs(above):
            false_alarms += not clip.labels[clip.frames[first] : clip.frames[last] + 1].any()
        normal_frames += int((clip.labels[clip.frames] == 0).sum())
    return Alarms(events, tuple(delays), false_alarms, normal_frames)


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """Return first and last index of each maximal run of true values in (N,) bool."""
    changes = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return [(int(first), int(last) - 1) for first, last in changes.reshape(-1, 2)]
