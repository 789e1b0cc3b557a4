"""Computes a cell: fits, scores clip by clip, and writes the scores."""

from __future__ import annotations

import numpy as np

from bench.contracts.method import Scores
from bench.contracts.network_method import NetworkMethod
from bench.engine.measured_cost import network_cost
from bench.errors import MethodError
from bench.worker.clip_scores import add_seconds, clip_scores
from bench.worker.fitting import fit
from bench.worker.keepers.epoch_scores import EpochScoreKeeper
from bench.worker.keepers.images import ImageKeeper
from bench.worker.keepers.keeper import Keeper
from bench.worker.keepers.regions import RegionKeeper
from bench.worker.keepers.training_scores import TrainingScoreKeeper
from bench.worker.keepers.weights import WeightKeeper
from bench.worker.open_cell import OpenCell

KINDS: dict[str, type[Keeper]] = {
    "weights": WeightKeeper,
    "regions": RegionKeeper,
    "train-scores": TrainingScoreKeeper,
    "epoch-scores": EpochScoreKeeper,
    "images": ImageKeeper,
}
"""The kinds of `bench.runs.layout.KEPT`, in the order in which they are collected: images are
moved away from where a cell that is cut off would look for them, so they come last."""


def compute(cell: OpenCell, warnings: list[str]) -> None:
    """Compute a cell and write its scores, and what is to be kept beside them, into the run folder.

    What an attempt that was cut off has left is used, and gives the same scores.

    Parameters
    ----------
    warnings : those of the method so far; those of an earlier attempt's fit are added.

    Raises
    ------
    MethodError : no test clip got a score, or the method returned something else than scores.
    """
    record = cell.record
    (cell.scratch / "scores").mkdir(parents=True, exist_ok=True)
    kinds = [keeper for kind, keeper in KINDS.items() if kind in cell.spec.keep]
    for kind in kinds:
        kind.before_fitting(cell)
    cell.reporter.begin("fit", "fitting")
    fit(cell, warnings)
    record.facts = cell.context.facts
    method = cell.method  # another than before, where it was out of memory

    cell.reporter.begin("score", "scoring")
    made = (kind.of(cell) for kind in kinds)
    keepers = [keeper for keeper in made if keeper is not None]
    for keeper in keepers:
        keeper.before_scoring(cell)
    scores = _test_scores(cell, keepers)
    record.clips_left_out = [clip for clip, found in scores.items() if not len(found.values)]
    if len(record.clips_left_out) == len(scores):
        raise MethodError(
            f"{record.label} on {record.dataset}: no test clip got a score: all {len(scores)} "
            "are shorter than the window"
        )
    if isinstance(method, NetworkMethod):
        record.cost |= network_cost(
            method,
            cell.stopwatch,
            cell.files.training,
            cell.logger,
            cell.spec.compute,
        )
    for keeper in keepers:
        keeper.collect(cell)
    cell.run.write_scores(record, scores)
    record.kept = sorted(cell.spec.keep)


def _test_scores(cell: OpenCell, keepers: list[Keeper]) -> dict[str, Scores]:
    scores: dict[str, Scores] = {}
    folder = cell.scratch / "scores"
    for number, clip in enumerate(cell.test_clips(), start=1):
        parts = [part for keeper in keepers if (part := keeper.part(clip.id)) is not None]

        def finish(frames: np.ndarray, clip_id: str = clip.id) -> None:
            for keeper in keepers:
                keeper.finish(clip_id, frames)

        scores[clip.id] = clip_scores(
            cell,
            clip,
            cell.context,
            f"clip {clip.id}",
            folder,
            usable=all(part.exists() for part in parts),
            finish=finish,
        )
        cell.reporter.step(number, len(cell.lengths), f"scored clip {clip.id}")
    add_seconds(cell, "score", folder, scores)
    return scores
