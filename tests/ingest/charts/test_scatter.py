"""The chart of Priorities: where stories stand, how their marks differ, what it does with many and with none."""

import csv
import io
import math
import re

import pytest

from ingest.charts.base import Chart
from ingest.charts.scatter import draw
from ingest.charts.sheet import NARROW_SIZE
from ingest.charts.svg import text_width
from ingest.priorities import priorities
from tests.ingest.charts.samples import HOSTILE, assert_golden, numbers, of_class, parsed, texts
from tests.ingest.options import facts, series_text, shared

MACHINES = (series_text("whole", waiting="machines"), series_text("part"))


def some() -> Chart:
    """One of everything: a front of two, one behind, one untested, one of machines, one in work, and one unknown."""
    busy = "chosen: {date: 2026-09-03, because: It hurts.}"
    return draw(
        priorities(
            [
                shared("campaign list", 120, "2d-6d", spread=1.3), shared("log-in", 30, "1d", spread=1.2, more=busy),
                shared("report of a campaign that is slow to open", 20, "3d-8d", spread=1.4),
                facts("search", hours=200, effort="8d-15d", title="Search lags behind typing"),
                shared("rating", 12, "2d-3d", spread=1.5, telemetry=MACHINES), facts("preview", hours=None),
            ]
        )
    )  # fmt: skip


def place(path: str) -> tuple[float, float]:
    found = numbers(path)
    return found[0], found[1]


def test_golden() -> None:
    """Two panels, marks of each kind, intervals, the front and the key look as they did."""
    assert_golden("scatter", some())


def test_marks_differ_in_shape() -> None:
    """Who has nothing before it is a square, who has a ring, and what is untested only a line."""
    svg = some().svg
    assert len(of_class(svg, "square")) == 3
    assert len(of_class(svg, "ring")) == 1
    assert len(of_class(svg, "at-most")) == 1
    assert len(of_class(svg, "front")) == 2


def test_scales_are_logarithmic() -> None:
    """Twice the effort is as far from half of it, and ten times the hours as far from a tenth."""
    found = priorities([shared("a", 400, "1d"), shared("b", 40, "2d"), shared("c", 4, "4d")])
    rings = [place(each.get("d", "")) for each in of_class(draw(found).svg, "ring")]
    square = of_class(draw(found).svg, "square")[0].get("d", "")
    xs, ys = numbers(square)[::2], numbers(square)[1::2]
    first = ((min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2)
    (x1, y1), (x2, y2), (x3, y3) = first, *sorted(rings)
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.3)
    assert y2 - y1 == pytest.approx(y3 - y2, abs=0.3)
    assert y1 < y2 < y3


def test_titles_are_shortened_between_words() -> None:
    """A long title ends after a whole word; what is chosen says so."""
    told = texts(some().svg)
    assert "Report of a campaign…" in told
    assert "Log-in (chosen)" in told


def test_names_never_overlap() -> None:
    """However many stories there are, no name covers another one on a narrow screen; the others are counted."""
    titles = [f"Story with the number {n}" for n in range(60)]
    stories = [shared(f"s{n}", 3 + n * 7 % 50, f"{1 + n % 9}d", title=title) for n, title in enumerate(titles)]
    svg = draw(priorities(stories)).svg
    boxes = []
    for element in parsed(svg).iter("text"):
        text = element.text or ""
        moved = re.search(r"translate\(([\d.]+) ([\d.]+)\)", element.get("transform", ""))
        x, y = (float(each) for each in moved.groups()) if moved else (float(element.get(k, 0)) for k in "xy")
        if text.startswith("Story"):
            width = text_width(text, NARROW_SIZE)
            left = x - width if element.get("text-anchor") == "end" else x
            boxes.append((left, y - NARROW_SIZE + 4, left + width, y + 5))
    assert boxes
    for number, one in enumerate(boxes):
        for other in boxes[:number]:
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    assert f"{60 - len(boxes)} without a name: there is no room" in texts(svg)


def test_of_many_only_the_first_have_bars() -> None:
    """In a crowd the intervals of the first band alone are drawn, and the key says so."""
    stories = [shared(f"s{n}", 100 - n, f"{1 + n}d-{3 + n}d") for n in range(30)]
    svg = draw(priorities(stories)).svg
    assert len(of_class(svg, "effort")) == 1
    assert len(of_class(svg, "ring")) == 29
    assert "of so many, only the first have their intervals drawn" in texts(svg)


def test_numbers() -> None:
    """The CSV has a row for each open story; what is not known is empty, and never zero."""
    rows = {row["story"]: row for row in csv.DictReader(io.StringIO(some().csv))}
    assert len(rows) == 6
    assert float(rows["rating"]["worth_likely"]) == pytest.approx(12)
    assert rows["rating"]["unit"] == "machine-hours"
    assert float(rows["campaign list"]["days_likely"]) == pytest.approx(math.sqrt(12))
    assert rows["search"]["worth_likely"] == rows["search"]["band"] == ""
    assert rows["preview"]["worth_low"] == rows["preview"]["days_low"] == ""


@pytest.mark.parametrize("stories", [[], [facts("a", hours=None)], [shared("b", 10)]], ids=["none", "unknown", "half"])
def test_nothing_to_place(stories: list) -> None:  # type: ignore[type-arg]
    """Without a story that has both numbers the chart says so."""
    assert "No open story has both numbers yet" in draw(priorities(stories)).description


def test_one_story() -> None:
    """A single story, even of a single effort and without an interval, can be drawn."""
    chart = draw(priorities([shared("only", 1e-4, "1h")]))
    assert "nan" not in chart.svg
    assert "Only: about 0.0001 user-hours" in chart.description


@pytest.mark.parametrize("title", HOSTILE[:10])
def test_titles_are_only_text(title: str) -> None:
    """No title is markup, mathematics, or a formula of a spreadsheet."""
    chart = draw(priorities([shared("a", 10, "1d", title=title)]))
    assert not list(parsed(chart.svg).iter("script"))
    assert "onload=" not in re.sub(r">[^<]*<", "><", chart.svg)
