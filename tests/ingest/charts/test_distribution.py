import csv
import io
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ingest.charts.distribution import draw
from tests.ingest.charts.samples import assert_golden, numbers, of_class, texts
from tests.ingest.charts.stories import BOUNDS, HISTOGRAM, facts_of, histograms, times, values

FIX = "fixes: [{id: batch, shipped: 2026-10-01T14:00+02:00}]\n"
FRONT = f"telemetry: {{requests: {HISTOGRAM}}}\nslo: {{series: requests, below: 1 s}}\n{FIX}"
SHIPPED = datetime(2026, 10, 1, 12, tzinfo=UTC)


def faster(at: datetime) -> list[float]:
    return [0, 10, 30, 40, 15, 5] if at < SHIPPED else [5, 60, 30, 5, 0, 0]


NOBODY = histograms(times(24 * 40), lambda _: [0] * 6)


def pool(kind: str, unit: str = "s") -> str:
    telemetry = f'telemetry: {{pool: {{source: prod, kind: {kind}, query: q, unit: "{unit}", title: Pool}}}}\n'
    return telemetry + FIX.replace("shipped", "series: pool, shipped")


def table(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_golden() -> None:
    """Two histograms look as they did."""
    rows = histograms(times(24 * 50), faster)
    assert_golden("distribution", draw(facts_of(FRONT, {"requests": rows}), "batch"))


def test_golden_dots() -> None:
    """Single values look as they did."""
    rows = values(times(24 * 50), lambda at: (4 if at < SHIPPED else 2) + at.hour / 12)
    assert_golden("dots", draw(facts_of(pool("gauge"), {"pool": rows}), "batch"))


def test_days_around_the_fix() -> None:
    """28 days before and 14 after are added up; the day of the fix is in neither."""
    ends = [datetime(2026, 9, 2, 22, tzinfo=UTC), datetime(2026, 9, 30, 22, tzinfo=UTC)]
    after = [datetime(2026, 10, 1, 22, tzinfo=UTC), datetime(2026, 10, 15, 22, tzinfo=UTC)]

    def marked(at: datetime) -> list[float]:
        inside = ends[0] <= at < ends[1] or after[0] <= at < after[1]
        return [0, 1, 0, 0, 0, 0] if inside else [0, 0, 0, 0, 9, 0]

    chart = draw(facts_of(FRONT, {"requests": histograms(times(24 * 60), marked)}), "batch")
    assert table(chart.csv) == [
        ["above", "up_to", "requests_before", "share_before", "requests_after", "share_after"],
        ["0.1", "0.25", "672.0", "1.0", "336.0", "1.0"],
    ]
    assert {"before: 28 days, 672 requests, mean 188 ms", "after: 14 days, 336 requests, mean 188 ms"} <= set(
        texts(chart.svg)
    )
    assert "3 Sep to 30 Sep 2026, and 2 Oct to 15 Oct 2026" in texts(chart.svg)


def test_day_that_is_not_over() -> None:
    """The day in which the data ends is left out."""
    chart = draw(facts_of(FRONT, {"requests": histograms(times(24 * 40 + 7), faster)}), "batch")
    assert any(text.startswith("after: 9 days") for text in texts(chart.svg))
    assert "only 9 days" not in " ".join(texts(chart.svg))


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (31, "no whole day after the fix yet"),
        (32, "only 1 day after the fix yet"),
        (35, "only 4 days after the fix yet"),
    ],
)
def test_few_days(days: int, said: str) -> None:
    """Fewer than five days after the fix are named as few; before there is one, only the side before is drawn."""
    chart = draw(facts_of(FRONT, {"requests": histograms(times(24 * days), faster)}), "batch")
    assert said in texts(chart.svg)
    assert len(of_class(chart.svg, "after")) == (days > 31)
    assert len(of_class(chart.svg, "before")) == 1


def test_nothing_before() -> None:
    """A fix before the data began has a side after only."""
    index = times(24 * 10, SHIPPED + timedelta(days=2))
    chart = draw(facts_of(FRONT, {"requests": histograms(index, faster)}), "batch")
    assert "before: no data" in texts(chart.svg)
    assert of_class(chart.svg, "before") == []


def test_quantiles() -> None:
    """The median and the goal's quantile stand in their buckets, named, with the bucket's edges in the description."""
    chart = draw(facts_of(FRONT, {"requests": histograms(times(24 * 50), faster)}), "batch")
    assert {"median 625 ms", "p95 2.5 s", "median 212 ms", "p95 500 ms"} <= set(texts(chart.svg))
    assert len(of_class(chart.svg, "quantile")) == 4
    assert "median 625 ms (between 500 ms and 1 s)" in chart.description


