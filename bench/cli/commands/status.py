"""`bench status`: progress of a run."""

from __future__ import annotations

import gc
import json
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.options import json_option, run_argument
from bench.cli.run_folders import newest_run
from bench.runs.status import Status
from bench.wording import terminal_width, wrapped

if TYPE_CHECKING:
    from bench.runs.folder import Run
    from bench.runs.records import CellRecord


@click.command("status")
@run_argument
@json_option("Print all details of every cell as JSON.")
def command(run: Path | None, as_json: bool) -> None:
    """Show the cells of RUN (default: the newest below results/) with their status, and who is
    working on them.
    """
    from bench.errors import RequestError, RunError
    from bench.runs.folder import Run

    # The records live until the end: looking for garbage among thousands of them takes a fifth of
    # the time.
    gc.disable()
    click.get_current_context().call_on_close(gc.enable)
    try:
        opened = Run.open(newest_run(run))
        manifest, cells = opened.manifest, opened.cells()
    except RunError as error:
        raise RequestError(str(error)) from error
    doing = _look_at_work(opened, cells)
    if as_json:
        facts = {"run": str(opened.path), "command": manifest.command}
        click.echo(json.dumps({**facts, "cells": [asdict(cell) for cell in cells]}, indent=1))
        return
    click.echo(f"run {opened.path}: {manifest.command}")
    click.echo("\n".join(_table(cells, doing)))
    counts = Counter(cell.status for cell in cells)
    click.echo(", ".join(f"{count} {status}" for status, count in counts.items()))
    _say_runners(opened)
    unfinished = (Status.QUEUED, Status.RUNNING, Status.INTERRUPTED, Status.FAILED)
    if not doing and any(counts[status] for status in unfinished):
        from bench.planning.request import line_to_go_on

        click.echo(f"to resume: {line_to_go_on(manifest.command, opened.path)}")


def _look_at_work(run: Run, cells: list[CellRecord]) -> dict[str, str]:
    """Return what is done in each cell that is at work, by its folder; write into the others that
    their worker is gone, or where they were submitted.
    """
    doing = {}
    for cell in cells:
        if cell.status == Status.RUNNING:
            if said := _progress(run, cell):
                doing[cell.folder] = said
            else:
                cell.status = Status.INTERRUPTED
                cell.reason = (
                    "its worker is gone; repeat the `bench run` command to resume from the last "
                    "checkpoint"
                )
        elif cell.status == Status.QUEUED:
            cell.reason = _submitted(run, cell) or cell.reason
    return doing


def _progress(run: Run, cell: CellRecord) -> str:
    """Return how far a cell is; empty where nobody is at work on it."""
    from bench.files.claims import DEAD, Claim
    from bench.running.duration import duration
    from bench.worker.progress import read_progress

    progress = read_progress(run.files_of(cell).progress)
    claim = Claim(run.files_of(cell).claim)
    holder = claim.holder()
    if progress is None or holder is None or (not holder.here and claim.silent() > DEAD):
        return ""
    left = progress.seconds_left(time.time())
    return (
        f"{progress.what}, {progress.done} of {progress.total}"
        + (f", {duration(left)} left" if left is not None else "")
        + ("" if holder.here else f" ({holder})")
    )


def _submitted(run: Run, cell: CellRecord) -> str:
    """Return the job that a cell waits in; empty for none."""
    from bench.errors import RunError
    from bench.files.whole_files import read_json

    path = run.files_of(cell).job
    if not path.exists():
        return ""
    try:
        job = read_json(path, "job")
    except RunError:
        return ""
    return f"submitted: {job.get('executor')}, {str(job.get('handle')).partition('/')[0]}"


def _table(cells: list[CellRecord], doing: dict[str, str]) -> list[str]:
    """Return the lines of the table. What is done in a cell, or its reason, stands beside it, or
    below where it is too long for that.
    """
    from tabulate import tabulate

    from bench.running.duration import duration

    on_gpus = any(cell.gpu for cell in cells)
    head = ["method", "dataset", "seed", "status", "time", *["gpu"] * on_gpus]
    rows = [
        [
            cell.label,
            cell.dataset + (f" {cell.scene}" if cell.scene else ""),
            cell.seed,
            cell.status,
            duration(cell.seconds["total"]) if cell.seconds.get("total") else "",
            *([cell.gpu] if on_gpus else []),
        ]
        for cell in cells
    ]
    heading, *lines = tabulate(rows, head, tablefmt="plain", disable_numparse=True).splitlines()
    printed, width = [heading], terminal_width()
    for line, cell in zip(lines, cells):
        said = doing.get(cell.folder) or cell.reason
        beside = f"{line.ljust(len(heading))}  {said}".rstrip()
        if len(beside) <= width and "\n" not in said:
            printed.append(beside)
        else:
            printed += [line.rstrip(), wrapped(said, "    ", "    ")]
    return printed


def _say_runners(run: Run) -> None:
    from bench.running.duration import duration
    from bench.runs.runners import runners

    for holder, silent in runners(run):
        last = "" if holder.here else f", last sign of life {duration(silent)} ago"
        click.echo(f"runner: {holder}{last}")
