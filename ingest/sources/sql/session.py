"""One attempt at a time limit, whatever the database does; connections are kept for the next attempt.

The server gets the same limit, but one that hangs, or a network that swallows its answer,
keeps to none: so the work is done in a thread, cancelled at the deadline, and given up where
even that does not end it.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Any, Generic, Protocol, TypeVar

from ingest.errors import Fault, UserError
from ingest.fields import is_unprintable
from ingest.sources.secrets import Secrets
from ingest.sources.sql.questions import Type

GRACE = 3.0
"""How many seconds a cancelled query has to end before its connection is given up."""
AGAIN = 0.2
"""So many seconds later it is cancelled once more."""
LONGEST_MESSAGE = 300

_NO_SECRETS = Secrets()

T = TypeVar("T")


@dataclass(frozen=True)
class Failure:
    """What a database's error means: whether it may pass, and whose fault it is; the `query`'s is the measure's."""

    what: str
    retry: bool = False
    fault: Fault = "source"


class Connection(Protocol):
    """A connection, of use to one thread at a time."""

    now: float
    """The database's clock as the attempt began, in seconds since 1970."""

    def begin(self, seconds: float) -> None:
        """Starts an attempt that reads only; the server ends what takes longer than `seconds`."""

    def columns(self, sql: str) -> dict[str, Type]:
        """What a SELECT's columns hold."""

    def rows(self, sql: str) -> Sequence[Sequence[Any]]:
        """All rows of a SELECT."""

    def end(self) -> None:
        """Ends the attempt; nothing of it stays with the connection."""

    def cancel(self) -> None:
        """Ends what the connection is doing; called from another thread."""

    def close(self) -> None:
        """Ends the connection."""


class Engine(Protocol):
    """One kind of database."""

    def connect(self, seconds: float) -> Connection:
        """A new connection; may take `seconds`."""

    def failure(self, error: Exception) -> Failure:
        """What one of its errors means, in words without credentials."""

    def close(self) -> None:
        """Frees what connections share."""


class OverdueError(Exception):
    """The time limit passed."""


class Session:
    """Connections to one database, for any number of threads."""

    def __init__(self, engine: Engine, timeout: float) -> None:
        self.engine = engine
        self.timeout = timeout
        self._idle: list[Connection] = []
        self._busy: set[_Attempt[Any]] = set()
        self._lock = Lock()

    def run(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns; raises OverdueError at the time limit, and otherwise what `work` raises."""
        attempt = _Attempt(self, work, time.monotonic() + self.timeout)
        future = attempt.future
        with self._lock:
            self._busy.add(attempt)
        Thread(target=attempt, daemon=True).start()
        wait([future], self.timeout)
        if not future.done():
            attempt.give_up()
            if attempt.connection:
                wait([future], GRACE)
            raise OverdueError
        return future.result()

    def ended(self, attempt: "_Attempt[Any]") -> None:
        with self._lock:
            self._busy.discard(attempt)

    def take(self, seconds: float) -> Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self.engine.connect(seconds)

    def give_back(self, connection: Connection) -> None:
        with self._lock:
            self._idle.append(connection)

    def forget(self) -> None:
        """Closes all connections that nobody uses: what broke one has broken the others."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            with suppress(Exception):
                connection.close()

    def close(self) -> None:
        """Ends what is still being asked, and frees all there is."""
        with self._lock:
            busy = [*self._busy]
        for attempt in busy:
            attempt.give_up()
        # One that has no connection yet cannot be cancelled.
        wait([attempt.future for attempt in busy if attempt.connection], GRACE)
        self.forget()
        if all(attempt.future.done() for attempt in busy):
            # It would wait for whoever does not let himself be cancelled; the end of the process does not.
            self.engine.close()


class _Attempt(Generic[T]):
    """One piece of work, and the connection that does it; called, it puts what comes of it into `future`."""

    def __init__(self, session: Session, work: Callable[[Connection], T], deadline: float) -> None:
        self.session = session
        self.work = work
        self.deadline = deadline
        self.future: Future[T] = Future()
        self.overdue = False
        self.connection: Connection | None = None

    def __call__(self) -> None:
        try:
            self.future.set_result(self._run())
        except Exception as error:
            self.future.set_exception(error)
        finally:
            self.session.ended(self)

    def _run(self) -> T:
        self.connection = connection = self.session.take(self._left())
        try:
            connection.begin(self._left())
            result = self.work(connection)
            connection.end()
        except BaseException:
            self.session.forget()
            with suppress(Exception):
                connection.close()
            raise
        if self.overdue:
            # It may have been cancelled just now, and would cancel what comes next.
            connection.close()
        else:
            self.session.give_back(connection)
        return result

    def give_up(self) -> None:
        """Cancels the work, without waiting for its end."""
        self.overdue = True
        Thread(target=self._cancel, daemon=True).start()

    def _cancel(self) -> None:
        until = time.monotonic() + GRACE
        # Between two statements there is nothing to cancel, and the next one would run on.
        while not self.future.done() and time.monotonic() < until:
            if self.connection:
                with suppress(Exception):
                    self.connection.cancel()
            wait([self.future], AGAIN)

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise OverdueError
        return left


def clean(text: str, secrets: Secrets = _NO_SECRETS) -> str:
    """A database's words, fit for a page: their first line, without the secrets."""
    first = secrets.hide(next((line for line in text.splitlines() if line.strip()), ""))
    line = " ".join("".join(" " if is_unprintable(each) else each for each in first).split())
    return line if len(line) <= LONGEST_MESSAGE else f"{line[:LONGEST_MESSAGE]}..."


def missing(where: str, what: str, extra: str) -> UserError:
    """The error for a package that an extra of ours brings."""
    return UserError(where, f"{what} needs packages that are not installed", f'pip install "perfkb[{extra}]"')
