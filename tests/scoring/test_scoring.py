"""Protocols and metrics against known answers, scikit-learn and plain counting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from known_answers import COLUMNS, FRAMES, KNOWN, MACRO_CLIPS, real_clips
from scipy.optimize import brentq
from scipy.signal import medfilt
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.plugins.registry import load
from bench.plugins.selection import select_one
from bench.scoring.evaluate import ClipScores, evaluate
from bench.scoring.metrics import ap, auc, eer
from bench.scoring.protocols import process, sentence

REGISTRY = load()


def protocol_of(text):
    return select_one("protocols", text, REGISTRY).parameters


# -- known answers ---------------------------------------------------------------------------------


@pytest.mark.realdata
@pytest.mark.parametrize("case", KNOWN, ids="/".join)
def test_known_answers(real_data, case):
    """Real scores under each protocol give the numbers that scipy and scikit-learn gave, to four
    digits."""
    source, dataset, label_set, metric = case
    clips = real_clips(real_data, source, dataset, label_set)
    for text, expected in zip(COLUMNS, KNOWN[case]):
        if expected is not None:
            assert (
                round(evaluate(clips, protocol_of(text), REGISTRY.metrics[metric]).value, 4)
                == expected
            ), text


@pytest.mark.realdata
@pytest.mark.parametrize("case", FRAMES, ids="/".join)
def test_known_counts(real_data, case):
    """The frames, and the clips of both classes, that go in."""
    clips = real_clips(real_data, *case)
    result = evaluate(clips, protocol_of("median17"), REGISTRY.metrics["auc"])
    assert (result.frames, result.anomalous_frames) == FRAMES[case]
    if case in MACRO_CLIPS:
        macro = evaluate(clips, protocol_of("macro17"), REGISTRY.metrics["auc"])
        assert macro.clips == MACRO_CLIPS[case]
        assert macro.clips + macro.clips_left_out == len(clips)


# -- smoothing and normalising ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edge", "expected"),
    [
        ("zero", [0, 1.2821396, 12.056766, 2.9391059]),
        ("reflect", [1.7700818, 1.7700818, 12.056766, 20.134227]),
    ],
)
def test_median_golden(edge, expected):
    """The median of 17 of i |sin(0.9 i)| with both edges."""
    index = np.arange(40)
    smoothed = process(
        index * np.abs(np.sin(0.9 * index)), Protocol("x", smooth="median", edge=edge)
    )
    np.testing.assert_allclose(smoothed[[0, 3, 20, 39]], expected, rtol=1e-7)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=60))
def test_zero_edge_is_medfilt(values):
    """edge=zero is what scipy.signal.medfilt does."""
    padded = np.concatenate([values, np.zeros(max(0, 17 - len(values)))])
    expected = medfilt(padded, 17)[: len(values)]
    np.testing.assert_array_equal(
        process(np.array(values), Protocol("x", smooth="median", edge="zero")), expected
    )


def test_constant_clip_becomes_zero():
    """min-max of a constant clip is 0, not NaN."""
    np.testing.assert_array_equal(
        process(np.full(5, 3.0), Protocol("x", normalise="clip")), np.zeros(5)
    )


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=50))
def test_normalising_twice_changes_nothing(values):
    """min-max is idempotent and stays in 0..1."""
    protocol = Protocol("x", normalise="clip")
    once = process(np.array(values), protocol)
    assert once.min() >= 0
    assert once.max() <= 1
    np.testing.assert_allclose(process(once, protocol), once, atol=1e-12)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"window": 16}, "window 16: an odd number"),
        ({"sigma": 0.0}, "must be above 0"),
        ({"pool": "mean"}, "pool must be one of micro, macro"),
        ({"pool": "macro-padded"}, "after normalise=clip alone"),
    ],
)
def test_impossible_protocols_are_refused(values, text):
    """A window without a middle, a gaussian without width, an unknown pooling, 0 and 1 beside
    scores of another range."""
    with pytest.raises(ValueError, match=text):
        Protocol("x", **values)


def test_sentences_differ():
    """Every named protocol has its own words."""
    assert (
        len({sentence(protocol) for protocol in REGISTRY.protocols.values()})
        == len(REGISTRY.protocols)
        == 8
    )


# -- metrics ---------------------------------------------------------------------------------------

labelled = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=2, max_size=40).filter(
    lambda pairs: 0 < sum(label for label, _ in pairs) < len(pairs)
)


@given(labelled)
def test_metrics_equal_scikit_learn_and_counting(pairs):
    """AUC is the share of pairs in order, ties half; AUC and AP are scikit-learn's."""
    labels, scores = (
        np.array([int(label) for label, _ in pairs]),
        np.array([float(score) for _, score in pairs]),
    )
    counted = [(a > b) + 0.5 * (a == b) for a in scores[labels == 1] for b in scores[labels == 0]]
    assert auc(labels, scores) == pytest.approx(np.mean(counted), abs=1e-12)
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert ap(labels, scores) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)


