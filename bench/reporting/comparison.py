"""The comparison: which rows, numbers, marks, notes and words stand in the table, before it has any form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from ..runs.folder import Run
from ..scoring.evaluate import ClipScores, evaluate
from ..scoring.metrics import Metric
from ..scoring.protocols import Protocol, sentence
from .results import Evidence, Row, Summary, evaluate_run, summarise

FAMILIES = ("non-deep", "reference", "reconstruction", "sparse coding", "pseudo-anomaly", "distinction learning")
"""Order of the headings; families that are not here come after them, and trivial ones last of all."""
TRIVIAL = "trivial"
MARKS = {"failed": "failed", "interrupted": "stopped", "running": "running", "queued": "queued", "no data": "-", "published only": "-"}


@dataclass(frozen=True)
class Entry:
    """One place of the table: a number (fraction) with its spread, or a mark; and the letters of its footnotes."""

    mean: float | None
    sd: float | None = None
    seeds: int = 1
    mark: str = ""
    notes: tuple[str, ...] = ()
    rank: int = 0
    """1 for the best of its column, 2 for the second; 0 otherwise."""


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    label: str
    family: str
    citation: str
    year: int | None
    entries: tuple[Entry, ...]


@dataclass
class Comparison:
    """The whole table, free of any form."""

    metric: str
    columns: list[str]
    lines: list[Line]
    caption: str
    footnotes: list[tuple[str, str]]
    """(letter, text)."""
    notes: list[str] = field(default_factory=list)

    def groups(self) -> list[tuple[str, list[Line]]]:
        """Return the lines by family, in the order of the headings; trivial ones last."""
        names = list(dict.fromkeys(line.family for line in self.lines))
        names.sort(key=lambda name: (name == TRIVIAL, FAMILIES.index(name) if name in FAMILIES else len(FAMILIES)))
        return [(name or "other", [line for line in self.lines if line.family == name]) for name in names]


class _Footnotes:
    """Gives each distinct text a letter, in the order of appearance."""

    def __init__(self) -> None:
        self.letters: dict[str, str] = {}

    def letter(self, text: str) -> str:
        if text not in self.letters:
            number = len(self.letters)
            self.letters[text] = chr(97 + number % 26) * (number // 26 + 1)
        return self.letters[text]


def compare(run: Run, protocol: Protocol, metric: Metric, evidence: Evidence | None = None) -> Comparison:
    """Return the comparison of a run under one protocol and metric."""
    evidence = evidence or Evidence(run)
    rows = evaluate_run(run, [protocol], [metric], evidence)
    summaries = [summary for summary in summarise(rows) if summary.label_set == _shown_label_set(evidence, summary, protocol)]
    columns = list(dict.fromkeys(summary.dataset for summary in summaries))
    labels = list(dict.fromkeys(summary.label for summary in summaries))
    if protocol.normalise == "clip":
        # After min-max in each clip the position in it is the frame index: one row of the two is enough.
        same = {summary.label for summary in summaries if summary.cell.method == "clip-position"}
        has_index = any(summary.cell.method == "frame-index" for summary in summaries)
        labels = [label for label in labels if not (has_index and label in same)]
    footnotes = _Footnotes()
    found = {(summary.label, summary.dataset): summary for summary in summaries}
    ranks = _ranks(summaries, metric)
    usual = _usual_flags(summaries)
    lines = []
    for label in labels:
        of_label = [summary for summary in summaries if summary.label == label]
        cell = of_label[0].cell
        entries = tuple(_entry(found.get((label, column)), ranks, usual, footnotes) for column in columns)
        lines.append(Line(label, cell.family, cell.citation, cell.year, entries))
    comparison = Comparison(metric.name, columns, lines, _caption(run, evidence, summaries, protocol, metric, usual), [])
    comparison.footnotes = [(letter, text) for text, letter in footnotes.letters.items()]
    comparison.notes = _notes(run, evidence, summaries, protocol, metric)
    return comparison


def _shown_label_set(evidence: Evidence, summary: Summary, protocol: Protocol) -> str:
    """Return the label set whose number stands in the table: the protocol's where the dataset has it, else the default."""
    record = evidence.dataset(summary.cell)
    if record is None or not record.label_sets:
        return summary.label_set
    return protocol.labels if protocol.labels in record.label_sets else record.label_sets[0]


def _ranks(summaries: Sequence[Summary], metric: Metric) -> dict[tuple[str, str], int]:
    """Return 1 and 2 for the best and the second of each column, ties alike, as they look at two decimals; trivial rows take no part."""
    ranks: dict[tuple[str, str], int] = {}
    for column in {summary.dataset for summary in summaries}:
        shown = {
            summary.label: round(summary.mean, 4)
            for summary in summaries
            if summary.dataset == column and summary.mean is not None and summary.cell.family != TRIVIAL
        }
        if len(shown) < 2:
            continue
        order = sorted(set(shown.values()), reverse=metric.higher_is_better)
        for label, value in shown.items():
            if value in order[:2]:
                ranks[label, column] = order.index(value) + 1
    return ranks


def _usual_flags(summaries: Sequence[Summary]) -> set[str]:
    """Return the flags that every seeded row with a number carries: the caption says them once."""
    sets = [set(summary.flags()) for summary in summaries if summary.mean is not None and summary.cell.uses_seed]
    return set.intersection(*sets) if sets else set()


