import csv
import io
from dataclasses import replace

import pytest

from ingest.charts.history import MOST_FIXES, MOST_QUARTERS, charts, draw_expected, draw_saved
from ingest.closed import Closed, Discovery, StatedHours, Statement
from ingest.impact import Overview, overview
from tests.ingest.charts.samples import HOSTILE, assert_golden, numbers, of_class, parsed, texts
from tests.ingest.impacts import TODAY, change, facts, fix, hours, judged

CLOSED = {
    "2026Q2": Closed(
        format=1,
        quarter="2026Q2",
        statement=Statement(
            stated=TODAY.replace(month=8),
            method="1",
            totals=(StatedHours(unit="user-hours", value=310, low=220, high=420),),
            discovery=Discovery(judged=0),
        ),
    )
}
FIXES = (
    fix("batch", judged(), hours=hours(1240, {"2026Q3": 900, "2026Q4": 340}), expected="-20 %"),
    fix("cache", judged(of=change(-0.45)), hours=hours(400), expected="-60 %"),
    fix("lock", judged("undetected", change(-0.05, -0.3, 0.26)), expected="-40 %"),
    fix("job", judged(), hours=hours(50, unit="machine-hours")),
)


def seen(*fixes: object, title: str = "Campaign list is slow") -> Overview:
    found = facts("slow", *fixes)  # type: ignore[arg-type]
    named = replace(found.story, front=found.story.front.model_copy(update={"title": title}))
    return overview([replace(found, story=named)], CLOSED, TODAY)


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_golden_saved() -> None:
    """The bars of the quarters look as they did."""
    assert_golden("history", draw_saved(seen(*FIXES), "user-hours"))


def test_golden_expected() -> None:
    """The rows of what was expected look as they did."""
    assert_golden("expected", draw_expected(seen(*FIXES)))


def test_what_there_is_to_draw() -> None:
    """Each unit that has hours has a chart of its own, and nothing has none."""
    assert list(charts(seen(*FIXES))) == ["impact-user-hours", "impact-machine-hours", "impact-expected"]
    assert charts(overview([], {}, TODAY)) == {}


def test_saved() -> None:
    """A quarter is a bar with its interval and its value, and one that is still open looks it."""
    chart = draw_saved(seen(*FIXES), "user-hours")
    assert {"310", "1,300", "340", "Q2 2026", "Q3 2026", "Q4 2026", "closed quarter", "still open"} <= {
        *texts(chart.svg)
    }
    assert len(of_class(chart.svg, "interval")) == len(of_class(chart.svg, "bar")) == 3
    assert chart.description == (
        "Saved user-hours by quarter."
        " Q2 2026: 310, between 220 and 420 (closed on 1 Aug 2026)."
        " Q3 2026: 1,300, between 1,110 and 1,500 (over, not closed yet)."
        " Q4 2026: 340, between 272 and 408 (running)."
        " Together 1,640, between 1,380 and 1,910."
    )


def test_saved_as_numbers() -> None:
    """The numbers stand in the CSV in full, a row a quarter."""
    found = rows(draw_saved(seen(*FIXES), "machine-hours").csv)
    assert found[0][:7] == ["quarter", "first_day", "last_day", "state", "hours", "low", "high"]
    assert [row[0] for row in found[1:]] == ["2026Q2", "2026Q3", "2026Q4"]
    assert found[2][3:7] == ["over, not closed yet", "50.0", "40.0", "60.0"]
    assert found[1][4:7] == ["", "", ""]


def test_many_quarters() -> None:
    """Of many quarters the last are drawn, each with its name; all of them are in the CSV."""
    names = [f"{year}Q{number}" for year in range(2020, 2027) for number in range(1, 5)][:-1]
    old = fix("old", judged(), shipped="2020-01-05", hours=hours(1e6, dict.fromkeys(names, 12_345.0)))
    chart = draw_saved(seen(old), "user-hours")
    assert len(of_class(chart.svg, "bar")) == MOST_QUARTERS - 1, "the last one has no hours yet"
    assert {"Q1", "2025", "2026"} <= {*texts(chart.svg)}
    assert len(rows(chart.csv)) == len(names) + 2


@pytest.mark.parametrize("value", [-500.0, 0.0, 1e-9, 1e12])
def test_any_number(value: float) -> None:
    """Hours that were lost hang below the line, and no number breaks the chart."""
    chart = draw_saved(seen(fix("a", judged("regressed"), hours=hours(value))), "user-hours")
    parsed(chart.svg)
    assert "nan" not in chart.svg


def test_lost_hours_are_below_zero() -> None:
    """A minus sign stands before hours that were lost."""
    assert "−500" in texts(draw_saved(seen(fix("a", judged("regressed"), hours=hours(-500))), "user-hours").svg)


