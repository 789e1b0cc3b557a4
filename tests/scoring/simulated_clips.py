"""Test sets made up to know the truth: autocorrelated scores with clip effects, in the geometry of
real datasets."""

from dataclasses import replace
from functools import partial

import numpy as np
from scipy.signal import lfilter
from scipy.special import logit
from scipy.stats import norm, rankdata, t

from bench.contracts.metric import Metric
from bench.scoring.evaluate import ClipScores, evaluate, processed
from bench.scoring.intervals import Column, difference, interval
from bench.scoring.metrics import auc
from bench.scoring.ranks import rank
from bench.scoring.resampling import RESAMPLES, ClipAuc, pair_counts

AUC = Metric("auc", auc)
PED2 = ((180, 61, 180), (180, 95, 180), (150, 1, 146), (180, 31, 180), (150, 1, 129), (180, 1, 159),
        (180, 46, 180), (180, 1, 180), (120, 1, 120), (150, 1, 150), (180, 1, 180), (180, 88, 180))  # fmt: skip
"""Frames, first and last anomalous frame from 1, of each test clip: as published."""
AVENUE = ((1439, 451), (1211, 139), (923, 87), (947, 93), (1007, 318), (1283, 433), (605, 105), (36, 10), (1175, 333), (841, 161),
          (472, 183), (1271, 249), (549, 81), (507, 73), (1001, 90), (740, 99), (426, 358), (294, 265), (248, 132), (273, 154),
          (76, 53))  # fmt: skip
"""Frames and anomalous frames (label set `mat`) of each test clip; here in one stretch in its
middle."""
SHANGHAITECH = {"01": (34, 11894, 4884), "02": (3, 1155, 662), "03": (10, 4090, 1212), "04": (9, 4761, 1874), "05": (8, 4160, 1016),
                "06": (6, 1470, 702), "07": (8, 3368, 886), "08": (12, 3708, 1992), "09": (1, 361, 84), "10": (5, 2213, 1539),
                "11": (1, 337, 141), "12": (10, 3274, 2334)}  # fmt: skip
"""Clips, frames and anomalous frames of each scene; here divided evenly among its clips."""
CORRELATION, OFFSET, SPREAD = 0.95, 0.4, 0.4
"""Of neighbouring scores; of the level of a clip, and of how far its anomalies stand out, in
standard deviations within a clip. Chosen here after real scores (MemAE on Ped2, min-max): 0.947,
and levels of clips that spread by 0.36 (normal) and 0.66 (anomalous frames)."""


def stretch(frames, first, last):
    """0/1 labels of a clip whose frames `first` to `last`, from 1, are anomalous."""
    return ((np.arange(1, frames + 1) >= first) & (np.arange(1, frames + 1) <= last)).astype(int)


def middle(frames, anomalous):
    start = (frames - anomalous) // 2
    return stretch(frames, start + 1, start + anomalous)


def ped2(generator):
    return [("", stretch(*clip)) for clip in PED2]


def ped2_drawn(generator):
    """Twelve clips drawn from those of Ped2 with replacement: another test set each time, of one
    class now and then."""
    return [("", stretch(*PED2[number])) for number in generator.randint(12, size=12)]


def avenue(generator):
    return [("", middle(*clip)) for clip in AVENUE]


def shanghaitech(generator):
    return [
        (scene, middle(n // k, a // k))
        for scene, (k, n, a) in SHANGHAITECH.items()
        for _ in range(k)
    ]


def noise(geometry, generator):
    """For each clip (N,) the scores that a method without any skill gives."""
    found = []
    for _, labels in geometry:
        steps = generator.randn(len(labels)) * np.sqrt(1 - CORRELATION**2)
        steps[0] = generator.randn()
        level, more = generator.randn(2) * (OFFSET, SPREAD)
        found.append(lfilter([1], [1, -CORRELATION], steps) + level + more * labels)
    return found


def clips_of(geometry, scores, skill):
    """Test clips with `skill` standard deviations added to the scores of anomalous frames."""
    return [
        ClipScores(str(number), scene, values + skill * labels, np.arange(len(labels)), labels)
        for number, ((scene, labels), values) in enumerate(zip(geometry, scores))
    ]


def one_method(geometry, skill, generator):
    found = geometry(generator)
    return clips_of(found, noise(found, generator), skill)


def several_methods(geometry, skills, shared, generator):
    """Methods whose scores have `shared` of their variance in common."""
    found = geometry(generator)
    common, *own = (noise(found, generator) for _ in range(1 + len(skills)))
    mixed = [
        [np.sqrt(shared) * a + np.sqrt(1 - shared) * b for a, b in zip(common, scores)]
        for scores in own
    ]
    return [clips_of(found, scores, skill) for scores, skill in zip(mixed, skills)]


def resampled(methods, protocol, generator):
    """(methods, RESAMPLES) AUCs of the plain bootstrap over clips, micro pooling."""
    clips = len(methods[0])
    weights = np.array(
        [
            np.bincount(drawn, minlength=clips)
            for drawn in generator.randint(clips, size=(RESAMPLES, clips))
        ],
        dtype=float,
    )
    found = []
    for method in methods:
        above, anomalous, normal = pair_counts(tuple(processed(method, protocol)))
        with np.errstate(invalid="ignore"):  # resamples of one class
            found.append(
                ((weights @ above) * weights).sum(axis=1)
                / ((weights @ anomalous) * (weights @ normal))
            )
    return np.array(found)


def delong(clips, protocol):
    """The 95 % interval of DeLong et al. 1988, frame by frame (Sun & Xu 2014, by ranks)."""
    parts = processed(clips, protocol)
    labels, scores = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("labels", "scores")
    )
    positive = labels == 1
    ranks = rankdata(scores)
    above = (ranks[positive] - rankdata(scores[positive])) / (~positive).sum()
    below = 1 - (ranks[~positive] - rankdata(scores[~positive])) / positive.sum()
    error = np.sqrt(above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below))
    return above.mean() + norm.ppf([0.025, 0.975]) * error


