"""The `sql` source: its keys, what series may ask, and DuckDB."""

import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.check import check
from ingest.errors import FetchError, UserError
from ingest.marked import read_yaml
from ingest.refresh import refresh, wishes
from ingest.schema import read_whole
from ingest.sources.base import Window, tidy
from ingest.sources.sql import SqlSource, questions, session
from ingest.sources.sql.options import Address, Measure, SqlOptions, read_address
from ingest.sources.sql.questions import probe, question
from ingest.story import Series
from tests.ingest.bases import base

HOUR = timedelta(hours=1)
START = datetime(2026, 9, 1, tzinfo=UTC)
WINDOW = Window(START, START + 4 * HOUR, HOUR)
EVENTS = {
    "table": "events", "time": "at", "value": "seconds", "of": "budget", "buckets": ["0.25", "1"], "quantile": "0.95",
    "match": ["route", "shard", "failed", "price"],
}  # fmt: skip
PLACE = "site-config/sources.yml: warehouse.measures.asked:"
STORY = "reports: [{date: 2026-09-01, said: slow}]\ntitle: Slow\nstatus: reported\n"


def make(path: Path, *statements: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(path) as database:
        database.execute("SET TimeZone = 'UTC'")
        for statement in statements:
            database.execute(statement)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make(
        tmp_path / "data/warehouse.duckdb",
        'CREATE TABLE events ("at" TIMESTAMPTZ, written TIMESTAMP, day DATE, seconds DOUBLE, budget DECIMAL(10, 3),'
        " route VARCHAR, shard USMALLINT, failed BOOLEAN, price FLOAT)",
        "INSERT INTO events VALUES"
        " ('2026-09-01 00:10:00+00', '2026-09-01 00:10:00', '2026-09-01', 0.1, 1.5, '/a', 7, true, 0.5),"
        " ('2026-09-01 02:20:00+02', '2026-09-01 01:10:00', '2026-09-01', 0.25, 2.5, '/b', 7, false, 0.5),"
        " ('2026-09-01 00:59:59.999999+00', '2026-09-01 01:20:00', '2026-09-02', 3, NULL, '/a', 8, NULL, 1),"
        " ('2026-09-01 01:00:00+00', '2026-09-01 02:00:00', '2026-09-02', 'inf', 1, '/a', 7, true, 1),"
        " ('2026-09-01 02:00:00+00', '2026-09-01 02:00:00', '2026-09-02', NULL, 0, '/a', 7, false, 1),"
        " ('2026-09-01 03:00:00+00', '2026-09-01 02:00:00', '2026-09-02', 0.5, 0, '/a', 7, false, 1)",
    )
    return tmp_path


@pytest.fixture
def source(root: Path) -> Iterator[Any]:
    """Makes a source with one measure, `asked`."""
    made: list[SqlSource] = []

    def opened(measure: dict[str, Any] | str = "", **options: Any) -> SqlSource:
        asked = {"sql": measure} if isinstance(measure, str) and measure else measure or EVENTS
        given = {"connect": "duckdb://data/warehouse.duckdb", "measures": {"asked": asked}, **options}
        made.append(SqlSource("warehouse", SqlOptions.model_validate(given), {}, root))
        return made[-1]

    yield opened
    for each in made:
        each.close()


def series(kind: str = "total", **more: Any) -> Series:
    return Series.model_validate({"source": "warehouse", "kind": kind, "metric": "asked", **more})


def values(source: SqlSource, kind: str = "total", window: Window = WINDOW, **more: Any) -> dict[int, Any]:
    """The rows by the hour of their step; -1 for what is no number."""
    rows = source.fetch(series(kind, **more), window).rows.fillna(-1).sort_index()
    lists = {
        (at.to_pydatetime() - START) // HOUR: row for at, row in zip(rows.index, rows.to_numpy().tolist(), strict=True)
    }
    return {hour: row[0] if len(row) == 1 else row for hour, row in lists.items()}


def failure(source: SqlSource, kind: str = "total", **more: Any) -> FetchError:
    with pytest.raises(FetchError) as caught:
        source.fetch(series(kind, **more), WINDOW)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("histogram", {0: [1 + 1, 2, 3, 3.35], 1: [-1] * 4, 3: [0, 1, 1, 0.5]}),
        ("total", {0: 3.35, 1: -1, 3: 0.5}),
        ("rate", {0: 3.35 / 3600, 1: -1, 3: 0.5 / 3600}),
        ("gauge", {0: 3.35 / 3, 1: -1, 3: 0.5}),
        ("latency", {0: 3, 1: -1, 3: 0.5}),
        # A row without either of the two counts for neither; where the whole is nothing, there is no ratio.
        ("ratio", {0: 0.35 / 4, 1: -1, 3: -1}),
    ],
)
def test_kinds(source: Any, kind: str, expected: dict[int, Any]) -> None:
    """Each kind of series sums up the events of a step in its own way; NULL is no event, infinity makes a gap."""
    assert {hour: pytest.approx(value, rel=1e-15) for hour, value in expected.items()} == values(source(), kind)


