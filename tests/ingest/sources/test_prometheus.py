import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import FetchError, UserError
from ingest.sources import prometheus as module
from ingest.sources.base import Fetched, Window, tidy
from ingest.sources.http import Client
from ingest.sources.prometheus import PrometheusOptions, PrometheusSource
from ingest.story import Series
from ingest.units import parse_duration
from tests.servers import (
    BOUNDS,
    HISTORY_END,
    Asked,
    FaultServer,
    Load,
    Reply,
    Script,
    openmetrics_histogram,
    running_prometheus,
    running_victoria_metrics,
)  # fmt: skip

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
METRIC = "http_request_duration_seconds"
START = datetime(2026, 9, 1, tzinfo=UTC)
WINDOW = Window(START, START + 3 * HOUR, HOUR)
PATH = "/api/v1/query_range"


def series(kind: str = "histogram", **more: Any) -> Series:
    return Series.model_validate({"source": "prod", "kind": kind, **more})


CAMPAIGNS = series(metric=METRIC, match={"route": "/campaigns"})
GAUGE = series("gauge", query="up")
OPTIONS = PrometheusOptions.model_validate({"url": "http://127.0.0.1"})


@contextmanager
def source(url: str, **options: Any) -> Iterator[PrometheusSource]:
    made = PrometheusSource("prod", PrometheusOptions.model_validate({"url": url, **options}), {}, Path())
    try:
        yield made
    finally:
        made.close()


def fetch(url: str, asked: Series, window: Window, **options: Any) -> Fetched:
    with source(url, **options) as prod:
        return prod.fetch(asked, window)


def last(days: int, step: timedelta = HOUR) -> Window:
    """The last days of the real server's history."""
    return Window(HISTORY_END - days * DAY, HISTORY_END, step)


def instant(url: str, query: str, at: datetime) -> dict[str, float]:
    """What the server itself says at a moment: values by `le`."""
    reply = requests.get(f"{url}/api/v1/query", {"query": query, "time": str(at.timestamp())}, timeout=30).json()
    return {each["metric"].get("le", ""): float(each["value"][1]) for each in reply["data"]["result"]}


# Against a real server.


def test_a_histogram_is_what_the_server_says(prometheus: str) -> None:
    """Every row holds exactly what PromQL gives at the end of its step."""
    rows = fetch(prometheus, CAMPAIGNS, last(30)).rows
    names = {repr(bound): f"le={bound:g}" for bound in BOUNDS} | {"+Inf": "le=+Inf"}
    assert rows.columns.tolist() == [*names.values(), "sum"]
    assert len(rows) == 720
    for start in (HISTORY_END - HOUR, HISTORY_END - 9 * DAY, HISTORY_END - 21 * DAY - HOUR, HISTORY_END - 30 * DAY):
        row = rows.loc[pd.Timestamp(start)]
        which = '{route="/campaigns"}[1h]'
        buckets = instant(prometheus, f"sum by (le) (increase({METRIC}_bucket{which}))", start + HOUR)
        assert {names[le]: value for le, value in buckets.items()} == row.drop("sum").to_dict()
        assert instant(prometheus, f"sum(increase({METRIC}_sum{which}))", start + HOUR) == {"": row["sum"]}


def test_a_histogram_by_query(prometheus: str) -> None:
    """A histogram's own two queries give the same rows as its metric."""
    buckets, total = PrometheusSource.query(CAMPAIGNS, HOUR, OPTIONS).split("\n")
    rows = fetch(prometheus, CAMPAIGNS, last(7)).rows
    pd.testing.assert_frame_equal(fetch(prometheus, series(query=buckets, sum=total), last(7)).rows, rows)


