"""What can be read off a chart is what it draws."""

import json
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import numpy as np
import pytest

from ingest.charts import CHARTS
from ingest.charts.base import Chart
from ingest.charts.readings import Readings, with_readings
from ingest.charts.timeseries import draw_time_series
from ingest.evidence import Facts
from ingest.units import format_quantity
from tests.ingest.charts.samples import HOSTILE, ZONE, full, hours, numbers, of_class, parsed, series, texts
from tests.ingest.charts.stories import HISTOGRAM, facts_of, histograms, times, values

FRONT = f"""\
telemetry:
  requests: {HISTOGRAM}
  query: {{source: prod, kind: total, metric: q, unit: s, title: Time in queries}}
slo: {{series: requests, below: 1 s}}
hypotheses:
  - {{id: h1, because: it counts, written: 2026-09-01,
      test: {{share: query, of: requests, at_least: 50 %, from: 2026-09-02, to: 2026-09-08}}}}
  - {{id: h2, because: it sorts, written: 2026-09-01,
      test: {{share: query, of: requests, at_least: 20 %, from: 2026-09-02, to: 2026-09-08}}}}
fixes:
  - {{id: batch, shipped: 2026-10-06T10:00Z}}
"""


def facts(days: int = 60) -> Facts:
    index = times(24 * days)
    rows = {
        "requests": histograms(index, lambda at: [0, at.hour, 2, 3, 1, 0] if at.month == 9 else [9, 3, 1, 0, 0, 0]),
        "query": values(index, lambda at: at.hour),
    }
    return facts_of(FRONT, rows)


def drawn(kind: str, name: str, of: Facts) -> Chart:
    return CHARTS[kind].draw(of, name)


def readings(chart: Chart) -> Readings:
    assert chart.readings
    return chart.readings


def test_a_point_lies_on_its_line() -> None:
    """The point of a reading is a corner of the line that is drawn of the steps."""
    chart = draw_time_series(full())
    (line,) = of_class(chart.svg, "points")
    corners = np.array(numbers(line.get("d") or "")).reshape(-1, 2)
    for row in readings(chart).rows:
        assert np.abs(corners - [row.x, row.y]).max(axis=1).min() < 0.2, row


def test_steps_where_they_can_be_pointed_at() -> None:
    """A few days are read by the hour, a month by the day, and years by the week."""
    start = datetime(2026, 9, 1, tzinfo=ZONE)
    few, month, years = (draw_time_series(series(hours([1.0, 3.0] * (12 * days), start))) for days in (10, 40, 800))
    assert readings(few).rows[1].place == "Tue 1 Sep 2026, 01:00"
    assert readings(few).rows[1].values == ("3 s",)
    assert (readings(month).columns, len(readings(month).rows)) == (("lowest hour", "highest hour"), 40)
    assert readings(month).rows[0].values == ("1 s", "3 s")
    assert readings(years).rows[0].place.endswith("31 Aug 2026")  # the Monday of that week
    assert len(readings(years).rows) == 115


@pytest.mark.parametrize("kind", ["series", "share", "distribution", "heatmap", "week"])
def test_in_order_and_inside(kind: str) -> None:
    """Readings go from left to right, within the drawing, each with a value for every column."""
    name = {"share": "h1", "distribution": "batch"}.get(kind, "requests")
    chart = drawn(kind, name, facts())
    found, height = readings(chart), float((parsed(chart.svg).get("viewBox") or "").split()[3])
    at = [row.x for row in found.rows]
    assert at == sorted(at)
    assert len(at) >= 5
    assert 0 < at[0] < at[-1] < 720
    assert all(len(row.values) == len(found.columns) for row in found.rows)
    assert 0 < found.top < found.bottom < height
    assert not found.levels or len(found.levels) == len(found.columns)


POOL = """\
telemetry: {pool: {source: prod, kind: gauge, metric: q, unit: s, title: Pool}}
fixes: [{id: batch, shipped: 2026-10-06T10:00Z, series: pool}]
"""