def test_counts(source: Any) -> None:
    """A measure without values counts rows, by a time without a zone in UTC as well, or by days."""
    assert values(source({"table": "events", "time": "written"})) == {0: 1, 1: 2, 2: 3}
    assert values(source({"table": "main.events", "time": "written"}), "rate")[1] == 2 / 3600
    days = Window(START, START + timedelta(days=2), timedelta(days=1))
    assert values(source({"table": "events", "time": "day"}), "total", days) == {0: 2, 24: 4}


def test_truths(source: Any) -> None:
    """The ratio of a column of truths is the share of those that hold; NULL is neither."""
    assert values(source({"table": "events", "time": "at", "value": "failed"}), "ratio") == {0: 0.5, 1: 1, 2: 0, 3: 0}


@pytest.mark.parametrize(
    ("match", "steps"),
    [
        ({"route": "/b"}, {0: 0.25}),
        ({"shard": "8"}, {0: 3}),
        ({"failed": "true", "route": "/a"}, {0: 0.1, 1: -1}),
        ({"price": "0.5"}, {0: 0.35}),
        ({"route": "' OR 1=1 --"}, {}),
    ],
)
def test_match(source: Any, match: dict[str, str], steps: dict[int, float]) -> None:
    """Rows are chosen by texts, whole numbers, truths and numbers."""
    assert values(source(), match=match) == {hour: pytest.approx(value, rel=1e-15) for hour, value in steps.items()}


@pytest.mark.parametrize(
    ("match", "said"),
    [
        ({"shard": "seven"}, "match: shard holds whole numbers, and 'seven' is none"),
        ({"failed": "yes"}, "match: failed holds true or false, and 'yes' is none"),
        ({"price": "cheap"}, "match: price holds numbers, and 'cheap' is none"),
    ],
)
def test_a_match_of_another_type(source: Any, match: dict[str, str], said: str) -> None:
    """A story's value that cannot be in the column is the story's mistake."""
    error = failure(source(), match=match)
    assert (error.what, error.fault, error.retry) == (said, "query", False)


@settings(max_examples=25)
@given(st.lists(st.floats(-1e15, 1e15) | st.floats(1e-6, 10), min_size=1, max_size=50), st.randoms())
def test_sums_are_exact(numbers: list[float], random: Any) -> None:
    """A sum is what exact arithmetic gives, rounded once, in whatever order the rows come."""
    measure = Measure.model_validate({"table": "t", "time": "at", "value": "v"})
    columns: dict[str, Any] = {"at": "naive", "v": "double"}
    asked = question(measure, series("total"), WINDOW, columns, "duckdb")
    for _ in range(2):
        random.shuffle(numbers)
        with duckdb.connect() as database:
            database.execute('CREATE TABLE t ("at" TIMESTAMP, v DOUBLE)')
            database.execute("INSERT INTO t SELECT '2026-09-01 00:10:00', unnest(?)", [numbers])
            ((total,),) = asked.read(database.execute(asked.sql).fetchall()).rows.to_numpy().tolist()
        # Below 2**-72 nothing is kept.
        assert total == pytest.approx(math.fsum(numbers), rel=2**-52, abs=len(numbers) * 2.0**-72)


