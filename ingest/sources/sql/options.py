"""The keys of a SQL source, and what a series may ask of its measures.

SQL stands in sources.yml alone: a story names a measure, and the values of columns that the
measure lets it choose.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal, Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, Field, model_validator

from ingest.errors import did_you_mean
from ingest.fields import Line, Name, Strict, Text, wrong
from ingest.sources.base import Objection
from ingest.sources.http import Timeout
from ingest.story import Quantile, Series

Engine = Literal["duckdb", "postgres", "pyspark"]
_TLS = ("sslmode", "sslrootcert")
_EXAMPLES = "write duckdb://data/warehouse.duckdb, postgres://perfkb@db.acme.example/metrics or pyspark://local"


@dataclass(frozen=True)
class Address:
    """Where a database is: a DuckDB `path`, a PostgreSQL `database` at `host`, or a Spark `host`."""

    engine: Engine
    host: str = ""
    port: int | None = None
    path: str = ""
    user: str = ""
    database: str = ""
    tls: tuple[tuple[str, str], ...] = ()

    @property
    def told(self) -> str:
        """The address as errors name it: without the user."""
        return self.path or f"{self.host}{f':{self.port}' if self.port else ''}"


def read_address(text: str) -> Address:
    """The parts of `connect`; ValueError, which repeats nothing of it, where it is none."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  # a port that is no number is only found when it is asked for
    except ValueError:
        raise ValueError("this is not the address of a database") from None
    if parts.password is not None:
        raise ValueError("a password has no place in the address; write `password: ${NAME}` below it")
    if parts.scheme == "duckdb":
        return Address("duckdb", path=_duckdb_path(parts))
    if parts.scheme in ("postgres", "postgresql"):
        return _postgres(parts)
    if parts.scheme == "pyspark" and parts.hostname and not parts.path.strip("/") and not parts.query:
        return Address("pyspark", parts.hostname, parts.port)
    raise ValueError("this is not the address of a database")


def _duckdb_path(parts: SplitResult) -> str:
    path = unquote(parts.netloc + parts.path)
    if not path.strip("/") or ".." in path.split("/") or parts.query or not path.isprintable():
        raise ValueError("this is not the path of a database file")
    return path


def _postgres(parts: SplitResult) -> Address:
    database = unquote(parts.path.removeprefix("/"))
    if not (parts.hostname and parts.username and database) or "/" in database:
        raise ValueError("the address must have a user, a host and a database")
    tls = dict(parse_qsl(parts.query, keep_blank_values=True))
    if {*tls} - {*_TLS}:
        raise ValueError(f"after the ? may stand {' and '.join(_TLS)}")
    user = unquote(parts.username)
    return Address("postgres", parts.hostname, parts.port, "", user, database, tuple(sorted(tls.items())))


def _check_address(text: str) -> str:
    try:
        read_address(text)
    except ValueError as error:
        raise wrong(str(error), _EXAMPLES) from None
    return text


def _check_password(text: str) -> str:
    if not re.fullmatch(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}", text):
        raise wrong("a password must not stand in this file", "write ${NAME}, and export NAME before refreshing")
    return text


def _check_table(text: str) -> str:
    if not all(text.split(".")) or text.count(".") > 2:
        raise wrong(f"{text!r} is not the name of a table", "write one such as requests or web.requests")
    return text


def _check_buckets(bounds: tuple[float, ...]) -> tuple[float, ...]:
    if not all(map(math.isfinite, bounds)) or list(bounds) != sorted({*bounds}):
        raise wrong("bounds must ascend", "write [0.1, 0.25, 0.5, 1]; the bucket of all values is added")
    return bounds


Connect = Annotated[Line, AfterValidator(_check_address)]
Password = Annotated[Line, AfterValidator(_check_password)]
Table = Annotated[Line, AfterValidator(_check_table)]
Buckets = Annotated[tuple[float, ...], AfterValidator(_check_buckets)]


