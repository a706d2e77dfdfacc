import csv
import io
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from ingest.charts.share import draw
from tests.ingest.charts.samples import assert_golden, numbers, of_class, parsed, texts
from tests.ingest.charts.stories import FIRST, HISTOGRAM, facts_of, histograms, times, values

QUERY = "{source: prod, kind: total, metric: q, unit: s, title: Time in COUNT queries}"
DAY = timedelta(days=1)


def front(test: str, **series: str) -> str:
    told = "\n".join(f"  {name}: {each}" for name, each in series.items())
    return (
        f"telemetry:\n{told}\nhypotheses: [{{id: h1, because: COUNT queries, written: 2026-09-10, test: {{{test}}}}}]\n"
    )


SHARE = front(
    "share: query, of: requests, at_least: 50 %, from: 2026-09-15, to: 2026-09-21", requests=HISTOGRAM, query=QUERY
)
CONTRAST = front(
    "contrast: web, against: app, at_least: 15 %, from: 2026-09-15, to: 2026-09-21",
    web=HISTOGRAM.replace("Time to the list", "Web"),
    app=HISTOGRAM.replace("Time to the list", "Application on phones and tablets"),
)
CHANGE = front(
    "change: requests, at: 2026-09-18T00:00+02:00, quantile: 0.9, at_least: -15 %, from: 2026-09-15, to: 2026-09-21",
    requests=HISTOGRAM,
)


def steady(_: datetime) -> list[float]:
    return [0, 0, 0, 100, 0, 0]


def rows(days: int, query: float = 45.0) -> dict[str, pd.DataFrame]:
    """75 s an hour in requests, of which `query` are in queries."""
    index = times(24 * days)
    return {"requests": histograms(index, steady), "query": values(index, lambda _: query)}


def days_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_golden_share() -> None:
    """The share of a component looks as it did."""
    index = times(24 * 35)
    queries = values(index, lambda at: 40 + at.hour / 2 + 5 * (at.day % 3))
    assert_golden("share", draw(facts_of(SHARE, {"requests": histograms(index, steady), "query": queries}), "h1"))


def test_share() -> None:
    """A component's share is its amount by the whole's sum, with the threshold and the window; no verdict."""
    chart = draw(facts_of(SHARE, rows(30)), "h1")
    assert "observed in the test window: 60 %" in texts(chart.svg)
    assert "at least 50 %" in texts(chart.svg)
    assert len(of_class(chart.svg, "span")) == 1
    assert days_of(chart.csv)[0] == ["time", "share", "part", "whole"]
    assert {tuple(row[1:]) for row in days_of(chart.csv)[1:]} == {("0.6", "1080.0", "1800.0")}
    assert chart.description == (
        "The part of “Time to the list” that is “Time in COUNT queries”, by day."
        " Observed in the test window: 60 %."
        " The test asks for at least 50 %, from 15 Sep to 21 Sep 2026; this was written on 10 Sep 2026."
        " Windows: test of h1 from 15 Sep to 21 Sep."
    )


def test_window_and_days_around_it() -> None:
    """Two weeks are shown on either side of the window, in days of the zone."""
    found = [row[0] for row in days_of(draw(facts_of(SHARE, rows(60)), "h1").csv)[1:]]
    assert (found[0], found[-1], len(found)) == ("2026-08-31T22:00:00Z", "2026-10-04T22:00:00Z", 35)


def test_steps_that_both_have() -> None:
    """Only steps with both numbers count: a gap in one says nothing of the share."""
    given = rows(30)
    requests = given["requests"]
    given["requests"] = requests.iloc[: 24 * 18]
    assert "observed so far: 60 %" in texts(draw(facts_of(SHARE, given), "h1").svg)


def test_units_are_converted() -> None:
    """Milliseconds of a component are a share of seconds."""
    told = SHARE.replace("kind: total, metric: q, unit: s", "kind: total, metric: q, unit: ms")
    assert "observed in the test window: 60 %" in texts(draw(facts_of(told, rows(30, 45_000)), "h1").svg)


def test_rate() -> None:
    """A rate adds up to itself times its step."""
    told = SHARE.replace("kind: total", "kind: rate")
    assert "observed in the test window: 60 %" in texts(draw(facts_of(told, rows(30, 45 / 3600)), "h1").svg)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: total", "kind: gauge", "“Time in COUNT queries” is a gauge, which does not add up to a share."),
        ("q, unit: s", "q, unit: B", "“Time in COUNT queries” cannot be a share: B does not convert to s."),
        ("share: query", "share: other", "The story has no series “other”."),
    ],
)  # fmt: skip
def test_what_cannot_be_a_share(old: str, new: str, said: str) -> None:
    """What does not add up, or to nothing of the whole's kind, is a placeholder that says so."""
    assert draw(facts_of(SHARE.replace(old, new), rows(30)), "h1").description == said


def test_no_sum() -> None:
    """Without the sum of its values a histogram is no whole."""
    given = rows(30)
    given["requests"] = given["requests"].drop(columns="sum")
    assert "lacks the sum of its values" in draw(facts_of(SHARE, given), "h1").description


