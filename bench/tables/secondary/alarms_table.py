"""Alarms: with a threshold set on training scores alone, what is found, how soon,
and with how many false alarms.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.contracts.protocol import Protocol
from bench.errors import RunError
from bench.evaluation.measurements import label_sets_of
from bench.evaluation.row_names import RowNames
from bench.evaluation.run_scores import RunScores
from bench.plugins.display_names import plain
from bench.runs.folder import Run
from bench.runs.records import CellRecord, DatasetRecord
from bench.runs.status import Status
from bench.scoring.alarms import (
    QUANTILE,
    Alarms,
    alarms,
    more_than_promised,
    runs,
    threshold_of,
)
from bench.scoring.evaluate import ClipScores
from bench.scoring.events import OVERLAPS, best_by_frame_index
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
    as_printed,
)
from bench.wording import listed

COLUMNS = (
    "events found",
    "delay/frames",
    "delay/s",
    "false alarms/h",
    "false alarm min/h",
    "normal above/%",
    *(f"F1@{overlap:g}" for overlap in OVERLAPS),
)
ALWAYS_ON = "alarm always on"
FRAME_INDEX = "frame index, best threshold"
"""Rows that every table of alarms has: what is reached without a detector."""


def alarm_tables(run: Run, run_scores: RunScores, protocol: Protocol) -> list[Table]:
    """Return one table a dataset with labels for which a cell kept training scores."""
    tables = []
    for cells in run_scores.by_dataset().values():
        record = run_scores.dataset(cells[0])
        asked = any(
            cell.status == Status.DONE and not run.lacking(cell, ["train-scores"]) for cell in cells
        )
        if asked and record is not None and record.label_sets:
            tables.append(_table(run, cells, record, protocol, run_scores))
    return tables


def _table(
    run: Run,
    cells: Sequence[CellRecord],
    record: DatasetRecord,
    protocol: Protocol,
    run_scores: RunScores,
) -> Table:
    footnotes = Footnotes()
    rows = []
    label_set = label_sets_of(record, protocol)[0]
    for label in dict.fromkeys(cell.label for cell in cells):
        mine = [cell for cell in cells if cell.label == label]
        if reason := _why_not(run, mine):
            bad = next((cell for cell in mine if cell.status != Status.DONE), None)
            mark = DASH if bad is None else MARKS.get(bad.status, DASH)
            shown = [footnotes.mark(mark, reason)] * len(COLUMNS)
        else:
            seeds = [
                [cell for cell in mine if cell.seed == seed]
                for seed in dict.fromkeys(cell.seed for cell in mine)
            ]
            shown = _row(
                [_outcome(run, members, label_set, protocol, run_scores) for members in seeds],
                record,
                footnotes,
            )
        rows.append(Row(label, mine[0].family, mine[0].year, tuple(shown)))
    rows += _trivial_rows(record, label_set, protocol, footnotes)
    return Table(
        list(COLUMNS),
        rows,
        _caption(cells, label_set, protocol),
        footnotes.listed(),
        [*_notes(record, label_set), *_no_better_notes(rows, run_scores.names)],
        names=run_scores.names,
    )


def _trivial_rows(
    record: DatasetRecord, label_set: str, protocol: Protocol, footnotes: Footnotes
) -> list[Row]:
    """Return what needs no detector: an alarm that is always on, and the index of each frame with
    the threshold that suits the test labels best.
    """
    clips = [
        ClipScores(clip, scene, np.ones(length), np.arange(length), record.labels[label_set][clip])
        for clip, length, scene in record.clips
    ]
    on = _row(
        [alarms(clips, 0.0, replace(protocol, smooth="none"))], record, footnotes, promises=False
    )
    lengths = [(len(clip.labels), runs(clip.labels == 1)) for clip in clips]
    chosen = footnotes.letter(
        "the threshold is the best for the test labels, chosen for each overlap by itself: no "
        "detector can know it, and it shows what these labels give away"
    )
    index = [
        NOTHING if value is None else TableCell(value, notes=(chosen,))
        for value, _ in (best_by_frame_index(lengths, overlap) for overlap in OVERLAPS)
    ]
    aside = [NOTHING] * (len(COLUMNS) - len(index))
    return [
        Row(ALWAYS_ON, TRIVIAL, None, tuple(on)),
        Row(FRAME_INDEX, TRIVIAL, None, (*aside, *index)),
    ]


def _no_better_notes(rows: Sequence[Row], names: RowNames) -> list[str]:
    """Say for each overlap which rows have no higher F1 than the best trivial one."""
    notes = []
    for number, overlap in enumerate(OVERLAPS, len(COLUMNS) - len(OVERLAPS)):
        known = [
            (as_printed(value), row)
            for row in rows
            if (value := row.cells[number].value) is not None
        ]
        trivial = [(value, row.name) for value, row in known if row.family == TRIVIAL]
        if not trivial:
            continue
        most, name = max(trivial, key=lambda one: one[0])
        others = [(value, row) for value, row in known if row.family != TRIVIAL]
        beaten = [
            f"{names.row(row.name)} ({row.cells[number].shown})"
            for value, row in others
            if value <= most
        ]
        if beaten:
            which = "no row is" if len(beaten) == len(others) else "not"
            notes.append(
                f"F1 at overlap {overlap:g}: {which} better than the trivial {name} "
                f"({most:.2f}): {', '.join(beaten)}"
            )
    return notes


def _why_not(run: Run, cells: Sequence[CellRecord]) -> str:
    """Return why a row has no number; empty where it has."""
    for cell in cells:
        if cell.status != Status.DONE:
            return cell.reason or cell.status
        if cell.normalises_clips:
            return (
                "its scores are scaled in each clip by themselves: no one threshold holds for "
                "all clips"
            )
        try:
            known = run.train_scores(cell)
        except RunError as error:
            return str(error)
        if not any(len(scores.values) for scores in known.values()):
            if run.lacking(cell, ["train-scores"]):
                return (
                    "no training scores were kept: `bench run` as before, into the same --out, "
                    "with --keep train-scores "
                    f"--force '{cell.selector}' makes them"
                )
            return "no training scores: it reads no frames, or there are no training frames"
    return ""


def _outcome(
    run: Run, cells: Sequence[CellRecord], label_set: str, protocol: Protocol, run_scores: RunScores
) -> Alarms:
    """Return what one seed finds; where each scene has its own model, each with its own
    threshold.
    """
    found = []
    for cell in cells:
        threshold = threshold_of(
            [scores.values for scores in run.train_scores(cell).values() if len(scores.values)],
            protocol,
        )
        found.append(alarms(run_scores.clips([cell], label_set, protocol), threshold, protocol))
    return Alarms(
        sum(one.events for one in found),
        tuple(delay for one in found for delay in one.delays),
        sum(one.false_alarms for one in found),
        sum(one.normal_frames for one in found),
        sum(one.false_frames for one in found),
        sum(one.on_already for one in found),
        sum(one.alarms for one in found),
        tuple(map(sum, zip(*(one.matched for one in found)))),
    )


def _row(
    found: Sequence[Alarms], record: DatasetRecord, footnotes: Footnotes, promises: bool = True
) -> list[TableCell]:
    """Return the cells of a row; over several seeds: means, and the median of all delays.

    Parameters
    ----------
    promises : whether the threshold is set on training scores, and so promises something.
    """
    delays = [delay for one in found for delay in one.delays]
    on_already = statistics.fmean(one.on_already for one in found)
    early = (
        f"when {on_already:.3g} of these events began, an alarm went on already: they are "
        "found without a delay"
    )
    events = TableCell(
        statistics.fmean(len(one.delays) for one in found),
        "{:.3g} of {}",
        (found[0].events,),
        notes=(footnotes.letter(early),) if on_already else (),
    )
    nothing = footnotes.mark(DASH, "no event is found") if not delays else None
    median = statistics.median(delays) if delays else 0.0
    rate = record.frame_rate
    if rate:
        hours = statistics.fmean(one.normal_frames for one in found) / rate / 3600
        false = statistics.fmean(one.false_alarms for one in found)
        seconds = nothing or TableCell(median / rate, "{:.1f}")
        hourly = (
            TableCell(false / hours, "{:.1f}")
            if hours
            else footnotes.mark(DASH, "no normal frame has a score")
        )
    else:
        why = "the frame rate of the dataset is not known in this run"
        seconds = hourly = footnotes.mark(DASH, why)
    frames = nothing or TableCell(median, "{:g}")
    return [events, frames, seconds, hourly, *_false_time(found, footnotes, promises), *_f1(found)]


def _f1(found: Sequence[Alarms]) -> list[TableCell]:
    """Return the mean over seeds of F1 at each overlap."""
    of_overlaps = zip(*(one.f1 for one in found))
    known = [[value for value in values if value is not None] for values in of_overlaps]
    return [TableCell(statistics.fmean(values)) if values else NOTHING for values in known]


def _false_time(found: Sequence[Alarms], footnotes: Footnotes, promises: bool) -> list[TableCell]:
    """Return minutes of false alarm in an hour of normal video, and the share of normal frames
    above, marked where more was promised.
    """
    frames = sum(one.normal_frames for one in found)
    if not frames:
        return [footnotes.mark(DASH, "no normal frame has a score")] * 2
    above = sum(one.false_frames for one in found)
    notes: tuple[str, ...] = ()
    if promises and more_than_promised(above, frames, 1 - QUANTILE):
        promised = (
            f"the threshold did not hold: it promises at most {100 * (1 - QUANTILE):.3g} "
            "% of normal frames above it"
        )
        notes = (footnotes.letter(promised),)
    return [TableCell(60 * above / frames), TableCell(100 * above / frames, notes=notes)]


def _caption(cells: Sequence[CellRecord], label_set: str, protocol: Protocol) -> str:
    smoothing = (
        sentence(protocol).split(";")[0].split(", then min-max")[0]
        if protocol.smooth != "none"
        else "scores as they are"
    )
    return (
        f"What an operator gets on {plain(cells[0].dataset_display_name)}, labels {label_set}: the threshold is the "
        f"{QUANTILE:g} quantile of the scores of the "
        "training frames, which the method was trained on; the score of a new normal frame tends "
        "to be higher. "
        f"Training and test scores: {smoothing}; not normalised. An event is a run of anomalous "
        "frames, an alarm a run of frames above the "
        "threshold, split where an event begins or ends; each part on normal frames is a false "
        "alarm. Median delay of the events found, from "
        "their first frames; false alarms, and minutes of false alarm, in an hour of normal "
        "video; the share of normal frames above the "
        "threshold. F1 of events: an alarm, whole, is an event where both overlap in time by at "
        "least 0.2, 0.5 or 0.8 (intersection over union), each at most once. "
        f"Profile: {listed(cell.profile for cell in cells)}."
    )


def _notes(record: DatasetRecord, label_set: str) -> list[str]:
    normal = sum(int((record.labels[label_set][clip] == 0).sum()) for clip, _, _ in record.clips)
    if not record.frame_rate or not normal:
        return []
    seconds = normal / record.frame_rate
    length = f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.1f} minutes"
    return [
        f"{record.frame_rate:g} frames a second: the test clips hold {length} of normal video, "
        "so one false alarm counts as "
        f"{3600 / seconds:.1f} an hour"
    ]