@settings(max_examples=25)
@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40), st.floats(0.001, 0.999))
def test_quantiles_are_values(numbers: list[float], quantile: float) -> None:
    """A quantile is the smallest value that so large a share of all values does not exceed."""
    quantile = round(quantile, 3)
    measure = Measure.model_validate({"table": "t", "time": "at", "value": "v", "quantile": quantile})
    asked = question(measure, series("latency"), WINDOW, {"at": "naive", "v": "double"}, "duckdb")
    with duckdb.connect() as database:
        database.execute('CREATE TABLE t ("at" TIMESTAMP, v DOUBLE)')
        database.execute("INSERT INTO t SELECT '2026-09-01 00:10:00', unnest(?)", [numbers])
        ((found,),) = asked.read(database.execute(asked.sql).fetchall()).rows.to_numpy().tolist()
    rank = -(-len(numbers) * round(quantile * 1000) // 1000)
    assert found == sorted(numbers)[rank - 1]


def test_sql(source: Any) -> None:
    """SQL that gives one row a step is taken as it is; `match` chooses among its rows."""
    steps = 'SELECT time_bucket(INTERVAL {step} SECOND, "at") AS time, route, max(seconds) AS value FROM events'
    measure = {"sql": f'{steps} WHERE "at" >= {{start}} AND "at" < {{end}} GROUP BY 1, 2; ', "match": ["route"]}
    assert values(source(measure), "gauge", match={"route": "/a"}) == {0: 3, 1: math.inf, 2: -1, 3: 0.5}
    twice = source(measure).fetch(series("gauge"), WINDOW)
    with pytest.raises(FetchError, match="two different values for the step"):
        tidy(twice, WINDOW)


def test_a_histogram_of_sql(source: Any) -> None:
    """Columns le=... and sum are a histogram, spelled as snapshots spell them."""
    sql = 'SELECT {start} AS time, 3 AS "le=+Inf", 1::DECIMAL(9, 2) AS "le=0.50", 2 AS "le=1.0", 4.5 AS sum'
    rows = source(sql).fetch(series("histogram"), WINDOW).rows
    assert rows.iloc[0].to_dict() == {"le=0.5": 1, "le=1": 2, "le=+Inf": 3, "sum": 4.5}
    assert "needs columns le=" in failure(source("SELECT {start} AS time, 1 AS sum"), "histogram").what
    lacking = 'SELECT {start} AS time, 1 AS "le=1", 1 AS sum'
    assert "le=+Inf is missing" in failure(source(lacking), "histogram").what
    lacking = 'SELECT {start} AS time, 1 AS "le=+Inf"'
    assert "no column 'sum'" in failure(source(lacking), "histogram").what


@pytest.mark.parametrize(
    ("measure", "said"),
    [
        ({**EVENTS, "value": "second"}, "events has no column 'second' (did you mean seconds?)"),
        ({**EVENTS, "time": "seconds"}, "the column 'seconds' holds no times"),
        ({**EVENTS, "value": "route"}, "the column 'route' holds no numbers"),
        ({**EVENTS, "table": "event"}, "Table with name event does not exist"),
        ({"sql": "SELECT {start} AS time"}, "the query's answer has no column 'value'"),
        ({"sql": "SELECT at AS"}, "syntax error"),
        ({"sql": "SELECT {start} AS time, 'x'::INT AS value"}, "Could not convert string 'x' to INT32"),
    ],
)
def test_mistakes_of_a_measure(source: Any, measure: dict[str, Any], said: str) -> None:
    """What is wrong in sources.yml is told with the measure's name, and is not tried again."""
    error = failure(source(measure))
    assert error.what.startswith(PLACE)
    assert said in error.what
    assert (error.retry, error.fault) == (False, "query")


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO events (seconds) VALUES (1)",
        "SELECT 1) x; INSERT INTO events (seconds) VALUES (1); SELECT * FROM (SELECT 1",
        "SELECT 1) x; COPY events TO 'left/copy.csv'; SELECT * FROM (SELECT 1",
        "SELECT 1) x; ATTACH 'left/attached.duckdb'; SELECT * FROM (SELECT 1",
        "SELECT 1) x; EXPORT DATABASE 'left/export'; SELECT * FROM (SELECT 1",
        "SELECT 1) x; SET enable_external_access = true; SELECT * FROM (SELECT 1",
        "SELECT 1) x; SET lock_configuration = false; SELECT * FROM (SELECT 1",
        "SELECT 1) x; INSTALL httpfs; SELECT * FROM (SELECT 1",
        "SELECT {start} AS time, 1 AS value FROM read_csv('/etc/passwd')",
        "SELECT {start} AS time, 1 AS value FROM read_text('/etc/passwd')",
        "SELECT {start} AS time, 1 AS value FROM '/etc/passwd'",
        "SELECT {start} AS time, 1 AS value FROM read_parquet('https://127.0.0.1/x.parquet')",
        "SELECT {start} AS time, 1 AS value FROM root",
    ],
)
def test_nothing_is_written(source: Any, root: Path, monkeypatch: pytest.MonkeyPatch, sql: str) -> None:
    """A measure that would write, reach other files or the network, or read Python's variables leaves nothing."""
    (root / "left").mkdir()
    monkeypatch.chdir(root)
    before = (root / "data/warehouse.duckdb").read_bytes()
    made = source(sql)
    error = failure(made)
    made.close()
    assert error.what.startswith(PLACE)
    assert "syntax" not in error.what or sql.startswith("INSERT")
    assert not error.retry
    assert "root:x" not in error.what
    assert (root / "data/warehouse.duckdb").read_bytes() == before
    assert [*(root / "left").iterdir()] == []
    assert [path.name for path in (root / "data").iterdir()] == ["warehouse.duckdb"]


