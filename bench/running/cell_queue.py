"""The cells that wait for a worker, and the order in which they get one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from bench.planning.cells import PlannedCell
from bench.planning.located import PlannedDataset

LOOK = 1.0
"""Seconds between two looks at cells that another runner works on."""
TAKEN_AT_MOST = 8
"""Attempts at a cell that end because it is another worker's, after which the cell fails. Chosen
here: `LOOK` doubles after each, so that they take four minutes, longer than a claim of a dead
process on another host lasts, or what an NFS client remembers of a folder."""


class CellQueue:
    """Cells and datasets that wait.

    A cell waits until its dataset is done. One that another worker has is looked at again later,
    and put back behind all others.

    Parameters
    ----------
    to_prepare : the datasets of the cells; empty where each worker prepares its own.
    """

    def __init__(
        self, cells: Iterable[PlannedCell], to_prepare: Iterable[PlannedDataset] = ()
    ) -> None:
        self.cells = list(cells)
        """Those that wait, without those that are elsewhere."""
        self.datasets = list(to_prepare)
        self._unfinished = {planned.name for planned in self.datasets}
        self._problems: dict[str, str] = {}
        self._elsewhere: dict[PlannedCell, float] = {}
        self._taken: Counter[str] = Counter()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits, here or elsewhere."""
        return not (self.cells or self.datasets or self._elsewhere)

    def next_cell(self) -> PlannedCell | None:
        """Take the first cell whose dataset is done; None where there is none."""
        found = next(
            (cell for cell in self.cells if cell.dataset.name not in self._unfinished), None
        )
        if found is not None:
            self.cells.remove(found)
        return found

    def next_dataset(self) -> PlannedDataset | None:
        """Take the next dataset to prepare; None where there is none."""
        return self.datasets.pop(0) if self.datasets else None

    def dataset_done(self, planned: PlannedDataset, problem: str = "") -> None:
        """Let the cells of a dataset go on; `problem`: why it cannot be prepared."""
        self._unfinished.discard(planned.name)
        if problem:
            self._problems[planned.name] = problem

    def problem_of(self, cell: PlannedCell) -> str:
        """Return why the dataset of a cell cannot be prepared; empty where it can."""
        return self._problems.get(cell.dataset.name, "")

    def put_aside(self, cell: PlannedCell, seconds: float | None = None) -> None:
        """Look at a cell again in so many seconds, `LOOK` by default: another worker has it."""
        self._elsewhere[cell] = time.monotonic() + (LOOK if seconds is None else seconds)

    def due(self) -> list[PlannedCell]:
        """Take the cells that are elsewhere and to be looked at now."""
        now = time.monotonic()
        found = [cell for cell, when in self._elsewhere.items() if now >= when]
        for cell in found:
            del self._elsewhere[cell]
        return found

    def put_back(self, cell: PlannedCell) -> None:
        """Have a cell wait again, behind the others."""
        self.cells.append(cell)

    def attempt_was_taken(self, cell: PlannedCell) -> None:
        """Put a cell aside whose attempt ended because it is another worker's, longer each time."""
        self._taken[cell.record.folder] += 1
        self.put_aside(cell, LOOK * 2 ** (self.taken(cell) - 1))

    def taken(self, cell: PlannedCell) -> int:
        """Return how many attempts at a cell ended because it is another worker's."""
        return self._taken[cell.record.folder]
