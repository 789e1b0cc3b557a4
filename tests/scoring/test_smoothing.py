"""Smoothing of clips of every length against filters written out with NumPy alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bench
from bench.contracts.protocol import Protocol
from bench.scoring.protocols import AT_ONCE, TRUNCATE, process, process_clips, smooth
from bench.scoring.watching import RunningSmooth

EDGES = ("reflect", "zero")
SHORT = [
    *range(1, 41),
    49,
    50,
    51,
    52,
    75,
    99,
    100,
    101,
    102,
    149,
    150,
    151,
    152,
    299,
    300,
    301,
    302,
    400,
]
"""Lengths below, around and above half of a window, a window, and two."""


def beyond(scores, half, edge):
    """Return the scores with `half` more at both ends: mirrored as often as it takes, or zeros."""
    index, length = np.arange(-half, len(scores) + half), len(scores)
    if edge == "zero":
        return np.where((index >= 0) & (index < length), scores[np.clip(index, 0, length - 1)], 0.0)
    index = index % (2 * length)
    return scores[np.where(index < length, index, 2 * length - 1 - index)]


def plain_median(scores, window, edge):
    windows = np.lib.stride_tricks.sliding_window_view(beyond(scores, window // 2, edge), window)
    return np.sort(windows, axis=1)[:, window // 2]


def plain_gaussian(scores, sigma, edge):
    reach = int(TRUNCATE * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.lib.stride_tricks.sliding_window_view(beyond(scores, reach, edge), 2 * reach + 1) @ (
        weights / weights.sum()
    )


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("window", [1, 3, 5, 17, 51, 101, 301])
def test_median_of_clips_of_every_length(window, edge):
    """Equal to the median written out, far below the window's length too."""
    generator = np.random.default_rng(window)
    protocol = Protocol("x", smooth="median", window=window, edge=edge)
    for length in SHORT:
        scores = 1 + generator.random(length)
        np.testing.assert_array_equal(
            smooth(scores, protocol), plain_median(scores, window, edge), err_msg=str(length)
        )


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("window", [1, 17, 301])
def test_median_of_a_long_clip(window, edge):
    """Longer than the part that is filtered at once."""
    scores = np.random.default_rng(window).normal(
        size=AT_ONCE // window + 50 if window > 1 else 1000
    )
    found = smooth(scores, Protocol("x", smooth="median", window=window, edge=edge))
    np.testing.assert_array_equal(found, plain_median(scores, window, edge))


@settings(max_examples=150)
@given(st.integers(1, 400), st.integers(0, 150), st.sampled_from(EDGES), st.integers(0, 2**32 - 1))
def test_median_of_any_length_and_window(length, half, edge, seed):
    """Whatever was in memory before."""
    scores = np.random.default_rng(seed).normal(size=length)
    found = smooth(scores, Protocol("x", smooth="median", window=2 * half + 1, edge=edge))
    np.testing.assert_array_equal(found, plain_median(scores, 2 * half + 1, edge))


@settings(max_examples=100)
@given(
    st.lists(st.integers(0, 40), max_size=6),
    st.sampled_from(
        [
            Protocol("x"),
            Protocol("x", normalise="clip"),
            Protocol("x", smooth="median", normalise="clip"),
            Protocol("x", smooth="median", edge="zero", normalise="clip", order="normalise-first"),
            Protocol("x", smooth="gaussian", sigma=3.0, normalise="clip"),
        ]
    ),
    st.integers(0, 2**32 - 1),
)
def test_clips_together_are_what_they_are_alone(lengths, protocol, seed):
    """Empty, constant and short ones too: no clip sees its neighbours."""
    generator = np.random.default_rng(seed)
    clips = [generator.integers(0, 3, length).astype(np.float64) for length in lengths]
    together = process_clips(clips, protocol)
    assert len(together) == len(clips)
    for scores, found in zip(clips, together, strict=True):
        np.testing.assert_array_equal(found, process(scores, protocol))


@settings(max_examples=100)
@given(
    st.integers(1, 200),
    st.sampled_from([0.1, 0.5, 2.3, 10.0, 40.0]),
    st.sampled_from(EDGES),
    st.integers(0, 2**32 - 1),
)
def test_gaussian_of_any_length(length, sigma, edge, seed):
    """A Gaussian far wider than the clip too."""
    scores = np.random.default_rng(seed).normal(size=length)
    found = smooth(scores, Protocol("x", smooth="gaussian", sigma=sigma, edge=edge))
    np.testing.assert_allclose(found, plain_gaussian(scores, sigma, edge), rtol=0, atol=1e-12)


@settings(max_examples=60)
@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.sampled_from([3, 17, 51, 101]),
    st.sampled_from(EDGES),
)
def test_scores_that_come_one_after_the_other(length, piece, window, edge):
    """The same median of a stream that ends before half a window is there."""
    scores = np.random.default_rng(length).normal(size=length)
    running = RunningSmooth(Protocol("x", smooth="median", window=window, edge=edge))
    found = [running.add(scores[start : start + piece]) for start in range(0, length, piece)]
    np.testing.assert_array_equal(
        np.concatenate([*found, running.finish()]), plain_median(scores, window, edge)
    )


@pytest.mark.parametrize(
    "protocol",
    [
        "median17[normalise=none]",
        "median17",
        "ddl[edge=reflect]",
        "median17[window=51,normalise=none]",
    ],
)
def test_the_number_of_clips_of_two_scores(protocol):
    """Two scores a clip, the second abnormal: the number is that of scores smoothed by hand, each
    time."""
    generator = np.random.default_rng(0)
    window = 51 if "51" in protocol else 17
    scores = {f"{number:03d}": np.sort(1 + generator.random(2)) for number in range(200)}
    labels = dict.fromkeys(scores, np.array([0, 1]))
    by_hand = {clip: plain_median(values, window, "reflect") for clip, values in scores.items()}
    expected = bench.score(by_hand, labels, "minmax" if protocol == "median17" else "raw")
    assert [float(bench.score(scores, labels, protocol)) for _ in range(3)] == [float(expected)] * 3
