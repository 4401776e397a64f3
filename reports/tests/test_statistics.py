"""The spread and the certainty of shares, against numbers from their definitions."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.statistics import Z_95, gini, wilson


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 1, 1], 0.0), ([0, 0, 0, 8], 0.75), ([0, 0, 1, 3], 0.625), ([5], None), ([], None), ([0, 0], None)],
)
def test_gini_is_zero_when_even_and_grows_with_concentration(values, expected):
    assert gini(values) == (None if expected is None else pytest.approx(expected))


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=30))
def test_gini_is_half_the_mean_difference_over_the_mean(values):
    n, total = len(values), sum(values)
    differences = sum(abs(a - b) for a, b in itertools.product(values, values))
    assert gini(values) == (pytest.approx(differences / (2 * n * total), abs=1e-9) if total else None)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775), (1, 1, 0.2065, 1.0), (8, 10, 0.4902, 0.9433), (50, 100, 0.4038, 0.5962)],
)
def test_wilson_gives_the_published_intervals(hits, n, low, high):
    assert wilson(hits, n) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_bounds_solve_the_score_test(case):
    hits, n = case
    share, interval = hits / n, wilson(hits, n)
    assert 0 <= interval.low <= share <= interval.high <= 1
    for bound in interval:
        if 0 < bound < 1:
            assert (share - bound) ** 2 == pytest.approx(Z_95**2 * bound * (1 - bound) / n, rel=1e-6)


def test_wilson_says_nothing_without_trials_and_refuses_what_is_no_share():
    assert wilson(0, 0) is None
    with pytest.raises(ValueError, match="3 of 2"):
        wilson(3, 2)
