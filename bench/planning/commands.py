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
    computing, set of seeds and detector.

    Parameters
    ----------
    given : says what does not touch the numbers: data folders, workers, where to write, limits,
        plugins, what to keep.
    """
    seeds: dict[tuple[Any, ...], list[int]] = {}
    for cell in cells:
        compute = Compute.of_key(cell.key, cell.device, cell.threads)
        row = cell.dataset, cell.profile, compute, cell.selector, cell.detector
        of_method = seeds.setdefault(row, [])
        if cell.seed not in of_method:
            of_method.append(cell.seed)
    groups: dict[tuple[Any, ...], list[tuple[str, str]]] = {}
    for (*shared, selector, detector), numbers in seeds.items():
        groups.setdefault((*shared, tuple(numbers)), []).append((selector, detector))
    of_dataset = {cell.dataset: dataset_selector(run, cell) for cell in cells}
    return [
        replace(
            given,
            methods=",".join(methods),
            datasets=of_dataset[dataset],
            seeds=numbers,
            protocol=run.manifest.protocol,
            profile=profile,
            detector=detector or None,
            compute=compute,
        )
        for (dataset, profile, compute, numbers), rows in groups.items()
        for detector, methods in _by_detector(rows).items()
    ]


def _by_detector(rows: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Return detector -> selectors of (selector, detector); rows without a detector, which need no
    tracks, go with the first.
    """
    first = next((detector for _, detector in rows if detector), "")
    found: dict[str, list[str]] = {}
    for selector, detector in rows:
        found.setdefault(detector or first, []).append(selector)
    return found


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
