"""A series over time: its line, days, bucket edges, gaps, goal, windows and what happened."""

from collections.abc import Sequence
from functools import partial
from textwrap import wrap

import numpy as np
import pandas as pd

from ingest.charts.base import Chart, TimeSeries, csv_text
from ingest.charts.direct import Label, Polyline, along, first_free
from ingest.charts.events import Events, arrange, draw_marks, draw_spans, mark_lines
from ingest.charts.frame import NOTE_LENGTH, TIMES_ROW, below_title, draw_gap, draw_placeholder, draw_title, unnamed
from ingest.charts.key import ROW, Item, draw_key
from ingest.charts.plot import RIGHT, Plot, TimeAxis, draw_grid, draw_times, left_margin
from ingest.charts.readout import read_series
from ingest.charts.shape import broken, corners, limits, points_of, present, spaces, steps_of, thin
from ingest.charts.sheet import WIDTH, Numbers, Sheet
from ingest.charts.svg import plain
from ingest.charts.words import describe, shown, step_text

# How far beyond the data, as a part of its length, the axis reaches for a mark or a window.
_REACH = 0.15
# The plot is about this many pixels wide on a page.
_COLUMNS = 700


def draw_time_series(chart: TimeSeries) -> Chart:
    """The chart of a series, a placeholder where it has no value; ValueError for an id that cannot be one."""
    there = present(chart.points)
    if there.empty:
        return draw_placeholder(chart.id, chart.title, "no data yet")
    days = present(chart.points[:0] if chart.days is None else chart.days)
    floor, ceiling = _limits(chart, there, days)
    time = _time_axis(chart, there, left_margin(floor, ceiling, chart.unit))
    events = arrange(chart.marks, chart.spans, time, below_title(chart.title, chart.unit))
    plot = Plot(time, events.bottom, floor, ceiling)
    description = describe(chart, there)
    svg = _draw(chart, plot, events, there, days, description)
    return Chart(svg, chart.title, description, partial(_csv, chart.points), read_series(chart, plot, there, days))


def _time_axis(chart: TimeSeries, there: pd.DataFrame, left: float) -> TimeAxis:
    start, end = there.index[0].timestamp(), (there.index[-1] + chart.step).timestamp()
    reach = _REACH * (end - start)
    moments = [each.at for each in chart.marks] + [edge for each in chart.spans for edge in (each.start, each.end)]
    near = [at.timestamp() for at in moments if start - reach <= at.timestamp() <= end + reach]
    near += [at.timestamp() for at in chart.covers or ()]
    return TimeAxis(min(start, *near, start), max(end, *near, end), left)


def _limits(chart: TimeSeries, there: pd.DataFrame, days: pd.DataFrame) -> tuple[float, float]:
    edged = _edged(there, days)
    edges: Numbers | list[float] = [] if edged is None else edged[["low", "high"]].to_numpy(dtype="float64").ravel()
    goal = [] if chart.goal is None else [chart.goal]
    values = np.append(there["value"].to_numpy(dtype="float64"), edges)
    return limits(values, np.append(days["value"].to_numpy(dtype="float64"), goal))


def _edged(there: pd.DataFrame, days: pd.DataFrame) -> pd.DataFrame | None:
    """What the band is drawn of: the days where they have edges, for they are calmer, else the points."""
    return next((rows for rows in (days, there) if len(rows) and "low" in rows and "high" in rows), None)


def _draw(
    chart: TimeSeries, plot: Plot, events: Events, there: pd.DataFrame, days: pd.DataFrame, description: str
) -> str:
    sheet = Sheet()
    draw_spans(sheet, events, plot)
    gaps = _draw_gaps(sheet, chart, plot, there)
    draw_grid(sheet, plot, chart.unit)
    draw_times(sheet, plot, chart.zone)
    points, stairs = thin(points_of(there, chart.step), _COLUMNS), steps_of(days)
    edged = _edged(there, days)
    band = [] if edged is None else _draw_band(sheet, plot, stairs if edged is days else points)
    lines = _draw_lines(sheet, plot, points, stairs, step_text(chart.step))
    draw_marks(sheet, events, plot)
    goal = _draw_goal(sheet, chart, plot, _lines_of(plot, points, stairs, events))
    _draw_peak(sheet, chart, plot, there, events)
    draw_title(sheet, chart.title, chart.unit)
    bottom = draw_key(sheet, [*lines, *band, *goal, *gaps, *unnamed(events)], plot.bottom + TIMES_ROW)
    for line in wrap(chart.note, NOTE_LENGTH):
        sheet.text(0, bottom + 18, line, "muted")
        bottom += ROW
    return sheet.svg(bottom, f"{chart.id}-", chart.title, description)