def test_two_sources_of_one_file(source: Any) -> None:
    """What one of them has locked up, the other need not."""
    first, second = source(), source({"table": "events", "time": "written"})
    assert (values(first, match={"route": "/b"}), values(second)) == ({0: 0.25}, {0: 1, 1: 2, 2: 3})
    assert "locked" in failure(source("SELECT 1) x; SET TimeZone = 'Asia/Tokyo'; SELECT * FROM (SELECT 1")).what


def test_a_missing_file(source: Any) -> None:
    """A file that is not there is told, and not made."""
    error = failure(source(connect="duckdb://data/other.duckdb"))
    assert (error.what, error.retry) == ("warehouse (data/other.duckdb) is not there", False)


def test_a_file_of_something_else(source: Any, root: Path) -> None:
    """A file that is no database is told by its name alone."""
    (root / "data/odd.duckdb").write_bytes(b"no database" * 1000)
    error = failure(source(connect="duckdb://data/odd.duckdb"))
    assert 'The file "odd.duckdb" exists, but it is not a valid DuckDB database file' in error.what
    assert not error.retry
    assert str(root) not in error.what


def test_a_locked_file(source: Any, root: Path) -> None:
    """While another program writes, it is tried again; and then it works."""
    path = root / "data/warehouse.duckdb"
    script = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('open', flush=True); sys.stdin.read()"
    made = source()
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        assert writer.stdout.readline() == b"open\n"
        error = failure(made)
        writer.communicate()
    assert error.retry
    assert error.what == "warehouse (data/warehouse.duckdb) is locked: another program writes to it"
    assert values(made, match={"route": "/b"}) == {0: 0.25}


