"""Prometheus, and what speaks its language: range queries over HTTP.

The value that Prometheus gives at t covers the step before t, so it is stored at t - step:
a row's time is the start of its step. Times are multiples of the step, so that two fetches
of an hour ask for the same hour.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, ValidationError

from ingest.errors import FetchError
from ingest.fields import Strict
from ingest.sources.base import Fetched, Objection, Window, bucket_columns
from ingest.sources.http import Address, Answer, Client, HttpOptions
from ingest.story import Series
from ingest.units import parse_duration

POINTS = 11_000
"""Prometheus refuses to answer with more points a series."""
MAX_SERIES = 500
MAX_WARNINGS = 20
ADDING = ("histogram", "total")

METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
# Prometheus' and VictoriaMetrics' words for a query that a shorter window would save.
TOO_MUCH = re.compile("too many samples|maxSamplesPerQuery")
# Strings and comments come first: what looks like a range within them is none.
STRING_OR_RANGE = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|#[^\n]*|\[([^\]]*)\]""")

Labels = frozenset[tuple[str, str]]
Matrix = dict[Labels, pd.Series]


class PrometheusOptions(HttpOptions):
    """The keys of a Prometheus server."""

    url: Address
    """The server's address, without /api/v1."""


class _Points(BaseModel):
    """One series of an answer: its labels, and pairs of seconds and a value."""

    metric: dict[str, str]
    values: list[tuple[Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)], float]] = []
    histograms: list[object] = []


class _Data(BaseModel):
    result_type: Annotated[Literal["matrix"], Field(alias="resultType")]
    result: list[_Points]


class _Reply(BaseModel):
    """The JSON around every answer; `isPartial` is VictoriaMetrics' word."""

    status: Literal["success"]
    data: _Data
    warnings: list[str] | None = None
    is_partial: Annotated[bool | None, Field(alias="isPartial")] = None


class _Refusal(BaseModel):
    """An error that came with the status 200."""

    status: Literal["error"]
    kind: Annotated[str, Field(alias="errorType")] = ""
    error: str = ""


class PrometheusSource:
    """A Prometheus server; a histogram is asked for by bucket, everything else as one series."""

    Options: ClassVar[type[Strict]] = PrometheusOptions

    def __init__(self, name: str, options: PrometheusOptions, environ: Mapping[str, str], root: Path) -> None:
        """Opens nothing; raises UserError where a variable of a header is missing."""
        del root  # sources of files need it
        self.client = Client(name, options.url, options, environ)

    @staticmethod
    def objections(series: Series, step: timedelta) -> Sequence[Objection]:
        """What Prometheus could not be asked, or would answer with something else than was meant."""
        return [*_wrong_keys(series), *_wrong_names(series), *_wrong_ranges(series, step)]

    @staticmethod
    def query(series: Series, step: timedelta) -> str:
        """The PromQL; a histogram's two queries stand below each other."""
        return "\n".join(text for text in _queries(series, step) if text)

    def fetch(self, series: Series, window: Window) -> Fetched:
        """The rows of `window`; raises FetchError where there is no good answer."""
        attempt = _Attempt(self.client, window)
        answers = [attempt.matrix(query) for query in _queries(series, window.step)]
        rows = _histogram_rows(*answers) if series.kind == "histogram" else _rows(*answers)
        return Fetched(rows, attempt.partial, tuple(attempt.warnings)[:MAX_WARNINGS])

    def close(self) -> None:
        self.client.close()


