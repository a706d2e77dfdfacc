import csv
import io
import math
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ingest.charts.base import Mark, Span, csv_text
from ingest.charts.frame import draw_placeholder
from ingest.charts.shape import limits, points_of, thin
from ingest.charts.timeseries import draw_time_series
from tests.ingest.charts.samples import (
    HOSTILE,
    START,
    ZONE,
    assert_golden,
    full,
    hours,
    numbers,
    of_class,
    parsed,
    series,
    texts,
    wave,
)


@pytest.mark.parametrize("name", ["full", "placeholder"])
def test_golden(name: str) -> None:
    """A chart looks as it did; PERFKB_REGENERATE=1 accepts a change, which then shows in review."""
    chart = (
        draw_time_series(full()) if name == "full" else draw_placeholder("slow-list-requests", "Requests", "no data")
    )
    assert_golden(name, chart)


def test_same_bytes_again() -> None:
    """Two draws of one series are equal byte for byte, and so are their numbers."""
    one, other = draw_time_series(full()), draw_time_series(full())
    assert (one, one.csv) == (other, other.csv)


def test_same_bytes_in_other_processes() -> None:
    """Neither the order of hashes nor the process shows in a chart."""
    imports = "from tests.ingest.charts.samples import full; from ingest.charts.timeseries import draw_time_series"
    code = f"{imports}; chart = draw_time_series(full()); print(chart, chart.csv)"
    drawn = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[3])},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(drawn) == 1


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_labels(label: str) -> None:
    """No label of a mark, window, goal, unit, title or note leaves its text."""
    at = START + timedelta(hours=20)
    chart = draw_time_series(
        series(
            wave(48),
            title=label,
            unit=label,
            note=label,
            goal=1.0,
            goal_label=label,
            marks=(Mark(at, label, label),),
            spans=(Span(START, at, label, "test"),),
        )
    )
    tags = {element.tag for element in parsed(chart.svg).iter()}
    assert tags <= {"svg", "title", "desc", "defs", "pattern", "rect", "g", "path", "text"}
    assert not any(key.startswith("on") for element in parsed(chart.svg).iter() for key in element.attrib)
    assert max(map(len, texts(chart.svg))) <= 60


def test_missing_hour() -> None:
    """One missing hour breaks the line and shades nothing."""
    chart = draw_time_series(series(wave(24).drop(START + timedelta(hours=10))))
    (line,) = of_class(chart.svg, "points")
    assert line.get("d", "").count("M") == 2
    assert of_class(chart.svg, "gap") == []


@pytest.mark.parametrize("missing", ["no row", "no number"])
def test_gap(missing: str) -> None:
    """A longer gap is not bridged, but hatched over its whole length, whether rows lack or their values."""
    points = wave(24)
    gap = points.index[10:14]
    points = (
        points.drop(gap) if missing == "no row" else points.assign(value=points["value"].where(~points.index.isin(gap)))
    )
    chart = draw_time_series(series(points))
    (line,), (hatched,) = of_class(chart.svg, "points"), of_class(chart.svg, "gap")
    before, after = (numbers(part) for part in line.get("d", "").split("M")[1:])
    left, right = min(numbers(hatched.get("d", ""))[::2]), max(numbers(hatched.get("d", ""))[::2])
    assert max(before[::2]) < left < right < min(after[::2])
    assert "no data" in texts(chart.svg)


def test_lonely_point() -> None:
    """A value between two gaps is seen, as wide as its step."""
    points = wave(24)
    (line,) = of_class(draw_time_series(series(points.iloc[[0, 1, 8, 20]])).svg, "points")
    lonely = numbers(line.get("d", "").split("M")[2])
    assert lonely[2] - lonely[0] == pytest.approx((708 - 76) / 21, abs=0.2)


def test_band_of_a_quantile() -> None:
    """Bucket edges are an area that ends at gaps; an open end reaches the top of the plot."""
    points = wave(24).assign(low=0.5, high=1.0)
    points.loc[points.index[20:], "high"] = math.inf
    svg = draw_time_series(series(points.drop(points.index[8:12]))).svg
    first, second = of_class(svg, "band")
    assert min(numbers(first.get("d", ""))[1::2]) > min(numbers(second.get("d", ""))[1::2])


