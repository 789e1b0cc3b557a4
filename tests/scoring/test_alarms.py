"""Thresholds, events and alarms: cases worked out by hand."""

import numpy as np
import pytest

from bench.scoring.alarms import alarms, runs, threshold_of
from bench.scoring.evaluate import ClipScores
from bench.scoring.protocols import Protocol

RAW = Protocol("raw")
MEDIAN = Protocol("median", smooth="median", window=3, normalise="clip")


def clip(scores, labels, first=0):
    scores = np.asarray(scores, dtype=float)
    return ClipScores("01", "", scores, np.arange(first, first + len(scores)), np.asarray(labels))


def test_events_delays_and_false_alarms_by_hand():
    """Two events of which one is found a frame late, one alarm in normal frames, and one that begins before the event."""
    labels = [0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 0]
    scores = [0, 9, 9, 0, 0, 9, 0, 0, 0, 0, 0, 0]
    found = alarms([clip(scores, labels)], 5, RAW)
    assert (found.events, found.delays, found.false_alarms, found.normal_frames) == (2, (1,), 1, 7)
    early = alarms([clip([0, 0, 0, 9, 9, 9, 0, 0, 0, 0, 0, 0], labels)], 5, RAW)
    assert (early.delays, early.false_alarms) == ((0,), 0)


def test_frames_without_a_score_are_neither_alarm_nor_normal_video():
    """Scores begin at frame 4: an event that ends before is not found, and the delay counts from the event's first frame."""
    labels = [1, 1, 0, 1, 1, 1, 0, 0]
    found = alarms([clip([9, 9, 0, 9], labels, first=4)], 5, RAW)
    assert (found.events, found.delays, found.false_alarms, found.normal_frames) == (2, (1,), 1, 2)
    nothing = alarms([clip([], labels)], 5, RAW)
    assert (nothing.events, nothing.delays, nothing.normal_frames) == (2, (), 0)


def test_a_score_at_the_threshold_is_no_alarm():
    """Above means above."""
    assert alarms([clip([5, 5], [0, 1])], 5, RAW).delays == ()


def test_scores_are_smoothed_and_not_normalised():
    """A single high frame is smoothed away; min-max of the protocol does not lift a quiet clip over the threshold."""
    quiet = clip([0, 0.1, 0, 0, 0.2, 0.2, 0.2, 0], [0] * 8)
    assert alarms([quiet], 0.5, MEDIAN).false_alarms == 0
    assert alarms([clip([0, 0, 9, 0, 0], [0] * 5)], 0.5, MEDIAN).false_alarms == 0


@pytest.mark.parametrize("count", [5, 999, 2550, 10_001])
def test_at_most_one_training_frame_in_a_thousand_exceeds_the_threshold(count):
    """And the threshold is a score of a frame, not more of them than needed lying at or below it."""
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
