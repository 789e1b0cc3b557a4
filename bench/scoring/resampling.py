"""Clips drawn anew: the AUC of a row in any resample of the clips of a test set.

For the AUC, a resample costs a product with a matrix of clips, whose entries count ordered pairs of
frames: frames are sorted once a row, however many resamples there are. Any other metric would have
to sort all frames again in each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from bench.contracts.protocol import Protocol
from bench.scoring.evaluate import (
    REMEMBERED,
    ClipScores,
    Part,
    has_both,
    processed,
    used_groups,
    value_of,
)
from bench.scoring.metrics import METRICS

RESAMPLES = 1000
"""Chosen here: the standard error is then known to 1 / sqrt(2 * 1000), two parts in a hundred."""
SEED = 0
"""Of the resampling: the same clips are drawn for all methods and seeds of a dataset, on every
machine."""
FEW = 4
"""Clips with frames of a class. With 3 of 20 the interval that counts all 20 covers 90 %, with 2 it
covers 82 %, with 4 it covers 93 %."""
TRIES = 20
"""Draws, in multiples of RESAMPLES, before resampling is given up. Chosen here."""
AUC = next(metric for metric in METRICS if metric.name == "auc")
SINGLE = "one clip alone has frames of one of the classes, and cannot be resampled"
ONE_CLASS = "nearly all resamples have frames of one class alone"


@lru_cache(maxsize=4)
def resamples(clips: int, number: int) -> np.ndarray:
    """Return the first `number` resamples of so many clips, always the same: (number, clips) counts
    of each clip, float64.

    The legacy generator is used on purpose: its stream is frozen (NEP 19), so that tables are the
    same under every NumPy.
    """
    drawn = np.random.RandomState(SEED).randint(clips, size=(number, clips), dtype=np.int64)
    drawn += np.arange(number)[:, None] * clips
    counts = np.bincount(drawn.ravel(), minlength=number * clips).reshape(number, clips)
    weights = counts.astype(np.float64)
    weights.flags.writeable = False
    return weights


@dataclass(frozen=True)
class _Group:
    """Clips that get one AUC together: their ids, and what `pair_counts` returns of them."""

    clips: list[str]
    above: np.ndarray
    anomalous: np.ndarray
    normal: np.ndarray


class ClipAuc:
    """The AUC of a row as a function of its clips, for each of its seeds.

    Parameters
    ----------
    seeds : the clips of each seed, labels and frames alike or not; at least one seed.
    """

    def __init__(self, seeds: Sequence[Sequence[ClipScores]], protocol: Protocol) -> None:
        self.seeds, self.protocol = seeds, protocol
        self._groups = [used_groups(processed(clips, protocol), protocol) for clips in seeds]
        self._values: dict[tuple[tuple[str, ...], int], np.ndarray] = {}

    @property
    def exists(self) -> bool:
        """Whether every seed has an AUC."""
        return bool(self._groups) and all(
            groups and has_both(groups[0], self.protocol) for groups in self._groups
        )

    @cached_property
    def clips(self) -> tuple[str, ...]:
        """The clips that take part, in the order in which they were given."""
        used = {part.id for groups in self._groups for group in groups for part in group}
        return tuple(
            dict.fromkeys(clip.id for clips in self.seeds for clip in clips if clip.id in used)
        )

    @cached_property
    def rarer(self) -> int:
        """How many clips have frames of the rarer class, in the seed with the fewest."""
        return min(_clips_of_the_rarer_class(groups, self.protocol) for groups in self._groups)

    @cached_property
    def counted(self) -> float:
        """How many clips of equal weight these are worth (K), in the seed with the fewest."""
        effective = min(_effective_number(groups, self.protocol) for groups in self._groups)
        return effective if self.rarer >= FEW else min(effective, self.rarer)

    @cached_property
    def of_seeds(self) -> np.ndarray:
        """The AUC of each seed on the clips as they are: (S,)."""
        return self._resampled(self.clips, np.ones((1, len(self.clips))))[:, 0]

    @cached_property
    def value(self) -> float:
        """The mean over seeds of the AUC."""
        return float(self.of_seeds.mean())

    def values(self, clips: tuple[str, ...], number: int) -> np.ndarray:
        """Return (number,) means over seeds of the AUC in the resamples of these clips; NaN where
        the frames of a resample are of one class.

        Parameters
        ----------
        clips : what is resampled, in this order; those that take part, and perhaps others.
        """
        if (clips, number) not in self._values:
            every = self._resampled(clips, resamples(len(clips), number))
            self._values[clips, number] = np.mean(every, axis=0)
        return self._values[clips, number]

    @cached_property
    def _counted_groups(self) -> list[list[_Group]]:
        return [
            [_Group([part.id for part in group], *pair_counts(tuple(group))) for group in groups]
            for groups in self._groups
        ]

    def _resampled(self, clips: Sequence[str], weights: np.ndarray) -> np.ndarray:
        """Return (S, R) AUCs from (R, K) counts of clips, exactly as `evaluate` would give them for
        clips repeated so often.
        """
        place = {name: number for number, name in enumerate(clips)}
        if self.protocol.pool.startswith("macro"):
            return np.array(
                [self._mean_of_clips(groups, place, weights) for groups in self._groups]
            )
        return np.array([self._pooled(groups, place, weights) for groups in self._counted_groups])

    def _mean_of_clips(
        self, groups: list[list[Part]], place: dict[str, int], weights: np.ndarray
    ) -> np.ndarray:
        used = weights[:, [place[group[0].id] for group in groups]]
        values = np.array([value_of(group, self.protocol, AUC) for group in groups])
        with np.errstate(invalid="ignore"):
            return np.asarray(used @ values / used.sum(axis=1))

    def _pooled(
        self, groups: list[_Group], place: dict[str, int], weights: np.ndarray
    ) -> np.ndarray:
        each = np.empty((len(groups), len(weights)))
        for row, group in zip(each, groups):
            used = weights[:, [place[clip] for clip in group.clips]]
            with np.errstate(invalid="ignore"):
                row[:] = np.einsum("rk,rk->r", used @ group.above, used) / (
                    (used @ group.anomalous) * (used @ group.normal)
                )
        if len(each) == 1:
            return each[0]
        exists = ~np.isnan(each).all(axis=0)
        joined = np.full(len(weights), np.nan)
        joined[exists] = (np.nanmedian if self.protocol.pool == "scene-median" else np.nanmean)(
            each[:, exists], axis=0
        )
        return joined


def resample_together(rows: Sequence[ClipAuc]) -> tuple[np.ndarray | None, int, int]:
    """Return what rows have in RESAMPLES resamples in which all of them have an AUC.

    Returns
    -------
    (rows, RESAMPLES) AUCs, means over seeds, or None where nearly all resamples are of one class;
    how many clips are drawn; how many resamples were drawn again.
    """
    clips = tuple(dict.fromkeys(clip for row in rows for clip in row.clips))
    number = RESAMPLES
    while True:
        values = np.array([row.values(clips, number) for row in rows])
        valid = np.flatnonzero(np.isfinite(values).all(axis=0))
        if len(valid) >= RESAMPLES:
            valid = valid[:RESAMPLES]
            return values[:, valid], len(clips), int(valid[-1]) + 1 - RESAMPLES
        if number - len(valid) > TRIES * RESAMPLES:
            return None, len(clips), number - len(valid)
        number *= 2


def _effective_number(groups: list[list[Part]], protocol: Protocol) -> float:
    """Return how many clips of equal weight these are worth: by their lengths where frames are
    pooled, all of them in a mean over clips.
    """
    lengths = np.array([len(part.labels) for group in groups for part in group], dtype=np.float64)
    if protocol.pool.startswith("macro"):
        return float(len(lengths))
    return max(float(lengths.sum() ** 2 / (lengths**2).sum()), 2.0)


def _clips_of_the_rarer_class(groups: list[list[Part]], protocol: Protocol) -> int:
    parts = [part for group in groups for part in group]
    if protocol.pool == "macro-padded":
        return len(parts)  # each has a frame of both classes added
    return min(
        sum(part.anomalous < len(part.labels) for part in parts),
        sum(part.anomalous > 0 for part in parts),
    )


BLOCK = 32
"""Normal frames between two places at which all that lie below are counted. Chosen here: 16 and 32
are equally quick at ShanghaiTech's size, 8 and 64 a third slower."""


