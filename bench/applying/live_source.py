"""A live source, read in its own thread so that the lag behind it is always known."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.applying.footage import Footage
from bench.errors import DataError

TIMEOUT = 10.0
"""Seconds after which an address that does not answer or sends no frames counts as lost. Chosen
here."""
WAITS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds before each new attempt to connect; the last is repeated. Chosen here: a camera that
restarts is back within a minute."""
LOST, BEHIND = "connection lost", "frames dropped"


@dataclass(frozen=True)
class Arrival:
    """A frame, (H, W, 3) uint8 RGB, its number in the source from 0 (dropped frames included), and
    when it arrived.

    `seconds` are counted from the first frame; `at` is `time.monotonic()`.
    """

    number: int
    seconds: float
    at: float
    frame: np.ndarray


@dataclass
class Gap:
    """A gap between two frames: why (`LOST` or `BEHIND`), and how many frames were dropped."""

    why: str
    dropped: int = 0


def open_capture(address: int | str) -> Any:
    """Return a `cv2.VideoCapture`; the only place where a live source is opened."""
    import cv2
    from cv2.utils import logging

    os.environ.setdefault(
        "OPENCV_FFMPEG_LOGLEVEL", "-8"
    )  # AV_LOG_QUIET: its lines are in the way, and may show an address whole
    before = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        if isinstance(address, int) or "://" not in address:
            return cv2.VideoCapture(address)
        limit = round(TIMEOUT * 1000)
        return cv2.VideoCapture(
            address,
            cv2.CAP_FFMPEG,
            [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit, cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit],
        )
    finally:
        logging.setLogLevel(before)


class LiveSource:
    """Frames of a live source as they come.

    Up to `room` frames wait. When that many wait, new frames are dropped until none waits any more:
    what is scored is always a stretch of at least `room` consecutive frames, and the lag is never
    more than `room` frames. A lost source is opened again after the times of `WAITS`, until no
    frame has arrived for `give_up` seconds.

    Raises
    ------
    DataError : the source cannot be opened at first, or is a file.
    """

    def __init__(
        self, footage: Footage, room: int, give_up: float, say: Callable[[str], None]
    ) -> None:
        assert footage.address is not None
        self.footage, self.room, self.give_up, self.say = footage, room, give_up, say
        self._capture = self._opened(footage.address)
        if self._capture is None:
            raise DataError(
                f"{footage.shown} cannot be opened as a live source; check the address (or the "
                "number of the camera), and whether another program uses it"
            )
        count, rate = _properties(self._capture)
        if count > 0:
            self._capture.release()
            raise DataError(
                f"{footage.shown} is a file of {count} frames, not a live source; download it and "
                "give its path"
            )
        self.rate = rate
        self.lost: str = ""
        """Why the source has ended for good; empty until then."""
        self.dropped = self.reconnected = 0
        self._number = 0
        self._began = 0.0
        self._queue: deque[Arrival | Gap] = deque()
        self._waiting = 0
        self._dropping: Gap | None = None
        self._failure: Exception | None = None
        self._turn = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._read, name=f"bench-live-{footage.name}", daemon=True
        )
        self._thread.start()

    def take(self, most: int, timeout: float) -> list[Arrival] | Gap | None:
        """Return up to `most` consecutive frames that wait; [] if none arrived in time; a gap
        before the frames that follow it; None at the end.
        """
        with self._turn:
            if not self._queue:
                self._turn.wait(timeout)
            if self._queue and isinstance(self._queue[0], Gap):
                gap = self._queue.popleft()
                assert isinstance(gap, Gap)
                return gap
            found: list[Arrival] = []
            while self._queue and len(found) < most and isinstance(self._queue[0], Arrival):
                found.append(self._queue.popleft())  # type: ignore[arg-type]
            self._waiting -= len(found)
            if not found and self._failure is not None:
                raise self._failure
            return None if not found and self.lost else found

    def close(self) -> None:
        """Stop reading. A thread that is blocked in a read is not waited for; it ends with the
        process.
        """
        self._stop.set()
        self._thread.join(timeout=1.0)

    # -- in the thread -----------------------------------------------------------------------------

    def _read(self) -> None:
        try:
            while not self._stop.is_set():
                frame = _next_frame(self._capture)
                if frame is not None:
                    self._put(frame)
                elif not self._again():
                    break
        except Exception as error:  # raised by `take`
            self._failure = error
        finally:
            with contextlib.suppress(Exception):
                self._capture.release()
            with self._turn:
                self._turn.notify_all()

    def _put(self, frame: np.ndarray) -> None:
        now = time.monotonic()
        with self._turn:
            self._began = self._began or now
            arrival = Arrival(self._number, now - self._began, now, frame)
            self._number += 1
            if self._waiting >= self.room and self._dropping is None:
                self._dropping = Gap(BEHIND)
                self._queue.append(self._dropping)
            if self._dropping is not None and self._waiting:
                self._dropping.dropped += 1
                self.dropped += 1
                return
            self._dropping = None
            self._queue.append(arrival)
            self._waiting += 1
            self._turn.notify_all()

    def _again(self) -> bool:
        """Try until a frame arrives; return whether one did."""
        since = time.monotonic()
        self._capture.release()
        at = f" at {since - self._began:.1f} s" if self._began else ""
        self.say(
            f"{self.footage.shown}: connection lost{at}; trying again, for up to {self.give_up:g} s"
        )
        with self._turn:
            if self._dropping is None:
                self._queue.append(Gap(LOST))
            self._turn.notify_all()
        tries = 0
        while True:
            left = self.give_up - (time.monotonic() - since)
            if left <= 0:
                self.lost = f"no frame for {self.give_up:g} s, {tries} tries"
                return False
            if self._stop.wait(min(WAITS[min(tries, len(WAITS) - 1)], left)):
                return False
            tries += 1
            assert self.footage.address is not None
            capture = self._opened(self.footage.address)
            frame = None if capture is None else _next_frame(capture)
            if capture is not None and frame is not None:
                self._capture = capture
                self.reconnected += 1
                self.say(
                    f"{self.footage.shown}: connected again after {time.monotonic() - since:.1f} "
                    f"s, {tries} tries"
                )
                self._put(frame)
                return True
            if capture is not None:
                capture.release()

    @staticmethod
    def _opened(address: int | str) -> Any:
        capture = open_capture(address)
        if capture.isOpened():
            return capture
        capture.release()
        return None


def _next_frame(capture: Any) -> np.ndarray | None:
    """Return the next frame as RGB, or None if there is none."""
    import cv2

    try:
        found, frame = capture.read()
    except cv2.error:
        return None
    if not found or frame is None:
        return None
    return cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB if frame.ndim == 2 else cv2.COLOR_BGR2RGB)


def _properties(capture: Any) -> tuple[int, float | None]:
    """Return the number of frames (0 for a live source), and the frames per second that the source
    states.
    """
    import cv2

    count, rate = float(capture.get(cv2.CAP_PROP_FRAME_COUNT)), float(capture.get(cv2.CAP_PROP_FPS))
    return int(count) if 0 < count < 1e9 else 0, rate if 0 < rate <= 240 else None
