"""Moves a finished cell between machines: packed on one, checked and put in place on the other."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from bench.errors import RunError
from bench.files.whole_files import write_bytes
from bench.runs.folder import CLAIM, JOB, CellRecord, Run, read_cell
from bench.runs.status import Status

LEFT = ("scratch", "progress.json", JOB)
"""Files that are not transferred."""
COMING = ".coming"
"""The folder, next to cell.json, in which received files are checked."""


def pack(run: Run, record: CellRecord) -> dict[str, bytes]:
    """Return the files of a cell and of its dataset, by their paths in the run folder."""
    folder = run.cell_path(record)
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not _stays(path.relative_to(folder))
    ]
    datasets = run.path / "datasets"
    files += [
        datasets / f"{record.dataset_folder}{end}" for end in (".npz", ".regions.npz", ".json")
    ]
    return {
        path.relative_to(run.path).as_posix(): path.read_bytes() for path in files if path.is_file()
    }


def _stays(path: Path) -> bool:
    return path.parts[0] in LEFT or path.name.startswith(CLAIM) or path.parts[0] == COMING


def put_in_place(run: Run, record: CellRecord, files: Mapping[str, bytes]) -> CellRecord:
    """Check the received files of a cell, and rename them into place; cell.json last, so that a
    finished cell is complete.

    Raises
    ------
    RunError : the files are of another cell, incomplete or damaged, or the folder cannot be
        written.
    """
    folder = run.cell_path(record)
    coming = folder / COMING
    shutil.rmtree(coming, ignore_errors=True)
    home, mine = PurePosixPath(record.folder), PurePosixPath("datasets")
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
    found = read_cell(coming / home / "cell.json", f"{record.folder}/cell.json as received")
    if (found.folder, found.key) != (record.folder, record.key):
        raise RunError(
            f"{record.folder}: the files from another machine are of {found.folder} with a "
            "different key"
        )
    if found.status == Status.DONE:
        arrived.scores(found)
        arrived.dataset(found.dataset_folder)
    for file in sorted((coming / "datasets").glob("*"), key=lambda file: file.suffix == ".json"):
        (run.path / "datasets").mkdir(exist_ok=True)
        file.replace(run.path / "datasets" / file.name)
    for file in sorted(
        (coming / home).rglob("*"), key=lambda file: file == coming / home / "cell.json"
    ):
        if file.is_file():
            target = folder / file.relative_to(coming / home)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
    shutil.rmtree(coming, ignore_errors=True)
    return found
