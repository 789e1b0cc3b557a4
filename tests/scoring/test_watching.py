"""Scores one after the other: the same smoothed scores and the same events as of the whole clip."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, signal

from bench.contracts.protocol import Protocol
from bench.scoring.alarms import runs
from bench.scoring.watching import BELOW, RunningSmooth, Watch


def mirrored_median(scores, window):
    """NumPy's: SciPy's median_filter reads unwritten memory where there are fewer scores than the
    window."""
    return np.median(
        np.lib.stride_tricks.sliding_window_view(
            np.pad(scores, window // 2, mode="symmetric"), window
        ),
        axis=1,
    )


WHOLE = {
    Protocol("raw", normalise="clip"): lambda scores: scores,
    Protocol("median", smooth="median", normalise="clip"): lambda scores: mirrored_median(scores, 17),
    Protocol("narrow", smooth="median", window=3): lambda scores: mirrored_median(scores, 3),
    Protocol("zero", smooth="median", window=5, edge="zero"): lambda scores: signal.medfilt(np.pad(scores, 5), 5)[5:-5],
    Protocol("gaussian", smooth="gaussian", sigma=2.3): lambda scores: ndimage.gaussian_filter1d(scores, 2.3),
}  # fmt: skip


@pytest.mark.parametrize("protocol", WHOLE, ids=lambda protocol: protocol.name)
@settings(max_examples=60)
@given(st.lists(st.integers(0, 30), max_size=8), st.integers(0, 99))
def test_running_smooth_is_that_of_the_whole_clip(protocol, sizes, seed):
    """However the scores come in pieces, at both ends too, and for clips shorter than the window;
    never normalised."""
    scores = np.random.default_rng(seed).normal(size=sum(sizes))
    running = RunningSmooth(protocol)
    found = (
        [running.add(piece) for piece in np.split(scores, np.cumsum(sizes)[:-1])] if sizes else []
    )
    found.append(running.finish())
    expected = WHOLE[protocol](scores) if len(scores) else scores
    np.testing.assert_allclose(np.concatenate(found), expected, rtol=1e-12, atol=1e-12)


def test_a_score_is_final_half_a_window_later_and_little_is_held():
    """The delay of a median of 17 is 8 scores; what is held does not grow."""
    running = RunningSmooth(Protocol("median", smooth="median"))
    counts = [len(running.add([float(number)])) for number in range(1000)]
    assert counts == [0] * 8 + [1] * 992
    assert len(running._held) <= 16


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(0, 3))
def test_events_are_the_runs_above_the_threshold(scores, threshold):
    """Begin and end, in frames and seconds; the peak is the first largest score."""
    watch = Watch(threshold)
    told = [
        event
        for number, score in enumerate(scores)
        if (event := watch.add(10 + number, number / 4, score))
    ]
    told += [event] if (event := watch.close("end")) else []
    expected = runs(np.asarray(scores, dtype=int) > threshold)
    ended = list({id(event): event for event in told}.values())
    assert len(told) == 2 * len(expected) and watch.count == len(expected)
    for event, (first, last) in zip(ended, expected):
        inside = scores[first : last + 1]
        assert (event.first, event.last, event.start, event.end) == (
            10 + first,
            10 + last,
            first / 4,
            last / 4,
        )
        assert (event.peak, event.peak_time) == (max(inside), (first + int(np.argmax(inside))) / 4)
        assert event.closed == ("end" if last == len(scores) - 1 else BELOW)


def test_event_as_json_tells_what_is_known():
    """A beginning has no peak yet."""
    watch = Watch(1.0)
    event = watch.add(3, 0.12345, 2.0)
    assert event.as_json() == {"event": "begin", "number": 1, "frame": 3, "start": 0.123}
    watch.add(4, 0.2, 5.0)
    watch.add(5, 0.3, 0.0)
    assert event.as_json() == {
        "event": "end", "number": 1, "first_frame": 3, "last_frame": 4, "start": 0.123, "end": 0.2, "peak": 5.0, "peak_time": 0.2,
        "closed": "below threshold",
    }  # fmt: skip
