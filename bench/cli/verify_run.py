"""`bench verify RUN`: does every number of a run's folder follow from its scores and labels?"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bench.reporting.run_verification import RunVerification


def runs_of(text: str) -> list[Path]:
    """Return the runs that stand on the command line, with commas between; none where it is a
    selection of datasets.

    Raises
    ------
    RequestError : a path that is no run.
    """
    from bench.errors import RequestError
    from bench.runs.folder import Run

    if "[" in text:
        return []
    parts = [part for part in text.split(",") if part]
    runs = [Path(part) for part in parts if Run(Path(part)).exists]
    wrong = [part for part in parts if (runs or "/" in part) and Path(part) not in runs]
    if wrong:
        raise RequestError(
            *(
                f"{part} is no run: it has no run.json (runs lie below results/, one folder each)"
                for part in wrong
            )
        )
    return runs


def verify_runs(paths: list[Path], as_json: bool, plugin: tuple[Path, ...]) -> int:
    """Check runs, print what differs, and return the exit code: 0 where nothing does."""
    from bench.plugins.registry import load
    from bench.reporting.run_verification import verify_run

    registry = load(plugin)
    for complaint in registry.complaints():
        click.echo(f"bench: {complaint}", err=True)
    outcomes = []
    for path in paths:
        outcomes.append(verify_run(path, registry))
        if not as_json:
            _show(outcomes[-1])
    if as_json:
        click.echo(json.dumps([outcome.as_json() for outcome in outcomes], indent=1))
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def _show(outcome: RunVerification) -> None:
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
