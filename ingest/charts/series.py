"""The chart of a story's series: its hours and days, with the story's events and windows."""

import pandas as pd

from ingest.charts.base import Chart, Mark, Span, TimeSeries
from ingest.charts.timeseries import draw_placeholder, draw_time_series
from ingest.evidence import Facts, SeriesFacts
from ingest.stats import day_starts
from ingest.story import moment_of
from ingest.units import format_quantity

# What explains a line; reports and decisions stand in the timeline.
_MARKED = frozenset({"shipped", "opened"})


def draw(facts: Facts, name: str) -> Chart:
    """The time series called `name`, or a calm placeholder that says why there is none."""
    series = facts.series[name]
    identity = f"pk-{facts.slug}-{series.name}"
    title = f"{series.title}, {series.figure}"
    if series.hours.empty:
        return draw_placeholder(identity, title, series.health.notes[0] if series.health.notes else "no data yet")
    goal = facts.goal if facts.goal and facts.goal.series is series else None
    return draw_time_series(
        TimeSeries(
            id=identity,
            title=title,
            unit=series.unit,
            points=_drawn(series.hours),
            step=series.step,
            zone=facts.zone,
            days=_drawn(series.days) if series.series.kind != "total" else None,
            marks=tuple(Mark(e.at, e.label, e.kind) for e in facts.events if e.kind in _MARKED),
            spans=_test_windows(facts, series),
            goal=goal.below if goal else None,
            goal_label=f"goal {format_quantity(goal.below, series.unit)}" if goal else "",
        )
    )


def _drawn(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[[column for column in ("value", "low", "high") if column in frame]]


def _test_windows(facts: Facts, series: SeriesFacts) -> tuple[Span, ...]:
    """The windows of the hypotheses that are tested on this series; their last day belongs to them."""
    found = []
    for hypothesis in facts.story.front.hypotheses:
        test = hypothesis.test
        if test and series.name in (test.share, test.of, test.contrast, test.against, test.change):
            start, last = moment_of(test.from_, facts.zone), moment_of(test.to, facts.zone)
            # A day of 25 hours ends where the next one begins.
            end = day_starts(pd.DatetimeIndex([pd.Timestamp(last) + pd.Timedelta(hours=36)]), facts.zone)[0]
            found.append(Span(start, end.to_pydatetime(), f"test of {hypothesis.id}", "test"))
    return tuple(found)
