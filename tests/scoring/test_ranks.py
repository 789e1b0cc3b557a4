"""What a ranking resolves, and what a test can find: against resamples spelt out, SciPy's
distributions, and groups tried one by one."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit, logit
from simulated_clips import several_methods
from test_intervals import PROTOCOLS, few_resamples, made_clips, spelt_out, value_of

from bench.scoring.intervals import Column, Spread, difference, joined
from bench.scoring.power import POWER, clips_needed, detectable
from bench.scoring.ranks import letters, rank
from bench.scoring.resampling import ClipAuc

__all__ = ["few_resamples"]  # a fixture
RAW = PROTOCOLS["raw"]


def column_of(rows, protocol=RAW):
    return Column({name: ClipAuc(seeds, protocol) for name, seeds in rows.items()})


def four_rows():
    """Of different skill, one of them not scored in the first frames."""
    return {
        "good": [made_clips(21, 3.0)],
        "fair": [made_clips(22, 1.5)],
        "late": [made_clips(23, 1.4, first=4)],
        "none": [made_clips(24, -1.0)],
    }


@pytest.mark.parametrize("name", ["raw", "median17", "macro17", "ddl"])
def test_a_column_gives_each_pair_its_own_test(name):
    """The same numbers as the pair by itself, bit by bit, whatever the rows share."""
    rows = four_rows()
    column = column_of(rows, PROTOCOLS[name])
    for first, second in itertools.permutations(rows, 2):
        alone = difference(rows[first], rows[second], PROTOCOLS[name])
        assert column.difference(first, second) == alone


def test_ranks_are_the_bootstrap_spelt_out(few_resamples):
    """Resamples evaluated one by one: which p-values are small enough among three tests, and how
    often each row is first."""
    rows = {name: seeds for name, seeds in four_rows().items() if name != "late"}
    order = ["good", "fair", "none"]
    found = rank(column_of(rows), order)
    drawn, _, _, count = spelt_out([rows[name][0] for name in order], RAW, 40)
    place = dict(zip(order, drawn))
    p, least = {}, dict.fromkeys(order, np.ones(40))
    for one, other in itertools.combinations(order, 2):
        apart = place[one] - place[other]
        strayed = (apart - apart.mean()) / np.std(apart, ddof=1)
        error = np.std(apart, ddof=1) * np.sqrt(count / (count - 1))
        values = [value_of(rows[name][0], RAW) for name in (one, other)]
        p[one, other] = 2 * stats.t.sf(abs(logit(values[0]) - logit(values[1])) / error, count - 1)
        for name in (one, other):
            least[name] = np.minimum(least[name], 2 * stats.norm.sf(abs(strayed)))
    for number, name in enumerate(order):
        level = np.quantile(least[name], 0.05)
        small = [pair for pair in p if name in pair and p[pair] < level]
        better = sum(pair[1] == name for pair in small)
        assert (found.ranks[name].low, found.ranks[name].high) == (
            1 + better,
            3 - (len(small) - better),
        )
        first = (drawn.argmax(axis=0) == number).mean()
        assert found.ranks[name].first == pytest.approx(first)
    for pair, value in p.items():
        assert found.tests[pair].p == pytest.approx(value, abs=1e-9)


def test_corrected_p_values_are_those_of_benjamini_and_hochberg():
    """Written out: the smallest of n p / place from each place on."""
    rows = four_rows()
    found = rank(column_of(rows), list(rows))
    ordered = sorted(found.tests, key=lambda pair: found.tests[pair].p)
    expected = 1.0
    for place, pair in reversed(list(enumerate(ordered, 1))):
        expected = min(expected, found.tests[pair].p * len(ordered) / place)
        assert found.adjusted[pair] == pytest.approx(expected)
        assert found.separated(*pair) == (expected < 0.05)
    assert found.neighbours == list(itertools.pairwise(rows))


def test_equal_rows_share_the_first_place():
    """Ties are shared, p is 1, and no test holds a rank back."""
    clips = made_clips(25)
    found = rank(column_of({"one": [clips], "other": [clips]}), ["one", "other"])
    assert [(one.low, one.high, one.first, one.groups) for one in found.ranks.values()] == [
        (1, 2, 0.5, "A")
    ] * 2


def test_rows_that_cannot_be_resampled_have_all_ranks():
    """One clip: nothing is known of the order."""
    rows = {name: [clips[:1]] for name, (clips, *_) in four_rows().items()}
    found = rank(column_of(rows), list(rows))
    assert not found.tests and {(one.low, one.high, one.first) for one in found.ranks.values()} == {
        (1, 4, None)
    }


@given(st.integers(1, 7).flatmap(lambda n: st.tuples(
    st.just([f"row {i}" for i in range(n)]),
    st.sets(st.sampled_from([(i, j) for i in range(n) for j in range(i + 1, n)] or [(0, 0)])),
)))  # fmt: skip
def test_rows_share_a_letter_where_they_are_not_separated(drawn):
    """For any pairs; no group is part of another, and the best has an A."""
    rows, numbers = drawn
    separated = {(rows[i], rows[j]) for i, j in numbers if i != j}
    found = {row: set(text.split()) for row, text in letters(rows, list(separated)).items()}
    for one, other in itertools.combinations(rows, 2):
        assert bool(found[one] & found[other]) == ((one, other) not in separated)
    groups = [
        {row for row in rows if letter in found[row]} for letter in set().union(*found.values())
    ]
    assert not any(one < other for one in groups for other in groups)
    assert "A" in found[rows[0]]


def test_the_spread_over_seeds_is_that_of_welch():
    """Of equal spreads and degrees it is SciPy's test of two samples with unequal variances."""
    generator = np.random.default_rng(3)
    one, other = generator.normal(size=5), generator.normal(0.5, 2, size=4)
    spread = joined(
        [Spread(values.var(ddof=1) / len(values), len(values) - 1) for values in (one, other)]
    )
    expected = stats.ttest_ind(one, other, equal_var=False)
    assert spread.degrees == pytest.approx(expected.df)
    assert (one.mean() - other.mean()) / spread.variance**0.5 == pytest.approx(expected.statistic)