@given(labelled)
def test_eer_is_where_the_roc_curve_crosses(pairs):
    """The EER is the root of misses minus false alarms on scikit-learn's ROC curve, interpolated
    linearly."""
    labels, scores = (
        np.array([int(label) for label, _ in pairs]),
        np.array([float(score) for _, score in pairs]),
    )
    false, true, _ = roc_curve(labels, scores, drop_intermediate=False)
    expected = brentq(lambda rate: 1 - np.interp(rate, false, true) - rate, 0, 1)
    assert eer(labels, scores) == pytest.approx(expected, abs=1e-9)


@given(labelled)
def test_monotone_map_changes_no_metric(pairs):
    """Only the order of scores counts."""
    labels, scores = (
        np.array([int(label) for label, _ in pairs]),
        np.array([float(score) for _, score in pairs]),
    )
    for metric in (auc, ap, eer):
        assert metric(labels, scores) == pytest.approx(
            metric(labels, np.exp(scores) * 3 - 7), abs=1e-12
        )


# -- pooling ---------------------------------------------------------------------------------------


def clips_of(*rows, scenes=("", "", "")):
    return [
        ClipScores(
            str(number), scene, np.array(scores, float), np.arange(len(scores)), np.array(labels)
        )
        for number, ((labels, scores), scene) in enumerate(zip(rows, scenes))
    ]


ROWS = (([0, 0, 1], [0.1, 0.5, 0.4]), ([0, 1, 1], [5.0, 9.0, 4.0]), ([1, 1, 1], [1.0, 2.0, 3.0]))


def test_order_of_clips_does_not_matter():
    """Any order gives the same number under each protocol."""
    for protocol in REGISTRY.protocols.values():
        clips = clips_of(*ROWS, scenes=("a", "b", "b"))
        assert evaluate(clips, protocol, REGISTRY.metrics["auc"]) == evaluate(
            clips[::-1], protocol, REGISTRY.metrics["auc"]
        )


def test_macro_leaves_clips_of_one_class_out():
    """Their number is said; padding gives every clip both classes."""
    macro = evaluate(clips_of(*ROWS), Protocol("x", pool="macro"), REGISTRY.metrics["auc"])
    assert macro.value == pytest.approx((0.5 + 0.5) / 2)
    assert (macro.clips, macro.clips_left_out, macro.frames) == (2, 1, 6)
    padded = evaluate(
        clips_of(*ROWS),
        Protocol("x", pool="macro-padded", normalise="clip"),
        REGISTRY.metrics["auc"],
    )
    assert (padded.clips, padded.clips_left_out, padded.frames, padded.anomalous_frames) == (
        3,
        0,
        9,
        6,
    )


def test_scene_median_and_mean():
    """Frames of a scene are pooled, then the scenes' numbers are joined; a scene of one class has
    none."""
    clips = clips_of(
        ([0, 1], [1, 2]), ([0, 1], [2, 1]), ([0, 1, 1], [2, 1, 3]), scenes=("a", "b", "c")
    )
    assert evaluate(clips, Protocol("x", pool="scene-median"), REGISTRY.metrics["auc"]).value == 0.5
    assert evaluate(
        clips, Protocol("x", pool="scene-mean"), REGISTRY.metrics["auc"]
    ).value == pytest.approx(0.5)
    assert evaluate(
        clips_of(*ROWS, scenes=("a", "a", "b")),
        Protocol("x", pool="scene-mean"),
        REGISTRY.metrics["auc"],
    ).value == pytest.approx(6 / 9)


