"""One series: how its hours and days add up, and how far its data can be trusted."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ingest.evidence import HEALTH_STATES, Attempt, Recent, Stored
from ingest.evidence.series import Health, series_facts
from ingest.settings import Freshness
from ingest.stats import Range
from tests.ingest.evidence.samples import (
    BERLIN,
    BOUNDS,
    DAY,
    HOUR,
    START,
    UTC_ZONE,
    facts,
    histogram,
    series,
    source,
    stored,
    values,
)  # fmt: skip
from tests.ingest.stats.test_histograms import prometheus

FAST, SLOW = [0.05] * 10, [0.75] * 90


# Hours and days


@pytest.mark.parametrize(
    ("kind", "day"),
    [("total", 15), ("rate", 5), ("gauge", 5), ("latency", 2), ("ratio", 2)],
)
def test_how_kinds_combine(kind: str, day: float) -> None:
    """Amounts add up, rates and gauges average, and what cannot be combined is the median of its hours."""
    found = facts(series(kind), values([1, 12, 2]))
    assert found.days["value"].tolist() == [day]
    assert found.hours["value"].tolist() == [1, 12, 2]


def test_an_hour_of_a_histogram() -> None:
    """An hour has its quantile with the edges that it lies between, its mean and its number of requests."""
    found = facts(series("histogram"), histogram([[0.2, 0.3, 0.8, 2.0], []]), quantile=0.5)
    hour = found.hours.iloc[0]
    assert hour["value"] == pytest.approx(0.5)
    assert hour[["low", "high", "mean", "requests"]].tolist() == [0.1, 0.5, 0.825, 4]
    assert found.hours.iloc[1].drop("requests").isna().all()
    assert found.hours.iloc[1]["requests"] == 0


def test_a_day_of_a_histogram_is_not_the_mean_of_its_hours() -> None:
    """A day's quantile is that of all its requests, however they are spread over its hours."""
    found = facts(series("histogram"), histogram([FAST, SLOW]), quantile=0.5)
    day = found.days.iloc[0]
    assert (day["low"], day["high"]) == (0.5, 1.0)
    assert day["value"] == pytest.approx(0.5 + 0.5 * 40 / 90)
    assert found.hours["value"].mean() < 0.5
    assert day["requests"] == 100
    assert day["mean"] == pytest.approx((0.05 * 10 + 0.75 * 90) / 100)


def test_days_are_those_of_the_zone() -> None:
    """Over weeks with a change of the clock, each local day's quantile is that of its own summed buckets."""
    random = np.random.default_rng(1)
    start = datetime(2026, 10, 23, 5, tzinfo=UTC)
    rows = histogram([random.lognormal(-1, 1, random.integers(0, 30)).tolist() for _ in range(96)], start)
    found = facts(series("histogram"), rows, quantile=0.95, zone=BERLIN)
    local = rows.groupby([time.astimezone(BERLIN).date() for time in rows.index]).agg(["sum", "size"])
    columns = ["le=0.1", "le=0.5", "le=1", "le=+Inf"]
    expected = [prometheus(0.95, BOUNDS, [row[name, "sum"] for name in columns]) for _, row in local.iterrows()]
    assert found.days["value"].tolist() == pytest.approx(expected)
    assert local["sum", "size"].tolist() == [17, 24, 25, 24, 6]
    starts = ["2026-10-22T22Z", "2026-10-23T22Z", "2026-10-24T22Z", "2026-10-25T23Z", "2026-10-26T23Z"]
    assert found.days.index.tolist() == [pd.Timestamp(each) for each in starts]


def test_a_gap_is_no_row() -> None:
    """A missing hour is neither an hour nor a zero, and a day without any hours is no day."""
    rows = values(range(72)).drop(pd.date_range(START + 20 * HOUR, periods=30, freq="h"))
    found = facts(series("total"), rows)
    assert len(found.hours) == 42
    assert found.days["value"].tolist() == [sum(range(20)), sum(range(50, 72))]
    assert found.days.index.tolist() == [START, START + 2 * DAY]


def test_no_data() -> None:
    """A series without data has no hours, no days and no figure."""
    found = facts(series("histogram"), holds=Stored())
    assert found.hours.empty
    assert found.days.empty
    assert found.hours.columns.tolist() == ["value"]
    assert found.recent is None
    assert found.buckets is None
    assert found.manifest is None


