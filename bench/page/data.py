"""The numbers and curves of the page, from which its script chooses.

Numbers are the texts of the tables, for every named protocol. Curves are scores after the protocol,
each clip packed as 16 bits between its lowest and highest value: finer than a screen, and small.
"""

from __future__ import annotations

import base64
import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from bench.contracts.protocol import Protocol
from bench.evaluation.measurements import Measurement, label_sets_of
from bench.evaluation.summaries import Summary
from bench.planning.commands import keep_commands
from bench.runs.records import CellRecord, DatasetRecord
from bench.runs.status import Status
from bench.scoring.evaluate import ClipScores, Result, evaluate, processed
from bench.scoring.metrics import operating_points
from bench.scoring.protocols import process, sentence
from bench.tables.kinds import Source
from bench.tables.table import DASH, DIGITS, MARKS, TRIVIAL, Table, TableCell, percent

STEPS = 65535
ROC_POINTS = 200
"""Of a curve, at most. Chosen here: two pixels apart in a plot 400 wide."""
SHORT = {"auc": "AUC", "ap": "AP", "eer": "EER"}


def data_of(
    source: Source, protocols: Sequence[Protocol], tables: Sequence[Table]
) -> dict[str, Any]:
    """Return what the script of the page chooses from and draws, ready for JSON."""
    labels = list(
        dict.fromkeys(
            row.name for table in tables for _, members in table.groups() for row in members
        )
    )
    cells = {cell.label: cell for cell in reversed(source.run_scores.cells)}
    return {
        "protocols": [
            {
                "name": one.name,
                "words": sentence(one),
                "unit": one.normalise == "clip",
                "pooled": one.pool == "micro",
            }
            for one in protocols
        ],
        "metric": {
            "name": SHORT.get(source.metric.name, source.metric.name),
            "higher": source.metric.higher_is_better,
        },
        "methods": [
            {
                "label": source.run_scores.names.row(label),
                "trivial": cells[label].family == TRIVIAL,
                "pictures": _how_to_get_pictures(source, cells[label]),
            }
            for label in labels
        ],
        "datasets": [
            _dataset(source, record, protocols, tables, labels)
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


def _dataset(
    source: Source,
    record: DatasetRecord,
    protocols: Sequence[Protocol],
    tables: Sequence[Table],
    labels: Sequence[str],
) -> dict[str, Any]:
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
            clip.id: clip for clip in _clips(source, record, done, sets[number], protocols[number])
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

    return {
        "name": source.run_scores.names.heading(record.label),
        "clips": [
            {"id": clip, "scene": scene, "length": length, "anomalous": {name: _runs(of_set[clip]) for name, of_set in record.labels.items()}}
            for clip, length, scene in record.clips
        ],
        "sets": sets,
        "curves": [
            {
                "method": labels.index(label),
                "seed": seed,
                "scores": [_packed([clips(label, seed, which).get(clip) for which in range(len(protocols))], protocols) for clip, _, _ in record.clips],
                "roc": [_roc(list(clips(label, seed, which).values()), one) if sets[which] else None for which, one in enumerate(protocols)],
            }
            for (label, seed), cells in places.items()
            if label in labels and any(cell.status == Status.DONE for cell in cells)
        ],
        "numbers": [_numbers(table, record.label, labels) for table in tables],
        "by_clip": [
            [[number(label, clip, which) for clip, _, _ in record.clips] if _scored(members.get(label, {})) else None for label in labels]
            for which in range(len(protocols))
        ],
        "reasons": [{"mark": mark, "text": text} for mark, text in reasons],
    }  # fmt: skip


def _scored(seeds: Mapping[int, Sequence[CellRecord]]) -> bool:
    return any(cell.status == Status.DONE for cells in seeds.values() for cell in cells)


def _first_unfinished(cells: Sequence[CellRecord]) -> CellRecord:
    """Return the cell that says why a seed, or the model of a scene of it, is not done."""
    return next((cell for cell in cells if cell.status != Status.DONE), cells[0])


def _clips(
    source: Source,
    record: DatasetRecord,
    cells: Sequence[CellRecord],
    label_set: str,
    protocol: Protocol,
) -> list[ClipScores]:
    """Return scores beside labels; beside zeros where the dataset has no labels."""
    if not cells:
        return []
    if label_set:
        return source.run_scores.clips(cells, label_set, protocol)
    found = {clip: scores for cell in cells for clip, scores in source.run.scores(cell).items()}
    return [
        ClipScores(
            clip, scene, found[clip].values, found[clip].frames, np.zeros(length, dtype=np.uint8)
        )
        for clip, length, scene in record.clips
        if clip in found
    ]


def _runs(labels: np.ndarray) -> list[list[int]]:
    """Return [first, behind the last] of each stretch of anomalous frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], labels != 0, [0]]).astype(np.int8)))
    return edges.reshape(-1, 2).tolist()


def _packed(
    clips: Sequence[ClipScores | None], protocols: Sequence[Protocol]
) -> dict[str, Any] | None:
    """Return one clip under each protocol: [which of `variants`, lowest, highest]. Most protocols
    share one of a few shapes.

    A variant is [frames, scores]: the first frame where they follow one another, else all of them;
    scores as base64 of 16 bits each.
    """
    variants: list[tuple[np.ndarray, np.ndarray]] = []
    of: list[list[float] | None] = []
    for clip, protocol in zip(clips, protocols):
        if clip is None or not len(clip.scores):
            of.append(None)
            continue
        scores = process(clip.scores, protocol)
        low, high = float(scores.min()), float(scores.max())
        shape = (
            np.rint((scores - low) / (high - low) * STEPS) if high > low else np.zeros(len(scores))
        )
        same = (
            number
            for number, (frames, other) in enumerate(variants)
            # A step apart is the rounding of one curve computed in two orders.
            if np.array_equal(frames, clip.frames) and np.abs(other - shape).max() <= 1
        )
        found = next(same, len(variants))
        if found == len(variants):
            variants.append((clip.frames, shape))
        of.append([found, float(f"{low:.6g}"), float(f"{high:.6g}")])
    if not variants:
        return None
    return {"of": of, "variants": [[_frames(frames), _base64(shape)] for frames, shape in variants]}


def _frames(frames: np.ndarray) -> int | list[int]:
    first = int(frames[0])
    return (
        first
        if np.array_equal(frames, np.arange(first, first + len(frames)))
        else [int(frame) for frame in frames]
    )


def _base64(steps: np.ndarray) -> str:
    return base64.b64encode(steps.astype("<u2").tobytes()).decode("ascii")


def _roc(clips: Sequence[ClipScores], protocol: Protocol) -> str | None:
    """Return the ROC curve of all frames pooled, as base64 of 16 bits: false positive rate, true
    positive rate, and so on.
    """
    parts = processed(clips, protocol)
    truth = np.concatenate([part.labels for part in parts]) if parts else np.zeros(0)
    if not 0 < truth.sum() < len(truth):
        return None
    false, true = operating_points(truth, np.concatenate([part.scores for part in parts]))
    # A point between two on the same line says nothing.
    corners = np.ones(len(false), dtype=bool)
    corners[1:-1] = (np.diff(false, 2) != 0) | (np.diff(true, 2) != 0)
    false, true = (
        np.concatenate([[0.0], counts[corners] / counts[-1]]) for counts in (false, true)
    )
    along = false + true
    kept = (
        np.unique(np.searchsorted(along, np.linspace(0, 2, ROC_POINTS)).clip(max=len(along) - 1))
        if len(along) > ROC_POINTS
        else slice(None)
    )
    return _base64(np.rint(np.stack([false[kept], true[kept]], axis=1) * STEPS))


def _numbers(table: Table, column: str, labels: Sequence[str]) -> list[str]:
    """Return the number of each method in a column, as the table prints it; empty where it has
    none.
    """
    if column not in table.columns:
        return [""] * len(labels)
    found = {row.name: row.cells[table.columns.index(column)] for row in table.rows}
    cells = [found.get(label, TableCell()) for label in labels]
    return [cell.shown + ("" if cell.sd is None else f" ± {cell.sd:.{DIGITS}f}") for cell in cells]


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
                "label": source.run_scores.names.row(cell.label),
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