FOR_EVER = (
    "SELECT {start} AS time, count(*) AS value FROM range(1000000000) a, range(1000000) b WHERE a.range % 7 = b.range"
)


def test_closed_in_the_middle(source: Any) -> None:
    """A run that is ended does not wait for its queries: they are interrupted before the database is closed."""
    made = source(FOR_EVER, timeout="60s")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(failure, made)
        while not made.session._busy:
            time.sleep(0.01)
        time.sleep(0.2)
        begun = time.monotonic()
        made.close()
        assert time.monotonic() - begun < session.GRACE
        assert "Interrupted" in asked.result().what
    assert made.session._busy == set()


def test_closed_where_nothing_ends(source: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be interrupted is left to the end of the process."""
    made = source("SELECT {start} AS time, 1 AS value")
    over, closed = threading.Event(), []
    monkeypatch.setattr(session, "GRACE", 0.1)
    monkeypatch.setattr(made.session.engine, "close", lambda: closed.append(True))
    with ThreadPoolExecutor(1) as pool:
        pool.submit(made.session.run, lambda _: over.wait(20))
        while not made.session._busy:
            time.sleep(0.01)
        made.close()
        assert closed == []
        over.set()
    made.close()
    assert closed == [True]


def test_a_stall(source: Any) -> None:
    """A query that takes too long is interrupted; the next one works."""
    made = source(FOR_EVER, timeout="300ms")
    begun = time.monotonic()
    error = failure(made)
    assert time.monotonic() - begun < session.GRACE
    assert error.retry
    assert error.what == "warehouse (data/warehouse.duckdb) did not answer in full within 0.3 s"
    assert made.session._idle == []
    assert made.probe() == "warehouse (data/warehouse.duckdb) answers"


def test_threads(source: Any) -> None:
    """Eight at a time get their own answers."""
    made = source()
    routes = ["/a", "/b"] * 20
    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(lambda route: values(made, match={"route": route, "shard": "7"}), routes)]
    assert found[0::2] == [{0: 0.1, 1: -1, 3: 0.5}] * 20
    assert found[1::2] == [{0: 0.25}] * 20


def test_too_many_rows(source: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer is read up to a cap."""
    monkeypatch.setattr(questions, "MAX_ROWS", 1000)
    error = failure(source("SELECT {start} AS time, 1 AS value FROM range(100000000)"))
    assert (error.what, error.fault) == ("the answer has more than 1,000 rows", "answer")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("duckdb://data/a.duckdb", Address("duckdb", path="data/a.duckdb")),
        ("duckdb:///srv/a%20b.duckdb", Address("duckdb", path="/srv/a b.duckdb")),
        ("pyspark://local", Address("pyspark", "local")),
        ("pyspark://spark.acme.example:7077", Address("pyspark", "spark.acme.example", 7077)),
        ("postgresql://me@db/m", Address("postgres", "db", user="me", database="m")),
        (
            "postgres://me@db:5433/m?sslrootcert=%2Fetc%2Fca.pem&sslmode=verify-full",
            Address(
                "postgres", "db", 5433, "", "me", "m", (("sslmode", "verify-full"), ("sslrootcert", "/etc/ca.pem"))
            ),
        ),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    """Addresses are taken apart, and told without the user."""
    assert read_address(text) == address
    assert "me@" not in address.told


@pytest.mark.parametrize(
    "text",
    [
        "mysql://me@db/m", "duckdb://", "duckdb:///", "duckdb://../a.duckdb", "duckdb://a.duckdb?access_mode=read_write",
        "postgres://db/m", "postgres://me@db", "postgres://me@db/m/n", "postgres://me@db:port/m",
        "postgres://me@db/m?options=-csearch_path", "postgres://me:s3cret@db/m", "pyspark://", "pyspark://local/a", "x",
    ],
)  # fmt: skip
def test_wrong_addresses(text: str) -> None:
    """What is no address is refused, and nothing of it repeated: it may hold a password."""
    with pytest.raises(ValueError, match=r"address|database|\?") as caught:
        read_address(text)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("connect: postgres://me:s3cret@db/m", "a password has no place in the address"),
        ("connect: postgres://me@db/m\npassword: s3cret", "a password must not stand in this file"),
        ("connect: duckdb://a.duckdb\npassword: ${PW}", "`password` is for postgres:// addresses"),
        ("connect: duckdb://a.duckdb\nsettings: {a: b}", "`settings` is for pyspark:// addresses"),
        ("connect: duckdb://a.duckdb\nmeasures: {m: {}}", "a measure has either `table` or `sql`"),
        ("connect: duckdb://a.duckdb\nmeasures: {m: {table: a, sql: b}}", "a measure has either `table` or `sql`"),
        ("connect: duckdb://a.duckdb\nmeasures: {m: {table: a..b}}", "'a..b' is not the name of a table"),
        ("connect: duckdb://a.duckdb\nmeasures: {m: {table: a, buckets: [2, 1]}}", "bounds must ascend"),
        ("connect: duckdb://a.duckdb\nmeasures: {m: {table: a, buckets: [1, inf]}}", "bounds must ascend"),
        ("connect: duckdb://a.duckdb\nmeasures: {m: {sql: a, quantile: 0.5}}", "`quantile` is for a `table`"),
        ("connect: duckdb://a.duckdb\nmeasures: {m: {table: a, vlaue: b}}", "did you mean value?"),
    ],
)
def test_wrong_keys(keys: str, line: str) -> None:
    """Mistakes in sources.yml are told, and no password is repeated."""
    if "measures" not in keys:
        keys += "\nmeasures: {m: {table: a}}"
    options, problems = read_whole(SqlOptions, read_yaml("sources.yml", keys.encode()))
    assert options is None
    (problem,) = map(str, problems)
    assert line in problem
    assert "s3cret" not in problem


