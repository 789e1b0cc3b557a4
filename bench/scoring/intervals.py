"""Intervals and paired tests over clips: what an AUC would be on other clips of the same kind.

Frames of one clip resemble their neighbours, so clips are what is drawn again, never frames. The
plain percentiles of such a bootstrap are too narrow for the dozens of clips that datasets have;
here its standard error, taken on the logit scale and widened by sqrt(K / (K - 1)), goes with
Student's t of K - 1 degrees of freedom. What that covers is measured in docs/statistics.md. Chosen
here after those simulations: K is the effective number of clips, (sum of lengths)^2 / (sum of
squared lengths) (Kish 1965, for weights), since a few long clips among short ones are fewer than
they look; and where fewer than FEW clips have frames of one of the classes, it is the number of
these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from scipy.special import expit, logit, stdtr, stdtrit

from bench.contracts.protocol import Protocol
from bench.scoring.evaluate import (
    ClipScores,
    Part,
    has_both,
    pooled_labels,
    pooled_scores,
    processed,
    used_groups,
)
from bench.scoring.metrics import auc

METRIC = "auc"
"""The metric that has an interval. For the AUC a resample costs a product of a matrix of clips; any
other metric would have to sort all frames again, a thousand times a number."""
RESAMPLES = 1000
"""Chosen here: the standard error is then known to 1 / sqrt(2 * 1000), two parts in a hundred."""
LEVEL = 0.95
SEED = 0
"""Of the resampling: the same clips are drawn for all methods and seeds of a dataset, on every
machine."""
LIMIT = 1e-6
"""How near to 0 or 1 a resample may come before its logit: the last digit that files keep. Chosen
here."""
FEW = 4
"""Clips with frames of a class. With 3 of 20 the interval that counts all 20 covers 90 %, with 2 it
covers 82 %, with 4 it covers 93 %."""
TRIES = 20
"""Draws, in multiples of RESAMPLES, before resampling is given up. Chosen here."""
ONE_CLASS = "nearly all resamples have frames of one class alone"

Statistic = Callable[[np.ndarray], np.ndarray]
"""From (R, K) counts of each clip in each resample to (R,) AUCs; NaN where the frames of a resample
are of one class."""


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
            f"clip bootstrap, t on logit scale; {self.clips} clips; {RESAMPLES} resamples, "
            f"{self.redrawn} redrawn"
        )


@dataclass(frozen=True)
class Difference:
    """The AUCs of two methods on the frames that both scored, first less second, with interval and
    test over clips.

    Parameters
    ----------
    low, high : the ends of the 95 % interval of the difference; p : two-sided. None where there is
        no test.
    frames, normal_frames : that both scored in every seed.
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

    @property
    def value(self) -> float:
        """First less second; a fraction."""
        return self.first - self.second

    @property
    def distinguishable(self) -> bool:
        """Whether the test tells the two apart."""
        return self.p is not None and self.p < 1 - LEVEL


def interval(seeds: Sequence[Sequence[ClipScores]], protocol: Protocol) -> Interval | None:
    """Return the interval of the mean over seeds of the AUC. None where the AUC does not exist.

    Parameters
    ----------
    seeds : the clips of each seed; the same clips are drawn for all of them, so that the spread
        over seeds stays out of it.
    """
    found = _statistics([seeds], protocol)
    if found is None:
        return None
    (statistic,), clips, counted, reason = found
    value = float(statistic(np.ones((1, clips)))[0])
    if not reason and not LIMIT < value < 1 - LIMIT:
        reason = "every pair of frames is ordered alike, so that no resample differs"
    drawn, redrawn = (None, 0) if reason else _resampled([statistic], clips)
    if drawn is None:
        return Interval(value, None, None, clips, redrawn, reason or ONE_CLASS)
    reach = _quantile(counted) * _standard_error(_logit(drawn[0]), counted)
    low, high = expit(logit(value) + reach * np.array([-1, 1]))
    return Interval(value, float(low), float(high), clips, redrawn)


