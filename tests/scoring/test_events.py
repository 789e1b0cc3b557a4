"""Event-level F1: against matchings tried one by one, and thresholds tried one by one."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_clips import PED2

from bench.contracts.protocol import Protocol
from bench.scoring.alarms import alarms, runs
from bench.scoring.evaluate import ClipScores
from bench.scoring.events import OVERLAPS, best_by_frame_index, f1, matched

RAW = Protocol("raw")
flags = st.lists(st.booleans(), min_size=1, max_size=16).map(np.array)


def alike(one, other, overlap):
    """Frames in common over frames in either, as sets."""
    first, second = (set(range(a, b + 1)) for a, b in (one, other))
    return len(first & second) / len(first | second) >= overlap


@settings(deadline=None)
@given(flags, flags, st.sampled_from(OVERLAPS))
def test_as_many_pairs_as_can_be_made(truth, raised, overlap):
    """Every way to give each event an alarm of its own, or none, tried."""
    events, found = runs(truth)[:3], runs(raised)[:4]
    places = [*range(len(found)), *[None] * len(events)]
    most = max(
        sum(
            place is not None and alike(event, found[place], overlap)
            for event, place in zip(events, chosen)
        )
        for chosen in set(itertools.permutations(places, len(events)))
    )
    assert matched(events, found, overlap) == most


def test_an_alarm_over_two_events_is_one_of_them():
    """At an overlap of 0.2 it could be either; and two alarms in one event find it once."""
    assert matched([(0, 3), (6, 9)], [(0, 9)], 0.2) == 1
    assert matched([(0, 9)], [(0, 4), (5, 9)], 0.2) == 1
    assert matched([(0, 9)], [(0, 4), (5, 9)], 0.8) == 0


def test_f1_is_the_harmonic_mean_of_precision_and_recall():
    """Two of four alarms, two of three events; nothing at all has none."""
    assert f1(2, 3, 4) == pytest.approx(2 / (4 / 2 + 3 / 2))
    assert (f1(0, 3, 0), f1(0, 0, 0)) == (0, None)


def test_alarms_stay_whole_for_f1():
    """One alarm from before an event to behind it, over frames without a score."""
    clip = ClipScores(
        "01", "", np.array([9.0, 9, 9, 9]), np.array([1, 2, 4, 5]), np.array([0, 0, 1, 1, 1, 0])
    )
    found = alarms([clip], 5, RAW)
    assert (found.alarms, found.matched) == (1, (1, 1, 0))  # 3 of 5 frames
    assert found.f1 == [1, 1, 0]


@settings(deadline=None)
@given(st.lists(flags, min_size=1, max_size=4), st.sampled_from(range(len(OVERLAPS))))
def test_the_best_threshold_of_the_frame_index(clips, number):
    """Each threshold tried, with the index as the score."""
    scored = [
        ClipScores(str(n), "", np.arange(len(one), dtype=float), np.arange(len(one)), one * 1)
        for n, one in enumerate(clips)
    ]
    longest = max(map(len, clips))
    every = [alarms(scored, threshold, RAW).f1[number] for threshold in range(-1, longest)]
    lengths = [(len(one), runs(one)) for one in clips]
    value, threshold = best_by_frame_index(lengths, OVERLAPS[number])
    if not any(one.any() for one in clips):
        assert value is None
    else:
        assert value == pytest.approx(max(one for one in every if one is not None))
        assert value == every[threshold + 1]


def test_the_frame_index_alone_finds_the_events_of_ped2():
    """Every clip has one event, most of them to its end: at half an overlap F1 is 1."""
    clips = [(length, [(first - 1, last - 1)]) for length, first, last in PED2]
    assert [best_by_frame_index(clips, overlap)[0] for overlap in OVERLAPS] == [
        1.0,
        1.0,
        pytest.approx(2 / 3),
    ]
