"""The scenes of a dataset, one by one: where a method wins, and what a median over scenes hides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.evaluation.measurements import Measurement, label_sets_of
from bench.evaluation.run_scores import RunScores
from bench.evaluation.summaries import Summary
from bench.plugins.display_names import plain
from bench.runs.status import Status
from bench.scoring.protocols import sentence
from bench.tables.table import (
    DASH,
    MARKS,
    NOTHING,
    TRIVIAL,
    Footnotes,
    Row,
    Table,
    TableCell,
    cell_of,
    ranks_of,
)

POOLED = "pooled"


def scene_tables(run_scores: RunScores, protocol: Protocol, metric: Metric) -> list[Table]:
    """Return one table a dataset that has scenes: methods down, scenes across, and all scenes
    pooled at the end.
    """
    measurements = run_scores.measure([protocol], [metric])
    tables = []
    for dataset in dict.fromkeys(one.cell.dataset for one in measurements):
        of_dataset = [one for one in measurements if one.cell.dataset == dataset]
        record = next(
            (record for one in of_dataset if (record := run_scores.dataset(one.cell)) is not None),
            None,
        )
        if record is None or not record.has_scenes:
            continue
        label_set = label_sets_of(record, protocol)[:1]
        shown = [
            one
            for one in of_dataset
            if (one.label_set,) == label_set or one.cell.status != Status.DONE
        ]
        names = sorted({one.scene for one in shown if one.scene})
        table = _table(dataset, "".join(label_set), names, shown, protocol, metric)
        tables.append(replace(table, names=run_scores.names))
    return tables


def _table(
    dataset: str,
    label_set: str,
    names: Sequence[str],
    measurements: Sequence[Measurement],
    protocol: Protocol,
    metric: Metric,
) -> Table:
    columns = [*names, POOLED]
    places: dict[tuple[str, str], list[Measurement]] = {}
    for one in measurements:
        # A seed that is not done has no scenes here, unless each has its own model; without it
        # a scene's mean would be one over survivors.
        own_models = any(member.scene for member in one.members)
        absent = one.cell.status != Status.DONE and not one.cell.scene and not own_models
        for column in columns if absent else [one.scene or POOLED]:
            places.setdefault((one.cell.label, column), []).append(one)
    summaries = {
        (label, column): Summary(
            label, dataset, label_set, protocol.name, metric.name, tuple(members)
        )
        for (label, column), members in places.items()
    }
    footnotes = Footnotes()
    ranks: dict[tuple[str, str], int] = {}
    for column in columns:
        values = {
            label: 100 * summary.mean
            for (label, of), summary in summaries.items()
            if of == column and summary.mean is not None and summary.cell.family != TRIVIAL
        }
        found = ranks_of(values, metric.higher_is_better)
        ranks |= {(label, column): rank for label, rank in found.items()}
    rows = []
    for label in dict.fromkeys(one.cell.label for one in measurements):
        cell = next(one.cell for one in measurements if one.cell.label == label)
        shown = tuple(_cell(summaries, label, column, ranks, footnotes) for column in columns)
        if any(one.value is not None for one in shown):
            rows.append(Row(label, cell.family, cell.year, shown))
    caption = (
        f"Scenes of {plain(measurements[0].cell.dataset_display_name)}, labels {label_set}: {metric.name} in percent of the frames of "
        "each scene, and of all scenes pooled. "
        f"Protocol {protocol.name}: {sentence(protocol)}."
    )
    return Table(columns, rows, caption, footnotes.used(rows), [])


def _cell(
    summaries: Mapping[tuple[str, str], Summary],
    label: str,
    column: str,
    ranks: Mapping[tuple[str, str], int],
    footnotes: Footnotes,
) -> TableCell:
    summary = summaries.get((label, column))
    if summary is None:
        return NOTHING
    if summary.mean is None:
        missing = summary.missing[0]
        return footnotes.mark(MARKS.get(missing.cell.status, DASH), missing.result.reason)
    return cell_of(summary, rank=ranks.get((label, column), 0))
