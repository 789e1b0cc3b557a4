"""Makes the report of one run for another one that says the same in other words."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from bench.evaluation.run_scores import RunScores
from bench.figures import kinds as drawing
from bench.plugins.registry import Registry
from bench.reporting.questions import asked_protocols, asked_tables, open_source_of, source_of
from bench.reporting.report_index import ReportIndex
from bench.reporting.report_writer import ReportWriter
from bench.runs.folder import Run
from bench.runs.layout import NUMBERS
from bench.tables.kinds import KINDS


def remake_report(original: Run, run: Run, registry: Registry) -> list[str]:
    """Write the tables, figures and pages that `original` has, of `run`, into the folder of `run`.

    Returns a sentence for each thing that was left out.

    Raises
    ------
    RequestError : a table under a protocol or metric of a plugin that is not loaded.
    RunError : a file cannot be written.
    """
    index, run_scores = ReportIndex(original.report), RunScores(run, registry)
    questions = asked_tables(original, index)
    for entry in index.files.values():
        questions.setdefault(entry["question"], set())
    left_out: list[str] = []
    for question, kinds in questions.items():
        source = source_of(run, registry, index, question, run_scores)
        writer = ReportWriter(source, run.path)
        place = original.report.name(original.report.tables(question))
        for kind in (kind for kind in KINDS if kind in kinds):
            style = index.style(f"{place}/{kind}.tex")
            writer.tables([kind], replace(source, style=style))
        drawn = {
            kind
            for kind in drawing.KINDS
            for name, entry in index.files.items()
            if name.startswith("figures/")
            and entry["question"] == question
            and (Path(name).stem == kind or Path(name).stem.startswith(f"{kind}-"))
        }
        figures = [kind for kind in drawing.OF_THE_RUN if kind in drawn]
        if figures:
            writer.figures(figures)
        if original.report.page(question).is_file():
            writer.page()
        left_out += writer.left_out
        left_out += [f"figure {kind}: it needs the dataset" for kind in sorted(drawn - {*figures})]
        if writer.written:
            writer.finish()
    left_out += [
        f"{name}: made with tracks from a folder"
        for name in index.files
        if Path(name).stem.endswith("-tracks")
    ]
    numbers = ReportWriter(open_source_of(run, registry, run_scores), run.path)
    numbers.numbers(asked_protocols(_protocols(original), registry, index))
    numbers.finish()
    return list(dict.fromkeys(left_out))


def _protocols(run: Run) -> list[str]:
    """Return the names of the protocols in results.csv and summary.csv."""
    names: list[str] = []
    for name in NUMBERS:
        path = run.report.tables() / name
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as file:
                names += [line.get("protocol") or "" for line in csv.DictReader(file)]
    return list(dict.fromkeys(names))
