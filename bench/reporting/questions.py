"""Which questions the tables of a run answer, and what each is made from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bench.contracts.protocol import Protocol
from bench.errors import RequestError
from bench.evaluation.run_scores import RunScores
from bench.plugins.registry import Registry
from bench.plugins.selection import select_one
from bench.reporting.report_index import ReportIndex
from bench.reporting.report_writer import table_kind
from bench.runs.folder import Run
from bench.runs.layout import NUMBERS
from bench.scoring.metrics import choose_metric
from bench.tables.kinds import Source, open_source
from bench.tables.table_files import question_name


def asked_tables(run: Run, index: ReportIndex) -> dict[str, set[str]]:
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


def source_of(
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


def open_source_of(run: Run, registry: Registry, run_scores: RunScores) -> Source:
    """Return a source for what depends on no question."""
    return open_source(
        run,
        registry,
        next(iter(registry.protocols.values())),
        registry.metrics["auc"],
        run_scores=run_scores,
    )


def asked_protocols(names: Iterable[str], registry: Registry, index: ReportIndex) -> list[Protocol]:
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
