"""Intervals and paired tests over clips, against the plain bootstrap spelt out and scipy, and
against simulated truth."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit
from simulated_clips import AUC, clips_of, coverage, noise, ped2, rejections

from bench.plugins.registry import load
from bench.scoring import resampling
from bench.scoring.evaluate import ClipScores, Part, evaluate
from bench.scoring.intervals import difference, interval
from bench.scoring.resampling import BLOCK, pair_counts

PROTOCOLS = load().protocols
SCENES = ("a", "a", "b", "b", "b", "a", "c")


def made_clips(seed, skill=1.5, first=0):
    """Seven clips in three scenes, two of one class, with ties; scored from `first` on."""
    generator = np.random.default_rng(seed)
    clips = []
    for number, scene in enumerate(SCENES):
        labels = np.zeros(30 + 5 * number, dtype=int)
        labels[10 + number : 22 + number] = 1
        if number in (1, 4):
            labels[:] = 1
        frames = np.arange(first, len(labels))
        scores = np.round(generator.normal(size=len(labels)).cumsum() / 3 + skill * labels, 1)[
            frames
        ]
        clips.append(ClipScores(f"{number:02d}", scene, scores, frames, labels))
    return clips


def value_of(clips, protocol):
    return evaluate(clips, protocol, AUC).value


def spelt_out(methods, protocol, resamples):
    """The logits of each method's AUC in the same resamples: clips drawn and repeated one by one,
    those of one class drawn again."""
    used = [
        clip
        for clip in methods[0]
        if protocol.pool != "macro" or 0 < clip.labels[clip.frames].sum() < len(clip.frames)
    ]
    places = [methods[0].index(clip) for clip in used]
    generator = np.random.RandomState(0)
    kept, redrawn = [], 0
    while len(kept) < resamples:
        draws = generator.randint(
            len(places), size=(resamples - len(kept), len(places)), dtype=np.int64
        )
        for draw in draws:
            found = [
                value_of(
                    [
                        replace(method[places[number]], id=str(copy))
                        for copy, number in enumerate(draw)
                    ],
                    protocol,
                )
                for method in methods
            ]
            if None in found:
                redrawn += 1
            else:
                kept.append(found)
    lengths = np.array([len(clip.frames) for clip in used])
    effective = (
        len(used) if protocol.pool.startswith("macro") else lengths.sum() ** 2 / (lengths**2).sum()
    )
    return logit(np.clip(np.array(kept).T, 1e-6, 1 - 1e-6)), redrawn, len(used), effective


@pytest.fixture
def few_resamples(monkeypatch):
    """Forty, so that they can be spelt out."""
    monkeypatch.setattr(resampling, "RESAMPLES", 40)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_interval_is_the_bootstrap_spelt_out(few_resamples, name):
    """Under each named protocol: the same resamples, evaluated one by one; standard error, t and
    logit by scipy."""
    clips = made_clips(1)
    found = interval([clips], PROTOCOLS[name])
    (drawn,), redrawn, clips_used, count = spelt_out([clips], PROTOCOLS[name], 40)
    error = np.std(drawn, ddof=1) * np.sqrt(count / (count - 1))
    expected = expit(
        logit(value_of(clips, PROTOCOLS[name])) + stats.t.ppf([0.025, 0.975], count - 1) * error
    )
    assert found.value == pytest.approx(value_of(clips, PROTOCOLS[name]), abs=1e-12)
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-9)
    assert (found.clips, found.redrawn) == (clips_used, redrawn)


@pytest.mark.parametrize(("normal", "counted"), [(2, 2), (3, 3), (4, 12), (5, 12)])
def test_few_clips_of_a_class_count_alone(few_resamples, normal, counted):
    """With two or three of twelve clips that have normal frames it is these that the interval
    counts; with four it is all of them."""
    generator = np.random.default_rng(11)
    clips = []
    for number in range(12):
        labels = np.ones(30, dtype=int)
        labels[: 12 if number < normal else 0] = 0
        clips.append(
            ClipScores(
                f"{number:02d}", "", generator.normal(size=30) + labels, np.arange(30), labels
            )
        )
    found = interval([clips], PROTOCOLS["raw"])
    (drawn,), _, _, _ = spelt_out([clips], PROTOCOLS["raw"], 40)
    error = np.std(drawn, ddof=1) * np.sqrt(counted / (counted - 1))
    expected = expit(logit(found.value) + stats.t.ppf([0.025, 0.975], counted - 1) * error)
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-9)


def test_the_paired_test_is_the_bootstrap_spelt_out(few_resamples):
    """On the frames that both scored, restricted before the protocol; p by scipy's t."""
    one, other = made_clips(2, 2.0), made_clips(3, 1.0, first=4)
    found = difference([one], [other], PROTOCOLS["median17"])
    common = [replace(clip, scores=clip.scores[4:], frames=clip.frames[4:]) for clip in one]
    drawn, _, _, count = spelt_out([common, other], PROTOCOLS["median17"], 40)
    first, second = (value_of(clips, PROTOCOLS["median17"]) for clips in (common, other))
    error = np.std(drawn[0] - drawn[1], ddof=1) * np.sqrt(count / (count - 1))
    apart = logit(first) - logit(second)
    assert (found.first, found.second) == pytest.approx((first, second), abs=1e-12)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(apart) / error, count - 1), abs=1e-9)
    frames = np.concatenate([clip.labels[4:] for clip in one])
    assert (found.frames, found.normal_frames) == (len(frames), (frames == 0).sum())
    assert found.low < found.value < found.high


