"""The table of intervals: what the clips say of each number, and of its distance to the best."""

from __future__ import annotations

from collections.abc import Sequence

from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.evaluation.columns import against_best, best_of
from bench.evaluation.pairs import too_few
from bench.evaluation.run_scores import RunScores
from bench.evaluation.summaries import Summary, shown_summaries
from bench.scoring.intervals import METRIC, Difference
from bench.scoring.protocols import sentence
from bench.scoring.resampling import RESAMPLES
from bench.tables.table import (
    DASH,
    NOTHING,
    TRIVIAL,
    Footnotes,
    Row,
    Table,
    TableCell,
    cell_of,
    p_cell,
)

COLUMNS = ["AUC", "95 %", "to best", "95 % of it", "p"]


def interval_tables(run_scores: RunScores, protocol: Protocol, metric: Metric) -> list[Table]:
    """Return one table a dataset: each AUC with its interval over clips, and how far the best is
    ahead, on common frames of the two.
    """
    if metric.name != METRIC:
        return []
    summaries = [
        summary
        for summary in shown_summaries(run_scores, protocol, metric)
        if summary.mean is not None
    ]
    return [
        _table(
            [summary for summary in summaries if summary.dataset == column],
            protocol,
            metric,
            run_scores,
        )
        for column in dict.fromkeys(summary.dataset for summary in summaries)
    ]


def _table(
    summaries: Sequence[Summary], protocol: Protocol, metric: Metric, run_scores: RunScores
) -> Table:
    contenders = [summary for summary in summaries if summary.cell.family != TRIVIAL]
    best = best_of(contenders, metric)
    differences = against_best(run_scores, contenders, summaries, metric)
    footnotes = Footnotes()
    rows = []
    for summary in summaries:
        to_best = [TableCell(mark="best"), NOTHING, NOTHING]
        if summary is not best:
            to_best = _to_best(differences.get(summary.row), footnotes)
        cells = (cell_of(summary), _interval(summary, footnotes), *to_best)
        rows.append(Row(summary.row, summary.cell.family, summary.cell.year, cells))
    first = summaries[0]
    record = run_scores.dataset(first.cell)
    warning = "" if record is None else too_few(record, first.label_set)
    ahead = (
        f" To best: {best.name} less the row, in points, on the frames that both scored, with the "
        "spread over the seeds of rows that have several; p of the paired test over clips, each "
        "pair by itself (corrected: table of ranks)."
        if best is not None and differences
        else ""
    )
    caption = (
        f"Intervals on {first.dataset_name}, labels {first.label_set}: frame-level AUC in percent, "
        "and its 95 % interval over clips: what other "
        f"clips of the same kind would give ({RESAMPLES} resamples of the clips, standard error "
        "on the logit scale, t of K - 1 degrees "
        f"of freedom), without the spread over seeds.{ahead} Protocol {protocol.name}: "
        f"{sentence(protocol)}."
    )
    return Table(
        COLUMNS,
        rows,
        caption,
        footnotes.listed(),
        [f"{first.dataset_name}: {warning}"] if warning else [],
        names=run_scores.names,
    )


def _interval(summary: Summary, footnotes: Footnotes) -> TableCell:
    found, ends = summary.interval, summary.ends
    if ends is None:
        return NOTHING if found is None else footnotes.mark(DASH, found.reason)
    redrawn = found.redrawn if found is not None else 0
    notes = (footnotes.letter(f"{redrawn} resamples of one class were redrawn"),) if redrawn else ()
    return TableCell(100 * ends[0], "{:.2f} to {:.2f}", (100 * ends[1],), notes=notes)


def _to_best(found: Difference | None, footnotes: Footnotes) -> list[TableCell]:
    if found is None:
        return [NOTHING] * 3
    ahead = TableCell(100 * found.value, "{:+.2f}")
    if found.p is None or found.low is None or found.high is None:
        return [ahead, footnotes.mark(DASH, found.reason), NOTHING]
    return [
        ahead,
        TableCell(100 * found.low, "{:+.2f} to {:+.2f}", (100 * found.high,)),
        p_cell(found.p),
    ]
