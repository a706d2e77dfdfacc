import csv
import io
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ingest.charts.heatmap import draw, grid_of
from tests.ingest.charts.samples import ZONE, assert_golden, numbers, of_class, parsed, texts
from tests.ingest.charts.stories import FIRST, HISTOGRAM, facts_of, histograms, times, values

FRONT = f"""\
telemetry: {{requests: {HISTOGRAM}}}
slo: {{series: requests, below: 1 s}}
fixes: [{{id: batch, shipped: 2026-09-08T10:00Z}}]
"""


def mixed(at: datetime) -> list[float]:
    """Requests that get faster on 8 September."""
    return [0, 10, 30, 40, 15, 5] if at.astimezone(ZONE).day < 8 else [5, 60, 30, 4, 1, 0]


def boxes(path: str) -> list[tuple[float, float, float, float]]:
    """The rectangles of a compound path: left, top, right, bottom."""
    corners = [numbers(part) for part in path.split("M")[1:]]
    return [(min(c[::2]), min(c[1::2]), max(c[::2]), max(c[1::2])) for c in corners]


def test_golden() -> None:
    """A heatmap looks as it did; a gap, a fix and a goal are in it."""
    rows = histograms(times(24 * 14), mixed).drop(times(48, FIRST + timedelta(days=3)))
    assert_golden("heatmap", draw(facts_of(FRONT, {"requests": rows}), "requests"))


def test_a_colour_a_share() -> None:
    """A day's share of a bucket decides on its colour; where there was no request, there is no cell."""
    rows = histograms(times(24), lambda _: [0, 50, 30, 20, 0, 0])
    svg = draw(facts_of(FRONT.replace("fixes", "tags: [] #"), {"requests": rows}), "requests").svg
    styles = [shape.get("style", "") for shape in of_class(svg, "cells")]
    assert [style.split("heat-")[1][0] for style in styles] == ["6", "7"]
    assert [len(boxes(shape.get("d", ""))) for shape in of_class(svg, "cells")] == [2, 1]


def test_cells_of_one_colour_are_one() -> None:
    """Days of one colour that touch are one box, which ends at a gap."""
    rows = histograms(times(24 * 10), lambda _: [0, 100, 0, 0, 0, 0]).drop(times(48, FIRST + timedelta(days=4)))
    svg = draw(facts_of(FRONT, {"requests": rows}), "requests").svg
    (cells,) = of_class(svg, "cells")
    first, second = sorted(boxes(cells.get("d", "")))
    (gap,) = of_class(svg, "gap")
    left, _, right, _ = boxes(gap.get("d", ""))[0]
    assert [first[2], second[0]] == pytest.approx([left, right], abs=0.1)
    assert "no data" in texts(svg)


def test_unused_buckets() -> None:
    """Buckets that no request fell into, at either end, are left out; those in between are not."""
    rows = histograms(times(24), lambda _: [0, 10, 0, 30, 0, 0])
    grid = grid_of(facts_of(FRONT, {"requests": rows}).series["requests"], ZONE)
    assert grid.bands.edges.tolist() == [0.1, 0.25, 0.5, 1.0]
    assert grid.shares.tolist() == [[0.25, 0.0, 0.75]]


def test_days_of_the_zone() -> None:
    """A column is a calendar day of the knowledge base, be it of 25 hours."""
    start = datetime(2026, 10, 24, 22, tzinfo=UTC)
    rows = histograms(times(49, start), lambda _: [1, 0, 0, 0, 0, 0])
    grid = grid_of(facts_of(FRONT, {"requests": rows}).series["requests"], ZONE)
    assert [end - begin for begin, end in zip(grid.starts, grid.ends, strict=True)] == [
        timedelta(hours=25),
        timedelta(hours=24),
    ]
    assert grid.requests.tolist() == [25, 24]


def test_weeks() -> None:
    """Of many days weeks are drawn, from Monday on."""
    rows = histograms(times(2 * 200, step="12h"), lambda _: [1, 1, 0, 0, 0, 0])
    chart = draw(facts_of(FRONT, {"requests": rows}), "requests")
    grid = grid_of(facts_of(FRONT, {"requests": rows}).series["requests"], ZONE)
    assert {start.tz_convert(ZONE).strftime("%a %H") for start in grid.starts} == {"Mon 00"}
    assert "share of the week’s requests" in texts(chart.svg)
    assert grid.requests.sum() == 800