def test_one_class_has_no_value():
    """There is a reason instead of a number."""
    result = evaluate(clips_of(ROWS[2]), Protocol("x"), REGISTRY.metrics["auc"])
    assert result.value is None
    assert "every scored frame is anomalous" in result.reason


def test_scene_of_one_class_is_left_out():
    """Its clips are counted as left out, and its frames do not count."""
    clips = clips_of(([0, 1], [1, 2]), ([0, 1], [2, 1]), ([1, 1], [2, 1]), scenes=("a", "b", "c"))
    result = evaluate(clips, Protocol("x", pool="scene-mean"), REGISTRY.metrics["auc"])
    assert (
        result.value,
        result.frames,
        result.anomalous_frames,
        result.clips,
        result.clips_left_out,
    ) == (0.5, 4, 2, 2, 1)
    nothing = evaluate(clips[2:], Protocol("x", pool="scene-mean"), REGISTRY.metrics["auc"])
    assert (nothing.value, nothing.chance) == (None, None)
    assert "every scored frame is anomalous" in nothing.reason


def test_nothing_scored_has_no_value():
    """No clip, or none with a score, is said so."""
    for clips in ([], [ClipScores("1", "", np.zeros(0), np.zeros(0, int), np.array([0, 1]))]):
        for protocol in REGISTRY.protocols.values():
            result = evaluate(clips, protocol, REGISTRY.metrics["auc"])
            assert (result.value, result.reason, result.clips_left_out) == (
                None,
                "no frame has a score",
                len(clips),
            )


def test_metric_that_raises_costs_its_value():
    """The reason names the metric and its error; NaN is no value either."""

    def broken(labels, scores):
        raise IndexError("beyond the end")

    result = evaluate(clips_of(*ROWS), Protocol("x"), Metric("mine", broken))
    assert (result.value, result.reason) == (None, "metric mine: IndexError: beyond the end")
    assert (
        evaluate(
            clips_of(*ROWS), Protocol("x"), Metric("mine", lambda labels, scores: np.nan)
        ).reason
        == "metric mine gave nan"
    )


def test_clip_without_scores_is_left_out():
    """A clip shorter than a window counts as left out."""
    clips = [*clips_of(*ROWS), ClipScores("9", "", np.zeros(0), np.zeros(0, int), np.array([0, 1]))]
    assert evaluate(clips, Protocol("x"), REGISTRY.metrics["auc"]).clips_left_out == 1


def test_chance_levels():
    """AP's chance is the share of anomalous frames."""
    assert evaluate(clips_of(*ROWS), Protocol("x"), REGISTRY.metrics["ap"]).chance == pytest.approx(
        6 / 9
    )
    assert evaluate(clips_of(*ROWS), Protocol("x"), REGISTRY.metrics["auc"]).chance == 0.5


@pytest.mark.parametrize("name", ["macro17", "macro17-padded"])
def test_the_order_of_clips_does_not_show_in_the_last_digit(name):
    """Sums of floats depend on their order: whatever the order of the clips, the mean over them is
    the same bit by bit."""
    generator = np.random.default_rng(3)
    clips = []
    for number in range(11):
        labels = (np.arange(23 + 3 * number) % 7 < 3).astype(int)
        clips.append(
            ClipScores(
                f"{number:02d}",
                str(number),
                generator.random(len(labels)) + 0.3 * labels,
                np.arange(len(labels)),
                labels,
            )
        )
    registry = load()
    orders = [generator.permutation(len(clips)) for _ in range(50)]
    values = {
        evaluate(
            [clips[number] for number in order], registry.protocols[name], registry.metrics["auc"]
        ).value
        for order in orders
    }
    assert len(values) == 1


@pytest.mark.parametrize("metric", [auc, ap, eer])
def test_a_score_that_is_no_number_is_refused(metric):
    """It would stand above or below all others."""
    with pytest.raises(ValueError, match="a score is NaN"):
        metric(np.array([0, 1, 1]), np.array([0.1, np.nan, 0.3]))
