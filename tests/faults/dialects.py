"""What each source's server answers, for numbers that are known beforehand.

A dialect turns rows into the words of one kind of server, right ones and wrong ones; the
faults of the table are told in rows, and so hold for every dialect.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from tests.servers import Asked, Reply

HOUR = 3600
FIRST = int(datetime(2026, 9, 8, tzinfo=UTC).timestamp())
"""The first step that a server knows of."""
LAST = int(datetime(2026, 10, 20, tzinfo=UTC).timestamp())
"""The first one that it does not, although nobody has asked that late."""

Row = tuple[int, Any]


def truth(number: int, start: int) -> float:
    """The value of series `number` in the step that begins at `start`: no other has it."""
    return number * 1e7 + start / HOUR


@dataclass(frozen=True)
class Dialect:
    """One kind of server: how it is configured and asked, and how it answers with `rows`."""

    kind: str
    options: dict[str, Any]
    """Its keys in sources.yml, beside `url`."""
    query: str
    """What a series asks for; {} is its number."""
    asked_for: Callable[[Asked], list[int]]
    """The starts of the steps that are asked for."""
    body: Callable[[Sequence[Row]], bytes]
    query_faults: tuple[int, ...] = (400, 422)
    """The statuses that the story's query is to blame for."""
    json: bool = True
    series: dict[str, Any] = field(default_factory=dict)
    """More keys of a series."""
    column: str = ""
    """Its column of the table, if that is not its kind."""

    @property
    def name(self) -> str:
        """The column of the table that it stands in."""
        return self.column or self.kind

    def number(self, asked: Asked) -> int:
        """Of the series that is asked for."""
        text = json.dumps([asked.path, *asked.params.values()])
        found = re.search(r"\bq(\d+)\b", text)
        assert found, text
        return int(found[1])

    def rows(self, asked: Asked) -> list[Row]:
        """The true rows of what is asked for."""
        number = self.number(asked)
        return [(start, truth(number, start)) for start in self.asked_for(asked)]

    def answer(self, asked: Asked) -> Reply:
        """What the server answers on a good day."""
        return Reply(self.body(self.rows(asked)))


def _prometheus_steps(asked: Asked) -> list[int]:
    end, start = (int(float(asked.params[key])) for key in ("end", "start"))
    return [time - HOUR for time in range(start, end + 1, HOUR) if FIRST <= time - HOUR < LAST]


def _prometheus_body(rows: Sequence[Row]) -> bytes:
    values = [[start + HOUR, value if isinstance(value, str) else repr(value)] for start, value in rows]
    result = [{"metric": {}, "values": values}] if values else []
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()


def _all_steps(asked: Asked) -> list[int]:
    del asked  # a file has what it has
    return list(range(FIRST, LAST, HOUR))


def _csv_body(rows: Sequence[Row]) -> bytes:
    lines = [f"{datetime.fromtimestamp(start, UTC):%Y-%m-%dT%H:%MZ},{value}" for start, value in rows]
    return "\n".join(["time,value", *lines, ""]).encode()


def _json_steps(asked: Asked) -> list[int]:
    start, end = (int(asked.params[key]) for key in ("from", "to"))
    return [time for time in range(start, end, HOUR) if FIRST <= time < LAST]


def _json_body(rows: Sequence[Row]) -> bytes:
    return json.dumps({"rows": [{"at": start, "is": value} for start, value in rows]}).encode()


NAMED = {
    "path": "/series", "params": {"name": "{query}", "from": "{start}", "to": "{end}"}, "rows": "rows", "time": "at",
    "value": "is", "error": "error", "partial": "isPartial",
}  # fmt: skip

PROMETHEUS = Dialect("prometheus", {}, "q{}", _prometheus_steps, _prometheus_body)
FORMS = replace(PROMETHEUS, query=f"q{{}} # {'ü' * 700}")
"""The same with queries that are too long for an address, and so are sent as a form."""
DIALECTS = (
    PROMETHEUS,
    Dialect("csv", {}, "q{}.csv", _all_steps, _csv_body, query_faults=(404, 410), json=False),
    Dialect("http-json", {"queries": {"level": NAMED}}, "q{}", _json_steps, _json_body, series={"metric": "level"}),
)
