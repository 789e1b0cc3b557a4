"""`bench stop`: stop a run that is in progress, on any machine."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli.options import load_registry, plugin_option, run_argument
from bench.cli.run_folders import newest_run


@click.command("stop")
@run_argument
@plugin_option
def command(run: Path | None, plugin: tuple[Path, ...]) -> None:
    """Stop RUN (default: the newest below results/) on whichever machines it is running: its
    runners, or the jobs that were submitted with --detach.

    Each cell saves a checkpoint first; repeat the `bench run` command to resume.
    """
    from bench.errors import RequestError, RunError
    from bench.files.whole_files import write_text
    from bench.runs.folder import Run
    from bench.runs.runners import runners, stop_jobs

    try:
        opened = Run.open(newest_run(run))
        at_work = runners(opened)
        if at_work:
            write_text(opened.stop_file, "")
            click.echo(
                f"asked {', '.join(str(holder) for holder, _ in at_work)} to stop;"
                f" bench status {opened.path} shows when all cells have ended"
            )
            return
        jobs = stop_jobs(opened, load_registry(plugin))
    except RunError as error:
        raise RequestError(str(error)) from error
    click.echo(f"{jobs} jobs cancelled" if jobs else f"nothing is running in {opened.path}")
