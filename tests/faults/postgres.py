"""The rows of the fault table that befall a PostgreSQL server: what happens to it between two refreshes."""

import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from threading import Event, Thread
from typing import Any

from tests.faults import databases
from tests.faults.databases import MEASURES, DatabaseCase, Harm
from tests.faults.dialects import FIRST, HOUR, LAST, truth
from tests.faults.table import Then
from tests.postgresql import PASSWORD, READER, PostgreSQL
from tests.servers import free_port

KIND = "postgresql"
DIALECT = databases.dialect(KIND)
VARIABLE = "DATABASE_PASSWORD"

Changes = Iterator[Mapping[str, Any] | None]


def options(server: PostgreSQL) -> dict[str, Any]:
    """The keys of sources.yml."""
    return {"connect": server.connect, "password": f"${{{VARIABLE}}}", "measures": MEASURES}


def fill(server: PostgreSQL) -> None:
    """Makes the table anew, with the true rows of series 1."""
    server.run(
        "DROP SCHEMA IF EXISTS faults CASCADE",
        "CREATE SCHEMA faults",
        f"GRANT USAGE ON SCHEMA faults TO {READER}",
        f"ALTER ROLE {READER} SET search_path = faults",
        "CREATE TABLE faults.level (time timestamptz, value float8)",
        f"INSERT INTO faults.level SELECT to_timestamp(start), {truth(1, 0)}::float8 + start / {HOUR}"  # noqa: S608
        f" FROM generate_series({FIRST}, {LAST - HOUR}, {HOUR}) AS steps(start)",
        f"GRANT SELECT ON faults.level TO {READER}",
    )


def does(*statements: str, undo: str = "SELECT 1") -> Harm:
    """Statements that somebody runs on the database; {here} is the step before the last one."""

    @contextmanager
    def harm(server: PostgreSQL) -> Changes:
        server.run(
            "SET search_path = faults",
            *(each.format(here=f"extract(epoch FROM time) = {databases.AT}") for each in statements),
        )
        try:
            yield None
        finally:
            server.run(undo)

    return harm


@contextmanager
def refused(server: PostgreSQL) -> Changes:
    del server  # which is not asked
    yield {"connect": f"postgres://{READER}@127.0.0.1:{free_port()}/metrics"}


def asked_as(old: str, new: str) -> Harm:
    """Another address."""

    @contextmanager
    def harm(server: PostgreSQL) -> Changes:
        yield {"connect": server.connect.replace(old, new)}

    return harm


@contextmanager
def silent(server: PostgreSQL) -> Changes:
    """A server that takes connections, and says nothing."""
    del server
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield {"connect": f"postgres://{READER}@127.0.0.1:{listening.getsockname()[1]}/metrics"}


@contextmanager
def web(server: PostgreSQL) -> Changes:
    """A web server in the database's place, which does not understand what it is asked."""
    del server

    def answer(client: socket.socket) -> None:
        with client, suppress(OSError):
            client.recv(100)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<!doctype html>")

    with answering(answer) as port:
        yield {"connect": f"postgres://{READER}@127.0.0.1:{port}/metrics"}


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port at which each client is answered in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    Thread(target=answer, args=(listening.accept()[0],), daemon=True).start()

        Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        # Closing alone would not wake who waits for the next one.
        listening.shutdown(socket.SHUT_RDWR)


@contextmanager
def locked(server: PostgreSQL) -> Changes:
    with server.admin() as holder, holder.transaction():
        holder.execute("LOCK TABLE faults.level IN ACCESS EXCLUSIVE MODE")
        yield None


@contextmanager
def ended(server: PostgreSQL) -> Changes:
    """An administrator who ends each of our sessions as soon as it asks something that takes a while."""
    with does(*view("0 * length(pg_sleep(5)::text)"))(server):
        over = Event()

        def end() -> None:
            with server.admin() as connection:
                while not over.wait(0.05):
                    connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE usename = %s AND state = 'active' AND query LIKE '%%perfkb_rows%%'",
                        [READER],
                    )

        thread = Thread(target=end)
        thread.start()
        try:
            yield None
        finally:
            over.set()
            thread.join()


def cut(after: int, *, reset: bool) -> Harm:
    """A network that lets so many bytes of each of the server's connections through, and then ends it."""

    def between(client: socket.socket, port: int) -> None:
        with client, socket.create_connection(("127.0.0.1", port)) as inner, suppress(OSError):
            asking = Thread(target=_pass_on, args=(client, inner), daemon=True)
            asking.start()
            left = after
            while left and (data := inner.recv(left)):
                client.sendall(data)
                left -= len(data)
            # As long as a thread reads from it, closing would end nothing.
            client.shutdown(socket.SHUT_RD)
            asking.join()
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    @contextmanager
    def harm(server: PostgreSQL) -> Changes:
        with answering(lambda client: between(client, server.port)) as port:
            yield {"connect": f"postgres://{READER}@127.0.0.1:{port}/metrics"}

    return harm


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)