def test_every_dot_is_read() -> None:
    """The dots of single values are points: a tenth each, where they are drawn, with the value that they stand at."""
    index = times(24 * 60)
    chart = CHARTS["distribution"].draw(facts_of(POOL, {"pool": values(index, lambda at: at.hour)}), "batch")
    found = readings(chart)
    assert found.points
    assert [row.place for row in found.rows[9:11]] == ["before, 10 of 10", "after, 1 of 10"]
    drawn_at = [numbers(each.get("d") or "")[:2] for each in of_class(chart.svg, "dot")]
    assert [[row.x, row.y] for row in found.rows] == [pytest.approx(each, abs=0.1) for each in drawn_at]
    assert found.rows[0].values == ("1 s",)
    assert found.rows[19].values == ("22 s",)


def test_a_day_reads_as_the_page_counts_it() -> None:
    """The value of a day is that of the day's own figure."""
    of = facts()
    days = of.series["requests"].days["value"]
    rows = readings(drawn("series", "requests", of)).rows
    assert [row.values[0] for row in rows] == [format_quantity(float(value), "s") for value in days]


def test_a_window_shows_its_days_alone() -> None:
    """The part around a fix begins 28 days before it, and the last days end with the data."""
    of = facts()
    around = readings(drawn("around", "requests", of)).rows
    assert (around[0].place, around[-1].place) == ("Tue 8 Sep 2026", "Tue 20 Oct 2026")
    latest = readings(drawn("latest", "requests", of)).rows
    assert len(latest) == 14 * 24
    assert latest[-1].place.startswith("Fri 30 Oct 2026, 22:00")


def test_equal_windows_are_drawn_once() -> None:
    """Two tests of the same days share one shaded stretch, which names both."""
    chart = drawn("series", "query", facts())
    assert len(of_class(chart.svg, "span")) == 1
    assert "test of h1, h2" in texts(chart.svg)


def test_long_titles_are_whole() -> None:
    """A title that is longer than a line goes on in the next one, and the plot begins below it."""
    long = "How long the list of all campaigns of an account with very many lists takes on a Tuesday morning"
    short, tall = (draw_time_series(series(hours([1.0] * 48), title=title)) for title in ("List", f"{long}, p95"))
    told = " ".join(texts(tall.svg))
    assert f"{long}, p95" in told
    assert readings(tall).top == readings(short).top + 26


@pytest.mark.parametrize("label", HOSTILE)
def test_a_drawing_carries_its_readings(label: str) -> None:
    """As an attribute of the drawing they are JSON again, whatever the unit is called; the SVG stays one."""
    chart = draw_time_series(series(hours([1.0, 2.0]), unit=label))
    root = ElementTree.fromstring(with_readings(chart.svg, chart.readings))  # noqa: S314 - drawn by the test
    kept = json.loads(root.get("data-readings") or "")
    assert kept["columns"] == ["value"]
    assert [row[2] for row in kept["rows"]] == [row.place for row in readings(chart).rows]
    assert with_readings(chart.svg, None) == chart.svg


def test_nothing_is_read_where_nothing_is() -> None:
    """A placeholder has no readings, and a part of the time that is not there is a placeholder."""
    empty = facts_of(FRONT, {})
    for kind in ("series", "around", "latest", "heatmap", "week"):
        assert drawn(kind, "requests", empty).readings is None
    assert "No fix of this series has shipped." in texts(drawn("around", "query", facts()).svg)


def test_hours_of_the_clock_change() -> None:
    """On the night with two hours from two to three both are read, in the zone's own time."""
    start = datetime(2026, 10, 24, 22, tzinfo=UTC)
    rows = readings(draw_time_series(series(hours([1.0] * 25, start), step=timedelta(hours=1)))).rows
    assert [row.place[-5:] for row in rows[1:5]] == ["01:00", "02:00", "02:00", "03:00"]
