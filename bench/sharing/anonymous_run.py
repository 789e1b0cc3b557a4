"""A run without names of people, machines and folders: its records in other words, and a report
made anew from them.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from bench.errors import RunError
from bench.evaluation.published_numbers import bibliography, published_numbers
from bench.files.checksums import digest_of, sealed
from bench.files.whole_files import read_json, write_json, write_text
from bench.plugins.registry import Registry
from bench.reporting.report_index import ReportIndex
from bench.reporting.report_remaking import remake_report
from bench.runs.folder import Run
from bench.runs.layout import CELLS
from bench.sharing.claims import RUN
from bench.sharing.identity import Identity, names_here, strings_of
from bench.sharing.run_files import cell_files, dataset_files, notes


def write_anonymous(run: Run, folder: Path, registry: Registry) -> list[str]:
    """Write a run into a new folder without names and paths.

    Scores, labels and kept files are the same; run.json, cell.json, logs and everything that is
    made of them say 'anonymous' and folder1, folder2, ... instead. Commits are left out, since they
    name a repository.

    Returns a sentence for each part of the report that was left out.

    Raises
    ------
    RunError : a name stands in a file that is copied as it is, as in kept weights, or in its path.
    RequestError : a table under a protocol or metric of a plugin that is not loaded.
    """
    records = {path: read_json(path, path.name) for path in _records(run)}
    identity = Identity(
        (text for value in records.values() for text in strings_of(value)),
        names_here(),
        keep=_public_words(registry),
    )
    made = Run(folder)
    manifest = _without_commits(records[run.manifest_file])
    places = {}
    for cell in manifest["cells"]:
        cell["folder"], places[cell["folder"]] = cell["folder"], _place(cell, identity)
    for cell in run.cells():
        target = places[cell.folder]
        for path in cell_files(run, cell):
            to = folder / target / path.relative_to(run.cell_path(cell))
            if path == run.files_of(cell).record:
                write_json(to, _sealed(records[path], identity, target))
            elif path == run.files_of(cell).log:
                text = path.read_text(encoding="utf-8", errors="replace")
                write_text(to, identity.cleaned(text))
            else:
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, to)
    for path in notes(run):
        text = path.read_text(encoding="utf-8", errors="replace")
        write_text(folder / path.name, identity.cleaned(text))
    for path in dataset_files(run):
        to = folder / path.relative_to(run.path)
        to.parent.mkdir(parents=True, exist_ok=True)
        if path in records:
            write_json(to, sealed(identity.cleaned(records[path])))
        else:
            shutil.copyfile(path, to)
    for cell in manifest["cells"]:
        cell["folder"] = places[cell["folder"]]
    clean = identity.cleaned(manifest)
    clean["checksums"] = {
        name: digest_of(folder / name)
        for old in manifest.get("checksums", {})
        if (folder / (name := _moved(old, places))).is_file()
    }
    write_json(made.manifest_file, sealed(clean))
    left_out = remake_report(run, made, registry)
    _rename_in_pages(made)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if names := identity.found(name):
            raise RunError(
                f"{run.path}: the path {name} holds {names[0]!r}; nothing was packed. Rename it, or "
                "make the run without it"
            )
        if names := identity.left(path):
            raise RunError(
                f"{run.path}: {name} holds {names[0]!r}, and cannot be changed without changing what it is; nothing was packed. "
                "Rename it, or make the run without it"
            )
    return left_out


def _rename_in_pages(run: Run) -> None:
    """Name the folder of the run in commands on its pages as a pack names it."""
    index = ReportIndex(run.report)
    for name, entry in index.files.items():
        if name.endswith(".html"):
            page = run.path / name
            write_text(page, page.read_text(encoding="utf-8").replace(str(run.path), RUN))
            entry["sha256"] = digest_of(page)
    index.write()


def _public_words(registry: Registry) -> set[str]:
    """Return the words of what bench says of itself and of papers: a name among them, as of an
    author who is cited, tells nothing about a run, and stays.
    """
    texts = [
        *(text for one in registry.methods.values() for text in (one.info.bibtex, one.info.title)),
        *(text for one in registry.datasets.values() for text in (one.info.citation, one.info.title)),
        *(str(number) for number in published_numbers()),
        *bibliography({number.citation for number in published_numbers()}).values(),
        *registry.methods, *registry.datasets, *registry.protocols, *registry.metrics,
    ]  # fmt: skip
    return {word.lower() for text in texts for word in re.findall(r"[\w.-]+", text)}


def _records(run: Run) -> list[Path]:
    """Return the JSON files of a run."""
    return [
        run.manifest_file,
        *(path for path in dataset_files(run) if path.suffix == ".json"),
        *(path for cell in run.cells() if (path := run.files_of(cell).record).is_file()),
    ]


def _without_commits(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return run.json or cell.json without commits of git, as a new value."""
    found = {name: item for name, item in value.items() if name != "git"}
    for name in ("cells", "commands"):
        if name in found:
            found[name] = [_without_commits(item) for item in found[name]]
    return found


def _sealed(record: Mapping[str, Any], identity: Identity, folder: str) -> dict[str, Any]:
    return sealed({**identity.cleaned(_without_commits(record)), "folder": folder})


def _place(cell: Mapping[str, Any], identity: Identity) -> str:
    """Return the folder of a cell: that of a row with parameters has a hash of its selector."""
    parts = list(PurePosixPath(cell["folder"]).parts)
    selector = identity.cleaned(cell["selector"])
    if cell.get("parameters_changed") and selector != cell["selector"]:
        parts[1] = f"{cell['method']}-{hashlib.sha256(selector.encode()).hexdigest()[:8]}"
    assert parts[0] == CELLS, "a cell outside of cells/"
    return str(identity.cleaned("/".join(parts)))


def _moved(name: str, places: Mapping[str, str]) -> str:
    """Return the name of a file of a cell in its new folder."""
    folder, _, file = name.rpartition("/")
    return f"{places.get(folder, folder)}/{file}"
