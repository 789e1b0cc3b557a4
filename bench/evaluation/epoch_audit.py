"""What choosing the epoch on the test clips would gain: the last epoch, the best on the test clips
(the oracle), and the one with the lowest training loss.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.contracts.method import Scores
from bench.contracts.protocol import Protocol
from bench.errors import RunError
from bench.evaluation.run_scores import RunScores
from bench.runs.folder import Run
from bench.runs.records import CellRecord
from bench.runs.status import Status
from bench.scoring.evaluate import ClipScores
from bench.scoring.intervals import LEVEL
from bench.scoring.resampling import ONE_CLASS, SINGLE, ClipAuc, resample_together


class NoAudit(Exception):
    """Why a row has no audit; `status` is that of a cell that is not done."""

    def __init__(self, reason: str, status: str = "") -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class EpochAudit:
    """The audit of a row, AUCs as fractions, means over its seeds.

    Parameters
    ----------
    epochs : of the training, the most of any seed.
    oracle_epochs, loss_epochs : of each seed, counted from 1.
    by_loss : AUC of the epoch with the lowest training loss; None where no loss is on record.
    low, high : the ends of the 95 % interval of `inflation`; None where `reason` says why.
    """

    last: float
    oracle: float
    by_loss: float | None
    epochs: int
    oracle_epochs: tuple[int, ...]
    loss_epochs: tuple[int, ...]
    low: float | None
    high: float | None
    reason: str = ""

    @property
    def inflation(self) -> float:
        """What the choice on the test clips gains over the last epoch."""
        return self.oracle - self.last


def audit(
    run: Run,
    run_scores: RunScores,
    seeds: Sequence[Sequence[CellRecord]],
    label_set: str,
    protocol: Protocol,
) -> EpochAudit:
    """Return the audit of a row from the scores that its cells kept of each epoch.

    The interval holds the middle 95 % of the resamples of the clips. In each of them the oracle
    chooses anew, for each seed by itself.

    Parameters
    ----------
    seeds : of each seed its cell, or those of the scenes' own models. These count as one: an epoch
        is that epoch of every scene's model, its loss the mean over the scenes.

    Raises
    ------
    NoAudit : a cell is not done or kept no scores of its epochs, its file is damaged, or no AUC
        exists.
    """
    rows_of_seeds: list[list[ClipAuc]] = []
    losses: list[list[float]] = []
    for cells in seeds:
        epochs = _epochs_of(run, cells)
        whole = run_scores.clips(cells, label_set, protocol)
        rows = [ClipAuc([_with(whole, epochs[epoch])], protocol) for epoch in sorted(epochs)]
        if not all(row.exists for row in rows):
            raise NoAudit("no AUC exists: the scored frames are of one class")
        rows_of_seeds.append(rows)
        of_cells = [_losses(run.files_of(cell).training, len(rows)) for cell in cells]
        losses.append(np.mean(of_cells, axis=0).tolist() if all(of_cells) else [])
    values = [np.array([row.value for row in rows]) for rows in rows_of_seeds]
    chosen = [int(np.argmax(of_seed)) for of_seed in values]
    lowest = [int(np.argmin(of_seed)) for of_seed in losses if of_seed]
    by_loss = [of_seed[epoch] for of_seed, epoch in zip(values, lowest)]
    found = EpochAudit(
        last=float(np.mean([of_seed[-1] for of_seed in values])),
        oracle=float(np.mean([of_seed.max() for of_seed in values])),
        by_loss=float(np.mean(by_loss)) if len(by_loss) == len(values) else None,
        epochs=max(map(len, values)),
        oracle_epochs=tuple(epoch + 1 for epoch in chosen),
        loss_epochs=tuple(epoch + 1 for epoch in lowest) if len(lowest) == len(values) else (),
        low=None,
        high=None,
    )
    every = [row for rows in rows_of_seeds for row in rows]
    if min(row.rarer for row in every) < 2:
        return replace(found, reason=SINGLE)
    drawn = resample_together(every)[0]
    if drawn is None:
        return replace(found, reason=ONE_CLASS)
    of_seeds = np.split(drawn, np.cumsum([len(rows) for rows in rows_of_seeds])[:-1])
    gains = np.mean([part.max(axis=0) - part[-1] for part in of_seeds], axis=0)
    low, high = np.quantile(gains, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return replace(found, low=float(low), high=float(high))


def _epochs_of(run: Run, cells: Sequence[CellRecord]) -> dict[int, dict[str, Scores]]:
    """Return epoch, counted from 1 -> clip id -> scores, of all cells together. Raises `NoAudit`."""
    found: dict[int, dict[str, Scores]] = {}
    for cell in cells:
        if cell.status != Status.DONE:
            raise NoAudit(cell.reason or cell.status, cell.status)
        try:
            epochs = run.epoch_scores(cell)
        except RunError as error:
            raise NoAudit(str(error)) from error
        if not epochs:
            raise NoAudit(
                f"seed {cell.seed} kept no scores of its epochs: `bench run` as before, into the "
                f"same --out, with --keep epoch-scores --force '{cell.selector}' makes them"
            )
        if found and found.keys() != epochs.keys():
            raise NoAudit("the models of its scenes were trained for different numbers of epochs")
        for epoch, scores in epochs.items():
            found.setdefault(epoch, {}).update(scores)
    return found


def _with(clips: Sequence[ClipScores], scores: dict[str, Scores]) -> list[ClipScores]:
    """Return clips with the scores of an epoch, on the frames that they have now."""
    found = []
    for clip in clips:
        of_clip = scores[clip.id]
        kept = np.isin(of_clip.frames, clip.frames)
        found.append(replace(clip, scores=of_clip.values[kept], frames=of_clip.frames[kept]))
    return found


def _losses(path: Path, epochs: int) -> list[float]:
    """Return the training loss of each epoch; empty where training.csv does not have it."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [float(row["loss"]) for row in rows] if len(rows) == epochs else []
