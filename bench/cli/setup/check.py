"""`bench check`: run the conformance checks on methods, creators and datasets."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from bench.cli.complete import names
from bench.cli.options import data_option, plugin_option


@click.command(
    "check",
    epilog=(
        "Examples: bench check mine.py   |   bench check c3dsu pca   |   bench check mine.py "
        "--static"
    ),
)
@click.argument(
    "names",
    nargs=-1,
    required=True,
    metavar="NAME|FILE.py...",
    shell_complete=names("methods", "creators", "datasets"),
)
@click.option(
    "--static", is_flag=True, help="Run only the checks that need neither training nor data."
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "simulated"]),
    default="cpu",
    help="simulated: run the checks of networks on a simulated accelerator as well, which is as "
    "strict as a GPU: nothing may stay on the CPU, or make it wait.",
)
@data_option
@plugin_option
def command(
    names: tuple[str, ...],
    static: bool,
    device: str,
    data: tuple[Path, ...],
    plugin: tuple[Path, ...],
) -> None:
    """Run the conformance checks on the named methods, creators and datasets, or on all those of a
    plugin FILE. Each takes less than a minute.

    Methods run in profile smoke on the CPU, on clips made in memory. Datasets are read from disk.
    """
    import traceback

    from bench.errors import DataError, RequestError
    from bench.planning.request import data_roots
    from bench.plugins.registry import load
    from bench.plugins.selection import select
    from bench.testing import (
        CHECKS,
        DATASET_CHECKS,
        STATIC,
        CheckFailed,
        draws_what_it_promises,
        run_check,
    )

    of_device: Sequence[Callable[[Any], None]] = ()
    if device == "simulated":
        from bench.testing.device_checks import DEVICE_CHECKS

        of_device = DEVICE_CHECKS
    files = [Path(name) for name in names if name.endswith(".py")]
    registry = load([*plugin, *files])
    resolved = {file.resolve() for file in files}
    broken = [
        f"{record.file}: {record.broken}"
        for record in registry.plugins
        if record.broken and record.file and record.file.resolve() in resolved
    ]
    if broken:
        raise RequestError(*broken)
    mine = [
        record
        for record in registry.plugins
        if {record.file and record.file.resolve(), record.module_file} & resolved
    ]
    plain = [name for name in names if not name.endswith(".py")]

    def chosen(kind: str, named: Sequence[str]) -> list[Any]:
        table = registry.table(kind)
        offered = [name for record in mine for name in record.provides.get(kind, ())]
        return [table[name] for name in dict.fromkeys([*offered, *named]) if name in table]

    others = {*registry.creators, *registry.datasets}
    methods = ",".join(name for name in plain if name not in others)
    selected = select("methods", methods, registry, "smoke") if methods else ()
    classes = chosen("methods", [one.name for one in selected])
    creators, datasets = chosen("creators", plain), chosen("datasets", plain)
    if not classes and not creators and not datasets:
        raise RequestError(
            f"{', '.join(names)}: no method, creator or dataset to check; the file registers "
            "other parts (bench list plugins)"
        )
    cases: list[tuple[str, Callable[[], str | None], str | None]] = []
    for cls in classes:
        if cls.published_only:
            click.echo(
                f"{cls.name}: skipped, since it shows published numbers only ({cls.published_only})"
            )
        elif cls.needs_parameters:
            click.echo(f"{cls.name}: skipped, since it needs parameters")
        else:
            for check in STATIC if static else [*CHECKS, *of_device]:
                label = f"{cls.name}: {check.__name__.replace('_', ' ')}"
                expected = cls.expected_failures.get(check.__name__)
                cases.append((label, functools.partial(run_check, cls, check), expected))
    for cls in [] if static else creators:
        draw = functools.partial(draws_what_it_promises, cls)
        cases.append((f"{cls.name}: draws what it promises", draw, None))
    for dataset in [] if static else datasets:
        if dataset.needs_parameters:
            click.echo(f"{dataset.name}: skipped, since it needs parameters")
            continue
        located = dataset()
        try:
            located.locate(data_roots(data))
        except DataError as error:
            click.echo(f"{dataset.name}: skipped, since its data was not found: {error}")
            continue
        for whole in DATASET_CHECKS:
            label = f"{dataset.name}: {whole.__name__.replace('_', ' ')}"
            cases.append((label, functools.partial(whole, located), None))
    failures = 0
    for label, run, expected in cases:
        try:
            not_asked = run()
        except CheckFailed as error:
            failures += 1
            click.echo(f"{label} ... FAILED: {error}")
        except Exception as error:
            failures += 1
            place = traceback.extract_tb(error.__traceback__)[-1]
            click.echo(
                f"{label} ... FAILED: {type(error).__name__}: {error} "
                f"({Path(place.filename).name}, line {place.lineno})"
            )
        else:
            if not_asked:
                click.echo(f"{label} ... not asked: {not_asked}")
                continue
            click.echo(
                f"{label} ... ok" + (f" (fails as declared: {expected})" if expected else "")
            )
    click.echo(f"{failures} failed" if failures else "all checks passed")
    sys.exit(1 if failures else 0)
