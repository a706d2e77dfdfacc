"""The chart of Priorities: where stories stand, how their marks differ, what it does with many and with none."""

import csv
import io
import math
import re

import pytest

from ingest.charts.base import Chart
from ingest.charts.scatter import draw
from ingest.charts.scatter import numbers as numbers_of
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


def test_what_a_number_stands_for() -> None:
    """Each mark has a number by the alphabet, and the list says its title and both figures; what is chosen says so."""
    chart = some()
    assert chart.readings
    rows = [(row.place, row.values, row.story) for row in chart.readings.rows]
    assert [place for place, _, _ in rows] == [
        "1. Campaign list", "2. Log-in (chosen)", "3. Rating",
        "4. Report of a campaign that is slow to open", "5. Search lags behind typing",
    ]  # fmt: skip
    assert rows[1][1:] == (("about 30 user-hours a week (25 to 36)", "1 working day"), "log-in")
    assert rows[3][1][1] == "3 to 8 working days"
    assert {"1", "2", "3", "4", "5"} <= set(texts(chart.svg))


def test_a_reading_is_where_its_mark_is() -> None:
    """What is pointed at is the mark with that number, in whichever panel it is."""
    chart = some()
    (ring,) = of_class(chart.svg, "ring")
    assert chart.readings
    row = chart.readings.rows[3]
    assert (row.x, row.y) == pytest.approx(place(ring.get("d", "")), abs=0.1)


def test_the_page_counts_alike() -> None:
    """The numbers are those that the page may put beside its stories."""
    found = priorities([shared("b", 100, "1d"), shared("a", 10, "5d"), facts("c", hours=None)])
    assert numbers_of(found) == {"a": 1, "b": 2}


def crowd(count: int) -> Chart:
    return draw(priorities([shared(f"s{n}", 3 + n * 7 % 50, f"{1 + n % 9}d-{2 + n % 9}d") for n in range(count)]))


def test_of_twenty_five_each_has_its_number() -> None:
    """In a panel of 25 stories, many of them at one place, no number is missing."""
    told = texts(crowd(25).svg)
    assert {str(number) for number in range(1, 26)} <= set(told)
    assert not any("without a number" in text for text in told)


def test_of_very_many_the_missing_are_counted() -> None:
    """Where there is no room for all numbers, the key says how many are missing; the list has them all."""
    chart = crowd(120)
    told = texts(chart.svg)
    (missing,) = (int(text.split()[0]) for text in told if text.endswith("without a number: there is no room"))
    bold = [each for each in parsed(chart.svg).iter("text") if each.get("text-anchor") == "middle"]
    assert 0 < missing == 120 - sum((each.text or "").isdigit() for each in bold)
    assert chart.readings
    assert len(chart.readings.rows) == 120


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
