import csv
import io
from datetime import datetime, timedelta

import pytest

from ingest.charts.week import draw
from tests.ingest.charts.samples import ZONE, assert_golden, of_class, texts
from tests.ingest.charts.stories import FIRST, HISTOGRAM, facts_of, histograms, times, values

GOAL = f"telemetry: {{requests: {HISTOGRAM}}}\nslo: {{series: requests, below: 1 s}}\n"


def pool(kind: str, unit: str = "s") -> str:
    return f'telemetry: {{pool: {{source: prod, kind: {kind}, query: q, unit: "{unit}"}}}}\n'


def rush(at: datetime) -> list[float]:
    """Slow requests on weekday mornings."""
    local = at.astimezone(ZONE)
    return [0, 20, 50, 0, 30, 0] if local.weekday() < 5 and 8 <= local.hour < 10 else [10, 50, 40, 0, 0, 0]


def table(text: str) -> dict[tuple[str, int], float | None]:
    rows = list(csv.reader(io.StringIO(text)))[1:]
    return {(day, int(float(hour))): float(value) if value else None for day, hour, value in rows}


def test_golden() -> None:
    """The share over the goal by hour of the week looks as it did; hours without data are in it."""
    rows = histograms(times(24 * 21), rush)
    local = times(24 * 21).tz_convert(ZONE)
    rows = rows[(local.day_of_week < 6) | (local.hour >= 4)]
    assert_golden("week", draw(facts_of(GOAL, {"requests": rows}), "requests"))


def test_share_over_the_goal() -> None:
    """With a goal a cell is the share of requests over it, in hours of the zone."""
    chart = draw(facts_of(GOAL, {"requests": histograms(times(24 * 28), rush)}), "requests")
    found = table(chart.csv)
    assert chart.csv.startswith("weekday,hour,share_over_goal\n")
    assert {key: value for key, value in found.items() if value} == {
        (day, hour): pytest.approx(0.3) for day in ("Mon", "Tue", "Wed", "Thu", "Fri") for hour in (8, 9)
    }
    assert "share of requests over 1 s; the goal allows 5 %" in texts(chart.svg)
    assert "Highest: 30 %, Mondays 08:00 to 09:00" in texts(chart.svg)


def test_quantile_without_a_goal() -> None:
    """Without a goal a cell of a histogram is the quantile of that hour's buckets, added up."""
    facts = facts_of(f"telemetry: {{requests: {HISTOGRAM}}}\n", {"requests": histograms(times(24 * 28), rush)})
    chart = draw(facts, "requests")
    found = table(chart.csv)
    assert found["Mon", 8] == pytest.approx(1 + 1.5 * 25 / 30)
    assert found["Sun", 8] == pytest.approx(0.25 + 0.25 * 35 / 40)
    assert "p95" in texts(chart.svg)


@pytest.mark.parametrize(
    ("kind", "expected"), [("gauge", 4.0), ("rate", 4.0), ("total", 4.0), ("latency", 1.0), ("ratio", 1.0)]
)
def test_kinds(kind: str, expected: float) -> None:
    """What can be averaged is, and of the rest a cell is the median; three weeks of 1, 1 and 10."""
    rows = values(times(24 * 21), lambda at: 10 if at >= FIRST + timedelta(days=14) else 1)
    assert set(table(draw(facts_of(pool(kind), {"pool": rows}), "pool").csv).values()) == {expected}


@pytest.mark.parametrize(("step", "expected"), [("15min", 40.0), ("1h", 10.0), ("6h", 10 / 6)])
def test_amounts_of_an_hour(step: str, expected: float) -> None:
    """An amount is that of an hour, whatever the step; a longer step counts in each of its hours."""
    chart = draw(facts_of(pool("total"), {"pool": values(times(400, step=step), lambda _: 10)}), "pool")
    found = [value for value in table(chart.csv).values() if value is not None]
    assert found == [pytest.approx(expected)] * len(found)
    assert "total an hour" in texts(chart.svg)


def test_last_28_days() -> None:
    """Only the last 28 days of data count."""
    rows = values(times(24 * 56), lambda at: 1 if at >= FIRST + timedelta(days=28) else 100)
    chart = draw(facts_of(pool("gauge"), {"pool": rows}), "pool")
    assert set(table(chart.csv).values()) == {1.0}
    assert "29 Sep to 26 Oct 2026, Europe/Berlin" in texts(chart.svg)


def test_since_the_fix() -> None:
    """The share over the goal is that since the fix, and says so."""
    front = GOAL + "fixes: [{id: batch, shipped: 2026-09-15T00:00+02:00}]\n"
    chart = draw(facts_of(front, {"requests": histograms(times(24 * 21), rush)}), "requests")
    assert "since the fix, 15 Sep to 21 Sep 2026, Europe/Berlin" in texts(chart.svg)


def test_empty_hours() -> None:
    """An hour without data is hatched, and is not zero."""
    chart = draw(facts_of(pool("gauge"), {"pool": values(times(24), lambda _: 0)}), "pool")
    assert len(of_class(chart.svg, "gap")) == 6 * 24
    assert len(of_class(chart.svg, "hours")) == 1
    assert "no data" in texts(chart.svg)
    assert table(chart.csv)["Tue", 0] == 0.0
    assert table(chart.csv)["Mon", 0] is None


def test_scale() -> None:
    """The scale has round values between its colours, each colour as far from the next as any other."""
    rows = values(times(24 * 7), lambda at: 10 + at.astimezone(ZONE).hour)
    chart = draw(facts_of(pool("gauge", "%"), {"pool": rows}), "pool")
    assert [text for text in texts(chart.svg) if text.endswith(" %")] == ["15 %", "20 %", "25 %", "30 %"]
    assert len(of_class(chart.svg, "scale")) == 5


def test_allowed_share_is_marked() -> None:
    """Where the goal's own share is a step of the scale, it is marked there."""
    rows = {"requests": histograms(times(24 * 7), rush)}
    assert len(of_class(draw(facts_of(GOAL, rows), "requests").svg, "goal")) == 1
    unusual = GOAL.replace("below", "quantile: 0.97, below")
    assert of_class(draw(facts_of(unusual, rows), "requests").svg, "goal") == []


def test_hours_over_the_goal() -> None:
    """Of a series that counts no requests it is the share of hours."""
    front = pool("latency") + "slo: {series: pool, below: 1 s}\n"
    rows = values(times(24 * 14), lambda at: 2 if at < FIRST + timedelta(days=7) else 0.5)
    chart = draw(facts_of(front, {"pool": rows}), "pool")
    assert set(table(chart.csv).values()) == {0.5}
    assert "share of hours over 1 s" in texts(chart.svg)


@pytest.mark.parametrize("kind", ["gauge", "histogram"])
def test_nothing_to_draw(kind: str) -> None:
    """Without data there is a placeholder that says why."""
    if kind == "histogram":
        facts = facts_of(GOAL, {"requests": histograms(times(24), lambda _: [0] * 6)})
        assert draw(facts, "requests").description == "no data yet"
    else:
        assert draw(facts_of(pool(kind), {}), "pool").description == "Nothing has been fetched yet"


def test_description() -> None:
    """The description names the highest and the lowest hour, the days and the zone."""
    chart = draw(facts_of(GOAL, {"requests": histograms(times(24 * 28), rush)}), "requests")
    assert chart.description == (
        "Time to the list, by hour of the week: share of requests over 1 s; the goal allows 5 %."
        " Highest: 30 %, Mondays 08:00 to 09:00. 1 Sep to 28 Sep 2026, Europe/Berlin."
        " Lowest: 0 %, Mondays 00:00 to 01:00."
    )
