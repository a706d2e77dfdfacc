"""The chart of a story's series: its hours and days, with the story's events and windows."""

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


def draw(facts: Facts, name: str) -> Chart:
    """The time series called `name`, or a calm placeholder that says why there is none."""
    series = facts.series[name]
    title = titled(series.title, f", {series.figure}")
    return or_placeholder(chart_id(facts, name), title, partial(_draw, facts, series, title))


def _draw(facts: Facts, series: SeriesFacts, title: str) -> Chart:
    if series.hours.empty:
        raise NothingToDrawError(why_empty(series))
    goal = goal_of(facts, series)
    return draw_time_series(
        TimeSeries(
            id=chart_id(facts, series.name),
            title=title,
            unit=series.unit,
            points=_drawn(series.hours),
            step=series.step,
            zone=facts.zone,
            days=_drawn(series.days) if series.series.kind != "total" else None,
            marks=marks(facts),
            spans=_test_windows(facts, series),
            # To this day, so that data which ended long ago cannot pass for today's.
            covers=(series.hours.index[0].to_pydatetime(), floor(facts.now, series.step)),
            goal=goal.below if goal else None,
            goal_label=f"goal {format_quantity(goal.below, series.unit)}" if goal else "",
        )
    )


def _drawn(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[[column for column in ("value", "low", "high") if column in frame]]


def _test_windows(facts: Facts, series: SeriesFacts) -> tuple[Span, ...]:
    """The windows of the hypotheses that are tested on this series."""
    return tuple(
        span
        for hypothesis in facts.story.front.hypotheses
        if (test := hypothesis.test)
        and series.name in (test.share, test.of, test.contrast, test.against, test.change)
        and (span := window_of(hypothesis, facts.zone))
    )