def _entry(summary: Summary | None, ranks: dict[tuple[str, str], int], usual: set[str], footnotes: _Footnotes) -> Entry:
    if summary is None:
        return Entry(None, mark="-")
    if summary.mean is None:
        row = next((row for row in summary.missing if row.cell.status != "done"), summary.missing[0])
        mark = MARKS.get(row.cell.status, "-")
        reason = row.result.reason or row.cell.reason or row.cell.status
        if row.cell.status != "done" and len(summary.rows) > 1:
            reason = f"seed {row.cell.seed}: {reason}"
        return Entry(None, mark=mark, notes=(footnotes.letter(reason),))
    notes = tuple(footnotes.letter(flag) for flag in summary.flags() if flag not in usual)
    return Entry(summary.mean, summary.sd, len(summary.rows), "", notes, ranks.get((summary.label, summary.dataset), 0))


def _listed(items: Any) -> str:
    return ", ".join(dict.fromkeys(item for item in items if item))


def _caption(run: Run, evidence: Evidence, summaries: Sequence[Summary], protocol: Protocol, metric: Metric, usual: set[str]) -> str:
    """Return what was measured and how, in words."""
    cells = [summary.cell for summary in summaries]
    names = {"auc": "Frame AUC", "ap": "Frame average precision", "eer": "Frame equal error rate"}
    text = f"{names.get(metric.name, metric.name)} in percent. Protocol {protocol.name}: {sentence(protocol)}."
    sets = _listed(f"{summary.label_set} ({summary.dataset})" for summary in summaries if summary.mean is not None)
    text += f" Labels: {sets}." if sets else ""
    # Where a file of boxes lies is no fact about the numbers; its name is.
    detectors = _listed(re.sub(r"(\w+=)[^\[\],]*/", r"\1", cell.detector) for cell in cells)
    text += f" Detector: {detectors}." if detectors else ""
    text += f" Profile: {_listed(cell.profile for cell in cells)}."
    seeds = sorted({row.cell.seed for summary in summaries for row in summary.rows if row.cell.uses_seed})
    if seeds:
        text += f" Seed{'s' * (len(seeds) > 1)}: {', '.join(map(str, seeds))}" + (
            "; a single seed has no spread." if len(seeds) == 1 else "."
        )
    text += f" Device: {_listed(cell.device for cell in cells)}."
    if metric.name == "ap":
        chances = {summary.dataset: summary.rows[0].result.chance for summary in summaries if summary.rows[0].result.chance is not None}
        text += " Chance: " + ", ".join(f"{value * 100:.2f} ({name})" for name, value in chances.items()) + "." if chances else ""
    others = sorted(flag for flag in usual if flag != "single seed" and not flag.startswith("profile "))
    return text + (f" All rows: {'; '.join(others)}." if others else "")


# -- notes ------------------------------------------------------------------------------------------------------------------


def _notes(run: Run, evidence: Evidence, summaries: Sequence[Summary], protocol: Protocol, metric: Metric) -> list[str]:
    notes = []
    for column in dict.fromkeys(summary.dataset for summary in summaries):
        own = [summary for summary in summaries if summary.dataset == column and summary.mean is not None]
        if not own:
            continue
        record = evidence.dataset(own[0].cell)
        if record is not None and record.lengths_from == "labels":
            notes.append(f"{column}: no frames were at hand; the lengths of the clips come from the labels")
        beaten = [
            summary.label
            for summary in own
            if summary.cell.family != TRIVIAL and not _beats_frame_index(evidence, summary, protocol, metric)
        ]
        if beaten:
            notes.append(f"{column}: not better than the frame index on their own frames: {', '.join(beaten)}")
        notes += _order_notes(run, evidence, own, column, protocol, metric)
    return notes


def _beats_frame_index(evidence: Evidence, summary: Summary, protocol: Protocol, metric: Metric) -> bool:
    """Whether the mean is better than what the index of each frame gets, on the frames that the method scored."""
    members = [
        cell
        for cell in evidence.cells
        if cell.label == summary.label and cell.dataset == summary.dataset and cell.seed == summary.cell.seed
    ]
    clips = [
        ClipScores(clip.id, clip.scene, clip.frames.astype(np.float64), clip.frames, clip.labels)
        for clip in evidence.clips(members, summary.label_set)
    ]
    index = evaluate(clips, protocol, metric).value
    assert summary.mean is not None
    return index is None or (summary.mean > index if metric.higher_is_better else summary.mean < index)


def _order_notes(run: Run, evidence: Evidence, own: Sequence[Summary], column: str, protocol: Protocol, metric: Metric) -> list[str]:
    """Say which two neighbours of the table change places when only frames that every row scored count."""
    if protocol.frames == "common" or len({summary.rows[0].result.frames for summary in own}) < 2:
        return []
    rows: list[Row] = evaluate_run(run, [replace(protocol, frames="common")], [metric], evidence)
    shared = {
        summary.label: summary.mean for summary in summarise(rows) if summary.dataset == column and summary.label_set == own[0].label_set
    }
    ranked = sorted((summary for summary in own if summary.cell.family != TRIVIAL), key=lambda summary: -(summary.mean or 0))
    if not metric.higher_is_better:
        ranked.reverse()
    counted = evidence.common_frames(own[0].cell.dataset_folder)[1]
    notes = []
    for better, worse in pairwise(ranked):
        first, second = shared.get(better.label), shared.get(worse.label)
        if first is None or second is None or first == second or better.mean == worse.mean:
            continue
        if (first < second) == metric.higher_is_better:
            notes.append(
                f"{column}: on the frames that all of {', '.join(counted)} scored, {worse.label} ({second * 100:.2f}) "
                f"comes before {better.label} ({first * 100:.2f})"
            )
    return notes
