"""Scores of the training clips by the fitted method."""

from __future__ import annotations

from dataclasses import replace

from bench.contracts.method import Scores
from bench.worker.clip_scores import add_seconds, clip_scores
from bench.worker.keepers.keeper import Keeper
from bench.worker.open_cell import OpenCell


class TrainingScoreKeeper(Keeper):
    """Scores the training clips once the test clips are done."""

    @classmethod
    def of(cls, cell: OpenCell) -> Keeper | None:
        """Return the keeper of a method that scores frames."""
        return cls() if "frames" in cell.method.needs else None

    def collect(self, cell: OpenCell) -> None:
        """Score the training clips, each kept as soon as it is there, and write the scores."""
        context = replace(cell.context, images=None, regions=None, test_lengths={})
        scores: dict[str, Scores] = {}
        folder = cell.scratch / "train_scores"
        clips = cell.training_clips()
        for number, clip in enumerate(clips, start=1):
            scores[clip.id] = clip_scores(cell, clip, context, f"training clip {clip.id}", folder)
            cell.reporter.step(number, len(clips), f"scored training clip {clip.id}")
        add_seconds(cell, "train_score", folder, scores)
        if scores:
            cell.run.write_train_scores(cell.record, scores)
