"""Repeating a published run: the requests that its run.json stands for, what differs here, and
whether the scores came out the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from bench.errors import RequestError, RunError
from bench.files.whole_files import read_json
from bench.hardware.machine import git_state, versions
from bench.planning.commands import dataset_selector, requests_of
from bench.planning.plan import Plan
from bench.planning.request import Request
from bench.plugins.checks import ONE
from bench.plugins.registry import Registry
from bench.plugins.syntax import parse
from bench.runs.folder import Run
from bench.runs.layout import FORMAT, RESULTS
from bench.runs.records import CellRecord
from bench.runs.status import Status
from bench.wording import listed, unknown


def read_published(file: Path) -> Run:
    """Return the run that a run.json belongs to; its folder may hold nothing else.

    Raises
    ------
    RequestError : not a run.json of this version of bench.
    """
    if file.is_dir():
        file = Run(file).manifest_file
    run = Run(file.parent)
    try:
        found = read_json(file, "--from").get("format")
        if found != FORMAT:
            raise RequestError(
                f"--from: {file} has format {found!r}, this version of bench reads {FORMAT}"
            )
        if file.name != run.manifest_file.name or not run.planned():
            raise RequestError(
                f"--from: {file} names no cells; give the run.json of a run, or its folder"
            )
    except RunError as error:
        raise RequestError(str(error)) from error
    return run


def part_of(
    run: Run,
    registry: Registry,
    methods: str | None = None,
    datasets: str | None = None,
    seeds: Sequence[int] | None = None,
) -> list[CellRecord]:
    """Return the planned cells of a run that are named; all where nothing is.

    Parameters
    ----------
    methods, datasets : rows or columns of the run, registered names or groups, separated by commas;
        `-name` takes away.

    Raises
    ------
    RequestError : a name or seed that the run does not have.
    """
    cells = run.planned()
    mistakes: list[str] = []
    if methods is not None:
        of_cell = {cell.folder: (cell.label, cell.selector, cell.method) for cell in cells}
        kept = _named("methods", methods, registry, of_cell, mistakes)
        cells = [cell for cell in cells if cell.folder in kept]
    if datasets is not None:
        name = {entry["label"]: entry.get("name", "") for entry in run.manifest.datasets}
        of_cell = {
            cell.folder: (cell.dataset, dataset_selector(run, cell), name.get(cell.dataset, ""))
            for cell in cells
        }
        kept = _named("datasets", datasets, registry, of_cell, mistakes)
        cells = [cell for cell in cells if cell.folder in kept]
    if seeds is not None:
        known = {cell.seed for cell in cells}
        mistakes += [
            f"--from: the run has no seed {seed} of these cells (there are {listed(sorted(known))})"
            for seed in seeds
            if cells and seed not in known
        ]
        cells = [cell for cell in cells if cell.seed in seeds]
    if not cells and not mistakes:
        mistakes.append(f"--from: {run.path} has no cell of all that is named")
    if mistakes:
        raise RequestError(*mistakes)
    return cells


def _named(
    kind: Literal["methods", "datasets"],
    text: str,
    registry: Registry,
    names: Mapping[str, tuple[str, ...]],
    mistakes: list[str],
) -> set[str]:
    """Return the cells whose names a selection names, by folder; what it means nothing by is added
    to the mistakes.
    """
    kept: set[str] = set()
    groups = registry.groups(kind)
    for item in parse(text):
        wanted = item.text.removeprefix("-") if item.exclude else item.text
        members = groups.get(wanted, ())
        found = {folder for folder, mine in names.items() if wanted in mine or mine[-1] in members}
        if not found and names:
            known = dict.fromkeys(mine[0] for mine in names.values())
            mistakes.append(f"--from: the run has {unknown(ONE[kind], wanted, known)}")
        kept = kept - found if item.exclude else kept | found
    return kept


def again(run: Run, given: Request, cells: Sequence[CellRecord]) -> list[Request]:
    """Return the requests that together make some cells of a run, as they were planned."""
    out = given.out or RESULTS / f"{run.path.resolve().name}-again"
    return requests_of(run, cells, replace(given, out=out))


def differences(run: Run, plans: Sequence[Plan], cells: Sequence[CellRecord]) -> list[str]:
    """Return what is not here as it was there, a sentence each: versions, datasets, parameters,
    plugins. Empty: the run can be repeated.
    """
    here, found = versions(), []
    for package, version in run.manifest.versions.items():
        if here.get(package, "not installed") != version:
            found.append(
                f"{package}: the run was made with {version}, here is {here.get(package, 'not installed')}"
            )
    mine = {cell.record.folder: cell.record for plan in plans for cell in plan.cells}
    for cell in cells:
        if not cell.status.is_runnable:
            continue
        # Of a run that computed one thing under two selectors, one is repeated.
        now = mine.get(cell.folder) or next(
            (one for one in mine.values() if (one.dataset, one.key) == (cell.dataset, cell.key)),
            None,
        )
        if now is None or now.status == Status.NO_DATA:
            found.append(
                f"{cell.label} on {cell.dataset}: {now.reason if now is not None else 'has no cell here'}"
            )
            continue
        for name in {**cell.key, **now.key}:
            before, after = cell.key.get(name), now.key.get(name)
            if before == after:
                continue
            if name == "dataset":
                found.append(
                    f"{cell.dataset}: the run saw another copy (fingerprint {str(before)[:12]}, here {str(after)[:12]})"
                )
            elif name == "parameters" and isinstance(before, dict) and isinstance(after, dict):
                changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
                found += [
                    f"{cell.label}: {key} was {before.get(key)!r}, here {after.get(key)!r}"
                    for key in changed
                ]
            else:
                found.append(
                    f"{cell.label} on {cell.dataset}: another {name} (then {str(before)[:40]!r}, here {str(after)[:40]!r})"
                )
    return list(dict.fromkeys(found))


def remarks(run: Run) -> list[str]:
    """Return what may differ without being refused: the commits of the source."""
    begun = [cell for cell in run.planned() if cell.status.is_runnable]
    made = list(
        dict.fromkeys(commit for cell in begun if (commit := cell.git or run.manifest.git or ""))
    )
    if made in ([], [git_state()]):
        return []
    commits = (
        f"commit {made[0][:12]}"
        if len(made) == 1
        else f"commits {', '.join(commit[:12] for commit in made)}"
    )
    return [f"the run was made at {commits}, here is {git_state()[:12] or 'no checkout'}"]


@dataclass(frozen=True)
class Outcome:
    """How the scores of a repeated run compare with those of the first."""

    same: int
    different: tuple[tuple[CellRecord, float], ...]
    """Cells with the largest difference of a score; infinite where other frames have scores."""
    not_compared: int
    """Cells that one of the two has no scores of."""


def compare_scores(run: Run, again: Run, cells: Sequence[CellRecord]) -> Outcome:
    """Compare the scores of some cells of two runs, bit by bit."""
    same, not_compared = 0, 0
    different = []
    mine = {cell.folder: cell for cell in again.cells()}
    for cell in cells:
        try:
            first, second = run.scores(cell), again.scores(mine[cell.folder])
        except (RunError, KeyError):
            not_compared += cell.status.is_runnable
            continue
        frames = all(
            clip in second and np.array_equal(first[clip].frames, second[clip].frames)
            for clip in first
        )
        if frames and all(
            np.array_equal(first[clip].values, second[clip].values) for clip in first
        ):
            same += 1
        else:
            worst = (
                max(
                    float(np.abs(first[clip].values - second[clip].values).max(initial=0.0))
                    for clip in first
                )
                if frames
                else np.inf
            )
            different.append((cell, worst))
    return Outcome(same, tuple(different), not_compared)
