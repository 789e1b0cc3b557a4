"""Moves a finished cell between machines: packed on one, checked and put in place on the other."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import PurePosixPath

from bench.errors import RunError
from bench.files.whole_files import write_bytes
from bench.runs.folder import Run
from bench.runs.records import CellRecord, read_cell
from bench.runs.status import Status


def pack(run: Run, record: CellRecord) -> dict[str, bytes]:
    """Return the files of a cell and of its dataset, by their paths in the run folder."""
    cell = run.files_of(record)
    stays = (cell.scratch, cell.progress, cell.job, cell.arriving)
    files = [
        path
        for path in sorted(cell.folder.rglob("*"))
        if not path.name.startswith(cell.claim.name)
        and not any(path.is_relative_to(other) for other in stays)
    ]
    about, labels, regions = run.dataset_files(record.dataset_folder)
    return {
        path.relative_to(run.path).as_posix(): path.read_bytes()
        for path in (*files, labels, regions, about)
        if path.is_file()
    }


def put_in_place(run: Run, record: CellRecord, files: Mapping[str, bytes]) -> CellRecord:
    """Check the received files of a cell, and rename them into place; cell.json last, so that a
    finished cell is complete.

    Raises
    ------
    RunError : the files are of another cell, incomplete or damaged, or the folder cannot be
        written.
    """
    folder = run.cell_path(record)
    coming = run.files_of(record).arriving
    shutil.rmtree(coming, ignore_errors=True)
    home, mine = PurePosixPath(record.folder), PurePosixPath(run.datasets.name)
    for name, content in files.items():
        path = PurePosixPath(name)
        if (
            path.is_absolute()
            or ".." in path.parts
            or not (path.is_relative_to(home) or path.parent == mine)
        ):
            raise RunError(
                f"{record.folder}: the files from another machine include {name!r}, which is "
                "outside the cell"
            )
        write_bytes(coming / name, content)
    arrived = Run(coming)
    cell = arrived.files_of(record)
    found = read_cell(cell.record, f"{record.folder}/cell.json as received")
    if (found.folder, found.key) != (record.folder, record.key):
        raise RunError(
            f"{record.folder}: the files from another machine are of {found.folder} with a "
            "different key"
        )
    if found.status == Status.DONE:
        arrived.scores(found)
        arrived.dataset(found.dataset_folder)
    for file in sorted(arrived.datasets.glob("*"), key=lambda file: file.suffix == ".json"):
        run.datasets.mkdir(exist_ok=True)
        file.replace(run.datasets / file.name)
    for file in sorted(cell.folder.rglob("*"), key=lambda file: file == cell.record):
        if file.is_file():
            target = folder / file.relative_to(cell.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
    shutil.rmtree(coming, ignore_errors=True)
    return found