@pytest.mark.parametrize("points", [1_000, 97, 24])
def test_split_windows(prometheus: str, points: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows that are asked for one by one give the bits of one request, late series included."""
    whole = fetch(prometheus, CAMPAIGNS, last(40)).rows
    monkeypatch.setattr(module, "POINTS", points)
    pd.testing.assert_frame_equal(fetch(prometheus, CAMPAIGNS, last(40)).rows, whole, check_exact=True)


def test_more_points_than_the_server_allows(prometheus: str) -> None:
    """More than 11,000 steps come in one fetch."""
    window = last(41, timedelta(minutes=5))
    answer = fetch(prometheus, series("gauge", query="vector(time())"), window)
    assert answer.rows.index.tolist() == [window.start + n * window.step for n in range(window.steps)]
    assert answer.rows["value"].tolist() == [time.timestamp() + 300 for time in answer.rows.index]


def test_the_hours_of_a_day_are_its_day(prometheus: str) -> None:
    """The rows of a day add up to what the server sums over the same day."""
    rows = fetch(prometheus, CAMPAIGNS, last(5)).rows
    for day in range(5):
        begin = HISTORY_END - (5 - day) * DAY
        for le, column in (("+Inf", "le=+Inf"), ("0.25", "le=0.25")):
            hourly = f'sum(increase({METRIC}_bucket{{route="/campaigns",le="{le}"}}[1h]))'
            total = instant(prometheus, f"sum_over_time({hourly}[23h30m:1h])", begin + DAY)[""]
            of_day = rows[column][(rows.index >= begin) & (rows.index < begin + DAY)]
            assert len(of_day) == 24
            assert math.isclose(of_day.sum(), total, rel_tol=1e-12)


def test_labels_of_any_spelling(prometheus: str) -> None:
    """A label's value is matched as it is, whatever PromQL would make of its characters."""
    odd = series(metric=METRIC, match={"route": 'it\'s "odd"\\{}|*'})
    assert fetch(prometheus, odd, last(3)).rows["le=+Inf"].sum() > 500


def test_one_value(prometheus: str) -> None:
    """Any other kind is one column."""
    query = f'histogram_quantile(0.95, sum by (le) (rate({METRIC}_bucket{{route="/other"}}[1h])))'
    rows = fetch(prometheus, series("latency", query=query), last(2)).rows
    assert rows.columns.tolist() == ["value"]
    assert len(rows) == 48
    assert rows["value"].between(0.1, 2).all()


def test_more_than_one_series(prometheus: str) -> None:
    """A query that answers with several series is a mistake in the story."""
    asked = series("rate", query=f"sum by (route) (rate({METRIC}_count[1h]))")
    with pytest.raises(FetchError, match=r"`query` answers with 3 series instead of one; put sum\(\)") as caught:
        fetch(prometheus, asked, last(1))
    assert caught.value.fault == "query"


def test_nothing_there(prometheus: str) -> None:
    """An answer without series is empty, with the columns of its kind."""
    assert fetch(prometheus, series("gauge", query="nothing_of_that_name"), last(1)).rows.columns.tolist() == ["value"]
    rows = fetch(prometheus, series(metric="nothing_of_that_name"), last(1)).rows
    assert rows.empty
    assert rows.columns.tolist() == ["le=+Inf", "sum"]


def test_a_bad_query(prometheus: str) -> None:
    """A query that does not parse comes back with Prometheus' own words."""
    with pytest.raises(FetchError, match=r"status 400: .*parse error: unclosed left parenthesis") as caught:
        fetch(prometheus, series("gauge", query="sum(up"), last(1))
    assert (caught.value.fault, caught.value.retry) == ("query", False)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (series(query=f"sum(increase({METRIC}_bucket[1h]))", sum="vector(1)"), "no label `le`"),
        (series(query=f"increase({METRIC}_bucket[1h])", sum="vector(1)"), "the label `(pod|route)` beside `le`"),
        (series(query=f'sum by (le) (increase({METRIC}_bucket{{le="0.5"}}[1h]))', sum="vector(1)"), r"lack le=\+Inf"),
        (series(query=f"sum by (le) (increase({METRIC}_bucket[1h]))", sum="nothing"), "has buckets but no sum"),
        (series(query="nothing", sum="vector(1)"), "has sum but no buckets"),
        (series(query=f"sum by (le) (increase({METRIC}_bucket[1h]))", sum=f"{METRIC}_sum"), "`sum` answers with 4"),
    ],
)
def test_no_histogram(prometheus: str, asked: Series, said: str) -> None:
    """Queries that do not give a histogram say what is missing from it."""
    with pytest.raises(FetchError, match=said) as caught:
        fetch(prometheus, asked, last(1))
    assert caught.value.fault == "query"


