"""Hours that were saved, and sums of them."""

import itertools

import numpy as np
import pytest
from scipy import stats

from ingest.stats import Interval, gain_factor, saved, total_of
from tests.bench import statistics as bench
from tests.ingest.stats.test_change import FALL, RISE, runs

ITEMS = [
    Interval(100.0, 80.0, 130.0),
    Interval(10.0, 5.0, 15.0),
    Interval(-20.0, -40.0, -10.0),
    Interval(10.0, 5.0, 15.0),
]


@pytest.mark.parametrize(("change", "gain"), [(-0.5, 1.0), (-0.2, 0.25), (0.0, 0.0), (0.25, -0.2)])
def test_gain_factor(change: float, gain: float) -> None:
    """What is saved is a part of what is left: a fifth less saved a quarter of it."""
    assert gain_factor(change) == pytest.approx(gain)


def test_hours_saved() -> None:
    """The greatest fall saves the most, and what got slower saves less than nothing."""
    hours = saved(90, FALL)
    assert (hours.value, hours.low, hours.high) == pytest.approx((90 / 0.8 - 90, 90 / 0.9 - 90, 90 / 0.7 - 90))
    regressed = saved(90, RISE)
    assert regressed.low < regressed.value < regressed.high < 0


def test_the_total_of_one_is_that_one() -> None:
    """A single interval comes out as it went in, however lopsided."""
    total = total_of(ITEMS[:1])
    assert (total.value, total.low, total.high) == pytest.approx((100, 80, 130), rel=1e-6)


def test_the_total_of_none() -> None:
    """Nothing saves nothing."""
    assert total_of([]) == Interval(0, 0, 0)


def test_the_order_does_not_matter() -> None:
    """Every order of the items gives the same bytes."""
    assert len({total_of(order) for order in itertools.permutations(ITEMS)}) == 1


def test_independent_errors_cancel() -> None:
    """Equals are not taken for one and the same: the interval of their sum grows with the root of their number."""
    total = total_of([Interval(10.0, 8.0, 12.0)] * 25)
    assert total.value == pytest.approx(250)
    assert total.high - 250 == pytest.approx(2 * 5, rel=0.04)
    assert 250 - total.low == pytest.approx(2 * 5, rel=0.04)


def test_a_sum_of_many_lopsided_ones_holds_its_value() -> None:
    """The value adds up, and lies inside of its interval."""
    total = total_of([Interval(10.0, 9.0, 40.0)] * 200)
    assert total.value == pytest.approx(2000)
    assert total.low < 2000 < total.high


def test_totals_are_covered() -> None:
    """The hours that twenty stories truly saved lie in the interval, far narrower than the sum of the ends."""
    truth, low, high, ends = runs(bench.summed, "test summed", 10).T
    assert ((low <= truth) & (truth <= high)).mean() >= 0.8
    assert np.mean((high - low) / ends) < 0.6


def test_the_verdicts_of_a_page() -> None:
    """Of many unchanged series some fall below 5 % by chance, and the correction for their number keeps none."""
    chances = np.linspace(0.01, 0.99, 50)
    assert (chances < 0.05).sum() > 0
    assert (stats.false_discovery_control(chances) < 0.05).sum() == 0
