"""The notes of the comparison: what a reader must know of each of its columns."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.evaluation.columns import MOST, against_best, best_of, ranking
from bench.evaluation.pairs import too_few
from bench.evaluation.run_scores import RunScores
from bench.evaluation.summaries import Summary, least_shares, share_text, summaries_of
from bench.runs.records import DatasetRecord
from bench.scoring.evaluate import evaluate, turned_round
from bench.scoring.intervals import METRIC
from bench.tables.secondary.rank_table import resolution
from bench.tables.table import TRIVIAL, percent
from bench.wording import counted, listed

LAST_EPOCH = (
    "networks that were trained here are scored after their last epoch; none is selected on test "
    "clips"
)


def comparison_notes(
    run_scores: RunScores, summaries: Sequence[Summary], protocol: Protocol, metric: Metric
) -> list[str]:
    """Return what a reader must know of each column."""
    notes = []
    shared: list[Summary] = []
    everyone: dict[str, list[str]] = {}
    if protocol.frames == "own":
        shared = summaries_of(run_scores, replace(protocol, frames="common"), metric)
    for column in dict.fromkeys(summary.dataset for summary in summaries):
        of_column = [summary for summary in summaries if summary.dataset == column]
        own = [summary for summary in of_column if summary.mean is not None]
        column = of_column[0].dataset_name
        for share in least_shares(of_column).values():
            notes.append(
                f"{column}: {share_text(share)} of the data is there; the numbers are not those "
                "of the whole dataset"
            )
        if not own:
            continue
        record = run_scores.dataset(own[0].cell)
        assert record is not None, "a number without its dataset"
        if record.lengths_from == "labels":
            notes.append(
                f"{column}: no frames are there; the lengths of the clips come from the labels"
            )
        if protocol.labels not in ("default", *record.label_sets):
            notes.append(
                f"{column}: has no label set {protocol.labels!r}; {own[0].label_set} is used"
            )
        if record.has_scenes:
            notes.append(f"{column}: the number of each scene is in results.csv")
        beaten = [
            f"{summary.name} ({percent(summary.mean)}, index {percent(index)})"
            for summary in own
            if summary.cell.family != TRIVIAL
            and summary.mean is not None
            and (index := _frame_index(run_scores, summary, protocol, metric)) is not None
            and (summary.mean <= index if metric.higher_is_better else summary.mean >= index)
        ]
        notes += _few_clips_notes(run_scores, record, own, metric)
        notes += _untested_notes(run_scores, own, metric)
        notes += _ranking_notes(run_scores, own, metric)
        notes += filter(None, (_upside_down_note(summary, metric) for summary in own))
        if beaten:
            notes.append(
                f"{column}: no better than the frame index on the same frames: {', '.join(beaten)}"
            )
        if protocol.frames == "common":
            common = run_scores.common_frames(own[0].cell.dataset_folder)
            everyone.setdefault(listed(map(run_scores.names.row, common.rows)), []).append(
                f"{common.number} ({column})"
            )
            if common.short:
                notes.append(
                    f"{column}: these scored less than half of the frames and are given on fewer "
                    f"still: {listed(map(run_scores.names.row, common.short))}"
                )
        notes += _order_notes(run_scores, own, shared, metric)
    if any(one.mean is not None and "epochs" in one.cell.parameters for one in summaries):
        notes.append(LAST_EPOCH)
    return notes + [
        f"frames that all of these rows scored: {', '.join(numbers)}; rows: {rows}"
        for rows, numbers in everyone.items()
    ]


def _few_clips_notes(
    run_scores: RunScores, record: DatasetRecord, own: Sequence[Summary], metric: Metric
) -> list[str]:
    """Say where there are too few clips to carry a ranking, and which trivial methods the best
    cannot be told from.
    """
    column = own[0].dataset_name
    warning = too_few(record, own[0].label_set)
    best = best_of([summary for summary in own if summary.cell.family != TRIVIAL], metric)
    ends = None if best is None else best.ends
    reach = (
        f"; the best, {best.name}, lies between {percent(ends[0])} and {percent(ends[1])} (95 % "
        "over clips)"
        if best is not None and ends
        else ""
    )
    notes = [f"{column}: {warning}{reach}"] if warning else []
    trivial = [summary for summary in own if summary.cell.family == TRIVIAL]
    names = {summary.row: summary.name for summary in trivial}
    if best is not None and (
        alike := [
            names[row]
            for row, found in against_best(run_scores, [best], trivial, metric).items()
            if found.p is not None and not found.distinguishable
        ]
    ):
        notes.append(
            f"{column}: the best, {best.name}, is not significantly different from the trivial "
            f"{', '.join(alike)}"
        )
    return notes


def _untested_notes(run_scores: RunScores, own: Sequence[Summary], metric: Metric) -> list[str]:
    """Say which rows have no test against the best of a column, and why: they lack the mark of a
    tie for another reason than a significant difference.
    """
    contenders = [summary for summary in own if summary.cell.family != TRIVIAL]
    best = best_of(contenders, metric)
    if best is None or metric.name != METRIC:
        return []
    tested = against_best(run_scores, contenders, contenders, metric)
    why: dict[str, list[str]] = {}
    for summary in contenders:
        found = tested.get(summary.row)
        if summary.mean is None or summary.row == best.row:
            continue
        if found is None or found.p is None:
            reason = "there is no AUC on the frames that both scored"
            why.setdefault(reason if found is None else found.reason, []).append(summary.name)
    others = sum(summary.mean is not None for summary in contenders) - 1
    return [
        f"{best.dataset_name}: no test against the best, {best.name}, "
        f"of {'any row' if len(names) == others > 1 else ', '.join(names)}: {reason}"
        for reason, names in why.items()
    ]


def _ranking_notes(run_scores: RunScores, own: Sequence[Summary], metric: Metric) -> list[str]:
    """Say what the clips resolve of the order of a column, and which differences from the best a
    correction for the number of tests does not leave.
    """
    contenders = [summary for summary in own if summary.cell.family != TRIVIAL]
    found = ranking(run_scores, contenders, metric)
    if found is None:
        many = metric.name == METRIC and len(contenders) > MOST
        return [
            f"{own[0].dataset_name}: the order of its {len(contenders)} rows is not tested: at most "
            f"{MOST} are"
        ] * many
    best, *others = found.ranks
    lost = [
        row
        for row in others
        if (test := found.tests.get((best, row))) is not None
        and test.distinguishable
        and not found.separated(best, row)
    ]
    said = (
        f"; without ~, and not separated from the best: {', '.join(map(run_scores.names.row, lost))}"
        if lost
        else ""
    )
    return [resolution(own[0].dataset_name, found) + said]


def _upside_down_note(summary: Summary, metric: Metric) -> str:
    """Say that the scores of a row seem to be upside down, and what turns them round; empty where
    they do not.

    Trivial rows are what they are, and where the interval over clips holds one half the test set is
    too small to tell.
    """
    found = summary.interval
    if summary.cell.family == TRIVIAL or (
        found is not None and found.high is not None and found.high >= 0.5
    ):
        return ""
    others = [
        turned_round(one.result.value, one.clips, one.protocol, metric)
        for one in summary.measurements
    ]
    known = [other for other in others if other is not None]
    if summary.mean is None or len(known) < len(others):
        return ""
    parameter = "higher_is"
    now = summary.cell.parameters.get(parameter)
    if now in ("anomalous", "normal"):
        advice = (
            f"set {parameter}={'normal' if now == 'anomalous' else 'anomalous'} if the file "
            "means it so"
        )
    else:
        advice = (
            "a method must give more anomalous frames higher scores, so one that measures "
            "normality returns its negative"
        )
    return (
        f"{summary.dataset_name}: {summary.name} is probably upside down: normal frames score higher "
        f"({percent(summary.mean)}), and turned round "
        f"the scores have {percent(sum(known) / len(known))}; {advice}"
    )


def _frame_index(
    run_scores: RunScores, summary: Summary, protocol: Protocol, metric: Metric
) -> float | None:
    """Return what the index of each frame gets on the frames that a method scored."""
    members = run_scores.cells_of(summary.row, summary.dataset, summary.cell.seed)
    clips = run_scores.clips(members, summary.label_set, protocol)
    # Most rows scored the same frames, and then these are one object.
    frames = tuple((clip.id, id(clip.frames)) for clip in clips)
    key = "frame index", summary.dataset, summary.label_set, protocol, metric.name, frames
    if protocol.frames == "common" or key not in run_scores.memo:
        run_scores.memo[key] = evaluate(
            [replace(clip, scores=clip.frames.astype(np.float64)) for clip in clips],
            protocol,
            metric,
        ).value
    found: float | None = run_scores.memo[key]
    return found


def _order_notes(
    run_scores: RunScores, own: Sequence[Summary], shared: Sequence[Summary], metric: Metric
) -> list[str]:
    """Say which neighbours of the ranking change places when only the frames count that every row
    scored.
    """
    common = run_scores.common_frames(own[0].cell.dataset_folder)
    on_common = {
        summary.row: summary.mean
        for summary in shared
        if (summary.dataset, summary.label_set) == (own[0].dataset, own[0].label_set)
        and summary.row in common.rows
    }
    values = [
        (summary.mean, on_common[summary.row], summary.name)
        for summary in own
        if summary.cell.family != TRIVIAL
        and summary.mean is not None
        and on_common.get(summary.row) is not None
    ]
    sign = -1 if metric.higher_is_better else 1
    values.sort(key=lambda value: sign * value[0])
    changes = []
    for (own_first, common_first, first), (own_second, common_second, second) in itertools.pairwise(
        values
    ):
        assert common_first is not None
        assert common_second is not None
        if own_first != own_second and sign * common_first > sign * common_second:
            changes.append(
                f"{second} ({percent(common_second)}) before {first} ({percent(common_first)})"
            )
    if not changes:
        return []
    return [
        f"{own[0].dataset_name}: on the {counted(common.number, 'frame')} that all rows scored the "
        f"order changes: {'; '.join(changes)}"
    ]
