import gzip
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.check import check
from ingest.errors import FetchError, UserError
from ingest.sources import http, tidy
from ingest.sources.base import Fetched, Window
from ingest.sources.http_json import HttpJsonOptions, HttpJsonSource
from ingest.story import Series
from tests.ingest.bases import LEAST, base, found
from tests.servers import Asked, FaultServer, Reply, Script

HOUR = timedelta(hours=1)
START = datetime(2026, 9, 1, tzinfo=UTC)
EPOCH = int(START.timestamp())
WINDOW = Window(START, START + 4 * HOUR, HOUR)
TOKEN = "s3cr3t-t0ken"  # noqa: S105  # a made-up one, to look for in errors
QUERY: dict[str, Any] = {
    "path": "/data", "params": {"q": "{query}", "from": "{start}", "to": "{end}"},
    "rows": "rows", "time": "t", "value": "v", "error": "error", "partial": "cut",
}  # fmt: skip
COUNT: dict[str, Any] = {"path": "/count", "params": {"q": "{query}"}, "value": "total", "error": "error"}


def source(url: str = "http://127.0.0.1:1", **options: Any) -> HttpJsonSource:
    made = {
        "url": url, "timeout": "10s", "headers": {"Authorization": "Bearer ${TOKEN}"}, "queries": {"x": QUERY},
        "count": COUNT, **options,
    }  # fmt: skip
    return HttpJsonSource("api", HttpJsonOptions.model_validate(made), {"TOKEN": TOKEN}, Path())


def series(**asked: Any) -> Series:
    return Series.model_validate({"source": "api", "kind": "total", "metric": "x", "query": "errors", **asked})


def fetch(reply: Script, *, window: Window = WINDOW, asked: Series | None = None, **options: Any) -> Fetched:
    """What comes of an API that replies so, as refresh stores it."""
    with FaultServer({"/data": reply}) as server:
        made = source(server.url, **options)
        try:
            return tidy(made.fetch(asked or series(), window), window)
        finally:
            made.close()


def count(reply: Script, **options: Any) -> float:
    with FaultServer({"/count": reply}) as server:
        made = source(server.url, **options)
        try:
            return float(made.count("tag:slow", START).rows["value"].iloc[0])
        finally:
            made.close()


def answer(*values: Any, **more: Any) -> Reply:
    """Rows of an hour each, from START on."""
    rows = [{"t": EPOCH + hour * 3600, "v": value} for hour, value in enumerate(values)]
    return body({"rows": rows, **more})


def body(value: Any, **headers: str) -> Reply:
    return Reply(json.dumps(value).encode(), headers=headers)


def failure(reply: Script, **more: Any) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetch(reply, **more)
    assert TOKEN not in str(caught.value)
    return caught.value


def hours(answered: Fetched) -> dict[int, float]:
    return {int((at - START) / HOUR): value for at, value in answered.rows["value"].items()}  # type: ignore[operator]


# -- series


def test_values() -> None:
    """Numbers come as they are; null, and NaN in every spelling, is a gap and never a zero."""
    assert hours(fetch(answer(1, None, 2.5, "3e0"))) == {0: 1, 2: 2.5, 3: 3}
    assert hours(fetch(answer(0, "NaN", float("nan"), float("inf")))) == {0: 0}
    bare = f'{{"rows": [{{"t": {EPOCH}, "v": NaN}}, {{"t": {EPOCH + 3600}, "v": -Infinity}}, {{"t": {EPOCH + 7200}}}]}}'
    assert hours(fetch(Reply(bare.encode()))) == {}
    huge = f'{{"rows": [{{"t": {EPOCH}, "v": 1{"0" * 400}}}, {{"t": {EPOCH + 3600}, "v": 1e999}}]}}'
    assert hours(fetch(Reply(huge.encode()))) == {}


@pytest.mark.parametrize("value", [True, [1], {"a": 1}, "", "fast", "1_000"])
def test_a_value_that_is_none(value: Any) -> None:
    """What is no number is a fault of the answer, and not a gap."""
    error = failure(answer(1, value))
    assert "at `v` is not a number" in error.what
    assert (error.fault, error.retry) == ("answer", False)