def test_value_beyond_the_last_bucket() -> None:
    """An infinite quantile is no gap: it is drawn to the top and named."""
    chart = draw_time_series(series(hours([1.0] * 10 + [math.inf] + [1.0] * 10)))
    assert "↑ beyond the last bucket" in texts(chart.svg)
    assert of_class(chart.svg, "points")[0].get("d", "").count("M") == 1
    assert "The highest value is beyond the last bucket" in chart.description


def test_towering_value() -> None:
    """A single incident does not press all else to the ground; its height is said."""
    chart = draw_time_series(series(hours([1.0] * 200 + [40.0] + [1.0] * 100)))
    assert "↑ up to 40 s" in texts(chart.svg)
    assert limits(np.array([1.0] * 99 + [40.0]), np.array([30.0]))[1] > 40


def test_days_lie_over_hours() -> None:
    """Days are level steps drawn after the line of the hours, broken where a day is missing."""
    days = hours([1.0]).iloc[:0]
    starts = pd.DatetimeIndex([datetime(2026, 9, day, tzinfo=ZONE) for day in (1, 2, 4)])
    days = pd.DataFrame({"value": [1.0, 0.8, 0.6]}, index=starts)
    svg = draw_time_series(series(wave(96), days=days)).svg
    (line,) = of_class(svg, "days")
    first, second = (numbers(part) for part in line.get("d", "").split("M")[1:])
    assert (len(first), len(second)) == (8, 4)
    assert first[1] == first[3]
    assert svg.index("pk-chart-points") < svg.index("pk-chart-days")


def test_day_of_25_hours_is_whole() -> None:
    """The day on which summer time ends reaches the next one."""
    starts = pd.DatetimeIndex([datetime(2026, 10, day, tzinfo=ZONE) for day in (24, 25, 26)])
    points = hours([1.0] * 72, datetime(2026, 10, 23, 22, tzinfo=UTC))
    svg = draw_time_series(series(points, days=pd.DataFrame({"value": [1.0, 0.8, 0.6]}, index=starts))).svg
    assert of_class(svg, "days")[0].get("d", "").count("M") == 1


def test_fewer_points() -> None:
    """More points than the screen has pixels are reduced to the extremes of each pixel, across no gap."""
    points = wave(24 * 365)
    points.loc[points.index[5000], "value"] = 9.0
    whole = points_of(points.drop(points.index[4000:4100]), timedelta(hours=1))
    kept = thin(whole, 700)
    assert len(kept) <= 1404
    assert (kept["value"].min(), kept["value"].max()) == (whole["value"].min(), 9.0)
    assert set(kept["run"]) == {0, 1}
    assert kept["at"].is_monotonic_increasing


def test_marks() -> None:
    """What happened is a line through the plot with its label; the zone decides nothing about its place."""
    at = START + timedelta(hours=12)
    svg = draw_time_series(series(wave(24), marks=(Mark(at, "shipped: batch", "shipped"),))).svg
    (line,) = of_class(svg, "mark")
    assert numbers(line.get("d", ""))[0] == pytest.approx((76 + 708) / 2, abs=0.1)
    assert "shipped: batch" in texts(svg)


def test_many_marks() -> None:
    """At most eight marks are named, what was shipped before reports; the others are counted."""
    reports = [Mark(START + timedelta(days=3 * day), f"report {day}", "reported") for day in range(30)]
    shipped = Mark(START + timedelta(days=80), "shipped: batch", "shipped")
    chart = draw_time_series(series(wave(24 * 90), marks=(*reports, shipped)))
    named = [text for text in texts(chart.svg) if text.startswith(("report", "shipped"))]
    assert "shipped: batch" in named
    assert len(named) <= 8
    assert f"{31 - len(named)} more events" in texts(chart.svg)
    assert "and 19 more" in chart.description


def test_mark_far_away() -> None:
    """A mark long before the data neither stretches the axis nor is drawn, but is told."""
    chart = draw_time_series(series(wave(24), marks=(Mark(START - timedelta(days=90), "opened", "opened"),)))
    assert of_class(chart.svg, "mark") == []
    assert "opened on 3 Jun" in chart.description


def test_empty_label() -> None:
    """A mark without words is named by its kind."""
    assert "parked" in texts(draw_time_series(series(wave(24), marks=(Mark(START, "\0", "parked"),))).svg)


def test_labels_that_begin_with_an_underscore() -> None:
    """No label vanishes."""
    svg = draw_time_series(
        series(wave(24), title="_t", marks=(Mark(START, "_x", "opened"),), goal=1, goal_label="_g")
    ).svg
    assert {"_t", "_x", "_g"} <= set(texts(svg))


