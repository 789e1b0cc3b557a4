"""Intervals and paired tests over clips: what an AUC would be on other clips of the same kind.

Frames of one clip resemble their neighbours, so clips are what is drawn again, never frames. The
plain percentiles of such a bootstrap are too narrow for the dozens of clips that datasets have;
here its standard error, taken on the logit scale and widened by sqrt(K / (K - 1)), goes with
Student's t of K - 1 degrees of freedom. What that covers is measured in docs/statistics.md. Chosen
here after those simulations: K is the effective number of clips, (sum of lengths)^2 / (sum of
squared lengths) (Kish 1965, for weights), since a few long clips among short ones are fewer than
they look; and where fewer than FEW clips have frames of one of the classes, it is the number of
these.

A difference of two rows also has the spread over their seeds, where a row has several: the variance
of the mean of their logits is added, and degrees of freedom follow Welch (1947) and Satterthwaite
(1946). So it is a statement about methods, on other clips and after other trainings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, logit, stdtr, stdtrit

from bench.contracts.protocol import Protocol
from bench.scoring import resampling
from bench.scoring.evaluate import ClipScores
from bench.scoring.resampling import AUC, ONE_CLASS, SINGLE, ClipAuc, resample_together

METRIC = AUC.name
"""The metric that has an interval (`resampling`)."""
LEVEL = 0.95
LIMIT = 1e-6
"""How near to 0 or 1 a resample may come before its logit: the last digit that files keep. Chosen
here."""
SAME = 1e-12
"""Standard errors and logits up to which two rows are the same scores, or in the same order."""


@dataclass(frozen=True)
class Interval:
    """The interval over clips of an AUC, the mean over seeds; or why there is none.

    Parameters
    ----------
    value : fraction.
    low, high : the ends of the 95 % interval; None where there is none.
    clips : that take part.
    redrawn : resamples that were drawn again because their frames were of one class.
    """

    value: float
    low: float | None
    high: float | None
    clips: int
    redrawn: int
    reason: str = ""

    @property
    def method(self) -> str:
        """How it was made, or why not, in a few words."""
        if self.reason:
            return f"none: {self.reason}"
        return (
            f"clip bootstrap, t on logit scale; {self.clips} clips; {resampling.RESAMPLES} "
            f"resamples, {self.redrawn} redrawn"
        )


@dataclass(frozen=True)
class Spread:
    """A part of the variance of a difference of logits, and the degrees of freedom that it is known
    with.
    """

    variance: float
    degrees: float


@dataclass(frozen=True)
class Difference:
    """The AUCs of two methods on the frames that both scored, first less second, with interval and
    test.

    Parameters
    ----------
    low, high : the ends of the 95 % interval of the difference; p : two-sided. None where there is
        no test.
    frames, normal_frames : that both scored in every seed.
    over_clips : the spread of the difference of logits over clips; None where there is no test.
    over_seeds : that over the seeds of the first and of the second; None where there is one seed.
    """

    first: float
    second: float
    low: float | None
    high: float | None
    p: float | None
    clips: int
    frames: int
    normal_frames: int
    redrawn: int
    reason: str = ""
    over_clips: Spread | None = None
    over_seeds: tuple[Spread | None, Spread | None] = (None, None)

    @property
    def spread(self) -> Spread | None:
        """The spread of the difference of logits, over clips and seeds; None where there is no
        test.
        """
        return self.spread_with(1.0)

    def spread_with(self, times: float) -> Spread | None:
        """Return `spread` for a test set with so many times as many clips; None where there is no
        test.
        """
        if self.over_clips is None:
            return None
        clips = times * (self.over_clips.degrees + 1)
        over_clips = Spread(self.over_clips.variance / times, clips - 1)
        return joined([over_clips, *(one for one in self.over_seeds if one is not None)])

    @property
    def value(self) -> float:
        """First less second; a fraction."""
        return self.first - self.second

    @property
    def distinguishable(self) -> bool:
        """Whether the test tells the two apart."""
        return self.p is not None and self.p < 1 - LEVEL


def joined(spreads: Sequence[Spread]) -> Spread:
    """Return the spread of a sum: variances add up, and degrees of freedom follow Welch and
    Satterthwaite.
    """
    variance = sum(one.variance for one in spreads)
    shares = sum(one.variance**2 / one.degrees for one in spreads)
    return Spread(variance, variance**2 / shares if shares > 0 else spreads[0].degrees)


def interval(seeds: Sequence[Sequence[ClipScores]], protocol: Protocol) -> Interval | None:
    """Return the interval of the mean over seeds of the AUC. None where the AUC does not exist.

    Parameters
    ----------
    seeds : the clips of each seed; the same clips are drawn for all of them, so that the spread
        over seeds stays out of it.
    """
    return interval_of(ClipAuc(seeds, protocol))


def interval_of(row: ClipAuc) -> Interval | None:
    """Return the interval of a row, as `interval` does of its clips."""
    if not row.exists:
        return None
    value, reason = row.value, SINGLE if row.rarer < 2 else ""
    if not reason and not LIMIT < value < 1 - LIMIT:
        reason = "every pair of frames is ordered alike, so that no resample differs"
    if reason:
        return Interval(value, None, None, len(row.clips), 0, reason)
    drawn, clips, redrawn = resample_together([row])
    if drawn is None:
        return Interval(value, None, None, clips, redrawn, ONE_CLASS)
    error = _spread(logit_of(drawn[0]), row.counted).variance ** 0.5
    low, high = expit(logit(value) + quantile(row.counted - 1) * error * np.array([-1, 1]))
    return Interval(value, float(low), float(high), clips, redrawn)


def difference(
    first: Sequence[Sequence[ClipScores]],
    second: Sequence[Sequence[ClipScores]],
    protocol: Protocol,
) -> Difference | None:
    """Return how two methods differ on the frames that both scored. None where one of them has no
    AUC there.

    The same clips are drawn for both. The difference of their logits is set against its standard
    error, over the resamples and over the seeds of a row that has several, with Student's t; the
    ends of its interval are turned back into AUCs with the middle of both logits held, so that the
    interval holds 0 where, and only where, p is at least 0.05.

    Parameters
    ----------
    first, second : the clips of each seed of each method; seeds need not be equally many.
    """
    rows = {"first": ClipAuc(first, protocol), "second": ClipAuc(second, protocol)}
    return Column(rows).difference("first", "second")


class Column:
    """Rows on one dataset, under one protocol and label set, set against one another: what two of
    them share is computed once, however many pairs there are.
    """

    def __init__(self, rows: Mapping[str, ClipAuc]) -> None:
        self.rows = rows
        lengths: dict[str, int] = {}
        for row in rows.values():
            for clips in row.seeds:
                lengths |= {clip.id: len(clip.labels) for clip in clips}
        ends = np.cumsum([0, *lengths.values()])
        self._places = dict(zip(lengths, ends.tolist()))
        self._frames = int(ends[-1])
        self._masks: dict[str, list[np.ndarray]] = {}
        self._restricted: dict[tuple[str, bytes], ClipAuc] = {}
        self._pairs: dict[tuple[str, str], tuple[Difference | None, np.ndarray | None]] = {}

    def difference(self, first: str, second: str) -> Difference | None:
        """Return what `difference` returns of two rows."""
        return self._pair(first, second)[0]

    def deviations(self, first: str, second: str) -> np.ndarray | None:
        """Return (R,) how far the difference of logits lies from its mean in each resample, in
        standard errors of the whole difference (`over_clips` and `over_seeds`). None where there is
        no test, or nothing differs.
        """
        return self._pair(first, second)[1]

    def _pair(self, first: str, second: str) -> tuple[Difference | None, np.ndarray | None]:
        if (first, second) not in self._pairs:
            self._pairs[first, second] = self._compared(first, second)
        return self._pairs[first, second]

    def _compared(self, first: str, second: str) -> tuple[Difference | None, np.ndarray | None]:
        mask = np.logical_and.reduce([*self._mask(first), *self._mask(second)])
        sides = [self._on(first, mask), self._on(second, mask)]
        if not all(side.exists for side in sides):
            return None, None
        one, other = (side.value for side in sides)
        labels = np.concatenate([clip.labels[clip.frames] for clip in sides[0].seeds[0]])
        counts = (len(labels), int((labels == 0).sum()))
        reason = SINGLE if min(side.rarer for side in sides) < 2 else ""
        if not reason and not all(LIMIT < value < 1 - LIMIT for value in (one, other)):
            reason = "one of the two orders every pair of frames alike, so that no resample differs"
        if reason:
            clips = len(dict.fromkeys(clip for side in sides for clip in side.clips))
            return Difference(one, other, None, None, None, clips, *counts, 0, reason), None
        drawn, clips, redrawn = resample_together(sides)
        if drawn is None:
            return (
                Difference(one, other, None, None, None, clips, *counts, redrawn, ONE_CLASS),
                None,
            )
        middle, apart = (logit(one) + logit(other)) / 2, logit(one) - logit(other)
        logits = np.subtract(*map(logit_of, drawn))
        over_clips = _spread(logits, min(side.counted for side in sides))
        over_seeds = (seeds_spread(sides[0]), seeds_spread(sides[1]))
        whole = joined([over_clips, *(one for one in over_seeds if one is not None)])
        error = whole.variance**0.5
        same = error < SAME
        p = (
            float(abs(apart) < SAME)
            if same
            else float(2 * stdtr(whole.degrees, -abs(apart) / error))
        )
        ends = apart + quantile(whole.degrees) * error * np.array([-1, 1])
        low, high = expit(middle + ends / 2) - expit(middle - ends / 2)
        found = Difference(
            one,
            other,
            float(low),
            float(high),
            p,
            clips,
            *counts,
            redrawn,
            over_clips=over_clips,
            over_seeds=over_seeds,
        )
        if same:
            return found, None
        counted = over_clips.degrees + 1
        widened = (logits - logits.mean()) * (counted / (counted - 1)) ** 0.5
        return found, widened / error

    def _mask(self, row: str) -> list[np.ndarray]:
        """Return for each seed of a row which of all frames it scored: (F,) bool."""
        if row not in self._masks:
            self._masks[row] = []
            for clips in self.rows[row].seeds:
                mask = np.zeros(self._frames, dtype=bool)
                for clip in clips:
                    mask[self._places[clip.id] + clip.frames] = True
                self._masks[row].append(mask)
        return self._masks[row]

    def _on(self, row: str, mask: np.ndarray) -> ClipAuc:
        """Return a row with some of its frames alone."""
        whole = self.rows[row]
        if all(np.array_equal(mask, of_seed) for of_seed in self._mask(row)):
            return whole
        key = row, mask.tobytes()
        if key not in self._restricted:
            seeds = [[self._some(clip, mask) for clip in clips] for clips in whole.seeds]
            self._restricted[key] = ClipAuc(seeds, whole.protocol)
        return self._restricted[key]

    def _some(self, clip: ClipScores, mask: np.ndarray) -> ClipScores:
        keep = mask[self._places[clip.id] + clip.frames]
        return replace(clip, scores=clip.scores[keep], frames=clip.frames[keep])


def seeds_spread(row: ClipAuc) -> Spread | None:
    """Return the spread over seeds of the mean of the logits of a row; None for a single seed."""
    seeds = len(row.seeds)
    if seeds < 2:
        return None
    return Spread(float(np.var(logit_of(row.of_seeds), ddof=1)) / seeds, seeds - 1)


def quantile(degrees: float) -> float:
    """Return the two-sided 95 % quantile of Student's t."""
    return float(stdtrit(degrees, (1 + LEVEL) / 2))


def logit_of(values: np.ndarray) -> np.ndarray:
    """Return the logits of AUCs, which are kept LIMIT away from 0 and 1."""
    return np.asarray(logit(np.clip(values, LIMIT, 1 - LIMIT)))


def _spread(drawn: np.ndarray, clips: float) -> Spread:
    """Return the variance over resamples; a bootstrap of K clips is too narrow by sqrt((K - 1) /
    K).
    """
    return Spread(float(np.var(drawn, ddof=1) * clips / (clips - 1)), clips - 1)