def difference(
    first: Sequence[Sequence[ClipScores]],
    second: Sequence[Sequence[ClipScores]],
    protocol: Protocol,
) -> Difference | None:
    """Return how two methods differ on the frames that both scored. None where one of them has no
    AUC there.

    The same clips are drawn for both. The difference of their logits is set against its standard
    error over the resamples, with Student's t of K - 1 degrees of freedom; the ends of its interval
    are turned back into AUCs with the middle of both logits held, so that the interval holds 0
    where, and only where, p is at least 0.05.

    Parameters
    ----------
    first, second : the clips of each seed of each method; seeds need not be equally many.
    """
    scored = [{clip.id: clip.frames for clip in clips} for clips in (*first, *second)]
    nothing = np.empty(0, dtype=np.int64)
    frames = {
        name: reduce(np.intersect1d, [of.get(name, nothing) for of in scored]) for name in scored[0]
    }
    sides = [[_restricted(clips, frames) for clips in seeds] for seeds in (first, second)]
    found = _statistics(sides, protocol)
    if found is None:
        return None
    statistics, clips, counted, reason = found
    one, other = (float(statistic(np.ones((1, clips)))[0]) for statistic in statistics)
    labels = np.concatenate([clip.labels[clip.frames] for clip in sides[0][0]])
    counts = (len(labels), int((labels == 0).sum()))
    if not reason and not all(LIMIT < value < 1 - LIMIT for value in (one, other)):
        reason = "one of the two orders every pair of frames alike, so that no resample differs"
    drawn, redrawn = (None, 0) if reason else _resampled(statistics, clips)
    if drawn is None:
        return Difference(
            one, other, None, None, None, clips, *counts, redrawn, reason or ONE_CLASS
        )
    middle, apart = (logit(one) + logit(other)) / 2, logit(one) - logit(other)
    error = _standard_error(np.subtract(*map(_logit, drawn)), counted)
    same = error < 1e-12  # two rows of the same scores, or of scores in the same order
    p = float(abs(apart) < 1e-12) if same else float(2 * stdtr(counted - 1, -abs(apart) / error))
    ends = apart + _quantile(counted) * error * np.array([-1, 1])
    low, high = expit(middle + ends / 2) - expit(middle - ends / 2)
    return Difference(one, other, float(low), float(high), p, clips, *counts, redrawn)


def _restricted(clips: Sequence[ClipScores], frames: Mapping[str, np.ndarray]) -> list[ClipScores]:
    """Return the clips with these of their frames alone."""
    kept = [(clip, np.isin(clip.frames, frames.get(clip.id, ()))) for clip in clips]
    return [
        replace(clip, scores=clip.scores[keep], frames=clip.frames[keep]) for clip, keep in kept
    ]


def _quantile(clips: float) -> float:
    return float(stdtrit(clips - 1, (1 + LEVEL) / 2))


def _logit(values: np.ndarray) -> np.ndarray:
    return np.asarray(logit(np.clip(values, LIMIT, 1 - LIMIT)))


def _standard_error(drawn: np.ndarray, clips: float) -> float:
    """Return the standard deviation over resamples; a bootstrap of K clips is too narrow by sqrt((K
    - 1) / K).
    """
    return float(np.std(drawn, ddof=1) * np.sqrt(clips / (clips - 1)))


def _statistics(
    methods: Sequence[Sequence[Sequence[ClipScores]]], protocol: Protocol
) -> tuple[list[Statistic], int, float, str] | None:
    """Return what resampling the clips of several methods needs. None where the AUC of a seed does
    not exist.

    Returns
    -------
    A statistic for each method; the number of clips that take part; how many they count for (K);
    why they cannot be resampled, or ''.
    """
    groups = [
        [used_groups(processed(clips, protocol), protocol) for clips in seeds] for seeds in methods
    ]
    every = [of_seed for seeds in groups for of_seed in seeds]
    if not every or not all(
        of_seed and has_both(pooled_labels(of_seed[0], protocol)) for of_seed in every
    ):
        return None
    used = {part.id for of_seed in every for group in of_seed for part in group}
    order = list(
        dict.fromkeys(
            clip.id for seeds in methods for clips in seeds for clip in clips if clip.id in used
        )
    )
    place = {name: number for number, name in enumerate(order)}
    statistics = [
        _mean([_statistic(of_seed, place, protocol) for of_seed in seeds]) for seeds in groups
    ]
    rarer = min(_clips_of_the_rarer_class(of_seed, protocol) for of_seed in every)
    reason = (
        ""
        if rarer > 1
        else "one clip alone has frames of one of the classes, and cannot be resampled"
    )
    effective = min(_effective_number(of_seed, protocol) for of_seed in every)
    return statistics, len(order), effective if rarer >= FEW else min(effective, rarer), reason


def _effective_number(groups: list[list[Part]], protocol: Protocol) -> float:
    """Return how many clips of equal weight these are worth: by their lengths where frames are
    pooled, all of them in a mean over clips.
    """
    lengths = np.array([len(part.labels) for group in groups for part in group], dtype=np.float64)
    if protocol.pool.startswith("macro"):
        return float(len(lengths))
    return max(float(lengths.sum() ** 2 / (lengths**2).sum()), 2.0)


def _clips_of_the_rarer_class(groups: list[list[Part]], protocol: Protocol) -> int:
    labels = [part.labels for group in groups for part in group]
    if protocol.pool == "macro-padded":
        return len(labels)  # each has a frame of both classes added
    return min(sum(bool((of_clip == kind).any()) for of_clip in labels) for kind in (0, 1))


