"""The built-in source: pure, lifelike, and obedient to its configuration."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from ingest.errors import FetchError
from ingest.sources.base import Window, tidy
from ingest.sources.demo import DemoOptions, DemoSource
from ingest.story import Series

HOUR = timedelta(hours=1)
START, END = datetime(2026, 8, 3, tzinfo=UTC), datetime(2026, 10, 26, tzinfo=UTC)
PAGE = {"level": "420 ms", "traffic": "2000"}


def source(**series: Any) -> DemoSource:
    options = DemoOptions.model_validate({"timezone": "Europe/Berlin", "series": series})
    return DemoSource("demo", options, {}, Path())


def asked(name: str = "page", kind: str = "histogram", unit: str = "s", **more: Any) -> Series:
    return Series.model_validate({"source": "demo", "kind": kind, "metric": name, "unit": unit, **more})


def rows(of: DemoSource, series: Series, start: datetime = START, end: datetime = END) -> pd.DataFrame:
    return of.fetch(series, Window(start, end, HOUR)).rows


def mean_of(histogram: pd.DataFrame) -> float:
    return float(histogram["sum"].sum() / histogram["le=+Inf"].sum())


def local(frame: pd.DataFrame) -> pd.DatetimeIndex:
    index = frame.index
    assert isinstance(index, pd.DatetimeIndex)
    return index.tz_convert("Europe/Berlin")


EVERYTHING = {
    "page": {
        **PAGE,
        "changes": [{"at": "2026-09-20", "over": "10d", "by": "30 %", "tail": "50 %", "traffic": "10 %"}],
        "rushes": [{"from": "22h", "to": "2h", "by": "100 %"}],
        "gaps": [{"from": "2026-09-02", "to": "2026-09-03T08:00Z"}],
    },
    "part": {"share": {"of": "page", "part": "60 %"}},
}


@pytest.mark.parametrize(("name", "kind"), [("page", "histogram"), ("part", "total"), ("other", "gauge")])
@pytest.mark.parametrize("step", [timedelta(minutes=15), HOUR, timedelta(hours=6), timedelta(days=1)])
def test_window_does_not_matter(name: str, kind: str, step: timedelta) -> None:
    """A row is the same whatever window it is asked in."""
    of, series = source(**EVERYTHING), asked(name, kind)
    whole = of.fetch(series, Window(START, END, step)).rows
    start, end = datetime(2026, 9, 1, 0, tzinfo=UTC) + step, datetime(2026, 9, 23, 0, tzinfo=UTC)
    inner = of.fetch(series, Window(start, end, step)).rows
    pd.testing.assert_frame_equal(inner, whole[(whole.index >= start) & (whole.index < end)], check_freq=False)


def test_other_series_do_not_matter() -> None:
    """A series does not change when another one is configured beside it."""
    alone, beside = source(page=PAGE), source(another=PAGE, page=PAGE)
    pd.testing.assert_frame_equal(rows(alone, asked()), rows(beside, asked()))


def test_another_process_makes_the_same() -> None:
    """Two processes with different hash seeds make the same rows."""
    program = (
        "from tests.ingest.sources.test_demo import asked, rows, source, EVERYTHING\n"
        "print(rows(source(**EVERYTHING), asked()).to_csv())\n"
    )
    root = Path(__file__).parents[3]
    answers = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=root,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert answers[0] == answers[1]
    assert len(answers[0].splitlines()) > 1900


def test_first_rows_stay() -> None:
    """The history that stories quote does not change under them from version to version."""
    first = rows(source(page=PAGE), asked(), end=START + 3 * HOUR)
    assert first["le=+Inf"].tolist() == [74, 68, 76]
    assert first["sum"].tolist() == [42.0785, 30.5312, 38.1588]


def test_rhythm() -> None:
    """Working hours are busier and slower than nights, and working days busier than weekends."""
    made = rows(source(page=PAGE), asked())
    hours, days = local(made).hour, local(made).day_of_week
    work, night = made[(hours >= 9) & (hours < 17) & (days < 5)], made[(hours < 5) & (days < 5)]
    weekend = made[(hours >= 9) & (hours < 17) & (days >= 5)]
    assert work["le=+Inf"].mean() > 10 * night["le=+Inf"].mean()
    assert work["le=+Inf"].mean() > 1.8 * weekend["le=+Inf"].mean()
    assert mean_of(work) > 1.1 * mean_of(night)


def test_days_wander_together() -> None:
    """A day resembles the day before it, as on real systems, by a few percent."""
    values = rows(source(page={**PAGE, "rhythm": "0 %", "wander": "4 %"}), asked(kind="latency"))["value"]
    days = np.log(values).resample("D").median()
    assert 0.02 < days.std() < 0.07
    assert days.autocorr(1) > 0.4


def test_change() -> None:
    """A configured change of -60 % is seen in the mean, from its moment on."""
    change = {"at": "2026-09-20T14:00Z", "by": "-60 %"}
    changed, plain = (rows(source(page={**PAGE, "changes": each}), asked()) for each in ([change], []))
    moment = pd.Timestamp(change["at"])
    pd.testing.assert_frame_equal(changed[changed.index < moment], plain[plain.index < moment])
    before, after = mean_of(changed[changed.index < moment]), mean_of(changed[changed.index >= moment])
    assert after / before - 1 == pytest.approx(-0.6, abs=0.03)


def test_change_that_ends_and_one_that_grows() -> None:
    """A change ends with `until`, and comes in slowly with `over`."""
    incident = {"at": "2026-08-20", "until": "2026-08-22", "by": "100 %"}
    growth = {"at": "2026-09-01", "over": "20d", "by": "100 %"}
    values = rows(source(page={**PAGE, "changes": [incident, growth]}), asked(kind="latency"))["value"]
    plain = rows(source(page=PAGE), asked(kind="latency"))["value"]
    factor = values / plain
    assert factor["2026-08-20":"2026-08-21T21"].iloc[3:].to_numpy() == pytest.approx(2, rel=1e-4)
    assert factor["2026-08-22":"2026-08-31T20"].to_numpy() == pytest.approx(1, rel=1e-4)
    assert factor["2026-09-10T22":"2026-09-11T02"].mean() == pytest.approx(1.5, abs=0.02)
    assert factor["2026-09-22":].to_numpy() == pytest.approx(2, rel=1e-4)


def test_tail() -> None:
    """A change of the tail alone makes few requests slower, and leaves the median."""
    made = rows(source(page={**PAGE, "changes": [{"at": "2026-09-20", "tail": "100 %"}]}), asked())
    before, after = made[made.index < "2026-09-19"].sum(), made[made.index >= "2026-09-21"].sum()
    half, slow = "le=0.5", "le=2.5"
    assert after[half] / after["le=+Inf"] == pytest.approx(before[half] / before["le=+Inf"], abs=0.03)
    assert 1 - after[slow] / after["le=+Inf"] > 3 * (1 - before[slow] / before["le=+Inf"])


def test_rush() -> None:
    """A rush returns every day, in the hours of the users' zone, across the change of clocks."""
    rush = {"from": "8h", "to": "10h", "by": "200 %"}
    end = datetime(2026, 11, 9, tzinfo=UTC)
    rushed, plain = (
        rows(source(page={**PAGE, "rushes": each}), asked(kind="latency"), end=end) for each in ([rush], [])
    )
    factor = rushed["value"] / plain["value"]
    assert set(local(rushed)[factor > 1.001].hour) == {8, 9}
    assert factor.max() > 2


