"""The runs that a command line names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bench.runs.folder import Run


def newest_run(path: Path | None) -> Path:
    """Return the given run folder, or else the newest below results/ and say so on stderr.

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
        raise RequestError("there is no run below ./results; name the folder of a run")
    click.echo(f"run {runs[0].path}, the newest below results/", err=True)
    return runs[0].path


def open_runs(paths: tuple[Path, ...], out: Path | None) -> Run:
    """Return one run, or several merged into one.

    Raises
    ------
    RequestError : several runs, and no folder to write to.
    RunError : a folder is not a run, or the runs cannot be merged.
    """
    from bench.errors import RequestError
    from bench.runs.folder import Run
    from bench.runs.merged import MergedRun

    if len(paths) < 2:
        return Run.open(newest_run(paths[0] if paths else None))
    if out is None:
        raise RequestError(
            f"{len(paths)} runs make one report: choose its folder with --out, e.g. --out "
            "results/merged"
        )
    return MergedRun(out, [Run.open(path) for path in paths])


def runs_of(text: str) -> list[Path]:
    """Return the run folders and zips of runs in a comma list; an empty list if it is a selection
    of datasets.

    Raises
    ------
    RequestError : a path that is not a run.
    """
    from bench.errors import RequestError
    from bench.runs.folder import Run

    if "[" in text:
        return []
    parts = [part for part in text.split(",") if part]
    runs = [Path(part) for part in parts if Run(Path(part)).exists or part.endswith(".zip")]
    gone = [path for path in runs if not path.exists()]
    if gone:
        raise RequestError(*(f"there is no file {path}" for path in gone))
    wrong = [part for part in parts if (runs or "/" in part) and Path(part) not in runs]
    if wrong:
        raise RequestError(
            *(
                f"{part} is not a run: it has no run.json (runs are the folders below results/)"
                for part in wrong
            )
        )
    return runs