def test_the_order_of_rows() -> None:
    """Rows out of order are sorted, an equal one is dropped, and a contradiction is a fault."""
    row = [{"t": EPOCH + hour * 3600, "v": hour} for hour in range(4)]
    assert hours(fetch(body({"rows": [row[2], row[0], row[3], row[1], row[2]]}))) == {0: 0, 1: 1, 2: 2, 3: 3}
    error = failure(body({"rows": [row[0], {**row[0], "v": 9}]}))
    assert "two different values for the step at 2026-09-01T00:00:00+00:00" in error.what


def test_rows_between_the_steps() -> None:
    """Rows of another step than the source's are refused: they would not add up."""
    assert "does not begin a step" in failure(body({"rows": [{"t": EPOCH + 1800, "v": 1}]})).what


def test_rows_beyond_the_window() -> None:
    """What was not asked for is left out."""
    rows = [{"t": EPOCH + hour * 3600, "v": hour} for hour in (-1, 0, 3, 4)]
    assert hours(fetch(body({"rows": rows}))) == {0: 0, 3: 3}


def test_samples_of_the_future() -> None:
    """A step that the server's clock has not ended is left out, whatever our clock says."""
    now = format_datetime(START + 3 * HOUR - timedelta(seconds=1), usegmt=True)
    rows = [{"t": EPOCH + hour * 3600, "v": hour} for hour in range(4)]
    assert hours(fetch(body({"rows": rows}, Date=now))) == {0: 0, 1: 1}


@pytest.mark.parametrize(
    ("unit", "time"),
    [("s", EPOCH), ("s", f"{EPOCH}"), ("ms", EPOCH * 1000), ("us", EPOCH * 10**6), ("ns", EPOCH * 10**9),
     ("iso", "2026-09-01T00:00:00Z"), ("iso", "2026-09-01T02:00:00.000+02:00")],
)  # fmt: skip
def test_times(unit: str, time: Any) -> None:
    """Times are read in the unit that the query names."""
    query = {**QUERY, "time_unit": unit}
    assert hours(fetch(body({"rows": [{"t": time, "v": 7}]}), queries={"x": query})) == {0: 7}


@pytest.mark.parametrize(
    ("unit", "time"),
    [("s", EPOCH * 1000), ("s", None), ("s", True), ("s", -1), ("s", "yesterday"), ("s", float("nan")), ("iso", EPOCH),
     ("iso", "2026-09-01T00:00:00"), ("iso", "9999-09-01T00:00:00Z"), ("ns", [EPOCH])],
)  # fmt: skip
def test_times_that_are_none(unit: str, time: Any) -> None:
    """A time in another unit, or without an offset, is a fault: it could be any moment."""
    error = failure(body({"rows": [{"t": time, "v": 7}]}), queries={"x": {**QUERY, "time_unit": unit}})
    assert f"at `t` is not a time in {unit}" in error.what


def test_the_end_of_a_step() -> None:
    """Where times are those of the steps' ends, rows are stored by their starts."""
    rows = [{"t": EPOCH + hour * 3600, "v": hour} for hour in range(1, 5)]
    assert hours(fetch(body({"rows": rows}), queries={"x": {**QUERY, "stamp": "end"}})) == {0: 1, 1: 2, 2: 3, 3: 4}


def test_parts() -> None:
    """A long time is asked for in parts, which are what one answer would be."""

    def reply(asked: Asked) -> Reply:
        times = range(int(asked.params["from"]), int(asked.params["to"]), 3600)
        return body({"rows": [{"t": at, "v": at % 86_400} for at in times], "cut": at_the_end(asked)})

    def at_the_end(asked: Asked) -> bool:
        return int(asked.params["to"]) == EPOCH + 10 * 3600

    window = Window(START, START + 10 * HOUR, HOUR)
    whole = fetch(reply, window=window)
    parts = fetch(reply, window=window, queries={"x": {**QUERY, "at_most": 4}})
    assert len(whole.rows) == 10
    assert parts.rows.equals(whole.rows)
    assert (whole.partial, parts.partial) == (True, True)


def test_several_series() -> None:
    """One of several series would be an arbitrary one; none at all is an empty answer."""
    query = {**QUERY, "series": "all", "rows": "rows"}
    one = {"rows": [{"t": EPOCH, "v": 1}]}
    assert hours(fetch(body({"all": [one]}), queries={"x": query})) == {0: 1}
    assert fetch(body({"all": []}), queries={"x": query}).rows.empty
    error = failure(body({"all": [one, one]}), queries={"x": query})
    assert "2 series instead of one" in error.what
    assert error.fault == "query"


