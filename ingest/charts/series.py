"""The chart of a story's series: its hours and days, with the story's events and windows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import pandas as pd

from ingest.charts.about import (
    NothingToDrawError,
    chart_id,
    goal_of,
    marks,
    or_placeholder,
    titled,
    why_empty,
    window_of,
)
from ingest.charts.base import Chart, Span, TimeSeries
from ingest.charts.timeseries import draw_time_series
from ingest.clock import floor
from ingest.evidence import Facts, SeriesFacts
from ingest.units import format_quantity


@dataclass(frozen=True)
class Window:
    """A part of the time, [start, end), and what it is called."""

    start: datetime
    end: datetime
    title: str


def draw(facts: Facts, name: str) -> Chart:
    """The time series called `name`, or a calm placeholder that says why there is none."""
    series = facts.series[name]
    title = titled(series.title, f", {series.figure}")
    return or_placeholder(chart_id(facts, name), title, partial(_draw, facts, series, title))


def draw_window(facts: Facts, name: str, stem: str, window: Window | None, otherwise: str) -> Chart:
    """The same for a part of the time; a placeholder that says `otherwise` where there is no such part."""
    series = facts.series[name]
    title = titled(series.title, f", {series.figure}" + (f": {window.title}" if window else ""))
    identity = chart_id(facts, f"{name}.{stem}")

    def make() -> Chart:
        if window is None:
            raise NothingToDrawError(otherwise)
        return _draw(facts, series, title, window, identity)

    return or_placeholder(identity, title, make)


def _draw(
    facts: Facts, series: SeriesFacts, title: str, window: Window | None = None, identity: str | None = None
) -> Chart:
    if series.hours.empty:
        raise NothingToDrawError(why_empty(series))
    # To this day, so that data which ended long ago cannot pass for today's.
    start, end = series.hours.index[0].to_pydatetime(), floor(facts.now, series.step)
    if window:
        start, end = max(start, window.start), min(end, window.end)
    points, days = (_drawn(each, start, end) for each in (series.hours, series.days))
    if points.empty:
        raise NothingToDrawError("There are no data of these days.")
    goal = goal_of(facts, series)
    return draw_time_series(
        TimeSeries(
            id=identity or chart_id(facts, series.name),
            title=title,
            unit=series.unit,
            points=points,
            step=series.step,
            zone=facts.zone,
            days=days if series.series.kind != "total" else None,
            marks=tuple(mark for mark in marks(facts) if not window or start <= mark.at < end),
            spans=tuple(_test_windows(facts, series)),
            covers=(start, end),
            goal=goal.below if goal else None,
            goal_label=f"goal {format_quantity(goal.below, series.unit)}" if goal else "",
            figure=series.figure,
        )
    )


def _drawn(frame: pd.DataFrame, start: datetime, end: datetime) -> pd.DataFrame:
    shown = frame[(frame.index >= start) & (frame.index < end)]
    return shown[[column for column in ("value", "low", "high") if column in shown]]


def _test_windows(facts: Facts, series: SeriesFacts) -> Iterator[Span]:
    """The windows of the hypotheses that are tested on this series; one that several share is one."""
    shared: dict[tuple[datetime, datetime], list[str]] = {}
    for hypothesis in facts.story.front.hypotheses:
        window = window_of(hypothesis, facts.zone)
        if window and hypothesis.test and series.name in hypothesis.test.names.values():
            shared.setdefault((window.start, window.end), []).append(hypothesis.id)
    for (start, end), ids in shared.items():
        yield Span(start, end, f"test of {', '.join(ids)}", "test")