def test_quantile_of_the_fix() -> None:
    """A fix may name another quantile; one beyond the last bucket is over its edge."""
    told = FRONT.replace("id: batch", "id: batch, quantile: 0.99")
    chart = draw(facts_of(told, {"requests": histograms(times(24 * 50), faster)}), "batch")
    assert "p99 over 2.5 s" in texts(chart.svg)


def test_heights_are_shares() -> None:
    """Both sides are shares, so that more traffic is no taller."""
    busier = histograms(times(24 * 50), lambda at: [0, 10, 0, 0, 0, 0] if at < SHIPPED else [0, 900, 0, 0, 0, 0])
    svg = draw(facts_of(FRONT, {"requests": busier}), "batch").svg
    tops = [min(numbers(of_class(svg, name)[0].get("d", ""))[1::2]) for name in ("before", "after")]
    assert tops[0] == tops[1]


def test_goal() -> None:
    """The goal stands at its edge, named."""
    svg = draw(facts_of(FRONT, {"requests": histograms(times(24 * 50), faster)}), "batch").svg
    assert len(of_class(svg, "goal")) == 1
    assert "goal 1 s" in texts(svg)


def test_other_fixes() -> None:
    """What else was shipped in these days is named; what was shipped before them is not."""
    more = "{id: cache, shipped: 2026-10-05}, {id: old, shipped: 2026-08-01}, {id: later}"
    told = FRONT.replace("fixes: [", f"fixes: [{more}, ")
    chart = draw(facts_of(told, {"requests": histograms(times(24 * 50), faster)}), "batch")
    assert "also shipped in these days: cache" in texts(chart.svg)


@pytest.mark.parametrize(
    ("kind", "mean"),
    [("gauge", "mean 6 s"), ("rate", "mean 6 s"), ("total", "mean 6 s"), ("latency", ""), ("ratio", "")],
)
def test_dots(kind: str, mean: str) -> None:
    """Of single values each dot is a tenth; what is not averaged has no mean."""
    rows = values(times(24 * 50), lambda _: 6)
    chart = draw(facts_of(pool(kind), {"pool": rows}), "batch")
    assert len(of_class(chart.svg, "dot")) == 20
    assert ", ".join(filter(None, ["before: 28 days", mean])) in texts(chart.svg)
    assert "each dot is a tenth of the values, one each hour" in texts(chart.svg)
    assert table(chart.csv)[0] == ["quantile", "before", "after"]
    assert np.array(table(chart.csv)[1:], dtype=float)[:, 1:].tolist() == [[6.0, 6.0]] * 10


def test_long_unit_of_dots() -> None:
    """A long unit is said in the title."""
    rows = values(times(24 * 50), lambda _: 6)
    chart = draw(facts_of(pool("gauge", "segments"), {"pool": rows}), "batch")
    assert chart.title == "Pool before and after batch (segments)"
    assert "median 6 segments" in texts(chart.svg)


@pytest.mark.parametrize(
    ("told", "given", "said"),
    [
        (FRONT, {}, "Nothing has been fetched yet"),
        (FRONT, {"requests": histograms(times(24), faster)}, "There are no data around the day of the fix."),
        (FRONT, {"requests": NOBODY}, "There are no requests around the day of the fix."),
        (FIX, {}, "The fix names no series of this story, and there is no goal that does."),
        (FRONT.replace("shipped: 2026-10-01T14:00+02:00", "expected: -60 %"), {}, "It has not been shipped yet."),
    ],
)
def test_nothing_to_draw(told: str, given: dict[str, pd.DataFrame], said: str) -> None:
    """Without a series, a date or data there is a placeholder that says so."""
    chart = draw(facts_of(told, given), "batch")
    assert chart.description == said
    assert " ".join(texts(chart.svg)[1:]) == said


def test_no_judgement() -> None:
    """The description tells both sides, and leaves the question of chance open."""
    description = draw(facts_of(FRONT, {"requests": histograms(times(24 * 50), faster)}), "batch").description
    assert description == (
        "Time to the list before and after batch."
        " Before: 28 days, 67,200 requests, mean 900 ms, median 625 ms (between 500 ms and 1 s),"
        " p95 2.5 s (between 1 s and 2.5 s)."
        " After: 14 days, 33,600 requests, mean 266 ms, median 212 ms (between 100 ms and 250 ms),"
        " p95 500 ms (between 250 ms and 500 ms)."
        " 3 Sep to 30 Sep 2026, and 2 Oct to 15 Oct 2026."
        " This is what was observed; whether it is more than ordinary wandering is a question for the impact estimate."
    )


def test_unused_bounds() -> None:
    """Only the buckets that a side uses have a place on the axis."""
    chart = draw(facts_of(FRONT, {"requests": histograms(times(24 * 50), lambda _: [0, 0, 1, 1, 0, 0])}), "batch")
    assert [row[0] for row in table(chart.csv)[1:]] == [str(bound) for bound in BOUNDS[1:3]]
