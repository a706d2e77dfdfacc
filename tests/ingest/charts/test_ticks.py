from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.charts.ticks import time_ticks, value_ticks

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0.25, ["01:00", "02:00", "03:00", "04:00", "05:00", "06:00"]),
        (3, ["12:00", "2 Mar", "12:00", "3 Mar", "12:00", "4 Mar"]),
        (10, ["2 Mar 2026", "4 Mar", "6 Mar", "8 Mar", "10 Mar"]),
        (30, ["2 Mar 2026", "9 Mar", "16 Mar", "23 Mar", "30 Mar"]),
        (120, ["Apr 2026", "May", "Jun"]),
        (500, ["Apr 2026", "Jul", "Oct", "Jan 2027", "Apr", "Jul"]),
        (2000, ["2027", "2028", "2029", "2030", "2031"]),
    ],
)
def test_times(days: float, expected: list[str]) -> None:
    """Ticks stand at round hours, days, Mondays, months or years, and name a year where it is new."""
    start = datetime(2026, 3, 1, 0, 30, tzinfo=BERLIN)
    assert [tick.text for tick in time_ticks(start, start + timedelta(days=days), BERLIN)] == expected


def test_hours_that_do_not_exist() -> None:
    """The hour that summer time skips has no tick, and others stay at their place of the clock."""
    start = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
    ticks = time_ticks(start, start + timedelta(hours=5), BERLIN)
    assert [tick.text for tick in ticks] == ["01:00", "03:00", "04:00", "05:00", "06:00"]


@given(st.integers(3600, 400_000_000), st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Havana"]))
def test_any_length_of_time(seconds: int, zone: str) -> None:
    """There are never more than seven ticks, all within the period, in order."""
    start = datetime(2026, 3, 1, 7, tzinfo=UTC)
    end = start + timedelta(seconds=seconds)
    places = [tick.at for tick in time_ticks(start, end, ZoneInfo(zone))]
    assert len(places) <= 7
    assert all(start <= at <= end for at in places)
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("ceiling", "unit", "expected"),
    [
        (1.6, "s", ["0", "0.5 s", "1 s", "1.5 s"]),
        (420.0, "s", ["0", "2 min", "4 min", "6 min"]),
        (0.9, "ms", ["0", "200 µs", "400 µs", "600 µs", "800 µs"]),
        (50.0, "%", ["0", "10 %", "20 %", "30 %", "40 %", "50 %"]),
        (3000.0, "queries", ["0", "1,000", "2,000", "3,000"]),
        (0.35, "", ["0", "0.1", "0.2", "0.3"]),
    ],
)
def test_values(ceiling: float, unit: str, expected: list[str]) -> None:
    """Values have round steps in the unit that they are shown in."""
    assert [text for _, text in value_ticks(0, ceiling, unit)] == expected


def test_negative_values() -> None:
    """An axis that reaches below zero has its zero."""
    assert [text for _, text in value_ticks(-30, 80, "%")] == ["0", "50 %"]
