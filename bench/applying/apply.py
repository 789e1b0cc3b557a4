"""From the table to the camera: a finished cell scores footage that is in no dataset."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bench.applying.apply_plan import Application, takes_frames_as_they_come
from bench.applying.footage import Footage
from bench.applying.live import Arrival, Gap, Live
from bench.contracts.clip import ImageFiles, VideoFile
from bench.contracts.method import OpenClip, Scores, as_scores
from bench.contracts.network_method import NetworkMethod
from bench.engine.context import make_context
from bench.errors import BenchError, DataError
from bench.frames.conversion import converted
from bench.frames.decode import count_frames, estimate_frames, read_frames, video_survey
from bench.frames.store import temporary_frames
from bench.runs.applied import Applied, Lines
from bench.scoring.alarms import far_more_than_promised
from bench.scoring.watching import Event, RunningSmooth, Watch

RATE = 25.0
"""Frames a second where nothing says how many. Chosen here: that of ShanghaiTech and Avenue."""
ROOM = 50
"""Frames of a live source that may wait, at least; more where three windows are longer. Chosen
here: two seconds at 25 frames a second."""
LATE, ON_TIME = 1.0, 0.5
"""Seconds behind a live source from which on it is said, and below which it is no longer. Chosen
here."""
MEASURED = 50
"""Frames of a live source after which their rate is believed; what a stream says of itself is often
made up. Chosen here."""
ENOUGH = 250
"""Scored frames of a live source after which its share above the threshold is judged. Chosen here:
ten seconds at 25 frames a second."""
SAY_AGAIN = 30.0
"""Seconds after which being behind is said again."""
POLL = 0.2
"""Seconds between two looks whether to stop, while no frame comes."""
END, STOPPED, FAILED = "end", "stopped", "failed"


@dataclass(frozen=True)
class Row:
    """One frame of the footage and what is known of it: a line of the CSV.

    `score` is the method's own, as in scores.npz; `smoothed` as the protocol smooths, never
    normalised; None where the frame has none. `picture` (h, w, 3) uint8 RGB and `error` (h, w)
    float are there where pictures were asked for; `error` where the method makes one.
    """

    frame: int
    seconds: float
    score: float | None = None
    smoothed: float | None = None
    above: bool | None = None
    picture: np.ndarray | None = None
    error: np.ndarray | None = None


class Listener(Protocol):
    """What is told while footage is scored; the command line is one."""

    def checking(self, footage: Footage, done: int, total: int) -> None:
        """Before a video begins it is decoded once, to see whether it is whole; `done` of about
        `total` frames are.
        """

    def begin(self, footage: Footage, rate: float, total: int | None, stamped: bool) -> None:
        """A source begins; `total` frames, as far as known. `stamped`: its frames have times that
        no rate tells.
        """

    def rows(self, rows: Sequence[Row]) -> None:
        """Frames in order, each once."""

    def event(self, event: Event) -> None:
        """An event began, or ended where it is closed."""

    def progress(self, done: int, what: str, behind: float | None) -> None:
        """So many frames were scored; of a live source, how many seconds behind it."""

    def say(self, text: str) -> None:
        """Something the user should know now. Called from the thread of a live source as well."""

    def note(self, text: str) -> None:
        """Something that limits what the scores mean; the same text for many sources is worth
        saying once.
        """

    def end(self, outcome: Outcome) -> None:
        """The source is over, its files are closed."""


@dataclass
class Outcome:
    """How it went with one source; goes into apply.json."""

    name: str
    source: str
    frame_rate: float | None = None
    frame_rate_from: str = ""
    began: str = ""
    frames: int = 0
    scored: int = 0
    above: int = 0
    events: int = 0
    dropped: int = 0
    """Frames of a live source that came and were not scored."""
    reconnected: int = 0
    largest_lag: float | None = None
    """Seconds behind a live source, at most."""
    warning: str = ""
    """That the threshold can hardly hold for this footage, where that is so."""
    ended: str = ""
    """'end', 'stopped', or what went wrong."""


def apply_to(
    application: Application,
    footage: Footage,
    output: Applied,
    listener: Listener,
    stops: Callable[[], int],
) -> Outcome:
    """Score one video or live source, and write its files. What was scored when it stops, for
    whatever reason, is there and whole.

    Raises
    ------
    BenchError : what went wrong, after the files are closed; `Outcome.ended` is not returned then,
        and is told to the listener.
    """
    outcome = Outcome(footage.name, footage.shown)
    lines = output.frames(footage.name)
    work = _Work(application, footage, lines, output, listener, stops, outcome)
    try:
        work.run()
    except BenchError as error:
        outcome.ended = str(error)
        raise
    except BaseException as error:
        outcome.ended = FAILED + f": {type(error).__name__}"
        raise
    finally:
        outcome.events = work.watch.count
        work.judge_threshold()
        lines.close()
        listener.end(outcome)
    return outcome


@dataclass
class _Seen:
    """A frame on its way through the method."""

    frame: int
    seconds: float
    at: float
    small: np.ndarray
    picture: np.ndarray | None


_Judged = tuple[_Seen, float | None, float | None, np.ndarray | None]
"""A frame, its score, its smoothed score and its error map; None where there is none."""


@dataclass
class _Stretch:
    """Consecutive frames, from the method's fresh start to the next gap: those without a row yet,
    and those without a smoothed score yet.
    """

    smoother: RunningSmooth
    base: int = 0
    waiting: deque[_Seen] = field(default_factory=deque)
    """Frames `base`, `base` + 1, ... of the stretch."""
    raw: deque[tuple[int, float]] = field(default_factory=deque)
    errors: dict[int, np.ndarray] = field(default_factory=dict)

    def scored(self, scores: Scores) -> Iterator[_Judged]:
        """Take scores; yield frames whose scores are final, and those before them that got none."""
        self.raw.extend(zip(scores.frames.tolist(), scores.values.tolist()))
        yield from self._final(self.smoother.add(scores.values))

    def finish(self) -> Iterator[_Judged]:
        """Yield all the rest."""
        yield from self._final(self.smoother.finish())
        while self.waiting:
            yield self.waiting.popleft(), None, None, None

    def _final(self, smoothed: np.ndarray) -> Iterator[_Judged]:
        for value in smoothed.tolist():
            place, score = self.raw.popleft()
            while self.base < place:
                self.base += 1
                yield self.waiting.popleft(), None, None, None
            self.base += 1
            yield self.waiting.popleft(), score, value, self.errors.pop(place, None)


class _StopEarly(Exception):
    """The user stopped while a file was checked, or a method looked at a whole clip."""


class _Work:
    """One source on its way into its files."""

    def __init__(
        self,
        application: Application,
        footage: Footage,
        lines: Lines,
        output: Applied,
        listener: Listener,
        stops: Callable[[], int],
        outcome: Outcome,
    ) -> None:
        self.application, self.footage, self.lines, self.output = (
            application,
            footage,
            lines,
            output,
        )
        self.listener, self.stops, self.outcome = listener, stops, outcome
        self.watch = Watch(application.threshold)
        self.method = application.fitted.method
        self.times: Sequence[float] | None = None

    def run(self) -> None:
        """Score until there is nothing more."""
        outcome = self.outcome
        outcome.began = datetime.now(UTC).isoformat(timespec="seconds")
        if self.footage.address is not None:
            self._live()
            return
        clip = self.footage.clip
        assert clip is not None
        found = None
        if isinstance(clip.source, VideoFile):
            total = estimate_frames(clip)

            def checked(done: int) -> None:
                self.listener.checking(self.footage, done, total)
                if self.stops():
                    raise _StopEarly

            try:
                survey = video_survey(clip, checked)
            except _StopEarly:
                outcome.ended = STOPPED
                return
            found, self.times = survey.rate, None if self.application.fps else survey.times
        outcome.frame_rate, outcome.frame_rate_from = self._rate(found)
        if not found and not self.application.fps:
            kind = (
                "pictures have"
                if isinstance(clip.source, ImageFiles)
                else f"{self.footage.shown} has"
            )
            self.listener.note(
                f"{kind} no frame rate; {outcome.frame_rate:g} a second {outcome.frame_rate_from} (--fps)"
            )
        self._compare_rates(outcome.frame_rate)
        self.listener.begin(
            self.footage, outcome.frame_rate, count_frames(clip), self.times is not None
        )
        if takes_frames_as_they_come(self.method):
            outcome.ended = self._stretch(self._batches(outcome.frame_rate))
        else:
            outcome.ended = self._whole(outcome.frame_rate)
        if outcome.ended == END and not outcome.scored:
            self.listener.note(
                f"{self.footage.shown}: no frame has a score: {outcome.frames} frames are fewer than the method needs"
            )

    def _rate(self, found: float | None) -> tuple[float, str]:
        application = self.application
        if application.fps:
            return application.fps, "as --fps says"
        if found:
            return (
                found,
                "as the file says"
                if self.times is None
                else "on average; times are those of the file",
            )
        if application.training_rate:
            return application.training_rate, f"assumed, as {application.cell.dataset} has"
        return RATE, "assumed"

    def _compare_rates(self, rate: float | None) -> None:
        trained = self.application.training_rate
        if rate and trained and not 1 / 1.5 < rate / trained < 1.5:
            self.listener.note(
                f"{self.footage.shown} has {rate:.3g} frames a second, the training data ({self.application.cell.dataset}) had "
                f"{trained:g}: things move by other steps from frame to frame, and a method that looks at motion may find that anomalous"
            )

    # -- frames of a file --------------------------------------------------------------------------

    def _batches(self, rate: float) -> Iterator[list[_Seen] | str]:
        """Yield the frames of a file, batch by batch, and last why there are no more."""
        clip = self.footage.clip
        assert clip is not None
        channels = 3 if self.application.picture_height else self.application.frames.channels
        frames = enumerate(read_frames(clip, channels))
        while batch := list(itertools.islice(frames, self.application.fitted.compute.batch)):
            now = time.monotonic()
            yield [
                self._seen(number, self._time(number, rate), now, frame) for number, frame in batch
            ]
            if self.stops():
                yield STOPPED
                return
        yield END

    def _time(self, number: int, rate: float) -> float:
        return number / rate if self.times is None else self.times[number]

    def _seen(self, number: int, seconds: float, at: float, frame: np.ndarray) -> _Seen:
        height = self.application.picture_height
        return _Seen(
            number,
            seconds,
            at,
            converted(frame, self.application.frames),
            _shrunk(frame, height) if height else None,
        )

    def _stretch(self, batches: Iterator[list[_Seen] | str], lag: _Lag | None = None) -> str:
        """Score consecutive frames; return why they ended. Whatever ends it, what was scored is
        written, and the event is closed.
        """
        from bench.engine.inference import infer_as_they_come

        assert isinstance(self.method, NetworkMethod)
        stretch = _Stretch(RunningSmooth(self.application.protocol))
        why = FAILED

        def frames() -> Iterator[np.ndarray]:
            nonlocal why
            for batch in batches:
                if isinstance(batch, str):
                    why = batch
                    return
                stretch.waiting.extend(batch)
                self.outcome.frames += len(batch)
                yield np.stack([one.small for one in batch])

        with tempfile.TemporaryDirectory(prefix="bench-apply-") as folder:
            context = make_context(
                self.application.cell.seed, self.application.fitted.compute, Path(folder)
            )
            if self.application.picture_height:
                context.images = lambda method, clip, frame, found: _keep_error(
                    stretch, frame, found
                )
            try:
                for scores in infer_as_they_come(self.method, frames(), context, lag is not None):
                    behind = (
                        None
                        if lag is None
                        else lag.look(
                            time.monotonic() - stretch.waiting[-1].at, self.outcome.frames
                        )
                    )
                    self._write(stretch.scored(scores))
                    self.listener.progress(self.outcome.frames, "scoring", behind)
            finally:
                self._finish(stretch, why)
        return why

    def _finish(self, stretch: _Stretch, why: str) -> None:
        try:
            self._write(stretch.finish())
        finally:
            event = self.watch.close(why)
            if event is not None:
                self._tell(event)

    def _write(self, found: Iterator[_Judged]) -> None:
        rows: list[Row] = []
        for seen, score, smoothed, error in found:
            above = None if smoothed is None else smoothed > self.application.threshold
            rows.append(Row(seen.frame, seen.seconds, score, smoothed, above, seen.picture, error))
            if smoothed is not None:
                self.outcome.scored += 1
                self.outcome.above += bool(above)
                event = self.watch.add(seen.frame, seen.seconds, smoothed)
                if event is not None:
                    self._tell(event)
        if rows:
            self.lines.add([_columns(row) for row in rows])
            self.listener.rows(rows)
        if self.footage.address is not None and self.outcome.scored >= ENOUGH:
            self.judge_threshold()

    def judge_threshold(self) -> None:
        """Say once where far more frames are above the threshold than it promises of normal
        ones.
        """
        outcome, promised = self.outcome, self.application.promised
        if (
            promised is None
            or outcome.warning
            or not far_more_than_promised(outcome.above, outcome.scored, promised)
        ):
            return
        outcome.warning = (
            f"{self.footage.shown}: {outcome.above} of {outcome.scored} scored frames ({outcome.above / outcome.scored:.0%}) are above the "
            f"threshold, which promises at most {100 * promised:.3g} % of normal frames: unless much of this footage is anomalous, the "
            "threshold does not hold for it. Train on normal footage of this scene, or set --threshold by the scores of such"
        )
        self.listener.note(outcome.warning)

    def _tell(self, event: Event) -> None:
        if event.closed:
            times = (
                f"{event.start:.3f}",
                f"{event.end:.3f}",
                f"{event.peak:.9g}",
                f"{event.peak_time:.3f}",
            )
            self.output.add_event(
                (self.footage.name, event.number, event.first, event.last, *times, event.closed)
            )
        self.listener.event(event)

    # -- a method that looks at the whole clip -----------------------------------------------------

    def _whole(self, rate: float) -> str:
        clip = self.footage.clip
        assert clip is not None

        def step(done: int, total: int, what: str) -> None:
            if self.stops():
                raise _StopEarly
            self.listener.progress(0, what, None)

        def decoded(count: int) -> None:
            if self.stops():
                raise _StopEarly
            if count % self.application.fitted.compute.batch == 0:
                self.listener.progress(count, "decoding", None)

        who = f"{self.application.cell.label}, {self.footage.shown}"
        try:
            with (
                temporary_frames(clip, self.application.frames, decoded) as opened,
                tempfile.TemporaryDirectory() as folder,
            ):
                context = make_context(
                    self.application.cell.seed,
                    self.application.fitted.compute,
                    Path(folder),
                    step=step,
                )
                length = len(opened)
                whole = OpenClip(
                    clip.id, "test", length, self.application.cell.dataset, opener=lambda: opened
                )
                scores = as_scores(self.method.score(whole, context), length, who)
        except _StopEarly:
            return STOPPED
        stretch = _Stretch(RunningSmooth(self.application.protocol))
        pictures: Iterator[np.ndarray | None] = itertools.repeat(None)
        height = self.application.picture_height
        if height:
            pictures = (_shrunk(frame, height) for frame in read_frames(clip))
        nothing = np.zeros(0, np.uint8)
        why = FAILED
        try:
            for begin in range(0, length, self.application.fitted.compute.batch):
                end = min(begin + self.application.fitted.compute.batch, length)
                stretch.waiting.extend(
                    _Seen(number, self._time(number, rate), 0.0, nothing, next(pictures))
                    for number in range(begin, end)
                )
                self.outcome.frames = end
                inside = (scores.frames >= begin) & (scores.frames < end)
                self._write(stretch.scored(Scores(scores.values[inside], scores.frames[inside])))
                self.listener.progress(end, "scoring", None)
            why = END
        finally:
            self._finish(stretch, why)
        return why

    # -- a live source -----------------------------------------------------------------------------

    def _live(self) -> None:
        outcome, application = self.outcome, self.application
        assert isinstance(self.method, NetworkMethod)
        room = max(ROOM, 3 * self.method.window.span)
        source = Live(self.footage, room, application.give_up, self.listener.say)
        try:
            outcome.frame_rate_from = "measured; times are those of arrival"
            self.listener.begin(
                self.footage, application.fps or source.rate or RATE, None, stamped=False
            )
            lag = _Lag(self.footage.shown, room, self.listener.say, outcome)
            why = ""
            while why not in (END, STOPPED):
                why = self._stretch(self._live_batches(source, lag), lag)
            outcome.ended = why
            if why == END:
                raise DataError(
                    f"{self.footage.shown}: given up: {source.lost}; what was scored until then is in {self.output.folder}"
                )
        finally:
            source.close()
            outcome.dropped, outcome.reconnected = source.dropped, source.reconnected

    def _live_batches(self, source: Live, lag: _Lag) -> Iterator[list[_Seen] | str]:
        first: Arrival | None = None
        while True:
            if self.stops():
                yield STOPPED
                return
            taken = source.take(self.application.fitted.compute.batch, POLL)
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
                yield [self._seen(one.number, one.seconds, one.at, one.frame) for one in taken]
            else:
                self.listener.progress(self.outcome.frames, "waiting for frames", None)

    def _measure(self, first: Arrival, newest: Arrival) -> None:
        """Learn the frame rate of a live source from frames without a gap between them."""
        count = newest.number - first.number
        if count >= MEASURED:
            known, self.outcome.frame_rate = (
                self.outcome.frame_rate,
                round(count / max(newest.seconds - first.seconds, 1e-6), 3),
            )
            if known is None:
                self._compare_rates(self.outcome.frame_rate)


class _Lag:
    """Tells when scoring falls behind a live source, by how much, and when it has caught up; not
    more often than every `SAY_AGAIN` seconds.
    """

    def __init__(self, shown: str, room: int, say: Callable[[str], None], outcome: Outcome) -> None:
        self.shown, self.room, self.say, self.outcome = shown, room, say, outcome
        self._late_said = self._dropped_said = -SAY_AGAIN
        self._is_late = False
        self._dropped = 0
        self._frames = 0
        self._at = time.monotonic()

    def look(self, behind: float, frames: int) -> float:
        """Take how many seconds ago the newest frame that is scored came, and how many frames were
        taken in all; return the first.
        """
        now = time.monotonic()
        self.outcome.largest_lag = round(max(behind, self.outcome.largest_lag or 0.0), 3)
        if behind > LATE and now - self._late_said > SAY_AGAIN:
            speed = (frames - self._frames) / max(now - self._at, 1e-3)
            self.say(
                f"{self.shown}: {behind:.1f} s behind real time, at {speed:.1f} frames a second; up to {self.room} frames wait, "
                "those that come then are dropped until none waits"
            )
            self._is_late, self._late_said = True, now
            self._frames, self._at = frames, now
        elif behind < ON_TIME and self._is_late:
            self.say(f"{self.shown}: caught up with real time after {now - self._late_said:.0f} s")
            self._is_late = False
        return behind

    def drop(self, count: int) -> None:
        """Take how many frames were dropped."""
        self._dropped += count
        now = time.monotonic()
        if now - self._dropped_said > SAY_AGAIN:
            self._dropped_said = now
            self.say(
                f"{self.shown}: {self._dropped} frames dropped so far to catch up with real time; after each gap scoring starts afresh"
            )


def _columns(row: Row) -> tuple[object, ...]:
    """Return the values of `FRAME_COLUMNS`; a score of 32 bits so that it can be read back
    exactly.
    """
    if row.score is None or row.smoothed is None:
        return row.frame, f"{row.seconds:.3f}", None, None, None
    return (
        row.frame,
        f"{row.seconds:.3f}",
        f"{row.score:.9g}",
        f"{row.smoothed:.9g}",
        int(bool(row.above)),
    )


def _keep_error(stretch: _Stretch, frame: int, found: dict[str, Any]) -> None:
    if "map" in found:
        stretch.errors[frame] = np.asarray(found["map"], dtype=np.float32)


def _shrunk(frame: np.ndarray, height: int) -> np.ndarray:
    """Return an RGB frame no higher than `height`, in its proportions."""
    import cv2

    if frame.shape[0] <= height:
        return frame
    width = max(1, round(frame.shape[1] * height / frame.shape[0]))
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
