"""A cell that a worker computes, with everything that takes part."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from bench.contracts.clip import Clip
from bench.contracts.method import Context, Method, OpenClip, Scores, as_scores
from bench.engine.context import make_context
from bench.engine.measured_cost import FitClock, Stopwatch
from bench.engine.seeding import seed_everything
from bench.errors import DataError, MethodError
from bench.planning.cell_files import file_keys
from bench.planning.cell_spec import CellSpec
from bench.plugins.registry import current
from bench.plugins.selection import select_one
from bench.runs.folder import Run
from bench.runs.records import CellRecord
from bench.worker.opening import clip_length, located_dataset, make_detector, open_clip
from bench.worker.progress import Reporter

CHECKPOINT = "checkpoint.pt"
"""Below the scratch folder: where training stands."""


class OpenCell:
    """A cell, its method, its dataset, and the context that the method works in.

    `roots` are the data folders; with a `fingerprint` the dataset must be that copy. `lengths` are
    the frames of each test clip that the cell scores, in order, by clip id; `scratch`
    is the folder of what an attempt that is cut off leaves to the next one.

    Raises
    ------
    DataError : the dataset lacks what the cell needs.
    MethodError : the method, or a file that it reads, is not the one that the run was planned with.
    """

    def __init__(
        self,
        spec: CellSpec,
        roots: list[str],
        fingerprint: str,
        run: Run,
        record: CellRecord,
        reporter: Reporter,
        logger: logging.Logger,
    ) -> None:
        self.spec, self.run, self.record = spec, run, record
        self.reporter, self.logger = reporter, logger
        self.files = run.files_of(record)
        self.scratch = self.files.scratch
        self.dataset_record = run.dataset(record.dataset_folder)
        problems = self.dataset_record.problems
        for need in ("lengths", *record.needs):
            if need in problems:
                raise DataError(problems[need])
        if "tracks" in record.needs:
            logger.info("tracks of the training clips: %s", self.dataset_record.tracks)
        self.seed()
        self.method: Method = select_one(
            "methods", record.selector, current(), record.profile
        ).make()
        if self.method.version != spec.version:
            raise MethodError(
                f"{record.method} is version {self.method.version} here and "
                f"{spec.version} in the run; install one bench everywhere"
            )
        clips = self.dataset_record.clips
        self.lengths = {
            clip: length
            for clip, length, scene in clips
            if not record.scene or scene == record.scene
        }
        self.dataset = located_dataset(spec.dataset, roots, fingerprint)
        files, absent = file_keys(self.method, self.dataset.name, current())
        if absent or any(files.get(name) != spec.files.get(name) for name in ("weights", "files")):
            changed = "a file that it reads has changed since the run was planned"
            raise MethodError(
                f"{record.label}: {'; '.join(absent) or changed}; "
                "the same `bench run` line begins the cell anew"
            )
        self.detector = make_detector(spec.detector) if "tracks" in self.method.needs else None
        self.stopwatch, self.fit_clock = Stopwatch(), FitClock()
        known = {*self.dataset.expected.get("test", {}), *(clip for clip, _, _ in clips)}
        self.context = make_context(
            seed=spec.seed,
            compute=spec.compute,
            folder=self.scratch,
            logger=logger,
            step=reporter.step,
            test_lengths=self.lengths,
            other_test_clips=known - self.lengths.keys(),
            checkpoint=self.scratch / CHECKPOINT,
            history=self.files.training,
            steps=self.files.steps,
            stopwatch=self.stopwatch,
            fit_clock=self.fit_clock,
        )

    def clip(self, clip: Clip, length: int) -> OpenClip:
        """Return a clip as the method sees it."""
        return open_clip(
            self.dataset, clip, length, self.method, self.detector, self.reporter.touch
        )

    def test_clips(self) -> Iterator[OpenClip]:
        """Yield the test clips that the cell scores."""
        clips = {clip.id: clip for clip in self.dataset.clips("test")}
        for clip_id, length in self.lengths.items():
            yield self.clip(clips[clip_id], length)

    def training_clips(self) -> list[OpenClip]:
        """Return the training clips of the cell that have frames."""
        scene = self.record.scene
        return [
            self.clip(clip, clip_length(clip))
            for clip in self.dataset.clips("train")
            if clip.source is not None and (not scene or clip.scene == scene)
        ]

    def seed(self) -> None:
        """Set every random generator, so that what comes next does not depend on what came
        before.
        """
        compute = self.spec.compute
        seed_everything(
            self.spec.seed, compute.threads, compute.precision, compute.nondeterministic
        )

    def score(self, clip: OpenClip, context: Context, what: str) -> Scores:
        """Return the checked scores of a clip; `what` is the clip in errors."""
        label = f"{self.record.label} on {self.record.dataset}, {what}"
        return as_scores(self.method.score(clip, context), clip.length, label)