SOURCES_YML = """
warehouse:
  kind: sql
  connect: duckdb://data/warehouse.duckdb
  measures:
    request_seconds: {table: requests, time: at, value: seconds, buckets: [1, 2], match: [route], unit: s}
    nightly: {sql: "SELECT 1"}
"""


@pytest.mark.parametrize(
    ("asked", "problems"),
    [
        ("kind: histogram, metric: request_seconds, match: {route: /a}, unit: s", []),
        ("kind: latency, metric: nightly", []),
        (
            "kind: gauge, metric: request_secons, unit: s",
            ["no measure 'request_secons' (did you mean request_seconds?)"],
        ),
        ("kind: gauge", ["`metric` must name a measure of the source (known: nightly, request_seconds)"]),
        ("kind: latency, metric: request_seconds, unit: s", ["declares no `quantile`, which a latency needs"]),
        ("kind: gauge, metric: request_seconds, match: {rout: /a}, unit: s", ["lets no story choose by 'rout'"]),
        ("kind: gauge, metric: nightly, match: {route: /a}", ["name it in the measure's `match`"]),
        ("kind: gauge, metric: request_seconds, unit: ms", ["is in s, not in ms (write unit: s)"]),
        ("kind: gauge, query: SELECT 1", ["`metric` must name a measure", "`query` means nothing to a sql source"]),
    ],
)
def test_check(tmp_path: Path, asked: str, problems: list[str]) -> None:
    """`check` knows the measures, at the line of the story."""
    from ingest.check import check

    story = f"{STORY}telemetry:\n  requests: {{source: warehouse, {asked}}}\n"
    told = [str(each) for each in check(base(tmp_path, {"slow": story}, settings="", sources=SOURCES_YML)).problems]
    assert len(told) == len(problems)
    for line, problem in zip(told, problems, strict=True):
        assert line.startswith("stories/slow.md:6:")
        assert "PK205" in line
        assert problem in line


