"""DuckDB: one file, opened to read, in this process.

What it is asked can reach no other file and no network, and cannot change that.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from ingest.sources.sql.questions import Type
from ingest.sources.sql.session import Failure, clean, missing

if TYPE_CHECKING:
    import duckdb

_TYPES: dict[str, Type] = {
    "TIMESTAMP WITH TIME ZONE": "aware", "TIMESTAMP": "naive", "TIMESTAMP_S": "naive", "TIMESTAMP_MS": "naive",
    "TIMESTAMP_NS": "naive", "DATE": "day", "DOUBLE": "double", "FLOAT": "real", "BOOLEAN": "truth",
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT"), "whole"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER"), "whole"),
    **dict.fromkeys(("UBIGINT", "HUGEINT", "UHUGEINT"), "decimal"),
}  # fmt: skip
_OPENING = Lock()
"""Within a process, sources of one file share its settings, which the first of them locks."""


class DuckDB:
    """The engine of a DuckDB file."""

    def __init__(self, where: str, path: Path) -> None:
        """Opens nothing; raises UserError where DuckDB is not installed."""
        try:
            import duckdb
            import ibis  # noqa: F401  # needed later, and better missed now
        except ImportError:
            raise missing(where, "DuckDB", "sql") from None
        self.duckdb = duckdb
        self.path = path
        self._database: duckdb.DuckDBPyConnection | None = None
        self._lock = Lock()

    def connect(self, seconds: float) -> "_Connection":
        del seconds  # a file opens at once or not at all
        with self._lock:
            if self._database is None:
                self._database = self._open()
            return _Connection(self._database.cursor())

    def _open(self) -> "duckdb.DuckDBPyConnection":
        if not self.path.is_file():
            raise FileNotFoundError
        config: dict[str, Any] = {"enable_external_access": False, "autoload_known_extensions": False}
        with _OPENING:
            database = self.duckdb.connect(self.path, read_only=True, config=config)
            try:
                self._lock_up(database)
            except BaseException:
                database.close()
                raise
        return database

    def _lock_up(self, database: "duckdb.DuckDBPyConnection") -> None:
        """Sets what holds for all connections, for good."""
        if database.execute("SELECT current_setting('lock_configuration')").fetchone() != (True,):
            database.execute("SET GLOBAL TimeZone = 'UTC'")
            database.execute("SET python_enable_replacements = false")
            database.execute("SET lock_configuration = true")

    def failure(self, error: Exception) -> Failure:
        """What one of DuckDB's errors means."""
        duckdb, said = self.duckdb, clean(str(error))
        if isinstance(error, FileNotFoundError):
            return Failure("is not there")
        if isinstance(error, duckdb.IOException):
            if "set lock" in said:
                return Failure("is locked: another program writes to it", retry=True)
            return Failure(f"cannot be read: {said.replace(str(self.path), self.path.name)}")
        if isinstance(error, duckdb.OutOfMemoryException):
            return Failure("ran out of memory; ask for fewer rows", retry=True)
        # Names, types and syntax, values that do not convert, and what reading does not allow.
        return Failure(said or type(error).__name__, fault="query" if isinstance(error, duckdb.Error) else "source")

    def close(self) -> None:
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None


class _Connection:
    def __init__(self, cursor: "duckdb.DuckDBPyConnection") -> None:
        self.cursor = cursor
        self.now = time.time()

    def begin(self, seconds: float) -> None:
        """Sets no limit: there is no server that could keep it."""
        del seconds
        self.now = time.time()

    def columns(self, sql: str) -> dict[str, Type]:
        description = self.cursor.execute(sql).description or []
        return {name: _type(str(kind)) for name, kind, *_ in description}

    def rows(self, sql: str) -> Sequence[Sequence[Any]]:
        found: list[tuple[Any, ...]] = self.cursor.execute(sql).fetchall()
        return found

    def end(self) -> None:
        """Has nothing to end: every statement is its own transaction."""

    def cancel(self) -> None:
        self.cursor.interrupt()

    def close(self) -> None:
        self.cursor.close()


def _type(name: str) -> Type:
    return "decimal" if name.startswith("DECIMAL") else _TYPES.get(name, "text")