def coverage(geometry, skill, protocol, runs, seed=0):
    """The true AUC, and the shares of runs in which the intervals hold it: DeLong, percentiles
    (None if not micro), ours."""
    generator = np.random.RandomState(seed)
    draw = partial(one_method, geometry, skill, generator)
    values, held = [], []
    while len(held) < runs:
        clips = draw()
        found = interval([clips], protocol)
        if found is None or found.low is None:
            continue  # a test set drawn without normal frames
        values.append(found.value)
        plain = protocol.pool == "micro"
        percentiles = (
            np.nanpercentile(resampled([clips], protocol, generator)[0], [2.5, 97.5])
            if plain
            else (np.nan, np.nan)
        )
        held.append(
            (
                delong(clips, protocol) if plain else (np.nan, np.nan),
                percentiles,
                (found.low, found.high),
            )
        )
    for _ in range(runs):
        value = evaluate(draw(), protocol, AUC).value
        values += [] if value is None else [value]
    truth = np.mean(values)
    low, high = np.moveaxis(np.array(held), 2, 0)
    shares = ((low <= truth) & (truth <= high)).mean(axis=0)
    return truth, *(
        float(share) if protocol.pool == "micro" or number == 2 else None
        for number, share in enumerate(shares)
    )


def rejections(geometry, skills, shared, protocol, runs, seed=0):
    """The mean AUC of both; the shares of runs in which percentiles and our test tell the two
    apart, and in which the interval of the difference holds the true one."""
    generator = np.random.RandomState(seed)
    found = []
    while len(found) < runs:
        pair = several_methods(geometry, skills, shared, generator)
        ours = difference([pair[0]], [pair[1]], protocol)
        if ours is None or ours.p is None:
            continue  # a test set drawn without normal frames
        low, high = np.nanpercentile(
            np.subtract(*resampled(pair, protocol, generator)), [2.5, 97.5]
        )
        found.append(
            (
                ours.first,
                ours.value,
                not low <= 0 <= high,
                ours.distinguishable,
                ours.low,
                ours.high,
            )
        )
    first, value, plain, told, low, high = np.array(found).T
    return (
        first.mean(),
        first.mean() - value.mean(),
        plain.mean(),
        told.mean(),
        ((low <= value.mean()) & (value.mean() <= high)).mean(),
    )


def seeded(geometry, seeds, effect, protocol, runs, seed=0):
    """The shares of runs in which two equal methods are told apart, each with so many seeds whose
    skill varies by `effect`: with the spread over clips alone, and by our test."""
    generator = np.random.RandomState(seed)
    found = []
    for _ in range(runs):
        skills = 2 + effect * generator.randn(2 * seeds)
        clips = several_methods(geometry, skills, 0.5, generator)
        ours = difference(clips[:seeds], clips[seeds:], protocol)
        alone = replace(ours, over_seeds=(None, None)).spread
        apart = abs(logit(ours.first) - logit(ours.second))
        found.append((2 * t.sf(apart / alone.variance**0.5, alone.degrees) < 0.05, ours.p < 0.05))
    return np.array(found).mean(axis=0)


def ranked(geometry, skills, shared, protocol, runs, seed=0):
    """What a ranking of methods of these skills says, in shares of test sets (of rows and test
    sets, for intervals): percentiles of resampled ranks hold the true rank, our interval holds it;
    its mean width; any pair of equals, or the wrong way round, has an uncorrected p below 0.05 with
    the best, and is separated after correction; of the separated pairs those that are false (FDR);
    of the pairs of unequals those that are separated.

    The true rank of equals is all that they share: an interval has to hold both ends.
    """
    generator = np.random.RandomState(seed)
    skill = np.array(skills)
    best_rank = 1 + (skill[None, :] > skill[:, None]).sum(axis=1)
    worst_rank = len(skill) - (skill[None, :] < skill[:, None]).sum(axis=1)
    found = []
    for _ in range(runs):
        methods = several_methods(geometry, skills, shared, generator)
        drawn = resampled(methods, protocol, generator)
        places = 1 + (drawn[None, :, :] > drawn[:, None, :]).sum(axis=1)
        low, high = np.nanpercentile(places, [2.5, 97.5], axis=1)
        plain = (low <= best_rank) & (worst_rank <= high)
        column = Column({str(n): ClipAuc([clips], protocol) for n, clips in enumerate(methods)})
        order = sorted(column.rows, key=lambda row: -column.rows[row].value)
        ranking = rank(column, order)
        ends = np.array(
            [(ranking.ranks[str(n)].low, ranking.ranks[str(n)].high) for n in range(len(skill))]
        )
        held = (ends[:, 0] <= best_rank) & (worst_rank <= ends[:, 1])
        false = {pair: skill[int(pair[0])] <= skill[int(pair[1])] for pair in ranking.tests}
        said = [pair for pair in ranking.tests if ranking.separated(*pair)]
        alone = [
            pair for pair in false if pair[0] == order[0] and ranking.tests[pair].distinguishable
        ]
        true = len(false) - sum(false.values())
        found.append(
            (
                plain.mean(),
                held.mean(),
                np.diff(ends).mean() + 1,
                any(false[pair] for pair in alone),
                any(false[pair] for pair in said),
                np.mean([false[pair] for pair in said]) if said else 0.0,
                sum(not false[pair] for pair in said) / true if true else np.nan,
            )
        )
    return np.array(found).mean(axis=0)
