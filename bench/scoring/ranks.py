"""What a ranking resolves: where the rank of a row may lie, how often a row is first, and which
rows the clips cannot order.

All of it follows from the paired tests of `intervals`, on the frames that both rows of a pair
scored. Two questions have two corrections for the number of comparisons:

- The interval of a row's rank holds all ranks that its tests against all other rows allow (Mogstad,
  Romano, Shaikh & Wilhelm 2024, "Inference for Ranks"). The level of these tests is that of the
  smallest p-value among them (Westfall & Young 1993), found in the resamples, so that the interval
  holds the rank of its row in 95 of 100 test sets.
- Two rows are separated where their p-value, adjusted after Benjamini & Hochberg (1995) among all
  pairs of the column, is below 0.05: of the pairs that are separated, 5 % are expected to be false.
  All pairs count, and not those with the best alone, because which row is the best depends on the
  same numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from bench.scoring import resampling
from bench.scoring.intervals import LEVEL, Column, Difference, logit_of, seeds_spread
from bench.scoring.resampling import SEED, resample_together


@dataclass(frozen=True)
class Rank:
    """What is known of the place of a row in its column."""

    low: int
    high: int
    """The ends of the 95 % interval of its rank; 1 is the best."""
    first: float | None
    """The share of resamples in which the row is first, ties shared; None where nothing could be
    resampled."""
    groups: str
    """Letters; rows that have one in common are not separated."""


@dataclass(frozen=True)
class Ranking:
    """What the clips of a dataset resolve of the order of a column."""

    ranks: Mapping[str, Rank]
    """By row, the best first."""
    tests: Mapping[tuple[str, str], Difference]
    """Of each pair of rows that has a test, the better one of the column first."""
    adjusted: Mapping[tuple[str, str], float]
    """The p-values of these tests after Benjamini and Hochberg."""

    def separated(self, better: str, worse: str) -> bool:
        """Whether two rows are separated, all pairs of the column considered."""
        return self.adjusted.get((better, worse), 1.0) < 1 - LEVEL

    @property
    def neighbours(self) -> list[tuple[str, str]]:
        """The pairs of rows that follow one another."""
        return list(itertools.pairwise(self.ranks))


def rank(column: Column, rows: Sequence[str]) -> Ranking:
    """Return what the clips resolve of the order of some rows of a column.

    Parameters
    ----------
    rows : that have an AUC, the best first.
    """
    noise = np.random.RandomState(SEED + 1).randn(len(rows), resampling.RESAMPLES)
    of_row = dict(zip(rows, noise))
    pairs = list(itertools.combinations(rows, 2))
    found = {pair: column.difference(*pair) for pair in pairs}
    tests = {pair: one for pair, one in found.items() if one is not None and one.p is not None}
    adjusted = _adjusted({pair: one.p for pair, one in tests.items() if one.p is not None})
    smallest = _smallest(column, rows, tests, of_row)
    groups = letters(rows, [pair for pair in pairs if adjusted.get(pair, 1.0) < 1 - LEVEL])
    first = _first(column, rows, of_row)
    ranks = {}
    for row in rows:
        better, worse = 0, 0
        for pair, one in tests.items():
            if row in pair and one.p is not None and one.p < smallest[row]:
                ahead = one.value > 0 if row == pair[0] else one.value < 0
                better, worse = better + (not ahead), worse + ahead
        ranks[row] = Rank(1 + better, len(rows) - worse, first.get(row), groups[row])
    return Ranking(ranks, tests, adjusted)


def _adjusted(p_values: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """Return p-values adjusted after Benjamini and Hochberg: as `scipy.stats.false_discovery_control`
    does, whose import takes longer than a table.
    """
    values = np.array(list(p_values.values()))
    order = np.argsort(values)
    raised = values[order] * (len(values) / np.arange(1, len(values) + 1))
    values[order] = np.minimum.accumulate(raised[::-1])[::-1].clip(max=1.0)
    return dict(zip(p_values, values.tolist()))


def _smallest(
    column: Column,
    rows: Sequence[str],
    tests: Mapping[tuple[str, str], Difference],
    noise: Mapping[str, np.ndarray],
) -> dict[str, float]:
    """Return for each row the p-value that the smallest of its tests falls below in 5 of 100 test
    sets where it differs from no other row.

    Every resample tells how far each difference strays from its mean. To this is added how far it
    strays with the seeds of rows which have several.
    """
    least = {row: np.ones(resampling.RESAMPLES) for row in rows}
    for (first, second), one in tests.items():
        strayed, spread = column.deviations(first, second), one.spread
        if strayed is None or spread is None:
            continue
        for sign, row, seeds in zip((1, -1), (first, second), one.over_seeds):
            if seeds is not None:
                strayed = strayed + sign * noise[row] * (seeds.variance / spread.variance) ** 0.5
        p = 2 * ndtr(-np.abs(strayed))
        for row in (first, second):
            np.minimum(least[row], p, out=least[row])
    return {row: float(np.quantile(values, 1 - LEVEL)) for row, values in least.items()}


def _first(
    column: Column, rows: Sequence[str], noise: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Return how often each row is the first in the same resamples, on its own frames; empty where
    nothing can be resampled.
    """
    sides = [column.rows[row] for row in rows]
    if min(side.rarer for side in sides) < 2:
        return {}
    drawn, _, _ = resample_together(sides)
    if drawn is None:
        return {}
    values = drawn
    spreads = [seeds_spread(side) for side in sides]
    if any(spreads):
        values = logit_of(drawn)
        for number, (row, spread) in enumerate(zip(rows, spreads)):
            if spread is not None:
                values[number] += noise[row] * spread.variance**0.5
    best = values == values.max(axis=0)
    shares = (best / best.sum(axis=0)).mean(axis=1)
    return dict(zip(rows, map(float, shares)))


def letters(rows: Sequence[str], separated: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the letters of each row: rows have one in common where, and only where, they are not
    separated (the compact letter display of Piepho 2004).

    Parameters
    ----------
    rows : the best first, which has an A.
    separated : pairs of them.
    """
    groups = [frozenset(rows)]
    for pair in separated:
        split = [
            part
            for group in groups
            for part in ([group - {one} for one in pair] if group.issuperset(pair) else [group])
        ]
        kept = dict.fromkeys(split)
        groups = [group for group in kept if not any(group < other for other in kept)]
    place = {row: number for number, row in enumerate(rows)}
    groups.sort(key=lambda group: sorted(place[row] for row in group))
    names = [chr(65 + number % 26) * (number // 26 + 1) for number in range(len(groups))]
    return {
        row: " ".join(name for name, group in zip(names, groups) if row in group) for row in rows
    }
