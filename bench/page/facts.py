"""What stands on the page as text: tables, failures, and how the run was made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.contracts.protocol import Protocol
from bench.evaluation.data_frames import summary_frame
from bench.evaluation.summaries import summaries_of
from bench.page.data import datasets_with_scores
from bench.runs.layout import NUMBERS, ReportFiles
from bench.runs.manifest import Manifest
from bench.runs.records import CellRecord
from bench.runs.status import Status
from bench.tables.kinds import KINDS, Source
from bench.tables.scenes_table import scene_tables
from bench.tables.table import DASH, TRIVIAL, Table, percent
from bench.wording import counted

LOG_LINES = 25


def facts_of(
    source: Source,
    files: ReportFiles,
    question: str,
    protocols: Sequence[Protocol],
    tables: Sequence[Table],
) -> dict[str, Any]:
    """Return everything that stands on the page as text: tables, failures, provenance."""
    cells = source.run_scores.cells
    return {
        "title": source.run.path.resolve().name,
        "counts": _counts(cells),
        "comparisons": list(
            zip(
                protocols,
                tables,
                [scene_tables(source.run_scores, one, source.metric) for one in protocols],
            )
        ),
        "intervals": _intervals(source, protocols),
        "cost": KINDS["speed"].make(source),
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
        "families": {cell.label: cell.family for cell in cells},
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


def _counts(cells: Sequence[CellRecord]) -> str:
    """Return how many cells have each status, in words."""
    statuses = [cell.status for cell in cells]
    return ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses))


def _intervals(source: Source, protocols: Sequence[Protocol]) -> dict[tuple[str, str, str], str]:
    """Return (protocol, method, dataset) -> the interval of the number in percent, where
    summary.csv has one.
    """
    frame = summary_frame(
        summary
        for protocol in protocols
        for summary in summaries_of(source.run_scores, protocol, source.metric)
    ).dropna(subset=["ci_low", "ci_high"])
    found: dict[tuple[str, str, str], str] = {}
    for row in frame.itertuples():  # the default label set comes first
        found.setdefault(
            (row.protocol, row.method, row.dataset),
            f"{percent(row.ci_low)} to {percent(row.ci_high)}",
        )
    return found


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