def test_far_more_rows_than_steps() -> None:
    """Rows of a much finer step are not read one by one."""
    rows = [{"t": EPOCH + second, "v": 1} for second in range(1000)]
    assert "1,000 rows for 4 steps" in failure(body({"rows": rows})).what


def test_partial() -> None:
    """The API's own word for an answer that is not all there is kept."""
    assert fetch(answer(1, cut=True)).partial
    assert not fetch(answer(1, cut=False)).partial
    assert not fetch(answer(1)).partial


@pytest.mark.parametrize("error", ["out of\nmemory \u202e" + TOKEN, {"code": 7, "token": TOKEN}, [TOKEN[:8]]])
def test_an_error_inside(error: Any) -> None:
    """An error in an answer with the status 200 is one, on one line and without our token."""
    caught = failure(answer(1, error=error))
    assert "answers with an error: " in caught.what
    assert caught.what.isprintable()
    assert TOKEN[:8] not in caught.what
    assert caught.fault == "answer"


@pytest.mark.parametrize(
    ("reply", "said", "retry"),
    [
        (Reply(b"<!doctype html><title>Log in</title>"), "a web page, perhaps to log in", False),
        (Reply(b'{"rows": [{"t"'), "incomplete JSON", False),
        (Reply(b'{"rows": [{"t"', length=False), "incomplete JSON", True),
        (Reply(b""), "incomplete JSON", False),
        (Reply(b"\xff\xfe\xff"), "incomplete JSON", False),
        (Reply(b"[" * 100_000), "incomplete JSON", False),
        (Reply(b'{"rows": ' + b"9" * 5000 + b"}"), "incomplete JSON", False),
        (body({"rows": None}), "something else than `rows` expects", False),
        (body({"rows": {"t": 1}}), "something else than `rows` expects", False),
        (body([1, 2]), "something else than `rows` expects", False),
        (body(7), "something else than `rows` expects", False),
        (Reply(b"123", length=False), "broke off in the middle", True),
        (Reply(b'{"rows": []}', cut=5), "broke off in the middle", True),
        (Reply(b'{"rows": []}', chunked=True, cut=8), "broke off in the middle", True),
        (Reply(gzip.compress(b'{"rows": []}')[:-6], headers={"Content-Encoding": "gzip"}), "broke off", True),
        (Reply(b"{}", 503, {"Retry-After": "3"}), "status 503", True),
        (Reply(b"{}", 429, {"Retry-After": "3"}), "its limit is reached", True),
        (Reply(b'{"message": "no such field"}', 400), "status 400: no such field", False),
        (Reply(b"{}", 401), "does not accept our credentials (401)", False),
        (Reply(b"{}", 302, {"Location": "https://elsewhere.example"}), "redirects are refused", False),
        (Reply(reset=True), "broke off in the middle", True),
        (Reply(b"{}", stall=30), "did not answer in full within 0.5 s", True),
        (Reply(b'{"rows": []}', drip=0.2), "did not answer in full within 0.5 s", True),
    ],
)
def test_faults(reply: Reply, said: str, retry: bool) -> None:
    """Each fault of a server is told from an answer, and says whether another try is worth it."""
    timeout = "500ms" if reply.stall or reply.drip else "10s"
    error = failure(reply, timeout=timeout)
    assert said in error.what
    assert error.retry == retry


