"""`bench status`: how far a run is."""

from __future__ import annotations

import contextlib
import gc
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import click

from bench.cli.complete import run_folder


def newest_run(path: Path | None) -> Path:
    """Return the given run folder, or the newest below results/, which is said on stderr.

    Raises
    ------
    RequestError : there is none.
    """
    from bench.errors import RequestError
    from bench.runs.folder import find_runs
    from bench.runs.layout import RESULTS

    if path is not None:
        return path
    runs = find_runs(RESULTS)
    if not runs:
        raise RequestError("there is no run below ./results; name a run's folder")
    click.echo(f"run {runs[0].path}, the newest below results/", err=True)
    return runs[0].path


@click.command("status", short_help="Show how far a run is.")
@click.argument("run", type=click.Path(path_type=Path), required=False, shell_complete=run_folder)
@click.option("--json", "as_json", is_flag=True, help="Everything about every cell, as JSON.")
def command(run: Path | None, as_json: bool) -> None:
    """Show the cells of RUN (default: the newest below results/) that are queued, running, finished
    or failed.
    """
    from tabulate import tabulate

    from bench.errors import RequestError, RunError
    from bench.files.claims import DEAD, Claim
    from bench.files.whole_files import read_json
    from bench.running.duration import duration
    from bench.runs.folder import Run
    from bench.runs.runners import runners
    from bench.worker.progress import read_progress

    # The records live until the end: looking for garbage among thousands of them takes a fifth of
    # the time.
    gc.disable()
    click.get_current_context().call_on_close(gc.enable)
    try:
        opened = Run.open(newest_run(run))
        manifest, cells = opened.manifest, opened.cells()
    except RunError as error:
        raise RequestError(str(error)) from error
    doing: dict[str, str] = {}
    for cell in cells:
        if cell.status != "running":
            continue
        progress = read_progress(opened.files_of(cell).progress)
        claim = Claim(opened.files_of(cell).claim)
        holder = claim.holder()
        if progress is None or holder is None or (not holder.here and claim.silent() > DEAD):
            cell.status, cell.reason = (
                "interrupted",
                "its worker is gone; the same `bench run` line goes on from the last checkpoint",
            )
            continue
        left = progress.seconds_left(time.time())
        doing[cell.folder] = f"{progress.what}, {progress.done} of {progress.total}" + (
            f", {duration(left)} left" if left is not None else ""
        )
        if not holder.here:
            doing[cell.folder] += f" ({holder})"
    for cell in cells:
        job = opened.files_of(cell).job
        if cell.status == "queued" and job.exists():
            with contextlib.suppress(RunError):
                left_job = read_json(job, "job")
                cell.reason = f"submitted: {left_job.get('executor')}, {str(left_job.get('handle')).partition('/')[0]}"
    if as_json:
        json.dump(
            {
                "run": str(opened.path),
                "command": manifest.command,
                "cells": [asdict(cell) for cell in cells],
            },
            sys.stdout,
            indent=1,
        )
        click.echo()
        return
    click.echo(f"run {opened.path}: {manifest.command}")
    rows = [
        [
            cell.label,
            cell.dataset + (f" {cell.scene}" if cell.scene else ""),
            cell.seed,
            cell.status,
            duration(cell.seconds["total"]) if cell.seconds.get("total") else "",
            doing.get(cell.folder) or cell.reason,
        ]
        for cell in cells
    ]
    click.echo(
        tabulate(
            rows,
            ["method", "dataset", "seed", "status", "time", ""],
            tablefmt="plain",
            disable_numparse=True,
            maxcolwidths=[None] * 5 + [70],
        )
    )
    counts = {
        status: sum(cell.status == status for cell in cells)
        for status in dict.fromkeys(cell.status for cell in cells)
    }
    click.echo(", ".join(f"{count} {status}" for status, count in counts.items()))
    for holder, silent in runners(opened):
        click.echo(
            f"filled by {holder}" + ("" if holder.here else f", heard of {duration(silent)} ago")
        )
    if (
        any(cell.status in ("queued", "running", "interrupted", "failed") for cell in cells)
        and not doing
    ):
        click.echo(f"to go on: {manifest.command}")
