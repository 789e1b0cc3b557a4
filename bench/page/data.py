"""The numbers and curves of the page, from which its script chooses.

Numbers are the texts of the tables, for every view.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from bench.evaluation.measurements import Measurement, label_sets_of
from bench.evaluation.pairs import every_pair
from bench.evaluation.summaries import Summary, shown_summaries
from bench.page.curves import anomalous_runs, clips_of, packed, roc
from bench.page.views import View
from bench.planning.commands import keep_commands
from bench.runs.records import CellRecord, DatasetRecord
from bench.runs.status import Status
from bench.scoring.evaluate import ClipScores, Result, evaluate
from bench.scoring.protocols import sentence
from bench.tables.forms.paper_layout import COLUMNS
from bench.tables.kinds import Source
from bench.tables.table import DASH, DIGITS, MARKS, TRIVIAL, Table, TableCell, percent


def data_of(source: Source, views: Sequence[View], labels: Sequence[str]) -> dict[str, Any]:
    """Return what the script of the page chooses from and draws, ready for JSON.

    Parameters
    ----------
    labels : the rows; places in this list stand for them.
    """
    cells = {cell.label: cell for cell in reversed(source.run_scores.cells)}
    bases = [view for view in views if not view.labels]
    return {
        "views": [
            {
                "name": view.protocol.name,
                "protocol": view.base,
                "labels": view.labels,
                "words": sentence(view.protocol),
                "unit": view.protocol.normalise == "clip",
                "pooled": view.protocol.pool == "micro",
                # Labels change no curve.
                "curve": next(place for place, one in enumerate(bases) if one.base == view.base),
            }
            for view in views
        ],
        "metric": {
            "name": COLUMNS.get(source.metric.name, source.metric.name),
            "higher": source.metric.higher_is_better,
        },
        "methods": [
            {
                "label": label,
                "name": source.run_scores.names.row(label),
                "trivial": cells[label].family == TRIVIAL,
                "pictures": _how_to_get_pictures(source, cells[label]),
            }
            for label in labels
        ],
        "datasets": [
            _dataset(source, record, views, labels) for record in datasets_with_scores(source)
        ],
        "training": list(_training(source)),
    }


def datasets_with_scores(source: Source) -> list[DatasetRecord]:
    """Return the datasets that any cell has scores of."""
    found = {
        cell.dataset: source.run_scores.dataset(cell)
        for cell in source.run_scores.cells
        if cell.status == Status.DONE
    }
    return [replace(record, label=label) for label, record in found.items() if record is not None]


def _dataset(
    source: Source,
    record: DatasetRecord,
    views: Sequence[View],
    labels: Sequence[str],
) -> dict[str, Any]:
    protocols = [view.protocol for view in views]
    bases = [place for place, view in enumerate(views) if not view.labels]
    sets = ["".join(label_sets_of(record, one)[:1]) for one in protocols]
    members: dict[str, dict[int, list[CellRecord]]] = {}
    for cell in source.run_scores.cells:
        if cell.dataset == record.label:
            members.setdefault(cell.label, {}).setdefault(cell.seed, []).append(cell)
    places = {
        (label, seed): cells for label, seeds in members.items() for seed, cells in seeds.items()
    }

    @cache
    def clips(label: str, seed: int, number: int) -> dict[str, ClipScores]:
        done = [cell for cell in places[label, seed] if cell.status == Status.DONE]
        return {
            clip.id: clip
            for clip in clips_of(source, record, done, sets[number], protocols[number])
        }

    reasons: dict[tuple[str, str], int] = {}

    def number(label: str, clip: str, which: int) -> str | int:
        """Return the number of a clip as tables print it, or where in `reasons` it stands why there
        is none.
        """
        found = []
        for seed in members[label]:
            cell, scores = (
                _first_unfinished(places[label, seed]),
                clips(label, seed, which).get(clip),
            )
            reason = (
                cell.reason or cell.status
                if cell.status != Status.DONE
                else "no frame of this clip was scored"
            )
            result = (
                Result(None, reason, 0, 0, 0, 0, None)
                if scores is None or not sets[which]
                else evaluate([scores], protocols[which], source.metric)
            )
            found.append(
                Measurement(cell, "", sets[which], protocols[which], source.metric.name, result)
            )
        summary = Summary(
            label,
            record.label,
            sets[which],
            protocols[which].name,
            source.metric.name,
            tuple(found),
        )
        if summary.mean is not None:
            return percent(summary.mean)
        missing = summary.missing[0]
        return reasons.setdefault(
            (MARKS.get(missing.cell.status, DASH), missing.result.reason), len(reasons)
        )

    remarks: dict[str, int] = {}
    pairs = [_pairs(source, view, record.label, labels, remarks) for view in views]
    return {
        "label": record.label,
        "name": source.run_scores.names.heading(record.label),
        "clips": [
            {"id": clip, "scene": scene, "length": length, "anomalous": {name: anomalous_runs(of_set[clip]) for name, of_set in record.labels.items()}}
            for clip, length, scene in record.clips
        ],
        "sets": sets,
        "curves": [
            {
                "method": labels.index(label),
                "seed": seed,
                "scores": [packed([clips(label, seed, which).get(clip) for which in bases], [protocols[which] for which in bases]) for clip, _, _ in record.clips],
                "roc": [roc(list(clips(label, seed, which).values()), one) if sets[which] else None for which, one in enumerate(protocols)],
            }
            for (label, seed), cells in places.items()
            if label in labels and any(cell.status == Status.DONE for cell in cells)
        ],
        "numbers": [_numbers(view.comparison, record.label, labels) for view in views],
        "seeds": [_seeds(source, view, record.label, labels) for view in views],
        "by_clip": [
            [[number(label, clip, which) for clip, _, _ in record.clips] if _scored(members.get(label, {})) else None for label in labels]
            for which in range(len(protocols))
        ],
        "pairs": pairs,
        "remarks": list(remarks),
        "reasons": [{"mark": mark, "text": text} for mark, text in reasons],
    }  # fmt: skip


def _scored(seeds: Mapping[int, Sequence[CellRecord]]) -> bool:
    return any(cell.status == Status.DONE for cells in seeds.values() for cell in cells)


def _first_unfinished(cells: Sequence[CellRecord]) -> CellRecord:
    """Return the cell that says why a seed, or the model of a scene of it, is not done."""
    return next((cell for cell in cells if cell.status != Status.DONE), cells[0])


def _numbers(table: Table, column: str, labels: Sequence[str]) -> list[str]:
    """Return the number of each method in a column, as the table prints it; empty where it has
    none.
    """
    if column not in table.columns:
        return [""] * len(labels)
    found = {row.name: row.cells[table.columns.index(column)] for row in table.rows}
    cells = [found.get(label, TableCell()) for label in labels]
    return [cell.shown + ("" if cell.sd is None else f" ± {cell.sd:.{DIGITS}f}") for cell in cells]


def _seeds(
    source: Source, view: View, dataset: str, labels: Sequence[str]
) -> list[list[list[str]]]:
    """Return (seed, its number or why there is none) of each method that takes seeds."""
    found = {
        summary.row: [
            [
                str(one.cell.seed),
                one.result.reason if one.result.value is None else percent(one.result.value),
            ]
            for one in sorted(summary.measurements, key=lambda one: one.cell.seed)
        ]
        for summary in shown_summaries(source.run_scores, view.protocol, source.metric)
        if summary.dataset == dataset and summary.cell.uses_seed
    }
    return [found.get(label, []) for label in labels]


def _pairs(
    source: Source, view: View, dataset: str, labels: Sequence[str], remarks: dict[str, int]
) -> list[list[Any]] | None:
    """Return [better row, other row, sentence of `bench compare`, places in `remarks`] of each two
    rows; remarks that are new are added. None as `every_pair`.
    """
    found = every_pair(source.run_scores, dataset, view.protocol, source.metric)
    if found is None:
        return None
    places = {label: place for place, label in enumerate(labels)}
    return [
        [
            places[pair.first.row],
            places[pair.second.row],
            pair.conclusion(),
            [remarks.setdefault(remark, len(remarks)) for remark in pair.remarks()],
        ]
        for pair in found
        if pair.first.row in places and pair.second.row in places
    ]


def _training(source: Source) -> Iterator[dict[str, Any]]:
    """Yield the columns of each training.csv: one number an epoch; null for what is empty or not
    finite.
    """
    for cell in source.run_scores.cells:
        try:
            with source.run.files_of(cell).training.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error):
            continue
        names = [name for name in (rows[0] if rows else {}) if name]
        columns = {name: [_number(row.get(name)) for row in rows] for name in names}
        if any(value is not None for values in columns.values() for value in values):
            yield {
                "name": source.run_scores.names.row(cell.label),
                "dataset": source.run_scores.names.heading(cell.dataset),
                "seed": cell.seed,
                "scene": cell.scene,
                "status": cell.status,
                "columns": columns,
            }


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _how_to_get_pictures(source: Source, cell: CellRecord) -> dict[str, str]:
    """Return the command that makes pictures of a method, or, in its place, why it gives none."""
    if cell.status == Status.PUBLISHED_ONLY:
        return {"command": "", "why": "it was not measured here"}
    if cell.status == Status.DONE and "parameters" not in cell.cost:
        return {
            "command": "",
            "why": "pictures come from networks, which have a frame to compare with; this method is none",
        }
    (line,) = keep_commands(source.run, [cell], "images")
    return {"command": line, "why": ""}