def test_a_huge_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gzip bomb is not unpacked beyond the cap."""
    monkeypatch.setattr(http, "MAX_BYTES", 100_000)
    bomb = gzip.compress(b'{"rows": [' + b" " * 50_000_000 + b"]}")
    assert "more than 100,000 bytes" in failure(Reply(bomb, headers={"Content-Encoding": "gzip"})).what


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["rows", "t", "v", "x"]), inner),
    max_leaves=20,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(JSON)
def test_any_json_at_all(value: Any) -> None:
    """Whatever an API answers, there are numbers of the window or a FetchError, never anything else."""
    made = source()
    made.client.get = lambda *_: http.Answer(json.dumps(value).encode(), ended=True, date=None)  # type: ignore[method-assign]
    try:
        rows = tidy(made.fetch(series(), WINDOW), WINDOW).rows
    except FetchError:
        return
    finally:
        made.close()
    assert all(math.isfinite(each) for each in rows["value"])


# -- what is sent


def test_what_is_asked() -> None:
    """Placeholders are filled in and encoded: in a path, in parameters, and in JSON."""
    query = {
        **QUERY,
        "path": "/v1/{team}/data",
        "params": {"q": "{query}", "by": "{before}", "iso": "{end_iso}", "step": "{step}s", "odd": "{x y} {Z} {}"},
        "body": '{"from": "{start_ms}", "text": "since {start_ms}", "q": ["{query}"], "t": "{team}", "n": 1}',
        "match": {"team": ".*"},
    }
    asked = series(query='a&b="ü" {start}', match={"team": "web/shop ?#%"})
    with FaultServer({"/v1/web%2Fshop%20%3F%23%25/data": answer(1)}) as server:
        made = source(server.url, queries={"x": query})
        made.fetch(asked, WINDOW)
        made.close()
    assert server.asked[0].params == {
        "q": 'a&b="ü" {start}', "by": str(EPOCH - 3600), "iso": "2026-09-01T04:00:00Z", "step": "3600s",
        "odd": "{x y} {Z} {}",
    }  # fmt: skip
    sent = json.loads(server.asked[0].body)
    assert sent["from"] == EPOCH * 1000
    assert sent["text"] == f"since {EPOCH * 1000}"
    assert (sent["q"], sent["t"], sent["n"]) == (['a&b="ü" {start}'], "web/shop ?#%", 1)
    assert server.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_the_request_in_words() -> None:
    """The page tells what is asked, with all but the times filled in."""
    options = source().options
    told = HttpJsonSource.query(series(query="errors"), HOUR, options)
    assert told == "GET /data\nq: errors\nfrom: {start}\nto: {end}"


# -- counts


@pytest.mark.parametrize("value", [0, 41, "41", 41.0, 10**9])
def test_a_count(value: Any) -> None:
    """A whole number is a count, zero as well."""
    assert count(body({"total": value})) == float(value)


@pytest.mark.parametrize("value", [None, -1, 1.5, "many", "", True, [41], {"value": 41}, float("nan"), 10**400])
def test_a_count_that_is_none(value: Any) -> None:
    """What is no count is unknown, and never zero."""
    with pytest.raises(FetchError, match="without a count at `total`"):
        count(body({"total": value}))


def test_a_count_in_a_header() -> None:
    """A count may come in a header, whose case does not matter."""
    header = {**COUNT, "value": None, "header": "X-Total"}
    assert count(body([], **{"x-total": "41"}), count=header) == 41
    for reply in (body([]), body([], **{"X-Total": ""}), body([], **{"X-Total": "41, 42"})):
        with pytest.raises(FetchError, match="without a count at the header X-Total"):
            count(reply, count=header)


def test_an_error_beside_a_count() -> None:
    """An error inside an answer is one, though it has a number."""
    with pytest.raises(FetchError, match="answers with an error: busy"):
        count(body({"total": 0, "error": "busy"}))


def test_half_a_number() -> None:
    """A bare number whose connection broke may be the half of one."""
    bare = {**COUNT, "value": "@"}
    assert count(Reply(b"1234"), count=bare) == 1234
    with pytest.raises(FetchError, match="broke off") as caught:
        count(Reply(b"12", length=False), count=bare)
    assert caught.value.retry


# -- check

NOW = "now: 2026-11-01T06:00Z\n"
API = """\
api:
  kind: http-json
  url: https://api.example
  queries:
    x: {path: "/data/{team}", params: {q: "{query}"}, rows: r, time: t, value: v, match: {region: "eu|us"}}
    plain: {path: /data, params: {where: "{region}"}, rows: r, time: t, value: v, match: {region: "eu|us"}}
  count: {path: "/count/{query}", value: total}
