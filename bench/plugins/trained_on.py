"""Training on one dataset and testing on another: `avenue[train_on=ped2]`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from bench.contracts.clip import SPLITS, Clip, PassedOver, Split
from bench.contracts.dataset import Dataset
from bench.contracts.parameters import ParameterSchema
from bench.errors import DataError

TRAIN_ON = ParameterSchema(
    "train_on",
    str,
    "",
    doc="The dataset whose training clips are used; empty: its own.",
)
"""A parameter of every dataset: the selection adds it to those that the class declares."""


Fact = TypeVar("Fact")


def trained_on(target: type[Dataset], make_other: Callable[[], Dataset]) -> type[Dataset]:
    """Return a dataset with the test clips and labels of `target`, and the training clips of the
    dataset that `make_other` makes.

    Boxes, tracks and stored frames of the training clips are those of the other dataset.
    """

    class TrainedOn(target):  # type: ignore[misc, valid-type]
        def __init__(self, own: Any = None) -> None:
            super().__init__(own)
            self.training = make_other()
            self.expected = _joined(self.training.expected, target.expected)
            self.expected_totals = _joined(self.training.expected_totals, target.expected_totals)
            self.official = _joined(self.training.official, target.official)

        def locate(self, roots: Sequence[Path]) -> None:
            super().locate(roots)
            self.training.locate(roots)
            if super().model_scenes() or self.training.model_scenes():
                raise DataError(
                    f"{self.name}: train_on={self.training.name} does not go with a model for "
                    "each scene, since the scenes of two datasets are not the same"
                )

        def clips(self, split: Split) -> list[Clip]:
            return self.training.clips(split) if split == "train" else super().clips(split)

        def owner(self, split: Split) -> Dataset:
            return self.training if split == "train" else self

        def passed_over(self, splits: Sequence[Split] = SPLITS) -> list[PassedOver]:
            found = []
            if "train" in splits:
                found += self.training.passed_over(("train",))
            if "test" in splits:
                found += super().passed_over(("test",))
            return found

        def lacks(self, need: str) -> str | None:
            return self.training.lacks(need) if need == "train" else super().lacks(need)

    TrainedOn.__module__, TrainedOn.__name__ = target.__module__, target.__name__
    return TrainedOn


def _joined(train: Mapping[str, Fact], test: Mapping[str, Fact]) -> dict[str, Fact]:
    """Return facts by split: those of the training clips, and those of the test clips."""
    return {
        split: facts[split] for split, facts in (("train", train), ("test", test)) if split in facts
    }
