"""The numbers and curves of the page, from which its script chooses.

Numbers are the texts of the tables, for every view.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
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
from bench.tables.forms.side_by_side import COLUMNS
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
                "images": _how_to_get_images(source, cells[label]),
            }
            for label in labels
        ],
        "datasets": [
            _DatasetData(source, record, views, labels).as_json()
            for record in datasets_with_scores(source)
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


class _DatasetData:
    """What the script shows of one dataset."""

    def __init__(
        self, source: Source, record: DatasetRecord, views: Sequence[View], labels: Sequence[str]
    ) -> None:
        self.source, self.record, self.views, self.labels = source, record, views, labels
        self.protocols = [view.protocol for view in views]
        self.sets = ["".join(label_sets_of(record, one)[:1]) for one in self.protocols]
        """The label set of each view; empty where the dataset has none."""
        self.cells: dict[str, dict[int, list[CellRecord]]] = {}
        """Method -> seed -> its cells, one a scene."""
        for cell in source.run_scores.cells:
            if cell.dataset == record.label:
                self.cells.setdefault(cell.label, {}).setdefault(cell.seed, []).append(cell)
        self.reasons: dict[tuple[str, str], int] = {}
        """(mark, text) -> its place in the list of reasons why there is no number."""
        self._clips: dict[tuple[str, int, int], dict[str, ClipScores]] = {}

    def as_json(self) -> dict[str, Any]:
        source, record, labels = self.source, self.record, self.labels
        remarks: dict[str, int] = {}
        pairs = [_pairs(source, view, record.label, labels, remarks) for view in self.views]
        by_clip = self._by_clip()
        return {
            "label": record.label,
            "name": source.run_scores.names.heading(record.label),
            "clips": [
                {
                    "id": clip,
                    "scene": scene,
                    "length": length,
                    "anomalous": {
                        name: anomalous_runs(of_set[clip]) for name, of_set in record.labels.items()
                    },
                }
                for clip, length, scene in record.clips
            ],
            "sets": self.sets,
            "curves": list(self._curves()),
            "numbers": [_numbers(view.comparison, record.label, labels) for view in self.views],
            "seeds": [_seeds(source, view, record.label, labels) for view in self.views],
            "by_clip": by_clip,
            "pairs": pairs,
            "remarks": list(remarks),
            "reasons": [{"mark": mark, "text": text} for mark, text in self.reasons],
        }

    def _curves(self) -> Iterator[dict[str, Any]]:
        """Yield the scores and ROC curves of each seed that has any."""
        bases = [place for place, view in enumerate(self.views) if not view.labels]
        protocols = [self.protocols[which] for which in bases]
        for label, seeds in self.cells.items():
            for seed in seeds:
                if label not in self.labels or not _done(seeds[seed]):
                    continue
                of_base = [self._clips_of(label, seed, which) for which in bases]
                yield {
                    "method": self.labels.index(label),
                    "seed": seed,
                    "scores": [
                        packed([clips.get(clip) for clips in of_base], protocols)
                        for clip, _, _ in self.record.clips
                    ],
                    "roc": [
                        roc(list(self._clips_of(label, seed, which).values()), protocol)
                        if self.sets[which]
                        else None
                        for which, protocol in enumerate(self.protocols)
                    ],
                }

    def _by_clip(self) -> list[list[list[str | int] | None]]:
        """Return for each view and method the number of each clip; None for a method without
        scores.
        """
        scored = {label for label, seeds in self.cells.items() if any(map(_done, seeds.values()))}
        return [
            [
                [self._number(label, clip, which) for clip, _, _ in self.record.clips]
                if label in scored
                else None
                for label in self.labels
            ]
            for which in range(len(self.views))
        ]

    def _clips_of(self, label: str, seed: int, which: int) -> dict[str, ClipScores]:
        """Return the scores of a seed under the protocol of a view, by clip."""
        key = label, seed, which
        if key not in self._clips:
            found = clips_of(
                self.source,
                self.record,
                _done(self.cells[label][seed]),
                self.sets[which],
                self.protocols[which],
            )
            self._clips[key] = {clip.id: clip for clip in found}
        return self._clips[key]

    def _number(self, label: str, clip: str, which: int) -> str | int:
        """Return the number of a clip as tables print it, or where in `reasons` it stands why there
        is none.
        """
        about = self.sets[which], self.protocols[which], self.source.metric.name
        found = []
        for seed, cells in self.cells[label].items():
            # A seed that is not done has the reason of the scene that is not.
            cell = next((cell for cell in cells if cell.status != Status.DONE), cells[0])
            scores = self._clips_of(label, seed, which).get(clip)
            if scores is not None and self.sets[which]:
                result = evaluate([scores], self.protocols[which], self.source.metric)
            else:
                reason = "no frame of this clip was scored"
                if cell.status != Status.DONE:
                    reason = cell.reason or cell.status
                result = Result(None, reason, 0, 0, 0, 0, None)
            found.append(Measurement(cell, "", *about, result))
        of_set, protocol, metric = about
        summary = Summary(label, self.record.label, of_set, protocol.name, metric, tuple(found))
        if summary.mean is not None:
            return percent(summary.mean)
        missing = summary.missing[0]
        entry = MARKS.get(missing.cell.status, DASH), missing.result.reason
        return self.reasons.setdefault(entry, len(self.reasons))


def _done(cells: Sequence[CellRecord]) -> list[CellRecord]:
    return [cell for cell in cells if cell.status == Status.DONE]


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


def _how_to_get_images(source: Source, cell: CellRecord) -> dict[str, str]:
    """Return the command that makes images of a method, or, in its place, why it gives none."""
    if cell.status == Status.PUBLISHED_ONLY:
        return {"command": "", "why": "it was not measured here"}
    if cell.status == Status.DONE and "parameters" not in cell.cost:
        return {
            "command": "",
            "why": "images come from networks, which have a frame to compare with; this method is none",
        }
    (line,) = keep_commands(source.run, [cell], "images")
    return {"command": line, "why": ""}
