"""The `sql` source against a real PostgreSQL that is slow, locked, killed, or gone."""

import json
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread, Timer
from typing import Any

import pytest

from ingest.errors import FetchError
from ingest.sources.base import Window
from ingest.sources.sql import SqlSource, questions
from ingest.sources.sql import postgres as module
from ingest.sources.sql.options import SqlOptions
from ingest.story import Series
from tests.postgresql import PASSWORD, READER, PostgreSQL, running_postgresql
from tests.servers import free_port

HOUR = timedelta(hours=1)
START = datetime(2026, 9, 1, tzinfo=UTC)
WINDOW = Window(START, START + 4 * HOUR, HOUR)
EVENTS = {"table": "events", "time": "at", "value": "seconds", "buckets": ["0.5"], "quantile": "0.5", "match": ["kind"]}
SLOW = {"sql": "SELECT {start} AS time, 1 AS value FROM pg_sleep(20)"}
UNLIMITED = "SELECT %(limit)s, %(wait)s, 'off', extract(epoch FROM now())::float8"
PLACE = "site-config/sources.yml: warehouse.measures.asked:"


@pytest.fixture(scope="module")
def database(postgresql: PostgreSQL) -> PostgreSQL:
    postgresql.run(
        "CREATE TABLE IF NOT EXISTS public.events (at timestamptz, seconds float8, kind text)",
        "TRUNCATE public.events",
        "INSERT INTO public.events VALUES"
        " ('2026-08-31 23:59:59.999+00', 9, 'a'), ('2026-09-01 00:00:00+00', 0.25, 'a'),"
        " ('2026-09-01 00:59:59.999999+00', 0.5, 'a'), ('2026-09-01 02:30:00+02', 4, 'b'),"
        " ('2026-09-01 02:00:00+00', NULL, 'a'), ('2026-09-01 03:10:00+00', 'NaN', 'a'),"
        " ('2026-09-01 03:20:00+00', 1, 'a'), ('2026-09-01 04:00:00+00', 9, 'a')",
        "CREATE TABLE IF NOT EXISTS public.secret (at timestamptz)",
        f"GRANT SELECT ON public.events TO {READER}",
    )
    return postgresql


@pytest.fixture(scope="module")
def mortal() -> Iterator[PostgreSQL]:
    """A server that may be killed."""
    with running_postgresql() as server:
        yield server


@pytest.fixture
def sources() -> Iterator[list[SqlSource]]:
    made: list[SqlSource] = []
    yield made
    for each in made:
        each.close()


@pytest.fixture
def source(database: PostgreSQL, sources: list[SqlSource]) -> Any:
    """Makes a source with one measure, `asked`."""

    def make(measure: dict[str, Any] | str = "", **options: Any) -> SqlSource:
        asked = {"sql": measure} if isinstance(measure, str) and measure else measure or EVENTS
        password = options.pop("word", PASSWORD)
        given = {"connect": database.connect, "password": "${PW}", "measures": {"asked": asked}, **options}
        made = SqlSource("warehouse", SqlOptions.model_validate(given), {"PW": password}, Path("/nowhere"))
        sources.append(made)
        return made

    return make


def series(kind: str = "total", **more: Any) -> Series:
    return Series.model_validate({"source": "warehouse", "kind": kind, "metric": "asked", **more})


