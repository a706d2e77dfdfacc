"""The fault table: what each fault is, whom it befalls, and what has to become of it.

A row is one line of the table that reliability is promised by; its cases are the ways in
which it happens. Faults are told in terms of a good answer, so a case stands once for all
sources.
"""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal

from tests.faults.bases import LATER
from tests.faults.dialects import DIALECTS, HOUR, Dialect, Row
from tests.servers import Asked, Reply

KINDS = tuple(each.kind for each in DIALECTS)
JSON_KINDS = tuple(each.kind for each in DIALECTS if each.json)
ATTEMPTS = 3
"""How often an attempt is repeated here; each of a stall takes its time."""
SECRET = "s3cr3t-t0ken"  # noqa: S105  # looked for where it must not be

Make = Callable[[Dialect, Asked], Reply]
Then = Literal["retried", "kept", "query", "credentials", "fresh", "partial"]


@dataclass(frozen=True)
class Case:
    """One way in which a fault happens.

    `then` says what has to become of it: the attempt is `retried`, and the last good data
    `kept` if nothing helps; `kept` at once, be it the fault of the `query` or of our
    `credentials`; or the answer is taken, whole (`fresh`) or `partial`. `said` must stand on
    the page; `wrong` are the steps, counted from the last one, that must not have a value.
    """

    row: str
    case: str
    make: Make
    then: Then
    said: str = ""
    kinds: tuple[str, ...] = KINDS
    timeout: str = "20s"
    wrong: tuple[int, ...] = ()
    pauses: tuple[float, ...] = ()
    series: dict[str, Any] = field(default_factory=dict)
    later: timedelta = timedelta(0)
    where: str | None = None
    """What takes the place of the server's address."""


def good(dialect: Dialect, asked: Asked, **how: Any) -> Reply:
    """The right answer, sent in a way that goes wrong."""
    return replace(dialect.answer(asked), **how)


def cut(share: float, **how: Any) -> Make:
    """A body that breaks off after a share of its bytes."""

    def make(dialect: Dialect, asked: Asked) -> Reply:
        reply = good(dialect, asked, **how)
        return replace(reply, cut=int(len(reply.body) * share))

    return make


def zipped(dialect: Dialect, asked: Asked) -> Reply:
    packed = gzip.compress(dialect.answer(asked).body)
    return Reply(packed, headers={"Content-Encoding": "gzip"})