def test_different_steps() -> None:
    """Series of different steps do not cover the same time."""
    given = {"requests": histograms(times(24 * 30), steady), "query": values(times(30, step="24h"), lambda _: 1)}
    assert "they do not cover the same time" in draw(facts_of(SHARE, given), "h1").description


def test_window_without_data() -> None:
    """A window that has not begun is shown with the days before it; one far away is a placeholder."""
    assert "no data in the test window yet" in texts(draw(facts_of(SHARE, rows(10)), "h1").svg)
    later = SHARE.replace("2026-09-15", "2027-09-15").replace("2026-09-21", "2027-09-21")
    assert draw(facts_of(later, rows(10)), "h1").description == "There are no data of both around the test window."


def test_axis_reaches_over_the_window() -> None:
    """A window that is not over is drawn whole."""
    (span,) = of_class(draw(facts_of(SHARE, rows(15)), "h1").svg, "span")
    corners = numbers(span.get("d", ""))[::2]
    assert max(corners) == 708
    assert max(corners) - min(corners) == pytest.approx((708 - 76) * 7 / 21, abs=0.2)


def groups(factor: float = 1.3) -> dict[str, pd.DataFrame]:
    """Web takes `factor` as long as the application, which begins a week later."""
    web = histograms(times(24 * 30), steady)
    app = histograms(times(24 * 23, FIRST + 7 * DAY), steady)
    return {"web": web.assign(sum=web["sum"] * factor), "app": app}


def test_golden_contrast() -> None:
    """Two groups look as they did."""
    assert_golden("contrast", draw(facts_of(CONTRAST, groups()), "h1"))


def test_contrast() -> None:
    """Two groups are two lines, each named beside it, with what was observed over the window."""
    chart = draw(facts_of(CONTRAST, groups()), "h1")
    assert chart.title == "Web and app, mean"
    assert {"Web", "app"} <= set(texts(chart.svg))
    assert "observed in the test window: 975 ms, app 750 ms, +30 %" in texts(chart.svg)
    assert (len(of_class(chart.svg, "days")), len(of_class(chart.svg, "threshold"))) == (2, 1)
    table = days_of(chart.csv)
    assert table[0] == ["time", "Web", "app"]
    assert table[1][1:] == ["0.975", ""]
    assert [float(cell) for cell in table[-1][1:]] == pytest.approx([0.975, 0.75])


def test_quantiles_of_groups() -> None:
    """With a quantile the groups are compared by it."""
    chart = draw(facts_of(CONTRAST.replace("at_least", "quantile: 0.5, at_least"), groups()), "h1")
    assert "observed in the test window: 750 ms, app 750 ms, 0 %" in texts(chart.svg)


def test_labels_of_lines_are_apart() -> None:
    """No label of a line covers another line; where there is no room, the lines are named in the key."""
    chart = draw(facts_of(CONTRAST, groups(1.001)), "h1")
    named = [text for text in parsed(chart.svg).iter("text") if text.text in ("Web", "app")]
    assert len(named) == 2
    assert len({text.get("y") for text in named}) == 2


def test_groups_that_cannot_be_compared() -> None:
    """Groups of different units are a placeholder."""
    told = CONTRAST.replace("unit: s, title: Web", "unit: B, title: Web")
    assert "cannot be compared" in draw(facts_of(told, groups()), "h1").description


def test_no_data_of_one_group() -> None:
    """One group alone is no contrast."""
    given = groups()
    given["app"] = given["app"].iloc[:0]
    assert (
        draw(facts_of(CONTRAST, given), "h1").description == "“Application on phones and tablets”: No data for 30 days"
    )


def test_golden_change() -> None:
    """A series around an experiment looks as it did."""
    assert_golden("change", draw(facts_of(CHANGE, {"requests": halved()}), "h1"))


def halved() -> pd.DataFrame:
    at = datetime(2026, 9, 17, 22, tzinfo=UTC)
    return histograms(times(24 * 30), lambda when: steady(when) if when < at else [0, 0, 100, 0, 0, 0])


def test_change() -> None:
    """The moment of the change is marked, and both parts of the window are told."""
    chart = draw(facts_of(CHANGE, {"requests": halved()}), "h1")
    assert {"the change", "test of h1"} <= set(texts(chart.svg))
    assert "observed in the test window: 950 ms before, 475 ms after" in texts(chart.svg)
    assert "at least" not in " ".join(texts(chart.svg))
    assert "The test asks for a change of −15 % or more" in chart.description


def test_change_of_an_amount() -> None:
    """An amount is that of a day, in the line as in the words."""
    told = front("change: query, at: 2026-09-18, at_least: -15 %, from: 2026-09-15, to: 2026-09-21", query=QUERY)
    chart = draw(facts_of(told, {"query": rows(30, 10)["query"]}), "h1")
    assert "observed in the test window: 4 min before, 4 min after" in texts(chart.svg)
    assert {row[1] for row in days_of(chart.csv)[1:]} == {"240.0"}


def test_ids_of_charts_differ() -> None:
    """The ids of a hypothesis' chart begin with its own name."""
    assert 'id="pk-slow-list-hypothesis-h1-title"' in draw(facts_of(SHARE, rows(30)), "h1").svg
