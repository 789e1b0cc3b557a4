"""`bench verify`: is a dataset, or a run, what it should be?"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.complete import selection
from bench.cli.options import one_selection, plugin_option
from bench.cli.verify_run import runs_of, verify_runs

if TYPE_CHECKING:
    from rich.console import Console

    from bench.frames.verification import Verification


@click.command(
    "verify",
    short_help="Check datasets, or a run, against what they should be.",
    epilog="Examples: bench verify ped2; bench verify avenue shanghaitech --data /data; bench verify results/RUN; bench verify 'folder[path=my-videos]' --full",
)
@click.argument(
    "datasets",
    nargs=-1,
    metavar="[DATASETS]...",
    callback=one_selection,
    shell_complete=selection("datasets"),
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="DIR",
    help="Where datasets lie; repeatable. [default: BENCH_DATA, else ./data, then the user's data folder]",
)
@click.option("--full", is_flag=True, help="Decode every frame and hash every file as well.")
@click.option("--json", "as_json", is_flag=True, help="Print everything that was checked, as JSON.")
@plugin_option
def command(
    datasets: str, data: tuple[Path, ...], full: bool, as_json: bool, plugin: tuple[Path, ...]
) -> None:
    """Check DATASETS (names or selections, default: all) clip by clip: frames, labels, pixel masks,
    and what is passed over.

    Given the folder of a RUN, compute every number of its tables again from its scores and labels,
    and compare checksums, labels and what its files say of each other; nothing is written.

    Ends with 0 where everything is as it should be, with 1 where something is missing or wrong.
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
    from bench.plugins.registry import load
    from bench.plugins.selection import select
    from bench.running.display import make_console

    registry = load(plugin)
    for complaint in registry.complaints():
        click.echo(f"bench: {complaint}", err=True)
    chosen = select("datasets", datasets, registry)
    roots = data_roots(data)
    outcomes = []
    talk, console = make_console(sys.stderr), make_console(sys.stdout)
    for selected in chosen:
        with talk.status(f"checking {selected.label}") as status:

            def step(
                done: int,
                total: int,
                what: str,
                status: object = status,
                label: str = selected.label,
            ) -> None:
                status.update(f"{label}: {what}, {done} of {total}")  # type: ignore[attr-defined]

            outcome = verify_dataset(selected.make(), selected.label, roots, full, step)
        outcomes.append(outcome)
        if not as_json:
            _show(console, outcome, full)
    if as_json:
        click.echo(json.dumps([outcome.as_json() for outcome in outcomes], indent=1))
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def _show(console: Console, outcome: Verification, full: bool) -> None:
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
            f"{outcome.dataset}: {number} of {len(outcome.findings)} checks found something missing or wrong",
            "red",
        )
    else:
        line(f"{outcome.dataset}: as it should be ({len(outcome.findings)} checks)", "green")
