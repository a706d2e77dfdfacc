"""The estimator of a change: exact where it can be, honest where days wander, never in the way of odd data."""

import math
from dataclasses import replace
from datetime import date
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from ingest.stats import (
    Change,
    TooFewDaysError,
    estimate_change,
    estimate_guarded,
    estimate_level,
    estimate_steps,
    judge,
)
from tests.bench import statistics as bench

RUNS = 40
WINDOW = (14, 7)


def runs(trial: bench.Trial, name: str, count: int = RUNS) -> npt.NDArray[np.float64]:
    return np.array([bench.run(trial, name, number) for number in range(count)], dtype=np.float64)


def noisy(seed: int = 1, effect: float = -0.2, window: tuple[int, int] = WINDOW) -> tuple[pd.Series, pd.Series]:
    """Before and after a fix, in S2."""
    rng = np.random.default_rng(seed)
    return bench.split(bench.simulated(rng, "S2", bench.stepped(window, effect)), window[0])


def hourly(first: str, days: int, zone: str | None = "Europe/Berlin") -> pd.Series:
    """A series without noise: as many milliseconds as it has a shape over day and weekend."""
    start = pd.Timestamp(first)
    index = pd.date_range(start, start + pd.Timedelta(days=days), freq="h", tz=zone, inclusive="left")
    shape = 1 + 0.5 * np.sin(index.hour.to_numpy() / 4) + 0.3 * (index.day_of_week.to_numpy() >= 5)
    return pd.Series(100 * shape, index=index)