def _mean(statistics: Sequence[Statistic]) -> Statistic:
    """Return the mean of the seeds' statistics."""
    return lambda weights: np.mean([statistic(weights) for statistic in statistics], axis=0)


def _statistic(groups: list[list[Part]], place: Mapping[str, int], protocol: Protocol) -> Statistic:
    """Return the AUC of any resample of the clips, exactly as `evaluate` would give it for clips
    repeated so often.

    Parameters
    ----------
    groups : the clips that get a number together; place : clip -> its column of the weights.
    """
    if protocol.pool.startswith("macro"):
        columns = [place[group[0].id] for group in groups]
        values = np.array(
            [
                auc(pooled_labels(group, protocol), pooled_scores(group, protocol))
                for group in groups
            ]
        )

        def mean_of_clips(weights: np.ndarray) -> np.ndarray:
            used = weights[:, columns]
            with np.errstate(invalid="ignore"):
                return np.asarray(used @ values / used.sum(axis=1))

        return mean_of_clips
    counted = [([place[part.id] for part in group], *pair_counts(group)) for group in groups]

    def pooled(weights: np.ndarray) -> np.ndarray:
        each = np.empty((len(counted), len(weights)))
        for row, (columns, above, anomalous, normal) in zip(each, counted):
            used = weights[:, columns]
            with np.errstate(invalid="ignore"):
                row[:] = np.einsum("rk,rk->r", used @ above, used) / (
                    (used @ anomalous) * (used @ normal)
                )
        exists = ~np.isnan(each).all(axis=0)
        joined = np.full(len(weights), np.nan)
        joined[exists] = (np.nanmedian if protocol.pool == "scene-median" else np.nanmean)(
            each[:, exists], axis=0
        )
        return joined

    return pooled


def pair_counts(parts: Sequence[Part]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what the pooled AUC of any resample of K clips follows from.

    With counts w of the clips, it is w' above w / (w' anomalous) (w' normal): the Mann-Whitney
    statistic, whose pairs of frames are here added up by the clips that the two frames belong to.

    Returns
    -------
    above : (K, K) pairs of an anomalous frame of clip i and a normal frame of clip j in which the
        first has the higher score; ties half.
    anomalous, normal : (K,) frames of each clip.
    """
    clips = np.repeat(np.arange(len(parts)), [len(part.labels) for part in parts])
    labels = np.concatenate([part.labels for part in parts]) == 1
    scores = np.concatenate([part.scores for part in parts])
    anomalous, normal = (
        np.bincount(clips[kind], minlength=len(parts)).astype(np.float64)
        for kind in (labels, ~labels)
    )
    order = np.argsort(scores[~labels], kind="stable")
    below = np.zeros((len(order) + 1, len(parts)))  # normal frames of each clip among the m lowest
    below[np.arange(1, len(order) + 1), clips[~labels][order]] = 1
    np.cumsum(below, axis=0, out=below)
    ordered = scores[~labels][order]
    lower, upto = (np.searchsorted(ordered, scores[labels], side) for side in ("left", "right"))
    above = np.zeros((len(parts), len(parts)))
    first = 0
    for number, count in enumerate(anomalous.astype(int)):
        here = slice(first, first + count)
        above[number] = (below[lower[here]].sum(axis=0) + below[upto[here]].sum(axis=0)) / 2
        first += count
    return above, anomalous, normal


def _resampled(statistics: Sequence[Statistic], clips: int) -> tuple[np.ndarray | None, int]:
    """Return (statistics, RESAMPLES) AUCs of the same resamples, and how many were drawn again;
    None where nearly all had to be.

    The legacy generator is used on purpose: its stream is frozen (NEP 19), so that tables are the
    same under every NumPy.
    """
    generator = np.random.RandomState(SEED)
    kept = np.empty((len(statistics), 0))
    redrawn = 0
    while kept.shape[1] < RESAMPLES:
        number = RESAMPLES - kept.shape[1]
        drawn = (
            generator.randint(clips, size=(number, clips), dtype=np.int64)
            + np.arange(number)[:, None] * clips
        )
        weights = (
            np.bincount(drawn.ravel(), minlength=number * clips)
            .reshape(number, clips)
            .astype(np.float64)
        )
        values = np.array([statistic(weights) for statistic in statistics])
        exists = np.isfinite(values).all(axis=0)
        redrawn += int((~exists).sum())
        if redrawn > TRIES * RESAMPLES:
            return None, redrawn
        kept = np.concatenate([kept, values[:, exists]], axis=1)
    return kept, redrawn
