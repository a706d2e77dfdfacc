"""A time series told in a few sentences, for who cannot see its chart."""

import math
from datetime import datetime, timedelta

import pandas as pd

from ingest.charts.base import Span, TimeSeries
from ingest.charts.shape import spaces
from ingest.charts.svg import plain
from ingest.charts.ticks import day_text
from ingest.units import format_duration, format_percent, format_quantity

_STEPS = {
    timedelta(minutes=1): "minute",
    timedelta(hours=1): "hour",
    timedelta(days=1): "day",
    timedelta(weeks=1): "week",
}
MOST_EVENTS = 12
# A window that ends at midnight does not reach into the day that begins there.
_MOMENT = timedelta(microseconds=1)


def step_text(step: timedelta) -> str:
    """What a value stands for: `hour`, `day`, `15 min`."""
    return _STEPS.get(step) or format_duration(step)


def describe(chart: TimeSeries, there: pd.DataFrame) -> str:
    """The period, typical and highest values, gaps, goal, windows and marks; `there` are the rows with a value.

    A chart's own description stands in place of all but windows and marks.
    """
    told = [_period(chart, there), _level(chart, there), _gaps(chart, there), _goal(chart, there)]
    sentences = [chart.description] if chart.description else told
    return " ".join(sentence for sentence in [*sentences, *_events(chart)] if sentence)


def _period(chart: TimeSeries, there: pd.DataFrame) -> str:
    first, last = (at.astimezone(chart.zone) for at in (there.index[0], there.index[-1]))
    end = f"{day_text(last)} {last.year}"
    if first.date() == last.date():
        return f"One value each {step_text(chart.step)} on {end}."
    begin = day_text(first) if first.year == last.year else f"{day_text(first)} {first.year}"
    return f"One value each {step_text(chart.step)} from {begin} to {end}."


def _level(chart: TimeSeries, there: pd.DataFrame) -> str:
    value = there["value"]
    tenth = max(1, len(value) // 10)
    early, late = value.iloc[:tenth].median(), value.iloc[-tenth:].median()
    peak = pd.DatetimeIndex(there.index)[int(value.argmax())].astimezone(chart.zone)
    at = "" if chart.step >= timedelta(days=1) else f" at {peak:%H:%M}"
    return (
        f"Typically {shown(chart, value.median())}: about {shown(chart, early)} at the beginning"
        f" and {shown(chart, late)} at the end."
        f" The highest value is {shown(chart, value.max())}, on {day_text(peak)}{at}."
    )


def _gaps(chart: TimeSeries, there: pd.DataFrame) -> str:
    lengths = [end - start for start, end in spaces(there, chart.step)]
    if not lengths:
        return "There are no gaps."
    longest = format_duration(max(lengths))
    return f"There is a gap of {longest}." if len(lengths) == 1 else f"Of {len(lengths)} gaps the longest is {longest}."


def _goal(chart: TimeSeries, there: pd.DataFrame) -> str:
    if chart.goal is None:
        return ""
    below = format_percent(float((there["value"] < chart.goal).mean()))
    return f"The goal is {shown(chart, chart.goal)}; {below} of the values are below it."


def _events(chart: TimeSeries) -> list[str]:
    by_time = sorted(chart.marks, key=lambda mark: mark.at)
    marks = [f"{plain(mark.label) or mark.kind} on {_day(chart, mark.at)}" for mark in by_time]
    spans = [f"{plain(span.label) or span.kind} {_dates(chart, span)}" for span in chart.spans]
    return [_listed("Windows", spans), _listed("Marked", marks)]


def _listed(what: str, items: list[str]) -> str:
    if not items:
        return ""
    more = f"; and {len(items) - MOST_EVENTS} more" if len(items) > MOST_EVENTS else ""
    return f"{what}: {'; '.join(items[:MOST_EVENTS])}{more}."


def _dates(chart: TimeSeries, span: Span) -> str:
    return f"from {_day(chart, span.start)} to {_day(chart, span.end - _MOMENT)}"


def _day(chart: TimeSeries, at: datetime) -> str:
    return day_text(at.astimezone(chart.zone))


def shown(chart: TimeSeries, value: float) -> str:
    """A value of the chart, for reading; one that is infinite lies beyond a histogram's last bucket."""
    if value == math.inf:
        return "beyond the last bucket"
    return format_quantity(float(value), plain(chart.unit, 30))
