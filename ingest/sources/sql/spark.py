"""Spark, for tables that have outgrown one machine.

Spark knows no read-only session: what keeps a measure from writing is that it is asked as
part of a SELECT, and the rights of its account. Jobs are cancelled by their group.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ingest.sources.sql.options import Address
from ingest.sources.sql.questions import Type
from ingest.sources.sql.session import Failure, clean, missing

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_TYPES: dict[str, Type] = {
    "timestamp": "aware", "timestamp_ntz": "naive", "date": "day", "double": "double", "float": "real",
    "tinyint": "whole", "smallint": "whole", "int": "whole", "bigint": "whole", "boolean": "truth",
}  # fmt: skip
_MASTERS = {"local": "local[*]", "yarn": "yarn"}
_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # Otherwise text.`/etc/passwd` is a table.
    "spark.sql.runSQLOnFiles": "false",
    # A backslash in a story's value would mean something else.
    "spark.sql.parser.escapedStringLiterals": "false",
}


class Spark:
    """The engine of a Spark session, which all connections share."""

    def __init__(self, where: str, address: Address, settings: Mapping[str, str]) -> None:
        """Opens nothing; raises UserError where PySpark is not installed."""
        try:
            import ibis  # noqa: F401  # needed later, and better missed now
            import pyspark  # noqa: F401
        except ImportError:
            raise missing(where, "Spark", "spark") from None
        self.master = _MASTERS.get(address.host) or f"spark://{address.host}:{address.port or 7077}"
        self.settings = settings
        self._session: SparkSession | None = None
        self._ours = False
        self._lock = Lock()

    def connect(self, seconds: float) -> "_Connection":
        del seconds  # who waits gives up by the clock
        with self._lock:
            if self._session is None:
                self._session = self._start()
            return _Connection(self._session)

    def _start(self) -> "SparkSession":
        from pyspark import SparkContext
        from pyspark.sql import SparkSession

        # It repeats whole queries on standard error.
        logging.getLogger("SQLQueryContextLogger").disabled = True
        self._ours = SparkContext._active_spark_context is None
        builder = SparkSession.builder.master(self.master).appName("perfkb")
        for key, value in {**_SETTINGS, **self.settings, "spark.sql.session.timeZone": "UTC"}.items():
            builder = builder.config(key, value)
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("OFF")
        return session

    def failure(self, error: Exception) -> Failure:
        """What one of Spark's errors means."""
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        said = clean(str(error))
        if "JAVA_GATEWAY_EXITED" in said or "JAVA_HOME" in said:
            return Failure("cannot be started; Spark needs Java 17 or newer")
        if isinstance(error, PySparkException):
            return Failure(said, fault="query")
        if isinstance(error, Py4JError):
            return Failure("broke off in the middle of its answer", retry=True)
        return Failure(f"cannot be asked ({type(error).__name__})")

    def close(self) -> None:
        with self._lock:
            session, self._session = self._session, None
            if session is not None and self._ours:
                session.stop()


class _Connection:
    def __init__(self, session: "SparkSession") -> None:
        self.session = session
        self.group = f"perfkb-{uuid4()}"
        self.now = time.time()

    def begin(self, seconds: float) -> None:
        """Names the jobs of this thread, so that they can be cancelled."""
        del seconds  # Spark has no time limit of its own
        self.now = time.time()
        self.session.sparkContext.setJobGroup(self.group, "perfkb", interruptOnCancel=True)

    def columns(self, sql: str) -> dict[str, Type]:
        return {each.name: _type(each.dataType.simpleString()) for each in self.session.sql(sql).schema.fields}

    def rows(self, sql: str) -> Sequence[Sequence[Any]]:
        found: list[Any] = self.session.sql(sql).collect()
        return found

    def end(self) -> None:
        """Frees this thread's line to Java."""
        from pyspark.util import InheritableThread

        with suppress(AttributeError):
            InheritableThread._clean_py4j_conn_for_current_thread()

    def cancel(self) -> None:
        self.session.sparkContext.cancelJobGroup(self.group)

    def close(self) -> None:
        """Has nothing to free: the session is shared."""


def _type(name: str) -> Type:
    return "decimal" if name.startswith("decimal") else _TYPES.get(name, "text")
