"""Scores the frames of one source and writes its files, wherever the frames come from."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.applying.application import Application
from bench.applying.footage import Footage
from bench.applying.listener import FAILED, Listener, Outcome, ScoredFrame
from bench.applying.stretch import Judged, PendingFrame, Stretch
from bench.contracts.network_method import NetworkMethod
from bench.engine.context import make_context
from bench.frames.conversion import converted
from bench.runs.applied import Applied, Lines
from bench.scoring.alarms import far_more_than_promised
from bench.scoring.watching import Event, RunningSmooth, Watch

ENOUGH = 250
"""Scored frames of a live source before its share above the threshold is judged. Chosen here: ten
seconds at 25 frames per second."""


@dataclass
class Scorer:
    """Scores one source; `run` gets the frames."""

    application: Application
    footage: Footage
    lines: Lines
    output: Applied
    listener: Listener
    stops: Callable[[], int]
    outcome: Outcome

    def __post_init__(self) -> None:
        self.watch = Watch(self.application.threshold)
        self.method = self.application.fitted.method

    def run(self) -> None:
        """Score until there is nothing more."""
        raise NotImplementedError

    def compare_rates(self, rate: float | None) -> None:
        """Note a frame rate that is far from that of the training data."""
        trained = self.application.training_rate
        if rate and trained and not 1 / 1.5 < rate / trained < 1.5:
            self.listener.note(
                f"{self.footage.shown} has {rate:.3g} frames per second, the training data "
                f"({self.application.cell.dataset}) had {trained:g}: objects move by different "
                "steps between frames, which a method that uses motion may find anomalous"
            )

    def pending(self, number: int, seconds: float, at: float, frame: np.ndarray) -> PendingFrame:
        """Return a frame in the method's format, to be scored; `at` is when it came."""
        height = self.application.image_height
        return PendingFrame(
            number,
            seconds,
            at,
            converted(frame, self.application.frames),
            shrunk(frame, height) if height else None,
        )

    def score_stretch(
        self,
        batches: Iterator[list[PendingFrame] | str],
        look: Callable[[float, int], float] | None = None,
    ) -> str:
        """Score consecutive frames and return why they ended. However they end, all scores are
        written and the open event is closed.

        `look` is told of a live source how many seconds behind it scoring is, and how many frames
        were taken; it returns the first.
        """
        from bench.engine.inference import infer_as_they_come

        assert isinstance(self.method, NetworkMethod)
        stretch = Stretch(RunningSmooth(self.application.protocol))
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
            compute = self.application.fitted.compute
            context = make_context(self.application.cell.seed, compute, Path(folder))
            if self.application.image_height:
                context.images = lambda method, clip, frame, found: _keep_error(
                    stretch, frame, found
                )
            self.application.fitted.seed_everything()
            try:
                for scores in infer_as_they_come(self.method, frames(), context, look is not None):
                    behind = (
                        None
                        if look is None
                        else look(time.monotonic() - stretch.waiting[-1].at, self.outcome.frames)
                    )
                    self.write(stretch.scored(scores))
                    self.listener.progress(self.outcome.frames, "scoring", behind)
            finally:
                self.finish(stretch, why)
        return why

    def finish(self, stretch: Stretch, why: str) -> None:
        """Write the rest of a stretch, and close the event that is open."""
        try:
            self.write(stretch.finish())
        finally:
            event = self.watch.close(why)
            if event is not None:
                self._tell(event)

    def write(self, found: Iterator[Judged]) -> None:
        """Write frames whose scores are final, and the events that begin or end with them."""
        rows: list[ScoredFrame] = []
        for seen, score, smoothed, error in found:
            above = None if smoothed is None else smoothed > self.application.threshold
            rows.append(
                ScoredFrame(seen.frame, seen.seconds, score, smoothed, above, seen.image, error)
            )
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
        """Warn once if far more frames are above the threshold than it allows for normal ones."""
        outcome, promised = self.outcome, self.application.promised
        if (
            promised is None
            or outcome.warning
            or not far_more_than_promised(outcome.above, outcome.scored, promised)
        ):
            return
        outcome.warning = (
            f"{self.footage.shown}: {outcome.above} of {outcome.scored} scored frames "
            f"({outcome.above / outcome.scored:.0%}) are above the threshold, which allows at "
            f"most {100 * promised:.3g} % of normal frames: unless much of this footage is "
            "anomalous, the threshold does not fit it. Train on normal footage of this scene, or "
            "choose --threshold from the scores of such footage"
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


def _columns(row: ScoredFrame) -> tuple[object, ...]:
    """Return the values of `FRAME_COLUMNS`; 32-bit scores with all their digits."""
    if row.score is None or row.smoothed is None:
        return row.frame, f"{row.seconds:.3f}", None, None, None
    return (
        row.frame,
        f"{row.seconds:.3f}",
        f"{row.score:.9g}",
        f"{row.smoothed:.9g}",
        int(bool(row.above)),
    )


def _keep_error(stretch: Stretch, frame: int, found: dict[str, Any]) -> None:
    if "map" in found:
        stretch.errors[frame] = np.asarray(found["map"], dtype=np.float32)


def shrunk(frame: np.ndarray, height: int) -> np.ndarray:
    """Return an RGB frame scaled down to at most `height` rows, with the same aspect ratio."""
    import cv2

    if frame.shape[0] <= height:
        return frame
    width = max(1, round(frame.shape[1] * height / frame.shape[0]))
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