def view(more: str) -> tuple[str, ...]:
    """Statements that put a view with something more about each value in the place of the table."""
    return (
        "ALTER TABLE level RENAME TO rows",
        f"CREATE VIEW level AS SELECT time, value + {more} AS value FROM rows",  # noqa: S608
        f"GRANT SELECT ON level TO {READER}",
    )


def case(row: str, name: str, harm: Harm, then: Then, said: str = "", **more: Any) -> DatabaseCase:
    return replace(DatabaseCase(row, name, harm, then, said, column=KIND), **more)


SET = "UPDATE level SET value = VALUE WHERE {here}"
CREDENTIALS = "does not accept our credentials"
AWAY = "refused, unknown host; stall"
TWICE = "duplicate or out-of-order times"
CASES = (
    case(AWAY, "connection refused", refused, "retried", "cannot be reached"),
    case(AWAY, "unknown host", asked_as("127.0.0.1", "db.invalid"), "retried", "is not known by that name"),
    case(AWAY, "it says nothing", silent, "retried", "did not answer in full", timeout="300ms"),
    case("429, 503 with Retry-After", "no connection is free",
         does(f"ALTER ROLE {READER} CONNECTION LIMIT 0", undo=f"ALTER ROLE {READER} CONNECTION LIMIT -1"),
         "retried", "takes no connections now"),
    case("reset", "an administrator ends it", ended, "retried", "broke off"),
    case("reset", "in mid-answer", cut(1100, reset=True), "retried", "broke off", timeout="2s"),
    case("cut body", "in mid-answer", cut(1100, reset=False), "retried", "broke off", timeout="2s"),
    case("cut body", "in the greeting", cut(20, reset=False), "retried", timeout="2s"),
    case("400, 422", "the table is gone", does("DROP TABLE level"), "query", 'relation "level" does not exist'),
    case("400, 422", "a column is gone", does("ALTER TABLE level DROP value"), "query", 'column "value"'),
    case("400, 422", "a column of texts", does("ALTER TABLE level ALTER value TYPE text"), "query",
         "the column 'value' holds no numbers"),
    case("400, 422", "a division by zero", does(*view("1 / (0 * extract(epoch FROM time))")), "query",
         "division by zero"),
    case("400, 422", "no right to read it", does(f"REVOKE ALL ON level FROM {READER}"), "query",
         "permission denied for table level"),
    case("401, 403", "another password",
         does(f"ALTER ROLE {READER} PASSWORD 'an0ther-0ne'", undo=f"ALTER ROLE {READER} PASSWORD '{PASSWORD}'"),
         "credentials", CREDENTIALS),
    case("401, 403", "an account that is gone", asked_as(READER, "gone"), "credentials", CREDENTIALS),
    case("401, 403", "a superuser", asked_as(READER, "postgres"), "credentials", "lets us in as a superuser"),
    case("401, 403", "an account that may not log in",
         does(f"ALTER ROLE {READER} NOLOGIN", undo=f"ALTER ROLE {READER} LOGIN"), "kept", "does not let us in"),
    case("200 with something else", "a web server", web, "kept"),
    case("200 with something else", "no such database", asked_as("/metrics", "/metric"), "kept",
         "has no such database"),
    case("empty answer", "where there was data", does("DELETE FROM level"), "kept", "the answer has no rows"),
    case("empty answer", "where that is allowed", does("DELETE FROM level"), "fresh", wrong=(1, 2, 3),
         series={"allow_empty": True}),
    *(case("no number", text, does(SET.replace("VALUE", text)), "fresh", wrong=(2,))
      for text in ("NULL", "'NaN'", "'Infinity'", "'-Infinity'", "1e300")),
    case("stale gap", "a step without a row", does("DELETE FROM level WHERE {here}"), "fresh", wrong=(2,)),
    case(TWICE, "out of order", does("CREATE TABLE other AS SELECT * FROM level ORDER BY time DESC",
         "TRUNCATE level", "INSERT INTO level SELECT * FROM other"), "fresh"),
    case(TWICE, "equal twice", does("INSERT INTO level SELECT * FROM level WHERE {here}"), "fresh"),
    case(TWICE, "two values", does("INSERT INTO level SELECT time, value + 1 FROM level WHERE {here}"), "kept",
         "two different values"),
    case(TWICE, "between the steps", does("UPDATE level SET time = time + interval '7 minutes' WHERE {here}"), "kept",
         "does not begin a step"),
    case("clock skew, future samples", "future samples",
         does("INSERT INTO level SELECT time + interval '60 days', 13 FROM level"), "fresh"),
    case("SQL timeout or lock", "a query that takes too long", does(*view("0 * length(pg_sleep(5)::text)")),
         "retried", "", timeout="300ms"),
    case("SQL timeout or lock", "the table is locked", locked, "retried", "waits for a lock", timeout="300ms"),
    case("huge body, gzip bomb", "too many rows",
         does("INSERT INTO level SELECT time, n FROM level, generate_series(1, 1000) AS n"), "kept",
         "has more than 1,000 rows"),
    case("down for weeks", "three weeks", refused, "retried", "No data for", later=timedelta(weeks=3)),
)  # fmt: skip