def test_a_snapshot_without_rows() -> None:
    """A snapshot of nothing has no hours, no days and no figure either."""
    found = facts(series("gauge", allow_empty=True), values([]))
    assert found.hours.empty
    assert found.days.empty
    assert found.recent is None
    assert found.manifest is not None


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("histogram", "p97.5"),
        ("total", "total"),
        ("rate", "a second"),
        ("gauge", "average"),
        ("latency", "median of hours"),
        ("ratio", "median of hours"),
    ],
)
def test_what_the_figure_is(kind: str, words: str) -> None:
    """The figure of a series is named after how its rows combine."""
    assert facts(series(kind), holds=Stored(), quantile=0.975).figure == words


@pytest.mark.parametrize(("title", "expected"), [("Visits", "Visits"), (None, "Requests")])
def test_the_title(title: str | None, expected: str) -> None:
    """A series is called what its story calls it, or else by its name."""
    assert facts(series(title=title), values([1])).title == expected


def test_the_source_is_called_by_its_title() -> None:
    """A page names the source as sources.yml does, and its unit as the story does."""
    found = facts(series(), values([1]))
    assert found.source == "Production"
    assert found.unit == "s"


# The last seven days


def test_recent_is_the_last_seven_days() -> None:
    """Only rows of the last seven days of data count, whatever came before and whenever now is."""
    found = facts(series("gauge"), values([100.0] * 24 + [2.0] * 7 * 24), now=START + 30 * DAY)
    assert found.recent == Recent(Range(2, 2, 2), None, None, START + DAY, START + 8 * DAY)


def test_recent_of_a_young_series() -> None:
    """A series younger than seven days is summed from its first row on."""
    found = facts(series("latency"), values([1, 2, 30]))
    assert found.recent == Recent(Range(2, 2, 2), None, None, START, START + 3 * HOUR)


@pytest.mark.parametrize(
    ("kind", "figure"), [("total", 24 * 5), ("rate", 5), ("gauge", 5), ("latency", 2), ("ratio", 2)]
)
def test_recent_of_each_kind(kind: str, figure: float) -> None:
    """An amount is that of a day; rates and gauges average; what cannot be combined is the median."""
    found = facts(series(kind), values([1, 12, 2]))
    assert found.recent is not None
    assert found.recent.figure.value == pytest.approx(figure)


def test_recent_of_a_histogram() -> None:
    """The quantile is that of all requests together, the mean that of their times, and traffic is counted."""
    found = facts(series("histogram"), histogram([FAST, SLOW] * 12))
    assert found.recent is not None
    assert (found.recent.figure.low, found.recent.figure.high) == (0.5, 1.0)
    assert found.recent.figure.value == pytest.approx(0.5 + 0.5 * 40 / 90)
    assert found.recent.mean == pytest.approx(0.68)
    assert found.recent.requests_a_day == 1200


@pytest.mark.parametrize(("allow_empty", "a_day"), [(False, 240), (True, 120)])
def test_recent_beside_gaps(allow_empty: bool, a_day: float) -> None:
    """A gap does not count as a time without requests, unless the story says that no rows are no fault."""
    rows = histogram([[0.2] * 10] * 48).iloc[[*range(12), *range(36, 48)]]
    found = facts(series("histogram", allow_empty=allow_empty), rows)
    assert found.recent is not None
    assert found.recent.requests_a_day == a_day


# Health

NOW = START + 30 * DAY
FRESH = NOW - HOUR
STALE, OLD = NOW - timedelta(hours=36), NOW - timedelta(days=7)
REFUSED = Attempt(NOW, "prod cannot be reached")


def health(
    until: datetime | None, *, failed: bool = False, changed: bool = False, partial: bool = False, corrupt: str = ""
) -> Health:
    """The health of a series whose data ends at `until`."""
    of = series()
    holds = Stored(corrupt=corrupt)
    if until and not corrupt:
        asked = series(query="another") if changed else of
        holds = stored(values([1.0] * 5, until - 5 * HOUR), asked, partial=partial, warnings=("one shard is down",))
    return facts(of, holds=holds, attempt=REFUSED if failed else Attempt(NOW), now=NOW).health