def test_expected() -> None:
    """A fix is a row with its interval and two marks; one without a detectable change is grey."""
    chart = draw_expected(seen(*FIXES))
    assert [len(of_class(chart.svg, name)) for name in ("interval", "dot", "expected")] == [3, 3, 3]
    assert {"no change", "measured", "measured, not detectable", "expected"} <= {*texts(chart.svg)}
    assert "Campaign list is slow: batch" in texts(chart.svg)
    assert "slow, batch: expected −20 %, measured −20 % (between −30 % and −10 %)" in chart.description
    assert chart.description.startswith("1 of 3 fixes did at least what was expected;")


def test_what_a_quarter_says() -> None:
    """Each bar says its hours, their interval and how final they are, where it ends."""
    chart = draw_saved(seen(*FIXES), "user-hours")
    assert chart.readings
    assert chart.readings.columns == ("user-hours", "between", "state")
    assert [(row.place, *row.values) for row in chart.readings.rows] == [
        ("Q2 2026", "310", "220 and 420", "closed on 1 Aug 2026"),
        ("Q3 2026", "1,300", "1,110 and 1,500", "over, not closed yet"),
        ("Q4 2026", "340", "272 and 408", "running"),
    ]
    for row, bar in zip(chart.readings.rows, of_class(chart.svg, "bar"), strict=True):
        corners = numbers(bar.get("d") or "")
        assert min(corners[::2]) < row.x < max(corners[::2])
        assert row.y == pytest.approx(min(corners[1::2]), abs=0.1)


def test_no_quarter_with_hours() -> None:
    """Where no quarter that is shown has hours of a unit, there is nothing to read."""
    old = fix("old", judged(), shipped="2020-01-05", hours=hours(5, {"2020Q1": 5}))
    assert draw_saved(overview([facts("slow", old)], {}, TODAY), "user-hours").readings is None


def test_what_a_fix_says() -> None:
    """Each row says what was measured, how sure that is and what was expected, at its dot, from the top on."""
    chart = draw_expected(seen(*FIXES))
    assert chart.readings
    assert chart.readings.points
    assert [(row.place, *row.values) for row in chart.readings.rows] == [
        ("Campaign list is slow: lock", "−5 %", "−30 % and +26 %", "−40 %"),
        ("Campaign list is slow: cache", "−45 %", "−55 % and −35 %", "−60 %"),
        ("Campaign list is slow: batch", "−20 %", "−30 % and −10 %", "−20 %"),
    ]
    dots = [numbers(each.get("d") or "")[:2] for each in of_class(chart.svg, "dot")]
    assert [[row.x, row.y] for row in chart.readings.rows] == [pytest.approx(each, abs=0.1) for each in dots]
    assert {row.story for row in chart.readings.rows} == {"slow"}


def test_long_titles_are_whole() -> None:
    """A title that is longer than a line goes on in the next one, and the rows below it give way."""
    long = "How long the list of all campaigns of an account with very many lists takes to appear on a Tuesday"
    short, tall = (draw_expected(seen(*FIXES, title=title)) for title in ("List", long))
    assert f"{long}: cache" in " ".join(texts(tall.svg))
    assert max(map(len, texts(tall.svg))) <= 56
    assert short.readings
    assert tall.readings
    moved = [
        row.y - other.y for row, other in zip(tall.readings.rows, short.readings.rows, strict=True) if row.y and other.y
    ]
    assert moved == pytest.approx([26, 52, 78])


def test_expected_as_numbers() -> None:
    """The numbers of every fix stand in the CSV, with the part of the hope that it gave."""
    found = {row[1]: row for row in rows(draw_expected(seen(*FIXES)).csv)}
    assert found["cache"][2:] == ["p95", "-0.6", "-0.45", "-0.55", "-0.35", "0.75", "improved"]


def test_many_fixes() -> None:
    """Of many fixes the newest are drawn, and all are in the CSV."""
    many = [fix(f"f{n}", judged(), expected="-20 %") for n in range(MOST_FIXES + 6)]
    chart = draw_expected(seen(*many))
    assert len(of_class(chart.svg, "dot")) == MOST_FIXES
    assert len(rows(chart.csv)) == MOST_FIXES + 7


@pytest.mark.parametrize("title", HOSTILE)
def test_hostile_titles(title: str) -> None:
    """A story's title is drawn as text, whatever it holds."""
    chart = draw_expected(seen(fix("a", judged(), expected="900 %"), title=title))
    assert not list(parsed(chart.svg).iter("script"))
    parsed(chart.svg)
