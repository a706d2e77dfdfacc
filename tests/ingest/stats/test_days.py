"""Calendar days and hours of the week, where clocks change."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.stats import day_starts, hour_of_week

HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = (
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",  # its winter is what is called daylight saving
    "America/Sao_Paulo",  # its clocks changed at midnight
    "America/Havana",  # it has midnight twice
    "America/New_York",
    "Asia/Kolkata",  # half an hour off
    "Asia/Kathmandu",  # three quarters of an hour off
    "Asia/Beirut",
    "Australia/Lord_Howe",  # half an hour of daylight saving
    "Pacific/Chatham",
)


def hours_from(start: datetime, count: int) -> pd.DatetimeIndex:
    return pd.date_range(start, periods=count, freq="h", unit="s")


def lengths(zone: str, first: date, last: date) -> dict[str, int]:
    """How many hours each calendar day of `zone` has, as far as rows of an hour tell."""
    tz = ZoneInfo(zone)
    start = datetime(first.year, first.month, first.day, tzinfo=UTC) - 48 * HOUR
    times = hours_from(start, ((last - first).days + 5) * 24)
    counted = Counter(day_starts(times, tz).to_pydatetime().tolist())
    named = {moment.astimezone(tz).date(): count for moment, count in counted.items()}
    return {day.isoformat(): count for day, count in named.items() if first <= day <= last}


@pytest.mark.parametrize(
    ("zone", "first", "last", "expected"),
    [
        ("Europe/Berlin", date(2026, 3, 28), date(2026, 3, 30), [24, 23, 24]),
        ("Europe/Berlin", date(2026, 10, 24), date(2026, 10, 26), [24, 25, 24]),
        ("America/Sao_Paulo", date(2018, 11, 3), date(2018, 11, 5), [24, 23, 24]),
        ("America/Sao_Paulo", date(2018, 2, 16), date(2018, 2, 18), [24, 25, 24]),
        ("America/Havana", date(2026, 10, 31), date(2026, 11, 2), [24, 25, 24]),
        ("Asia/Kolkata", date(2026, 3, 28), date(2026, 3, 30), [24, 24, 24]),
        ("UTC", date(2026, 3, 28), date(2026, 3, 30), [24, 24, 24]),
    ],
)
def test_days_have_23_to_25_hours(zone: str, first: date, last: date, expected: list[int]) -> None:
    """The day on which clocks change is an hour shorter or longer, and its neighbours are not."""
    found = lengths(zone, first, last)
    assert list(found.values()) == expected
    assert list(found) == [(first + timedelta(days=n)).isoformat() for n in range(3)]


@pytest.mark.parametrize(
    ("zone", "moment", "expected"),
    [
        ("Europe/Berlin", "2026-03-29T21:30Z", "2026-03-28T23:00Z"),
        ("Europe/Berlin", "2026-03-29T22:00Z", "2026-03-29T22:00Z"),
        ("Europe/Berlin", "2026-10-25T22:59Z", "2026-10-24T22:00Z"),
        # Midnight was skipped: the day began at one o'clock.
        ("America/Sao_Paulo", "2018-11-04T03:00Z", "2018-11-04T03:00Z"),
        ("America/Sao_Paulo", "2018-11-04T12:00Z", "2018-11-04T03:00Z"),
        ("America/Sao_Paulo", "2018-11-04T02:59Z", "2018-11-03T03:00Z"),
        # The last hour of the 17th came twice.
        ("America/Sao_Paulo", "2018-02-18T02:30Z", "2018-02-17T02:00Z"),
        # Midnight came twice: the day began with the first of them.
        ("America/Havana", "2026-11-01T05:30Z", "2026-11-01T04:00Z"),
        ("Asia/Kolkata", "2026-09-01T18:29Z", "2026-08-31T18:30Z"),
        ("Asia/Kolkata", "2026-09-01T18:30Z", "2026-09-01T18:30Z"),
    ],
)
def test_day_starts(zone: str, moment: str, expected: str) -> None:
    """A moment falls on the calendar day of the zone, whose start is given in UTC."""
    found = day_starts(pd.DatetimeIndex([pd.Timestamp(moment)]), ZoneInfo(zone))
    assert found.tolist() == [pd.Timestamp(expected)]
    assert str(found.tz) == "UTC"


moments = st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1)).map(  # made aware below
    lambda naive: naive.replace(microsecond=0, tzinfo=UTC)
)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.lists(moments, min_size=1, max_size=20), st.sampled_from(ZONES))
def test_a_day_starts_with_its_first_moment(times: list[datetime], name: str) -> None:
    """The start is on the same local date as the moment, not after it, and a second earlier is the day before."""
    zone = ZoneInfo(name)
    starts = day_starts(pd.DatetimeIndex(times).as_unit("s"), zone)
    for time, start in zip(times, starts.to_pydatetime().tolist(), strict=True):
        assert start <= time
        assert start.astimezone(zone).date() == time.astimezone(zone).date()
        assert (start - timedelta(seconds=1)).astimezone(zone).date() < start.astimezone(zone).date()


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.lists(moments, min_size=1, max_size=20), st.sampled_from(ZONES))
def test_hours_of_the_week(times: list[datetime], name: str) -> None:
    """The hour of the week counts local hours from Monday's midnight."""
    local = [time.astimezone(ZoneInfo(name)) for time in times]
    expected = [each.weekday() * 24 + each.hour for each in local]
    assert hour_of_week(pd.DatetimeIndex(times).as_unit("s"), ZoneInfo(name)).tolist() == expected


def test_the_first_and_the_last_hour_of_the_week() -> None:
    """Monday's first hour is 0 and Sunday's last is 167, in local time."""
    times = pd.DatetimeIndex([pd.Timestamp("2026-08-30T21:59Z"), pd.Timestamp("2026-08-30T22:00Z")])
    assert hour_of_week(times, BERLIN).tolist() == [167, 0]


def test_an_hour_that_comes_twice() -> None:
    """When clocks go back, both of the hours are the same hour of the week; when they go forward, one is missing."""
    back = hour_of_week(hours_from(datetime(2026, 10, 24, 22, tzinfo=UTC), 25), BERLIN)
    assert (back - 144).tolist() == [0, 1, 2, 2, *range(3, 24)]
    forward = hour_of_week(hours_from(datetime(2026, 3, 28, 23, tzinfo=UTC), 23), BERLIN)
    assert (forward - 144).tolist() == [0, 1, *range(3, 24)]


def test_no_times() -> None:
    """No moments have no days."""
    none = pd.DatetimeIndex([], tz="UTC")
    assert day_starts(none, BERLIN).tolist() == []
    assert hour_of_week(none, BERLIN).tolist() == []
