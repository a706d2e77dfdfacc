"""Any API that answers with JSON: a series, or a count of reports, taken out of it by JMESPath.

How the API is asked is written in sources.yml, as named queries. A story names one of them
(`metric`), and fills in what that leaves open: `match` the placeholders, `query` the text
of `{query}`. So no story says which address is asked, and none reaches beyond its place.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import quote

import jmespath
import numpy as np
import pandas as pd
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, Field, model_validator

from ingest.errors import FetchError, did_you_mean
from ingest.fields import YEARS, Identifier, Line, Name, Strict, Text, read_moment, wrong
from ingest.sources.base import Fetched, Objection, Window, counted
from ingest.sources.http import Address, Answer, Client, HeaderName, HttpOptions
from ingest.story import Series

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
TIMES = ("start", "end", "before", "step")
"""Filled in by perfkb: the window's first moment, its end, a step before its start, and the step's length."""
OURS = frozenset([*(f"{name}{form}" for name in TIMES[:3] for form in ("", "_ms", "_iso")), "step", "step_ms"])
NO_MORE_THAN = 4
"""How many rows an answer may have for each step that was asked for, before it is not read."""
# Within a query's text, none of these letters ends a string or begins a command.
SAFE = re.compile(r"[\w ./:@+-]*")
UNITS = {"s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
LAST = datetime(YEARS[-1], 1, 1, tzinfo=UTC).timestamp() * 1000

Json = dict[str, "Json"] | list["Json"] | str | float | bool | None


def _read_path(text: str) -> str:
    if not text.startswith("/") or re.search(r"[?#\s\\]|//", text):
        raise wrong(f"{text!r} is not a path", "write one such as /api/v1/query; what follows ? belongs into `params`")
    return text


def _read_expression(text: str) -> str:
    try:
        jmespath.compile(text)
    except JMESPathError as error:
        at = getattr(error, "lex_position", None)
        place = f" at its column {at + 1}" if isinstance(at, int) else ""
        raise wrong(f"{text!r} is not JMESPath{place}", "see jmespath.org, such as data[0].values") from None
    return text


def _read_pattern(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise wrong(f"{text!r} is not a regular expression: {error}", "write one such as [a-z-]+") from None
    return text


def _read_body(text: str) -> str:
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        place = f", line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise wrong(f"this is not JSON{place}", 'write what is sent, such as {"jql": "{query}"}') from None
    return text


RequestPath = Annotated[Line, AfterValidator(_read_path)]
Expression = Annotated[Line, AfterValidator(_read_expression)]
Pattern = Annotated[Line, AfterValidator(_read_pattern)]
Body = Annotated[Text, AfterValidator(_read_body)]


class Question(Strict):
    """A request, and how its answer says that it is none."""

    path: RequestPath
    """The path below the source's address; may hold placeholders."""
    params: dict[Line, Text] = Field(default_factory=dict)
    """What follows the ? of the address; values may hold placeholders."""
    body: Body | None = None
    """JSON to be sent, whose texts may hold placeholders; the request is a POST then, else a GET."""
    error: Expression | None = None
    """What an answer holds that is an error in spite of its status, such as errors[0].message."""
    partial: Expression | None = None
    """What an answer holds that is true where it is not all there."""

    @property
    def open(self) -> frozenset[str]:
        """The placeholders that are not perfkb's own."""
        texts = [self.path, *self.params.values(), *_texts(json.loads(self.body or "null"))]
        return frozenset(name for text in texts for name in PLACEHOLDER.findall(text)) - OURS


class NamedQuery(Question):
    """How one kind of series is asked for, under the name by which stories call it."""

    series: Expression | None = None
    """The list of series, of which there must not be more than one; without it, the answer is the series."""
    rows: Expression
    """The list of rows, within the series."""
    time: Expression
    """A row's time, within the row."""
    time_unit: Literal["s", "ms", "us", "ns", "iso"] = "s"
    """How times are written: as a number since 1970, or as 2026-09-20T14:00Z (`iso`)."""
    stamp: Literal["start", "end"] = "start"
    """Whether a row's time is the start or the end of its step."""
    value: Expression
    """A row's value, within the row."""
    at_most: Annotated[int, Field(ge=1)] | None = None
    """How many steps one request may ask for; a longer time is asked for in parts."""
    match: dict[Name, Pattern] = Field(default_factory=dict)
    """What a placeholder may be filled with, as a regular expression; else letters, digits and harmless signs."""