uncounted: {kind: http-json, url: "https://api.example"}
files: {kind: csv, path: data}
"""


@pytest.mark.parametrize(
    ("telemetry", "told"),
    [
        ("{kind: total, metric: x, query: q, match: {team: web}}", []),
        ("{kind: total, metric: plain, match: {region: eu}}", []),
        ("{kind: histogram, metric: x, query: q, match: {team: web}}", ["6:20 PK205"]),
        ("{kind: total, query: q}", ["6:3 PK205"]),
        ("{kind: total, metric: y, query: q}", ["6:33 PK205"]),
        ("{kind: total, metric: x, match: {team: web}}", ["6:3 PK205"]),
        ("{kind: total, metric: x, query: q}", ["6:3 PK205"]),
        ("{kind: total, metric: x, query: q, match: {team: web, tema: y}}", ["6:54 PK205"]),
        ("{kind: total, metric: x, query: q, match: {team: ..}}", ["6:54 PK205"]),
        ('{kind: total, metric: x, query: q, match: {team: "a\'b"}}', ["6:54 PK205"]),
        ("{kind: total, metric: plain, query: q, match: {region: eu}}", ["6:48 PK205"]),
        ("{kind: total, metric: plain, match: {region: eu or us}}", ["6:48 PK205"]),
        ("{kind: total, metric: plain, match: {region: eu}, sum: s}", ["6:69 PK205"]),
    ],
)
def test_objections(tmp_path: Path, telemetry: str, told: list[str]) -> None:
    """What a story may not ask, or lacks, is told at its place."""
    front = f"{LEAST}telemetry:\n  s: {{source: api, {telemetry[1:]}"
    assert found(tmp_path, front, settings=NOW, sources=API) == told


@pytest.mark.parametrize(
    ("report", "told"),
    [
        ("{source: api, query: tag slow}", []),
        ("{source: api, query: ..}", ["4:25 PK205"]),
        ("{source: uncounted, query: q}", ["4:12 PK205"]),
        ("{source: files, query: q}", ["4:12 PK205"]),
    ],
)
def test_objections_to_counts(tmp_path: Path, report: str, told: list[str]) -> None:
    """A source that cannot count is told at the report that asks it."""
    assert found(tmp_path, f"title: T\nstatus: reported\nreports: [{report}]\n", settings=NOW, sources=API) == told


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": "a..b"}, "'a..b' is not JMESPath at its column 3"),
        ({"rows": "a["}, "'a[' is not JMESPath at its column 3"),
        ({"value": "sum("}, "'sum(' is not JMESPath"),
        ({"path": "data"}, "'data' is not a path"),
        ({"path": "/data?x=1"}, "is not a path"),
        ({"path": "//evil.example/data"}, "is not a path"),
        ({"match": {"a": "["}}, "'[' is not a regular expression"),
        ({"body": "{'a': 1}"}, "this is not JSON, line 1, column 2"),
        ({"time_unit": "min"}, "'min' is not one of s, ms, us, ns, iso"),
        ({"at_most": "0"}, "queries.x.at_most"),
    ],
)
def test_a_recipe_that_is_wrong(tmp_path: Path, change: Mapping[str, Any], said: str) -> None:
    """A mistake of a query in sources.yml is told by `check`, at its line and column."""
    query = {key: value for key, value in {**QUERY, **change}.items() if key not in ("error", "partial")}
    text = f"api:\n  kind: http-json\n  url: https://api.example\n  queries:\n    x: {json.dumps(query)}\n"
    problems = check(base(tmp_path, settings=NOW, sources=text)).problems
    assert [(each.where.path, each.where.line) for each in problems] == [("site-config/sources.yml", 5)]
    assert said in problems[0].what
    assert problems[0].where.column > 8


@pytest.mark.parametrize(
    "wrong", [{"header": "X-Total"}, {"value": None}, {"params": {}}, {"params": {"q": "{query} {team}"}}]
)
def test_a_count_that_is_wrong(wrong: dict[str, Any]) -> None:
    """A count needs one place of its number, and one thing to fill in."""
    with pytest.raises(ValueError, match=r"the number is at|one thing to fill in"):
        source(count={**COUNT, **wrong})


def test_a_token_that_is_missing() -> None:
    """A variable that is not set is named, before anything is asked."""
    with pytest.raises(UserError, match="the environment has no TOKEN"):
        HttpJsonSource("api", source().options.model_copy(update={"headers": {"A": "${TOKEN}"}}), {}, Path())