class _Attempt:
    """All requests of one fetch: their common deadline, and what the server said beside the rows."""

    def __init__(self, client: Client, window: Window) -> None:
        self.client = client
        self.window = window
        self.deadline = client.deadline()
        self.partial = False
        self.warnings: dict[str, None] = {}

    def matrix(self, query: str) -> Matrix:
        """The series of the whole window, as one request without a limit would give them."""
        found: dict[Labels, list[pd.Series]] = {}
        for window in _split(self.window, POINTS):
            for labels, values in self._ask(query, window):
                found.setdefault(labels, []).append(values)
            if len(found) > MAX_SERIES:
                what = f"the query answers with {len(found):,} series; at most {MAX_SERIES} are read"
                raise FetchError(what, fault="query")
        return {labels: _joined(parts) for labels, parts in found.items()}

    def _ask(self, query: str, window: Window) -> Iterator[tuple[Labels, pd.Series]]:
        try:
            answer = self._get(query, window)
        except FetchError as error:
            if window.steps < 2 or not TOO_MUCH.search(error.what):
                raise
            for half in _split(window, (window.steps + 1) // 2):
                yield from self._ask(query, half)
            return
        reply = self._read(answer)
        self.warnings.update(dict.fromkeys(self.client.clean(each) for each in reply.warnings or ()))
        self.partial |= bool(reply.is_partial or reply.warnings)
        for points in reply.data.result:
            if points.histograms:
                what = "the query answers with native histograms, which are not read yet; ask for classic buckets"
                raise FetchError(what, fault="query")
            yield frozenset(points.metric.items()), _values(points, window.step, answer.date)

    def _get(self, query: str, window: Window) -> Answer:
        params = {
            "query": query,
            "start": _seconds(window.start + window.step),
            "end": _seconds(window.end),
            "step": f"{window.step.total_seconds():g}",
            # What nobody waits for any more should not keep the server busy.
            "timeout": f"{self.client.timeout:.3f}",
        }
        return self.client.get("/api/v1/query_range", params, self.deadline)

    def _read(self, answer: Answer) -> _Reply:
        """The answer's contents; raises FetchError where they are not what the API promises."""
        try:
            return _Reply.model_validate_json(answer.body)
        except ValidationError:
            pass
        try:
            refusal = _Refusal.model_validate_json(answer.body)
        except ValidationError as error:
            raise self._not_an_answer(answer, error) from None
        what = f"{self.client.place} answers with an error: {self.client.clean(refusal.error)}"
        raise FetchError(what, fault="query" if refusal.kind in ("bad_data", "execution") else "answer")

    def _not_an_answer(self, answer: Answer, error: ValidationError) -> FetchError:
        place = self.client.place
        if answer.body.lstrip()[:1] == b"<":
            return FetchError(f"{place} answers with a web page, perhaps to log in", fault="answer")
        if error.errors()[0]["type"] == "json_invalid":
            # JSON that breaks off was cut on its way, if nothing else said how long it is.
            return FetchError(f"{place} answers with incomplete JSON", retry=not answer.ended, fault="answer")
        return FetchError(f"{place} answers with something else than Prometheus' range of values", fault="answer")


def _queries(series: Series, step: timedelta) -> tuple[str, ...]:
    """The PromQL of a series; of a histogram its buckets and its sum."""
    if series.kind != "histogram":
        return (series.query or "",)
    if not series.metric:
        return series.query or "", series.sum or ""
    match = ",".join(f"{name}={_quoted(value)}" for name, value in sorted((series.match or {}).items()))
    which = f"{{{match}}}" if match else ""
    steps = _promql_duration(step)
    return (
        f"sum by (le) (increase({series.metric}_bucket{which}[{steps}]))",
        f"sum(increase({series.metric}_sum{which}[{steps}]))",
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _promql_duration(span: timedelta) -> str:
    """As Prometheus itself writes it: `1h`, `5m`, `1h30m`, `1d`."""
    left, text = span // timedelta(milliseconds=1), ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text


def _split(window: Window, points: int) -> Iterator[Window]:
    """Windows of at most `points` steps, which follow each other."""
    start = window.start
    while start < window.end:
        end = min(start + points * window.step, window.end)
        yield Window(start, end, window.step)
        start = end


def _seconds(moment: datetime) -> str:
    return f"{moment.timestamp():.3f}"


def _values(points: _Points, step: timedelta, now: datetime | None) -> pd.Series:
    """The values by the start of their step; a step that the server's clock has not ended is left out."""
    pairs = np.array(points.values, dtype=np.float64).reshape(-1, 2)
    ends = np.rint(pairs[:, 0] * 1000).astype(np.int64)
    over = ends <= (now or datetime.max.replace(tzinfo=UTC)).timestamp() * 1000
    starts = pd.to_datetime(ends[over] - step // timedelta(milliseconds=1), unit="ms", utc=True)
    return pd.Series(pairs[over, 1], index=starts, dtype=np.float64)


def _joined(parts: list[pd.Series]) -> pd.Series:
    values: pd.Series = pd.concat(parts)
    if values.index.has_duplicates:
        at = values.index[values.index.duplicated()][0]
        raise FetchError(f"two values of one series for the step at {at.isoformat()}", fault="answer")
    return values


def _rows(matrix: Matrix) -> pd.DataFrame:
    return pd.DataFrame({"value": _only(matrix, "query")})


def _only(matrix: Matrix, key: str) -> pd.Series:
    """The one series of an answer; without values where there is none."""
    if len(matrix) > 1:
        what = f"`{key}` answers with {len(matrix)} series instead of one; put sum() or another aggregation around it"
        raise FetchError(what, fault="query")
    return next(iter(matrix.values()), _nothing())


def _nothing() -> pd.Series:
    return pd.Series(index=pd.DatetimeIndex([], tz="UTC"), dtype=np.float64)


def _histogram_rows(buckets: Matrix, total: Matrix) -> pd.DataFrame:
    by_bound = {_bound(labels): values for labels, values in buckets.items()}
    columns = bucket_columns(by_bound)
    if columns and "le=+Inf" not in columns.values():
        raise FetchError("the buckets lack le=+Inf, the count of all values", fault="query")
    if bool(buckets) != bool(total):
        has, lacks = ("buckets", "sum") if buckets else ("sum", "buckets")
        raise FetchError(f"the histogram has {has} but no {lacks}; is it a classic histogram?", fault="query")
    named = {column: by_bound[text] for text, column in columns.items()} or {"le=+Inf": _nothing()}
    return pd.concat({**named, "sum": _only(total, "sum")}, axis=1).sort_index()


def _bound(labels: Labels) -> str:
    """The bucket's `le`; raises FetchError where the series has other labels."""
    others = sorted(name for name, _ in labels if name != "le")
    if len(labels) == len(others):
        raise FetchError("the buckets have no label `le`; write sum by (le) (...)", fault="query")
    if others:
        what = f"the buckets have the label `{others[0]}` beside `le`; write sum by (le) (...)"
        raise FetchError(what, fault="query")
    return next(value for _, value in labels)


def _wrong_keys(series: Series) -> Iterator[Objection]:
    """Keys that are missing, or that do not go together."""
    if series.metric and series.query:
        yield Objection("metric", "`metric` and `query` cannot both be given", "keep one of them")
    if not series.metric and not series.query:
        yield Objection("query", "neither `metric` nor `query` says what to ask for", "write one of them")
    if series.metric and series.kind != "histogram":
        yield Objection("metric", f"`metric` is for a histogram, not for kind {series.kind}", "write a `query`")
    if series.match is not None and not series.metric:
        yield Objection("match", "`match` needs a `metric`", "write the labels into the query")
    if series.sum and (series.kind != "histogram" or not series.query):
        yield Objection("sum", "`sum` is for a histogram that is given as `query`", "leave it out")
    if series.kind == "histogram" and series.query and not series.sum:
        hint = "without the sum there is no mean, share or user-hours"
        yield Objection("sum", "a histogram that is given as `query` needs `sum` as well", hint)


def _wrong_names(series: Series) -> Iterator[Objection]:
    if series.metric and not METRIC_NAME.fullmatch(series.metric):
        hint = "letters, digits, _ and :, no digit first; labels go into `match`"
        yield Objection("metric", f"{series.metric!r} is not a metric's name", hint)
    elif series.metric and series.metric.endswith("_bucket"):
        whole = series.metric.removesuffix("_bucket")
        yield Objection("metric", f"{series.metric!r} is one part of a histogram", f"write {whole}")
    for name in series.match or ():
        if not LABEL_NAME.fullmatch(name):
            yield Objection("match", f"{name!r} is not a label's name", "letters, digits and _, no digit first")
        elif name == "le":
            yield Objection("match", "`le` names the buckets, all of which are needed", "leave it out")


def _wrong_ranges(series: Series, step: timedelta) -> Iterator[Objection]:
    """Ranges other than the step: their rows would overlap, or miss something, and not add up."""
    if series.kind not in ADDING:
        return
    for key, text in (("query", series.query), ("sum", series.sum)):
        for match in STRING_OR_RANGE.finditer(text or ""):
            found = match[1]
            if found is not None and ":" not in found and _read_range(found) != step:
                what = f"the range [{found}] is not the step of {_promql_duration(step)}"
                hint = f"write [{_promql_duration(step)}]: every row holds what happened in its step"
                yield Objection(key, what, hint)


def _read_range(text: str) -> timedelta | None:
    """A range's length, also as Prometheus 3's plain seconds; None where it is something else."""
    try:
        return parse_duration(f"{text.strip()}s" if text.strip().isdecimal() else text)
    except ValueError:
        return None
