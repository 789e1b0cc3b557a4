"""`bench verify`: check datasets, or the numbers of a run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.complete import selection
from bench.cli.options import data_option, json_option, load_registry, one_selection, plugin_option
from bench.cli.run_folders import runs_of

if TYPE_CHECKING:
    from rich.console import Console

    from bench.frames.verification import Verification
    from bench.reporting.run_verification import RunVerification


@click.command(
    "verify",
    epilog=(
        "Examples: bench verify ped2; bench verify avenue shanghaitech --data /data; bench "
        "verify results/RUN; bench verify 'folder[path=my-videos]' --full"
    ),
)
@click.argument(
    "datasets",
    nargs=-1,
    metavar="[DATASETS]...",
    callback=one_selection,
    shell_complete=selection("datasets"),
)
@data_option
@click.option(
    "--full",
    is_flag=True,
    help="Also decode every frame, hash every file, and say whether the files are the official ones.",
)
@json_option("Print all checks and their results as JSON.")
@plugin_option
def command(
    datasets: str, data: tuple[Path, ...], full: bool, as_json: bool, plugin: tuple[Path, ...]
) -> None:
    """Check DATASETS (names or selections, default: all) clip by clip: frames, labels and pixel
    masks. Also lists files that are ignored.

    Given the folder of a run instead, or its zip (bench pack), recompute every number of its tables
    from its scores and labels, and check that checksums, labels and files agree. Nothing is
    written.

    Exit code 0: everything is correct; 1: something is missing or wrong.
    """
    if runs := runs_of(datasets):
        sys.exit(verify_runs(runs, as_json, plugin))
    sys.exit(verify(datasets or "all", data, full, as_json, plugin))


def verify(
    datasets: str, data: tuple[Path, ...], full: bool, as_json: bool, plugin: tuple[Path, ...]
) -> int:
    """Do what `bench verify` does and return the exit code."""
    from bench.frames.verification import verify_dataset
    from bench.planning.request import data_roots
    from bench.plugins.selection import select
    from bench.running.display import make_console

    registry = load_registry(plugin)
    chosen = select("datasets", datasets, registry)
    roots = data_roots(data)
    outcomes = []
    talk, console = make_console(sys.stderr), make_console(sys.stdout)
    for selected in chosen:
        label = selected.label
        with talk.status(f"checking {label}") as status:
            outcome = verify_dataset(
                selected.make(),
                label,
                roots,
                full,
                lambda done, total, what, label=label, status=status: status.update(
                    f"{label}: {what}, {done} of {total}"
                ),  # type: ignore[misc]
            )
        outcomes.append(outcome)
        if not as_json:
            show(console, outcome, full)
    if as_json:
        click.echo(json.dumps([outcome.as_json() for outcome in outcomes], indent=1))
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def show(console: Console, outcome: Verification, full: bool) -> None:
    """Print what was found out about a dataset."""

    def line(text: str, style: str = "") -> None:
        console.print(text, style=style, markup=False)

    if not outcome.root:
        for text in outcome.wrong():
            line(text.removeprefix("place: "), "red")
        return
    line(f"{outcome.dataset}  {outcome.root}", "bold")
    for text in outcome.summary:
        line(f"  {text}")
    for text in outcome.wrong():
        line(f"  - {text}", "red")
    for text in outcome.advice:
        line(f"  {text}")
    if full and outcome.fingerprint:
        line(f"  all files: {outcome.fingerprint}")
    number = sum(not finding.ok for finding in outcome.findings)
    if number:
        line(
            f"{outcome.dataset}: {number} of {len(outcome.findings)} checks found something "
            "missing or wrong",
            "red",
        )
    else:
        line(f"{outcome.dataset}: as it should be ({len(outcome.findings)} checks)", "green")


def verify_runs(paths: list[Path], as_json: bool, plugin: tuple[Path, ...]) -> int:
    """Check runs and zips of runs, print differences, and return the exit code: 0 if there are
    none.
    """
    from bench.reporting.run_verification import verify_run
    from bench.sharing.pack_verification import verify_pack

    registry = load_registry(plugin)
    outcomes = []
    for path in paths:
        verify = verify_pack if path.suffix == ".zip" else verify_run
        outcomes.append(verify(path, registry))
        if not as_json:
            _show_run(outcomes[-1])
    if as_json:
        click.echo(json.dumps([outcome.as_json() for outcome in outcomes], indent=1))
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def _show_run(outcome: RunVerification) -> None:
    from bench.running.display import make_console

    console = make_console(sys.stdout)
    console.print(f"run {outcome.path}", style="bold", markup=False)
    for finding in outcome.wrong:
        console.print(f"  - {finding.subject}: {finding.text}", style="red", markup=False)
    for note in outcome.notes:
        console.print(f"  note: {note}", markup=False)
    checks = len(outcome.findings)
    if outcome.ok:
        console.print(
            f"{outcome.path}: nothing differs ({checks} checks)", style="green", markup=False
        )
    else:
        console.print(
            f"{outcome.path}: {len(outcome.wrong)} of {checks} checks found a difference",
            style="red",
            markup=False,
        )
