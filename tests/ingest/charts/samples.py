"""Small series to draw, and ways to look at what was drawn."""

import math
import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from zoneinfo import ZoneInfo

import pandas as pd

from ingest.charts.base import Chart, Mark, Span, TimeSeries

ZONE = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)
START = datetime(2026, 9, 1, tzinfo=UTC)
HOSTILE = (
    r"$\frac{$",
    "_x",
    "a\0b",
    "<script>alert(1)</script>",
    "]]>",
    "\u202eevil\u202c",
    "x" * 5000,
    "\U0001f40c\U0001fae0 漢字",
    "{{ config }}{% raw %}",
    '" onload="x',
    "&lt;&#0;",
    "a\ud800",
)


def hours(values: list[float], start: datetime = START) -> pd.DataFrame:
    """One row an hour."""
    return pd.DataFrame({"value": values}, index=pd.date_range(start, periods=len(values), freq="1h", name="time"))


def wave(count: int) -> pd.DataFrame:
    """A daily rhythm around 0.8, which drops after two thirds."""
    return hours([(0.8 + 0.3 * math.sin(i / 24 * math.tau)) * (0.5 if i > count * 2 / 3 else 1) for i in range(count)])


def series(points: pd.DataFrame, **changed: Any) -> TimeSeries:
    """A time series without anything but its points, unless `changed`."""
    return replace(TimeSeries("slow-list-requests", "95th percentile", "s", points, HOUR, ZONE), **changed)


def full() -> TimeSeries:
    """A series with one of everything that a chart can show."""
    points = wave(24 * 9)
    points["low"], points["high"] = points["value"] * 0.9, points["value"] * 1.2
    points.loc[points.index[60], ["value", "low", "high"]] = math.nan
    points = points.drop(points.index[100:120])
    days = points.tz_convert(ZONE).resample("D").median()
    return series(
        points,
        days=days,
        marks=(Mark(_day(2), "opened", "opened"), Mark(_day(7), "shipped: batch query", "shipped")),
        spans=(Span(_day(4), _day(7), "before", "before"), Span(_day(7), _day(10), "after", "after")),
        goal=1.0,
        goal_label="goal: below 1 s",
        note="data until 9 Sep 2026",
    )


def parsed(svg: str) -> Element:
    """The SVG as a tree; raises where it is not well-formed."""
    return ElementTree.fromstring(re.sub(r' xmlns="[^"]*"', "", svg, count=1))  # noqa: S314 - drawn by the test


def texts(svg: str) -> list[str]:
    """All words of the drawing."""
    return [element.text or "" for element in parsed(svg).iter("text")]


def of_class(svg: str, name: str) -> list[Element]:
    """The shapes that were drawn under a name."""
    return [element for element in parsed(svg).iter() if element.get("class") == f"pk-chart-{name}"]


def numbers(path: str) -> list[float]:
    """The numbers of a path."""
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", path)]


def assert_golden(name: str, chart: Chart) -> None:
    """The chart looks as it did; PERFKB_REGENERATE=1 accepts a change."""
    # One shape a line makes a change readable.
    drawn = chart.svg.replace("><", ">\n<") + "\n"
    golden = Path(__file__).parent / f"golden/{name}.svg"
    if os.environ.get("PERFKB_REGENERATE") == "1":
        golden.write_text(drawn, "utf-8")
    assert drawn == golden.read_text("utf-8")


def _day(number: int) -> datetime:
    return datetime(2026, 9, number, tzinfo=ZONE)
