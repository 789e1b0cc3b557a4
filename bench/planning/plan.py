"""The plan: everything that is decided before the first cell starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.contracts.compute import Compute
from bench.contracts.executor import Executor
from bench.contracts.observer import Observer
from bench.errors import RequestError
from bench.frames.folders import note_of
from bench.hardware.gpus import Gpu
from bench.planning.asked import ask
from bench.planning.cells import PlannedCell, cells_of
from bench.planning.located import PlannedDataset, locate
from bench.planning.request import Request
from bench.planning.reuse import EarlierCells
from bench.plugins.registry import Registry
from bench.plugins.selection import Selected
from bench.plugins.syntax import parse
from bench.runs.folder import Run
from bench.runs.status import Status

FindRun = Callable[[Mapping[str, Any]], tuple[Run, bool]]
"""Gives the run folder of a signature, and whether it is a run that is gone on with."""


@dataclass
class Plan:
    """Everything that is decided before the first cell starts."""

    request: Request
    compute: Compute
    """With device and threads."""
    gpus: list[Gpu]
    """Those that cells are computed on here."""
    workers: int
    profiles: tuple[str, ...]
    protocol: Selected
    executor: Executor
    observers: list[Observer]
    roots: list[Path]
    run: Run
    resumed: bool
    datasets: list[PlannedDataset]
    cells: list[PlannedCell]
    notes: list[str]
    """What the user should know before it starts."""

    @property
    def to_run(self) -> list[PlannedCell]:
        """The cells that have to be run."""
        return [
            cell
            for cell in self.cells
            if cell.mine and not cell.reuse and cell.record.status.is_runnable
        ]

    def signature(self) -> dict[str, Any]:
        """Return what makes two requests equal."""
        return signature(self.request, self.profiles, self.compute)


def signature(request: Request, profiles: tuple[str, ...], compute: Compute) -> dict[str, Any]:
    """Return what makes two requests equal, for resuming: everything that decides cells or
    tables.
    """
    return {
        "methods": request.methods,
        "datasets": request.datasets,
        "seeds": list(request.seeds),
        "protocol": request.protocol,
        "profiles": list(profiles),
        "detector": request.detector or "",
        "device": compute.device,
        "plugins": [str(file.resolve()) for file in request.plugins],
        "keep": sorted(request.keep),
        **compute.key(),
    }


def make_plan(request: Request, registry: Registry, find_run: FindRun) -> Plan:
    """Decide everything before the first cell starts.

    Raises
    ------
    RequestError : with every mistake of the request.
    """
    asked = ask(request, registry)
    datasets = locate(asked, request, registry)
    profiles = tuple(dict.fromkeys(planned.profile for planned in datasets))
    run, resumed = find_run(signature(request, profiles, asked.compute))
    cells = cells_of(asked, datasets, request, registry, EarlierCells(run, asked.notes))
    plan = Plan(
        request=request,
        compute=asked.compute,
        gpus=asked.gpus,
        workers=asked.workers,
        profiles=profiles,
        protocol=asked.protocol,
        executor=asked.executor,
        observers=asked.observers,
        roots=asked.roots,
        run=run,
        resumed=resumed,
        datasets=datasets,
        cells=cells,
        notes=asked.notes,
    )
    if request.shard:
        number, shards = (int(part) for part in request.shard.split("/"))
        for place, cell in enumerate(cells):
            cell.mine = place % shards == number - 1
    _look_at_memory(plan, registry)
    plan.notes += _notes(plan, asked.profile)
    return plan


def _look_at_memory(plan: Plan, registry: Registry) -> None:
    large = [cell for cell in plan.to_run if cell.may_be_large]
    if not large:
        return
    from bench.planning.memory_limits import estimate_cells, refuse_too_large  # imports torch

    if plan.executor.remote:  # whose memory is not this machine's
        estimate_cells(large, registry)
        return
    plan.workers = refuse_too_large(large, registry, plan.gpus, plan.workers, plan.notes)
    named = {item.name for item in parse(plan.request.methods)}
    refused = [cell for cell in large if cell.record.status == Status.NO_DATA]
    if mistakes := [cell.why for cell in refused if cell.record.method in named]:
        raise RequestError(*dict.fromkeys(mistakes))


def _notes(plan: Plan, general: str) -> list[str]:
    """Return what the user should know of a plan."""
    notes = []
    if plan.request.profile is None and general == "small" and "small" in plan.profiles:
        notes.append(
            "no GPU found: using profile small. --profile paper has the published settings, but a "
            "network then takes days on a CPU"
        )
    lacking = [cell for cell in plan.cells if cell.lacking]
    for kinds in dict.fromkeys(tuple(cell.lacking) for cell in lacking):
        selectors = ",".join(
            dict.fromkeys(cell.record.selector for cell in lacking if tuple(cell.lacking) == kinds)
        )
        notes.append(
            f"finished cells are used again as they are, without {' and '.join(kinds)}; "
            f"--force '{selectors}' repeats them"
        )
    for planned in plan.datasets:
        fell_back = planned.detector == "motion" and not plan.request.detector
        dataset = planned.dataset
        if (
            planned.wants_tracks
            and fell_back
            and dataset is not None
            and dataset.default_detector != "motion"
        ):
            notes.append(
                f"{planned.selected.label}: objects come from the detector 'motion', since no "
                "weights of fasterrcnn were found; published numbers use a trained detector "
                "(bench list detectors)"
            )
    for planned in plan.datasets:
        dataset = planned.dataset
        if dataset is None:
            continue
        if passed := note_of(dataset.passed_over(), dataset.root):
            notes.append(f"{planned.selected.label}: {passed}")
        share = dataset.share()
        if 0 < share < 1:
            notes.append(
                f"{planned.selected.label}: {share:.0%} of its frames are here "
                f"({dataset.command('verify')}); the rows are marked"
            )
    return notes
