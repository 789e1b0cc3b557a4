"""Scores a video file or a folder of images."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bench.applying.application import RATE, takes_frames_as_they_come
from bench.applying.listener import END, FAILED, STOPPED
from bench.applying.scorer import Scorer, shrunk
from bench.applying.stretch import PendingFrame, Stretch
from bench.contracts.clip import ImageFiles, VideoFile
from bench.contracts.method import OpenClip, Scores, as_scores
from bench.engine.context import make_context
from bench.frames.decode import count_frames, estimate_frames, read_frames, video_survey
from bench.frames.store import temporary_frames
from bench.scoring.watching import RunningSmooth


class StopEarly(Exception):
    """The user stopped while a file was checked or scored as a whole."""


class FileScorer(Scorer):
    """Scores files."""

    times: Sequence[float] | None = None

    def run(self) -> None:
        """Score until there is nothing more."""
        outcome = self.outcome
        clip = self.footage.clip
        assert clip is not None
        found = None
        if isinstance(clip.source, VideoFile):
            total = estimate_frames(clip)

            def checked(done: int) -> None:
                self.listener.checking(self.footage, done, total)
                if self.stops():
                    raise StopEarly

            try:
                survey = video_survey(clip, checked)
            except StopEarly:
                outcome.ended = STOPPED
                return
            found, self.times = survey.rate, None if self.application.fps else survey.times
        outcome.frame_rate, outcome.frame_rate_from = self._rate(found)
        if not found and not self.application.fps:
            kind = (
                "images have"
                if isinstance(clip.source, ImageFiles)
                else f"{self.footage.shown} has"
            )
            self.listener.note(
                f"{kind} no frame rate; {outcome.frame_rate:g} frames per second "
                f"{outcome.frame_rate_from} (--fps)"
            )
        self.compare_rates(outcome.frame_rate)
        self.listener.begin(
            self.footage, outcome.frame_rate, count_frames(clip), self.times is not None
        )
        if takes_frames_as_they_come(self.method):
            outcome.ended = self.score_stretch(self._batches(outcome.frame_rate))
        else:
            outcome.ended = self._whole(outcome.frame_rate)
        if outcome.ended == END and not outcome.scored:
            self.listener.note(
                f"{self.footage.shown}: no frame has a score: {outcome.frames} frames are fewer "
                "than the method needs"
            )

    def _rate(self, found: float | None) -> tuple[float, str]:
        application = self.application
        if application.fps:
            return application.fps, "as set with --fps"
        if found:
            return (
                found,
                "as stated in the file"
                if self.times is None
                else "on average; times are those of the file",
            )
        if application.training_rate:
            return application.training_rate, f"assumed, as in {application.cell.dataset}"
        return RATE, "assumed"

    def _batches(self, rate: float) -> Iterator[list[PendingFrame] | str]:
        """Yield the frames of a file in batches, and at last why there are no more."""
        clip = self.footage.clip
        assert clip is not None
        channels = 3 if self.application.image_height else self.application.frames.channels
        frames = enumerate(read_frames(clip, channels))
        while batch := list(
            itertools.islice(frames, self.application.fitted.compute.scoring_batch)
        ):
            now = time.monotonic()
            yield [
                self.pending(number, self._time(number, rate), now, frame)
                for number, frame in batch
            ]
            if self.stops():
                yield STOPPED
                return
        yield END

    def _time(self, number: int, rate: float) -> float:
        return number / rate if self.times is None else self.times[number]

    def _whole(self, rate: float) -> str:
        clip = self.footage.clip
        assert clip is not None

        def step(done: int, total: int, what: str) -> None:
            if self.stops():
                raise StopEarly
            self.listener.progress(0, what, None)

        def decoded(count: int) -> None:
            if self.stops():
                raise StopEarly
            if count % self.application.fitted.compute.scoring_batch == 0:
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
                self.application.fitted.seed_everything()
                scores = as_scores(self.method.score(whole, context), length, who)
        except StopEarly:
            return STOPPED
        stretch = Stretch(RunningSmooth(self.application.protocol))
        images: Iterator[np.ndarray | None] = itertools.repeat(None)
        height = self.application.image_height
        if height:
            images = (shrunk(frame, height) for frame in read_frames(clip))
        nothing = np.zeros(0, np.uint8)
        why = FAILED
        try:
            for begin in range(0, length, self.application.fitted.compute.scoring_batch):
                end = min(begin + self.application.fitted.compute.scoring_batch, length)
                stretch.waiting.extend(
                    PendingFrame(number, self._time(number, rate), 0.0, nothing, next(images))
                    for number in range(begin, end)
                )
                self.outcome.frames = end
                inside = (scores.frames >= begin) & (scores.frames < end)
                self.write(stretch.scored(Scores(scores.values[inside], scores.frames[inside])))
                self.listener.progress(end, "scoring", None)
            why = END
        finally:
            self.finish(stretch, why)
        return why