@lru_cache(maxsize=REMEMBERED)
def pair_counts(parts: tuple[Part, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what the pooled AUC of any resample of K clips follows from.

    With counts w of the clips, it is w' above w / (w' anomalous) (w' normal): the Mann-Whitney
    statistic, whose pairs of frames are here added up by the clips that the two frames belong to.

    Returns
    -------
    above : (K, K) pairs of an anomalous frame of clip i and a normal frame of clip j in which the
        first has the higher score; ties half.
    anomalous, normal : (K,) frames of each clip.
    """
    number = len(parts)
    clips = np.repeat(np.arange(number), [len(part.labels) for part in parts])
    labels = np.concatenate([part.labels for part in parts]) == 1
    scores = np.concatenate([part.scores for part in parts])
    anomalous, normal = (np.bincount(clips[kind], minlength=number) for kind in (labels, ~labels))
    order = np.argsort(scores[~labels])
    ordered, clip_of_normal = scores[~labels][order], clips[~labels][order]
    clip_of_anomalous = clips[labels]
    # Normal frames of each clip among the lowest 0, BLOCK, 2 * BLOCK, ...
    blocks = len(order) // BLOCK + 1
    below = np.zeros((blocks, number))
    block_of_normal = np.arange(len(order)) // BLOCK
    inside = block_of_normal < blocks - 1
    pairs_of = (block_of_normal[inside] * number) + clip_of_normal[inside]
    below[1:] = np.bincount(pairs_of, minlength=(blocks - 1) * number).reshape(-1, number)
    np.cumsum(below, axis=0, out=below)
    twice = np.zeros((number, number))
    for side in ("left", "right"):
        place = np.searchsorted(ordered, scores[labels], side)
        # Of each anomalous frame: the blocks below it as one product, the rest of its block singly.
        block, rest = np.divmod(place, BLOCK)
        having = np.bincount(clip_of_anomalous + block * number, minlength=blocks * number)
        twice += having.reshape(blocks, number).T.astype(np.float64) @ below
        first = np.repeat(place - np.cumsum(rest), rest)
        singly = clip_of_normal[first + np.arange(len(first))]
        pairs = np.repeat(clip_of_anomalous * number, rest) + singly
        twice += np.bincount(pairs, minlength=number**2).reshape(number, number)
    return twice / 2, anomalous.astype(np.float64), normal.astype(np.float64)