class CountQuery(Question):
    """How reports are counted: the number is in the answer, or in one of its headers."""

    value: Expression | None = None
    """The number, within the answer."""
    header: HeaderName | None = None
    """The header that holds the number, such as X-Total."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.value is None) == (self.header is None):
            raise wrong("the number is at `value` or in a `header`", "keep one of them")
        if self.open != {"query"}:
            raise wrong("there is one thing to fill in, {query}", "write it where the report's query belongs")
        return self


class HttpJsonOptions(HttpOptions):
    """The keys of an API that answers with JSON."""

    url: Address
    """The API's address; paths follow it."""
    queries: dict[Identifier, NamedQuery] = Field(default_factory=dict)
    """How series are asked for, by the names that stories call as `metric`."""
    count: CountQuery | None = None
    """How the reports of a story are counted."""


class HttpJsonSource:
    """An API that answers with JSON; a series names one of its queries as `metric`."""

    Options: ClassVar[type[Strict]] = HttpJsonOptions

    def __init__(self, name: str, options: HttpJsonOptions, environ: Mapping[str, str], root: Path) -> None:
        """Opens nothing; raises UserError where a variable of a header is missing."""
        del root  # sources of files need it
        self.options = options
        self.client = Client(name, options.url, options, environ)

    @staticmethod
    def objections(series: Series, step: timedelta, options: Strict | None) -> Sequence[Objection]:
        """What the named query cannot be asked, or does not leave open."""
        del step  # any step will do
        found = [*_wrong_keys(series)]
        if isinstance(options, HttpJsonOptions) and series.metric:
            found += _wrong_fillings(series, options.queries)
        return found

    @staticmethod
    def query(series: Series, step: timedelta, options: Strict | None) -> str:
        """The request with all but its times filled in, a parameter a line."""
        question = options.queries.get(series.metric or "") if isinstance(options, HttpJsonOptions) else None
        if question is None:
            return series.metric or ""
        filled = _Filled(_given(series) | _steps(step))
        body = json.loads(question.body) if question.body else None
        lines = [f"{'POST' if question.body else 'GET'} {filled.text(question.path)}"]
        lines += [f"{name}: {filled.text(text)}" for name, text in question.params.items()]
        return "\n".join([*lines, *([json.dumps(filled.json(body), ensure_ascii=False)] if question.body else [])])

    def fetch(self, series: Series, window: Window) -> Fetched:
        """The rows of `window`; raises FetchError where there is no good answer."""
        question = self.options.queries[series.metric or ""]
        deadline = self.client.deadline()
        found = [self._part(question, _given(series), part, deadline) for part in _split(window, question.at_most)]
        return Fetched(pd.concat([each.rows for each in found]), any(each.partial for each in found))

    @staticmethod
    def count_objections(query: str, options: Strict | None) -> Sequence[Objection]:
        """Whether sources.yml says how to count, and leaves room for `query`."""
        if not isinstance(options, HttpJsonOptions):
            return ()
        if options.count is None:
            return [Objection("source", "the source does not say how reports are counted", "give it `count`")]
        return [_bad_place("query")] if _leaves_its_place(options.count.path, {"query": query}) else ()

    def count(self, query: str, at: datetime) -> Fetched:
        """How many there are: one row, at the day that ended `at`; raises FetchError where nobody knows."""
        question = self.options.count
        if question is None:
            raise FetchError("the source does not say how reports are counted", fault="query")
        answer, data = self._ask(question, {"query": query}, self.client.deadline())
        if question.header:
            found: Json = answer.headers.get(question.header)
            place = f"the header {question.header}"
        else:
            found, place = self._found(question.value or "", data), f"`{question.value}`"
        try:
            return counted(_number(found), at, partial=self._is_partial(question, data))
        except ValueError:
            raise FetchError(f"{self.client.place} answers without a count at {place}", fault="answer") from None

    def close(self) -> None:
        self.client.close()

    def _part(self, question: NamedQuery, given: Mapping[str, str], window: Window, deadline: float) -> Fetched:
        """What one request answers."""
        answer, data = self._ask(question, {**given, **_times(window)}, deadline)
        rows = self._rows(question, data, window)
        times = [self._time(question, row) for row in rows]
        values = [self._value(question, row) for row in rows]
        starts = np.array(times, dtype=np.int64)
        if question.stamp == "end":
            starts -= window.step // timedelta(milliseconds=1)
        # A step that the server's clock has not ended is not all there.
        now = (answer.date or datetime.max.replace(tzinfo=UTC)).timestamp() * 1000
        over = starts + window.step // timedelta(milliseconds=1) <= now
        index = pd.to_datetime(starts[over], unit="ms", utc=True)
        frame = pd.DataFrame({"value": np.array(values, dtype=np.float64)[over]}, index=index)
        return Fetched(frame, self._is_partial(question, data))

    def _ask(self, question: Question, values: Mapping[str, str], deadline: float) -> tuple[Answer, Json]:
        """The answer and its contents; raises FetchError where it says that it is an error."""
        filled = _Filled(values)
        path = filled.path(question.path)
        params = {name: filled.text(text) for name, text in question.params.items()}
        if question.body is None:
            answer = self.client.get(path, params, deadline)
        else:
            answer = self.client.search(path, params, filled.json(json.loads(question.body)), deadline)
        data = self._read(answer)
        error = self._found(question.error, data) if question.error else None
        if error:
            said = self.client.clean(error if isinstance(error, str) else json.dumps(error, ensure_ascii=False))
            raise FetchError(f"{self.client.place} answers with an error: {said}", fault="answer")
        return answer, data

    def _read(self, answer: Answer) -> Json:
        place = self.client.place
        if answer.body.lstrip()[:1] == b"<":
            raise FetchError(f"{place} answers with a web page, perhaps to log in", fault="answer")
        try:
            data: Json = json.loads(answer.body)
        except (ValueError, RecursionError):
            # JSON that breaks off was cut on its way, if nothing else said how long it is.
            raise FetchError(f"{place} answers with incomplete JSON", retry=not answer.ended, fault="answer") from None
        if not answer.ended and not isinstance(data, (dict, list)):
            # Half of a number is a number.
            raise FetchError(f"{place} broke off in the middle of its answer", retry=True)
        return data

    def _found(self, expression: str, data: Json) -> Json:
        try:
            found: Json = jmespath.search(expression, data)
        except (JMESPathError, RecursionError, ArithmeticError):
            # A function of the expression got something else than it is for.
            raise self._otherwise(expression) from None
        return found

    def _otherwise(self, expression: str) -> FetchError:
        what = f"{self.client.place} answers with something else than `{expression}` expects"
        return FetchError(what, fault="answer")

    def _is_partial(self, question: Question, data: Json) -> bool:
        return bool(question.partial and self._found(question.partial, data))

    def _rows(self, question: NamedQuery, data: Json, window: Window) -> list[Json]:
        if question.series:
            series = self._found(question.series, data)
            if not isinstance(series, list):
                raise self._otherwise(question.series)
            if len(series) > 1:
                raise FetchError(f"the query answers with {len(series):,} series instead of one", fault="query")
            if not series:
                return []
            data = series[0]
        rows = self._found(question.rows, data)
        if not isinstance(rows, list):
            raise self._otherwise(question.rows)
        if len(rows) > NO_MORE_THAN * (window.steps + 10):
            what = f"the query answers with {len(rows):,} rows for {window.steps:,} steps; is its step {window.step}?"
            raise FetchError(what, fault="query")
        return rows

    def _time(self, question: NamedQuery, row: Json) -> int:
        """A row's time in milliseconds."""
        found = self._found(question.time, row)
        try:
            if question.time_unit == "iso":
                return round(read_moment(str(found)).timestamp() * 1000)
            milliseconds = _number(found) * UNITS[question.time_unit] * 1000
            if 0 <= milliseconds < LAST:
                return round(milliseconds)
        except ValueError:
            pass
        said = self.client.clean(str(found)[:40])
        raise FetchError(f"{said!r} at `{question.time}` is not a time in {question.time_unit}", fault="answer")

    def _value(self, question: NamedQuery, row: Json) -> float:
        """A row's value; NaN where it has none."""
        found = self._found(question.value, row)
        try:
            return math.nan if found is None else _number(found)
        except ValueError:
            said = self.client.clean(str(found)[:40])
            raise FetchError(f"{said!r} at `{question.value}` is not a number", fault="answer") from None