def test_goal() -> None:
    """A goal without words of its own is named by its value, and the axis reaches it."""
    svg = draw_time_series(series(wave(24), goal=0.5)).svg
    assert "goal 500 ms" in texts(svg)
    assert draw_time_series(series(wave(24), goal=60.0)).svg.count("goal 60 s") == 1


def test_long_unit_stands_in_the_title() -> None:
    """A unit that has no room at each tick is named once."""
    shown = texts(draw_time_series(series(wave(24) * 1000, unit="queries")).svg)
    assert "95th percentile (queries)" in shown
    assert sum("queries" in text for text in shown) == 1


@pytest.mark.parametrize("values", [[], [math.nan, math.nan], [-math.inf]])
def test_nothing_to_draw(values: list[float]) -> None:
    """A series without a value is a calm chart that says so."""
    chart = draw_time_series(series(hours(values)))
    assert texts(chart.svg) == ["95th percentile", "no data yet"]
    assert (chart.description, chart.csv) == ("no data yet", "time,value\n")


def test_long_message_of_a_placeholder() -> None:
    """A long reason takes several lines in the picture, and is whole in the description."""
    reason = "the source did not answer for three days and the last good data was lost in the meantime"
    chart = draw_placeholder("a-b", "Requests", reason)
    assert " ".join(texts(chart.svg)[:-1] if texts(chart.svg)[-1] == "Requests" else texts(chart.svg)[1:]) == reason
    assert chart.description == reason


@pytest.mark.parametrize("values", [[0.0] * 5, [1.0], [-1.0, 2.0, -3.0], [1e-9, 2e-9], [1e12, 2e12], [math.inf] * 3])
def test_unusual_values(values: list[float]) -> None:
    """Zeros, a single point, negative, tiny, huge and only infinite values are all drawn within the plot."""
    svg = draw_time_series(series(hours(values))).svg
    (line,) = of_class(svg, "points")
    height = float((parsed(svg).get("viewBox") or "").split()[3])
    assert all(0 <= y <= height for y in numbers(line.get("d", ""))[1::2])


def test_description() -> None:
    """The description tells the period, level, peak, gaps, goal, windows and events in the zone's days."""
    description = draw_time_series(full()).description
    assert description == (
        "One value each hour from 1 Sep to 10 Sep 2026."
        " Typically 588 ms: about 878 ms at the beginning and 361 ms at the end."
        " The highest value is 1.1 s, on 1 Sep at 08:00."
        " Of 2 gaps the longest is 20 h."
        " The goal is 1 s; 81.5 % of the values are below it."
        " Windows: before from 4 Sep to 6 Sep; after from 7 Sep to 9 Sep."
        " Marked: opened on 2 Sep; shipped: batch query on 7 Sep."
    )


def test_csv() -> None:
    """The numbers come in full precision, with UTC times; a gap is an empty cell and an open end is inf."""
    points = hours([0.1 + 0.2, math.nan]).assign(low=[0.25, math.nan], high=[math.inf, math.nan]).tz_convert(ZONE)
    assert draw_time_series(series(points)).csv == (
        "time,value,low,high\n2026-09-01T00:00:00Z,0.30000000000000004,0.25,inf\n2026-09-01T01:00:00Z,,,\n"
    )


def test_csv_of_texts() -> None:
    """A text that a spreadsheet would run is defused, a negative number is not touched."""
    written = csv_text(["name", "-1"], [["=HYPERLINK(1)", -1.5], ["+1", 0.0], ["@x", 1.0], ["a,\nb", 2.0]])
    assert list(csv.reader(io.StringIO(written))) == [
        ["name", "'-1"],
        ["'=HYPERLINK(1)", "-1.5"],
        ["'+1", "0.0"],
        ["'@x", "1.0"],
        ["a, b", "2.0"],
    ]
    assert "\r" not in written


def test_labels_of_the_axis_are_apart() -> None:
    """Labels below the plot keep their distance on a narrow screen, for any length of time."""
    for days in (1, 2, 5, 13, 40, 90, 200, 400):
        root = parsed(draw_time_series(series(wave(24 * days))).svg)
        places = [float(text.get("x", "")) for text in root.iter("text") if text.get("text-anchor") == "middle"]
        assert len(places) >= 2
        assert all(right - left > 60 for left, right in pairwise(places))
