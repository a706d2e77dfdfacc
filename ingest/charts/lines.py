"""A few series by day in one plot, each named beside its line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pandas as pd

from ingest.charts.base import Chart, Mark, Span, csv_text
from ingest.charts.direct import Label, Polyline, along, first_free
from ingest.charts.events import Events, arrange, draw_marks, draw_spans, mark_lines
from ingest.charts.frame import TIMES_ROW, below_title, draw_title, unnamed
from ingest.charts.key import ROW, Item, draw_key
from ingest.charts.plot import Plot, TimeAxis, draw_grid, draw_times, left_margin
from ingest.charts.readings import Reading, Readings
from ingest.charts.readout import moment_name
from ingest.charts.shape import broken, limits, present, steps_of
from ingest.charts.sheet import WIDTH, Box, Sheet
from ingest.charts.svg import plain
from ingest.units import format_quantity

DAY = timedelta(days=1)


@dataclass(frozen=True, eq=False)
class Line:
    """A line's `value` a day, indexed by the days' starts; how it looks, and what stands beside it.

    A dashed one is a threshold, which is not data.
    """

    label: str
    days: pd.DataFrame
    role: str
    width: float = 2.4
    dashed: bool = False


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines to draw in one plot, their values in `unit`; the axis reaches at least over `window`."""

    id: str
    title: str
    unit: str
    zone: ZoneInfo
    lines: tuple[Line, ...]
    window: Span
    marks: tuple[Mark, ...] = ()
    note: str = ""
    description: str = ""


def draw_lines(chart: Lines) -> Chart:
    """The lines of a chart, of which one at least has a value; ValueError for an id that cannot be one."""
    days = pd.concat([present(line.days)["value"] for line in chart.lines])
    values = days.to_numpy(dtype="float64")
    floor, ceiling = limits(values, values)
    time = _time_axis(chart, pd.DatetimeIndex(days.index), left_margin(floor, ceiling, chart.unit))
    events = arrange(chart.marks, [chart.window], time, below_title(chart.title, chart.unit))
    plot = Plot(time, events.bottom, floor, ceiling)
    sheet = Sheet()
    draw_spans(sheet, events, plot)
    draw_grid(sheet, plot, chart.unit)
    draw_times(sheet, plot, chart.zone)
    draw_marks(sheet, events, plot)
    homeless = _draw_labelled(sheet, chart, plot, events)
    draw_title(sheet, chart.title, chart.unit)
    bottom = draw_key(sheet, [*homeless, *unnamed(events)], plot.bottom + TIMES_ROW)
    if chart.note:
        sheet.text(0, bottom + 18, chart.note, "muted")
        bottom += ROW
    svg = sheet.svg(bottom, f"{chart.id}-", chart.title, chart.description)
    return Chart(svg, chart.title, chart.description, partial(_csv, chart), _readings(chart, plot))


def _readings(chart: Lines, plot: Plot) -> Readings:
    """What the lines say each day."""
    table = _table(chart)
    moments = pd.DatetimeIndex(table.index).to_pydatetime()
    rows = tuple(
        Reading(
            plot.time.at(at + DAY / 2),
            moment_name(at.astimezone(chart.zone), DAY),
            tuple("no data" if value != value else format_quantity(value, plain(chart.unit, 30)) for value in values),
        )
        for at, values in zip(moments, table.to_numpy(dtype="float64").tolist(), strict=True)
    )
    columns = tuple(plain(line.label, 40) for line in _data(chart))
    return Readings("Day", columns, rows, plot.top, plot.bottom)


def _time_axis(chart: Lines, days: pd.DatetimeIndex, left: float) -> TimeAxis:
    edges = [days.min().timestamp(), days.max().timestamp() + 86_400]
    edges += [chart.window.start.timestamp(), chart.window.end.timestamp()]
    return TimeAxis(min(edges), max(edges), left)


def _draw_labelled(sheet: Sheet, chart: Lines, plot: Plot, events: Events) -> list[Item]:
    """The lines, each with its label beside it; returns the key's entries for those that found no room."""
    drawn = [_draw_line(sheet, line, plot) for line in chart.lines]
    labels = _place(chart.lines, drawn, mark_lines(events, plot), (0.0, plot.top + 4, WIDTH, plot.bottom))
    # Of lines with data either all are named there, or all in the key.
    scattered = any(label is None for line, label in zip(chart.lines, labels, strict=True) if not line.dashed)
    homeless = []
    for line, label in zip(chart.lines, labels, strict=True):
        if label is None or (scattered and not line.dashed):
            homeless.append(Item("dashed" if line.dashed else "line", line.role, line.label, line.width))
        else:
            sheet.text(label.x, label.y, label.text, line.role, anchor=label.anchor)
    return homeless


def _place(
    lines: Sequence[Line], drawn: Sequence[Polyline], marks: Sequence[Polyline], within: Box
) -> list[Label | None]:
    labels: list[Label | None] = []
    for line, corners in zip(lines, drawn, strict=True):
        taken = [label.box for label in labels if label]
        labels.append(first_free(along(plain(line.label, 40), corners), [*drawn, *marks], taken, within))
    return labels


def _draw_line(sheet: Sheet, line: Line, plot: Plot) -> Polyline:
    at, value = broken(steps_of(present(line.days)))
    x, y = plot.time.x(at), plot.y(value)
    if line.dashed:
        sheet.line(x, y, line.role, line.width, name="threshold", dashes=(5, 3))
    else:
        sheet.line(x, y, line.role, line.width, name="days")
    return x, y


def _csv(chart: Lines) -> str:
    table = _table(chart)
    moments = pd.DatetimeIndex(table.index).to_pydatetime()
    rows = ([at, *values] for at, values in zip(moments, table.to_numpy(dtype="float64").tolist(), strict=True))
    return csv_text(["time", *(line.label for line in _data(chart))], rows)


def _table(chart: Lines) -> pd.DataFrame:
    """The days of all lines side by side."""
    columns = [line.days["value"].rename(str(number)) for number, line in enumerate(_data(chart))]
    return pd.concat(columns, axis="columns", sort=True)


def _data(chart: Lines) -> list[Line]:
    """The lines that are no thresholds."""
    return [line for line in chart.lines if not line.dashed]