def values(source: SqlSource, kind: str = "total", **more: Any) -> dict[int, Any]:
    """The values by the hour of their step."""
    rows = source.fetch(series(kind, **more), WINDOW).rows
    found = rows["value"].fillna(-1).to_dict() if "value" in rows else rows.fillna(-1).T.to_dict("list")
    return {(at - START) // HOUR: value for at, value in sorted(found.items())}  # type: ignore[operator]


def failure(source: SqlSource, kind: str = "total", **more: Any) -> FetchError:
    with pytest.raises(FetchError) as caught:
        source.fetch(series(kind, **more), WINDOW)
    assert PASSWORD not in caught.value.what
    return caught.value


def asleep(server: PostgreSQL) -> int:
    """How many of our queries the server is busy with."""
    found: int = server.run(
        f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{READER}' AND state = 'active'"  # noqa: S608
    )[0][0]
    return found


def test_kinds(source: Any) -> None:
    """Events are told apart by the step in which they happen, in UTC; NULL is no event, and NaN makes a gap."""
    made = source()
    assert values(made) == {0: 4.75, 3: -1}
    assert values(made, match={"kind": "a"}) == {0: 0.75, 3: -1}
    assert values(made, "rate", match={"kind": "b"}) == {0: 4 / 3600}
    assert values(made, "gauge") == {0: 4.75 / 3, 3: -1}
    assert values(made, "latency") == {0: 0.5, 3: -1}
    assert values(made, "histogram") == {0: [2, 3, 4.75], 3: [-1, -1, -1]}
    assert made.fetch(series(), WINDOW).warnings == ("1 of 2 steps hold values that are no number: gaps",)
    assert values(source({"table": "public.events", "time": "at"})) == {0: 3, 2: 1, 3: 2}


def test_threads(source: Any) -> None:
    """Eight at a time have a connection each, which is used again."""
    made = source("SELECT {start} AS time, count(*) AS value FROM events, pg_sleep(0.05) WHERE at < {end}")
    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(lambda _: values(made), range(40))]
    assert found == [{0: 7}] * 40
    assert 1 <= len(made.session._idle) <= 8


def test_refused(source: Any) -> None:
    """Where nobody listens, it is tried again."""
    error = failure(source(connect=f"postgres://perfkb@127.0.0.1:{free_port()}/metrics"))
    assert error.retry
    assert error.what.endswith("cannot be reached")


def test_an_unknown_host(source: Any) -> None:
    """A name that is not known now may be later."""
    error = failure(source(connect="postgres://perfkb@db.invalid/metrics"))
    assert (error.what, error.retry) == ("warehouse (db.invalid) is not known by that name", True)


@pytest.mark.parametrize("drips", [False, True])
def test_a_server_that_says_nothing(source: Any, drips: bool) -> None:
    """A connection that is taken and not answered ends at the time limit, also one that drips."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        over: list[bool] = []

        def serve() -> None:
            client, _ = server.accept()
            sent = 0
            with client:
                while drips and not over:
                    # A notice of 1,000 bytes, which come one by one.
                    client.sendall(b"N\0\0\x03\xe8"[sent : sent + 1] or b"S")
                    sent += 1
                    time.sleep(0.05)
                time.sleep(0 if drips else 1)

        thread = Thread(target=serve)
        thread.start()
        begun = time.monotonic()
        error = failure(source(connect=f"postgres://perfkb@127.0.0.1:{server.getsockname()[1]}/m", timeout="500ms"))
        took = time.monotonic() - begun
        over.append(True)
        thread.join()
    assert error.retry
    assert took < 5
    assert "did not answer in full" in error.what or "cannot be reached" in error.what


def test_a_stall_is_cancelled_by_us(source: Any, database: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    """A query that the server lets run is cancelled at the time limit, and the server is idle again."""
    monkeypatch.setattr(module, "_BEGIN", UNLIMITED)
    begun = time.monotonic()
    error = failure(source(SLOW, timeout="500ms"))
    assert (error.what, error.retry) == (f"{place(database)} did not answer in full within 0.5 s", True)
    assert time.monotonic() - begun < 3
    assert asleep(database) == 0


def test_a_stall_is_ended_by_the_server(source: Any, database: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server keeps the limit by itself, should we be unable to tell it."""
    monkeypatch.setattr(module._Connection, "cancel", lambda _: None)
    assert failure(source(SLOW, timeout="500ms")).retry
    time.sleep(0.2)
    assert asleep(database) == 0


