"""What stands on the page as text: tables, methods, failures, and how the run was made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.page.data import datasets_with_scores
from bench.page.methods import facts_of_method
from bench.page.views import View
from bench.runs.layout import NUMBERS, ReportFiles
from bench.runs.manifest import Manifest
from bench.runs.records import CellRecord
from bench.runs.status import Status
from bench.tables.kinds import KINDS, Source
from bench.tables.secondary.scenes_table import scene_tables
from bench.tables.table import DASH, TRIVIAL, Table, TableCell
from bench.wording import counted

LOG_LINES = 25
FEW = 3
"""Methods, or datasets, that a title names; more are counted."""


def facts_of(
    source: Source, files: ReportFiles, question: str, views: Sequence[View], labels: Sequence[str]
) -> dict[str, Any]:
    """Return everything that stands on the page as text: tables, methods, failures, provenance."""
    cells = source.run_scores.cells
    costs = KINDS["speed"].make(source)
    rows = {row.name: row for view in reversed(views) for row in view.table.rows}
    return {
        "name": source.run.path.resolve().name,
        "compared": _compared(source, views[0].comparison),
        "counts": _counts(cells),
        "views": views,
        "protocols": list(dict.fromkeys(view.base for view in views)),
        "scenes": [scene_tables(source.run_scores, one.protocol, source.metric) for one in views],
        "interval": _interval,
        "methods": [
            (label, facts_of_method(source, rows[label], costs, label), _bibtex(cells, label))
            for label in labels
        ],
        "place": {label: place for place, label in enumerate(labels)},
        "cost": costs,
        "others": [
            (name, kind.about, found)
            for name, kind in KINDS.items()
            if name not in ("comparison", "scenes", "speed") and (found := kind.make(source))
        ],
        "links": {
            name: _links(files, question, [f"{name}.{form}" for form in ("txt", "md", "tex")])
            for name in KINDS
        },
        "data_links": _links(files, "", NUMBERS) + _links(files, question, ["references.bib"]),
        "names": source.run_scores.names,
        "trivial": TRIVIAL,
        "has_scenes": any(record.has_scenes for record in datasets_with_scores(source)),
        "failures": [
            (cell, _log_tail(source.run.files_of(cell).log))
            for cell in cells
            if cell.status not in (Status.DONE, Status.PUBLISHED_ONLY)
        ],
        "provenance": _provenance(source),
        "cells": cells,
        "dash": DASH,
    }


def _compared(source: Source, table: Table) -> str:
    """Return what the run compares, in words: methods and datasets, by name where they are few."""
    names = [table.row_name(row) for row in table.rows if row.family != TRIVIAL]
    names = names or [table.row_name(row) for row in table.rows]
    return (
        f"{_named(names, 'method')} on "
        f"{_named([source.run_scores.names.heading(name) for name in table.columns], 'dataset')}"
    )


def _named(names: Sequence[str], noun: str) -> str:
    if len(names) > FEW or not names:
        return counted(len(names), noun)
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _counts(cells: Sequence[CellRecord]) -> str:
    """Return how many cells have each status, in words."""
    statuses = [cell.status for cell in cells]
    return ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses))


def _interval(cell: TableCell) -> str:
    """Return the 95 % interval of a number over clips; empty where there is none."""
    if cell.low is None or cell.high is None:
        return ""
    return f"{cell.low:.{cell.decimals}f} to {cell.high:.{cell.decimals}f}"


def _bibtex(cells: Sequence[CellRecord], label: str) -> str:
    return next((cell.bibtex.strip() for cell in cells if cell.label == label), "")


def _links(files: ReportFiles, question: str, names: Sequence[str]) -> list[tuple[str, str]]:
    """Return (address, name) of those tables of a question that are there."""
    folder = files.tables(question)
    return [
        (f"{files.name(folder)}/{quote(name)}", name) for name in names if (folder / name).is_file()
    ]


def _log_tail(path: Path) -> str:
    try:
        text = path.read_bytes()[-20_000:].decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-LOG_LINES:])


def _provenance(source: Source) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """Return for each run its name (empty for the only one) and what run.json says of how it was
    made.
    """
    return [(name, _provenance_of(one)) for name, one in source.run.manifests.items()]


def _commits(manifest: Manifest) -> list[str]:
    """Return the commits that the cells were begun by, with how many each where there are several;
    of an older run that of its last command.
    """
    begun = [
        cell for cell in manifest.cells if Status(cell.get("status", Status.QUEUED)).is_runnable
    ]
    cells = Counter(filter(None, (cell.get("git") for cell in begun))) or Counter(
        filter(None, [manifest.git])
    )
    shown = []
    for commit, count in cells.items():
        changed = " (with changes that are not committed)" if commit.endswith("+") else ""
        shown.append(
            f"git {commit}{changed}" + (f": {counted(count, 'cell')}" if len(cells) > 1 else "")
        )
    return shown


def _provenance_of(manifest: Manifest) -> list[tuple[str, list[str]]]:
    lines = [entry["line"] for entry in manifest.commands] or [manifest.command]
    machine = manifest.machine
    memory = f"{machine['memory'] / 2**30:.1f} GB" if "memory" in machine else ""
    facts = {
        "Command": list(dict.fromkeys(lines)),
        "Started": [manifest.started],
        "Source": _commits(manifest),
        "Versions": [", ".join(f"{name} {version}" for name, version in manifest.versions.items())],
        "Machine": [", ".join(filter(None, [*(str(machine.get(key, "")) for key in ("system", "machine")), f"{machine['cores']} cores" if "cores" in machine else "", memory]))],
        "Device": [", ".join(f"{word}{value}" for word, value in (("", manifest.device), ("workers: ", manifest.workers), ("threads a cell: ", manifest.threads)) if value)],
        "Profile": [manifest.profile],
        "Seeds": [", ".join(map(str, manifest.seeds))],
        "Protocol": [manifest.protocol],
        "Detector": [manifest.detector],
        "Resizing": [manifest.resizing],
        "Kept": [", ".join(manifest.request.get("keep", []))],
        "Plugins": [f"{one['name']}: {one['broken'] or one['origin']}" + (f", sha256 {one['sha256']}" if one.get("sha256") else "") for one in manifest.plugins],
        "Datasets": [f"{one['label']}: " + (one["missing"] or f"fingerprint {one['fingerprint']}") for one in manifest.datasets],
        "Notes": manifest.notes,
    }  # fmt: skip
    return [
        (term, shown)
        for term, values in facts.items()
        if (shown := [value for value in values if value])
    ]
