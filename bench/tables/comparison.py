"""The comparison: methods down, datasets across, under one protocol and metric."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.evaluation.columns import against_best
from bench.evaluation.in_short import flag_in_short, reason_in_short, short_caption
from bench.evaluation.mixtures import mixtures_across
from bench.evaluation.run_scores import RunScores
from bench.evaluation.summaries import Summary, share_text, shown_summaries
from bench.plugins.registry import Registry
from bench.plugins.selection import select_one
from bench.runs.records import CellRecord
from bench.runs.status import Status
from bench.scoring.intervals import METRIC
from bench.scoring.metrics import choose_metric
from bench.scoring.protocols import sentence
from bench.tables.comparison_notes import comparison_notes
from bench.tables.forms.text import to_terminal
from bench.tables.table import (
    DASH,
    MARKS,
    PUBLISHED,
    TRIVIAL,
    Footnotes,
    Row,
    Table,
    TableCell,
    cell_of,
    one_line,
    percent,
    ranks_of,
)
from bench.wording import listed

TIED = (
    "not significantly different from the best of its column"
    " (paired test over clips, p >= 0.05, uncorrected)"
)


def compare(run_scores: RunScores, protocol: Protocol, metric: Metric) -> Table:
    """Return the comparison of a run under one protocol and metric, made once."""
    key = "comparison", protocol, metric.name
    if key not in run_scores.memo:
        run_scores.memo[key] = _compare(run_scores, protocol, metric)
    made: Table = run_scores.memo[key]
    return made


def _compare(run_scores: RunScores, protocol: Protocol, metric: Metric) -> Table:
    summaries = shown_summaries(run_scores, protocol, metric)
    columns = list(dict.fromkeys(summary.dataset for summary in summaries))
    notes = []
    if protocol.normalise == "clip" and any(
        summary.cell.method == "frame-index" for summary in summaries
    ):
        kept = [summary for summary in summaries if summary.cell.method != "clip-position"]
        if len(kept) < len(summaries):
            notes.append(
                "Clip position is left out: after min-max in each clip it is the frame index"
            )
        summaries = kept
    found = {(summary.row, summary.dataset): summary for summary in summaries}
    ranks = _ranks(summaries, metric)
    contenders = {
        column: [one for one in summaries if one.dataset == column and one.cell.family != TRIVIAL]
        for column in columns
    }
    tied = {
        (row, column)
        for column in columns
        for row, found_difference in against_best(
            run_scores, contenders[column], contenders[column], metric
        ).items()
        if found_difference.p is not None and not found_difference.distinguishable
    }
    said = said_in_caption(summaries)
    across = differences_across(summaries)
    footnotes = Footnotes()
    brief: dict[str, str] = {}
    rows: dict[str, Row] = {}
    for family in dict.fromkeys(summary.cell.family for summary in summaries):
        for summary in summaries:
            if summary.cell.family == family and summary.row not in rows:
                of_row = [found.get((summary.row, column)) for column in columns]
                cells = tuple(
                    _compared(
                        cell_of_summary(one, said, across[summary.row], footnotes, brief),
                        one,
                        ranks,
                        tied,
                    )
                    for one in of_row
                )
                rows[summary.row] = Row(
                    summary.row, family, summary.cell.year, cells, _citation(summary)
                )
    caption = caption_of(summaries, metric, f"Protocol {protocol.name}: {sentence(protocol)}", said)
    notes += comparison_notes(run_scores, summaries, protocol, metric)
    return Table(
        columns,
        list(rows.values()),
        caption,
        footnotes.listed(),
        notes,
        TIED if tied else "",
        run_scores.names,
        short_caption(summaries, metric, sentence(protocol)),
        brief,
    )


def comparison_text(
    run_scores: RunScores, registry: Registry, protocol: str, metric: str = "auc", path: str = ""
) -> str:
    """Return the comparison as text for a terminal, as wide as that is; `path` is the file with all
    notes.

    Raises
    ------
    RequestError : no such protocol or metric.
    """
    chosen = select_one("protocols", protocol, registry).parameters
    table = compare(run_scores, chosen, choose_metric(metric, registry))
    return to_terminal(table, path).rstrip("\n")


def differences_across(summaries: Sequence[Summary]) -> dict[str, str]:
    """Return for each row how the cells of its columns differ; empty where they do not."""
    return {name: mixtures_across(cells) for name, cells in _cells_of_rows(summaries).items()}


def _cells_of_rows(summaries: Sequence[Summary]) -> dict[str, list[CellRecord]]:
    """Return the cells that give the numbers of each row."""
    found: dict[str, list[CellRecord]] = {}
    for summary in summaries:
        cells = (
            [member for one in summary.measurements for member in one.members]
            if summary.mean is not None
            else []
        )
        found.setdefault(summary.row, []).extend(cells)
    return found


def _citation(summary: Summary) -> str:
    """Return the key where the cell has the entry and the key is one that LaTeX takes as it is."""
    cell = summary.cell
    return (
        cell.citation
        if cell.bibtex and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9:.+-]*", cell.citation)
        else ""
    )


def _ranks(summaries: Sequence[Summary], metric: Metric) -> dict[tuple[str, str], int]:
    """Return 1 and 2 for the best and the second of each column; what prints alike is alike;
    trivial rows take no part.
    """
    ranks: dict[tuple[str, str], int] = {}
    for column in {summary.dataset for summary in summaries}:
        values = {
            summary.row: 100 * summary.mean
            for summary in summaries
            if summary.dataset == column
            and summary.mean is not None
            and summary.cell.family != TRIVIAL
        }
        found = ranks_of(values, metric.higher_is_better)
        ranks |= {(row, column): rank for row, rank in found.items()}
    return ranks


def said_in_caption(summaries: Sequence[Summary]) -> set[str]:
    """Return the flags that are no footnotes: seeds and profile where all rows share them, and the
    share of data, which is a note.
    """
    sets = [
        set(summary.flags())
        for summary in summaries
        if summary.mean is not None and summary.cell.uses_seed
    ]
    shared = set.intersection(*sets) if sets else set()
    shares = {f"{share_text(summary.cell.data_share)} of the data" for summary in summaries}
    return {
        flag for flag in shared if flag == "single seed" or flag.startswith("profile ")
    } | shares


def cell_of_summary(
    summary: Summary | None,
    shared: set[str],
    across: str,
    footnotes: Footnotes,
    brief: dict[str, str],
) -> TableCell:
    """Return the number of a row, or why there is none, with all footnotes, which are added to
    `footnotes` and `brief`.

    Parameters
    ----------
    shared : flags that the caption says of all rows.
    across : how the columns of the row differ (`differences_across`).
    """
    if summary is None:
        return footnotes.mark(DASH, "not part of this run")
    if summary.mean is None:
        # What failed says more than what is still to come, and both more than a number that does
        # not exist.
        one = min(summary.missing, key=lambda one: [*MARKS, one.cell.status].index(one.cell.status))
        reason = one.result.reason
        if one.cell.status == Status.PUBLISHED_ONLY:
            published = one.cell.published
            text = (
                f"published ({published['source']}), not measured here: {reason}"
                if published
                else f"nothing is published; {reason}"
            )
            brief[one_line(text)] = PUBLISHED if published else "not measured"
            number = published.get("auc", DASH) if summary.metric == METRIC else DASH
            return footnotes.mark(number, text)
        if one.cell.status in MARKS and len(summary.measurements) > 1:
            reason = f"seed {one.cell.seed}: {reason}"
        brief[one_line(reason)] = reason_in_short(one.cell)
        return footnotes.mark(MARKS.get(one.cell.status, DASH), reason)
    brief |= {one_line(flag): short for flag in summary.flags() if (short := flag_in_short(flag))}
    return cell_of(
        summary,
        notes=tuple(
            footnotes.letter(flag)
            for flag in [*summary.flags(), across]
            if flag and flag not in shared
        ),
    )


def _compared(
    cell: TableCell,
    summary: Summary | None,
    ranks: dict[tuple[str, str], int],
    tied: set[tuple[str, str]],
) -> TableCell:
    """Return a cell with its rank, its tie and its interval, where it has a number."""
    if summary is None or summary.mean is None:
        return cell
    low, high = summary.ends or (None, None)
    return replace(
        cell,
        rank=ranks.get((summary.row, summary.dataset), 0),
        tied=(summary.row, summary.dataset) in tied,
        low=None if low is None else 100 * low,
        high=None if high is None else 100 * high,
    )


def _devices(cells: Sequence[CellRecord]) -> str:
    """Return where cells were computed; on a CPU with their threads too: sums are split over them,
    so last digits depend on their number.
    """
    done = [cell for cell in cells if cell.status == Status.DONE]
    found = []
    for device in dict.fromkeys(cell.hardware for cell in done or cells):
        threads = sorted({cell.threads for cell in done if cell.hardware == device == "cpu"})
        found.append(
            device
            + (
                f" of {' and '.join(map(str, threads))} thread{'s' * (threads[-1] > 1)}"
                if threads
                else ""
            )
        )
    return listed(found)


def caption_of(summaries: Sequence[Summary], metric: Metric, protocol: str, said: set[str]) -> str:
    """Return what was measured and how, in sentences; `protocol` is that about the protocol."""
    cells = [summary.cell for summary in summaries]
    better = "higher" if metric.higher_is_better else "lower"
    parts = [
        f"{metric.title} in percent, {better} is better",
        protocol,
    ]
    if sets := listed(
        f"{summary.label_set} ({summary.dataset_name})"
        for summary in summaries
        if summary.label_set
    ):
        parts.append(f"Labels: {sets}")
    # Where a file of boxes lies is no fact about the numbers; its name is.
    if detectors := listed(re.sub(r"(\w+=)[^\[\],]*/", r"\1", cell.detector) for cell in cells):
        parts.append(f"Detector: {detectors}")
    if profiles := listed(cell.profile for cell in cells):
        parts.append(f"Profile: {profiles}")
    if seeds := sorted(
        {
            one.cell.seed
            for summary in summaries
            for one in summary.measurements
            if one.cell.uses_seed
        }
    ):
        single = ", a single seed: no spread is known" if "single seed" in said else ""
        parts.append(f"Seed{'s' * (len(seeds) > 1)}: {', '.join(map(str, seeds))}{single}")
    parts.append(
        f"Device: {_devices([one.cell for summary in summaries for one in summary.measurements])}"
    )
    if metric.name == "ap":
        chances = [
            (summary.dataset_name, summary.measurements[0].result.chance) for summary in summaries
        ]
        if chances_shown := listed(
            f"{percent(chance)} ({dataset})" for dataset, chance in chances if chance is not None
        ):
            parts.append(
                f"Chance (the share of anomalous frames among those scored): {chances_shown}"
            )
    return " ".join(part + "." for part in parts)
