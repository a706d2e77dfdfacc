"""Draws: numbers and what happened to them become inline SVG, words and CSV. Pure.

A new kind of chart is one module with a function of a story's facts and one of its series,
and one line in the table.
"""

from collections.abc import Callable

from ingest.charts.base import Chart, Mark, Span, TimeSeries
from ingest.charts.series import days_csv, draw_series, hours_csv
from ingest.charts.timeseries import draw_placeholder, draw_time_series
from ingest.evidence import Facts, SeriesFacts

CHARTS: dict[str, Callable[[Facts, SeriesFacts], Chart]] = {
    "series": draw_series,
}

__all__ = [
    "CHARTS", "Chart", "Mark", "Span", "TimeSeries", "days_csv", "draw_placeholder", "draw_time_series", "hours_csv",
]  # fmt: skip