def _draw_gaps(sheet: Sheet, chart: TimeSeries, plot: Plot, there: pd.DataFrame) -> list[Item]:
    """Hatches where more than one step is missing; a single one only breaks the line.

    What is missing between the last row and the end of what the chart covers is a gap as well.
    """
    ends = pd.Timestamp(there.index[-1]) + pd.Timedelta(chart.step)
    until = pd.Timestamp(chart.covers[1]) if chart.covers else ends
    gaps = [gap for gap in [*spaces(there, chart.step), (ends, until)] if gap[1] - gap[0] > chart.step]
    return [draw_gap(sheet, plot, start, end) for start, end in gaps][:1]


def _draw_band(sheet: Sheet, plot: Plot, vertices: pd.DataFrame) -> list[Item]:
    """The edges of the buckets a quantile lies between."""
    for _, run in vertices.groupby("run"):
        at, low, high = corners(run)[["at", "low", "high"]].to_numpy().T
        sheet.area(plot.time.x(at), plot.y(low), plot.y(high), "band", opacity=0.2, name="band")
    return [Item("area", "band", "range of the bucket")]


def _draw_lines(sheet: Sheet, plot: Plot, points: pd.DataFrame, stairs: pd.DataFrame, step: str) -> list[Item]:
    """The thin line of the points below the thick one of the days; a single line is strong and needs no key."""
    if stairs.empty:
        _draw_line(sheet, plot, points, "day", 1.5, "points")
        return []
    _draw_line(sheet, plot, points, "line", 1.0, "points")
    _draw_line(sheet, plot, stairs, "day", 2.6, "days")
    return [Item("line", "line", f"each {step}", 1.2), Item("line", "day", "each day", 2.6)]


def _draw_line(sheet: Sheet, plot: Plot, vertices: pd.DataFrame, role: str, width: float, name: str) -> None:
    at, value = broken(vertices)
    sheet.line(plot.time.x(at), plot.y(value), role, width, name=name)


def _lines_of(plot: Plot, points: pd.DataFrame, stairs: pd.DataFrame, events: Events) -> list[Polyline]:
    """The lines that no label should cover."""
    drawn = [(plot.time.x(at), plot.y(value)) for at, value in map(broken, (points, stairs))]
    return [*drawn, *mark_lines(events, plot)]


def _draw_goal(sheet: Sheet, chart: TimeSeries, plot: Plot, lines: Sequence[Polyline]) -> list[Item]:
    """The goal, with its label beside it, or in the key where that would cover the data."""
    if chart.goal is None:
        return []
    y = float(plot.y(np.array(chart.goal)))
    sheet.line([plot.time.left, RIGHT], [y, y], "goal", 1.6, name="goal", dashes=(5, 3))
    text = plain(chart.goal_label, 40) or f"goal {shown(chart, chart.goal)}"
    level = (np.array([plot.time.left, RIGHT]), np.array([y, y]))
    label = first_free(along(text, level), lines, [], (0, plot.top, WIDTH, plot.bottom))
    if label is None:
        return [Item("dashed", "goal", text, 1.6)]
    sheet.text(label.x, label.y, text, "goal", anchor=label.anchor)
    return []


def _draw_peak(sheet: Sheet, chart: TimeSeries, plot: Plot, there: pd.DataFrame, events: Events) -> None:
    """Says how high the highest value is where it leaves the plot."""
    value = there["value"]
    if value.max() > plot.ceiling:
        x = plot.time.at(pd.DatetimeIndex(there.index)[int(value.argmax())] + chart.step / 2)
        text = f"↑ {'up to ' if np.isfinite(value.max()) else ''}{shown(chart, value.max())}"
        beside = [Label(text, x + 6, plot.top + 26, "start"), Label(text, x - 6, plot.top + 26, "end")]
        if x > (plot.time.left + RIGHT) / 2:
            beside.reverse()
        within = (0.0, plot.top, WIDTH, plot.bottom)
        label = first_free(beside, mark_lines(events, plot), [], within) or beside[0]
        sheet.text(label.x, label.y, text, anchor=label.anchor)


def _csv(points: pd.DataFrame) -> str:
    columns = [column for column in ("value", "low", "high") if column in points]
    numbers = points[columns].astype("float64").to_numpy().tolist()
    moments = pd.DatetimeIndex(points.index).to_pydatetime()
    return csv_text(["time", *columns], ([at, *row] for at, row in zip(moments, numbers, strict=True)))
