"""What is asked: the parts of a request, looked up, with every mistake at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from bench.contracts.compute import Compute
from bench.contracts.executor import Executor
from bench.contracts.observer import Observer
from bench.contracts.parameters import plain
from bench.errors import RequestError
from bench.files.checksums import digest_of_value
from bench.hardware.gpus import Gpu, chosen_devices
from bench.hardware.machine import cores
from bench.planning.request import Request, data_roots
from bench.plugins.profiles import PROFILES
from bench.plugins.registry import Registry
from bench.plugins.selection import Selected, select, select_one
from bench.plugins.trained_on import TRAIN_ON
from bench.wording import unknown

MEMORY_A_WORKER = 4 * 2**30
"""Bytes that `--workers auto` leaves for each worker. Chosen here: C3DSU in profile `small` peaks
at about 3 GB."""

REMOTE_THREADS = 4
"""CPU threads of a cell on another machine. Chosen here: its cores are not known, and clusters
commonly have that many for each GPU."""

Found = TypeVar("Found")


@dataclass(frozen=True)
class Asked:
    """What a request asks for."""

    executor: Executor
    observers: list[Observer]
    protocol: Selected
    profile: str
    """Where neither request nor dataset name one."""
    datasets: list[Selected]
    methods: dict[str, list[Selected]]
    """By profile."""
    forced: frozenset[str]
    """Selectors of the methods whose finished cells are repeated."""
    roots: list[Path]
    compute: Compute
    """With device and threads."""
    gpus: list[Gpu]
    """Those that cells are computed on here."""
    workers: int
    notes: list[str]


def ask(request: Request, registry: Registry) -> Asked:
    """Look up everything that a request names.

    Raises
    ------
    RequestError : with every mistake.
    """
    mistakes = request.mistakes()

    def found(look_up: Callable[[], Found]) -> Found | None:
        try:
            return look_up()
        except RequestError as error:
            mistakes.extend(error.mistakes)
            return None

    notes: list[str] = []
    executor = found(lambda: _executor(request, registry))
    observers = found(lambda: _observers(request, registry))
    device, gpus = found(lambda: _device(request, executor)) or ("cpu", [])
    if request.profile is not None and request.profile not in PROFILES:
        mistakes.append(unknown("profile", request.profile, PROFILES))
    compute = replace(request.compute, device=device)
    local = executor is None or not executor.remote
    if local and compute.key():
        from bench.engine.precision import missing  # imports torch

        mistakes += missing(compute)
    roots = found(lambda: data_roots(request.data)) or []
    datasets = found(lambda: _each_once(select("datasets", request.datasets, registry), notes))
    protocol = found(lambda: select_one("protocols", request.protocol, registry))
    if detector := request.detector:
        found(lambda: select_one("detectors", detector, registry))
    general = request.profile if request.profile in PROFILES else None
    general = general or ("small" if device == "cpu" else "paper")
    methods = found(lambda: _methods(request, registry, general, datasets or [], notes))
    found(lambda: _check_paper_protocols(methods or {}, registry))
    forced = found(lambda: _forced(request, registry, methods or {}))
    if mistakes or executor is None or observers is None or protocol is None:
        raise RequestError(*dict.fromkeys(mistakes))
    workers, threads = _divide(request, gpus, executor)
    return Asked(
        executor=executor,
        observers=observers,
        protocol=protocol,
        profile=general,
        datasets=datasets or [],
        methods=methods or {},
        forced=forced or frozenset(),
        roots=roots,
        compute=replace(compute, threads=threads),
        gpus=gpus,
        workers=workers,
        notes=notes,
    )


def _executor(request: Request, registry: Registry) -> Executor:
    executor: Executor = select_one("executors", request.executor, registry).make()
    executor.check()
    if request.detach and not executor.detachable:
        raise RequestError(
            f"--detach: cells of --executor {request.executor} end with this command; those of "
            "slurm[...] and dask[address=...] go on"
        )
    return executor


def _observers(request: Request, registry: Registry) -> list[Observer]:
    chosen = select("observers", request.observe, registry) if request.observe else []
    observers: list[Observer] = [one.make() for one in chosen]
    for observer in observers:
        observer.check()
    return observers


def _device(request: Request, executor: Executor | None) -> tuple[str, list[Gpu]]:
    asked = request.compute.device
    if executor is None or not executor.remote:
        return chosen_devices(asked)
    # The devices of other machines cannot be looked at from here.
    if ":" in asked:
        raise RequestError(
            f"--device {asked}: with --executor {request.executor} each cell gets a GPU of the "
            "machine where it is computed; write --device cuda"
        )
    return asked or ("cuda" if executor.gpus else "cpu"), []


def _divide(request: Request, gpus: list[Gpu], executor: Executor) -> tuple[int, int]:
    """Return the number of workers and the CPU threads of each."""
    import psutil

    threads = request.compute.threads
    if executor.remote:
        return 1, threads or executor.threads or REMOTE_THREADS
    if isinstance(request.workers, int):
        workers = request.workers
    elif request.workers is None or gpus:
        workers = len(gpus) or 1
    else:
        available = psutil.virtual_memory().available
        workers = max(1, min(cores(), available // MEMORY_A_WORKER))
    return workers, threads or max(1, cores() // workers)


def _methods(
    request: Request,
    registry: Registry,
    general: str,
    datasets: list[Selected],
    notes: list[str],
) -> dict[str, list[Selected]]:
    """Return the methods in each profile that a dataset of the request is run in."""
    wanted = [general]
    if not request.profile:
        wanted += [one.target.default_profile for one in datasets if one.target.default_profile]
    return {
        profile: _each_once(select("methods", request.methods, registry, profile), notes)
        for profile in dict.fromkeys(wanted)
    }


def _check_paper_protocols(methods: dict[str, list[Selected]], registry: Registry) -> None:
    """Refuse methods whose paper's protocol is none."""
    mistakes = []
    for row in {one.text: one for rows in methods.values() for one in rows}.values():
        try:
            if text := row.make().paper_protocol:
                select_one("protocols", text, registry)
        except RequestError as error:
            mistakes += [f"{row.label}: paper_protocol: {problem}" for problem in error.mistakes]
    if mistakes:
        raise RequestError(*mistakes)


def _forced(
    request: Request, registry: Registry, methods: dict[str, list[Selected]]
) -> frozenset[str]:
    if not request.force:
        return frozenset()
    forced = {one.text for one in select("methods", request.force, registry)}
    for profile, chosen in methods.items():
        anew = {_identity(one) for one in select("methods", request.force, registry, profile)}
        forced |= {one.text for one in chosen if _identity(one) in anew}
    return frozenset(forced)


def _each_once(rows: list[Selected], notes: list[str]) -> list[Selected]:
    """Return the rows that differ in more than their selectors: `x` and
    `x[parameter=its default]` are one, under the shorter of the two.
    """
    kept: dict[str, Selected] = {}
    for row in rows:
        other = kept.setdefault(_identity(row), row)
        if other is not row:
            first, second = sorted((other, row), key=lambda one: len(one.values))
            name = row.given_name or other.given_name
            kept[_identity(row)] = replace(first, given_name=name)
            note = (
                f"{second.label} is {first.label}: its parameters are the same, and both are one "
                "row"
            )
            notes += [note] if note not in notes else []
    return list(kept.values())


def _identity(row: Selected) -> str:
    """Return what two selectors of one thing have in common: name, parameters and profile; of a
    dataset also the one that it is trained on.
    """
    training = row.values.get(TRAIN_ON.name, "") if row.kind == "datasets" else ""
    return digest_of_value([row.name, plain(row.parameters), row.profile, training])
