"""The hours of the week as a grid: when a series is high, or over its goal."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from ingest.charts.about import (
    NothingToDrawError,
    chart_id,
    dates,
    goal_of,
    or_placeholder,
    sentences,
    titled,
    why_empty,
)
from ingest.charts.base import Chart, csv_text
from ingest.charts.frame import below_title, draw_title
from ingest.charts.heat import Scale, draw_cells, draw_scale, even, shares
from ingest.charts.key import ROW, Item, draw_key
from ingest.charts.plot import RIGHT
from ingest.charts.readings import Reading, Readings
from ingest.charts.sheet import Box, Numbers, Sheet
from ingest.charts.ticks import is_short
from ingest.evidence import Facts, GoalFacts, SeriesFacts
from ingest.evidence.goal import WEEKDAYS
from ingest.stats import Buckets, hour_of_week
from ingest.units import format_percent, format_quantity

WINDOW = timedelta(days=28)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOUR = timedelta(hours=1)
_HOURS = 168
# What a goal allows (5 % for a 95th percentile) is the end of a step for every usual quantile.
_OVER = shares(0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_LEFT = 56.0
_CELL = 28.0
_GAP = 1.5


@dataclass(frozen=True, eq=False)
class Week:
    """A 7 x 24 grid of `values`, Monday first, NaN without data; what they are, and of which days.

    `allowed` is the share that the goal allows.
    """

    values: Numbers
    scale: Scale
    legend: str
    unit: str | None
    period: str
    allowed: float | None = None

    def shown(self, value: float) -> str:
        """A value of the grid, for reading; without a unit of their own the values are shares."""
        return format_percent(value) if self.unit is None else format_quantity(value, self.unit)


def draw(facts: Facts, name: str) -> Chart:
    """The hours of the week of the series called `name`: by the share over its goal, or else by its figure."""
    series = facts.series[name]
    goal = goal_of(facts, series)
    identity, title = chart_id(facts, f"{name}.week"), titled(series.title, ", by hour of the week")
    return or_placeholder(identity, title, partial(_draw, facts, series, goal, identity, title))


def _draw(facts: Facts, series: SeriesFacts, goal: GoalFacts | None, identity: str, title: str) -> Chart:
    week = _over_goal(goal, facts.zone) if goal else _figures(series, facts.zone)
    if np.isnan(week.values).all():
        raise NothingToDrawError(why_empty(series))
    sheet = Sheet()
    draw_title(sheet, title)
    bottom = _draw_hours(sheet, _draw_grid(sheet, week, below_title(title)))
    bottom = draw_scale(sheet, week.scale, week.legend, bottom, week.allowed)
    empty = [Item("hatched", "gap", "no data")] if np.isnan(week.values).any() else []
    bottom = draw_key(sheet, empty, bottom + 6)
    for number, line in enumerate(lines := _words(week)):
        sheet.text(0, bottom + 18 + number * ROW, line, "muted")
    description = sentences(f"{title}: {week.legend}", *lines, _lowest(week))
    svg = sheet.svg(bottom + len(lines) * ROW, f"{identity}-", title, description)
    return Chart(svg, title, description, partial(_csv, week), _readings(week, below_title(title)))


def _readings(week: Week, top: float) -> Readings:
    """What each hour of the clock is like on each weekday."""
    rows = []
    for hour in range(24):
        left, _, right, _ = _box(0, hour, top)
        values = (float(value) for value in week.values[:, hour])
        told = tuple(week.shown(value) if np.isfinite(value) else "no data" for value in values)
        rows.append(Reading((left + right) / 2, f"{hour:02}:00 to {hour + 1:02}:00", told))
    levels = tuple(top + _CELL * (day + 0.5) for day in range(len(DAYS)))
    return Readings("Hours", DAYS, tuple(rows), top, top + _CELL * len(DAYS), levels)


def _over_goal(goal: GoalFacts, zone: ZoneInfo) -> Week:
    below = format_quantity(goal.below, goal.series.unit)
    since = "since the fix, " if goal.since_fix else ""
    period = f"{since}{dates(goal.start, goal.end, zone)}, {zone}"
    if goal.requests_over is None:
        return Week(goal.by_hour, _OVER, f"share of hours over {below}", None, period)
    allowed = round(1 - goal.goal.quantile, 9)
    legend = f"share of requests over {below}; the goal allows {format_percent(allowed)}"
    return Week(goal.by_hour, _OVER, legend, None, period, allowed)


def _figures(series: SeriesFacts, zone: ZoneInfo) -> Week:
    if series.rows.empty:
        raise NothingToDrawError(why_empty(series))
    end = series.rows.index[-1].to_pydatetime() + series.step
    start = max(end - WINDOW, series.rows.index[0].to_pydatetime())
    values = _by_hour(series, series.rows[series.rows.index >= start], zone).reshape(7, 24)
    figure = "total an hour" if series.series.kind == "total" else series.figure
    legend = figure if not series.unit or is_short(series.unit) else f"{figure}, in {series.unit}"
    return Week(values, even(values, series.unit), legend, series.unit, f"{dates(start, end, zone)}, {zone}")


def _by_hour(series: SeriesFacts, rows: pd.DataFrame, zone: ZoneInfo) -> Numbers:
    """The figure of each of the week's 168 hours; a row that covers several hours counts in each."""
    hours = max(1, series.step // _HOUR)
    rows = rows.loc[rows.index.repeat(hours)]
    later = pd.to_timedelta(np.tile(np.arange(hours), len(rows) // hours), unit="h")
    groups = hour_of_week(pd.DatetimeIndex(rows.index) + later, zone)
    if series.series.kind == "histogram":
        return Buckets.of(rows).grouped(groups, _HOURS).quantiles(series.quantile)[0]
    grouped = rows["value"].groupby(groups)
    combined = grouped.median() if series.series.kind in ("latency", "ratio") else grouped.mean()
    if series.series.kind == "total":
        combined *= _HOUR / series.step
    return combined.reindex(range(_HOURS)).to_numpy(dtype="float64")


def _draw_grid(sheet: Sheet, week: Week, top: float) -> float:
    """A row a day; returns where the last one ends."""
    levels, cells = week.scale.levels(week.values), []
    for day, name in enumerate(DAYS):
        sheet.text(0, top + _CELL * day + 20, name, "muted")
        for hour in range(24):
            box = _box(day, hour, top)
            if np.isfinite(week.values[day, hour]):
                cells.append((int(levels[day, hour]), box))
            else:
                sheet.hatched(*box, "gap", name="gap")
    draw_cells(sheet, cells, week.scale, "hours")
    return top + _CELL * len(DAYS)


def _box(day: int, hour: int, top: float) -> Box:
    width = (RIGHT - _LEFT) / 24
    left, upper = _LEFT + width * hour, top + _CELL * day
    return left, upper, left + width - _GAP, upper + _CELL - _GAP


def _draw_hours(sheet: Sheet, top: float) -> float:
    """Every third hour of the clock below the grid."""
    for hour in range(0, 24, 3):
        x = _box(0, hour, 0)[0]
        sheet.line([x, x], [top, top + 5], "axis", 1, name="tick")
        sheet.text(x, top + 23, f"{hour:02}:00", "muted", anchor="middle")
    return top + 32


def _words(week: Week) -> list[str]:
    """The highest hour, and the days that the chart is about."""
    return [f"Highest: {_hour(week, int(np.nanargmax(week.values)))}", week.period]


def _lowest(week: Week) -> str:
    return f"Lowest: {_hour(week, int(np.nanargmin(week.values)))}"


def _hour(week: Week, number: int) -> str:
    day, hour = divmod(number, 24)
    return f"{week.shown(float(week.values[day, hour]))}, {WEEKDAYS[day]} {hour:02}:00 to {hour + 1:02}:00"


def _csv(week: Week) -> str:
    name = "share_over_goal" if week.unit is None else "value"
    rows = ([DAYS[day], float(hour), week.values[day, hour]] for day in range(7) for hour in range(24))
    return csv_text(["weekday", "hour", name], rows)
