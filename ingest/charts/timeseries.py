"""A series over time: its line, days, bucket edges, gaps, goal, windows and what happened."""

from textwrap import wrap

import numpy as np
import pandas as pd

from ingest.charts.base import Chart, TimeSeries, csv_text
from ingest.charts.events import Events, arrange, draw_marks, draw_spans
from ingest.charts.key import ROW, Item, draw_key
from ingest.charts.plot import HEIGHT, RIGHT, Plot, TimeAxis, draw_grid, draw_times, left_margin
from ingest.charts.shape import broken, corners, limits, points_of, present, spaces, steps_of, thin
from ingest.charts.sheet import Numbers, Sheet
from ingest.charts.svg import plain
from ingest.charts.ticks import is_short
from ingest.charts.words import describe, shown, step_text

_TITLE_ROW = 30.0
_TITLE_LENGTH = 56
_TIMES_ROW = 36.0
_LINE_HEIGHT = 26.0
_HATCHED = 8.0
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
    events = arrange(chart.marks, chart.spans, time, _TITLE_ROW)
    plot = Plot(time, events.bottom, floor, ceiling)
    description = describe(chart, there)
    svg = _draw(chart, plot, events, there, days, description)
    return Chart(svg, chart.title, description, _csv(chart.points))


def draw_placeholder(chart_id: str, title: str, message: str) -> Chart:
    """An empty plot that says why it is empty."""
    plot = Plot(TimeAxis(0, 1), _TITLE_ROW + 24, 0, 1)
    sheet = Sheet()
    _draw_title(sheet, title)
    for y in np.linspace(plot.top, plot.bottom, 5):
        sheet.line([0, RIGHT], [y, y], "grid", 1, name="grid")
    said = plain(message, 200)
    for number, line in enumerate(wrap(said, _TITLE_LENGTH)):
        y = plot.top + HEIGHT * 0.4 + number * _LINE_HEIGHT
        sheet.text(RIGHT / 2, y, line, "muted", anchor="middle")
    return Chart(sheet.svg(plot.bottom + 8, f"{chart_id}-", title, said), title, said, "time,value\n")


def _time_axis(chart: TimeSeries, there: pd.DataFrame, left: float) -> TimeAxis:
    start, end = there.index[0].timestamp(), (there.index[-1] + chart.step).timestamp()
    reach = _REACH * (end - start)
    moments = [each.at for each in chart.marks] + [edge for each in chart.spans for edge in (each.start, each.end)]
    near = [at.timestamp() for at in moments if start - reach <= at.timestamp() <= end + reach]
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
    _draw_goal(sheet, chart, plot)
    draw_marks(sheet, events, plot)
    _draw_peak(sheet, chart, plot, there)
    _draw_title(sheet, chart.title if is_short(chart.unit) else f"{chart.title} ({chart.unit})")
    bottom = draw_key(sheet, [*lines, *band, *gaps, *_unnamed(events)], plot.bottom + _TIMES_ROW)
    if chart.note:
        sheet.text(0, bottom + 18, chart.note, "muted")
        bottom += ROW
    return sheet.svg(bottom, f"{chart.id}-", chart.title, description)


def _draw_title(sheet: Sheet, title: str) -> None:
    sheet.text(0, 17, plain(title, _TITLE_LENGTH), bold=True)


def _draw_gaps(sheet: Sheet, chart: TimeSeries, plot: Plot, there: pd.DataFrame) -> list[Item]:
    """Hatches where more than one step is missing; a single one only breaks the line."""
    gaps = [gap for gap in spaces(there, chart.step) if gap[1] - gap[0] > chart.step]
    for start, end in gaps:
        left, right = plot.time.at(start), plot.time.at(end)
        sheet.box(left, plot.top, max(right, left + 1.5), plot.bottom, "gap", opacity=0.25, name="gap")
        # Of slanted lines a narrow stretch would show dots.
        if right - left >= _HATCHED:
            sheet.hatched(left, plot.top, right, plot.bottom, "gap")
    return [Item("hatched", "gap", "no data")] if gaps else []


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


def _draw_goal(sheet: Sheet, chart: TimeSeries, plot: Plot) -> None:
    if chart.goal is not None:
        y = float(plot.y(np.array(chart.goal)))
        sheet.line([plot.time.left, RIGHT], [y, y], "goal", 1.6, name="goal", dashes=(5, 3))
        label = plain(chart.goal_label, 40) or f"goal {shown(chart, chart.goal)}"
        sheet.text(RIGHT, y - 6, label, "goal", anchor="end")


def _draw_peak(sheet: Sheet, chart: TimeSeries, plot: Plot, there: pd.DataFrame) -> None:
    """Says how high the highest value is where it leaves the plot."""
    value = there["value"]
    if value.max() > plot.ceiling:
        x = plot.time.at(pd.DatetimeIndex(there.index)[int(value.argmax())] + chart.step / 2)
        left = x < (plot.time.left + RIGHT) / 2
        text = f"↑ {'up to ' if np.isfinite(value.max()) else ''}{shown(chart, value.max())}"
        sheet.text(x + 6 if left else x - 6, plot.top + 26, text, anchor="start" if left else "end")


def _unnamed(events: Events) -> list[Item]:
    more = events.unnamed
    return [Item("mark", "mark", f"{more} more event{'s' if more > 1 else ''}")] if more else []


def _csv(points: pd.DataFrame) -> str:
    columns = [column for column in ("value", "low", "high") if column in points]
    numbers = points[columns].astype("float64").to_numpy().tolist()
    moments = pd.DatetimeIndex(points.index).to_pydatetime()
    return csv_text(["time", *columns], ([at, *row] for at, row in zip(moments, numbers, strict=True)))
