"""The rows of the fault table that befall a DuckDB file: what happens to it between two refreshes."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from tests.faults.bases import LATER
from tests.faults.dialects import FIRST, HOUR, LAST, Dialect, truth
from tests.faults.table import Then

KIND = "duckdb"
FILE = "data/warehouse.duckdb"
MEASURES = {
    "level": {"sql": "SELECT time, value FROM level"},
    "level3": {"sql": f"SELECT time, value + {truth(3, 0) - truth(1, 0)} AS value FROM level"},  # noqa: S608
}
"""What is asked for of series 1, and by other SQL of series 3."""
AT = int(LATER.timestamp()) // HOUR * HOUR - 2 * HOUR

Harm = Callable[[Any], AbstractContextManager[Mapping[str, Any] | None]]
"""Does something to a database; what it gives are keys of sources.yml that are others for as long."""


def dialect(column: str) -> Dialect:
    """That of a database of its own column, which is asked for no numbers in words."""
    measure = {"metric": "level", "query": None}
    return Dialect("sql", {}, "", lambda _: [], lambda _: b"", series=measure, column=column)


DIALECT = dialect(KIND)


@dataclass(frozen=True)
class DatabaseCase:
    """One way in which a fault happens to a database; see `table.Case`."""

    row: str
    case: str
    harm: Harm
    then: Then
    said: str = ""
    wrong: tuple[int, ...] = ()
    timeout: str = "20s"
    series: Mapping[str, Any] = field(default_factory=dict)
    later: timedelta = timedelta(0)
    column: str = KIND


def options(measures: Mapping[str, Any] = MEASURES) -> dict[str, Any]:
    """The keys of sources.yml."""
    return {"connect": f"duckdb://{FILE}", "measures": measures}


def fill(path: Path) -> None:
    """Makes the database, with the true rows of series 1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with duckdb.connect(path) as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute("CREATE TABLE level (time TIMESTAMPTZ, value DOUBLE)")
        steps = "SELECT to_timestamp(start), ? + start / ? FROM range(?, ?, ?) steps(start)"
        database.execute(f"INSERT INTO level {steps}", [truth(1, 0), HOUR, FIRST, LAST, HOUR])


def does(*statements: str) -> Harm:
    """Statements that somebody runs on the database; {here} is the step before the last one."""

    @contextmanager
    def harm(path: Path) -> Iterator[None]:
        with duckdb.connect(path) as database:
            database.execute("SET TimeZone = 'UTC'")
            for statement in statements:
                database.execute(statement.format(here=f"epoch(time) = {AT}"))
        yield

    return harm


@contextmanager
def gone(path: Path) -> Iterator[None]:
    path.unlink()
    yield


@contextmanager
def garbage(path: Path) -> Iterator[None]:
    path.write_bytes(b"<!doctype html>" * 1000)
    yield


@contextmanager
def cut(path: Path) -> Iterator[None]:
    path.write_bytes(path.read_bytes()[:5000])
    yield


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program has the file open to write."""
    text = f"import duckdb; held = duckdb.connect({str(path)!r}); print('locked', flush=True); input()"
    command = [sys.executable, "-c", text]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        yield
        holder.communicate(b"\n")


SET = "UPDATE level SET value = VALUE WHERE {here}"
TOO_MUCH = "SELECT sum(sin(a.range * b.range)) FROM range(10000000) a, range(1000) b"
SLOW = (
    "ALTER TABLE level RENAME TO rows",
    "CREATE VIEW level AS SELECT time, value + 0 * (TOO_MUCH) AS value FROM rows".replace("TOO_MUCH", TOO_MUCH),
)
CASES = (
    DatabaseCase("refused, unknown host; stall", "the file is gone", gone, "kept", "is not there"),
    DatabaseCase("cut body", "the file is cut", cut, "kept"),
    DatabaseCase("200 with something else", "the file is another", garbage, "kept"),
    DatabaseCase("400, 422", "the table is gone", does("DROP TABLE level"), "query", "level"),
    DatabaseCase("400, 422", "a column is gone", does("ALTER TABLE level DROP value"), "query"),
    DatabaseCase("400, 422", "a column of texts", does("ALTER TABLE level ALTER value TYPE VARCHAR"), "query"),
    DatabaseCase("empty answer", "where there was data", does("DELETE FROM level"), "kept", "the answer has no rows"),
    *(DatabaseCase("no number", text, does(SET.replace("VALUE", text)), "fresh", wrong=(2,))
      for text in ("NULL", "'NaN'", "'Infinity'", "'-Infinity'", "1e300")),
    DatabaseCase("stale gap", "a step without a row", does("DELETE FROM level WHERE {here}"), "fresh", wrong=(2,)),
    DatabaseCase(
        "duplicate or out-of-order times", "equal twice",
        does("INSERT INTO level SELECT * FROM level WHERE {here}"), "fresh",
    ),
    DatabaseCase(
        "duplicate or out-of-order times", "two values",
        does("INSERT INTO level SELECT time, value + 1 FROM level WHERE {here}"), "kept", "two different values",
    ),
    DatabaseCase(
        "duplicate or out-of-order times", "between the steps",
        does("UPDATE level SET time = time + INTERVAL 7 MINUTE WHERE {here}"), "kept",
    ),
    DatabaseCase(
        "clock skew, future samples", "future samples",
        does("INSERT INTO level SELECT time + INTERVAL 60 DAY, 13 FROM level"), "fresh",
    ),
    DatabaseCase("SQL timeout or lock", "a query that takes too long", does(*SLOW), "retried", "did not answer in full",
                 timeout="300ms"),
    DatabaseCase("SQL timeout or lock", "the file is locked", locked, "retried", "is locked"),
    DatabaseCase("huge body, gzip bomb", "too many rows",
                 does("INSERT INTO level SELECT time, range FROM level, range(1000)"), "kept",
                 "has more than 1,000 rows"),
)  # fmt: skip