@pytest.mark.parametrize("before", ["0h", "6h"])
def test_sample_limits(tmp_path: Path, before: str) -> None:
    """A window that loads too many samples is halved until it fits, and gives the same rows."""
    text = openmetrics_histogram("m", [Load({"a": "b"})], HISTORY_END, 3 * DAY)
    window, asked = last(2), series(metric="m")
    with running_prometheus(text, tmp_path) as url:
        whole = fetch(url, asked, window).rows
    with limited_prometheus(tmp_path, text, 400) as url:
        params = {"start": str(window.start.timestamp()), "end": str(window.end.timestamp()), "step": "3600"}
        query = "sum by (le) (increase(m_bucket[1h]))"
        assert "too many samples" in requests.get(f"{url}{PATH}", {"query": query, **params}, timeout=30).text
        rows = fetch(url, asked, window, before=before).rows
        pd.testing.assert_frame_equal(rows, whole, check_exact=True)
    with limited_prometheus(tmp_path, text, 1) as url, pytest.raises(FetchError, match="too many samples") as caught:
        fetch(url, asked, window)
    assert caught.value.fault == "query"


def test_an_outage_in_victoria_metrics(tmp_path: Path) -> None:
    """The first increase after an outage counts from before it, also where yesterday's answer is in a cache."""
    begin = int((HISTORY_END - 2 * DAY).timestamp())
    # One a minute, restarted in an outage from the first evening to the next morning.
    kept = [n for n in range(2 * 24 * 60) if not 21 * 60 <= n < 30 * 60]
    lines = [f"m {n + 1000 if n < 24 * 60 else n - 24 * 60} {begin + 60 * n + 7}" for n in kept]
    with running_victoria_metrics("\n".join(lines), tmp_path) as url, source(url) as prod:
        asked = series("total", query="increase(m[1h])")
        days = [Window(HISTORY_END - n * DAY, HISTORY_END - (n - 1) * DAY, HOUR) for n in (2, 1)]
        first, second = (tidy(prod.fetch(asked, day), day).rows["value"] for day in days)
    # The counter stood at 2259 when it was seen last, and at 419 at the end of the first hour after.
    assert first.iloc[1:].tolist() == [60] * 20
    assert second.to_dict() == {days[1].start + n * HOUR: 419 if n == 6 else 60 for n in range(6, 24)}


def long_query(*routes: str) -> Series:
    """A gauge of routes among so many others that no address has room for them."""
    text = "|".join([*routes, *(f"/nowhere/{n}/käse" for n in range(200))])
    return series("gauge", query=f'sum(increase({METRIC}_count{{route=~"{text}"}}[1h]))')


