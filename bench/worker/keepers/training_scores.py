"""Scores of the training clips by the fitted method."""

from __future__ import annotations

from dataclasses import replace

from bench.contracts.method import Scores
from bench.runs.scores import write_scores
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
        partials = []
        clips = cell.training_clips()
        for number, clip in enumerate(clips, start=1):
            partial = cell.scratch / "train_scores" / f"{clip.id}.npz"
            result = cell.partial_scores(partial, clip.id)
            if result is None:
                cell.seed()  # as for test clips: no clip depends on those before it
                with cell.timed(partial):
                    result = cell.score(clip, context, f"training clip {clip.id}")
                    write_scores(partial, {clip.id: result})
            scores[clip.id] = result
            partials.append(partial)
            cell.reporter.step(number, len(clips), f"scored training clip {clip.id}")
        cell.add_seconds("train_score", partials)
        if scores:
            cell.run.write_train_scores(cell.record, scores)
