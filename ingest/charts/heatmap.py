"""A histogram as a heatmap: how each day's requests are spread over the buckets."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from ingest.charts.about import (
    NothingToDrawError,
    chart_id,
    dates,
    goal_of,
    marks,
    or_placeholder,
    sentences,
    titled,
    why_empty,
)
from ingest.charts.base import Chart, csv_text
from ingest.charts.events import arrange, draw_marks
from ingest.charts.frame import TIMES_ROW, below_title, draw_gap, draw_title, unnamed
from ingest.charts.heat import draw_cells, draw_scale, shares
from ingest.charts.key import Item, draw_key
from ingest.charts.ordinal import Bands, bands_of, bucket_shares
from ingest.charts.plot import RIGHT, Plot, TimeAxis, draw_times
from ingest.charts.readings import Reading, Readings, share_text
from ingest.charts.readout import moment_name
from ingest.charts.sheet import NARROW_SIZE, Box, Numbers, Sheet
from ingest.charts.svg import text_width
from ingest.evidence import Facts, GoalFacts, SeriesFacts
from ingest.stats import Buckets, day_starts
from ingest.units import format_percent, format_quantity

# Of more days each would be narrower than four pixels.
MOST_DAYS = 150
# The tail is a few in a thousand, and the point of it all: the steps are finer there.
_SCALE = shares(0.001, 0.01, 0.05, 0.1, 0.2, 0.35)
_BAND = 20.0
_HEIGHTS = (150.0, 330.0)
_LABEL_HEIGHT = 24.0
_LEFT = 76.0


@dataclass(frozen=True, eq=False)
class Grid:
    """The `shares` (n x b) of the `requests` of n days or weeks in b bands; a column lasts from `starts` to `ends`."""

    starts: pd.DatetimeIndex
    ends: pd.DatetimeIndex
    shares: Numbers
    requests: Numbers
    bands: Bands
    column: str

    @property
    def gaps(self) -> list[tuple[datetime, datetime]]:
        """The stretches between columns."""
        missing = self.starts[1:] > self.ends[:-1]
        return list(zip(self.ends[:-1][missing].to_pydatetime(), self.starts[1:][missing].to_pydatetime(), strict=True))


def draw(facts: Facts, name: str) -> Chart:
    """The heatmap of the series called `name`; a placeholder if it is no histogram, or has no data."""
    series = facts.series[name]
    identity = chart_id(facts, f"{name}.heatmap")
    title = titled(series.title, ", how requests are spread")
    return or_placeholder(identity, title, partial(_draw, facts, series, identity, title))


def _draw(facts: Facts, series: SeriesFacts, identity: str, title: str) -> Chart:
    grid, goal = grid_of(series, facts.zone), goal_of(facts, series)
    height = float(np.clip(_BAND * len(grid.bands), *_HEIGHTS))
    edges = list(grid.bands.labels(every=int(np.ceil(_LABEL_HEIGHT / (height / len(grid.bands))))))
    left = max(_LEFT, *(text_width(text, NARROW_SIZE) + 8 for _, text in edges))
    time = TimeAxis(grid.starts[0].timestamp(), grid.ends[-1].timestamp(), left)
    events = arrange(marks(facts, "shipped"), (), time, below_title(title, series.unit))
    plot = Plot(time, events.bottom, 0, len(grid.bands), height)
    sheet = Sheet()
    draw_cells(sheet, _cells(grid, plot), _SCALE)
    gaps = [draw_gap(sheet, plot, start, end) for start, end in grid.gaps][:1]
    _draw_edges(sheet, plot, edges)
    draw_times(sheet, plot, facts.zone)
    draw_marks(sheet, events, plot, halo=True)
    goals = _draw_goal(sheet, plot, grid.bands, goal) if goal else []
    draw_title(sheet, title, series.unit)
    bottom = draw_scale(sheet, _SCALE, f"share of the {grid.column}’s requests", plot.bottom + TIMES_ROW)
    bottom = draw_key(sheet, [*goals, *gaps, *unnamed(events)], bottom + 6)
    description = _describe(facts, series, grid, goal)
    svg = sheet.svg(bottom, f"{identity}-", title, description)
    return Chart(svg, title, description, partial(_csv, grid), _readings(grid, plot, facts.zone))


def _readings(grid: Grid, plot: Plot, zone: ZoneInfo) -> Readings:
    """Each day's share of requests in each band."""
    rows = []
    for number, (start, end) in enumerate(zip(grid.starts, grid.ends, strict=True)):
        place = moment_name(start.to_pydatetime().astimezone(zone), end - start)
        x = plot.time.at((start + (end - start) / 2).to_pydatetime())
        rows.append(Reading(x, place, tuple(share_text(share) for share in grid.shares[number].tolist())))
    bands = range(len(grid.bands))
    names = tuple(grid.bands.name(band) for band in bands)
    levels = tuple(float(plot.y(np.array(band + 0.5))) for band in bands)
    heading = "Week from" if grid.column == "week" else "Day"
    return Readings(heading, names, tuple(rows), plot.top, plot.bottom, levels)


