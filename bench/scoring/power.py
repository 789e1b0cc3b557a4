"""What a paired test can find: the smallest difference, and how many clips another one takes.

Both follow from the noncentral t distribution, with the spread that the test itself has: over
clips, which falls with their number, and over seeds, which does not.
"""

from __future__ import annotations

from scipy.special import expit, logit, nctdtr, nctdtrinc

from bench.scoring.intervals import LIMIT, Difference, Spread, quantile

POWER = 0.8
"""Of 100 test sets, those in which the test has to find the difference: the convention (Cohen
1988)."""
MOST = 100_000
"""Clips that are still counted."""


def detectable(found: Difference) -> float | None:
    """Return the true difference of AUCs (a fraction) that the test of a pair finds with `POWER`,
    around the middle of the two; None where there is no test, or both have the same scores.
    """
    spread = found.spread
    if spread is None or spread.variance == 0:
        return None
    apart = float(nctdtrinc(spread.degrees, 1 - POWER, quantile(spread.degrees)))
    apart *= spread.variance**0.5
    middle = (logit(found.first) + logit(found.second)) / 2
    return float(expit(middle + apart / 2) - expit(middle - apart / 2))


def clips_needed(found: Difference) -> int | None:
    """Return with how many clips like these the test of a pair would find the measured difference
    with `POWER`; None where `MOST` clips would not do, or there is no test.
    """
    if found.over_clips is None:
        return None
    apart = abs(float(logit(found.first) - logit(found.second)))

    def enough(clips: int) -> bool:
        spread = found.spread_with(clips / found.clips)
        assert spread is not None, "a test without a spread"
        return _power(apart, spread) >= POWER

    low, high = 1, 2
    while not enough(high):
        low, high = high, 2 * high
        if low >= MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high if high <= MOST else None


def _power(apart: float, spread: Spread) -> float:
    """Return the chance that the test finds a true difference of logits."""
    if spread.degrees <= 0:
        return 0.0
    if spread.variance < LIMIT**2:
        return float(apart > 0)
    return 1 - float(nctdtr(spread.degrees, apart / spread.variance**0.5, quantile(spread.degrees)))
