"""Thresholds, events and alarms: cases worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.contracts.protocol import Protocol
from bench.scoring.alarms import (
    alarms,
    far_more_than_promised,
    more_than_promised,
    runs,
    threshold_of,
)
from bench.scoring.evaluate import ClipScores

RAW = Protocol("raw")
MEDIAN = Protocol("median", smooth="median", window=3, normalise="clip")


def clip(scores, labels, first=0):
    scores = np.asarray(scores, dtype=float)
    return ClipScores("01", "", scores, np.arange(first, first + len(scores)), np.asarray(labels))


def test_events_delays_and_false_alarms_by_hand():
    """Two events of which one is found a frame late, one alarm in normal frames, and one that
    begins before the event."""
    labels = [0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 0]
    scores = [0, 9, 9, 0, 0, 9, 0, 0, 0, 0, 0, 0]
    found = alarms([clip(scores, labels)], 5, RAW)
    assert (found.events, found.delays, found.false_alarms, found.normal_frames) == (2, (1,), 1, 7)
    early = alarms([clip([0, 0, 0, 9, 9, 9, 0, 0, 0, 0, 0, 0], labels)], 5, RAW)
    assert (early.delays, early.false_alarms, early.false_frames, early.on_already) == (
        (0,),
        1,
        1,
        1,
    )


def test_a_permanent_alarm_is_anything_but_perfect():
    """As long as the clip, or all clips: false before, between and after the events, and on at each
    of their beginnings but the first."""
    labels = [0, 0, 1, 1, 0, 1, 0, 0]
    found = alarms([clip([9] * 8, labels)], 5, RAW)
    assert (found.events, found.delays, found.on_already) == (2, (0, 0), 2)
    assert (found.false_alarms, found.false_frames, found.normal_frames, found.normal_above) == (
        3,
        5,
        5,
        1.0,
    )
    begins = alarms([clip([9] * 4, [1, 1, 0, 0])], 5, RAW)
    assert (begins.delays, begins.on_already, begins.false_alarms, begins.false_frames) == (
        (0,),
        0,
        1,
        2,
    )


def test_alarms_are_split_where_an_event_has_no_score():
    """Two scored frames that follow each other in the scores, and not in the clip."""
    scores = ClipScores("01", "", np.array([9.0, 9.0]), np.array([0, 3]), np.array([0, 1, 1, 0]))
    found = alarms([scores], 5, RAW)
    assert (found.events, found.delays, found.false_alarms, found.false_frames) == (1, (), 2, 2)


@given(
    labels=st.lists(st.integers(0, 1), min_size=1, max_size=40),
    above=st.lists(st.booleans(), min_size=40, max_size=40),
    first=st.integers(0, 10),
)
def test_every_frame_above_is_counted_once(labels, above, first):
    """Against a loop over frames: each normal one above is false, in an alarm of its own unless its
    neighbour before is one as well."""
    frames = np.arange(first, len(labels)) if first < len(labels) else np.zeros(0, int)
    scores = np.where(above[: len(frames)], 9.0, 0.0)
    found = alarms([ClipScores("01", "", scores, frames, np.array(labels))], 5, RAW)
    false = {
        frame for frame, score in zip(frames.tolist(), scores) if score > 5 and not labels[frame]
    }
    assert found.false_frames == len(false)
    assert found.false_alarms == sum(frame - 1 not in false for frame in false)
    assert found.normal_frames == sum(not labels[frame] for frame in frames)
    assert len(found.delays) <= found.events


@pytest.mark.parametrize(
    ("above", "frames", "rate", "more"),
    [
        (1, 1000, 0.001, False),
        (2, 1000, 0.001, True),
        (1, 3, 0.001, False),
        (2, 3, 0.001, True),
        (0, 0, 0.001, False),
        (1, 5, 0.0, True),
    ],
)
def test_more_than_promised_counts_whole_frames(above, frames, rate, more):
    """A share of few frames is less than one of them."""
    assert more_than_promised(above, frames, rate) == more
    assert more_than_promised(above, frames, 1 - (1 - rate)) == more


@pytest.mark.parametrize(
    ("above", "frames", "rate", "far"),
    [
        (10, 100, 0.001, False),
        (11, 100, 0.001, True),
        (100, 10_000, 0.001, False),
        (101, 10_000, 0.001, True),
        (600, 1000, 0.2, False),
        (601, 1000, 0.2, True),
        (1000, 1000, 0.9, True),
        (0, 0, 0.001, False),
    ],
)
def test_far_more_than_promised(above, frames, rate, far):
    """Ten frames and ten times the share; where that were all frames, nearer to all than to the
    share."""
    assert far_more_than_promised(above, frames, rate) == far


def test_frames_without_a_score_are_neither_alarm_nor_normal_video():
    """Scores begin at frame 4: an event that ends before is not found, and the delay counts from
    the event's first frame."""
    labels = [1, 1, 0, 1, 1, 1, 0, 0]
    found = alarms([clip([9, 9, 0, 9], labels, first=4)], 5, RAW)
    assert (found.events, found.delays, found.false_alarms, found.normal_frames) == (2, (1,), 1, 2)
    nothing = alarms([clip([], labels)], 5, RAW)
    assert (nothing.events, nothing.delays, nothing.normal_frames) == (2, (), 0)


def test_a_score_at_the_threshold_is_no_alarm():
    """Above means above."""
    assert alarms([clip([5, 5], [0, 1])], 5, RAW).delays == ()


def test_scores_are_smoothed_and_not_normalised():
    """A single high frame is smoothed away; min-max of the protocol does not lift a quiet clip over
    the threshold."""
    quiet = clip([0, 0.1, 0, 0, 0.2, 0.2, 0.2, 0], [0] * 8)
    assert alarms([quiet], 0.5, MEDIAN).false_alarms == 0
    assert alarms([clip([0, 0, 9, 0, 0], [0] * 5)], 0.5, MEDIAN).false_alarms == 0


@pytest.mark.parametrize("count", [5, 999, 2550, 10_001])
def test_at_most_one_training_frame_in_a_thousand_exceeds_the_threshold(count):
    """And the threshold is a score of a frame, not more of them than needed lying at or below
    it."""
    scores = np.random.default_rng(0).permutation(count).astype(float)
    threshold = threshold_of([scores[: count // 2], scores[count // 2 :]], RAW)
    assert threshold in scores
    assert (scores > threshold).sum() <= count / 1000
    assert (scores > threshold - 1).sum() > (count - 1) / 1000


def test_threshold_smooths_each_training_clip():
    """Peaks of one frame are gone."""
    assert threshold_of([[0, 0, 9, 0, 0], [1, 1, 1]], MEDIAN) == 1


def test_runs_are_maximal():
    """First and last index of each."""
    assert runs(np.array([1, 1, 0, 1, 0, 0, 1], dtype=bool)) == [(0, 1), (3, 3), (6, 6)]
    assert runs(np.zeros(3, dtype=bool)) == []
