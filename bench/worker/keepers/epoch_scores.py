"""Scores of the test clips after every epoch of the training, for the audit of which epoch a paper
reports. They enter the table `epochs` and no other.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.contracts.method import Scores
from bench.contracts.network_method import NetworkMethod
from bench.errors import RunError
from bench.runs.scores import read_scores, write_epoch_scores, write_scores
from bench.worker.keepers.keeper import Keeper
from bench.worker.open_cell import OpenCell


class EpochScoreKeeper(Keeper):
    """Scores the test clips after each epoch, while the training waits; the training goes on as if
    nothing had been scored.
    """

    @classmethod
    def of(cls, cell: OpenCell) -> Keeper | None:
        """Return the keeper of a network that is trained."""
        trained = isinstance(cell.method, NetworkMethod) and "train" in cell.method.needs
        return cls() if trained else None

    @classmethod
    def before_fitting(cls, cell: OpenCell) -> None:
        """Have the training loop call after each epoch."""
        context = replace(cell.context, after_epoch=None)

        def score(epoch: int) -> None:
            scores: dict[str, Scores] = {}
            with cell.fit_clock.aside():
                for number, clip in enumerate(cell.test_clips(), start=1):
                    cell.seed()
                    scores[clip.id] = cell.score(clip, context, f"clip {clip.id}")
                    cell.reporter.step(
                        number, len(cell.lengths), f"scored clip {clip.id} after epoch {epoch}"
                    )
                write_scores(_file(cell, epoch), scores)

        _folder(cell).mkdir(parents=True, exist_ok=True)
        cell.context.after_epoch = score

    def collect(self, cell: OpenCell) -> None:
        """Join the epochs into one file, `EPOCH/CLIP`: all of them, or none where one is lost. A
        method that trains itself has none.
        """
        numbers = [int(path.stem) for path in _folder(cell).glob("*.npz")]
        try:
            epochs = {
                epoch: read_scores(_file(cell, epoch))
                for epoch in range(1, max(numbers, default=0) + 1)
            }
        except RunError as error:
            cell.logger.warning(
                "the scores of its epochs are not kept, since those of one are lost: %s", error
            )
            return
        if epochs:
            write_epoch_scores(cell.files.epoch_scores, epochs)


def _folder(cell: OpenCell) -> Path:
    return cell.scratch / "epoch_scores"


def _file(cell: OpenCell, epoch: int) -> Path:
    return _folder(cell) / f"{epoch}.npz"