def test_gaps() -> None:
    """The odd hour and a configured outage are missing rows, not zeros."""
    gap = {"from": "2026-09-02T00:00Z", "to": "2026-09-03T08:00Z"}
    plain, gapped = rows(source(page=PAGE), asked()), rows(source(page={**PAGE, "gaps": [gap]}), asked())
    steps = (END - START) // HOUR
    assert 0.005 < 1 - len(plain) / steps < 0.03
    assert gapped[(gapped.index >= gap["from"]) & (gapped.index < gap["to"])].empty
    assert len(plain) - len(gapped) in range(28, 33)
    assert not gapped.isna().any(axis=None)


def test_buckets() -> None:
    """Bucket counts are whole, rise from edge to edge, and agree with the sum."""
    made = rows(source(page=PAGE), asked())
    names = list(made.columns[:-1])
    counts = made[names].to_numpy()
    assert names[0] == "le=0.005"
    assert names[-1] == "le=+Inf"
    assert (counts == np.rint(counts)).all()
    assert (np.diff(counts, axis=1, prepend=0) >= 0).all()
    inside = np.diff(counts, axis=1, prepend=0)
    edges = np.array([float(name.removeprefix("le=")) for name in names[:-1]])
    assert (made["sum"] >= inside @ np.append(0, edges) - 0.01).all()
    assert (made["sum"] <= inside @ np.append(edges, 1000) + 0.01).all()
    assert made["sum"].sum() / counts[:, -1].sum() == pytest.approx(0.420 * np.exp(0.6**2 / 2), rel=0.2)