def test_goal() -> None:
    """The goal is a line at its edge, or part of the way into its bucket; beyond the buckets it is not drawn."""
    rows = histograms(times(48), lambda _: [10, 10, 10, 10, 0, 0])
    heights = {}
    for goal in ("1 s", "750 ms", "9 s"):
        svg = draw(facts_of(FRONT.replace("1 s", goal), {"requests": rows}), "requests").svg
        lines = of_class(svg, "goal")
        heights[goal] = numbers(lines[0].get("d", ""))[1] if lines else None
        assert (f"goal {goal}" in texts(svg)) == bool(lines)
    top, inside, beyond = heights.values()
    assert beyond is None
    assert top is not None
    assert inside is not None
    assert inside - top == pytest.approx(150 / 4 / 2, abs=0.1)


def test_shipped_marks_only() -> None:
    """What was shipped is marked, above the cells; that the story was opened is not."""
    rows = histograms(times(24 * 14), mixed)
    svg = draw(facts_of(FRONT, {"requests": rows}), "requests").svg
    assert len(of_class(svg, "mark")) == 1
    assert "shipped batch" in texts(svg)
    assert svg.index("pk-chart-cells") < svg.index("pk-chart-mark")


@pytest.mark.parametrize("kind", ["total", "rate", "gauge", "latency", "ratio"])
def test_no_histogram(kind: str) -> None:
    """A series that is no histogram gets a calm chart that says what is needed."""
    front = f"telemetry: {{pool: {{source: prod, kind: {kind}, query: q}}}}\n"
    chart = draw(facts_of(front, {"pool": values(times(24), lambda _: 1)}), "pool")
    assert chart.description == f"A heatmap needs a histogram; this series is a {kind}."
    assert " ".join(texts(chart.svg)[1:]) == chart.description


@pytest.mark.parametrize("rows", [None, 0])
def test_nothing_to_draw(rows: int | None) -> None:
    """Without data, or without a single request, there is a placeholder."""
    given = {} if rows is None else {"requests": histograms(times(24), lambda _: [0] * 6)}
    chart = draw(facts_of(FRONT, given), "requests")
    assert chart.description == ("Nothing has been fetched yet" if rows is None else "no requests yet")


def test_one_open_bucket() -> None:
    """A histogram that has only the open bucket is drawn."""
    chart = draw(facts_of(FRONT, {"requests": histograms(times(24), lambda _: [5], ())}), "requests")
    assert len(of_class(chart.svg, "cells")) == 1


def test_many_buckets() -> None:
    """Labels of the edges keep their distance, however many buckets there are."""
    bounds = [round(0.01 * 1.2**n, 4) for n in range(60)]
    rows = histograms(times(24), lambda _: [1] * 61, bounds)
    root = parsed(draw(facts_of(FRONT, {"requests": rows}), "requests").svg)
    heights = [float(t.get("y", "")) for t in root.iter("text") if t.get("x") == "0" and (t.text or "").endswith("s")]
    apart = np.diff(sorted(heights[1:]))
    assert len(apart) > 5
    assert (apart >= 23.9)[:-2].all()


def test_description() -> None:
    """The description tells the period, the typical request, and how much was over the goal at both ends."""
    rows = histograms(times(24 * 14), mixed)
    assert draw(facts_of(FRONT, {"requests": rows}), "requests").description == (
        "How each day’s requests are spread over 6 buckets, 1 Sep to 14 Sep 2026."
        " Of 33,600 requests half are below 354 ms, 95 % below 2.03 s."
        " The fullest bucket is 100 ms to 250 ms."
        " Over the goal of 1 s are 20 % of them in the first week and 1 % in the last."
    )


def test_csv() -> None:
    """The numbers are a row a day and bucket."""
    rows = histograms(times(24), lambda _: [1, 3, 0, 0, 0, 0])
    table = list(csv.reader(io.StringIO(draw(facts_of(FRONT, {"requests": rows}), "requests").csv)))
    assert table == [
        ["time", "above", "up_to", "share", "requests"],
        ["2026-08-31T22:00:00Z", "0.0", "0.1", "0.25", "96.0"],
        ["2026-08-31T22:00:00Z", "0.1", "0.25", "0.75", "96.0"],
    ]


def test_unknown_buckets() -> None:
    """What a histogram does not know of a bucket is counted in the next one that it knows."""
    rows = histograms(times(24), lambda _: [1, 1, 1, 1, 0, 0])
    rows["le=0.25"] = np.nan
    grid = grid_of(facts_of(FRONT, {"requests": rows}).series["requests"], ZONE)
    assert grid.shares.tolist() == [[0.25, 0.0, 0.5, 0.25]]
    assert isinstance(grid.starts, pd.DatetimeIndex)