def clock(values: pd.Series) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Hour and weekday of each value."""
    index = pd.DatetimeIndex(values.index)
    return index.hour.to_numpy(dtype=np.int64), index.day_of_week.to_numpy(dtype=np.int64)


def cut(values: pd.Series, first: str, last: str) -> pd.Series:
    """The days from `first` to `last`."""
    return values.loc[first:last]


# -- exact answers


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC", None])
@pytest.mark.parametrize("effect", [-0.5, -0.1, 0.0, 0.25, 3.0])
def test_a_step_without_noise(effect: float, zone: str | None) -> None:
    """The step of a series without noise is found exactly, over days of 23 hours too, and never claimed as more."""
    before, after = hourly("2026-03-09", 17, zone), hourly("2026-03-27", 9, zone) * (1 + effect)
    change = estimate_change(before, after)
    assert change.effect == pytest.approx(effect, abs=1e-5)
    assert change.low <= effect + 1e-9
    assert change.high >= effect - 1e-9
    assert change.high - change.low < 1e-3
    assert (change.days_before, change.days_after, change.controlled) == (17, 9, False)


def test_a_constant_series() -> None:
    """Where nothing ever moves, nothing changed, which is known well but not exactly."""
    before, after = hourly("2026-09-01", 14) * 0 + 5, hourly("2026-09-16", 7) * 0 + 5
    change = estimate_change(before, after)
    assert change.effect == pytest.approx(0, abs=1e-9)
    assert -1e-3 < change.low < 0 < change.high < 1e-3
    assert change.p > 0.5
    assert 0 < change.detectable < 1e-3
    assert judge(change, change) == "undetected"


def test_rounded_values_keep_their_change() -> None:
    """Where most hours are alike, the others are not all taken for outliers."""
    index = hourly("2026-09-01", 29).index
    values = pd.Series(np.where(np.random.default_rng(1).random(len(index)) < 0.3, 6.0, 5.0), index=index)
    change = estimate_change(cut(values, "2026-09-01", "2026-09-14"), cut(values, "2026-09-16", "2026-09-29") * 0 + 5)
    assert (5 / 6) ** 0.3 - 1 < change.effect < -0.01


@pytest.mark.parametrize("factor", [1e-9, 1000.0, 1e12])
def test_the_unit_does_not_matter(factor: float) -> None:
    """The same in seconds and in milliseconds."""
    before, after = noisy()
    change, scaled = estimate_change(before, after), estimate_change(before * factor, after * factor)
    for name in ("effect", "low", "high", "p", "detectable", "wander"):
        assert getattr(scaled, name) == pytest.approx(getattr(change, name), rel=1e-4, abs=1e-9)


def test_the_other_way_round() -> None:
    """What a fix takes off, its undoing adds: the interval is that of a ratio."""
    before, after = noisy()
    change, scaled = estimate_change(before, after), estimate_change(before, after / (1 + -0.2))
    assert (1 + change.effect) / 0.8 == pytest.approx(1 + scaled.effect, rel=1e-4)
    assert (1 + change.low) / 0.8 == pytest.approx(1 + scaled.low, rel=1e-3)


def test_the_same_bytes_again() -> None:
    """Nothing is drawn, and the order of the rows does not matter."""
    before, after = noisy()
    assert estimate_change(before, after) == estimate_change(before.sample(frac=1, random_state=1), after[::-1])


def test_values_finer_than_an_hour() -> None:
    """An hour is the median of its values, so a slow request among them moves nothing."""
    before, after = hourly("2026-09-01", 14), hourly("2026-09-16", 7) * 0.8
    finer = [each.resample("5min").ffill() for each in (before, after)]
    finer[1].iloc[1::12] *= 50
    assert estimate_change(*finer).effect == pytest.approx(estimate_change(before, after).effect, abs=1e-6)


# -- days


def test_the_day_of_the_deploy_is_dropped() -> None:
    """A day that both sides have, and each date of steps, counts for neither side."""
    values = hourly("2026-09-01", 29)
    values[cut(values, "2026-09-16", "2026-09-29").index] *= 0.8
    values[cut(values, "2026-09-15", "2026-09-15").index] *= np.repeat([1.0, 30.0], 12)
    clean = estimate_change(cut(values, "2026-09-01", "2026-09-14"), cut(values, "2026-09-16", "2026-09-29"))
    both = estimate_change(cut(values, "2026-09-01", "2026-09-15"), cut(values, "2026-09-15", "2026-09-29"))
    assert both == clean
    assert estimate_steps(values, [date(2026, 9, 15)]).changes == {date(2026, 9, 15): clean}
    assert clean.effect == pytest.approx(-0.2, abs=1e-5)


def test_days_are_those_of_the_zone() -> None:
    """A day of the index's zone, not of UTC: two hours of the deploy's evening do not make another day."""
    values = hourly("2026-09-01", 29, "America/New_York")
    before, after = cut(values, "2026-09-01", "2026-09-14"), cut(values, "2026-09-16", "2026-09-29")
    assert (estimate_change(before, after).days_before, estimate_change(before, after).days_after) == (14, 14)


@pytest.mark.parametrize(("days_before", "days_after"), [(6, 14), (14, 4), (0, 14), (14, 0), (0, 0)])
def test_too_few_days(days_before: int, days_after: int) -> None:
    """Fewer than 7 days before or 5 after say nothing yet, and the error counts them."""
    before, after = hourly("2026-09-01", 14), hourly("2026-09-16", 14)
    with pytest.raises(TooFewDaysError) as error:
        estimate_change(before.iloc[: 24 * days_before], after.iloc[: 24 * days_after])
    assert (error.value.days_before, error.value.days_after) == (days_before, days_after)
    assert isinstance(error.value, ValueError)


def test_the_fewest_days() -> None:
    """7 days before and 5 after are enough."""
    change = estimate_change(*noisy(window=(7, 5)))
    assert change.low < -0.2 < change.high
    assert (change.days_before, change.days_after) == (7, 5)


def test_a_day_with_gaps_does_not_count() -> None:
    """A day needs 12 of its hours."""
    before, after = hourly("2026-09-01", 14), hourly("2026-09-16", 7)
    before.iloc[:13], before.iloc[24:36] = np.nan, np.nan
    assert estimate_change(before, after).days_before == 13


def test_a_nightly_job() -> None:
    """A series that has few hours on every day needs half of those."""
    before, after = (each[clock(each)[0] < 3] for each in noisy(window=(28, 14)))
    before.iloc[:2] = np.nan
    change = estimate_change(before, after)
    assert (change.days_before, change.days_after) == (27, 14)
    assert change.low < -0.2 < change.high


def test_a_job_once_a_week() -> None:
    """Where weekdays cannot be told from the step, the step is still had."""
    before, after = hourly("2026-06-01", 70), hourly("2026-08-11", 70) * 0.5
    before, after = before[clock(before)[1] == 0], after[clock(after)[1] == 1]
    assert estimate_change(before, after).effect == pytest.approx(-0.5, abs=1e-4)


def test_a_job_that_moved_to_another_hour() -> None:
    """Where no hour was seen on both sides, the levels are compared as they are."""
    before, after = hourly("2026-09-01", 14) * 0 + 4.0, hourly("2026-09-16", 7) * 0 + 2.0
    change = estimate_change(before[clock(before)[0] < 3], after[clock(after)[0] > 20])
    assert change.effect == pytest.approx(-0.5, abs=1e-4)


def test_odd_values_are_left_out() -> None:
    """Zeros, negative and infinite values and gaps are as if they had not been reported."""
    before, after = noisy()
    odd = before.copy()
    odd.iloc[[1, 50, 90, 130]] = [0.0, -1.0, np.inf, np.nan]
    missing = before.copy()
    missing.iloc[[1, 50, 90, 130]] = np.nan
    assert estimate_change(odd, after) == estimate_change(missing.dropna(), after)


# -- honest answers


@pytest.mark.parametrize("kind", bench.KINDS)
def test_no_change_is_seldom_claimed(kind: str) -> None:
    """Where nothing changed, few runs claim so, and the interval covers the truth."""
    found = runs(partial(bench.changed, kind, (28, 14), 0.0), f"test {kind}")
    assert ((found[:, 0] > 0) | (found[:, 1] < 0)).mean() <= 0.15


@pytest.mark.parametrize(("kind", "window", "effect"), [("S1", (28, 14), -0.1), ("S2", (14, 7), -0.2)])
def test_a_change_is_covered_and_seen(kind: str, window: tuple[int, int], effect: float) -> None:
    """The interval holds the truth and, for a sizeable change, leaves out zero."""
    found = runs(partial(bench.changed, kind, window, effect), f"test {kind} {effect}")
    assert ((found[:, 0] <= effect) & (effect <= found[:, 1])).mean() >= 0.88
    assert (found[:, 1] < 0).mean() >= 0.75


def test_the_interval_and_p_agree() -> None:
    """The tail probability is below 5 % exactly where the interval leaves out zero."""
    for seed in range(12):
        change = estimate_change(*noisy(seed, effect=-0.08))
        assert change.low < change.effect < change.high
        assert (change.p < 0.05) == (change.high < 0 or change.low > 0)
        assert 0 <= change.p <= 1
        assert 0 < change.detectable < 1
        assert 0 <= change.wander <= 1


def test_a_foreign_shift_with_a_control() -> None:
    """A shift that a control sees too is not blamed on the fix."""
    with_control, without = runs(partial(bench.disturbed, "S1", -0.1), "test foreign").mean(axis=0)
    assert with_control >= 0.82
    assert with_control >= without


def shared_noise(rng: np.random.Generator) -> float:
    """The width of the interval with a control that wanders alike, as a part of that without it."""
    shared = bench.wandering(rng, 22, 0.8, 0.15)
    values = bench.simulated(rng, "S1", bench.stepped(WINDOW, -0.2) + shared)
    control = bench.simulated(rng, "S1", shared, values.index[0].tz_localize(None))
    parts = bench.split(values, 14)
    with_control, without = estimate_change(*parts, control), estimate_change(*parts)
    assert with_control.controlled
    assert not without.controlled
    return (with_control.high - with_control.low) / (without.high - without.low)


def test_a_control_that_shares_the_noise() -> None:
    """What a control shares is taken off, so the interval is narrower; it says so."""
    assert np.median(runs(shared_noise, "test shared", 20)) < 0.8


@pytest.mark.parametrize("what", ["constant", "elsewhere", "half", "empty", "the fix itself"])
def test_a_control_that_is_of_no_use(what: str) -> None:
    """A control that never moves, lacks the days, or cannot be told from the step is left out, and it says so."""
    before, after = noisy()
    whole = pd.concat([before, after])
    step = pd.Series(np.repeat([2.0, 1.0], [len(before), len(after)]), index=whole.index)
    control = {
        "constant": whole * 0 + 3,
        "elsewhere": hourly("2024-01-01", 30),
        "half": whole.iloc[: len(whole) // 2],
        "empty": whole.iloc[:0],
        "the fix itself": step,
    }[what].dropna()
    assert estimate_change(before, after, control) == estimate_change(before, after)


def test_a_control_with_a_gap() -> None:
    """Single days that the control lacks cost no day of the series."""
    before, after = noisy()
    control = bench.simulated(np.random.default_rng(9), "S2", np.zeros(22), before.index[0].tz_localize(None))
    control.iloc[24 * 3 : 24 * 5] = np.nan
    change = estimate_change(before, after, control)
    assert (change.controlled, change.days_before, change.days_after) == (True, 14, 7)


def test_a_quantile_may_halve_while_the_mean_stays() -> None:
    """Two series of one endpoint are judged each on its own."""
    p95 = estimate_change(*noisy(5, effect=-0.5))
    mean = estimate_change(*noisy(6, effect=0.0))
    assert judge(p95, p95) == "improved"
    assert p95.low < -0.5 < p95.high
    assert judge(mean, mean) == "undetected"


# -- several dates


def test_steps_add_up() -> None:
    """Without noise each date has its own step, whatever the order of the dates, and the total is all of them."""
    values = hourly("2026-09-01", 60)
    values[values.index >= "2026-09-21"] *= 0.8
    values[values.index >= "2026-10-12"] *= 0.85
    first, second = date(2026, 9, 21), date(2026, 10, 12)
    steps = estimate_steps(values, [second, first])
    assert {day: round(each.effect, 4) for day, each in steps.changes.items()} == {first: -0.2, second: -0.15}
    assert steps.total is not None
    assert steps.total.effect == pytest.approx(-0.32, abs=1e-5)
    assert (steps.total.days_before, steps.total.days_after) == (20, 18)
    assert steps.too_few == {}


def test_one_model_does_not_claim_twice() -> None:
    """The total of two fixes is near the truth, where measuring each against today claims far more."""
    truth = (1 + bench.FIRST) * (1 + bench.SECOND) - 1
    total, low, high, naive = runs(partial(bench.twice, "S2"), "test twice").T
    assert abs(total.mean() - truth) < 0.02
    assert ((low <= truth) & (truth <= high)).mean() >= 0.85
    assert naive.mean() < truth - 0.08


def test_dates_that_lie_close() -> None:
    """Dates with too few days between them are not judged, but their total is, and the days between blur nothing."""
    values = hourly("2026-09-01", 60)
    values[values.index >= "2026-09-21"] *= 0.8
    values[values.index >= "2026-09-24"] *= 5.0
    values[values.index >= "2026-09-25"] *= 0.1
    values[values.index >= "2026-10-12"] *= 0.5
    dates = [date(2026, 9, 21), date(2026, 9, 24), date(2026, 9, 25), date(2026, 10, 12)]
    steps = estimate_steps(values, dates)
    assert {day: round(each.effect, 4) for day, each in steps.changes.items()} == {dates[3]: -0.5}
    assert steps.too_few == {dates[0]: (20, 2), dates[1]: (2, 0), dates[2]: (0, 16)}
    assert steps.total is not None
    assert steps.total.effect == pytest.approx(-0.8, abs=1e-5)


def test_a_date_that_is_too_recent() -> None:
    """The last date waits for its days; those before it do not, and there is no total yet."""
    values = hourly("2026-09-01", 45)
    values[values.index >= "2026-09-21"] *= 0.8
    first, last = date(2026, 9, 21), date(2026, 10, 13)
    steps = estimate_steps(values, [first, last])
    assert steps.changes[first].effect == pytest.approx(-0.2, abs=1e-5)
    assert steps.too_few == {last: (21, 2)}
    assert steps.total is None


@pytest.mark.parametrize("days", [0, 3])
def test_steps_of_hardly_any_data(days: int) -> None:
    """No data is no error: every date waits."""
    steps = estimate_steps(hourly("2026-09-01", 20).iloc[: 24 * days], [date(2026, 9, 10)])
    assert (steps.changes, steps.too_few, steps.total) == ({}, {date(2026, 9, 10): (days, 0)}, None)


# -- verdicts


def change_of(effect: float, low: float, high: float) -> Change:
    return Change(effect, low, high, 0.01, 0.1, 28, 14, False, 0.1)


FALL, RISE, NONE = change_of(-0.2, -0.3, -0.1), change_of(0.2, 0.1, 0.3), change_of(-0.05, -0.2, 0.1)


@pytest.mark.parametrize(
    ("change", "guard", "lower", "higher"),
    [
        (FALL, FALL, "improved", "regressed"),
        (FALL, None, "unusual", "regressed"),
        (FALL, NONE, "unusual", "regressed"),
        (FALL, RISE, "unusual", "regressed"),
        (FALL, change_of(-0.15, -0.35, 0.05), "improved", "regressed"),
        (RISE, RISE, "regressed", "improved"),
        (RISE, None, "regressed", "unusual"),
        (RISE, NONE, "regressed", "unusual"),
        (NONE, FALL, "undetected", "undetected"),
        (change_of(-0.1, -0.2, 0.0), FALL, "undetected", "undetected"),
    ],
)
def test_verdicts(change: Change, guard: Change | None, lower: str, higher: str) -> None:
    """A direction is claimed by a whole interval; an improvement also needs most of it to be left for the guard."""
    assert judge(change, guard) == lower
    assert judge(change, guard, better="higher") == higher


def test_an_incident_that_heals_by_itself() -> None:
    """A fix that does nothing, amid an incident, is not called improved; without the guard it often were."""
    guarded, unguarded = runs(partial(bench.healed, "S1", (28, 14)), "test incident").mean(axis=0)
    assert guarded <= 0.05
    assert unguarded >= 0.3


def test_the_guard_costs_little() -> None:
    """Without an incident a sound fix keeps its verdict."""
    guarded, unguarded = runs(partial(bench.sound, "S2", WINDOW, -0.2), "test sound").mean(axis=0)
    assert guarded >= 0.75
    assert guarded >= unguarded - 0.1


def test_the_guard_leaves_out_a_week() -> None:
    """The guard has the last 7 days before less, and is not there where fewer than 7 would remain."""
    change, guard = estimate_guarded(*noisy())
    assert change == estimate_change(*noisy())
    assert guard is not None
    assert (guard.days_before, guard.days_after) == (7, 7)
    assert estimate_guarded(*noisy(window=(13, 7)))[1] is None


# -- levels


@pytest.mark.parametrize("count", [7, 14])
@pytest.mark.parametrize("deviation", [0.0, 0.04])
def test_a_level_is_covered(deviation: float, count: int) -> None:
    """The interval of a typical level holds the truth."""
    low, high = runs(partial(bench.levelled, deviation, count), f"test level {deviation} {count}").T
    assert ((low <= 0.3) & (high >= 0.3)).mean() >= 0.88


def test_a_level_of_weekdays_and_weekends() -> None:
    """From three weeks on a day of the week counts once, however often it was seen."""
    index = pd.date_range("2026-09-05", periods=23)  # with a Saturday and a Sunday more
    days = pd.Series(np.where(index.day_of_week >= 5, 0.1, 0.4), index=index)
    assert estimate_level(days).value == pytest.approx(math.exp((5 * math.log(0.4) + 2 * math.log(0.1)) / 7), rel=1e-4)


def test_a_constant_level() -> None:
    """Days that are all alike give that level, closely."""
    level = estimate_level(pd.Series(0.3, index=pd.date_range("2026-09-01", periods=7)))
    assert level.value == pytest.approx(0.3, rel=1e-6)
    assert 0.2997 < level.low < 0.3 < level.high < 0.3003
    assert level.days == 7


def test_a_level_of_too_few_days() -> None:
    """Days without a positive value do not count."""
    days = pd.Series([0.3, 0.3, 0.0, np.nan, 0.3, 0.2], index=pd.date_range("2026-09-01", periods=6))
    with pytest.raises(TooFewDaysError) as error:
        estimate_level(days)
    assert (error.value.days_before, error.value.days_after) == (4, 0)


def test_a_change_can_be_pinned() -> None:
    """What is stored as plain numbers comes back as it was."""
    change = estimate_change(*noisy())
    assert replace(change, effect=float(repr(change.effect))) == change
