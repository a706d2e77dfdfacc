"""The same story on DuckDB, PostgreSQL and Spark."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from ingest.errors import FetchError
from ingest.sources.base import Window
from ingest.sources.sql import SqlSource
from ingest.sources.sql.options import SqlOptions
from ingest.story import Series
from perfkb import perfkb
from tests.postgresql import PASSWORD, READER, PostgreSQL

# Spark's Python leaves its sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

ODD = "it''s \"odd\"\\{}|*"
"""A route with all that a careless quotation would trip over, as SQL writes it."""
EVENTS = f"""
SELECT
  TIMESTAMPTZ '2026-09-07 00:00:00+00' + INTERVAL (i * 40) SECOND AS started_at,
  TIMESTAMP '2026-09-07 00:00:00' + INTERVAL (i * 40) SECOND + INTERVAL 999 MILLISECOND AS written_at,
  exp(sin(i * 12.9898) * 3) / 7 AS seconds,
  CAST(i % 977 / 7 AS DECIMAL(12, 4)) AS cost,
  CASE i % 3 WHEN 0 THEN '/campaigns' WHEN 1 THEN '{ODD}' ELSE '/other' END AS route,
  i % 5 AS shard,
  i % 11 = 0 AS failed,
  CASE WHEN i % 101 = 0 THEN NULL WHEN i = 1242 THEN 'NaN'::DOUBLE ELSE i / 3 END AS size
FROM range(6500) AS numbers(i)
"""  # noqa: S608  # of a test
STORY: dict[str, dict[str, Any]] = {
    "requests": {"kind": "histogram", "metric": "request_seconds", "match": {"route": ODD.replace("''", "'")}},
    "shard": {"kind": "histogram", "metric": "request_seconds", "match": {"shard": "3", "route": "/other"}},
    "seconds": {"kind": "total", "metric": "request_seconds"},
    "count": {"kind": "total", "metric": "written"},
    "speed": {"kind": "rate", "metric": "written", "match": {"failed": "true"}},
    "mean": {"kind": "gauge", "metric": "request_seconds"},
    "p95": {"kind": "latency", "metric": "request_seconds"},
    "errors": {"kind": "ratio", "metric": "failures"},
    "costs": {"kind": "ratio", "metric": "cost_share"},
    "sizes": {"kind": "gauge", "metric": "sizes"},
    "slowest": {"kind": "latency", "metric": "slowest", "match": {"route": "/campaigns"}},
}


def measures(table: str) -> dict[str, Any]:
    common = {"table": table, "time": "started_at"}
    slowest = (
        "SELECT date_trunc('hour', written_at) AS time, route, max(seconds) AS value "  # noqa: S608  # of a test
        f"FROM {table} WHERE written_at >= {{start}} AND written_at < {{end}} GROUP BY 1, 2 -- the end"
    )
    return {
        "request_seconds": {
            **common, "value": "seconds", "buckets": [0.05, 0.1, 0.25, 0.5, 1, 2.5], "quantile": 0.95,
            "match": ["route", "shard"],
        },
        "written": {"table": table, "time": "written_at", "match": ["failed"]},
        "failures": {**common, "value": "failed"},
        "cost_share": {**common, "value": "seconds", "of": "cost"},
        "sizes": {**common, "value": "size"},
        "slowest": {"sql": slowest, "match": ["route"]},
    }  # fmt: skip


def snapshots(root: Path, table: str, connect: str, **options: Any) -> dict[str, bytes]:
    """The CSV files of a knowledge base with one story, refreshed through the front door."""
    source = {"kind": "sql", "connect": connect, "history": "3d", "measures": measures(table), **options}
    telemetry = {name: {"source": "warehouse", **series} for name, series in STORY.items()}
    front = {"title": "Slow", "status": "reported", "telemetry": telemetry}
    for name, text in {
        "site-config/knowledge-base.yml": "now: 2026-09-10T00:30Z\n",
        "site-config/sources.yml": json.dumps({"warehouse": source}),
        "stories/slow.md": f"---\n{json.dumps(front)}\n---\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    done = CliRunner().invoke(perfkb, ["-C", str(root), "refresh"], env={"DB_PASSWORD": PASSWORD})
    assert done.exit_code == 0, done.output
    assert PASSWORD not in done.output
    return {name: (root / f".snapshots/slow/{name}.csv").read_bytes() for name in STORY}


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("events") / "events.parquet"
    with duckdb.connect() as made:
        made.execute("SET TimeZone = 'UTC'")
        made.execute(f"COPY ({EVENTS}) TO '{path}'")
    return path


def test_the_same_story(tmp_path: Path, parquet: Path, postgresql: PostgreSQL, spark: Any) -> None:
    """One story on all three gives the same snapshots, byte for byte."""
    folder = tmp_path / "duckdb/data"
    folder.mkdir(parents=True)
    with duckdb.connect(folder / "warehouse.duckdb") as made:
        made.execute(f"CREATE TABLE requests AS FROM '{parquet}'")
    load_postgresql(postgresql, parquet)
    spark.sql("CREATE DATABASE IF NOT EXISTS web")
    spark.sql(f"CREATE TABLE IF NOT EXISTS web.requests USING parquet LOCATION '{parquet}'")
    found = {
        "duckdb": snapshots(tmp_path / "duckdb", "requests", "duckdb://data/warehouse.duckdb"),
        "postgres": snapshots(
            tmp_path / "postgres",
            "web.requests",
            postgresql.connect,
            password="${DB_PASSWORD}",  # noqa: S106
        ),
        "pyspark": snapshots(tmp_path / "pyspark", "web.requests", "pyspark://local"),
    }
    for name in STORY:
        assert found["postgres"][name] == found["duckdb"][name], name
        assert found["pyspark"][name] == found["duckdb"][name], name
        assert len(found["duckdb"][name].splitlines()) == (72 if name == "sizes" else 73), name


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT {start} AS time, 1 AS value FROM text.`/etc/passwd`", "cannot be found"),
        ("INSERT INTO web.kept VALUES (1)", "Syntax error"),
        ("SELECT 1) x; DROP TABLE web.kept; SELECT * FROM (SELECT 1", "Syntax error"),
        ("SELECT {start} AS time, kep AS value FROM web.kept", "`kep` cannot be resolved"),
        ("SELECT {start} AS time, 1 / 0 AS value FROM web.kept", "Division by zero"),
    ],
)
def test_spark_is_asked_to_read(source: Any, spark: Any, sql: str, said: str) -> None:
    """What is more than a SELECT of tables fails as the measure's mistake, and leaves all as it was."""
    spark.sql("CREATE DATABASE IF NOT EXISTS web")
    spark.sql("CREATE TABLE IF NOT EXISTS web.kept AS SELECT 1 AS kept")
    error = failure(source(sql))
    assert error.what.startswith("site-config/sources.yml: warehouse.measures.asked: ")
    assert said in error.what
    assert (error.retry, error.fault) == (False, "query")
    assert spark.sql("SELECT count(*) FROM web.kept").collect() == [(1,)]


