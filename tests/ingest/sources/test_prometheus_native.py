"""Native histograms: what is known of a count up to a bound, and nothing else."""

import json
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import FetchError
from ingest.sources.base import Fetched, Window, tidy
from ingest.sources.prometheus import PrometheusOptions, PrometheusSource
from ingest.sources.prometheus.native import NativeHistogram
from ingest.stats import Buckets
from ingest.story import Series
from tests.remote_write import Native, write_native
from tests.servers import Asked, FaultServer, Reply, running_prometheus

HOUR = timedelta(hours=1)
START = datetime(2026, 9, 1, tzinfo=UTC)
WINDOW = Window(START, START + 6 * HOUR, HOUR)
ASKED = Series.model_validate({"source": "prod", "kind": "histogram", "query": "sum(increase(m[1h]))"})
PATH = "/api/v1/query_range"


def fetch(url: str, asked: Series = ASKED, window: Window = WINDOW) -> Fetched:
    prod = PrometheusSource("prod", PrometheusOptions.model_validate({"url": url}), {}, Path())
    try:
        return tidy(prod.fetch(asked, window), window)
    finally:
        prod.close()


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prometheus with six hours of a native histogram, whose schema changes after three."""
    flags = ("--enable-feature=native-histograms", "--web.enable-remote-write-receiver")
    random = np.random.default_rng(6)
    with running_prometheus("# EOF\n", tmp_path_factory.mktemp("native"), *flags) as url:
        counts: Counter[int] = Counter()
        samples, total, zero = [], 0.0, 0
        for minute in range(0, 361, 5):
            schema = 4 if minute <= 180 else 1
            if minute == 185:
                counts, total, zero = Counter(), 0.0, 0
            took = 0.3 * np.exp(0.9 * random.standard_normal(40))
            counts.update(math.ceil(math.log2(each) * 2**schema) for each in took.tolist())
            zero += 1
            total += float(took.sum())
            samples.append(Native(int(START.timestamp() + 60 * minute) * 1000, schema, dict(counts), total, zero))
        write_native(url, "m", samples)
        yield url


def instant(url: str, query: str, at: datetime) -> float:
    reply = requests.get(f"{url}/api/v1/query", {"query": query, "time": str(at.timestamp())}, timeout=30).json()
    return float(reply["data"]["result"][0]["value"][1])


def test_counts_are_what_the_server_says(native: str) -> None:
    """Up to every bound that a row knows, it counts what the server itself does; so it does for count and sum."""
    rows = fetch(native).rows
    assert len(rows) == 6
    assert len(rows.columns) > 40
    for time in (rows.index[0], rows.index[2], rows.index[5]):
        row = rows.loc[time].dropna()
        at = time.to_pydatetime() + HOUR
        count = instant(native, f"histogram_count({ASKED.query})", at)
        assert row["le=+Inf"] == count
        assert row["sum"] == instant(native, f"histogram_sum({ASKED.query})", at)
        bounds = [column for column in row.index if column not in ("sum", "le=+Inf")]
        assert len(bounds) > 10
        for column in bounds:
            part = instant(native, f"histogram_fraction(-1, {column.removeprefix('le=')}, {ASKED.query})", at)
            assert math.isclose(row[column], part * count, rel_tol=1e-6), column


def test_quantiles_across_two_layouts(native: str) -> None:
    """A quantile of hours with different buckets lies in the bucket where the server's own figure lies."""
    buckets = Buckets.of(fetch(native).rows)
    query = "sum(increase(m[1h]))"
    for hour in (0, 2, 5):
        at = START + (hour + 1) * HOUR
        for q in (0.1, 0.5, 0.9, 0.99):
            value, low, high = (float(each[hour]) for each in buckets.quantiles(q))
            said = instant(native, f"histogram_quantile({q}, {query})", at)
            assert low * (1 - 1e-9) <= said <= high * (1 + 1e-9)
            assert low <= value <= high
    whole = buckets.quantile(0.5)
    hours = [float(buckets.quantiles(0.5)[0][hour]) for hour in range(6)]
    # Buckets of schema 1 are what both layouts know: 41 % wide.
    assert min(hours) / 1.42 < whole.low < whole.high < max(hours) * 1.42