@dataclass(frozen=True)
class _Filled:
    """Texts with their placeholders filled in; one without a value stays as it is."""

    values: Mapping[str, str]

    def text(self, text: str) -> str:
        return PLACEHOLDER.sub(lambda found: self.values.get(found[1], found[0]), text)

    def path(self, text: str) -> str:
        return PLACEHOLDER.sub(lambda found: quote(self.values.get(found[1], found[0]), safe=""), text)

    def json(self, value: Json) -> Json:
        """The same within JSON, where a text that is nothing but a number of ours becomes that number."""
        if isinstance(value, dict):
            return {key: self.json(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.json(each) for each in value]
        if not isinstance(value, str):
            return value
        whole = PLACEHOLDER.fullmatch(value)
        filled = self.text(value)
        return int(filled) if whole and whole[1] in OURS and filled.isdecimal() else filled


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value


def _given(series: Series) -> dict[str, str]:
    """What a story fills in."""
    return {**(series.match or {}), **({"query": series.query} if series.query else {})}


def _times(window: Window) -> dict[str, str]:
    found = _steps(window.step)
    moments = {"start": window.start, "end": window.end, "before": window.start - window.step}
    for name, moment in moments.items():
        seconds = int(moment.timestamp())
        iso = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        found |= {name: f"{seconds}", f"{name}_ms": f"{seconds * 1000}", f"{name}_iso": iso}
    return found


def _steps(step: timedelta) -> dict[str, str]:
    seconds = int(step.total_seconds())
    return {"step": f"{seconds}", "step_ms": f"{seconds * 1000}"}


def _split(window: Window, steps: int | None) -> Iterator[Window]:
    """Windows of at most `steps` steps, which follow each other."""
    start = window.start
    while start < window.end:
        end = min(start + steps * window.step, window.end) if steps else window.end
        yield Window(start, end, window.step)
        start = end


def _number(value: Json) -> float:
    """A number, also one that is written as a text; ValueError otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError
    try:
        # Python reads 1_000 as well, which elsewhere is no number.
        return float(value.replace("_", "?") if isinstance(value, str) else value)
    except OverflowError:
        return math.inf


def _wrong_keys(series: Series) -> Iterator[Objection]:
    if series.kind == "histogram":
        yield Objection("kind", "an http-json source has no histograms", "ask for a total, a rate or a latency")
    if not series.metric:
        yield Objection("metric", "`metric` must name one of the source's queries", "see `queries` in sources.yml")
    if series.sum:
        yield Objection("sum", "`sum` means nothing to an http-json source", "leave it out")


def _wrong_fillings(series: Series, queries: Mapping[str, NamedQuery]) -> Iterator[Objection]:
    """What a named query lacks, and what it has no room for."""
    question = queries.get(series.metric or "")
    if question is None:
        what = f"{series.metric!r} is not a query of the source"
        yield Objection("metric", what, did_you_mean(series.metric or "", queries))
        return
    if "query" in question.open and not series.query:
        yield Objection("query", f"{series.metric} needs the text of its {{query}}", "write it as `query`")
    if "query" not in question.open and series.query:
        yield Objection("query", f"{series.metric} has no {{query}} to fill in", "leave it out")
    open_names, match = question.open - {"query"}, series.match or {}
    for name in sorted(open_names - match.keys()):
        yield Objection("match", f"{series.metric} needs {name!r}", f"write `match: {{{name}: ...}}`")
    for name in sorted(match.keys() - open_names):
        yield Objection("match", f"{series.metric} has no {{{name}}} to fill in", did_you_mean(name, open_names))
    yield from _wrong_matches(question, {name: match[name] for name in match.keys() & open_names})
    if _leaves_its_place(question.path, _given(series)):
        yield _bad_place("match" if match else "query")


def _wrong_matches(question: NamedQuery, match: Mapping[str, str]) -> Iterator[Objection]:
    for name, value in sorted(match.items()):
        pattern = question.match.get(name)
        if not re.fullmatch(pattern or SAFE, value):
            hint = f"it must match {pattern}" if pattern else "sources.yml can allow more with `match`"
            yield Objection("match", f"{value!r} cannot be filled in for {name!r}", hint)


def _leaves_its_place(path: str, given: Mapping[str, str]) -> bool:
    """Whether a path would lead upwards: clients resolve the dots."""
    return any(part in (".", "..", "") for part in _Filled(given).path(path).split("/")[1:])


def _bad_place(key: str) -> Objection:
    return Objection(key, "this would ask for another path", "a part of a path is neither empty nor dots")
