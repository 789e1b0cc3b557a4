"""`bench stop`: end a run that goes on somewhere."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli.complete import run_folder
from bench.cli.options import plugin_option
from bench.cli.status import newest_run


@click.command("stop", short_help="End a run that goes on somewhere.")
@click.argument("run", type=click.Path(path_type=Path), required=False, shell_complete=run_folder)
@plugin_option
def command(run: Path | None, plugin: tuple[Path, ...]) -> None:
    """Stop RUN (default: the newest below results/), wherever it goes on: its runners, or the jobs
    that were submitted with --detach.

    Each cell writes down where it is; the same `bench run` line goes on.
    """
    from bench.errors import RequestError, RunError
    from bench.files.whole_files import write_text
    from bench.plugins.registry import load
    from bench.runs.folder import Run
    from bench.runs.runners import runners, stop_jobs

    try:
        opened = Run.open(newest_run(run))
        at_work = runners(opened)
        if at_work:
            write_text(opened.stop_file, "")
            click.echo(
                f"told {', '.join(str(holder) for holder, _ in at_work)}; bench status {opened.path} shows when all has ended"
            )
            return
        jobs = stop_jobs(opened, load(plugin))
    except RunError as error:
        raise RequestError(str(error)) from error
    click.echo(f"{jobs} jobs are cancelled" if jobs else f"nobody is at work on {opened.path}")
