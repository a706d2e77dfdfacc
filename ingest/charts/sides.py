"""The days before and after a fix: its own day is neither."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from ingest.charts.about import NothingToDrawError, dates, midnight_after, why_empty
from ingest.evidence import Facts, SeriesFacts
from ingest.evidence.figure import inside
from ingest.stats import Buckets, day_starts
from ingest.story import Fix, day_of, moment_of
from ingest.units import format_quantity

BEFORE, AFTER = timedelta(days=28), timedelta(days=14)
ROLES = {"before": "window-before", "after": "window-after"}
"""The colours of the two sides."""
FEW_DAYS = 5
"""Fewer days than this after a fix say little."""


@dataclass(frozen=True, eq=False)
class Side:
    """The `rows` of the days [start, end) before or after a fix; `days` counts those that have any."""

    name: str
    start: datetime
    end: datetime
    series: SeriesFacts
    rows: pd.DataFrame
    days: int

    @property
    def buckets(self) -> Buckets:
        """Its requests as one histogram."""
        return Buckets.of(self.rows).total()

    @property
    def values(self) -> "pd.Series[float]":
        """Its single values, of a series that is no histogram."""
        return self.rows["value"]

    @property
    def requests(self) -> float:
        """How many requests it has; 0 for a series that does not count them."""
        return float(self.buckets.totals[0]) if self.series.series.kind == "histogram" else 0.0

    @property
    def mean(self) -> float:
        """The mean of its requests, or of its values; NaN where it is not known, or would mean nothing."""
        if self.series.series.kind == "histogram":
            return float(self.buckets.means[0])
        # Quantiles and ratios are not averaged.
        return float("nan") if self.series.series.kind in ("latency", "ratio") else float(self.values.mean())

    @property
    def told(self) -> str:
        """How much it is made of: `before: 28 days, 2,150,000 requests, mean 1.12 s`."""
        if self.rows.empty:
            return f"{self.name}: no data"
        parts = [days_text(self.days)]
        if self.series.series.kind == "histogram":
            parts.append(f"{format_quantity(self.requests, '')} requests")
        if np.isfinite(self.mean):
            parts.append(f"mean {format_quantity(self.mean, self.series.unit)}")
        return f"{self.name}: {', '.join(parts)}"


def series_of(facts: Facts, fix: Fix) -> SeriesFacts | None:
    """The series that a fix should change: by default that of the goal."""
    goal = facts.story.front.slo
    return facts.series.get(fix.series or (goal.series if goal else ""))


def sides_of(series: SeriesFacts, shipped: date, zone: ZoneInfo) -> tuple[Side, Side]:
    """The whole days before and after that of a fix; NothingToDrawError where there are data of neither."""
    index = series.rows.index
    if not len(index):
        raise NothingToDrawError(why_empty(series))
    # The day that the data ends in is no whole one.
    end = moment_of(day_of(index[-1].to_pydatetime() + series.step, zone), zone)
    before = moment_of(shipped - BEFORE, zone), moment_of(shipped, zone)
    after = midnight_after(shipped, zone), midnight_after(shipped + AFTER, zone)
    sides = _side(series, "before", *before, end, zone), _side(series, "after", *after, end, zone)
    if all(side.rows.empty for side in sides):
        raise NothingToDrawError("There are no data around the day of the fix.")
    return sides


def _side(series: SeriesFacts, name: str, start: datetime, end: datetime, over: datetime, zone: ZoneInfo) -> Side:
    """The rows of [start, end), as far as the days are `over`."""
    rows = series.rows[inside(series, start, min(end, over))]
    if series.series.kind != "histogram":
        rows = rows[np.isfinite(rows["value"])]
    days = int(day_starts(pd.DatetimeIndex(rows.index), zone).nunique()) if len(rows) else 0
    return Side(name, start, min(end, over) if start < over else end, series, rows, days)


def remarks(facts: Facts, fix: Fix, sides: Sequence[Side]) -> list[str]:
    """Which days were compared, that there are few, or that something else was shipped in them."""
    before, after = sides
    found = [f"{dates(before.start, before.end, facts.zone)}, and {dates(after.start, after.end, facts.zone)}"]
    if after.days < FEW_DAYS:
        found.append(f"{f'only {days_text(after.days)}' if after.days else 'no whole day'} after the fix yet")
    also = [
        other.id
        for other in facts.story.front.fixes
        if other is not fix and other.shipped and before.start <= moment_of(other.shipped, facts.zone) < after.end
    ]
    return [*found, f"also shipped in these days: {', '.join(also)}"] if also else found


def days_text(count: int) -> str:
    """`1 day`, `28 days`."""
    return f"{count} day{'' if count == 1 else 's'}"
