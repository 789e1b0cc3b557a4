"""Which cells need more memory than their device has, and what would fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import psutil

from bench.contracts.compute import Compute
from bench.contracts.network_method import NetworkMethod
from bench.hardware.gpus import Gpu
from bench.planning.cells import PlannedCell
from bench.planning.memory_estimate import (
    GIGABYTE,
    HEAP,
    PROCESS,
    MemoryEstimate,
    estimate,
    on_gpu,
)
from bench.plugins.registry import Registry
from bench.plugins.selection import select_one
from bench.runs.status import Status


def estimate_cells(
    cells: Sequence[PlannedCell], registry: Registry, memory: int | None = None
) -> None:
    """Estimate the memory of cells with a network, each distinct method once.

    Parameters
    ----------
    memory : bytes that a cell has on its GPU, which decide how many windows it scores at once;
        None: on the CPU, or not known.
    """
    known: dict[tuple[str, str], MemoryEstimate] = {}
    for cell in cells:
        if cell.memory is not None:
            continue
        key = cell.record.selector, cell.record.profile
        if key not in known:
            known[key] = estimate(_made(cell, registry), cell.spec.compute, memory=memory)
        cell.memory = known[key]
        if memory is not None:
            compute = replace(cell.spec.compute, batch=cell.memory.batch)
            cell.spec = replace(cell.spec, compute=compute)


def refuse_too_large(
    cells: Sequence[PlannedCell],
    registry: Registry,
    gpus: Sequence[Gpu],
    workers: int,
    notes: list[str],
) -> int:
    """Make dashes of the cells that need more memory than their device has, and return the workers
    whose cells fit side by side on each GPU, at most `workers`; the reason is added to `notes`.

    Parameters
    ----------
    gpus : those that the cells are computed on; empty: on the CPU.
    """
    smallest = min(gpus, key=lambda gpu: gpu.memory, default=None)
    memory = free_memory() if smallest is None else smallest.memory
    share = None if smallest is None else memory // -(-workers // len(gpus))
    estimate_cells([cell for cell in cells if cell.may_be_large], registry, share)
    where = (
        f"{memory / GIGABYTE:.1f} GB are free"
        if smallest is None
        else f"{smallest.name} has {memory / GIGABYTE:.1f} GB"
    )
    reasons: dict[tuple[str, str], str] = {}
    largest = 0
    for cell in cells:
        if cell.memory is None:
            continue
        if cell.memory.fits(memory):
            largest = max(largest, cell.memory.peak)
            continue
        key = cell.record.selector, cell.record.profile
        if key not in reasons:
            method = _made(cell, registry)
            reasons[key] = _refusal(
                method, cell.record.label, cell.spec.compute, cell.memory, memory, where
            )
        cell.record.status, cell.record.reason = Status.NO_DATA, reasons[key]
        cell.why = reasons[key]
    if smallest is None or not largest:
        return workers
    fitting = len(gpus) * max(1, memory // largest)
    if fitting >= workers:
        return workers
    notes.append(
        f"--workers {workers}: {fitting} are used; a cell needs up to {largest / GIGABYTE:.1f} GB, "
        f"and {where}"
    )
    return fitting


def free_memory() -> int:
    """Return the bytes that are free on this machine."""
    return int(psutil.virtual_memory().available)


def _made(cell: PlannedCell, registry: Registry) -> NetworkMethod:
    record = cell.record
    method: NetworkMethod = select_one("methods", record.selector, registry, record.profile).make()
    return method


def _refusal(
    method: NetworkMethod,
    row: str,
    compute: Compute,
    found: MemoryEstimate,
    memory: int,
    where: str,
) -> str:
    text = f"{row}: a cell needs about {found.peak / GIGABYTE:.1f} GB at its peak, and {where}; "
    smaller = "choose a smaller profile, size or width, or another --device"
    if found.scoring > _room(compute.device, memory):
        return f"{text}scoring alone needs more: {smaller}"
    fitting, parts = what_fits(method, compute, _room(compute.device, memory))
    batch = int(method.parameters.batch)
    if not fitting:
        return f"{text}no smaller batch fits: {smaller}"
    if fitting == batch:
        return f"{text}without --accumulate, batch={batch} fits"
    return f"{text}batch={fitting} fits" + (
        f", or --accumulate {parts} with batch={batch}" if parts else ""
    )


def what_fits(method: NetworkMethod, compute: Compute, room: int) -> tuple[int, int]:
    """Return the largest batch of training, at most the method's own, of which no more than `room`
    bytes are alive without --accumulate, and in how many parts the method's own batch is so; 0 for
    what does not fit.
    """

    def tried(batch: int | None = None, accumulate: int = 1) -> MemoryEstimate:
        again = type(method)(method.parameters)
        return estimate(again, replace(compute, accumulate=accumulate), batch)

    batch = int(method.parameters.batch)
    # A normalisation may need two samples.
    low = next(
        ((size, one) for size in (1, 2) if size < batch and not (one := tried(batch=size)).unknown),
        None,
    )
    if low is None or low[1].training > room:
        return 0, 0
    # A fixed part and one for each sample. The worst moment may be another at another batch: then
    # the line lies above the truth.
    size, least = low[0], low[1].training
    largest = tried(batch=batch).training
    if largest <= room:
        return batch, 1
    fitting = size + (room - least) * (batch - size) // (largest - least)
    parts = next(
        (
            number
            for number in range(-(-batch // fitting), batch + 1)
            if tried(accumulate=number).training <= room
        ),
        0,
    )
    return fitting, parts


def _room(device: str, memory: int) -> int:
    """Return how much may be alive where so much memory is there: the reverse of
    `MemoryEstimate.peak`.
    """
    room = memory - PROCESS
    return room if on_gpu(device) else max(room // 2, room - HEAP)