@pytest.mark.parametrize("seed", range(8))
def test_the_interval_of_the_difference_agrees_with_p(seed):
    """It holds 0 where, and only where, p is at least 0.05; turned round, everything changes its
    sign."""
    one, other = made_clips(seed, 2.2), made_clips(seed + 100, 0.5)
    found, turned = (
        difference([first], [second], PROTOCOLS["raw"])
        for first, second in ((one, other), (other, one))
    )
    assert (found.low <= 0 <= found.high) == (found.p >= 0.05) == (not found.distinguishable)
    assert (turned.value, turned.low, turned.high, turned.p) == pytest.approx(
        (-found.value, -found.high, -found.low, found.p)
    )
    assert -1 <= found.low <= found.high <= 1


def test_equal_scores_cannot_be_told_apart():
    """p is 1 and the interval is 0, also where a scale is stretched, which no order of frames
    shows."""
    clips = made_clips(4)
    stretched = [replace(clip, scores=3 * clip.scores + 1) for clip in clips]
    found = difference([clips], [stretched], PROTOCOLS["raw"])
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_seeds_are_averaged_within_each_resample():
    """The same clips are drawn for all: equal seeds change nothing, and two seeds are no twice as
    many clips."""
    one, other = made_clips(5), made_clips(6)
    alone, twice = interval([one], PROTOCOLS["raw"]), interval([one, one], PROTOCOLS["raw"])
    assert (twice.low, twice.high) == pytest.approx((alone.low, alone.high), abs=1e-12)
    both = interval([one, other], PROTOCOLS["raw"])
    assert both.value == pytest.approx(
        (value_of(one, PROTOCOLS["raw"]) + value_of(other, PROTOCOLS["raw"])) / 2
    )
    assert both.clips == len(SCENES)


def test_resamples_of_one_class_are_redrawn_and_counted():
    """Two normal and two anomalous clips: one resample in eight has no AUC."""
    clips = [
        ClipScores(str(n), "", np.arange(20.0) * (1 + n), np.arange(20), np.full(20, n // 2))
        for n in range(4)
    ]
    found = interval([clips], PROTOCOLS["raw"])
    assert found.redrawn == pytest.approx(1000 / 7, abs=40)
    assert f"4 clips; 1000 resamples, {found.redrawn} redrawn" in found.method


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        (
            lambda clips: clips[:1],
            "one clip alone has frames of one of the classes, and cannot be resampled",
        ),
        (
            lambda clips: [clips[0], clips[1], clips[4]],
            "one clip alone has frames of one of the classes",
        ),
        (
            lambda clips: [replace(clip, scores=clip.labels * 1.0) for clip in clips],
            "every pair of frames is ordered alike",
        ),
    ],
    ids=["one clip", "normal frames in one clip", "perfect"],
)
def test_no_interval_says_why(chosen, why):
    """A number without an interval keeps its number."""
    clips = chosen(made_clips(7))
    found = interval([clips], PROTOCOLS["raw"])
    assert found.value == pytest.approx(value_of(clips, PROTOCOLS["raw"]))
    assert (
        found.low is None
        and found.high is None
        and why in found.reason
        and found.method.startswith("none: ")
    )
    apart = difference([clips], [made_clips(8)], PROTOCOLS["raw"])
    assert apart.p is None and apart.low is None and apart.reason and not apart.distinguishable


