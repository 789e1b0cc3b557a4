"""The scenes of a dataset, one by one: where a method wins, and what a median over scenes hides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.evaluation.results import Evidence, Row, Summary, evaluate_run, label_sets_of
from bench.runs.folder import Run
from bench.runs.status import Status
from bench.scoring.protocols import sentence
from bench.tables.comparison import (
    DASH,
    MARKS,
    TRIVIAL,
    Comparison,
    Entry,
    Footnotes,
    Line,
    percent,
    ranks_of,
)

POOLED = "pooled"


def scenes(run: Run, protocol: Protocol, metric: Metric, evidence: Evidence) -> list[Comparison]:
    """Return one table a dataset that has scenes: methods down, scenes across, and all scenes
    pooled at the end.
    """
    rows = evaluate_run(run, [protocol], [metric], evidence)
    tables = []
    for dataset in dict.fromkeys(row.cell.dataset for row in rows):
        of_dataset = [row for row in rows if row.cell.dataset == dataset]
        record = next(
            (record for row in of_dataset if (record := evidence.dataset(row.cell)) is not None),
            None,
        )
        if record is None or not record.has_scenes:
            continue
        label_set = label_sets_of(record, protocol)[:1]
        shown = [
            row
            for row in of_dataset
            if (row.label_set,) == label_set or row.cell.status != Status.DONE
        ]
        names = sorted({row.scene for row in shown if row.scene})
        tables.append(_table(dataset, "".join(label_set), names, shown, protocol, metric))
    return tables


def _table(
    dataset: str,
    label_set: str,
    names: Sequence[str],
    rows: Sequence[Row],
    protocol: Protocol,
    metric: Metric,
) -> Comparison:
    columns = [*names, POOLED]
    places: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        # A seed that is not done has no scenes in the rows; without it a scene's mean would be one
        # over survivors.
        absent = row.cell.status != Status.DONE and not row.cell.scene
        for column in columns if absent else [row.scene or POOLED]:
            places.setdefault((row.cell.label, column), []).append(row)
    summaries = {
        (label, column): Summary(
            label, dataset, label_set, protocol.name, metric.name, tuple(members)
        )
        for (label, column), members in places.items()
    }
    footnotes = Footnotes()
    ranks: dict[tuple[str, str], int] = {}
    for column in columns:
        shown = {
            label: float(percent(summary.mean))
            for (label, of), summary in summaries.items()
            if of == column and summary.mean is not None and summary.cell.family != TRIVIAL
        }
        ranks |= {(label, column): rank for label, rank in ranks_of(shown, metric).items()}
    lines = []
    for label in dict.fromkeys(row.cell.label for row in rows):
        cell = next(row.cell for row in rows if row.cell.label == label)
        entries = tuple(_entry(summaries, label, column, ranks, footnotes) for column in columns)
        if any(entry.mean for entry in entries):
            lines.append(Line(label, cell.family, cell.year, entries))
    caption = (
        f"Scenes of {dataset}, labels {label_set}: {metric.name} in percent of the frames of each scene, and of all scenes pooled. "
        f"Protocol {protocol.name}: {sentence(protocol)}."
    )
    used = {letter for line in lines for entry in line.entries for letter in entry.notes}
    return Comparison(
        columns,
        lines,
        caption,
        [(letter, text) for letter, text in footnotes.listed() if letter in used],
        [],
    )


def _entry(
    summaries: Mapping[tuple[str, str], Summary],
    label: str,
    column: str,
    ranks: Mapping[tuple[str, str], int],
    footnotes: Footnotes,
) -> Entry:
    summary = summaries.get((label, column))
    if summary is None:
        return Entry(mark=DASH)
    if summary.mean is None:
        row = summary.missing[0]
        return Entry(
            mark=MARKS.get(row.cell.status, DASH), notes=(footnotes.letter(row.result.reason),)
        )
    sd = "" if summary.sd is None else percent(summary.sd)
    return Entry(percent(summary.mean), sd, len(summary.rows), rank=ranks.get((label, column), 0))
