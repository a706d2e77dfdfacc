"""The goal of a series: how often it is missed, and when."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ingest.evidence.goal import GoalFacts, WorstTime, goal_facts
from ingest.stats import Share
from ingest.story import Goal
from tests.ingest.evidence.samples import BERLIN, DAY, HOUR, START, UTC_ZONE, facts, histogram, series, values

WEEK = 7 * DAY


def goal(below: str = "0.5 s", quantile: str = "0.5") -> Goal:
    return Goal.model_validate({"series": "requests", "quantile": quantile, "below": below})


def of_values(numbers: Any, below: str = "0.5 s", unit: str = "s", **more: Any) -> GoalFacts:
    found = goal_facts(goal(below), facts(series("latency", unit=unit), values(numbers, **more)), None, UTC_ZONE)
    assert found is not None
    return found


def of_histogram(hours: Any, below: str = "0.5 s") -> GoalFacts:
    found = goal_facts(goal(below), facts(series("histogram"), histogram(hours)), None, UTC_ZONE)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("unit", "below", "converted"),
    [("s", "500 ms", 0.5), ("ms", "0.5 s", 500), ("s", "0.5 s", 0.5), ("ms", "500 ms", 500), ("min", "30 s", 0.5)],
)
def test_a_goal_in_another_unit(unit: str, below: str, converted: float) -> None:
    """A goal is compared in the unit of its series."""
    found = of_values([converted * 0.99, converted * 1.01, converted * 3], below, unit)
    assert found.below == pytest.approx(converted)
    assert found.hours_over == Share(2 / 3, 2 / 3)


def test_a_goal_is_met_at_the_goal() -> None:
    """An hour that is just as the goal says is not over it."""
    assert of_values([0.5, 0.5]).hours_over == Share(0, 0)


@pytest.mark.parametrize("unit", ["ms", "MB", "%", ""])
def test_a_goal_that_does_not_convert(unit: str) -> None:
    """A goal that cannot be compared with its series says nothing."""
    found = facts(series("latency", unit="requests"), values([1]))
    assert goal_facts(goal(f"5 {unit}"), found, None, UTC_ZONE) is None


def test_a_goal_without_data() -> None:
    """Without data nothing is said about the goal."""
    assert goal_facts(goal(), facts(series("latency"), values([])), None, UTC_ZONE) is None


def test_hours_over_an_edge_are_counted() -> None:
    """Where the goal is a bucket's edge, it is certain which hours are over it."""
    found = of_histogram([[0.2] * 10, [0.8] * 10, [2.0] * 10, [0.4] * 10])
    assert found.hours_over == Share(0.5, 0.5)


def test_hours_over_a_goal_between_edges_are_a_range() -> None:
    """Where the goal is within a bucket, the hours whose quantile is in that bucket are possibly over it."""
    found = of_histogram([[0.2] * 10, [0.8] * 10, [2.0] * 10, [0.4] * 10], "700 ms")
    assert found.hours_over == Share(0.25, 0.5)
    assert found.requests_over == Share(0.25, 0.5)


def test_a_goal_between_edges_that_no_hour_comes_near() -> None:
    """Where every bucket lies on one side of the goal, the share is exact all the same."""
    found = of_histogram([[0.2] * 10, [2.0] * 10], "700 ms")
    assert found.hours_over == Share(0.5, 0.5)


@pytest.mark.parametrize(("unit", "edge"), [("s", "0.7"), ("ms", "700")])
@pytest.mark.parametrize("below", ["700 ms", "0.7 s"])
def test_rounding_of_a_unit_is_no_range(unit: str, edge: str, below: str) -> None:
    """700 ms are the edge at 0.7 s, although 700 thousandths are not quite 0.7 to a computer."""
    rows = histogram([[0.2] * 10, [0.8] * 10])
    rows.columns = pd.Index(["le=0", f"le={edge}", "le=1000", "le=+Inf", "sum"])
    found = goal_facts(goal(below), facts(series("histogram", unit=unit), rows), None, UTC_ZONE)
    assert found is not None
    assert found.hours_over == Share(0.5, 0.5)
    assert found.requests_over == Share(0.5, 0.5)


@pytest.mark.parametrize(("unit", "value"), [("s", 0.7), ("ms", 700.0)])
@pytest.mark.parametrize("below", ["700 ms", "0.7 s"])
def test_rounding_of_a_unit_is_not_over(unit: str, value: float, below: str) -> None:
    """A value that is the goal but for its unit is not over it."""
    found = of_values([value] * 5, below, unit)
    assert found.hours_over == Share(0, 0)
    assert np.nanmax(found.by_hour) == 0