def test_spark_is_cancelled(source: Any, spark: Any) -> None:
    """A query that takes too long leaves no job behind."""
    made = source("SELECT {start} AS time, count(*) AS value FROM range(1000000000000) WHERE id % 7 = 3", timeout="3s")
    error = failure(made)
    assert error.retry
    assert error.what == "warehouse (local) did not answer in full within 3 s"
    assert list(spark.sparkContext.statusTracker().getActiveJobsIds()) == []


def test_spark_without_java(source: Any) -> None:
    """Spark that cannot be started says what it needs."""
    engine = source("SELECT 1").session.engine
    assert engine.failure(RuntimeError("[JAVA_GATEWAY_EXITED] Java gateway process exited")).what == (
        "cannot be started; Spark needs Java 17 or newer"
    )


@pytest.fixture
def source(spark: Any) -> Any:
    """Makes a Spark source with one measure, `asked`."""
    del spark  # its session is the one that is asked

    def make(sql: str, timeout: str = "60s") -> SqlSource:
        given = {"connect": "pyspark://local", "timeout": timeout, "measures": {"asked": {"sql": sql}}}
        return SqlSource("warehouse", SqlOptions.model_validate(given), {}, Path())

    return make


def failure(source: SqlSource) -> FetchError:
    asked = Series.model_validate({"source": "warehouse", "kind": "total", "metric": "asked"})
    start = datetime(2026, 9, 7, tzinfo=UTC)
    with pytest.raises(FetchError) as caught:
        source.fetch(asked, Window(start, start + timedelta(hours=1), timedelta(hours=1)))
    return caught.value


def load_postgresql(postgresql: PostgreSQL, parquet: Path) -> None:
    postgresql.run(
        "DROP SCHEMA IF EXISTS web CASCADE",
        "CREATE SCHEMA web",
        "CREATE TABLE web.requests (started_at timestamptz, written_at timestamp, seconds float8, cost numeric(12, 4),"
        " route text, shard int, failed bool, size float8)",
        f"GRANT USAGE ON SCHEMA web TO {READER}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA web TO {READER}",
    )
    with duckdb.connect() as read:
        read.execute("SET TimeZone = 'UTC'")
        # As text, so that neither side can convert.
        rows = read.execute(f"SELECT COLUMNS(*)::VARCHAR FROM '{parquet}'").fetchall()  # noqa: S608  # of a test
    with postgresql.admin() as connection, connection.cursor() as cursor:
        cursor.execute("SET TimeZone = 'UTC'")
        with cursor.copy("COPY web.requests FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
