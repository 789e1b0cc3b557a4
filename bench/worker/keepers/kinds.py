"""Which kinds of things are kept, and by whom."""

from __future__ import annotations

from collections.abc import Collection

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
    "images": ImageKeeper,
}
"""The kinds of `bench.runs.folder.KEPT`, in the order in which they are collected: pictures are
moved away from where a cell that is cut off would look for them, so they come last."""


def keepers_of(cell: OpenCell, wanted: Collection[str]) -> list[Keeper]:
    """Return the keepers of the kinds that are wanted of a cell and that its method has."""
    made = (keeper.of(cell) for kind, keeper in KINDS.items() if kind in wanted)
    return [keeper for keeper in made if keeper is not None]