def grid_of(series: SeriesFacts, zone: ZoneInfo) -> Grid:
    """The days of a histogram, or its weeks if there are many; NothingToDrawError where it has none."""
    if series.series.kind != "histogram":
        raise NothingToDrawError(f"A heatmap needs a histogram; this series is a {series.series.kind}.")
    buckets = series.buckets
    if buckets is None:
        raise NothingToDrawError(why_empty(series))
    times = pd.DatetimeIndex(series.rows.index)
    weeks = times[-1] - times[0] > pd.Timedelta(days=MOST_DAYS)
    starts, ends = _calendar(times, zone, 7 if weeks else 1)
    first = ~starts.duplicated()
    columns = buckets.grouped(np.cumsum(first) - 1, int(first.sum()))
    spread = bucket_shares(columns)
    try:
        bands, kept = bands_of(buckets.bounds, np.nansum(spread, axis=0), series.unit)
    except ValueError:
        raise NothingToDrawError("no requests yet") from None
    return Grid(starts[first], ends[first], spread[:, kept], columns.totals, bands, "week" if weeks else "day")


def _calendar(times: pd.DatetimeIndex, zone: ZoneInfo, days: int) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Where the day (or of 7 days, the week from Monday on) of each time begins, and where it ends."""
    midnights = times.tz_convert(zone).tz_localize(None).normalize()
    # Noon is never skipped or repeated by a change of the clock.
    noons = midnights - pd.to_timedelta(midnights.day_of_week % days, unit="D") + pd.Timedelta(hours=12)
    starts, ends = (day_starts((noons + pd.Timedelta(days=later)).tz_localize(zone), zone) for later in (0, days))
    return starts, ends


def _cells(grid: Grid, plot: Plot) -> Iterator[tuple[int, Box]]:
    """Boxes of one colour that touch are one; where there was no request, there is none."""
    levels = np.where(grid.shares > 0, _SCALE.levels(grid.shares), -1)
    lefts, rights = ([plot.time.at(at) for at in edges] for edges in (grid.starts, grid.ends))
    for band in range(len(grid.bands)):
        top, bottom = plot.y(np.array([band + 1.0, band]))
        begin = 0
        for column in range(1, len(lefts) + 1):
            ends_here = column == len(lefts) or levels[column, band] != levels[begin, band]
            if ends_here or lefts[column] > rights[column - 1]:
                if levels[begin, band] >= 0:
                    yield int(levels[begin, band]), (lefts[begin], top, rights[column - 1], bottom)
                begin = column


def _draw_edges(sheet: Sheet, plot: Plot, edges: list[tuple[int, str]]) -> None:
    for number, text in edges:
        y = float(plot.y(np.array(number)))
        sheet.line([0, plot.time.left], [y, y], "grid", 1, name="grid")
        sheet.text(0, y - 5, text, "muted")
    sheet.line([0, RIGHT], [plot.bottom, plot.bottom], "axis", 1.2, name="grid")


def _draw_goal(sheet: Sheet, plot: Plot, bands: Bands, goal: GoalFacts) -> list[Item]:
    """The goal across the cells; no label would be read on them, so the key has it."""
    position = bands.position(goal.below)
    if position is None:
        return []
    y = float(plot.y(np.array(position)))
    sheet.line([plot.time.left, RIGHT], [y, y], "paper", 4.5)
    sheet.line([plot.time.left, RIGHT], [y, y], "goal", 2, name="goal", dashes=(5, 3))
    return [Item("dashed", "goal", f"goal {format_quantity(goal.below, goal.series.unit)}", 2)]


def _describe(facts: Facts, series: SeriesFacts, grid: Grid, goal: GoalFacts | None) -> str:
    period = dates(grid.starts[0].to_pydatetime(), grid.ends[-1].to_pydatetime(), facts.zone)
    told = [f"How each {grid.column}’s requests are spread over {len(grid.bands)} buckets, {period}"]
    buckets = Buckets.of(series.rows)
    half, most = (buckets.quantile(q) for q in (0.5, series.quantile))
    if np.isfinite(most.value):
        below = [format_quantity(found.value, series.unit) for found in (half, most)]
        part = format_percent(series.quantile)
        told.append(f"Of {grid.requests.sum():,.0f} requests half are below {below[0]}, {part} below {below[1]}")
    fullest = int(np.nansum(grid.shares * grid.requests[:, None], axis=0).argmax())
    told.append(f"The fullest bucket is {grid.bands.name(fullest)}")
    if goal:
        told.append(_over(series, goal))
    if grid.gaps:
        told.append(f"Gaps without data: {len(grid.gaps)}")
    return sentences(*told)


def _over(series: SeriesFacts, goal: GoalFacts) -> str:
    """The first and the last week's share of requests over the goal."""
    index = series.rows.index
    week = pd.Timedelta(days=7)
    first, last = (
        Buckets.of(rows).share_over(goal.below).low
        for rows in (series.rows[index < index[0] + week], series.rows[index > index[-1] - week])
    )
    return (
        f"Over the goal of {format_quantity(goal.below, series.unit)} are {format_percent(first)} of them"
        f" in the first week and {format_percent(last)} in the last"
    )


def _csv(grid: Grid) -> str:
    edges = grid.bands.edges
    rows = (
        (start.to_pydatetime(), edges[band], edges[band + 1], grid.shares[column, band], grid.requests[column])
        for column, start in enumerate(grid.starts)
        for band in range(len(grid.bands))
    )
    return csv_text(["time", "above", "up_to", "share", "requests"], rows)
