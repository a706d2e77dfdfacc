import math
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import FetchError, UserError
from ingest.sources.base import Fetched, Window, bucket_columns, expand, tidy

HOUR = timedelta(hours=1)
START = datetime(2026, 9, 1, tzinfo=UTC)
WINDOW = Window(START, START + 4 * HOUR, HOUR)


def fetched(rows: list[tuple[float, float]]) -> Fetched:
    """Values by the hours since the window's start."""
    index = pd.DatetimeIndex([START + hours * HOUR for hours, _ in rows], tz="UTC")
    return Fetched(pd.DataFrame({"value": [value for _, value in rows]}, index=index), True, ("w",))


def values(answer: Fetched) -> list[tuple[float, float]]:
    hours = [(time - START) / HOUR for time in answer.rows.index]
    return list(zip(hours, answer.rows["value"].tolist(), strict=True))


def test_order() -> None:
    """Rows come in the order of their time, and what the source said about them stays."""
    answer = tidy(fetched([(2, 3.0), (0, 1.0), (1, 2.0)]), WINDOW)
    assert values(answer) == [(0, 1), (1, 2), (2, 3)]
    assert (answer.partial, answer.warnings) == (True, ("w",))
    assert answer.rows.index.name == "time"


def test_gaps() -> None:
    """What is not finite is a gap."""
    assert values(tidy(fetched([(0, math.nan), (1, math.inf), (2, -1e101), (3, 0.0)]), WINDOW)) == [(3, 0)]


def test_outside_of_the_window() -> None:
    """Rows before the window's start, and from its end on, are not part of it."""
    assert values(tidy(fetched([(-1, 1.0), (0, 2.0), (3, 3.0), (4, 4.0)]), WINDOW)) == [(0, 2), (3, 3)]


def test_the_same_row_twice() -> None:
    """An equal duplicate is dropped."""
    assert values(tidy(fetched([(1, 2.0), (0, 1.0), (1, 2.0)]), WINDOW)) == [(0, 1), (1, 2)]


def test_a_contradiction() -> None:
    """Two values for one step are no answer."""
    with pytest.raises(FetchError, match="two different values for the step at 2026-09-01T01:00") as caught:
        tidy(fetched([(1, 2.0), (1, 3.0)]), WINDOW)
    assert caught.value.fault == "answer"


def test_between_the_steps() -> None:
    """A row that does not begin a step is no answer."""
    with pytest.raises(FetchError, match="2026-09-01T00:30"):
        tidy(fetched([(0.5, 2.0)]), WINDOW)


def test_another_zone() -> None:
    """Times in another zone are the same moments."""
    rows = fetched([(0, 1.0)]).rows.tz_convert("Europe/Berlin")
    assert values(tidy(Fetched(rows), WINDOW)) == [(0, 1)]


def test_a_histogram_needs_its_total() -> None:
    """A bucket may be missing; the count of all values and their sum may not."""
    columns = {"le=1": [1, math.nan, 1], "le=+Inf": [2, 2, math.nan], "sum": [3.0, 3.0, 3.0]}
    rows = pd.DataFrame(columns, index=pd.DatetimeIndex([START + n * HOUR for n in range(3)], tz="UTC"))
    tidied = tidy(Fetched(rows), WINDOW).rows
    assert tidied["le=+Inf"].tolist() == [2, 2]
    assert tidied["le=1"].isna().tolist() == [False, True]


def histogram(*rows: tuple[float, ...]) -> Fetched:
    """Buckets up to 1, up to 2 and all, hour by hour."""
    columns = ["le=+Inf", "le=1", "le=2"]
    index = pd.DatetimeIndex([START + n * HOUR for n in range(len(rows))], tz="UTC")
    return Fetched(pd.DataFrame(rows, index=index, columns=columns).assign(sum=1.0))


@pytest.mark.parametrize(
    "rows",
    [
        [(20, 50, 30)],  # each bucket counted alone
        [(20, 0, 30)],
        [(0, 0, 3)],
        [(100, 20, -30)],
        [(-5, -5, -5)],
        [(40, 40, 40), (40, 40, 20), (40, 40, math.nan)],
    ],
)
def test_buckets_that_are_not_cumulative(rows: list[tuple[float, ...]]) -> None:
    """Counts that fall from bucket to bucket would make every quantile too small: they are no answer."""
    with pytest.raises(FetchError, match="the buckets are not cumulative") as caught:
        tidy(histogram(*rows), WINDOW)
    assert (caught.value.fault, caught.value.retry) == ("answer", False)


@pytest.mark.parametrize(
    "rows",
    [
        [(0, 0, 0)],
        [(10, 10, 10), (10, 4, 10)],
        [(9, 11, 10), (10, 4, 8)],  # scraped one after the other
        [(1000, 950, 940), (1000, 950, 1040)],
        [(10, math.nan, 4), (10, 5, math.nan)],  # born later
        [],
    ],
)
def test_buckets_that_stray(rows: list[tuple[float, ...]]) -> None:
    """A count that is a little less than the one before it is as real servers count."""
    assert len(tidy(histogram(*rows), WINDOW).rows) == len(rows)


def test_nothing() -> None:
    """An empty answer stays empty."""
    assert tidy(fetched([]), WINDOW).rows.empty


@given(st.lists(st.tuples(st.integers(-2, 6), st.just(1.0) | st.just(math.nan)), max_size=12))
def test_tidy_is_idempotent(rows: list[tuple[int, float]]) -> None:
    """Tidy rows are the steps of the window with a number, each once, and stay so."""
    once = tidy(fetched([(float(hour), value) for hour, value in rows]), WINDOW)
    assert [hour for hour, _ in values(once)] == sorted({hour for hour, value in rows if value == 1 and 0 <= hour < 4})
    pd.testing.assert_frame_equal(tidy(once, WINDOW).rows, once.rows)


def test_bucket_columns() -> None:
    """However a bound is spelled, its column has one name, and columns ascend."""
    named = bucket_columns(["+Inf", "1e1", "2.0", "0.005", "-0", "1e-07"])
    assert list(named.items()) == [
        ("-0", "le=0"), ("1e-07", "le=1e-07"), ("0.005", "le=0.005"),
        ("2.0", "le=2"), ("1e1", "le=10"), ("+Inf", "le=+Inf"),
    ]  # fmt: skip


@pytest.mark.parametrize("bounds", [["1", "1.0"], ["1", "1"], ["+Inf", "inf"], ["0", "-0"]])
def test_one_bound_twice(bounds: list[str]) -> None:
    """Two buckets of one bound are no answer."""
    with pytest.raises(FetchError, match="two buckets have the bound"):
        bucket_columns(bounds)


@pytest.mark.parametrize("bound", ["", "x", "nan"])
def test_no_bound(bound: str) -> None:
    """A bound must be a number."""
    with pytest.raises(FetchError, match="is not a number"):
        bucket_columns([bound])


def test_expand() -> None:
    """Only ${NAME} is replaced, and what it brings in is not expanded again."""
    assert expand("Bearer ${A}${B} $A {A} $$", {"A": "${B}", "B": "b"}, "here") == "Bearer ${B}b $A {A} $$"


def test_expand_without_the_variable() -> None:
    """A missing variable is named together with the place that needs it."""
    with pytest.raises(UserError, match="here: the environment has no A"):
        expand("${A}", {"B": "secret"}, "here")