def test_requests_over() -> None:
    """Requests are counted one by one: an hour's quantile says nothing about how many there were."""
    found = of_histogram([[0.2] * 90, [0.8] * 10])
    assert found.hours_over == Share(0.5, 0.5)
    assert found.requests_over == Share(0.1, 0.1)


def test_requests_over_without_buckets() -> None:
    """A series that does not count requests has no share of them."""
    assert of_values([1]).requests_over is None


def test_hours_without_requests() -> None:
    """An hour in which nothing was requested is neither over the goal nor below it."""
    found = of_histogram([[0.8] * 10, [], [], [0.2] * 10])
    assert found.hours_over == Share(0.5, 0.5)


def test_no_requests_at_all() -> None:
    """Where nothing was ever requested, no share is stated."""
    found = of_histogram([[], []])
    assert found.hours_over is None
    assert found.requests_over is not None
    assert np.isnan(found.requests_over.low)
    assert found.worst == ()


def test_the_window() -> None:
    """The last 28 days of data count, or all of a younger series."""
    found = of_values([9.0] * 24 + [0.1] * 28 * 24)
    assert (found.start, found.end) == (START + DAY, START + 29 * DAY)
    assert found.hours_over == Share(0, 0)
    young = of_values([9.0] * 24)
    assert (young.start, young.end) == (START, START + DAY)


def test_the_window_of_a_histogram() -> None:
    """Requests and the times of the week are those of the same 28 days."""
    found = of_histogram([[2.0]] * 24 + [[0.2]] * 28 * 24)
    assert found.requests_over == Share(0, 0)
    assert np.nanmax(found.by_hour) == 0


SHIPPED = START + 12 * DAY


def since(shipped: datetime, rows: pd.DataFrame, kind: str = "latency") -> GoalFacts:
    found = goal_facts(goal(), facts(series(kind), rows), shipped, UTC_ZONE)
    assert found is not None
    return found


@pytest.mark.parametrize("kind", ["latency", "histogram"])
def test_what_was_before_a_fix_says_nothing_of_today(kind: str) -> None:
    """After a fix only what came since counts, and the page can say so."""
    slow, fast = 12 * 24, 2 * 24
    rows = values([9.0] * slow + [0.1] * fast) if kind == "latency" else histogram([[2.0]] * slow + [[0.2]] * fast)
    found = since(SHIPPED, rows, kind)
    assert (found.start, found.since_fix) == (SHIPPED, True)
    assert found.hours_over == Share(0, 0)
    assert np.nanmax(found.by_hour) == 0
    assert found.worst == ()


@pytest.mark.parametrize("shipped", [START - DAY, START, START + 14 * DAY, START + 20 * DAY])
def test_a_fix_outside_of_the_window(shipped: datetime) -> None:
    """A fix before the first row, or after the last one, leaves the window as it is."""
    found = since(shipped, values([9.0] * 14 * 24))
    assert (found.start, found.since_fix) == (START, False)


def test_the_hour_of_a_fix_is_neither_before_nor_after() -> None:
    """An hour within which a fix shipped does not count as after it."""
    found = since(SHIPPED + HOUR / 3, values([9.0] * (12 * 24 + 1) + [0.1] * 5))
    assert found.hours_over == Share(0, 0)


@pytest.mark.parametrize("kind", ["latency", "histogram"])
def test_a_fix_in_the_very_last_hour(kind: str) -> None:
    """Where no hour is over since the fix, nothing is said yet."""
    rows = values([9.0] * 289) if kind == "latency" else histogram([[2.0]] * 289)
    found = since(SHIPPED + HOUR / 3, rows, kind)
    assert found.hours_over is None
    assert found.requests_over is None
    assert found.worst == ()


