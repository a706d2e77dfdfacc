"""Databases: DuckDB, PostgreSQL and Spark, asked through ibis.

sources.yml declares measures, and a story names one of them: no story carries SQL. A measure
is a table with a row for each event, from which a step's figures are computed, or SQL that
gives one row a step. Times without a zone are in UTC, as is every session.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pandas as pd

from ingest.errors import FetchError
from ingest.fields import Strict
from ingest.settings import SOURCES_FILE
from ingest.sources.base import Fetched, Objection, Window, counted, expand
from ingest.sources.sql.duckdb import DuckDB
from ingest.sources.sql.options import Address, Measure, SqlOptions, count_objections, objections, read_address
from ingest.sources.sql.postgres import Postgres
from ingest.sources.sql.questions import count, probe, question
from ingest.sources.sql.session import Connection, Engine, OverdueError, Session
from ingest.sources.sql.spark import Spark
from ingest.story import Series

T = TypeVar("T")


class SqlSource:
    """A database; a series names a measure of sources.yml as its `metric`."""

    Options: ClassVar[type[Strict]] = SqlOptions

    def __init__(self, name: str, options: SqlOptions, environ: Mapping[str, str], root: Path) -> None:
        """Opens nothing; raises UserError where a package or the password's variable is missing."""
        self.name = name
        self.address = read_address(options.connect)
        self.measures = options.measures
        self.place = f"{name} ({self.address.told})"
        where = f"{SOURCES_FILE}: {name}"
        password = expand(options.password or "", environ, f"{where}.password")
        self.session = Session(_engine(where, self.address, password, options, root), options.timeout.total_seconds())

    @staticmethod
    def objections(series: Series, step: timedelta, options: Strict | None) -> Sequence[Objection]:
        """What the measure is not made for."""
        del step  # a measure has any
        return [*objections(series, options if isinstance(options, SqlOptions) else None)]

    @staticmethod
    def query(series: Series, step: timedelta, options: Strict | None) -> str:
        """The measure and what the series chooses, and below it the measure's declaration."""
        del step  # a measure has any
        chosen = ", ".join(f'{name}="{value}"' for name, value in sorted((series.match or {}).items()))
        lines = [f"{series.metric}{f'{{{chosen}}}' if chosen else ''}"]
        if isinstance(options, SqlOptions) and series.metric in options.measures:
            declared = options.measures[series.metric].model_dump(exclude_defaults=True, exclude={"match"})
            lines += [f"{key}: {_told(value)}" for key, value in declared.items()]
        return "\n".join(lines)

    def fetch(self, series: Series, window: Window) -> Fetched:
        """The rows of `window`; raises FetchError where there is no good answer."""
        measure = self._measure(series.metric or "")
        engine = self.address.engine

        def ask(connection: Connection) -> Fetched:
            columns = connection.columns(probe(measure, window, engine))
            asked = question(measure, series, window, columns, engine)
            return _over(asked.read(connection.rows(asked.sql)), window, connection.now)

        return self._run(ask, self._declared(series.metric or ""))

    @staticmethod
    def count_objections(query: str, options: Strict | None) -> Sequence[Objection]:
        """Whether `query` names a measure that counts."""
        return [*count_objections(query, options if isinstance(options, SqlOptions) else None)]

    def count(self, query: str, at: datetime) -> Fetched:
        """The rows of a measure's table, or its SQL's one number; raises FetchError where there is none."""
        day = timedelta(days=1)
        asked = count(self._measure(query), Window(at - day, at, day), self.address.engine)
        rows = self._run(lambda connection: connection.rows(asked), self._declared(query))
        try:
            ((number,),) = rows
            return counted(float(number), at)
        except (TypeError, ValueError):
            raise FetchError(
                f"{self._declared(query)} answers with something else than a count", fault="query"
            ) from None

    def _measure(self, name: str) -> Measure:
        if name not in self.measures:
            raise FetchError(f"no measure {name!r}", fault="query")
        return self.measures[name]

    def _declared(self, name: str) -> str:
        return f"{SOURCES_FILE}: {self.name}.measures.{name}:"

    def probe(self) -> str:
        """Asks for a number that needs no table."""
        self._run(lambda connection: connection.rows("SELECT 1"), self.place)
        return f"{self.place} answers"

    def _run(self, work: Callable[[Connection], T], measure: str) -> T:
        """What `work` returns; every error is a FetchError, with the measure's place where that is to blame."""
        try:
            return self.session.run(work)
        except OverdueError:
            what = f"{self.place} did not answer in full within {self.session.timeout:g} s"
            raise FetchError(what, retry=True) from None
        except FetchError as error:
            if error.fault != "source":
                raise
            raise FetchError(f"{measure} {error.what}", fault="query") from None
        except Exception as error:
            failure = self.session.engine.failure(error)
            place = measure if failure.fault == "query" else self.place
            # A database's own texts can quote credentials and addresses.
            raise FetchError(f"{place} {failure.what}", retry=failure.retry, fault=failure.fault) from None

    def close(self) -> None:
        self.session.close()


def _engine(where: str, address: Address, password: str, options: SqlOptions, root: Path) -> Engine:
    if address.engine == "duckdb":
        return DuckDB(where, root / address.path)
    if address.engine == "postgres":
        return Postgres(where, address, password)
    return Spark(where, address, options.settings)


def _over(fetched: Fetched, window: Window, now: float) -> Fetched:
    """Without the steps that the database's clock has not ended."""
    ends = pd.DatetimeIndex(fetched.rows.index) + pd.Timedelta(window.step)
    return replace(fetched, rows=fetched.rows[ends <= pd.Timestamp(now, unit="s", tz="UTC")])


def _told(value: Any) -> str:
    return ", ".join(f"{each:g}" for each in value) if isinstance(value, tuple) else str(value)
