"""The requests, and so the commands, that make cells of a run again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.contracts.compute import Compute
from bench.planning.request import Request
from bench.runs.folder import Run
from bench.runs.records import CellRecord


def home_of(run: Run, cell: CellRecord) -> Run:
    """Return the run that made a cell: `run` itself, or one of those that were merged."""
    home = Run.above(run.cell_path(cell))
    assert home is not None, "a cell without its run"
    return home


def dataset_selector(run: Run, cell: CellRecord) -> str:
    """Return the selector of a cell's dataset."""
    datasets = run.manifest.datasets
    found = (str(entry["selector"]) for entry in datasets if entry["label"] == cell.dataset)
    return next(found, cell.dataset)


def requests_of(run: Run, cells: Sequence[CellRecord], given: Request) -> list[Request]:
    """Return the requests that together make these cells: one for each dataset, profile, way of
    computing and set of seeds.

    Parameters
    ----------
    given : says what does not touch the numbers: data folders, workers, where to write, limits,
        plugins, what to keep.
    """
    seeds: dict[tuple[Any, ...], list[int]] = {}
    for cell in cells:
        compute = Compute.of_key(cell.key, cell.device, cell.threads)
        of_method = seeds.setdefault((cell.dataset, cell.profile, compute, cell.selector), [])
        if cell.seed not in of_method:
            of_method.append(cell.seed)
    groups: dict[tuple[Any, ...], list[str]] = {}
    for (*shared, selector), numbers in seeds.items():
        groups.setdefault((*shared, tuple(numbers)), []).append(selector)
    detectors = {cell.dataset: cell.detector for cell in cells if cell.detector}
    of_dataset = {cell.dataset: dataset_selector(run, cell) for cell in cells}
    return [
        replace(
            given,
            methods=",".join(methods),
            datasets=of_dataset[dataset],
            seeds=numbers,
            protocol=run.manifest.protocol,
            profile=profile,
            detector=detectors.get(dataset),
            compute=compute,
        )
        for (dataset, profile, compute, numbers), methods in groups.items()
    ]


def keep_commands(
    run: Run, cells: Sequence[CellRecord], keep: str, data: Sequence[Path] = ()
) -> list[str]:
    """Return `bench run` lines that make cells anew in their own folders and keep more of them.

    `keep` is one of the kinds of `KEPT`, or several with commas between. `--force` is part of the
    lines: a finished cell is used again as it is, and what it did not keep cannot be had without
    training.
    """
    by_home: dict[Path, list[CellRecord]] = {}
    for cell in cells:
        by_home.setdefault(home_of(run, cell).path, []).append(cell)
    lines = []
    for path, members in by_home.items():
        request = Run(path).manifest.request
        given = Request(
            "",
            "",
            data=tuple(data),
            plugins=tuple(map(Path, request.get("plugins", []))),
            keep=tuple(sorted({*request.get("keep", []), *keep.split(",")})),
            out=path,
        )
        for again in requests_of(Run(path), members, given):
            lines.append(replace(again, force=again.methods).command_line())
    return lines
