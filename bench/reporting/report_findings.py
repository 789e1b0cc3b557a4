"""Checks of the tables, figures and page of a run: every number is computed again from scores and
labels.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from bench.contracts.dataset import Finding
from bench.errors import RequestError, RunError
from bench.evaluation.run_scores import RunScores
from bench.files.whole_files import read_json
from bench.plugins.registry import Registry
from bench.reporting.findings import own_checksum, same_digest, same_text, shortened, wrong
from bench.reporting.questions import asked_protocols, asked_tables, open_source_of, source_of
from bench.reporting.report_index import ReportIndex
from bench.reporting.report_writer import shared_files_of
from bench.runs.folder import Run
from bench.runs.layout import NUMBERS
from bench.tables.table_files import kind_files, number_files

MOST = 5
"""Differing lines of one file that are named."""
LINE = ("method", "dataset", "scene", "seed", "label_set", "protocol", "metric")
"""What tells the lines of results.csv and summary.csv apart, of those columns that each has."""


def report_findings(run: Run, run_scores: RunScores, registry: Registry) -> Iterator[Finding]:
    """Compute the tables again, and compare the checksums of all that was made."""
    index = ReportIndex(run.report)
    if run.report.index.is_file():
        try:
            yield own_checksum(run.report.index.name, read_json(run.report.index, "report"))
        except RunError as error:
            yield wrong(run.report.index.name, str(error))
    for name, entry in index.files.items():
        yield same_digest(run.path, name, entry["sha256"], run.report.index.name)
    if not run.report.tables().is_dir():
        return
    expected: dict[str, str] = {}
    for question, kinds in asked_tables(run, index).items():
        try:
            source = source_of(run, registry, index, question, run_scores)
        except RequestError as error:
            yield wrong(
                run.report.name(run.report.tables(question)),
                f"cannot be computed again: {' '.join(error.mistakes)}",
            )
            continue
        place = run.report.name(run.report.tables(question))
        made = {
            f"{place}/{file}": text
            for kind in sorted(kinds)
            for file, text in kind_files(
                replace(source, style=index.style(f"{place}/{kind}.tex")), kind
            ).items()
        }
        for kind in sorted(kinds):
            if f"{place}/{kind}.txt" not in made:
                yield wrong(
                    f"{place}/{kind}.txt", "is there, and nothing of the run gives such a table"
                )
        shared = {
            f"{place}/{file}": text
            for file, text in shared_files_of(run.report, question, source).items()
        }
        # Earlier versions made these for a whole report alone.
        made |= {
            file: text
            for file, text in shared.items()
            if (run.path / file).is_file() or file in index.files
        }
        expected |= made
    for name, text in expected.items():
        yield from same_text(run.path / name, name, text)
    yield from _numbers(run, registry, index, run_scores)


def _numbers(
    run: Run, registry: Registry, index: ReportIndex, run_scores: RunScores
) -> Iterator[Finding]:
    """Compare results.csv and summary.csv line by line, and value by value."""
    found = {}
    for name in NUMBERS:
        path = run.report.tables() / name
        if path.is_file():
            found[name] = list(
                csv.DictReader(io.StringIO(path.read_text(encoding="utf-8", errors="replace")))
            )
        else:
            yield wrong(run.report.name(path), "is not there")
    asked = asked_protocols(
        (line.get("protocol") or "" for lines in found.values() for line in lines), registry, index
    )
    for name, text in number_files(open_source_of(run, registry, run_scores), asked).items():
        if name in found:
            yield from _same_lines(
                run.report.name(run.report.tables() / name),
                found[name],
                list(csv.DictReader(io.StringIO(text))),
            )


def _same_lines(
    name: str, found: Sequence[Mapping[str, str]], expected: Sequence[Mapping[str, str]]
) -> Iterator[Finding]:
    columns = [column for column in LINE if expected and column in expected[0]]

    def what(line: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(line.get(column) or "" for column in columns)

    differences = []
    wanted = {what(line): line for line in expected}
    here = {what(line): line for line in found}
    if len(here) < len(found):
        differences.append("a line stands there twice")
    for key, line in here.items():
        of_expected = wanted.get(key)
        if of_expected is None:
            differences.append(
                f"{_words(key)}: such a line is given by no cell under a protocol and metric that are known here (--plugin)"
            )
            continue
        for column, value in of_expected.items():
            if line.get(column) != value:
                differences.append(
                    f"{_words(key)}: {column} is {shortened(line.get(column))}, and scores and labels give {shortened(value)}"
                )
    differences += [
        f"{_words(key)}: the line is not there"
        for key in wanted.keys() - here.keys()
        if _is_asked(key, columns, here)
    ]
    if not differences and [what(line) for line in found] != [key for key in wanted if key in here]:
        differences.append("its lines stand in another order")
    yield from (wrong(name, text) for text in sorted(differences)[:MOST])
    if len(differences) > MOST:
        yield wrong(name, f"... and {len(differences) - MOST} more lines or values")
    if not differences:
        yield Finding(name, True, f"{len(found)} lines follow from scores and labels")


def _is_asked(
    key: Sequence[str], columns: Sequence[str], here: Mapping[tuple[str, ...], object]
) -> bool:
    """Whether any line of the protocol and metric of a line is there: a later version of bench has
    more of both.
    """
    places = [columns.index(column) for column in ("protocol", "metric")]
    return any(all(other[place] == key[place] for place in places) for other in here)


def _words(key: Sequence[str]) -> str:
    return ", ".join(part for part in key if part)
