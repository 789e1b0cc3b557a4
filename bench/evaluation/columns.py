"""The rows of one column of a table set against one another: the best against the others, and what
the order of all of them is worth.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.evaluation.run_scores import RunScores
from bench.evaluation.summaries import Summary, shown_summaries
from bench.scoring.intervals import METRIC, Column, Difference
from bench.scoring.power import detectable
from bench.scoring.ranks import Ranking, rank

MOST = 60
"""Rows of a column that are ranked, since their pairs grow with the square. Chosen here: 1770
pairs take seconds."""


def best_of(summaries: Sequence[Summary], metric: Metric) -> Summary | None:
    """Return the row with the best mean, the first of equals; None where no row has one."""
    found = in_order(summaries, metric)
    return found[0] if found else None


def in_order(summaries: Sequence[Summary], metric: Metric) -> list[Summary]:
    """Return the rows that have a mean, the best first; equals in the order they came in."""
    sign = -1 if metric.higher_is_better else 1
    having = [
        (sign * one.mean, number, one)
        for number, one in enumerate(summaries)
        if one.mean is not None
    ]
    return [one for _, _, one in sorted(having, key=lambda entry: entry[:2])]


def column_of(
    run_scores: RunScores, dataset: str, protocol: Protocol, metric: Metric
) -> Column | None:
    """Return the rows of a dataset that have a number, in the order of the table; None for metrics
    but `auc`.
    """
    if metric.name != METRIC:
        return None
    key = "column", dataset, protocol
    if key not in run_scores.memo:
        run_scores.memo[key] = Column(
            {
                summary.row: summary.clip_auc
                for summary in shown_summaries(run_scores, protocol, metric)
                if summary.dataset == dataset and summary.mean is not None
            }
        )
    made: Column = run_scores.memo[key]
    return made


def against_best(
    run_scores: RunScores, contenders: Sequence[Summary], rows: Sequence[Summary], metric: Metric
) -> dict[str, Difference]:
    """Return row -> how the best contender differs from each other row of one dataset; no row
    where there is no test.

    The best is chosen by the very numbers that are then tested, and nothing is corrected for the
    number of rows; `ranking` is (docs/statistics.md).
    """
    best = best_of(contenders, metric)
    if best is None:
        return {}
    column = column_of(run_scores, best.dataset, best.measurements[0].protocol, metric)
    if column is None:
        return {}
    found = {
        summary.row: column.difference(best.row, summary.row)
        for summary in rows
        if summary.row != best.row and summary.mean is not None
    }
    return {label: one for label, one in found.items() if one is not None}


def ranking(run_scores: RunScores, contenders: Sequence[Summary], metric: Metric) -> Ranking | None:
    """Return what the clips of a dataset resolve of the order of some of its rows; None for fewer
    than two of them or more than `MOST`, and for metrics but `auc`.
    """
    rows = in_order(contenders, metric)
    if not 2 <= len(rows) <= MOST:
        return None
    protocol = rows[0].measurements[0].protocol
    column = column_of(run_scores, rows[0].dataset, protocol, metric)
    if column is None:
        return None
    key = "ranking", rows[0].dataset, protocol, tuple(one.row for one in rows)
    if key not in run_scores.memo:
        run_scores.memo[key] = rank(column, key[-1])
    made: Ranking = run_scores.memo[key]
    return made


def detectable_difference(found: Ranking) -> float | None:
    """Return the true difference of AUCs (a fraction) that the clips show in 80 of 100 cases: the
    median over the pairs of a ranking; None where no pair has a test.
    """
    known = [one for one in map(detectable, found.tests.values()) if one is not None]
    return statistics.median(known) if known else None
