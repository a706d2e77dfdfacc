"""Whatever a server answers, a source gives rows that are in the answer, or a FetchError."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import FetchError
from ingest.fields import read_moment
from ingest.sources import SOURCES, Fetched, Source, Window, tidy
from ingest.story import Series
from tests.faults.dialects import DIALECTS, FIRST, HOUR, Dialect, truth
from tests.servers import Asked, FaultServer, Reply

START = datetime.fromtimestamp(FIRST, UTC)
WINDOW = Window(START, START + timedelta(hours=8), timedelta(hours=1))
ROWS = [(FIRST + n * HOUR, truth(7, FIRST + n * HOUR) + 0.25) for n in range(8)]
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[-+]\d\d:?\d\d)")
TEXTS = ("NaN", "+Inf", "-Infinity", "1e999", "-0", "0x10", "1_000", "null", "{}", "[[]]", '"', "\\", "\n", "\x00", ",",
         "1e308", "time", "le=+Inf", "2026-02-30T00:00Z", "9" * 400, "[" * 3000, "{\"a\":" * 3000, "é", "\ufeff",
         "success", "status", "matrix", "error", "histograms", "isPartial", "rows")  # fmt: skip


@dataclass
class Server:
    """A source, and what its server answers next."""

    dialect: Dialect
    source: Source
    series: Series
    body: bytes = b""
    length: bool = True
    cut: int | None = None

    def reply(self, asked: Asked) -> Reply:
        del asked
        return Reply(self.body, length=self.length, cut=self.cut)

    def fetch(self) -> Fetched:
        return tidy(self.source.fetch(self.series, WINDOW), WINDOW)


@pytest.fixture(scope="module", params=DIALECTS, ids=lambda each: each.kind)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    dialect: Dialect = request.param
    asked = {"source": "it", "kind": "gauge", "query": dialect.query.format(7), **dialect.series}
    holder: list[Server] = []
    with FaultServer(lambda sent: holder[0].reply(sent)) as running:
        kind = SOURCES[dialect.kind]
        options = kind.Options.model_validate({"url": running.url, "timeout": "10s", **dialect.options})
        made = Server(dialect, kind("it", options, {}, Path()), Series.model_validate(asked))
        holder.append(made)
        yield made
        made.source.close()


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from leaves(each)
    else:
        yield value


def said(body: bytes) -> tuple[set[float], set[float]]:
    """Every number and every moment (in seconds) that stands in an answer."""
    text = body.decode("utf-8", "replace")
    with suppress(ValueError, RecursionError):
        text += " ".join(str(each) for each in leaves(json.loads(body)))
    numbers = {float(each) for each in NUMBER.findall(text)}
    moments = set(numbers)
    for each in TIME.findall(text):
        with suppress(ValueError, OverflowError):
            moments.add(read_moment(each).timestamp())
    return numbers, moments


def assert_honest(server: Server) -> None:
    """The source answers with what the body says, or with a FetchError in one line."""
    try:
        rows = server.fetch().rows
    except FetchError as error:
        refused = error.what
    else:
        refused = ""
    assert refused.isprintable()
    assert len(refused) < 700
    if refused:
        return
    numbers, moments = said(server.body[: server.cut])
    for start, value in zip(rows.index, rows["value"].tolist(), strict=True):
        assert value in numbers
        assert {start.timestamp(), start.timestamp() + HOUR} & {
            round(each * 1000) / 1000 for each in moments if abs(each) < 1e12
        }


def spliced(data: st.DataObject, body: bytes) -> bytes:
    """A body with some pieces taken out, put in, repeated or changed."""
    for _ in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, len(body)))
        end = min(len(body), begin + data.draw(st.integers(0, 30)))
        piece = data.draw(st.sampled_from([each.encode() for each in TEXTS]) | st.binary(max_size=6))
        body = body[:begin] + data.draw(st.sampled_from([b"", piece, body[begin:end] * 2, piece + b","])) + body[end:]
    return body


def replaced(data: st.DataObject, value: Any) -> Any:
    """JSON with one of its parts replaced by another one, or by something else."""
    if isinstance(value, (dict, list)) and value and data.draw(st.integers(0, 9)) > 0:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = data.draw(st.sampled_from(keys))
        changed: Any = dict(value) if isinstance(value, dict) else list(value)
        if data.draw(st.integers(0, 9)) == 0:
            del changed[key]
        else:
            changed[key] = replaced(data, value[key])
        return changed
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(TEXTS[:-6])
    return data.draw(st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner)))


rows = st.tuples(st.integers(-5, 12).map(lambda n: FIRST + n * HOUR), st.floats() | st.sampled_from(TEXTS))
Make = Callable[[st.DataObject, Server], bytes]
MAKES: dict[str, Make] = {
    "spliced": lambda data, server: spliced(data, server.dialect.body(ROWS)),
    "random": lambda data, _: data.draw(st.binary(max_size=300)),
    "texts": lambda data, _: "".join(data.draw(st.lists(st.sampled_from(TEXTS), max_size=8))).encode(),
    "replaced": lambda data, server: json.dumps(replaced(data, json.loads(server.dialect.body(ROWS)))).encode(),
    "rows": lambda data, server: server.dialect.body(data.draw(st.lists(rows))),
}  # fmt: skip


@pytest.mark.parametrize("make", MAKES)
@settings(max_examples=60)
@given(data=st.data())
def test_any_answer(server: Server, make: str, data: st.DataObject) -> None:
    """No answer, however it came about, ends in another exception, takes long, or becomes a value it does not hold."""
    if make == "replaced" and not server.dialect.json:
        make = "spliced"
    server.body = MAKES[make](data, server)
    server.length = data.draw(st.booleans())
    server.cut = data.draw(st.none() | st.integers(0, len(server.body)))
    assert_honest(server)


def test_the_check_itself(server: Server) -> None:
    """A right answer has all its rows, and a number that is not in the answer would be found."""
    server.body, server.length, server.cut = server.dialect.body(ROWS), True, None
    assert server.fetch().rows["value"].tolist() == [value for _, value in ROWS]
    assert_honest(server)
    numbers, moments = said(server.body)
    assert ROWS[3][1] in numbers
    assert ROWS[3][1] + 0.5 not in numbers
    assert {FIRST + 3 * HOUR, FIRST + 4 * HOUR} & moments