def test_the_words_of_a_request() -> None:
    """The page of a story shows the measure as it was asked for."""
    options = SqlOptions.model_validate(
        {"connect": "duckdb://a.duckdb", "measures": {"asked": EVENTS, "raw": {"sql": "SELECT 1"}}}
    )
    text = SqlSource.query(series(match={"shard": "7", "route": "/a"}), HOUR, options)
    assert text.split("\n") == [
        'asked{route="/a", shard="7"}', "table: events", "time: at", "value: seconds", "of: budget", "buckets: 0.25, 1",
        "quantile: 0.95",
    ]  # fmt: skip
    assert SqlSource.query(series(metric="raw"), HOUR, options) == "raw\nsql: SELECT 1"


def test_a_measure_is_part_of_the_question(tmp_path: Path) -> None:
    """A measure that computes something else makes another series; one that allows more does not."""

    def fingerprint(sources: str) -> str:
        config = base(tmp_path, settings="", sources=sources).config.sources["warehouse"]
        return config.fingerprint(series(metric="request_seconds"))

    before = fingerprint(SOURCES_YML)
    assert fingerprint(SOURCES_YML.replace("[route]", "[route, shard]")) == before
    assert fingerprint(SOURCES_YML.replace("value: seconds", "value: cpu_seconds")) != before
    assert fingerprint(SOURCES_YML.replace("[1, 2]", "[1, 3]")) != before


@pytest.mark.parametrize(
    ("module", "connect", "extra"),
    [
        ("duckdb", "duckdb://a.duckdb", "sql"),
        ("ibis", "duckdb://a.duckdb", "sql"),
        ("psycopg", "postgres://me@db/m", "postgres"),
        ("pyspark", "pyspark://local", "spark"),
    ],
)
def test_a_missing_package(monkeypatch: pytest.MonkeyPatch, module: str, connect: str, extra: str) -> None:
    """What is not installed is named by its extra."""
    monkeypatch.setitem(sys.modules, module, None)
    options = SqlOptions.model_validate({"connect": connect, "measures": {}})
    with pytest.raises(UserError, match="needs packages that are not installed") as caught:
        SqlSource("warehouse", options, {}, Path())
    assert caught.value.hint == f'pip install "perfkb[{extra}]"'
    assert caught.value.where == "site-config/sources.yml: warehouse"


def test_a_missing_variable() -> None:
    """A password that the environment does not have is told before anything is asked."""
    options = SqlOptions.model_validate({"connect": "postgres://me@db/m", "password": "${NONE_SUCH}", "measures": {}})
    with pytest.raises(UserError, match="the environment has no NONE_SUCH"):
        SqlSource("warehouse", options, {}, Path())


