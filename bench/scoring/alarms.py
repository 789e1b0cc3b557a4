"""What an operator asks of scores: with one threshold, which events are found, how soon, and how
often is there a false alarm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.contracts.protocol import Protocol
from bench.scoring.evaluate import ClipScores
from bench.scoring.events import OVERLAPS, f1, matched
from bench.scoring.protocols import smooth

QUANTILE = 0.999
"""Of the smoothed scores of the training frames: the threshold. Chosen here: one normal frame in a
thousand may exceed it, a rule that needs no frame rate, and is not moved by a single frame as the
largest score is."""


FAR = 10
"""How many times as many frames above the threshold as it promises are far more. Chosen here:
footage may hold events, and still not be told that its threshold does not hold."""


@dataclass(frozen=True)
class Alarms:
    """What happened on the test clips. An event is a maximal run of anomalous frames; `delays` are
    in frames, one an event found.
    """

    events: int
    delays: tuple[int, ...]
    false_alarms: int
    normal_frames: int
    """Normal frames that have a score: where a false alarm could be."""
    false_frames: int
    """Those of them that are above the threshold: how long the false alarms are."""
    on_already: int
    """Events at whose first frame an alarm went on that had begun before."""
    alarms: int
    """Alarms, each as a whole, whatever events it goes through."""
    matched: tuple[int, ...]
    """Those of them that are an event, at each of `OVERLAPS`."""

    @property
    def f1(self) -> list[float | None]:
        """Event-level F1 at each of `OVERLAPS`; None where there is neither event nor alarm."""
        return [f1(found, self.events, self.alarms) for found in self.matched]

    @property
    def normal_above(self) -> float:
        """The share (0..1) of normal frames that are above the threshold; 0 where none has a
        score.
        """
        return self.false_frames / self.normal_frames if self.normal_frames else 0.0


def threshold_of(
    scores: Sequence[np.ndarray], protocol: Protocol, quantile: float = QUANTILE
) -> float:
    """Return the threshold from the scores (K,) of each training clip: one that at most a share of
    1 - `quantile` of the frames exceeds.

    Each clip is smoothed as the protocol smooths, and not normalised.
    """
    smoothed = np.concatenate(
        [smooth(np.asarray(values, dtype=np.float64), protocol) for values in scores]
    )
    return float(np.quantile(smoothed, quantile, method="higher"))


def alarms(clips: Sequence[ClipScores], threshold: float, protocol: Protocol) -> Alarms:
    """Return what a threshold finds. An alarm is a maximal run of scored frames whose smoothed
    score is above the threshold.

    Alarms are split where an event begins or ends: each part on normal frames is a false alarm,
    whatever it goes on into, so that an alarm that never ends is false before, between and after
    the events. An event is found at its first frame above the threshold; its delay counts from its
    first frame, and is 0 where an alarm goes on already. An event without a scored frame is not
    found.

    For F1, alarms stay whole: from their first to their last frame, and events with all of their
    frames, scored or not (`events.matched`).
    """
    events, false_alarms, normal_frames, false_frames, on_already, raised = 0, 0, 0, 0, 0, 0
    delays: list[int] = []
    found = np.zeros(len(OVERLAPS), dtype=int)
    for clip in clips:
        above = smooth(np.asarray(clip.scores, dtype=np.float64), protocol) > threshold
        true_events = runs(clip.labels == 1)
        whole = [(int(clip.frames[a]), int(clip.frames[b])) for a, b in runs(above)]
        raised += len(whole)
        found += [matched(true_events, whole, overlap) for overlap in OVERLAPS]
        for first, last in true_events:
            events += 1
            place = int(np.searchsorted(clip.frames, first))
            within = clip.frames[above & (clip.frames >= first) & (clip.frames <= last)]
            delays += [int(within[0]) - first] if len(within) else []
            on_already += bool(
                len(within) and within[0] == first and place > 0 and above[place - 1]
            )
        for first, last in runs(clip.labels == 0):
            within = above[(clip.frames >= first) & (clip.frames <= last)]
            false_alarms += len(runs(within))
            normal_frames += len(within)
            false_frames += int(within.sum())
    return Alarms(
        events,
        tuple(delays),
        false_alarms,
        normal_frames,
        false_frames,
        on_already,
        raised,
        tuple(found.tolist()),
    )


def more_than_promised(above: int, frames: int, rate: float) -> bool:
    """Whether more frames are above a threshold than it promises: than a share `rate` of them, in
    whole frames, rounded up.
    """
    return above > math.ceil(round(rate * frames, 9))


def far_more_than_promised(above: int, frames: int, rate: float) -> bool:
    """Whether so many frames are above a threshold that it can hardly hold: more than `FAR` frames,
    and `FAR` times the promised share.

    Where that would be nearly all frames, half of the way from the promised share to all is the
    limit.
    """
    return above > max(FAR, min(FAR * rate, (1 + rate) / 2) * frames)


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """Return first and last index of each maximal run of true values in (N,) bool."""
    changes = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return [(int(first), int(last) - 1) for first, last in changes.reshape(-1, 2)]