@pytest.mark.parametrize(
    ("found", "state", "notes"),
    [
        (health(FRESH), "fresh", ()),
        (health(STALE + HOUR), "fresh", ()),
        (health(STALE), "stale", ("The last data is 36 h old",)),
        (health(OLD + HOUR), "stale", ("The last data is 6 days old",)),
        (health(OLD), "old", ("No data for 7 days",)),
        (health(FRESH, partial=True), "partial", ("The source called its answer partial: one shard is down",)),
        (health(FRESH, failed=True), "failed", ("The last refresh failed: prod cannot be reached",)),
        (health(FRESH, changed=True), "changed", ("The query was changed after this data was fetched",)),
        (health(None), "missing", ("Nothing has been fetched yet",)),
        (health(None, failed=True), "missing", ("The last refresh failed: prod cannot be reached",)),
        (health(FRESH, corrupt="no checksum"), "corrupt", ("The stored data cannot be trusted: no checksum",)),
    ],
)
def test_each_state(found: Health, state: str, notes: tuple[str, ...]) -> None:
    """Each state has its name and says in words what is the matter."""
    assert (found.state, found.notes) == (state, notes)


def test_the_worst_comes_first() -> None:
    """Of all that is the matter the worst gives the state, and everything is told, worst first."""
    found = health(OLD, failed=True, changed=True, partial=True)
    assert found.state == "changed"
    assert [note.split()[0] + " " + note.split()[1] for note in found.notes] == [
        "The query", "No data", "The last", "The source",
    ]  # fmt: skip
    assert health(OLD, failed=True, partial=True).state == "old"
    assert health(STALE, failed=True, partial=True).state == "failed"
    assert health(STALE, partial=True).state == "stale"


def test_corrupt_data_and_a_failure() -> None:
    """Corrupt data that could not be fetched again says both."""
    assert health(None, corrupt="no checksum", failed=True) == Health(
        "corrupt",
        ("The stored data cannot be trusted: no checksum", "The last refresh failed: prod cannot be reached"),
    )


def test_states_from_worst_to_best() -> None:
    """The order of states is that in which they take trust away."""
    assert HEALTH_STATES == ("corrupt", "missing", "changed", "old", "failed", "stale", "partial", "fresh")


def test_freshness_is_the_knowledge_bases() -> None:
    """How old data may become is for the company to say."""
    of = series()
    holds = stored(values([1.0], NOW - 3 * HOUR), of)
    strict = Freshness(warn=HOUR, error=2 * HOUR)
    found = series_facts("slow", "requests", of, source(), holds, None, 0.95, UTC_ZONE, strict, NOW)
    assert found.health.state == "old"


@pytest.mark.parametrize(("allow_empty", "state"), [(True, "fresh"), (False, "old")])
def test_no_rows_that_are_no_fault(allow_empty: bool, state: str) -> None:
    """Where nothing may happen for weeks, data is as fresh as the last look."""
    of = series(allow_empty=allow_empty)
    holds = stored(values([1.0], START), of, window=(START, NOW))
    assert facts(of, holds=holds, now=NOW).health.state == state


def test_data_from_the_future_is_fresh() -> None:
    """A clock that was set back makes no data old."""
    assert facts(series(), values([1.0], NOW), now=NOW - DAY).health.state == "fresh"


# What was changed since


def test_another_kind() -> None:
    """Rows of another kind than the story now says are not shown as if they were of that kind."""
    of = series("histogram")
    found = facts(of, holds=stored(values([1.0, 2.0]), series("gauge")), now=START + 2 * HOUR)
    assert found.health.state == "changed"
    assert found.hours.empty
    assert found.recent is None


def test_another_query() -> None:
    """Until a changed query has been fetched, the data of the old one is shown, and called that."""
    found = facts(series(query="new"), holds=stored(values([1.0, 2.0]), series(query="old")), now=START + 2 * HOUR)
    assert found.health.state == "changed"
    assert found.hours["value"].tolist() == [1, 2]


def test_another_step() -> None:
    """Until a changed step has been fetched, the rows keep the length that they have."""
    of = series()
    found = facts(of, holds=stored(values([1.0, 2.0]), of, HOUR), step=timedelta(minutes=15), now=START + 2 * HOUR)
    assert found.health.state == "changed"
    assert found.step == HOUR
    assert found.recent is not None
    assert found.recent.end == START + 2 * HOUR


def test_an_unknown_source() -> None:
    """A series whose source is not declared is still a series, called by the source's id."""
    found = series_facts("slow", "requests", series(), None, Stored(), None, 0.95, UTC_ZONE, Freshness(), NOW)
    assert (found.source, found.explore, found.step) == ("prod", None, HOUR)


def test_quantile_of_an_hour_beyond_the_last_bucket() -> None:
    """Where the quantile is beyond the last edge, it is said to be at least that."""
    hour = facts(series("histogram"), histogram([[2.0] * 5])).hours.iloc[0]
    assert hour[["value", "low", "high"]].tolist() == [1.0, 1.0, math.inf]
