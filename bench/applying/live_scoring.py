"""Scores a live source, and reports how far behind it scoring is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from bench.applying.application import RATE
from bench.applying.listener import END, STOPPED, Outcome
from bench.applying.live_source import Arrival, Gap, LiveSource
from bench.applying.scorer import Scorer
from bench.applying.stretch import PendingFrame
from bench.contracts.network_method import NetworkMethod
from bench.errors import DataError

ROOM = 50
"""Smallest number of frames of a live source that may wait; three windows if that is more. Chosen
here: two seconds at 25 frames per second."""
LATE, ON_TIME = 1.0, 0.5
"""Lag in seconds above which scoring counts as late, and below which as on time again. Chosen
here."""
MEASURED = 50
"""Frames of a live source from which its rate is measured; the rate that a stream states is often
wrong. Chosen here."""
SAY_AGAIN = 30.0
"""Seconds between two messages about the lag."""
POLL = 0.2
"""Seconds between two checks whether to stop, while no frame arrives."""


class LiveScorer(Scorer):
    """Scores a live source."""

    def run(self) -> None:
        """Score until the source is lost or the user stops."""
        outcome, application = self.outcome, self.application
        assert isinstance(self.method, NetworkMethod)
        room = max(ROOM, 3 * self.method.window.span)
        source = LiveSource(self.footage, room, application.give_up, self.listener.say)
        try:
            outcome.frame_rate_from = "measured; times are those of arrival"
            self.listener.begin(
                self.footage, application.fps or source.rate or RATE, None, stamped=False
            )
            lag = Lag(self.footage.shown, room, self.listener.say, outcome)
            why = ""
            while why not in (END, STOPPED):
                why = self.score_stretch(self._batches(source, lag), lag.look)
            outcome.ended = why
            if why == END:
                raise DataError(
                    f"{self.footage.shown}: given up: {source.lost}; what was scored until then "
                    f"is in {self.output.folder}"
                )
        finally:
            source.close()
            outcome.dropped, outcome.reconnected = source.dropped, source.reconnected

    def _batches(self, source: LiveSource, lag: Lag) -> Iterator[list[PendingFrame] | str]:
        first: Arrival | None = None
        while True:
            if self.stops():
                yield STOPPED
                return
            taken = source.take(self.application.fitted.compute.scoring_batch, POLL)
            if taken is None:
                yield END
                return
            if isinstance(taken, Gap):
                if taken.dropped:
                    lag.drop(taken.dropped)
                yield taken.why
                return
            if taken:
                first = first or taken[0]
                self._measure(first, taken[-1])
                yield [self.pending(one.number, one.seconds, one.at, one.frame) for one in taken]
            else:
                self.listener.progress(self.outcome.frames, "waiting for frames", None)

    def _measure(self, first: Arrival, newest: Arrival) -> None:
        """Measure the frame rate of a live source from frames without a gap between them."""
        count = newest.number - first.number
        if count >= MEASURED:
            known, self.outcome.frame_rate = (
                self.outcome.frame_rate,
                round(count / max(newest.seconds - first.seconds, 1e-6), 3),
            )
            if known is None:
                self.compare_rates(self.outcome.frame_rate)


class Lag:
    """Reports when scoring falls behind a live source, by how much, and when it has caught up; at
    most once in `SAY_AGAIN` seconds.
    """

    def __init__(self, shown: str, room: int, say: Callable[[str], None], outcome: Outcome) -> None:
        self.shown, self.room, self.say, self.outcome = shown, room, say, outcome
        self._late_said = self._dropped_said = -SAY_AGAIN
        self._is_late = False
        self._dropped = 0
        self._frames = 0
        self._at = time.monotonic()

    def look(self, behind: float, frames: int) -> float:
        """Add the lag of the newest scored frame in seconds and the number of frames so far; return
        the lag.
        """
        now = time.monotonic()
        self.outcome.largest_lag = round(max(behind, self.outcome.largest_lag or 0.0), 3)
        if behind > LATE and now - self._late_said > SAY_AGAIN:
            speed = (frames - self._frames) / max(now - self._at, 1e-3)
            self.say(
                f"{self.shown}: {behind:.1f} s behind real time, at {speed:.1f} frames per "
                f"second; up to {self.room} frames wait, then new frames are dropped until none "
                "waits"
            )
            self._is_late, self._late_said = True, now
            self._frames, self._at = frames, now
        elif behind < ON_TIME and self._is_late:
            self.say(f"{self.shown}: caught up with real time after {now - self._late_said:.0f} s")
            self._is_late = False
        return behind

    def drop(self, count: int) -> None:
        """Add dropped frames."""
        self._dropped += count
        now = time.monotonic()
        if now - self._dropped_said > SAY_AGAIN:
            self._dropped_said = now
            self.say(
                f"{self.shown}: {self._dropped} frames dropped so far to catch up with real time; "
                "scoring starts anew after each gap"
            )
