"""Checks of the tables, figures and page of a run: every number is computed again from scores and
labels.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from bench.contracts.dataset import Finding
from bench.contracts.protocol import Protocol
from bench.errors import RequestError, RunError
from bench.evaluation.run_scores import RunScores
from bench.files.whole_files import read_json
from bench.plugins.registry import Registry
from bench.plugins.selection import select_one
from bench.reporting.findings import WIDTH, own_checksum, same_digest, shortened, wrong
from bench.reporting.report_index import ReportIndex
from bench.reporting.report_writer import shared_files_of, table_kind
from bench.runs.folder import Run
from bench.runs.layout import NUMBERS
from bench.scoring.metrics import choose_metric
from bench.tables.kinds import Source, open_source
from bench.tables.table_files import kind_files, number_files, question_name

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
    for question, kinds in _asked(run, index).items():
        try:
            source = _source(run, registry, index, question, run_scores)
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
        yield from _same_text(run.path / name, name, text)
    yield from _numbers(run, registry, index, run_scores)


def _asked(run: Run, index: ReportIndex) -> dict[str, set[str]]:
    """Return the kinds of tables that are there, or should be, by question; the comparison is
    always one.
    """
    found: dict[str, set[str]] = {
        "": {"comparison"}
        if any((run.report.tables() / name).exists() for name in NUMBERS)
        else set()
    }
    paths = [path for end in ("txt", "md", "tex") for path in run.report.tables().rglob(f"*.{end}")]
    for name in [*index.files, *map(run.report.name, paths)]:
        question, stem = run.report.table_question(name), Path(name).stem
        if question is not None and (kind := table_kind(stem)) and not stem.endswith("-tracks"):
            found.setdefault(question, set()).add(kind)
    return found


def _source(
    run: Run, registry: Registry, index: ReportIndex, question: str, run_scores: RunScores
) -> Source:
    """Return what a question is answered from.

    Raises
    ------
    RequestError : it is not known, or its protocol or metric is one of a plugin that is not loaded.
    """
    protocol = (
        select_one("protocols", run.manifest.protocol, registry).parameters
        if not question
        else index.protocol(question)
    )
    if protocol is None:
        raise RequestError(f"{run.report.index.name} does not say under which protocol")
    metric = choose_metric(index.questions[question]["metric"] if question else "auc", registry)
    source = open_source(run, registry, protocol, metric, run_scores=run_scores)
    if question_name(source) != question:
        raise RequestError(
            f"{run.report.index.name} says {protocol.name} and {metric.name}, whose folder is {question_name(source) or 'tables'}"
        )
    return source


def _same_text(path: Path, name: str, expected: str) -> Iterator[Finding]:
    if not path.is_file():
        yield wrong(name, "is not there")
        return
    found = path.read_text(encoding="utf-8", errors="replace")
    if found == expected:
        yield Finding(name, True, "follows from scores and labels")
        return
    for number, (line, of_expected) in enumerate(
        zip_longest(found.split("\n"), expected.split("\n"), fillvalue=""), start=1
    ):
        if line != of_expected:
            start = max(
                0,
                next(
                    (at for at, (one, other) in enumerate(zip(line, of_expected)) if one != other),
                    0,
                )
                - WIDTH // 2,
            )
            texts = [shortened(text[start : start + WIDTH].strip()) for text in (line, of_expected)]
            yield wrong(
                name, f"line {number} reads {texts[0]}, and scores and labels give {texts[1]}"
            )
            return


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
    asked = _asked_protocols(
        (line.get("protocol") or "" for lines in found.values() for line in lines), registry, index
    )
    for name, text in number_files(open_source_of(run, registry, run_scores), asked).items():
        if name in found:
            yield from _same_lines(
                run.report.name(run.report.tables() / name),
                found[name],
                list(csv.DictReader(io.StringIO(text))),
            )


def open_source_of(run: Run, registry: Registry, run_scores: RunScores) -> Source:
    """Return a source for what depends on no question."""
    return open_source(
        run,
        registry,
        next(iter(registry.protocols.values())),
        registry.metrics["auc"],
        run_scores=run_scores,
    )


def _asked_protocols(
    names: Iterable[str], registry: Registry, index: ReportIndex
) -> list[Protocol]:
    """Return the protocols of these names that are not among the registered ones, as far as they
    are known.
    """
    found = {
        protocol.name: protocol
        for question in index.questions
        if (protocol := index.protocol(question)) is not None
    }
    for name in dict.fromkeys(names):
        if name and name not in registry.protocols and name not in found:
            try:
                found[name] = select_one("protocols", name, registry).parameters
            except RequestError:
                continue
    return [found[name] for name in dict.fromkeys(names) if name in found] + list(found.values())


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