def test_a_figure_of_native_histograms(native: str) -> None:
    """A query that takes a figure of them is a value like any other; one that does not says what to do."""
    latency = ASKED.model_copy(update={"kind": "latency", "query": "histogram_quantile(0.9, sum(increase(m[1h])))"})
    assert len(fetch(native, latency).rows) == 6
    with pytest.raises(FetchError, match=r"native histograms; take a figure of them, such as histogram_quantile"):
        fetch(native, latency.model_copy(update={"query": "sum(increase(m[1h]))"}))


# Against answers as the API documents them.


def histogram(count: float, total: float, *buckets: Sequence[Any]) -> dict[str, Any]:
    return {"count": str(count), "sum": str(total), "buckets": [[rule, *map(str, rest)] for rule, *rest in buckets]}


def answer(*histograms: Any, first: int = 1, **metric: str) -> dict[str, Any]:
    begin = int(START.timestamp())
    return {"metric": metric, "histograms": [[begin + 3600 * (first + n), each] for n, each in enumerate(histograms)]}


def told(*series: dict[str, Any], asked: Series = ASKED) -> pd.DataFrame:
    body = {"status": "success", "data": {"resultType": "matrix", "result": list(series)}}
    with FaultServer({PATH: Reply(json.dumps(body).encode())}) as server:
        return fetch(server.url, asked).rows


def test_steps_with_different_buckets() -> None:
    """Columns are those of all steps; what a step's own buckets imply is known, what lies inside of one is not."""
    fine = histogram(4, 7.5, (0, 1, 1.4142135623730951, 1), (0, 1.4142135623730951, 2, 2), (0, 4, 8, 1))
    coarse = histogram(3, 5.0, (3, -0.001, 0.001, 1), (0, 1, 2, 2))
    rows = told(answer(fine, coarse, histogram(0, 0)))
    bounds = ["0.001", "1", "1.4142135623730951", "2", "4", "8", "+Inf"]
    assert rows.columns.tolist() == [*(f"le={each}" for each in ["1", "1.4142135623730951", "2", "4", "8"]),
                                     "le=+Inf", "sum", "le=0.001"]  # fmt: skip
    counts = Buckets.of(rows).counts.tolist()
    assert dict(zip(bounds, counts[0], strict=True)) == dict(zip(bounds, [0, 0, 1, 3, 3, 4, 4], strict=True))
    assert [*counts[1][:2], *counts[1][3:]] == [1, 1, 3, 3, 3, 3]
    assert math.isnan(counts[1][2])
    assert counts[2] == [0] * 7
    assert Buckets.of(rows).total().counts[0][[0, 1, 3, 4, 5, 6]].tolist() == [1, 1, 6, 6, 7, 7]


def test_classic_buckets_before_native_ones() -> None:
    """A service that changed over has the rows of both, and the classic ones where it sent both."""
    begin = int(START.timestamp())
    classic = [{"metric": {"le": le}, "values": [[begin + 3600 * n, value] for n in (1, 2)]}
               for le, value in (("0.5", "1"), ("+Inf", "3"))]  # fmt: skip
    native = answer(histogram(9, 9, (0, 0.25, 0.5, 9)), histogram(2, 0.7, (0, 0.25, 0.5, 2)), first=2)
    asked = ASKED.model_copy(update={"query": "a or b", "sum": "c"})

    def reply(sent: Asked) -> Reply:
        total = [{"metric": {}, "values": [[begin + 3600 * n, "2.5"] for n in (1, 2)]}]
        result = total if sent.params["query"] == "c" else [*classic, native]
        return Reply(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode())

    with FaultServer({PATH: reply}) as server:
        rows = fetch(server.url, asked).rows
    assert rows["le=+Inf"].tolist() == [3, 3, 2]
    assert rows["le=0.5"].tolist() == [1, 1, 2]
    assert rows["sum"].tolist() == [2.5, 2.5, 0.7]


def test_custom_bounds() -> None:
    """A classic histogram that the server keeps as a native one keeps its own bounds."""
    rows = told(answer(histogram(6, 3, (3, "-Inf", 0.1, 1), (0, 0.1, 0.3, 2), (0, 0.3, "+Inf", 3))))
    assert rows.to_dict("records") == [{"le=0.1": 1, "le=0.3": 3, "le=+Inf": 6, "sum": 3}]


