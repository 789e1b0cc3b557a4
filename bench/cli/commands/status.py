"""`bench status`: progress of a run."""

from __future__ import annotations

import contextlib
import gc
import json
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from bench.cli.options import json_option, run_argument
from bench.cli.run_folders import newest_run
from bench.runs.status import Status
from bench.wording import terminal_width, wrapped


@click.command("status")
@run_argument
@json_option("Print all details of every cell as JSON.")
def command(run: Path | None, as_json: bool) -> None:
    """Show the cells of RUN (default: the newest below results/) with their status, and who is
    working on them.
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
        if cell.status != Status.RUNNING:
            continue
        progress = read_progress(opened.files_of(cell).progress)
        claim = Claim(opened.files_of(cell).claim)
        holder = claim.holder()
        if progress is None or holder is None or (not holder.here and claim.silent() > DEAD):
            cell.status, cell.reason = (
                Status.INTERRUPTED,
                "its worker is gone; repeat the `bench run` command to resume from the last "
                "checkpoint",
            )
            continue
        left = progress.seconds_left(time.time())
        doing[cell.folder] = f"{progress.what}, {progress.done} of {progress.total}" + (
            f", {duration(left)} left" if left is not None else ""
        )
        if not holder.here:
            doing[cell.folder] += f" ({holder})"
    for cell in cells:
        if cell.status == Status.QUEUED and (job := opened.files_of(cell).job).exists():
            with contextlib.suppress(RunError):
                left_job = read_json(job, "job")
                cell.reason = (
                    f"submitted: {left_job.get('executor')}, "
                    f"{str(left_job.get('handle')).partition('/')[0]}"
                )
    if as_json:
        facts = {"run": str(opened.path), "command": manifest.command}
        click.echo(json.dumps({**facts, "cells": [asdict(cell) for cell in cells]}, indent=1))
        return
    click.echo(f"run {opened.path}: {manifest.command}")
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
    click.echo("\n".join(printed))
    counts = Counter(cell.status for cell in cells)
    click.echo(", ".join(f"{count} {status}" for status, count in counts.items()))
    for holder, silent in runners(opened):
        click.echo(
            f"runner: {holder}"
            + ("" if holder.here else f", last sign of life {duration(silent)} ago")
        )
    if (
        any(
            cell.status in (Status.QUEUED, Status.RUNNING, Status.INTERRUPTED, Status.FAILED)
            for cell in cells
        )
        and not doing
    ):
        click.echo(f"to resume: {manifest.command}")
