"""`bench check`: run the conformance checks on methods, creators and datasets."""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.complete import names
from bench.cli.options import data_option, plugin_option

if TYPE_CHECKING:
    from bench.contracts.creator import Creator
    from bench.contracts.dataset import Dataset
    from bench.contracts.method import Method
    from bench.plugins.registry import Registry


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
    from bench.errors import RequestError
    from bench.planning.request import data_roots
    from bench.plugins.registry import load

    files = [Path(name) for name in names if name.endswith(".py")]
    registry = load([*plugin, *files])
    classes, creators, datasets = _named(names, files, registry)
    if not classes and not creators and not datasets:
        raise RequestError(
            f"{', '.join(names)}: no method, creator or dataset to check; the file registers "
            "other parts (bench list plugins)"
        )
    cases = _of_methods(classes, static, device)
    if not static:
        cases += [*_of_creators(creators), *_of_datasets(datasets, data_roots(data))]
    failures = sum(not _passes(case) for case in cases)
    click.echo(f"{failures} failed" if failures else "all checks passed")
    sys.exit(1 if failures else 0)


@dataclass(frozen=True)
class _Case:
    """A check of one part."""

    label: str
    run: Callable[[], str | None]
    """Returns why the check does not apply; empty where it was made."""
    expected: str | None = None
    """Why the part may fail, as it declares."""


def _named(names: Sequence[str], files: Sequence[Path], registry: Registry) -> list[list[Any]]:
    """Return the methods, creators and datasets that are named, or that the files register.

    Raises
    ------
    RequestError : a file cannot be loaded, or a name is not known.
    """
    from bench.errors import RequestError
    from bench.plugins.selection import select

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
    named = [name for name in names if not name.endswith(".py")]
    others = {*registry.creators, *registry.datasets}
    methods = ",".join(name for name in named if name not in others)
    selected = (
        [one.name for one in select("methods", methods, registry, "smoke")] if methods else []
    )
    found = []
    for kind, asked in (("methods", selected), ("creators", named), ("datasets", named)):
        table = registry.table(kind)
        offered = [name for record in mine for name in record.provides.get(kind, ())]
        found.append([table[name] for name in dict.fromkeys([*offered, *asked]) if name in table])
    return found


def _of_methods(classes: Sequence[type[Method]], static: bool, device: str) -> list[_Case]:
    from bench.testing import CHECKS, STATIC, run_check

    checks = [*(STATIC if static else CHECKS)]
    if device == "simulated" and not static:
        from bench.testing.device_checks import DEVICE_CHECKS

        checks += DEVICE_CHECKS
    cases = []
    for cls in classes:
        if cls.published_only:
            click.echo(
                f"{cls.name}: skipped, since it shows published numbers only ({cls.published_only})"
            )
        elif cls.needs_parameters:
            click.echo(f"{cls.name}: skipped, since it needs parameters")
        else:
            for check in checks:
                label = f"{cls.name}: {check.__name__.replace('_', ' ')}"
                expected = cls.expected_failures.get(check.__name__)
                cases.append(_Case(label, functools.partial(run_check, cls, check), expected))
    return cases


def _of_creators(creators: Sequence[type[Creator]]) -> Iterator[_Case]:
    from bench.testing import draws_what_it_promises

    for cls in creators:
        draw = functools.partial(draws_what_it_promises, cls)
        yield _Case(f"{cls.name}: draws what it promises", draw)


def _of_datasets(datasets: Sequence[type[Dataset]], roots: Sequence[Path]) -> Iterator[_Case]:
    from bench.errors import DataError
    from bench.testing import DATASET_CHECKS

    for dataset in datasets:
        if dataset.needs_parameters:
            click.echo(f"{dataset.name}: skipped, since it needs parameters")
            continue
        located = dataset()
        try:
            located.locate(roots)
        except DataError as error:
            click.echo(f"{dataset.name}: skipped, since its data was not found: {error}")
            continue
        for check in DATASET_CHECKS:
            label = f"{dataset.name}: {check.__name__.replace('_', ' ')}"
            yield _Case(label, functools.partial(check, located))


def _passes(case: _Case) -> bool:
    """Make a check and print its result."""
    from bench.testing import CheckFailed

    try:
        not_asked = case.run()
    except CheckFailed as error:
        click.echo(f"{case.label} ... FAILED: {error}")
        return False
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        click.echo(
            f"{case.label} ... FAILED: {type(error).__name__}: {error} "
            f"({Path(place.filename).name}, line {place.lineno})"
        )
        return False
    if not_asked:
        click.echo(f"{case.label} ... not asked: {not_asked}")
    else:
        declared = f" (fails as declared: {case.expected})" if case.expected else ""
        click.echo(f"{case.label} ... ok{declared}")
    return True