def cut_gzip(announced: bool) -> Make:
    """Gzip that ends in the middle; with an `announced` length that is right for what comes."""

    def make(dialect: Dialect, asked: Asked) -> Reply:
        reply = zipped(dialect, asked)
        half = replace(reply, body=reply.body[: len(reply.body) // 2])
        return half if announced else replace(half, length=False)

    return make


def bomb(dialect: Dialect, asked: Asked) -> Reply:
    del dialect, asked
    return Reply(gzip.compress(b" " * 8_000_000), headers={"Content-Encoding": "gzip"})


def huge(dialect: Dialect, asked: Asked) -> Reply:
    reply = dialect.answer(asked)
    return replace(reply, body=reply.body + b"\n" * 4_000_000)


def status(number: int, body: bytes = b"no", **headers: str) -> Make:
    """A refusal."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return lambda *_: Reply(body, number, named)


def later_than_the_server(seconds: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


def says(**error: Any) -> Make:
    """The status 200, and an error inside."""
    return lambda *_: Reply(json.dumps(error).encode())


def changed(change: Callable[[list[Row]], list[Row]]) -> Make:
    """An answer with other rows than the true ones."""
    return lambda dialect, asked: Reply(dialect.body(change(dialect.rows(asked))))


def no_number(text: str) -> Callable[[list[Row]], list[Row]]:
    """`text` in place of the value of the last step that is over but one."""

    def change(rows: list[Row]) -> list[Row]:
        at = int(LATER.timestamp()) // HOUR * HOUR - 2 * HOUR
        return [(start, text if start == at else value) for start, value in rows]

    return change


def bare(text: str) -> Make:
    """The same in JSON without quotes, as no standard allows."""

    def make(dialect: Dialect, asked: Asked) -> Reply:
        body = dialect.body(no_number("MARK")(dialect.rows(asked)))
        return Reply(body.replace(b'"MARK"', text.encode()))

    return make


def without_last_but_one(rows: list[Row]) -> list[Row]:
    at = int(LATER.timestamp()) // HOUR * HOUR - 2 * HOUR
    return [row for row in rows if row[0] != at]


def twice_otherwise(rows: list[Row]) -> list[Row]:
    at = int(LATER.timestamp()) // HOUR * HOUR - 2 * HOUR
    return [*rows, *((start, value + 1) for start, value in rows if start == at)]


def with_more(**more: Any) -> Make:
    """JSON with more keys at its top."""

    def make(dialect: Dialect, asked: Asked) -> Reply:
        return Reply(json.dumps({**json.loads(dialect.answer(asked).body), **more}).encode())

    return make


def five_hundred_and_one(dialect: Dialect, asked: Asked) -> Reply:
    reply = json.loads(dialect.answer(asked).body)
    one = reply["data"]["result"][0]
    reply["data"]["result"] = [{**one, "metric": {"pod": str(n)}} for n in range(501)]
    return Reply(json.dumps(reply).encode())


def one_step_at_a_time(dialect: Dialect, asked: Asked) -> Reply:
    """A server that finds every window too long but the shortest, which begins a day early."""
    if len(dialect.asked_for(asked)) <= 1 + 24:
        return dialect.answer(asked)
    said = "query processing would load too many samples into memory in query execution"
    return Reply(json.dumps({"status": "error", "errorType": "execution", "error": said}).encode(), 422)


def in_the_past(dialect: Dialect, asked: Asked) -> Reply:
    """A server whose clock is an hour behind: to it, the last step is not over."""
    behind = LATER - timedelta(hours=1)
    return replace(dialect.answer(asked), headers={"Date": format_datetime(behind, usegmt=True)})


def elsewhere(number: int) -> Make:
    return lambda _, asked: Reply(b"", number, {"Location": f"http://127.0.0.1:1{asked.path}"})


def quotes(number: int) -> Make:
    """A refusal that repeats the credential it refuses."""
    body = json.dumps({"error": f"Bearer {SECRET} is not welcome", "message": SECRET}).encode()
    return lambda *_: Reply(body, number, {"WWW-Authenticate": SECRET})


def page(text: bytes) -> Make:
    return lambda *_: Reply(text, headers={"Content-Type": "text/html"})


LOGIN = b"<!doctype html>\n<title>Sign in</title><form><input name=user></form>\n"
SLOW = "did not answer in full within"
CUT = "broke off in the middle"

CASES = (
    Case("refused, unknown host; stall", "connection refused", good, "retried", "cannot be reached",
         where="http://127.0.0.1:{free}"),
    Case("refused, unknown host; stall", "unknown host", good, "retried", "", where="http://nowhere.invalid:1",
         timeout="1s"),
    Case("refused, unknown host; stall", "connect stalls", good, "retried", "", where="{stalled}", timeout="150ms"),
    Case("refused, unknown host; stall", "read stalls", lambda d, a: good(d, a, stall=30), "retried", SLOW,
         timeout="150ms"),
    Case("slow drip", "of the body", lambda d, a: good(d, a, drip=0.02), "retried", SLOW, timeout="150ms"),
    Case("slow drip", "of the headers", lambda d, a: good(d, a, drip_headers=0.02), "retried", SLOW, timeout="150ms"),
    Case("429, 503 with Retry-After", "429, seconds", status(429, Retry_After="3"), "retried", "429", pauses=(3, 3)),
    Case("429, 503 with Retry-After", "503, seconds", status(503, Retry_After="7"), "retried", "503", pauses=(7, 7)),
    Case("429, 503 with Retry-After", "503, a date", lambda *_: Reply(b"", 503, {
        "Retry-After": later_than_the_server(9)}), "retried", "503", pauses=(9, 9)),
    Case("429, 503 with Retry-After", "429, garbage", status(429, Retry_After="soon"), "retried", "429"),
    Case("429, 503 with Retry-After", "429, a day", status(429, Retry_After="86400"), "kept", "429"),
    Case("429, 503 with Retry-After", "503, a date in a day", lambda *_: Reply(b"", 503, {
        "Retry-After": later_than_the_server(86_400)}), "kept", "503"),
    Case("500, 502, 504", "500", status(500), "retried", "500"),
    Case("500, 502, 504", "502", status(502, LOGIN), "retried", "502"),
    Case("500, 502, 504", "504", status(504), "retried", "504"),
    Case("reset", "before the answer", lambda *_: Reply(reset=True), "retried", CUT),
    Case("reset", "in mid-answer", lambda d, a: good(d, a, reset=True, cut=40), "retried", CUT),
    Case("cut body", "with Content-Length", cut(0.6), "retried", CUT),
    Case("cut body", "without a length", cut(0.6, length=False), "retried"),
    Case("cut body", "chunked", cut(0.6, chunked=True), "retried", CUT),
    Case("cut body", "gzip, with Content-Length", cut_gzip(True), "retried", CUT),
    Case("cut body", "gzip, without a length", cut_gzip(False), "retried", CUT),
    Case("400, 422", "400", status(400, b'{"error": "no such function"}'), "query", "400"),
    Case("400, 422", "422", status(422, b'{"error": "it would take too long"}'), "query", "422"),
    Case("400, 422", "404", status(404), "query", "404"),
    Case("401, 403", "401", quotes(401), "credentials", "does not accept our credentials"),
    Case("401, 403", "403", quotes(403), "credentials", "does not accept our credentials"),
    Case("200 with something else", "a login page", page(LOGIN), "kept"),
    Case("200 with something else", "an error inside", says(status="error", errorType="internal", error="oops"),
         "kept", "oops", JSON_KINDS),
    Case("200 with something else", "JSON of another kind", says(hello="world"), "kept"),
    Case("200 with something else", "nothing at all", lambda *_: Reply(b""), "kept"),
    Case("warnings, partial", "warnings", with_more(warnings=["store b is down"]), "partial", "store b is down",
         ("prometheus",)),
    Case("warnings, partial", "isPartial", with_more(isPartial=True), "partial", "partial", JSON_KINDS),
    Case("empty answer", "where there was data", changed(lambda _: []), "kept", "the answer has no rows"),
    Case("empty answer", "where that is allowed", changed(lambda _: []), "fresh", series={"allow_empty": True},
         wrong=(1, 2, 3)),
    *(Case("no number", f"{text} as text", changed(no_number(text)), "fresh", wrong=(2,))
      for text in ("NaN", "+Inf", "-Inf", "1e300")),
    *(Case("no number", f"bare {text}", bare(text), "fresh", kinds=JSON_KINDS, wrong=(2,))
      for text in ("NaN", "Infinity")),
    Case("no number", "a word", changed(no_number("fast")), "kept"),
    Case("stale gap", "a step without a row", changed(without_last_but_one), "fresh", wrong=(2,)),
    Case("duplicate or out-of-order times", "out of order", changed(lambda rows: rows[::-1]), "fresh"),
    Case("duplicate or out-of-order times", "equal twice", changed(lambda rows: [*rows, *rows[-40:]]), "fresh"),
    Case("duplicate or out-of-order times", "two values", changed(twice_otherwise), "kept", "two different values"),
    Case("sample or cost limits", "fits when halved", one_step_at_a_time, "fresh", kinds=("prometheus",)),
    Case("too many series", "one a pod", five_hundred_and_one, "query", "501 series", ("prometheus",)),
    Case("huge body, gzip bomb", "huge", huge, "kept", "answers with more than"),
    Case("huge body, gzip bomb", "gzip bomb", bomb, "kept", "answers with more than"),
    Case("clock skew, future samples", "the server's clock is behind", in_the_past, "fresh", kinds=JSON_KINDS,
         wrong=(1,)),
    Case("clock skew, future samples", "future samples", changed(lambda rows: [
        *rows, *((start + 720 * HOUR, 13.0) for start, _ in rows)]), "fresh"),
    Case("redirect", "301", elsewhere(301), "kept", "redirects are refused"),
    Case("redirect", "307", elsewhere(307), "kept", "redirects are refused"),
    Case("down for weeks", "three weeks", status(503), "retried", "No data for", later=timedelta(weeks=3)),
)  # fmt: skip

ELSEWHERE = {
    "counter resets": "tests/ingest/sources/test_prometheus.py::test_a_histogram_is_what_the_server_says",
    "native histograms": "tests/ingest/sources/test_prometheus_native.py::test_counts_are_what_the_server_says",
    "more than 11,000 points": "tests/ingest/sources/test_prometheus.py::test_split_windows",
    "daylight saving": "tests/ingest/stats/test_days.py",
    "kill -9, disk full, read-only folder": "tests/test_kills.py",
    "two runs at once": "tests/ingest/test_refresh.py::test_two_processes",
}
"""Rows that no answer of a server brings about, and the tests that hold them."""


def missing(dialect: Dialect) -> list[str]:
    """The rows of which no case befalls a dialect."""
    rows = dict.fromkeys(case.row for case in CASES)
    return [row for row in rows if not any(case.row == row and dialect.kind in case.kinds for case in CASES)]
