"""Scores that come one after the other: smoothed as a protocol smooths, and the events that a
threshold finds in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.contracts.protocol import Protocol
from bench.scoring.protocols import reach, smooth


class RunningSmooth:
    """Smooths scores while they come: `add` and `finish` together return what `smooth` returns of
    all of them at once.

    A score is returned when the `reach` scores after it are known. What is held does not grow with
    the number of scores.
    """

    def __init__(self, protocol: Protocol) -> None:
        self.protocol, self.reach = protocol, reach(protocol)
        self._held = np.zeros(0)
        self._returned = 0  # of those held: how many have been returned; all of them come first

    def add(self, scores: Sequence[float] | np.ndarray) -> np.ndarray:
        """Take the next scores (K,); return those that are final now, (J,) float64."""
        self._held = np.concatenate([self._held, np.asarray(scores, dtype=np.float64)])
        final = max(self._returned, len(self._held) - self.reach)
        found = smooth(self._held, self.protocol)[self._returned : final]
        past = max(0, final - self.reach)
        self._held, self._returned = self._held[past:], final - past
        return found

    def finish(self) -> np.ndarray:
        """Return the rest, (J,) float64, and begin anew."""
        found = smooth(self._held, self.protocol)[self._returned :]
        self._held, self._returned = np.zeros(0), 0
        return found


@dataclass
class Event:
    """A maximal run of scored frames whose smoothed score is above the threshold, as far as it is
    known.
    """

    number: int
    """Counted from 1."""
    first: int
    last: int
    """Frames, both included."""
    start: float
    end: float
    """The times of these frames, seconds."""
    peak: float
    peak_time: float
    """The largest smoothed score, and its time."""
    closed: str = ""
    """Why it ended; empty while it goes on."""

    def as_json(self) -> dict[str, Any]:
        """Return what is known, times to a millisecond: of an event that goes on, its beginning."""
        if not self.closed:
            return {
                "event": "begin",
                "number": self.number,
                "frame": self.first,
                "start": round(self.start, 3),
            }
        return {
            "event": "end", "number": self.number, "first_frame": self.first, "last_frame": self.last,
            "start": round(self.start, 3), "end": round(self.end, 3), "peak": self.peak, "peak_time": round(self.peak_time, 3),
            "closed": self.closed,
        }  # fmt: skip


BELOW = "below threshold"


class Watch:
    """Finds the events in smoothed scores that come one after the other; `alarms` splits the same
    ones where labels change.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.count = 0
        self._open: Event | None = None

    def add(self, frame: int, seconds: float, score: float) -> Event | None:
        """Take the next smoothed score; return the event that begins or ends with it, if one
        does.
        """
        event = self._open
        if score <= self.threshold:
            return self.close(BELOW)
        if event is None:
            self.count += 1
            self._open = Event(self.count, frame, frame, seconds, seconds, score, seconds)
            return self._open
        event.last, event.end = frame, seconds
        if score > event.peak:
            event.peak, event.peak_time = score, seconds
        return None

    def close(self, why: str) -> Event | None:
        """End the event that goes on, if one does, and return it."""
        event, self._open = self._open, None
        if event is not None:
            event.closed = why
        return event
