"""The simulation, against futures that can be calculated exactly."""

from itertools import pairwise
from math import ceil, comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.forecasting import DRAWS, MAX_DAYS, Futures, refusal, simulate

CONFIDENCES = (0.5, 0.7, 0.85, 0.95)


@given(st.integers(1, 9), st.integers(0, 200))
@settings(max_examples=25, deadline=None)
def test_the_same_number_every_day_leaves_one_future(a_day, backlog):
    futures = simulate([a_day] * 10, backlog, by_days=(7, 14))
    for confidence in CONFIDENCES:
        assert futures.days_at(confidence) == ceil(backlog / a_day)
        assert futures.done_at(confidence, 7) == 7 * a_day
        assert futures.done_at(confidence, 14) == 14 * a_day


def test_done_by_a_day_follows_the_binomial_distribution():
    # A day has 0 or 1 at even chance: after 30 days Binomial(30, 1/2).
    futures = simulate([0, 1] * 10, 12, by_days=(30,))
    for confidence in CONFIDENCES:
        at_least = [k for k in range(31) if sum(comb(30, i) for i in range(k, 31)) / 2**30 >= confidence]
        assert abs(futures.done_at(confidence, 30) - max(at_least)) <= 1
    share = sum(done >= 15 for done in futures.done[30]) / DRAWS
    assert share == pytest.approx(sum(comb(30, i) for i in range(15, 31)) / 2**30, abs=0.02)


def test_days_until_done_follow_the_geometric_distribution():
    # One item, done on a day with chance 1/4.
    futures = simulate([0, 0, 0, 1] * 5, 1)
    for days in (1, 3, 8):
        share = sum(each <= days for each in futures.days) / DRAWS
        assert share == pytest.approx(1 - 0.75**days, abs=0.02)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(0, 60))
@settings(max_examples=25, deadline=None)
def test_more_confidence_never_promises_more(throughput, backlog):
    if not any(throughput):
        throughput = [*throughput, 1]
    futures = simulate(throughput, backlog, by_days=(7, 28))
    days = [futures.days_at(confidence) or MAX_DAYS + 1 for confidence in CONFIDENCES]
    assert all(sooner <= later for sooner, later in pairwise(days))
    done = [futures.done_at(confidence, 28) for confidence in CONFIDENCES]
    assert all(more >= less for more, less in pairwise(done))
    assert all(week <= month for week, month in zip(futures.done[7], futures.done[28], strict=True))


def test_the_same_days_give_the_same_forecast():
    assert simulate([0, 2, 5, 1] * 5, 40, by_days=(14,)) == simulate([0, 2, 5, 1] * 5, 40, by_days=(14,))


def test_without_completions_nothing_is_ever_done_and_without_backlog_it_is_done_now():
    assert simulate([0] * 10, 1, by_days=(7,)).days_at(0.5) is None
    assert simulate([0] * 10, 1, by_days=(7,)).done_at(0.5, 7) == 0
    assert simulate([1] * 10, 0).days_at(0.95) == 0
    assert simulate([0] * 99 + [1], 10_000).days_at(0.5) is None


def test_a_confidence_counts_the_futures_without_interpolation():
    futures = Futures(list(range(1, 21)), {7: list(range(1, 21))})
    assert (futures.days_at(0.85), futures.days_at(0.5), futures.days_at(0.95)) == (17, 10, 19)
    # At least 4 are done in 17 of 20 futures.
    assert (futures.done_at(0.85, 7), futures.done_at(0.5, 7)) == (4, 11)


@pytest.mark.parametrize(
    ("throughput", "is_enough"), [([2] * 10, True), ([2] * 9, False), ([1] * 19, False), ([1] * 20, True), ([], False)]
)
def test_a_forecast_needs_completions_and_days(throughput, is_enough):
    assert (refusal(throughput) is None) == is_enough
    if not is_enough:
        assert f"this period has {sum(throughput)} on {len(throughput)}." in refusal(throughput)