def test_databases_are_loaded_when_they_are_needed(tmp_path: Path) -> None:
    """Neither help nor check loads what only fetching needs."""
    base(tmp_path, {"slow": STORY}, settings="", sources=SOURCES_YML)
    script = (
        "import sys, perfkb\n"
        "from ingest.check import check\n"
        "from ingest.knowledge import read_knowledge_base\n"
        "from pathlib import Path\n"
        f"assert check(read_knowledge_base(Path({str(tmp_path)!r}), {{}})).problems == []\n"
        "print({'ibis', 'duckdb', 'psycopg', 'pyspark', 'sqlglot'} & {*sys.modules})\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"


def test_a_probe_has_no_rows() -> None:
    """Names are quoted as each database wants it."""
    measure = Measure.model_validate({"table": 'web.re"qu`ests'})
    assert probe(measure, WINDOW, "postgres") == 'SELECT * FROM "web"."re""qu`ests" LIMIT 0'
    assert probe(measure, WINDOW, "pyspark") == 'SELECT * FROM `web`.`re"qu``ests` LIMIT 0'


COUNTS: dict[str, Any] = {
    "all": {"table": "events"},
    "slow": {"sql": "SELECT count(*) FROM events WHERE seconds > 0.2;"},
    "new": {"sql": 'SELECT count(*) AS n FROM events WHERE "at" >= {start} AND "at" < {end}'},
    "values": {"table": "events", "value": "seconds"},
    "two_rows": {"sql": "SELECT 1 FROM events"},
    "two_columns": {"sql": "SELECT 1, 2"},
    "half": {"sql": "SELECT 0.5"},
    "less": {"sql": "SELECT -1"},
    "nan": {"sql": "SELECT 'nan'::DOUBLE"},
    "many": {"sql": "SELECT 1e300"},
    "nothing": {"sql": "SELECT NULL"},
    "word": {"sql": "SELECT 'three'"},
    "gone": {"table": "events_of_old"},
}


@pytest.mark.parametrize(("name", "expected"), [("all", 6), ("slow", 4), ("new", 4)])
def test_a_count_of_reports(source: Any, name: str, expected: int) -> None:
    """The rows of a table, or the one number of SQL, at the day that ended."""
    at = datetime(2026, 9, 1, 2, tzinfo=UTC)
    found = source(measures=COUNTS).count(name, at)
    assert found.rows["value"].to_dict() == {at - timedelta(days=1): expected}


@pytest.mark.parametrize("name", ["two_rows", "two_columns", "half", "less", "nan", "many", "nothing", "word"])
def test_what_is_no_count(source: Any, name: str) -> None:
    """Anything but one whole number is an error of the measure, and never a zero."""
    with pytest.raises(FetchError) as caught:
        source(measures=COUNTS).count(name, START)
    told = f"site-config/sources.yml: warehouse.measures.{name}: answers with something else than a count"
    assert (caught.value.what, caught.value.fault) == (told, "query")


def test_a_count_of_a_table_that_is_not_there(source: Any) -> None:
    """The database's own words are told, at the measure's place."""
    with pytest.raises(FetchError, match=r"warehouse\.measures\.gone: .*events_of_old") as caught:
        source(measures=COUNTS).count("gone", START)
    assert caught.value.fault == "query"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("all", []),
        ("slow", []),
        ("al", ["query: no measure 'al' (did you mean all?)"]),
        ("values", ["query: the measure 'values' is about values, and counts nothing"]),
    ],
)
def test_objections_to_a_count(query: str, told: list[str]) -> None:
    """A report names a measure that counts."""
    options = SqlOptions.model_validate({"connect": "duckdb://a.duckdb", "measures": COUNTS})
    found = [f"{each.key}: {each.what}" for each in SqlSource.count_objections(query, options)]
    assert [each.partition(" (")[0] for each in told] == found
    assert not SqlSource.count_objections(query, None)


def test_reports_are_counted_by_a_refresh(root: Path) -> None:
    """A story's report names the measure; what it computes is part of what is asked for."""
    sources = "warehouse: {{kind: sql, connect: 'duckdb://data/warehouse.duckdb', measures: {{tickets: {}}}}}\n"
    report = "title: Slow\nstatus: reported\nreports: [{source: warehouse, query: tickets}]\n"

    def refreshed(measure: str) -> tuple[float, str]:
        made = base(root, {"slow": report}, "now: 2026-09-03T06:00Z\n", sources.format(measure))
        assert not check(made).problems
        assert refresh(made, wishes(made), {}).status == 0
        (path,) = (root / ".snapshots/slow").glob("reports_????????????.csv")
        return float(path.read_text().split(",")[-1]), str(wishes(made)[0].query_hash)

    first, asked = refreshed("{table: events}")
    second, asked_then = refreshed("{sql: SELECT 41}")
    assert (first, second) == (6, 41)
    assert asked != asked_then