def test_seeds_enter_the_test_of_a_difference():
    """The variance of the mean of the logits is added to that over clips."""
    first = [made_clips(31, 2.0), made_clips(32, 1.0), made_clips(33, 1.5)]
    second = [made_clips(34, 1.0)]
    found = difference(first, second, RAW)
    logits = logit([value_of(clips, RAW) for clips in first])
    assert found.over_seeds == (Spread(pytest.approx(np.var(logits, ddof=1) / 3), 2), None)
    alone = replace(found, over_seeds=(None, None))
    assert found.spread.variance == pytest.approx(
        alone.spread.variance + found.over_seeds[0].variance
    )
    apart = abs(logit(found.first) - logit(found.second))
    assert found.p == pytest.approx(
        2 * stats.t.sf(apart / found.spread.variance**0.5, found.spread.degrees)
    )


def test_seeds_widen_the_interval_of_a_rank():
    """Thirty clips know the order of three rows, until the training of one varies far more."""
    skills = (3.0, 1.5, 0.0, -3.0, 6.0)
    made = several_methods(
        lambda _: [("", np.arange(60) // 20 % 2)] * 30, skills, 0.9, np.random.RandomState(5)
    )
    steady = {f"row {number}": [made[number]] for number in range(3)}
    varied = {**steady, "row 1": [made[3], made[1], made[4]]}
    known, unknown = (rank(column_of(rows), list(rows)).ranks for rows in (steady, varied))
    assert [(one.low, one.high, one.groups) for one in known.values()] == [
        (1, 1, "A"),
        (2, 2, "B"),
        (3, 3, "C"),
    ]
    assert (unknown["row 1"].low, unknown["row 1"].high) == (1, 3)
    assert known["row 1"].first == 0 < unknown["row 1"].first


def power(apart, spread):
    """The chance that a test finds a difference of logits, by SciPy's noncentral t."""
    limit = stats.t.ppf(0.975, spread.degrees)
    return stats.nct.sf(limit, spread.degrees, apart / spread.variance**0.5)


@pytest.mark.parametrize("seeds", [1, 3])
def test_what_a_test_can_find(seeds):
    """The smallest difference has a power of 80 %; so has the measured one with the clips that are
    needed, and less with one clip fewer."""
    skills = [2.3] * seeds + [2.0]
    clips = several_methods(lambda _: [("", made.labels) for made in made_clips(1)] * 3, skills, 0.9,
                            np.random.RandomState(4))  # fmt: skip
    found = difference(clips[:seeds], clips[seeds:], RAW)
    smallest = detectable(found)
    middle = (logit(found.first) + logit(found.second)) / 2
    ends = [expit(middle + sign * half / 2) for sign, half in itertools.product((1, -1), (1,))]
    assert ends[0] > ends[1]
    apart = next(
        step
        for step in np.linspace(0, 10, 100_001)
        if expit(middle + step / 2) - expit(middle - step / 2) >= smallest
    )
    assert power(apart, found.spread) == pytest.approx(POWER, abs=1e-3)
    measured = abs(logit(found.first) - logit(found.second))
    needed = clips_needed(found)
    if needed is None:
        assert power(measured, found.spread_with(1e4)) < POWER
    else:
        assert power(measured, found.spread_with(needed / found.clips)) >= POWER
        assert power(measured, found.spread_with((needed - 1) / found.clips)) < POWER


def test_more_clips_than_are_counted_are_none(monkeypatch):
    """Up to MOST they are a number, whether that is a power of two or not."""
    clips = several_methods(lambda _: [("", made.labels) for made in made_clips(1)] * 3, [2.3, 2.0],
                            0.9, np.random.RandomState(4))  # fmt: skip
    found = difference(clips[:1], clips[1:], RAW)
    needed = clips_needed(found)
    monkeypatch.setattr("bench.scoring.power.MOST", needed)
    assert clips_needed(found) == needed
    monkeypatch.setattr("bench.scoring.power.MOST", needed - 1)
    assert clips_needed(found) is None


def test_equal_methods_need_no_end_of_clips():
    """Nor is there a smallest difference where the scores are the same."""
    clips = made_clips(26)
    found = difference([clips], [clips], RAW)
    assert detectable(found) is None and clips_needed(found) is None
    assert clips_needed(difference([clips[:1]], [clips[:1]], RAW)) is None