def slow_at(hours: set[tuple[int, int]], weeks: int = 4) -> list[float]:
    """Hours of whole weeks that are slow at these days (from Monday) and hours."""
    return [2.0 if (hour // 24 % 7, hour % 24) in hours else 0.1 for hour in range(weeks * 168)]


def test_by_hour_of_the_week() -> None:
    """The grid holds for every hour of the week how often it was over the goal, in the zone's time."""
    hours = [2.0 if hour in (33, 201) else 0.1 for hour in range(336)]
    hours[33] = 0.1  # one of two Tuesdays, 9:00 in UTC
    grid = of_values(hours).by_hour
    assert grid.shape == (7, 24)
    assert grid[1, 9] == 0.5
    assert grid.sum() == 0.5
    in_berlin = goal_facts(goal(), facts(series("latency"), values(hours)), None, BERLIN)
    assert in_berlin is not None
    assert in_berlin.by_hour[1, 11] == 0.5


def test_by_hour_of_a_histogram() -> None:
    """For a histogram the grid holds the share of requests over the goal, at least, of all weeks together."""
    hours: list[list[float]] = [[0.2]] * 336
    hours[33] = [2.0, 0.2, 0.2]
    hours[201] = [2.0] * 5
    assert of_histogram(hours).by_hour[1, 9] == pytest.approx(6 / 8)
    assert of_histogram(hours, "1500 ms").by_hour[1, 9] == 0


def test_hours_that_are_not_there() -> None:
    """An hour of the week without data is NaN, and no worst time."""
    grid = of_values([9.0] * 5).by_hour
    assert np.isnan(grid).sum() == 163
    assert grid[0, :5].tolist() == [1] * 5


def test_worst_times() -> None:
    """Runs of bad hours that stand out are named, worst first, and no more than two of them."""
    numbers = slow_at({(0, 5), (1, 8), (1, 9), (1, 10), (4, 0)})
    numbers[5] = 0.1  # one Monday of four
    assert of_values(numbers).worst == (
        WorstTime("Tuesdays 08:00–11:00", 1.0),
        WorstTime("Fridays 00:00–01:00", 1.0),
    )


def test_a_worst_time_until_midnight() -> None:
    """A run that lasts until midnight ends at 24:00, and its share is that of its hours."""
    numbers = slow_at({(6, 22), (6, 23)})
    numbers[6 * 24 + 22] = 0.1
    assert of_values(numbers).worst == (WorstTime("Sundays 22:00–24:00", 0.875),)


@pytest.mark.parametrize(("weeks", "named"), [(2, 0), (3, 1)])
def test_a_time_must_come_round_to_be_the_worst(weeks: int, named: int) -> None:
    """Two bad Tuesdays are no habit; three are."""
    assert len(of_values(slow_at({(1, 9)}, weeks)).worst) == named


@pytest.mark.parametrize("level", [0.1, 9.0])
def test_no_time_is_worst_where_all_are_alike(level: float) -> None:
    """Where every hour is as good or as bad as the others, none is called the worst."""
    assert of_values([level] * 4 * 168).worst == ()


@pytest.mark.parametrize(("fast", "named"), [(25, 0), (15, 1)])
def test_a_rare_slip_is_no_worst_time(fast: int, named: int) -> None:
    """A time of the week with less than a twentieth over the goal does not stand out."""
    hours: list[list[float]] = [[0.2]] * 4 * 168
    for week in range(4):
        hours[33 + week * 168] = [2.0] + [0.2] * fast
    assert len(of_histogram(hours).worst) == named


@pytest.mark.parametrize("kind", ["latency", "histogram"])
def test_steps_longer_than_an_hour(kind: str) -> None:
    """A row of six hours speaks for each of them, and not for its first hour alone."""
    step = timedelta(hours=6)
    slow = [number % 28 == 5 for number in range(4 * 28)]  # Tuesdays from 6:00 on
    rows = (
        values([2.0 if each else 0.1 for each in slow], step=step)
        if kind == "latency"
        else histogram([[2.0] if each else [0.2] for each in slow], step=step)
    )
    found = goal_facts(goal(), facts(series(kind), rows, step=step), None, UTC_ZONE)
    assert found is not None
    assert not np.isnan(found.by_hour).any()
    assert found.worst == (WorstTime("Tuesdays 06:00–12:00", 1.0),)


def test_gaps_do_not_move_hours() -> None:
    """Rows count for their own hours, wherever other rows are missing."""
    rows = values(slow_at({(1, 9)})).drop(pd.date_range(START, periods=30, freq="h"))
    found = goal_facts(goal(), facts(series("latency"), rows), None, UTC_ZONE)
    assert found is not None
    assert found.worst == (WorstTime("Tuesdays 09:00–10:00", 1.0),)
    assert found.start == datetime(2026, 9, 1, 6, tzinfo=UTC)
    assert found.end - found.start == 4 * WEEK - 30 * HOUR
