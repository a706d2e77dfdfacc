"""Prometheus, and what speaks its language: range queries over HTTP.

The value that Prometheus gives at t covers the step before t, so it is stored at t - step:
a row's time is the start of its step. Times are multiples of the step, so that two fetches
of an hour ask for the same hour.

In Prometheus a value depends on nothing but its own time. VictoriaMetrics counts an increase
from the last sample before its range, however old, but reads no further back than the first
range of a request and five minutes: the first increase after an outage depends on where the
request begins. So each begins `before` its window, and the rows there are dropped. Its cache
would undo that, because it answers the beginning and computes the rest alone: it is left out.

Whether a step without samples is 0 or nothing depends on samples after it in the same way, so
that the parts of a window overlap at their ends as well. What comes after the window itself
is not asked for: a refresh knows as much of the future as an answer at that moment.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from ingest.clock import floor
from ingest.errors import FetchError
from ingest.fields import Duration, Line, Strict, wrong
from ingest.sources.base import Fetched, Objection, Window
from ingest.sources.http import Address, Answer, Client, HttpOptions
from ingest.sources.prometheus import promql
from ingest.sources.prometheus.reply import Part, parts, read_reply, refuse_too_many
from ingest.sources.prometheus.rows import Matrix, histogram_rows, value_rows
from ingest.story import Series

POINTS = 11_000
"""Prometheus refuses to answer with more points a series."""
MAX_WARNINGS = 20
ASKED = ("query", "start", "end", "step", "timeout")

# What Prometheus, VictoriaMetrics, Thanos and Mimir say of a query that a shorter window would save.
TOO_MUCH = re.compile(
    "too many samples"
    "|maxSamplesPer(Query|Series)|not enough memory for processing"
    "|exceeded (chunks|samples?) limit"
    "|err-mimir-max-(estimated-)?(fetched-)?chunk|query time range exceeds the limit"
)


def _read_param(name: str) -> str:
    if name in ASKED:
        raise wrong(f"`{name}` is for perfkb to ask", "leave it out")
    return name


class PrometheusOptions(HttpOptions):
    """The keys of a Prometheus server, and of Thanos, Mimir and VictoriaMetrics."""

    url: Address
    """The server's address, without /api/v1."""
    params: dict[Annotated[Line, AfterValidator(_read_param)], Line] = Field(default_factory=dict)
    """What else every request asks, such as {dedup: "true", partial_response: "false"} of Thanos."""
    before: Duration = timedelta(days=1)
    """How much earlier than its rows a request begins: the longest outage that VictoriaMetrics counts right."""


class PrometheusSource:
    """A Prometheus server; a histogram is asked for by bucket, everything else as one series."""

    Options: ClassVar[type[Strict]] = PrometheusOptions

    def __init__(self, name: str, options: PrometheusOptions, environ: Mapping[str, str], root: Path) -> None:
        """Opens nothing; raises UserError where a variable of a header is missing."""
        del root  # sources of files need it
        self.client = Client(name, options.url, options, environ)
        self.params = options.params
        self.before = options.before
        if self.before:
            # VictoriaMetrics' word; the others do not read it.
            self.params = {"nocache": "1", **self.params}

    @staticmethod
    def objections(series: Series, step: timedelta, options: Strict | None = None) -> Sequence[Objection]:
        """What Prometheus could not be asked, or would answer with something else than was meant."""
        del options  # the story says it all
        return [*promql.objections(series, step)]

    @staticmethod
    def query(series: Series, step: timedelta, options: Strict | None = None) -> str:
        """The PromQL; the two queries of a histogram of classic buckets stand below each other."""
        del options
        return "\n".join(promql.queries(series, step))

    def fetch(self, series: Series, window: Window) -> Fetched:
        """The rows of `window`; raises FetchError where there is no good answer."""
        attempt = _Attempt(self.client, self.params, window, self.before)
        answers = [attempt.matrix(query) for query in promql.queries(series, window.step)]
        rows = histogram_rows(answers) if series.kind == "histogram" else value_rows(answers)
        return Fetched(rows, attempt.partial, tuple(attempt.warnings)[:MAX_WARNINGS])

    def probe(self) -> str:
        """Asks for a number that needs no data, which is refused like any other query."""
        minute = timedelta(minutes=1)
        end = floor(datetime.now(UTC), minute)
        _Attempt(self.client, self.params, Window(end - minute, end, minute)).matrix("vector(1)")
        return f"{self.client.place} answers"

    def close(self) -> None:
        self.client.close()


class _Attempt:
    """All requests of one fetch: their common deadline, and what the server said beside the rows."""

    def __init__(
        self, client: Client, params: Mapping[str, str], window: Window, before: timedelta = timedelta(0)
    ) -> None:
        self.client = client
        self.params = params
        self.window = window
        # Two thirds of a request at most are overlaps.
        self.before = min(-(-before // window.step), POINTS // 3) * window.step
        self.deadline = client.deadline()
        self.partial = False
        self.warnings: dict[str, None] = {}

    def matrix(self, query: str) -> Matrix:
        """The series of the whole window, as one request without a limit would give them."""
        found = Matrix()
        for window in _split(self.window, POINTS - 2 * (self.before // self.window.step)):
            for part in self._ask(query, window, min(window.end + self.before, self.window.end)):
                found.add(part)
            refuse_too_many(len(found))
        return found

    def _ask(self, query: str, window: Window, until: datetime) -> Iterator[Part]:
        try:
            answer = self._get(query, window, until)
        except FetchError as error:
            if window.steps < 2 or not TOO_MUCH.search(error.what):
                raise
            for half in _split(window, (window.steps + 1) // 2):
                # Not beyond its end: that would ask for as much again.
                yield from self._ask(query, half, half.end)
            return
        reply = read_reply(self.client, answer)
        self.warnings.update(dict.fromkeys(self.client.clean(each) for each in reply.warnings or ()))
        self.partial |= bool(reply.is_partial or reply.warnings)
        yield from parts(reply, window, answer.date)

    def _get(self, query: str, window: Window, until: datetime) -> Answer:
        params = {
            **self.params,
            "query": query,
            "start": _seconds(window.start + window.step - self.before),
            "end": _seconds(until),
            "step": f"{window.step.total_seconds():g}",
            # What nobody waits for any more should not keep the server busy.
            "timeout": f"{self.client.timeout:.3f}",
        }
        return self.client.get_or_post("/api/v1/query_range", params, self.deadline)


def _split(window: Window, points: int) -> Iterator[Window]:
    """Windows of at most `points` steps, which follow each other."""
    start = window.start
    while start < window.end:
        end = min(start + points * window.step, window.end)
        yield Window(start, end, window.step)
        start = end


def _seconds(moment: datetime) -> str:
    return f"{moment.timestamp():.3f}"