def test_edges() -> None:
    """Buckets follow the series' unit and size, unless they are configured."""
    of = source(page=PAGE, job={"level": "6 min", "traffic": "4"}, own={**PAGE, "bounds": ["2 s", "500 ms"]})
    assert list(rows(of, asked("page", unit="ms")).columns[:2]) == ["le=5", "le=10"]
    assert rows(of, asked("job")).columns[-3] == "le=60000"
    assert list(rows(of, asked("own")).columns) == ["le=0.5", "le=2", "le=+Inf", "sum"]


@pytest.mark.parametrize("kind", ["total", "rate", "gauge", "latency", "ratio"])
@pytest.mark.parametrize("unit", ["s", "%", "rows"])
def test_kinds(kind: str, unit: str) -> None:
    """Every kind has one column of positive values, under any name and in any unit."""
    made = rows(source(), asked("never_heard_of", kind, unit))
    assert list(made.columns) == ["value"]
    assert (made["value"] >= 0).all()
    assert made["value"].median() > 0
    assert kind != "ratio" or made["value"].max() <= (100 if unit == "%" else 1)


def test_total_is_rate_times_step() -> None:
    """A rate holds a total's amount, a second; and half a step has half of it."""
    of, window = source(page=PAGE), Window(START, END, timedelta(minutes=30))
    total, rate = rows(of, asked(kind="total"))["value"], rows(of, asked(kind="rate"))["value"]
    assert (rate * 3600 / total).to_numpy() == pytest.approx(1, rel=1e-4)
    assert of.fetch(asked(kind="total"), window).rows["value"].mean() == pytest.approx(total.mean() / 2, rel=0.05)


def test_share() -> None:
    """A component takes its configured part of the whole, and never more than all of it."""
    of = source(page=PAGE, part={"share": {"of": "page", "part": "60 %"}})
    whole, part = rows(of, asked())["sum"], rows(of, asked("part", "total"))["value"]
    both = pd.concat([whole, part], axis=1, join="inner")
    assert len(both) == len(part)
    assert both["value"].sum() / both["sum"].sum() == pytest.approx(0.6, abs=0.02)
    assert (both["value"] < both["sum"]).all()


def test_share_without_unit() -> None:
    """A component of a plain number is one as well."""
    of = source(page={"level": "3", "traffic": "2000"}, part={"share": {"of": "page", "part": "60 %"}})
    series = Series.model_validate({"source": "demo", "kind": "rate", "metric": "part"})
    assert (rows(of, series)["value"] > 0).all()


def test_rows_are_tidy() -> None:
    """The common check of all sources has nothing to remove."""
    window = Window(START, END, HOUR)
    made = source(page=PAGE).fetch(asked(), window)
    assert len(tidy(made, window).rows) == len(made.rows)


def test_empty_window() -> None:
    """A window without steps has no rows, and all columns."""
    made = rows(source(page=PAGE), asked(), start=START, end=START)
    assert made.empty
    assert "sum" in made.columns


@pytest.mark.parametrize(
    ("series", "keys"),
    [
        (asked(), []),
        (asked(metric=None, query="page"), []),
        (asked(query="page"), ["query"]),
        (asked(metric=None), ["metric"]),
        (asked(match={"route": "/"}, sum="x"), ["match", "sum"]),
    ],
)
def test_objections(series: Series, keys: list[str]) -> None:
    """A series names its demo series once, and uses nothing that the demo ignores."""
    assert [each.key for each in DemoSource.objections(series, HOUR)] == keys


def test_query() -> None:
    """The request reads as a phrase."""
    assert DemoSource.query(asked(), HOUR) == "demo series page"


@pytest.mark.parametrize(
    ("name", "kind", "unit", "said"),
    [("page", "gauge", "rows", "does not convert"), ("part", "gauge", "s", "its kind is total or rate")],
)
def test_what_cannot_be_made(name: str, kind: str, unit: str, said: str) -> None:
    """A unit or kind that the configured series cannot have is the query's fault."""
    of = source(page=PAGE, part={"share": {"of": "page", "part": "60 %"}})
    with pytest.raises(FetchError, match=said) as caught:
        rows(of, asked(name, kind, unit))
    assert caught.value.fault == "query"


@pytest.mark.parametrize(
    "series",
    [
        {"part": {"share": {"of": "page", "part": "60 %"}}},
        {"part": {"share": {"of": "part", "part": "60 %"}}},
        {"page": {"level": "-1 s"}},
        {"page": {"changes": [{"at": "2026-09-20", "by": "-100 %"}]}},
    ],
)
def test_options_that_make_no_sense(series: dict[str, Any]) -> None:
    """A share of nothing, a level below zero and a change to nothing are refused."""
    with pytest.raises(ValidationError):
        source(**series)
