"""Several runs read as one; each cell stays in its own folder."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from bench.errors import RunError
from bench.runs.folder import Run
from bench.runs.manifest import Manifest
from bench.runs.records import CellRecord, DatasetRecord
from bench.runs.status import Status

Place = tuple[str, str, int, str]
"""Label, dataset, seed and scene of a cell, in whichever run."""

PREFERRED = (
    Status.DONE,
    Status.FAILED,
    Status.INTERRUPTED,
    Status.RUNNING,
    Status.QUEUED,
    Status.PUBLISHED_ONLY,
    Status.NO_DATA,
)
"""Which version of a cell counts where several runs have it: a result, then a reason, then what is
still to come.
"""


class MergedRun(Run):
    """The cells of several runs. Only `path` is written to; the runs themselves do not change.

    A cell that is in several runs with the same key counts once, from the run in which it got the
    furthest. Rows with the same name that differ (in profile or parameters) are told apart: each
    run has a row with its name and all of its cells, and runs that agree, such as shards, have one
    together.

    Raises
    ------
    RunError : the runs contain different copies of a dataset, or two runs have the same name.
    """

    def __init__(self, path: Path, runs: Sequence[Run]) -> None:
        super().__init__(path)
        self.runs = {run.path.resolve().name: run for run in runs}
        if len(self.runs) < len(runs):
            names = [
                name
                for name, times in Counter(run.path.resolve().name for run in runs).items()
                if times > 1
            ]
            raise RunError(
                f"several runs are called {', '.join(names)}; copy one of them to a folder with "
                "another name"
            )
        self._datasets = self._one_copy_of_each()
        self._cells = self._each_once()

    @property
    def manifests(self) -> dict[str, Manifest]:
        """The content of run.json of each run, by name."""
        return {name: run.manifest for name, run in self.runs.items()}

    @property
    def manifest(self) -> Manifest:
        """What the runs have in common, and the protocol of the first."""
        first, *others = (vars(manifest) for manifest in self.manifests.values())
        agreed = {
            key: value
            for key, value in first.items()
            if all(other[key] == value for other in others)
        }
        return Manifest(**{**agreed, "protocol": first["protocol"]})

    def planned(self) -> list[CellRecord]:
        """Return the cells as they are."""
        return self.cells()

    def cells(self) -> list[CellRecord]:
        """Return the cells of all runs, in the order of the runs."""
        return [replace(cell) for cell in self._cells]

    def cell_path(self, record: CellRecord) -> Path:
        """Return the folder of a cell, in the run that made it."""
        name, _, folder = record.folder.partition("/")
        return self.runs[name].path / folder

    def dataset(self, name: str) -> DatasetRecord:
        """Return what is kept of a dataset; all runs that have it have the same.

        Raises
        ------
        RunError : no run has it.
        """
        if name not in self._datasets:
            raise RunError(f"dataset {name}: none of {', '.join(self.runs)} has it")
        return self._datasets[name]

    def _one_copy_of_each(self) -> dict[str, DatasetRecord]:
        found: dict[str, tuple[str, DatasetRecord]] = {}
        for run_name, run in self.runs.items():
            labels = {cell.dataset_folder: cell.dataset for cell in run.planned()}
            for name, label in labels.items():
                try:
                    record = run.dataset(name)
                except RunError:
                    continue  # nothing was prepared: its cells have no numbers, and say why
                other, first = found.setdefault(name, (run_name, record))
                if record.regions and not first.regions:
                    found[name] = (other, replace(first, regions=record.regions))
                if first.fingerprint != record.fingerprint:
                    raise RunError(
                        f"{other} and {run_name} contain different copies of {label} (fingerprints "
                        f"{first.fingerprint[:12]} and {record.fingerprint[:12]}): their numbers "
                        f"cannot be compared. `bench verify {shlex.quote(label)}` on both machines shows what "
                        "differs"
                    )
        return {name: record for name, (_, record) in found.items()}

    def _each_once(self) -> list[CellRecord]:
        found_in: dict[str, dict[str, dict[Place, CellRecord]]] = {}
        places: dict[Place, list[CellRecord]] = {}
        for run_name, run in self.runs.items():
            for cell in run.cells():
                place = (cell.label, cell.dataset, cell.seed, cell.scene)
                kept = replace(cell, folder=f"{run_name}/{cell.folder}")
                places.setdefault(place, []).append(kept)
                found_in.setdefault(cell.label, {}).setdefault(run_name, {})[place] = kept
        split = {
            place[0]
            for place, versions in places.items()
            if not all(_same(*pair) for pair in combinations(versions, 2))
        }
        rows: dict[str, list[_Group]] = {}
        for label, by_run in found_in.items():
            groups = rows[label] = []
            for run_name, cells in by_run.items():
                agreeing = (one for one in groups if label not in split or one.agrees(cells))
                if group := next(agreeing, None):
                    group.add(run_name, cells)
                else:
                    groups.append(_Group([run_name], dict(cells)))
        # A row that differs anywhere is split everywhere, so that no row mixes runs that differ.
        return [
            replace(group.cells[place], label=f"{place[0]} ({'+'.join(group.runs)})")
            if len(rows[place[0]]) > 1
            else group.cells[place]
            for place in places
            for group in rows[place[0]]
            if place in group.cells
        ]


@dataclass
class _Group:
    """The cells of a row in runs that agree on them, such as shards."""

    runs: list[str]
    cells: dict[Place, CellRecord]
    """Of the versions of a cell the one that got the furthest (`PREFERRED`), and of equals the
    first."""

    def agrees(self, cells: Mapping[Place, CellRecord]) -> bool:
        """Return whether another run has cells of these, and all of them are the same here. Of runs
        that share none, nothing says that they belong together.
        """
        shared = self.cells.keys() & cells.keys()
        return bool(shared) and all(_same(cells[place], self.cells[place]) for place in shared)

    def add(self, run: str, cells: Mapping[Place, CellRecord]) -> None:
        """Add the cells of a run that agrees."""
        self.runs.append(run)
        for place, cell in cells.items():
            other = self.cells.setdefault(place, cell)
            if PREFERRED.index(cell.status) < PREFERRED.index(other.status):
                self.cells[place] = cell


def _same(cell: CellRecord, other: CellRecord) -> bool:
    """Return whether two versions of a cell are the same work: their keys are equal, or one of them
    could not run, so that its key is not complete, and they have the same profile.
    """
    if cell.key and cell.key == other.key:
        return True
    complete = all(one.key and one.status.is_runnable for one in (cell, other))
    return not complete and cell.profile == other.profile
