"""What the tests `contrast` and `change` look at: two groups side by side, or one series and a moment."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from ingest.charts.about import NothingToDrawError, marks
from ingest.charts.asked import Asked
from ingest.charts.base import Chart, Mark, TimeSeries
from ingest.charts.lines import Line, Lines, draw_lines
from ingest.charts.timeseries import draw_time_series
from ingest.evidence import SeriesFacts
from ingest.evidence.figure import Figure, inside
from ingest.story import moment_of
from ingest.units import Quantity, format_percent, format_quantity

_SHORT = 20


def draw_contrast(asked: Asked) -> Chart:
    """One group's days beside the other's, and where the threshold would be."""
    group, other = asked.series(asked.test.contrast), asked.series(asked.test.against)
    try:
        factor = Quantity(1, other.unit).to(group.unit)
    except ValueError as error:
        raise NothingToDrawError(f"“{group.title}” and “{other.title}” cannot be compared: {error}.") from None
    figures = [Figure(each, asked.test.quantile, asked.facts.zone) for each in (group, other)]
    days, others = (asked.shown(figure.days) for figure in figures)
    others = others * factor
    if not (np.isfinite(days["value"]).any() and np.isfinite(others["value"]).any()):
        raise NothingToDrawError("There are no data of both groups around the test window.")
    threshold = others * (1 + asked.test.at_least)
    note = _compared(asked, figures, factor)
    asks = f"at least {format_percent(asked.test.at_least)} above"
    name, other_name = (short_name(each) for each in (group, other))
    what = f"The {figures[0].name} of “{group.title}” and of “{other.title}”"
    return draw_lines(
        Lines(
            id=asked.id,
            title=asked.title,
            unit=group.unit,
            zone=asked.facts.zone,
            lines=(
                Line(name, days, "day", 2.6),
                Line(other_name, others, "mark", 2.0),
                Line(f"{asks} {other_name}", threshold, "goal", 1.6, dashed=True),
            ),
            window=asked.window,
            marks=marks(asked.facts),
            note=note,
            description=asked.described(what, f"{asks} the other", note),
        )
    )


def _compared(asked: Asked, figures: list[Figure], factor: float) -> str:
    """Both groups' figures over the steps of the window that both have."""
    group, other = (figure.series for figure in figures)
    rows = [inside(each, asked.window.start, asked.window.end) for each in (group, other)]
    if group.step == other.step:
        rows[0] &= group.rows.index.isin(other.rows.index[rows[1]])
        rows[1] &= other.rows.index.isin(group.rows.index[rows[0]])
    one, two = (figure.over(chosen) for figure, chosen in zip(figures, rows, strict=True))
    if not (np.isfinite(one) and np.isfinite(two)):
        return asked.observed("", None)
    texts = [format_quantity(value, group.unit) for value in (one, two * factor)]
    apart = f", {format_percent(one / (two * factor) - 1, signed=True)}" if two else ""
    return asked.observed(f"{texts[0]}, {short_name(other)} {texts[1]}{apart}", group.rows.index[rows[0]][-1])


def short_name(series: SeriesFacts) -> str:
    """The title, or where that would not fit beside a line, the series' name."""
    return series.title if len(series.title) <= _SHORT else series.name.replace("_", " ")


def draw_change(asked: Asked) -> Chart:
    """The series around the moment of the experiment."""
    series = asked.series(asked.test.change)
    figure = Figure(series, asked.test.quantile, asked.facts.zone)
    hours, days = (_drawn(asked.shown(frame)) for frame in (figure.hours, figure.days))
    if not np.isfinite(hours["value"]).any():
        raise NothingToDrawError("There are no data around the test window.")
    # An hour's amount and a day's have no scale in common.
    adds_up = series.series.kind == "total"
    at = moment_of(asked.test.at, asked.facts.zone) if asked.test.at else None
    note = _before_and_after(asked, figure, at)
    threshold = f"a change of {format_percent(asked.test.at_least)} or more"
    return draw_time_series(
        TimeSeries(
            id=asked.id,
            title=asked.title,
            unit=series.unit,
            points=days if adds_up else hours,
            step=timedelta(days=1) if adds_up else series.step,
            zone=asked.facts.zone,
            days=None if adds_up else days,
            marks=(*marks(asked.facts), *([Mark(at, "the change", "changed")] if at else [])),
            spans=(asked.window,),
            note=note,
            covers=(asked.window.start, asked.window.end),
            description=asked.described(f"The {figure.name} of “{series.title}”", threshold, note),
            figure=figure.name,
        )
    )


def _drawn(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame.columns.intersection(["value", "low", "high"])]


def _before_and_after(asked: Asked, figure: Figure, at: datetime | None) -> str:
    """The figure of the window's rows on both sides of the moment, as far as there are any."""
    rows = inside(figure.series, asked.window.start, asked.window.end)
    index = figure.series.rows.index
    if not rows.any():
        return asked.observed("", None)
    sides = [("", rows)] if at is None else [(" before", rows & (index < at)), (" after", rows & (index >= at))]
    told = [
        f"{format_quantity(value, figure.series.unit)}{when}"
        for when, side in sides
        if np.isfinite(value := figure.over(np.asarray(side)))
    ]
    return asked.observed(", ".join(told), index[rows][-1])
