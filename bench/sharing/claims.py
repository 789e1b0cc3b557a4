"""claims.md of a pack: each number of each table, the command that made it, and the command that
makes it again.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.evaluation.run_scores import RunScores
from bench.plugins.registry import Registry
from bench.reporting.questions import asked_tables, source_of
from bench.reporting.report_index import ReportIndex
from bench.runs.folder import Run
from bench.runs.manifest import Manifest
from bench.runs.records import CellRecord
from bench.runs.status import Status
from bench.tables.kinds import KINDS, Source
from bench.tables.secondary.ablation_table import places_of
from bench.tables.table import Row, Table

RUN = "run"
"""The folder of the run in a pack."""


@dataclass(frozen=True)
class Claim:
    """One number of one table."""

    row: str
    column: str
    number: str
    """As it is printed, with its spread."""
    cells: tuple[CellRecord, ...]
    """Those whose scores it is computed from; none where it was copied from a paper."""


def claims(run: Run, run_scores: RunScores, registry: Registry) -> str:
    """Return claims.md.

    Raises
    ------
    RequestError : a table under a protocol or metric of a plugin that is not loaded.
    """
    manifest = run.manifest
    lines = list(dict.fromkeys(entry.get("line", "") for entry in manifest.commands))
    lines = lines or [manifest.command]
    parts = [
        "# Claims",
        "Each number of each table: the cells that it is computed from, the command that made these "
        "(by its number below), and the command that makes them again. Scores and labels of the "
        "cells are in this pack; `bench verify FILE.zip` computes every number from them.",
        "## Commands that made the run",
        "\n".join(f"{number}. `{line}`" for number, line in enumerate(lines, start=1)),
    ]
    index = ReportIndex(run.report)
    for question, kinds in asked_tables(run, index).items():
        source = source_of(run, registry, index, question, run_scores)
        place = run.report.name(run.report.tables(question))
        for kind in (kind for kind in KINDS if kind in kinds):
            parts += [
                f"## {place}/{kind}",
                f"From the scores: `{_report_line(source, question, kind)}`",
            ]
            for table in KINDS[kind].make(source):
                parts.append(table.caption)
                parts.append(_listed(_claims_of(table, run_scores.cells), manifest, lines))
    return "\n\n".join(parts) + "\n"


def _report_line(source: Source, question: str, kind: str) -> str:
    """Return the command that makes a table from the run's folder."""
    words = ["bench", "report", RUN, "--table", kind]
    if question:
        words += ["--protocol", source.protocol.name, "--metric", source.metric.name]
    return shlex.join(words)


def _claims_of(table: Table, cells: Sequence[CellRecord]) -> Iterator[Claim]:
    """Yield the numbers of a table."""
    places = places_of(cells)
    for row in table.rows:
        for column, number in zip(table.columns, row.cells):
            if number.value is not None:
                own = () if _is_copied(row, column) else _cells_of(row.name, column, cells, places)
                yield Claim(row.name, column, number.shown + number.spread, own)


def _is_copied(row: Row, column: str) -> bool:
    """Whether a number stands as a paper prints it."""
    return row.family.startswith("published") or column.endswith((" published", " printed"))


def _cells_of(
    row: str, column: str, cells: Sequence[CellRecord], places: Mapping[str, tuple[str, str]]
) -> tuple[CellRecord, ...]:
    """Return the finished cells that a number is computed from: those of its row, where its column
    names a dataset of that one alone. The ablation's rows are networks and its columns variants;
    the rows of the DDL paper's table are methods without parameters.
    """
    done = [cell for cell in cells if cell.status == Status.DONE]
    datasets = {cell.dataset for cell in done if f"{column} ".startswith(f"{cell.dataset} ")}
    if datasets:
        done = [cell for cell in done if cell.dataset == max(datasets, key=len)]
    labels = [cell for cell in done if cell.label == row]
    variants = [
        cell
        for cell in done
        if places.get(cell.label) == (row, column.removeprefix(f"{cell.dataset} "))
    ]
    methods = [cell for cell in done if cell.method == row and not cell.parameters_changed]
    return tuple(labels or variants or methods)


def _listed(found: Iterator[Claim], manifest: Manifest, lines: Sequence[str]) -> str:
    """Return claims as a Markdown table."""
    rows = [("row", "column", "number", "cells", "made by", "made again by"), ("---",) * 6]
    for claim in found:
        numbers = sorted({1 + lines.index(made_by(cell, manifest)) for cell in claim.cells})
        rows.append(
            (
                claim.row,
                claim.column,
                claim.number,
                "<br>".join(cell.folder for cell in claim.cells) or "copied from a paper",
                ", ".join(map(str, numbers)) or "-",
                f"`{again(claim.cells)}`" if claim.cells else "-",
            )
        )
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows
    )


def made_by(cell: CellRecord, manifest: Manifest) -> str:
    """Return the command line that began a cell: as it says, or, of a cell of an earlier version,
    the last one before the cell started.
    """
    if any(entry.get("line") == cell.command for entry in manifest.commands):
        return cell.command
    before = [
        entry
        for entry in manifest.commands
        if cell.started and entry.get("at", "") <= cell.started and "line" in entry
    ]
    first: Mapping[str, str] = manifest.commands[0] if manifest.commands else {}
    return (before[-1] if before else first).get("line", manifest.command)


def again(cells: Sequence[CellRecord]) -> str:
    """Return the command that makes cells of one row again from the pack."""
    return shlex.join(
        [
            "bench",
            "run",
            "--from",
            RUN,
            "--methods",
            cells[0].selector,
            "--datasets",
            ",".join(dict.fromkeys(cell.dataset for cell in cells)),
        ]
    )
