"""How a story's series stands against its goal, and when it is worst."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from ingest.evidence.series import SeriesFacts, share_of_hours_over
from ingest.stats import Share, hour_of_week
from ingest.story import Goal

HOUR = timedelta(hours=1)
WINDOW = timedelta(days=28)
ENOUGH_WEEKS = timedelta(days=21)
"""An hour of the week must have come round at least three times to be called the worst."""
WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


@dataclass(frozen=True)
class WorstTime:
    """A run of hours of the week, and the share of it that is over the goal."""

    words: str
    share: float


@dataclass(frozen=True)
class GoalFacts:
    """The goal in the series' own unit, and what the data from `start` to `end` says of it.

    That is the last 28 days, or the time since the last fix where that is less (`since_fix`).
    `hours_over` is the share of hours whose quantile is over the goal, `requests_over` the
    share of requests that are slower than it (None for a series that does not count them).
    `by_hour` is a 7 x 24 grid (Monday first, the knowledge base's zone) of the share over the
    goal, NaN where there is no data.
    """

    goal: Goal
    below: float
    series: SeriesFacts
    hours_over: Share | None
    requests_over: Share | None
    by_hour: npt.NDArray[np.float64]
    worst: tuple[WorstTime, ...]
    start: datetime
    end: datetime
    since_fix: bool


def goal_facts(goal: Goal, series: SeriesFacts, shipped: datetime | None, zone: ZoneInfo) -> GoalFacts | None:
    """None where the series has no data, or its unit does not convert into the goal's.

    `shipped` is when the last fix went live: what was before it says nothing of today.
    """
    try:
        # Converting leaves crumbs: 0.7 s would be 699.9999999999999 ms.
        below = float(f"{goal.below.to(series.unit):.12g}")
    except ValueError:
        return None
    if series.hours.empty:
        return None
    end = series.hours.index[-1].to_pydatetime() + series.step
    start = max(end - WINDOW, series.hours.index[0].to_pydatetime())
    since_fix = shipped is not None and start < shipped < end
    if since_fix and shipped:
        start = shipped
    grid = _by_hour(series, below, start, zone)
    return GoalFacts(
        goal=goal,
        below=below,
        series=series,
        hours_over=share_of_hours_over(series, below, start),
        requests_over=_requests_over(series, below, start),
        by_hour=grid,
        worst=_worst(grid) if end - start >= ENOUGH_WEEKS else (),
        start=start,
        end=end,
        since_fix=since_fix,
    )


def _requests_over(series: SeriesFacts, below: float, start: datetime) -> Share | None:
    recent = series.rows[series.rows.index >= start]
    buckets = series.buckets
    if buckets is None or recent.empty:
        return None
    return type(buckets).of(recent).share_over(below)


def _by_hour(series: SeriesFacts, below: float, start: datetime, zone: ZoneInfo) -> npt.NDArray[np.float64]:
    """For each hour of the week the share over the goal: of requests, or else of hours.

    Where the goal is no bucket's edge, it is the share that is over it at least.
    """
    rows = series.rows[series.rows.index >= start]
    # A longer step counts in each of its hours.
    hours = max(1, series.step // HOUR)
    rows = rows.loc[rows.index.repeat(hours)]
    times = pd.DatetimeIndex(rows.index) + pd.to_timedelta(np.tile(np.arange(hours), len(rows) // hours), unit="h")
    groups = hour_of_week(times, zone)
    buckets = series.buckets
    if buckets is not None:
        low, _ = type(buckets).of(rows).grouped(groups, 168).shares_over(below)
        return low.reshape(7, 24)
    over, seen = np.zeros(168), np.zeros(168)
    np.add.at(over, groups, rows["value"].to_numpy() > below)
    np.add.at(seen, groups, 1)
    with np.errstate(invalid="ignore"):
        return (over / seen).reshape(7, 24)


def _worst(grid: npt.NDArray[np.float64], most: int = 2) -> tuple[WorstTime, ...]:
    """The times of the week that stand out: runs of hours far above the usual share."""
    usual = float(np.nanmedian(grid)) if not np.isnan(grid).all() else 0.0
    peak = float(np.nanmax(grid)) if not np.isnan(grid).all() else 0.0
    if peak < 0.05 or peak < 1.5 * usual:
        return ()
    limit = usual + (peak - usual) / 2
    runs = [run for day in range(7) for run in _runs(day, grid[day], limit)]
    runs.sort(key=lambda run: -run.share)
    return tuple(runs[:most])


def _runs(day: int, hours: npt.NDArray[np.float64], limit: float) -> list[WorstTime]:
    found = []
    start = None
    for hour in range(25):
        above = hour < 24 and hours[hour] >= limit
        if above and start is None:
            start = hour
        elif not above and start is not None:
            words = f"{WEEKDAYS[day]} {start:02}:00–{hour:02}:00"
            found.append(WorstTime(words, float(np.nanmean(hours[start:hour]))))
            start = None
    return found