@pytest.mark.parametrize("run", [running_prometheus, running_victoria_metrics])
def test_a_long_query(run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A query that no proxy would let through in an address is sent as a form, and answered alike."""
    text = openmetrics_histogram(
        METRIC, [Load({"route": "/campaigns"}), Load({"route": "/other"})], HISTORY_END, 4 * DAY
    )
    with run(text, tmp_path) as url:
        short = fetch(url, series("gauge", query=f'sum(increase({METRIC}_count{{route="/campaigns"}}[1h]))'), last(2))
        monkeypatch.setattr(Client, "get", None)
        found = fetch(url, long_query("/campaigns"), last(2))
    assert len(found.rows) == 48
    pd.testing.assert_frame_equal(found.rows, short.rows, check_exact=True)


@contextmanager
def limited_prometheus(folder: Path, text: str, samples: int) -> Iterator[str]:
    inner = folder / str(samples)
    inner.mkdir()
    with running_prometheus(text, inner, f"--query.max-samples={samples}") as url:
        yield url


# Against a server that answers as it is told.


def matrix(*result: dict[str, Any], **more: Any) -> Reply:
    body = {"status": "success", "data": {"resultType": "matrix", "result": list(result)}, **more}
    return Reply(json.dumps(body).encode())


def points(values: list[Any], **metric: str) -> dict[str, Any]:
    """Values at the ends of the window's steps."""
    first = int((START + HOUR).timestamp())
    return {"metric": metric, "values": [[first + 3600 * n, value] for n, value in enumerate(values)]}


def told(reply: Script, asked: Series = GAUGE, window: Window = WINDOW, **options: Any) -> Fetched:
    with FaultServer({PATH: reply}) as server:
        return fetch(server.url, asked, window, **options)


def failure(reply: Script, asked: Series = GAUGE) -> FetchError:
    with pytest.raises(FetchError) as caught:
        told(reply, asked)
    return caught.value


def histogram(*buckets: dict[str, Any], total: list[Any]) -> Callable[[Asked], Reply]:
    def reply(asked: Asked) -> Reply:
        return matrix(*buckets) if "_bucket" in asked.params["query"] else matrix(points(total))

    return reply


def test_what_is_asked() -> None:
    """The ends of all steps are asked for, and a day of them before, at multiples of the step."""
    with FaultServer({f"/prom{PATH}": matrix(points(["1", "2", "3"]))}) as server:
        rows = fetch(f"{server.url}/prom/", GAUGE, WINDOW).rows
        fetch(f"{server.url}/prom", GAUGE, WINDOW, before="0h")
    start = START.timestamp()
    needed = {
        "query": "up", "start": f"{start + 3600:.3f}", "end": f"{start + 3 * 3600:.3f}", "step": "3600",
        "timeout": "30.000",
    }  # fmt: skip
    assert server.asked[0].params == {**needed, "start": f"{start - 23 * 3600:.3f}", "nocache": "1"}
    assert server.asked[1].params == needed
    assert rows.index.tolist() == [START, START + HOUR, START + 2 * HOUR]
    assert rows["value"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("step", "before"), [(timedelta(minutes=1), "1d"), (timedelta(minutes=1), "100d"), (HOUR, "90m")]
)
def test_overlaps(step: timedelta, before: str) -> None:
    """Parts of a window overlap by whole steps, and with that stay within the server's limit."""
    window = Window(START - 20_000 * step, START, step)
    spans = []

    def reply(asked: Asked) -> Reply:
        seconds = step.total_seconds()
        start, end = (round(float(asked.params[key]) / seconds) for key in ("start", "end"))
        spans.append((start, end))
        return matrix({"metric": {}, "values": [[n * seconds, str(n)] for n in range(start, end + 1)]})

    with FaultServer({PATH: reply}) as server:
        rows = fetch(server.url, GAUGE, window, before=before).rows
    first = round(window.start.timestamp() / step.total_seconds())
    assert rows["value"].tolist() == [first + n for n in range(1, 20_001)]
    overlap = min(-(-(parse_duration(before)) // step), 3_666)
    assert spans[0][0] == first + 1 - overlap
    assert spans[-1][1] == first + 20_000
    assert max(end - start + 1 for start, end in spans) <= 11_000
    assert all(end == min(start + 2 * overlap - 1, first + 20_000) for (_, end), (start, _) in pairwise(spans))


def test_what_is_around_the_window() -> None:
    """Rows before and after the window are dropped, and a series that has no others is none."""
    first = int(START.timestamp())
    old = {"metric": {"pod": "old"}, "values": [[first - 3600, "7"], [first, "7"]]}
    late = {"metric": {"pod": "late"}, "values": [[first + 4 * 3600, "7"]]}
    now = {"metric": {}, "values": [[first + n * 3600, str(n)] for n in range(-2, 6)]}
    assert told(matrix(old, now, late)).rows["value"].to_dict() == {START + n * HOUR: n + 1 for n in range(3)}


def test_more_parameters() -> None:
    """What Thanos and Mimir need to know goes with every request; what perfkb asks cannot be overruled."""
    with FaultServer({PATH: matrix(points(["1"]))}) as server:
        more = {"params": {"dedup": "true", "partial_response": "false"}, "headers": {"X-Scope-OrgID": "a|b"}}
        with source(server.url, **more) as prod:
            prod.fetch(GAUGE, WINDOW)
    (asked,) = server.asked
    assert (asked.params["dedup"], asked.params["partial_response"], asked.params["query"]) == ("true", "false", "up")
    assert asked.headers["X-Scope-OrgID"] == "a|b"
    with pytest.raises(ValueError, match="`step` is for perfkb to ask"):
        PrometheusOptions.model_validate({"url": "http://h", "params": {"step": "1"}})


def test_what_is_sent_as_a_form() -> None:
    """An address of up to 4,000 bytes is a GET; from there on all that is asked stands in the body of a POST."""
    with FaultServer({PATH: matrix(points(["1"]))}) as server, source(server.url, params={"dedup": "true"}) as prod:
        for length in (3_400, 3_900, 4_000):
            prod.fetch(series("gauge", query="x" * length), WINDOW)
    got, *posted = server.asked
    assert [each.method for each in server.asked] == ["GET", "POST", "POST"]
    for each in posted:
        assert {**got.params, "query": "", "timeout": ""} == {**each.params, "query": "", "timeout": ""}
        assert set(each.params["query"]) == {"x"}
        assert each.params["dedup"] == "true"
        assert len(each.body) > 3_900
        assert each.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert each.headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_form_is_sent_to_no_other_server(status: int) -> None:
    """A redirect, which would make a GET of it or carry it elsewhere, is refused as any other."""
    with FaultServer({PATH: matrix(points(["1"]))}) as other:
        moved = Reply(b"", status, {"Location": f"{other.url}{PATH}"})
        error = failure(moved, long_query())
        assert other.asked == []
    assert error.what.endswith(f"answers with a redirect ({status}); redirects are refused, write the final address")
    assert not error.retry


@pytest.mark.parametrize(
    "said",
    [
        "query processing would load too many samples into memory in query execution",
        "cannot select more than -search.maxSamplesPerQuery=10 samples; possible solutions: ...",
        "rpc error: code = ResourceExhausted desc = exceeded chunks limit: limit 30 violated (got 31)",
        "the query exceeded the maximum number of chunks (limit: 3 chunks) (err-mimir-max-chunks-per-query).",
        "the query time range exceeds the limit (query length: 721h0m0s, limit: 720h0m0s)",
    ],
)
def test_limits_of_other_servers(said: str) -> None:
    """Whatever words a server has for too long a window, the window is halved until it fits."""

    def reply(asked: Asked) -> Reply:
        steps = (float(asked.params["end"]) - float(asked.params["start"])) / 3600 + 1
        if steps > 1:
            return Reply(json.dumps({"status": "error", "errorType": "execution", "error": said}).encode(), 422)
        return matrix({"metric": {}, "values": [[float(asked.params["end"]), asked.params["end"]]]})

    ends = [(START + n * HOUR).timestamp() for n in (1, 2, 3)]
    assert told(reply, before="0h").rows["value"].tolist() == ends


def test_an_empty_window() -> None:
    """A window without steps asks for nothing."""
    with FaultServer({}) as server:
        assert fetch(server.url, GAUGE, Window(START, START, HOUR)).rows.empty
        assert server.asked == []


def test_values_that_are_no_numbers() -> None:
    """NaN and infinities are read, and become gaps."""
    answer = told(matrix(points(["NaN", "+Inf", "0.1"])))
    assert math.isnan(answer.rows["value"].iloc[0])
    assert tidy(answer, WINDOW).rows["value"].tolist() == [0.1]


def test_a_bucket_that_was_born_later() -> None:
    """A bucket without a value at some time is a gap, and the others stay."""
    late = {"metric": {"le": "1.0"}, "values": points(["0", "2"])["values"][1:]}
    reply = histogram(points(["2", "3"], le="+Inf"), late, points(["1", "1"], le="5e-1"), total=["4", "5"])
    rows = told(reply, series(metric="m")).rows
    assert rows.columns.tolist() == ["le=0.5", "le=1", "le=+Inf", "sum"]
    assert rows.fillna(-1).to_numpy().tolist() == [[1, -1, 2, 4], [1, 2, 3, 5]]


def test_two_spellings_of_a_bound() -> None:
    """Services that spell a bound differently add up, each where it is, and another bucket stays as it is."""
    late = {"metric": {"le": "1.0"}, "values": points(["0", "4", "NaN"])["values"][1:]}
    buckets = [points(["1", "2", "3"], le="1"), late, points(["9", "9", "9"], le="+Inf")]
    rows = told(histogram(*buckets, total=["4", "4", "4"]), series(metric="m")).rows
    assert rows.columns.tolist() == ["le=1", "le=+Inf", "sum"]
    assert rows["le=1"].fillna(-1).tolist() == [1, 6, -1]


def test_two_values_at_a_time() -> None:
    """A series with two different values at one time is no answer; one that is there twice is one."""
    assert "two different values" in failure(matrix(points(["1"]), points(["2"]))).what
    twice = told(matrix(points(["1", "2"]), points(["1"])))
    assert twice.rows["value"].tolist() == [1, 2]
    late = {"metric": {}, "values": points(["1", "2", "3"])["values"][::-1]}
    assert tidy(told(matrix(late)), WINDOW).rows["value"].tolist() == [1, 2, 3]


def test_too_many_series() -> None:
    """An answer with too many series says how many."""
    error = failure(matrix(*(points(["1"], pod=str(n)) for n in range(501))))
    assert (error.what, error.fault) == ("the query answers with 501 series; at most 500 are read", "query")


def test_too_many_series_are_not_read() -> None:
    """An answer with a series a customer is refused before it is made into objects, by its exact count."""
    tricky = points(["1"], metric='"metric":{', pod="x")
    body = matrix(tricky, *[{"metric": {"pod": str(n)}, "values": []} for n in range(200_000)]).body
    begun = time.process_time()
    error = failure(Reply(body))
    assert error.what == "the query answers with 200,001 series; at most 500 are read"
    assert time.process_time() - begun < 1
    assert told(matrix(tricky)).rows["value"].tolist() == [1]


def test_steps_that_are_not_over() -> None:
    """A step that has not ended by the server's clock is left out, whatever our clock says."""
    reply = matrix(points(["1", "2", "3"]))
    headers = {"Date": "Tue, 01 Sep 2026 02:59:59 GMT"}
    assert told(Reply(reply.body, headers=headers)).rows["value"].tolist() == [1, 2]


def test_warnings() -> None:
    """What the server says about its answer is kept, once, and makes it partial."""
    warned = told(matrix(points(["1"]), warnings=["store b\nis down", "store b is down"]))
    assert (warned.partial, warned.warnings) == (True, ("store b is down",))
    assert told(matrix(points(["1"]), isPartial=True)).partial
    quiet = told(matrix(points(["1"]), infos=["metric might not be a counter"], isPartial=False))
    assert (quiet.partial, quiet.warnings) == (False, ())


@pytest.mark.parametrize(
    ("body", "said", "retry", "fault"),
    [
        (b"<!doctype html><title>Log in</title>", "a web page, perhaps to log in", False, "answer"),
        (b'{"status":"error","errorType":"bad_data","error":"no such"}', "an error: no such", False, "query"),
        (b'{"status":"error","errorType":"internal","error":"oops"}', "an error: oops", False, "answer"),
        (b'{"status":"error"}', "an error", False, "answer"),
        (b'{"status":"success","data":{"resultType":"vector","result":[]}}', "something else", False, "answer"),
        (b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"x"]]}]}}',
         "something else", False, "answer"),
        (b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[NaN,"1"]]}]}}',
         "something else", False, "answer"),
        (b"[]", "something else", False, "answer"),
        (b"null", "something else", False, "answer"),
        (b"[" * 100_000, "incomplete JSON", False, "answer"),
        (b"", "incomplete JSON", False, "answer"),
        (b"\xff", "incomplete JSON", False, "answer"),
    ],
)  # fmt: skip
def test_answers_of_another_shape(body: bytes, said: str, retry: bool, fault: str) -> None:
    """An answer that is no range of values is refused, whatever its status says."""
    error = failure(Reply(body))
    assert said in error.what
    assert (error.retry, error.fault) == (retry, fault)


