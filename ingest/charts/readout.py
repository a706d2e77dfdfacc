"""Reads a drawn series: its steps where they are wide enough to be pointed at, else its days or weeks."""

import math
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from ingest.charts.base import TimeSeries
from ingest.charts.plot import RIGHT, Plot
from ingest.charts.readings import Reading, Readings
from ingest.charts.ticks import day_text
from ingest.charts.words import shown, step_text
from ingest.stats import day_starts

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY = timedelta(days=1)
# What is narrower, in units of the drawing, cannot be pointed at.
_NARROWEST = 1.5


def read_series(chart: TimeSeries, plot: Plot, there: pd.DataFrame, days: pd.DataFrame) -> Readings:
    """What `chart` says at each step or day; `there` and `days` are its rows with a value.

    Where neither is wide enough, it is what the values of each day or week reach over.
    """
    second = (RIGHT - plot.time.left) / (plot.time.end - plot.time.start)
    for rows, length in ((there, chart.step), (days, _DAY)):
        if len(rows) and length.total_seconds() * second >= _NARROWEST:
            return _exact(chart, plot, rows, length)
    return _reach(chart, plot, there if days.empty else days, days.empty, second)


def _exact(chart: TimeSeries, plot: Plot, rows: pd.DataFrame, length: timedelta) -> Readings:
    edged = "low" in rows and "high" in rows
    numbers = rows[["value", "low", "high"] if edged else ["value"]].to_numpy(dtype="float64").tolist()
    found = []
    for at, (value, *edges) in zip(pd.DatetimeIndex(rows.index).to_pydatetime(), numbers, strict=True):
        values = (shown(chart, value), *([between(chart, *edges)] if edged else []))
        place = moment_name(at.astimezone(chart.zone), length)
        found.append(Reading(plot.time.at(at + length / 2), place, values, float(plot.y(np.array(value)))))
    columns = (chart.figure, *(["between"] if edged else []))
    return Readings("Day" if length >= _DAY else "From", columns, tuple(found), plot.top, plot.bottom)


def _reach(chart: TimeSeries, plot: Plot, rows: pd.DataFrame, steps: bool, second: float) -> Readings:
    """The lowest and the highest value of each day; of each week, where days are too narrow as well."""
    weeks = _DAY.total_seconds() * second < _NARROWEST
    grouped = rows["value"].groupby(_starts(pd.DatetimeIndex(rows.index), chart.zone, 7 if weeks else 1))
    length = timedelta(weeks=1) if weeks else _DAY
    found = []
    ends = pd.DataFrame({"low": grouped.min(), "high": grouped.max()})
    moments = pd.DatetimeIndex(ends.index).to_pydatetime()
    for begin, (low, high) in zip(moments, ends.to_numpy(dtype="float64").tolist(), strict=True):
        place = moment_name(begin.astimezone(chart.zone), length)
        values = (shown(chart, low), shown(chart, high))
        found.append(Reading(plot.time.at(begin + length / 2), place, values))
    name = step_text(chart.step) if steps else "day"
    heading = "Week from" if weeks else "Day"
    return Readings(heading, (f"lowest {name}", f"highest {name}"), tuple(found), plot.top, plot.bottom)


def _starts(times: pd.DatetimeIndex, zone: ZoneInfo, days: int) -> pd.DatetimeIndex:
    """Where the day (or of 7 days, the week from Monday on) of each time begins."""
    midnights = times.tz_convert(zone).tz_localize(None).normalize()
    # Noon is never skipped or repeated by a change of the clock.
    noons = midnights - pd.to_timedelta(midnights.day_of_week % days, unit="D") + pd.Timedelta(hours=12)
    return day_starts(noons.tz_localize(zone), zone)


def between(chart: TimeSeries, low: float, high: float) -> str:
    """The edges of the bucket that a quantile lies in; empty where they are not known."""
    if math.isnan(low) or math.isnan(high):
        return ""
    return f"over {shown(chart, low)}" if math.isinf(high) else f"{shown(chart, low)} and {shown(chart, high)}"


def moment_name(at: datetime, length: timedelta) -> str:
    """`Thu 3 Sep 2026`, with the time for what is shorter than a day."""
    day = f"{WEEKDAYS[at.weekday()]} {day_text(at)} {at.year}"
    return day if length >= _DAY else f"{day}, {at:%H:%M}"
