"""A real PostgreSQL to test against, which may be killed and started again."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.servers import free_port, require

READER = "perfkb"
PASSWORD = "pa55word-0f-perfkb"  # noqa: S105  # looked for where it must not be
_OWNER = "postgres"
_SETTINGS = {
    "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "full_page_writes": "off",
    "synchronous_commit": "off", "max_connections": "20", "shared_buffers": "32MB",
}  # fmt: skip


@dataclass
class PostgreSQL:
    """A server; `perfkb` may read the database `metrics`, and `admin` does the rest."""

    folder: Path
    port: int
    account: dict[str, Any]
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def connect(self) -> str:
        """The address for sources.yml."""
        return f"postgres://{READER}@127.0.0.1:{self.port}/metrics"

    def admin(self, database: str = "metrics") -> "psycopg.Connection[Any]":
        """A connection of the superuser, in which every statement stands alone."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=_OWNER, password=PASSWORD, dbname=database, autocommit=True
        )

    def run(self, *statements: str, database: str = "metrics") -> list[Any]:
        """The rows of the last statement, asked as the superuser."""
        with self.admin(database) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        flags = [part for key, value in _SETTINGS.items() for part in ("-c", f"{key}={value}")]
        command = [program("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), *flags]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **self.account)
        for _ in range(600):
            try:
                self.admin(_OWNER).close()
            except psycopg.OperationalError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Ends the server: at once with SIGQUIT, and with SIGINT as an administrator does."""
        if self.process:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None


def program(name: str) -> str:
    """The path of one of PostgreSQL's programs, which Debian keeps out of the PATH; skips the test without it."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else require(name)


@contextmanager
def running_postgresql() -> Iterator[PostgreSQL]:
    """A new server with an empty database `metrics`."""
    initdb = program("initdb")
    # Its parents must let in another user, because initdb refuses root.
    folder = Path(tempfile.mkdtemp(prefix="perfkb-postgresql-"))
    account: dict[str, Any] = {}
    if os.geteuid() == 0:
        account = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        shutil.chown(folder, "nobody", "nogroup")
    server = PostgreSQL(folder, free_port(), account)
    try:
        word = folder / "password"
        word.write_text(PASSWORD)
        word.chmod(0o644)
        options = ["-U", _OWNER, "-A", "scram-sha-256", f"--pwfile={word}", "-E", "UTF8", "--locale=C", "--no-sync"]
        making = [initdb, "-D", str(folder / "data"), *options]
        subprocess.run(making, check=True, capture_output=True, timeout=120, cwd=folder, **account)
        server.start()
        server.run(f"CREATE ROLE {READER} LOGIN PASSWORD '{PASSWORD}'", "CREATE DATABASE metrics", database=_OWNER)
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
