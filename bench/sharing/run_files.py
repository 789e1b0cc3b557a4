"""The files of a run that are passed on: all that says or shows something, nothing that is only for
going on with it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from bench.runs.folder import Run
from bench.runs.records import CellRecord
from bench.runs.table_options import FILE


def run_files(run: Run) -> dict[str, Path]:
    """Return the files by their paths below the run's folder."""
    files = [run.manifest_file, *notes(run), *dataset_files(run)]
    for cell in run.cells():
        files += cell_files(run, cell)
    files += report_files(run)
    return {path.relative_to(run.path).as_posix(): path for path in files}


def notes(run: Run) -> list[Path]:
    """Return what the user wrote: README, with any ending, and the choices for the tables."""
    found = [*sorted(run.path.glob("README*")), run.path / FILE]
    return [path for path in found if path.is_file()]


def dataset_files(run: Run) -> list[Path]:
    """Return what is kept of the datasets."""
    folders = dict.fromkeys(cell.dataset_folder for cell in run.cells())
    return [path for name in folders for path in run.dataset_files(name) if path.is_file()]


def cell_files(run: Run, cell: CellRecord) -> Iterator[Path]:
    """Yield the files of a cell, without checkpoints, claims and jobs."""
    files = run.files_of(cell)
    for path in (files.record, *files.checked().values(), files.steps, files.log):
        if path.is_dir():
            yield from (file for file in sorted(path.rglob("*")) if file.is_file())
        elif path.is_file():
            yield path


def report_files(run: Run) -> Iterator[Path]:
    """Yield tables, figures, pages and report.json; no videos, which show whole clips."""
    if run.report.index.is_file():
        yield run.report.index
    for folder in (run.report.tables(), run.report.figures()):
        yield from (
            path
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        )
    yield from sorted(path for path in run.path.glob("report*.html") if path.is_file())


def other_files(run: Run) -> list[str]:
    """Return what lies in the run's folder and is not passed on: by its path there, a folder as a
    whole, and equal names of several folders joined, as in 'cells/.../scratch (12)'.
    """
    known = {PurePosixPath(name) for name in run_files(run)}
    kept = {folder for path in known for folder in path.parents}
    found: dict[tuple[str, str], list[str]] = {}
    for root, folders, files in os.walk(run.path):
        here = PurePosixPath(Path(root).relative_to(run.path).as_posix())
        left = [name for name in folders if here / name not in kept]
        folders[:] = sorted({*folders} - {*left})
        for name in [*left, *(name for name in files if here / name not in known)]:
            path = here / name
            found.setdefault((path.parts[0], name), []).append(str(path))
    return sorted(
        paths[0] if len(paths) == 1 else f"{top}/.../{name} ({len(paths)})"
        for (top, name), paths in found.items()
    )
