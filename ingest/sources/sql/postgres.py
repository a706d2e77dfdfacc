"""PostgreSQL: transactions that read only, with time limits of the server's own.

Settings are made within each transaction, so that they also hold behind a connection pooler,
and nothing that a query changes outlasts it. A superuser is refused: its queries could read
the server's files and run programs, and a read-only transaction does not forbid it.
"""

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ingest.errors import UserError
from ingest.sources.secrets import Secrets
from ingest.sources.sql.options import Address
from ingest.sources.sql.questions import Type
from ingest.sources.sql.session import Failure, clean, missing

if TYPE_CHECKING:
    import psycopg

CONNECT_SECONDS = 10
LONGEST_LOCK_WAIT = 15.0
_TYPES: dict[str, Type] = {
    "timestamptz": "aware", "timestamp": "naive", "date": "day", "float8": "double", "float4": "real",
    "numeric": "decimal", "int2": "whole", "int4": "whole", "int8": "whole", "bool": "truth",
}  # fmt: skip
_BEGIN = """SELECT set_config('TimeZone', 'UTC', true), set_config('statement_timeout', %(limit)s, true),
set_config('lock_timeout', %(wait)s, true), set_config('idle_in_transaction_session_timeout', %(limit)s, true),
current_setting('is_superuser'), extract(epoch FROM clock_timestamp())::float8"""
# Before a session has begun there are no codes to go by.
_REFUSED = (
    (r"authentication failed|no password supplied|role .* does not exist|SCRAM", "credentials"),
    (r"no pg_hba\.conf entry|permission denied for database|not permitted to log in|SSL off", "host"),
    (r"database .* does not exist", "database"),
    (r"too many (clients|connections)|connection slots|starting up|shutting down|recovery|not accepting", "busy"),
    (r"translate host name|[Nn]ame or service|resolve host|getaddrinfo|name resolution", "name"),
    (r"certificate|SSL", "tls"),
    (r"FATAL", "other"),
)
_MEANING = {
    "credentials": Failure("does not accept our credentials; see `password`", fault="credentials"),
    "host": Failure("does not let us in from this host; see its pg_hba.conf"),
    "database": Failure("has no such database"),
    "busy": Failure("takes no connections now", retry=True),
    "name": Failure("is not known by that name", retry=True),
    "tls": Failure("offers no safe connection; see `sslmode` and its certificate"),
    "other": Failure("refuses the connection"),
}
_GOOD_LATER = ("08", "40", "53", "55P03", "57P01", "57P02", "57P03", "57P05", "58")
"""Codes of errors that pass: connections, serialization, resources, locks, servers that stop."""


class WouldBeMightyError(Exception):
    """The account is a superuser."""


class Postgres:
    """The engine of a PostgreSQL server."""

    def __init__(self, where: str, address: Address, password: str) -> None:
        """Opens nothing; raises UserError where psycopg is not installed, or finds no libpq."""
        try:
            import ibis  # noqa: F401  # needed later, and better missed now
            import psycopg
        except ImportError as error:
            if "libpq" in str(error):
                what = "PostgreSQL needs the library libpq, which is not installed"
                raise UserError(where, what, "on Debian, apt install libpq5") from None
            raise missing(where, "PostgreSQL", "postgres") from None
        self.psycopg = psycopg
        self.address = address
        self.password = password
        self.secrets = Secrets([password])

    def connect(self, seconds: float) -> "_Connection":
        address = self.address
        tls: dict[str, Any] = dict(address.tls)
        connection = self.psycopg.connect(
            host=address.host,
            port=address.port or 5432,
            user=address.user,
            dbname=address.database,
            password=self.password,
            # Neither ~/.pgpass nor Kerberos: credentials come from sources.yml alone.
            passfile="/dev/null/none",
            gssencmode="disable",
            application_name="perfkb",
            # libpq takes whole seconds, and 1 for 2.
            connect_timeout=max(2, min(CONNECT_SECONDS, int(seconds))),
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            **tls,
        )
        connection.read_only = True
        return _Connection(connection)

    def failure(self, error: Exception) -> Failure:
        """What one of PostgreSQL's errors means."""
        if isinstance(error, WouldBeMightyError):
            return Failure("lets us in as a superuser; give perfkb a role that can only read", fault="credentials")
        if not isinstance(error, self.psycopg.Error):
            return Failure(f"cannot be asked ({type(error).__name__})")
        code = error.sqlstate
        if code is None:
            return self._without_a_code(error)
        said = clean(error.diag.message_primary or "", self.secrets)
        if code == "57014":
            return Failure("cancelled the query", retry=True)
        if code == "55P03":
            return Failure(f"waits for a lock: {said}", retry=True)
        if code.startswith("28"):
            return _MEANING["credentials"]
        if code.startswith(_GOOD_LATER):
            return Failure(f"broke off: {said}", retry=True)
        # Classes 22, 25, 42 and their like: names, types, rights, syntax, values, and an attempt to write.
        return Failure(said, fault="query")

    def _without_a_code(self, error: Exception) -> Failure:
        if not isinstance(error, self.psycopg.OperationalError):
            return Failure(clean(str(error), self.secrets), fault="query")
        for pattern, meaning in _REFUSED:
            if re.search(pattern, str(error)):
                return _MEANING[meaning]
        if re.search("closed|lost|broken|reset|terminat", str(error)):
            return Failure("broke off in the middle of its answer", retry=True)
        return Failure("cannot be reached", retry=True)

    def close(self) -> None:
        """Has nothing to free: connections share nothing."""


class _Connection:
    def __init__(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        self.connection = connection
        self.now = time.time()

    def begin(self, seconds: float) -> None:
        limit = max(1, int(seconds * 1000))
        values = {"limit": str(limit), "wait": str(int(min(limit / 2, LONGEST_LOCK_WAIT * 1000)) or 1)}
        found = self.connection.execute(_BEGIN, values).fetchone()
        *_, mighty, self.now = found or ("off", time.time())
        if mighty == "on":
            raise WouldBeMightyError

    def columns(self, sql: str) -> dict[str, Type]:
        with self.connection.cursor(binary=True) as cursor:
            described = cursor.execute(_one(sql)).description or []
        known = self.connection.adapters.types
        return {each.name: _type(known.get(each.type_code)) for each in described}

    def rows(self, sql: str) -> Sequence[Sequence[Any]]:
        with self.connection.cursor(binary=True) as cursor:
            return cursor.execute(_one(sql)).fetchall()

    def end(self) -> None:
        self.connection.rollback()

    def cancel(self) -> None:
        self.connection.cancel_safe(timeout=2)

    def close(self) -> None:
        self.connection.close()


def _one(sql: str) -> bytes:
    """Bytes and binary results make it the protocol in which a request is one statement."""
    return sql.encode()


def _type(found: Any) -> Type:
    return _TYPES.get(found.name, "text") if found else "text"