class Measure(Strict):
    """A table with one row an event, or SQL that gives one row a step: what series may ask for."""

    table: Table | None = None
    """The table or view that has a row for each event, such as requests or web.requests."""
    sql: Text | None = None
    """A query that gives one row a step; {start} and {end} are its window, {step} the seconds of a step."""
    time: Line = "time"
    """The column of times; those without a time zone are in UTC."""
    value: Line | None = None
    """The column of values; a table without it is counted, and `sql` calls it value."""
    of: Line | None = None
    """For a ratio, the column of what `value` is a part of; without it the number of rows."""
    buckets: Buckets = ()
    """For a histogram, the upper bounds of its buckets."""
    quantile: Quantile | None = None
    """For a latency, which quantile of the values."""
    unit: Line | None = None
    """The unit of the values; a series in another one is refused."""
    match: tuple[Line, ...] = ()
    """The columns by whose values a series may choose rows."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if (self.table is None) == (self.sql is None):
            raise wrong("a measure has either `table` or `sql`", "keep one of them")
        for key in ("of", "buckets", "quantile") if self.sql else ():
            if getattr(self, key):
                raise wrong(f"`{key}` is for a `table`", "compute it in the SQL")
        return self


class SqlOptions(Strict):
    """The keys of a database."""

    connect: Connect
    """Its address: duckdb://FILE, postgres://USER@HOST/DATABASE or pyspark://MASTER, without a password."""
    password: Password | None = None
    """PostgreSQL's password, as ${NAME} from the environment."""
    timeout: Timeout = timedelta(seconds=60)
    """How long one attempt may take; then it is cancelled."""
    settings: dict[Line, Line] = Field(default_factory=dict)
    """Settings of the Spark session."""
    measures: dict[Name, Measure]
    """What can be asked for, by the names that stories use as `metric`."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        engine = read_address(self.connect).engine
        for key, only in (("password", "postgres"), ("settings", "pyspark")):
            if getattr(self, key) and engine != only:
                raise wrong(f"`{key}` is for {only}:// addresses", "leave it out")
        return self


_NEEDS = {"histogram": ("value", "buckets"), "gauge": ("value",), "latency": ("value", "quantile"), "ratio": ("value",)}
"""What a measure of a table must declare for a kind of series; a total and a rate can count."""


def objections(series: Series, options: SqlOptions | None) -> Iterator[Objection]:
    """What is wrong with `series`; without the source's own keys only what needs none of them."""
    for key in ("query", "sum"):
        if getattr(series, key) is not None:
            hint = "name a measure of sources.yml as `metric`"
            yield Objection(key, f"`{key}` means nothing to a sql source", hint)
    known = options.measures if options else {}
    if not series.metric:
        yield Objection("metric", "`metric` must name a measure of the source", did_you_mean("", known))
    elif series.metric in known:
        yield from _unfit(series, known[series.metric])
    elif options:
        yield Objection("metric", f"no measure {series.metric!r}", did_you_mean(series.metric, known))


def count_objections(name: str, options: SqlOptions | None) -> Iterator[Objection]:
    """Why the measure `name` cannot count reports."""
    measure = options.measures.get(name) if options else None
    if options and measure is None:
        yield Objection("query", f"no measure {name!r}", did_you_mean(name, options.measures))
    elif measure and measure.table and measure.value:
        hint = "to count its rows, leave `value` out; for any other number, write `sql`"
        yield Objection("query", f"the measure {name!r} is about values, and counts nothing", hint)


def _unfit(series: Series, measure: Measure) -> Iterator[Objection]:
    for key in _NEEDS.get(series.kind, ()) if measure.table else ():
        if not getattr(measure, key):
            what = f"the measure {series.metric!r} declares no `{key}`, which a {series.kind} needs"
            yield Objection("kind", what, "add it to the measure in sources.yml, or ask for another kind")
    for column in series.match or ():
        if column not in measure.match:
            what = f"the measure {series.metric!r} lets no story choose by {column!r}"
            yield Objection("match", what, did_you_mean(column, measure.match) or "name it in the measure's `match`")
    if measure.unit is not None and measure.unit != series.unit:
        what = f"the measure {series.metric!r} is in {measure.unit}, not in {series.unit or 'plain numbers'}"
        yield Objection("unit", what, f"write unit: {measure.unit}")