def test_an_answer_cut_at_any_byte() -> None:
    """An answer that breaks off is fetched again, with or without an announced length."""
    body = matrix(points(["1", "2"])).body
    for cut in range(1, len(body), 17):
        assert failure(Reply(body, cut=cut)).retry
        assert failure(Reply(body, cut=cut, length=False)).retry


def test_the_deadline_is_that_of_the_whole_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many answers that are each in time do not make a fetch that never ends."""
    monkeypatch.setattr(module, "POINTS", 1)
    reply = Reply(matrix(points(["1"])).body, stall=0.2)
    window = Window(START, START + 500 * HOUR, HOUR)
    with FaultServer({PATH: reply}) as server, source(server.url, timeout="1s") as prod:
        with pytest.raises(FetchError, match="within 1 s") as caught:
            prod.fetch(GAUGE, window)
        assert len(server.asked) < 10
    assert caught.value.retry


# Without a server.


@pytest.mark.parametrize(
    ("asked", "step", "text"),
    [
        (series(metric="m"), HOUR, "sum by (le) (increase(m_bucket[1h]))\nsum(increase(m_sum[1h]))"),
        (
            series(metric="m", match={"b": 'x"\\y', "a": "1"}),
            timedelta(minutes=5),
            'sum by (le) (increase(m_bucket{a="1",b="x\\"\\\\y"}[5m]))\nsum(increase(m_sum{a="1",b="x\\"\\\\y"}[5m]))',
        ),
        (series(query="a", sum="b"), HOUR, "a\nb"),
        (GAUGE, HOUR, "up"),
    ],
)
def test_query(asked: Series, step: timedelta, text: str) -> None:
    """The request in words is the PromQL that is sent."""
    assert PrometheusSource.query(asked, step, OPTIONS) == text


@pytest.mark.parametrize(("minutes", "text"), [(1, "1m"), (5, "5m"), (60, "1h"), (90, "1h30m"), (1440, "1d")])
def test_steps_as_prometheus_writes_them(minutes: int, text: str) -> None:
    """A step is spelled as Prometheus spells it."""
    assert f"[{text}]" in PrometheusSource.query(series(metric="m"), timedelta(minutes=minutes), OPTIONS)


@pytest.mark.parametrize(
    ("asked", "keys"),
    [
        (CAMPAIGNS, []),
        (GAUGE, []),
        (series(query="a", sum="b"), []),
        (series("total", query="increase(a[1h])"), []),
        (series(), ["query"]),
        (series(metric="m", query="q", sum="s"), ["metric"]),
        (series(metric="m", sum="s"), ["sum"]),
        (series("gauge", metric="m"), ["metric"]),
        (series("gauge", query="q", match={"a": "b"}), ["match"]),
        (series("gauge", query="q", sum="s"), ["sum"]),
        (series(query="sum by (le) (increase(q[1h]))"), ["sum"]),
        (series(query="sum without (pod) (increase(q_bucket[1h]))"), ["sum"]),
        (series(query="sum(increase(q[1h]))"), []),
        (series(metric="m{a}"), ["metric"]),
        (series(metric="1m"), ["metric"]),
        (series(metric="m_bucket"), ["metric"]),
        (series(metric="m", match={"a-b": "1", "le": "1"}), ["match", "match"]),
    ],
)
def test_objections(asked: Series, keys: list[str]) -> None:
    """Keys that are missing, contradict each other or hold no name are objected to by their key."""
    assert [each.key for each in PrometheusSource.objections(asked, HOUR, OPTIONS)] == keys


def test_a_histogram_without_its_sum() -> None:
    """The objection to a missing sum says what would be missing from the page."""
    (objection,) = PrometheusSource.objections(series(query="q_bucket"), HOUR, OPTIONS)
    assert objection.hint == "without the sum there is no mean, share or user-hours"


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("increase(a[1h])", []),
        ("increase(a[60m])", []),
        ("increase(a[ 3600s ])", []),
        ("increase(a[3600])", []),
        ("increase(a[5m])", ["[5m]"]),
        ("increase(a[5m]) + increase(b[1h]) + increase(c[2h])", ["[5m]", "[2h]"]),
        ("increase(a[$__range])", ["[$__range]"]),
        ("sum_over_time(a[55m:5m])", []),
        ("increase(a{b=\"[5m]\", c='[5m]', d=`[5m]`}[1h])", []),
        ('increase(a{b=~"\\"[5m]"}[1h]) # [5m]', []),
        ('increase(a{b="x"}[5m] offset 1h)', ["[5m]"]),
    ],
)
def test_ranges(query: str, wrong: list[str]) -> None:
    """In a series that adds up every range is the step, or its rows would overlap or miss something."""
    found = PrometheusSource.objections(series("total", query=query), HOUR, OPTIONS)
    assert [(each.key, each.what.split(" is ")[0].removeprefix("the range ")) for each in found] == [
        ("query", text) for text in wrong
    ]
    assert PrometheusSource.objections(series("rate", query=query), HOUR, OPTIONS) == []


def test_the_range_of_the_sum() -> None:
    """A range that is not the step is named together with the step and the key it stands in."""
    asked = series(query="sum by (le) (increase(a_bucket[1h]))", sum="sum(increase(a_sum[5m]))")
    (objection,) = PrometheusSource.objections(asked, HOUR, OPTIONS)
    assert (objection.key, objection.what) == ("sum", "the range [5m] is not the step of 1h")


@given(st.text("""'\"`[]{}#\\:5mh \n"""))
def test_any_query_can_be_looked_at(text: str) -> None:
    """Objections come back for whatever stands in a query."""
    asked = series("total").model_copy(update={"query": text})
    assert isinstance(list(PrometheusSource.objections(asked, HOUR, OPTIONS)), list)


def test_options() -> None:
    """An address must not carry a token, and a header's variable must be there."""
    with pytest.raises(ValueError, match="must not have a query"):
        PrometheusOptions.model_validate({"url": "http://h/?token=x"})
    options = PrometheusOptions.model_validate({"url": "http://h", "headers": {"A": "${NOPE}"}})
    with pytest.raises(UserError, match="the environment has no NOPE"):
        PrometheusSource("prod", options, {}, Path())
