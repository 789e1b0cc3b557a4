"""What an observer is: what is told how the cells of a run go, to show it somewhere else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from bench.contracts.parameters import NoParameters


class Observer:
    """Told of each cell of a run: that it started, the figures of each epoch, how it ended.

    Called in the runner's process, in a thread of the observer's own, one call after the other and
    in the order in which things happened: a slow observer keeps nobody waiting. What a call raises
    is logged in `observers.log` of the run folder and said once, and costs the run nothing. `cell`
    is the cell's record, as it stands in cell.json: label, dataset, seed, scene, folder, profile,
    parameters, attempts, status, reason, seconds, cost, ...; not to be changed.
    """

    name: ClassVar[str]
    Parameters: ClassVar[type] = NoParameters
    needs_parameters: ClassVar[bool] = False

    def __init__(self, parameters: Any = None) -> None:
        self.parameters = type(self).Parameters() if parameters is None else parameters

    def check(self) -> None:
        """Raise RequestError, with what to do, where the observer cannot work here: a package is
        missing.
        """

    def open(self, run: Path) -> None:
        """Get ready; `run` is the run folder. Where this raises, nothing else is called."""

    def started(self, cell: Mapping[str, Any]) -> None:
        """An attempt at a cell starts. It may have started before and not `finished`: where that
        attempt found the cell taken by another process.
        """

    def epoch(self, cell: Mapping[str, Any], number: int, figures: Mapping[str, float]) -> None:
        """An epoch has ended (an epoch or a step, as the method counts): the columns of its line in
        training.csv.
        """

    def finished(self, cell: Mapping[str, Any], figures: Mapping[str, float]) -> None:
        """An attempt has ended, with the status in `cell`. `figures` of a finished cell: its
        metrics under the run's protocol, as fractions.
        """

    def close(self) -> None:
        """The run ends, or is stopped."""