def test_without_an_auc_there_is_nothing():
    """No frame, or one class alone."""
    anomalous = [clip for clip in made_clips(9) if clip.labels.all()]
    empty = [
        replace(clip, scores=clip.scores[:0], frames=clip.frames[:0]) for clip in made_clips(9)
    ]
    assert (
        interval([anomalous], PROTOCOLS["raw"]) is None
        and interval([empty], PROTOCOLS["raw"]) is None
    )
    assert difference([made_clips(9)], [empty], PROTOCOLS["raw"]) is None


def test_clips_that_a_seed_left_out_have_no_common_frames():
    """What one method did not score counts for neither."""
    one = made_clips(10)
    found = difference([one], [made_clips(11)[1:]], PROTOCOLS["raw"])
    assert (
        found.first == pytest.approx(value_of(one[1:], PROTOCOLS["raw"]))
        and found.clips == len(SCENES) - 1
    )


def test_few_clips_of_a_class_widen_the_interval():
    """Three clips with normal frames beside seventeen without count as three."""
    geometry = [("", np.repeat([0, 1], 90)) for _ in range(3)] + [
        ("", np.ones(180, dtype=int)) for _ in range(17)
    ]
    clips = clips_of(geometry, noise(geometry, np.random.RandomState(1)), 1.0)
    narrow = interval(
        [clips_of(geometry[:3], [clip.scores for clip in clips[:3]], 0.0)], PROTOCOLS["raw"]
    )
    found = interval([clips], PROTOCOLS["raw"])
    assert found.clips == 20 and found.high - found.low > 0.5 * (narrow.high - narrow.low)


def test_golden_interval():
    """The same to six digits on every machine and under every NumPy."""
    clips = [
        ClipScores(
            str(n),
            "",
            (np.arange(40) * (7 + n)) % 13 + 6.0 * (np.arange(40) > 24 - n),
            np.arange(40),
            (np.arange(40) > 20) * 1,
        )
        for n in range(6)
    ]
    found = interval([clips], PROTOCOLS["raw"])
    assert [round(value, 6) for value in (found.value, found.low, found.high)] == [
        0.806113,
        0.76757,
        0.839599,
    ]


def test_the_interval_covers_where_percentiles_do_not():
    """150 simulated test sets of Ped2's geometry; a thousand of each kind in
    tests/scoring/test_coverage.py."""
    _, delong, percentiles, ours = coverage(ped2, 2, PROTOCOLS["raw"], 150)
    assert 0.91 <= ours <= 0.99
    assert percentiles < ours - 0.04 and delong < 0.5


def test_the_paired_test_rejects_equals_rarely_and_unequals_often():
    """150 simulated pairs of each kind."""
    *_, percentiles, level, held = rejections(ped2, (2, 2), 0.5, PROTOCOLS["raw"], 150)
    assert level <= 0.08 and level < percentiles and 0.91 <= held <= 0.99
    *_, power, _ = rejections(ped2, (3.5, 1.5), 0.8, PROTOCOLS["raw"], 60)
    assert power > 0.6


@pytest.mark.parametrize("values", [3, 1000])
def test_pairs_of_frames_are_counted_one_by_one(values):
    """Beyond the frames of a block, with many ties and a few, clips of one class among them."""
    generator = np.random.default_rng(values)
    parts = []
    for number, share in enumerate((0.5, 0.0, 0.3, 1.0)):
        labels = (generator.random(90) < share).astype(np.uint8)
        scores = generator.integers(0, values, 90).astype(np.float64)
        parts.append(Part(str(number), "", labels, scores, int(labels.sum())))
    assert sum(int((part.labels == 0).sum()) for part in parts) > 4 * BLOCK
    above, anomalous, normal = pair_counts(tuple(parts))
    for row, one in enumerate(parts):
        for column, other in enumerate(parts):
            high, low = one.scores[one.labels == 1], other.scores[other.labels == 0]
            pairs = (high[:, None] > low).sum() + (high[:, None] == low).sum() / 2
            assert above[row, column] == pairs
    assert anomalous.tolist() == [part.labels.sum() for part in parts]
    assert normal.tolist() == [(part.labels == 0).sum() for part in parts]