def test_a_network_that_swallows_everything(source: Any, database: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that cannot even be cancelled is given up."""
    monkeypatch.setattr(module, "_BEGIN", UNLIMITED)
    monkeypatch.setattr(module._Connection, "cancel", lambda _: None)
    monkeypatch.setattr("ingest.sources.sql.session.GRACE", 0.1)
    begun = time.monotonic()
    assert failure(source({"sql": SLOW["sql"].replace("20", "2")}, timeout="300ms")).retry
    assert time.monotonic() - begun < 1.5
    for _ in range(100):
        if not asleep(database):
            break
        time.sleep(0.05)


def place(database: PostgreSQL) -> str:
    return f"warehouse (127.0.0.1:{database.port})"


def test_credentials(source: Any, database: PostgreSQL) -> None:
    """Wrong credentials are not tried again, whichever part of them is wrong."""
    wrong = {
        "a password": source(word="wr0ng-pa55word"),
        "an account": source(connect=f"postgres://nobody@127.0.0.1:{database.port}/metrics"),
        "none": SqlSource(
            "warehouse",
            SqlOptions.model_validate({"connect": database.connect, "measures": {"asked": EVENTS}}),
            {},
            Path(),
        ),
    }
    for name, each in wrong.items():
        error = failure(each)
        told = f"{place(database)} does not accept our credentials; see `password`"
        assert (error.what, error.retry, error.fault) == (told, False, "credentials"), name


def test_credentials_of_the_environment_are_not_used(
    source: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither PGPASSWORD nor a password file lets us in where sources.yml has no password."""
    (tmp_path / "pgpass").write_text(f"*:*:*:*:{PASSWORD}\n")
    (tmp_path / "pgpass").chmod(0o600)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    assert "credentials" in failure(source(password=None)).what


def test_a_superuser(source: Any, database: PostgreSQL) -> None:
    """An account that could run programs is refused."""
    error = failure(source(connect=f"postgres://postgres@127.0.0.1:{database.port}/metrics"))
    assert error.what == f"{place(database)} lets us in as a superuser; give perfkb a role that can only read"
    assert not error.retry
    assert source().probe() == f"{place(database)} answers"


@pytest.mark.parametrize(
    ("measure", "said"),
    [
        ({**EVENTS, "value": "second"}, "events has no column 'second' (did you mean seconds?)"),
        ({**EVENTS, "time": "seconds"}, "the column 'seconds' holds no times"),
        ({**EVENTS, "value": "kind"}, "the column 'kind' holds no numbers"),
        ({**EVENTS, "table": "event"}, 'relation "event" does not exist'),
        ({**EVENTS, "table": "secret"}, "permission denied for table secret"),
        ({"sql": "SELECT at AS"}, "syntax error at or near"),
        ({"sql": "SELECT 1 AS time, 2 AS value"}, "the column 'time' holds no times"),
        ({"sql": "SELECT {start} AS time, 1 / 0 AS value"}, "division by zero"),
        ({"sql": "SELECT {start} AS time, 'x'::text::int AS value"}, "invalid input syntax for type integer"),
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
        "INSERT INTO events VALUES (now(), 1, 'x') RETURNING at AS time, seconds AS value",
        "WITH x AS (INSERT INTO events VALUES (now(), 1, 'x') RETURNING *) SELECT at AS time, 1 AS value FROM x",
        "COPY events TO '/tmp/perfkb-copy'",
        "SELECT 1) x; COMMIT; CREATE TABLE left_behind (a int); SELECT * FROM (SELECT 1",
        "SELECT {start} AS time, nextval('numbers') AS value",
        "SELECT {start} AS time, lo_create(4711) AS value",
        "SELECT {start} AS time, length(pg_read_file('/etc/passwd')) AS value",
        "SELECT {start} AS time, 1 AS value FROM set_config('transaction_read_only', 'off', false)",
        "SELECT at AS time, seconds AS value FROM events FOR UPDATE",
    ],
)
def test_nothing_is_written(source: Any, database: PostgreSQL, sql: str) -> None:
    """A measure that would write, read files or free itself fails and leaves nothing, whatever its account may do."""
    database.run("CREATE SEQUENCE IF NOT EXISTS numbers", f"GRANT ALL ON events, numbers TO {READER}")
    database.run(f"GRANT CREATE ON SCHEMA public TO {READER}")
    before = state(database)
    try:
        error = failure(source(sql))
    finally:
        database.run(f"REVOKE INSERT, UPDATE, DELETE ON events FROM {READER}", f"REVOKE ALL ON numbers FROM {READER}")
    assert error.what.startswith(PLACE)
    assert not error.retry
    assert state(database) == before
    assert not Path("/tmp/perfkb-copy").exists()  # noqa: S108  # where the measure would write


def state(database: PostgreSQL) -> list[Any]:
    return database.run(
        "SELECT (SELECT count(*) FROM public.events), (SELECT count(*) FROM pg_class WHERE relname = 'left_behind'),"
        " (SELECT count(*) FROM pg_largeobject_metadata), (SELECT is_called FROM numbers)"
    )


def test_settings_do_not_outlast_a_query(source: Any) -> None:
    """What a query sets for its session is gone for the next, which reads only and in UTC."""
    sets = "SELECT {start} AS time, length(set_config('TimeZone', 'Asia/Tokyo', false)"
    made = source(sets + " || set_config('default_transaction_read_only', 'off', false)) AS value")
    assert values(made) == {0: 13}
    assert values(made) == {0: 13}
    (connection,) = made.session._idle
    connection.begin(5.0)
    assert connection.rows("SELECT current_setting('TimeZone'), current_setting('transaction_read_only')") == [
        ("UTC", "on")
    ]
    connection.end()


def test_no_rows(source: Any) -> None:
    """An answer without rows has its columns."""
    assert list(source().fetch(series("histogram", match={"kind": "none"}), WINDOW).rows) == [
        "le=0.5",
        "le=+Inf",
        "sum",
    ]


def test_steps_that_are_not_over(source: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that the server's clock has not ended is left for later."""
    sql = "SELECT {start} + n * interval '1h' AS time, n AS value FROM generate_series(0, 3) AS hours(n)"
    late = module._BEGIN.replace("clock_timestamp()", "timestamptz '2026-09-01 03:59:59+00'")
    monkeypatch.setattr(module, "_BEGIN", late)
    assert values(source(sql)) == {0: 0, 1: 1, 2: 2}


def test_odd_rows_of_sql(source: Any) -> None:
    """NULL, NaN and infinity of a query are gaps, and rows that contradict each other are left to judge."""
    sql = "SELECT * FROM (VALUES ({start}, 'NaN'::float8), ({start} + interval '1h', 'Infinity'),"
    sql += " ({start} + interval '2h', NULL), ({start} + interval '3h', 2)) AS x(time, value)"
    found = source(sql).fetch(series("gauge"), WINDOW)
    assert found.rows["value"].isna().sum() == 2
    assert found.warnings == ("3 of 4 steps hold values that are no number: gaps",)
    error = failure(source("SELECT {start} + interval '1 microsecond' AS time, 1 AS value"))
    assert (error.what, error.fault) == ("the row just after 2026-09-01T00:00:00+00:00 does not begin a step", "answer")


def test_too_many_rows(source: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer is read up to a cap."""
    monkeypatch.setattr(questions, "MAX_ROWS", 1000)
    error = failure(source("SELECT {start} AS time, 1.0 AS value FROM generate_series(1, 5000)", timeout="30s"))
    assert (error.what, error.fault) == ("the answer has more than 1,000 rows", "answer")


def test_a_lock(source: Any, database: PostgreSQL) -> None:
    """A table that somebody keeps locked is waited for, and tried again."""
    with database.admin() as holder, holder.transaction():
        holder.execute("LOCK TABLE public.events IN ACCESS EXCLUSIVE MODE")
        error = failure(source(timeout="1s"))
    assert error.retry
    assert error.what == f"{place(database)} waits for a lock: canceling statement due to lock timeout"


def test_too_many_connections(source: Any, database: PostgreSQL) -> None:
    """A server without free connections is tried again."""
    database.run(f"ALTER ROLE {READER} CONNECTION LIMIT 0")
    try:
        error = failure(source())
    finally:
        database.run(f"ALTER ROLE {READER} CONNECTION LIMIT -1")
    assert (error.what, error.retry) == (f"{place(database)} takes no connections now", True)


def test_a_missing_database(source: Any, database: PostgreSQL) -> None:
    """A database that is not there is named as the fault, once."""
    error = failure(source(connect=database.connect.replace("/metrics", "/metric")))
    assert (error.what, error.retry) == (f"{place(database)} has no such database", False)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_a_server_that_dies(source: Any, mortal: PostgreSQL, how: signal.Signals) -> None:
    """A server that stops in the middle of a query is tried again, and answers once it is back."""
    made = source("SELECT {start} AS time, 1 AS value FROM pg_sleep(0.8)", connect=mortal.connect)
    assert values(made) == {0: 1}
    killer = Timer(0.4, mortal.stop, [how])
    killer.start()
    error = failure(made)
    killer.join()
    assert error.retry
    assert "broke off" in error.what
    gone = failure(made)
    assert (gone.retry, gone.what.endswith("cannot be reached")) == (True, True)
    mortal.start()
    assert values(made) == {0: 1}


def test_a_connection_that_died_in_between(source: Any, database: PostgreSQL) -> None:
    """Connections that the server has dropped cost one attempt, and not one each."""
    made = source("SELECT {start} AS time, 1 AS value FROM pg_sleep(0.1)")
    with ThreadPoolExecutor(4) as pool:
        assert len([*pool.map(lambda _: values(made), range(4))]) == 4
    database.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{READER}'")  # noqa: S608
    assert failure(made).retry
    assert values(made) == {0: 1}


def test_a_refresh(tmp_path: Path, database: PostgreSQL) -> None:
    """Through the front door: what is wrong reaches neither the store nor the output, and the last good data stays."""
    from click.testing import CliRunner

    from perfkb import perfkb

    for name, text in {
        "stories/slow.md": "---\ntitle: Slow\nstatus: reported\n"
        "telemetry: {level: {source: warehouse, kind: latency, metric: asked}}\n---\n",
        "site-config/knowledge-base.yml": "now: 2026-09-01T04:30Z\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def refresh(word: str = PASSWORD, hour: int = 4, **options: Any) -> tuple[int, str]:
        (tmp_path / "site-config/knowledge-base.yml").write_text(f"now: 2026-09-01T0{hour}:30Z\n")
        given: dict[str, Any] = {"kind": "sql", "connect": database.connect, "password": "${PW}", "history": "4h"}
        given |= {"measures": {"asked": EVENTS}, **options}
        (tmp_path / "site-config/sources.yml").write_text(json.dumps({"warehouse": given}))
        done = CliRunner().invoke(perfkb, ["-C", str(tmp_path), "refresh"], env={"PW": word})
        everything = done.output + "".join(p.read_text() for p in (tmp_path / ".snapshots").rglob("*") if p.is_file())
        assert word not in everything
        return done.exit_code, done.output

    stored = tmp_path / ".snapshots/slow/level.csv"
    assert refresh()[0] == 0
    first = stored.read_bytes()
    assert first == b"time,value\n2026-09-01T00:00:00Z,0.5\n"
    status, output = refresh("wr0ng-pa55word", hour=5)
    assert status == 1
    assert "does not accept our credentials" in output
    assert stored.read_bytes() == first
