"""`bench run` from Python: the options of the command line as keywords."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Literal

from bench.contracts.compute import Compute
from bench.contracts.protocol import DEFAULT_PROTOCOL
from bench.planning.request import Request, parse_seeds
from bench.plugins.plugin_files import refuse_missing
from bench.plugins.registry import load
from bench.reporting.loaded_run import LoadedRun

Paths = str | Path | Iterable[str | Path]


def run(
    methods: str | Iterable[str],
    datasets: str | Iterable[str],
    *,
    seeds: int | str | Iterable[int] = 0,
    profile: str | None = None,
    protocol: str = DEFAULT_PROTOCOL,
    detector: str | None = None,
    data: Paths = (),
    out: str | Path | None = None,
    new: bool = False,
    device: str | None = None,
    workers: int | Literal["auto"] | None = None,
    threads: int | None = None,
    accumulate: int = 1,
    precision: Literal["fp32", "tf32", "bf16"] = "fp32",
    compile: bool = False,
    nondeterministic: bool = False,
    keep: str | Iterable[str] = (),
    force: str | Iterable[str] = "",
    fail_fast: bool = False,
    stall_limit: float = 15 * 60,
    time_limit: float | None = None,
    shard: str = "",
    executor: str = "local",
    observe: str | Iterable[str] = "",
    plugin: Paths = (),
) -> LoadedRun:
    """Train every method on every dataset with every seed, score, tabulate, and return the run.

    The same call again goes on where it stopped, as the same command does. How far it is goes to
    stderr. A cell that fails is a row with its reason, and raises nothing. Workers are processes of
    their own and see nothing of the caller's: a method of one's own is a file for `plugin`.

    Parameters
    ----------
    methods, datasets, detector, protocol, force, observe : selections, as on the command line;
        several may be a list.
    seeds : 0, [0, 1, 2] or '0-4'.
    data, plugin : paths, one or several.
    threads : CPU threads of a cell; None or 0: all cores divided by the workers.
    workers : cells at a time; None: one for each GPU, else 1; 'auto': on a CPU as memory and cores
        allow.
    keep : of 'images', 'weights', 'regions', 'train-scores' and 'epoch-scores'.
    stall_limit, time_limit : seconds.

    All others, and the defaults, are those of `bench run --help`.

    Raises
    ------
    RequestError : with every mistake of the request.
    KeyboardInterrupt : stopped by the user; what is done is kept, and the same call goes on.
    """
    from bench.running.display import make_console
    from bench.running.session import execute, plan_run

    request = Request(
        methods=_joined(methods),
        datasets=_joined(datasets),
        seeds=_seeds(seeds),
        profile=profile,
        protocol=protocol,
        detector=detector,
        data=_paths(data),
        out=None if out is None else Path(out),
        new=new,
        compute=Compute(
            device=device or "",
            threads=0 if threads is None else threads,
            accumulate=accumulate,
            precision=precision,
            compile=compile,
            nondeterministic=nondeterministic,
        ),
        workers=workers,
        keep=tuple(dict.fromkeys(filter(None, keep.split(",") if isinstance(keep, str) else keep))),
        force=_joined(force),
        fail_fast=fail_fast,
        stall_limit=stall_limit,
        time_limit=time_limit,
        shard=shard,
        executor=executor,
        observe=_joined(observe),
        plugins=_paths(plugin),
    )
    request = replace(request, command=request.command_line())
    console = make_console(sys.stderr)
    refuse_missing(request.plugins)
    registry = load(request.plugins)
    for complaint in registry.complaints():
        console.print(f"bench: {complaint}", markup=False)
    plan = plan_run(request, registry, console)
    if execute(plan, registry, console) is None:
        raise KeyboardInterrupt(
            f"stopped; {plan.run.path} keeps what is done, and the same call goes on"
        )
    return LoadedRun(plan.run, registry)


def _seeds(given: int | str | Iterable[int]) -> tuple[int, ...]:
    if isinstance(given, str):
        return parse_seeds(given)
    several = given if isinstance(given, Iterable) else [given]
    # Integers of numpy become Python's, which run.json can hold; what is no integer is refused with
    # all other mistakes.
    return tuple(
        dict.fromkeys(int(seed) if isinstance(seed, Integral) else seed for seed in several)
    )


def _joined(selection: str | Iterable[str]) -> str:
    return selection if isinstance(selection, str) else ",".join(selection)


def _paths(given: Paths) -> tuple[Path, ...]:
    return tuple(Path(path) for path in ([given] if isinstance(given, str | Path) else given))
