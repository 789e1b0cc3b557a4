"""Events and alarms as stretches of time: which alarms are an event, by how much of both overlaps,
and what needs no detector to be as good.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

OVERLAPS = (0.2, 0.5, 0.8)
"""Temporal overlaps (intersection over union) from which an alarm is an event."""
Stretch = tuple[int, int]
"""First and last frame, both included."""


def matched(events: Sequence[Stretch], alarms: Sequence[Stretch], overlap: float) -> int:
    """Return how many alarms of a clip are an event: as many pairs as can be made in which each
    event and each alarm stands once, and both overlap by at least so much.

    Parameters
    ----------
    events, alarms : in order, none touching another of its kind.
    """
    if not events or not alarms:
        return 0
    # Both are in order and apart, so that the earliest alarm is of no use to a later event.
    taken: set[int] = set()
    for alike in overlaps(np.array(events), np.array(alarms)) >= overlap:
        free = (int(place) for place in np.flatnonzero(alike) if int(place) not in taken)
        taken |= {place for place in [next(free, None)] if place is not None}
    return len(taken)


def overlaps(events: np.ndarray, alarms: np.ndarray) -> np.ndarray:
    """Return (E, A) intersections over unions of the frames of (E, 2) and (A, 2) stretches."""
    first = np.maximum(events[:, None, 0], alarms[None, :, 0])
    last = np.minimum(events[:, None, 1], alarms[None, :, 1])
    common = np.maximum(last - first + 1, 0)
    lengths = (stretches[:, 1] - stretches[:, 0] + 1 for stretches in (events, alarms))
    return np.asarray(common / (np.add.outer(*lengths) - common))


def f1(found: int, events: int, alarms: int) -> float | None:
    """Return the harmonic mean of precision (alarms that are an event) and recall (events that are
    found); None where there is neither event nor alarm.
    """
    return 2 * found / (events + alarms) if events + alarms else None


def best_by_frame_index(
    clips: Sequence[tuple[int, Sequence[Stretch]]], overlap: float
) -> tuple[float | None, int]:
    """Return the best F1 that any threshold on the index of a frame has, and the threshold: each
    clip's alarm goes from the frame after it to the clip's end.

    Parameters
    ----------
    clips : length of each, and its events.
    """
    total = sum(len(events) for _, events in clips)
    thresholds = np.arange(-1, max((length for length, _ in clips), default=0))
    alarms = np.zeros(len(thresholds), dtype=int)
    found = np.zeros(len(thresholds), dtype=int)
    for length, events in clips:
        raised = thresholds < length - 1
        alarms += raised
        if events:
            begins = thresholds[raised] + 1
            whole = np.stack([begins, np.full(len(begins), length - 1)], axis=1)
            found[raised] += (overlaps(np.array(events), whole) >= overlap).any(axis=0)
    if not total:
        return None, -1
    values = 2 * found / (total + alarms)
    return float(values.max()), int(thresholds[values.argmax()])
