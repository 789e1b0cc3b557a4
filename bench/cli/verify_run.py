"""`bench verify RUN`: does every number of a run's folder follow from its scores and labels?"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click


def is_run(text: str) -> bool:
    """Whether what stands on the command line is the folder of a run."""
    return bool(text) and (Path(text) / "run.json").is_file()


def verify_run(path: Path, as_json: bool, plugin: tuple[Path, ...]) -> int:
    """Check a run, print what differs, and return the exit code: 0 where nothing does."""
    from ..plugins.registry import load
    from ..reporting.run_verification import verify_run as verify
    from ..running.display import make_console

    registry = load(plugin)
    for complaint in registry.complaints():
        click.echo(f"bench: {complaint}", err=True)
    outcome = verify(path, registry)
    if as_json:
        click.echo(json.dumps(outcome.as_json(), indent=1))
        return 0 if outcome.ok else 1
    console = make_console(sys.stdout)
    console.print(f"run {outcome.path}", style="bold", markup=False)
    for finding in outcome.wrong:
        console.print(f"  - {finding.subject}: {finding.text}", style="red", markup=False)
    for note in outcome.notes:
        console.print(f"  note: {note}", markup=False)
    checks = len(outcome.findings)
    if outcome.ok:
        console.print(f"{outcome.path}: nothing differs ({checks} checks)", style="green", markup=False)
        return 0
    console.print(f"{outcome.path}: {len(outcome.wrong)} of {checks} checks found something that differs", style="red", markup=False)
    return 1