def test_values_below_zero() -> None:
    """Buckets below zero are counted from the lowest up."""
    rows = told(answer(histogram(6, -3, (1, -4, -2, 1), (1, -2, -1, 2), (3, -0.5, 0.5, 3))))
    assert rows.iloc[0].to_dict() == {
        "le=-4": 0, "le=-2": 1, "le=-1": 3, "le=-0.5": 3, "le=0.5": 6, "le=+Inf": 6, "sum": -3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (histogram(2, 1, (0, 1, 2, 1), (0, 1.5, 3, 1)), "buckets overlap"),
        (histogram(2, 1, (0, 2, 1, 1)), "buckets overlap"),
        (histogram(2, 1, (0, "NaN", 1, 1)), "buckets overlap"),
        (histogram(1, 1, (0, 1, 2, 3)), "hold more than its count"),
        (histogram(-1, 1), "something else"),
        (histogram(1, 1, (0, 1, 2, -1)), "something else"),
        (histogram(1, 1, (0, 1, 2)), "something else"),
        ({}, "something else"),
    ],
)
def test_what_is_no_histogram(made: dict[str, Any], said: str) -> None:
    """Buckets that contradict each other or their count are no answer."""
    with pytest.raises(FetchError, match=said) as caught:
        told(answer(made))
    assert caught.value.fault == "answer"


def test_more_than_one() -> None:
    """Several native histograms are a mistake in the story."""
    with pytest.raises(FetchError, match=r"2 native histograms instead of one; put sum\(\)") as caught:
        told(answer(histogram(0, 0), pod="a"), answer(histogram(0, 0), pod="b"))
    assert caught.value.fault == "query"


def test_classic_buckets_without_their_sum() -> None:
    """Classic buckets, where a native histogram was asked for, say what is missing."""
    begin = int(START.timestamp()) + 3600
    with pytest.raises(FetchError, match="classic buckets; `sum` must ask") as caught:
        told({"metric": {"le": "+Inf"}, "values": [[begin, "1"]]})
    assert caught.value.fault == "query"


values = st.lists(st.floats(1e-4, 1e4), max_size=60)


@given(st.lists(st.tuples(st.integers(-2, 8), values), min_size=1, max_size=4))
def test_every_known_count_is_right(hours: list[tuple[int, list[float]]]) -> None:
    """Whatever the resolution of its buckets, a histogram never counts more or fewer values than there are."""
    rows = pd.DataFrame([row_of(schema, values) for schema, values in hours])
    buckets = Buckets.of(rows)
    known = ~np.isnan(buckets.counts)
    for (_, values), counts, here in zip(hours, buckets.counts, known, strict=True):
        ordered = sorted(values)
        for bound, count in zip(buckets.bounds[here], counts[here], strict=True):
            # A value on an edge falls to one of its sides, by rounding.
            assert bisect_left(ordered, bound * (1 - 1e-9)) <= count <= bisect_left(ordered, bound * (1 + 1e-9))
    # The coarsest of all hours is known in all of them.
    coarsest = min(schema for schema, _ in hours)
    occupied = {bound for schema, values in hours if schema == coarsest for bound in edges(coarsest, values)}
    everywhere = set(buckets.bounds[known.all(axis=0)].tolist())
    assert all(any(math.isclose(bound, each) for each in everywhere) for bound in occupied)
    assert len(buckets.bounds) <= 2 + 8 * 28


def edges(schema: int, values: list[float]) -> set[float]:
    """Upper edges of the buckets that hold something, in schema 3 at the finest."""
    numbers = {math.ceil(math.log2(each) * 2.0 ** min(schema, 3)) for each in values}
    return {2.0 ** (number / 2.0 ** min(schema, 3)) for number in numbers}


def row_of(schema: int, values: list[float]) -> dict[str, float]:
    """The row of a histogram of values, in the buckets of a schema."""
    size = 2.0**schema
    counted = Counter(math.ceil(math.log2(each) * size) for each in values)
    buckets = [(0, 2 ** ((number - 1) / size), 2 ** (number / size), n) for number, n in counted.items()]
    made = {"count": len(values), "sum": math.fsum(values), "buckets": buckets}
    return NativeHistogram.model_validate(made).row()
