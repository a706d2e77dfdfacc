"""How one source is asked within a run: retried, limited, and given up when it does not answer.

Every source has a lane of its own, and every host workers of its own, so that one which hangs
holds up no other. The whole attempt is repeated, from the request to tidy rows: a body can
break off after a good status.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from threading import Condition, Lock
from typing import cast
from urllib.parse import urlsplit

import pandas as pd

from ingest.errors import FetchError, UserError
from ingest.fields import Strict
from ingest.schema import read_whole
from ingest.settings import SOURCES_FILE, SourceConfig
from ingest.sources import SOURCES, Counting, Fetched, Source, Window, objections_to, tidy
from ingest.story import Series
from ingest.units import format_duration

ATTEMPTS = 8
TOTAL_SECONDS = 120.0
LONGEST_WAIT = 30.0
IN_A_ROW = 5
"""After so many series that a source did not answer, it is down, and the others are not tried."""
ENDING_SECONDS = 5.0
PORTS = {"http": 80, "https": 443, "postgres": 5432, "postgresql": 5432}


class StoppedError(Exception):
    """The run was told to end."""


class Gate:
    """Whether a run goes on. Once it is closed nothing is begun, waited for, or written any more."""

    def __init__(self) -> None:
        self._change = Condition()
        self._closed = False
        self._inside = 0

    def pause(self, seconds: float) -> None:
        """Waits; raises StoppedError as soon as the run ends."""
        with self._change:
            if self._change.wait_for(lambda: self._closed, seconds):
                raise StoppedError

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Inside, a snapshot is written, which `close` waits for; raises StoppedError."""
        with self._change:
            if self._closed:
                raise StoppedError
            self._inside += 1
        try:
            yield
        finally:
            with self._change:
                self._inside -= 1
                self._change.notify_all()

    def close(self) -> None:
        """Ends the run, after what is being written."""
        with self._change:
            self._closed = True
            self._change.notify_all()
            self._change.wait_for(lambda: not self._inside, ENDING_SECONDS)


def options_of(config: SourceConfig) -> Strict:
    """The keys of its kind that sources.yml gives a source; raises UserError where they are not right."""
    if config.kind not in SOURCES:
        raise UserError(SOURCES_FILE, f"there is no source {config.id!r} of a known kind", "see `perfkb check`")
    options, problems = read_whole(SOURCES[config.kind].Options, config.options)
    if options is None:
        raise UserError(problems[0].where, problems[0].what, problems[0].hint)
    return options


def timeout_of(config: SourceConfig) -> timedelta:
    """How long one attempt at a source may take, as far as its kind has a limit."""
    with suppress(UserError):
        found = getattr(options_of(config), "timeout", None)
        return found if isinstance(found, timedelta) else timedelta(0)
    return timedelta(0)


def host_of(config: SourceConfig) -> str:
    """The server that a source's address names, such as `prometheus.example:9090`; without one, the source's id."""
    options = config.options.data
    with suppress(ValueError):
        address = urlsplit(str(options.get("url") or options.get("connect") or ""))
        if address.hostname and address.scheme != "duckdb":
            return f"{address.hostname}:{address.port or PORTS.get(address.scheme, '')}"
    return config.id


class Lane:
    """One source of a run, asked from several threads."""

    def __init__(
        self, config: SourceConfig, environ: Mapping[str, str], root: Path, sleep: Callable[[float], None]
    ) -> None:
        """`sleep` may raise, to end all waiting."""
        self.config = config
        self.sleep = sleep
        self.ends = time.monotonic() + config.basics.budget.total_seconds()
        self._lock = Lock()
        self._failed = 0
        self._last = ""
        self._source: Source | Exception
        try:
            self._source = SOURCES[config.kind](config.id, options_of(config), environ, root)
        except Exception as error:
            # One source without its credentials must not keep the others from being fetched.
            self._source = error

    def close(self) -> None:
        if not isinstance(self._source, Exception):
            # What cannot be closed ends with the process.
            with suppress(Exception):
                self._source.close()

    def fetch(self, series: Series, config: SourceConfig, window: Window) -> Fetched:
        """The rows of `window`; raises FetchError, or what kept the source from being opened.

        `config` is the lane's own, or that as it is asked for counts.
        """
        if isinstance(self._source, Exception):
            raise self._source
        refuse_unfit(series, config)
        if not window.steps:
            return Fetched(pd.DataFrame())
        self._refuse_if_down()
        try:
            answer = self._retried(self._source, series, window, counts=config.counts)
        except FetchError as error:
            self._count(error)
            raise
        with self._lock:
            self._failed = 0
        return answer

    def _refuse_if_down(self) -> None:
        with self._lock:
            failed, last = self._failed, self._last
        if failed >= IN_A_ROW:
            raise FetchError(f"not tried: {self.config.id} failed {failed} times in a row, the last time as {last}")
        if time.monotonic() >= self.ends:
            budget = format_duration(self.config.basics.budget)
            raise FetchError(f"not tried: the {budget} that a refresh has for {self.config.id} were over")

    def _count(self, error: FetchError) -> None:
        """Counts what is the source's own fault: who refuses one query, or answers nonsense to it, is there."""
        if error.fault in ("source", "credentials"):
            with self._lock:
                self._failed, self._last = self._failed + 1, error.what

    def _retried(self, source: Source, series: Series, window: Window, *, counts: bool) -> Fetched:
        deadline = min(time.monotonic() + TOTAL_SECONDS, self.ends)
        for attempt in range(ATTEMPTS):
            try:
                return tidy(asked(source, series, window, counts=counts), window)
            except FetchError as error:
                pause = _pause(attempt, error)
                late = time.monotonic() + pause > deadline
                if not error.retry or attempt == ATTEMPTS - 1 or late or (error.wait or 0) > LONGEST_WAIT:
                    raise
                self.sleep(pause)
        raise AssertionError("the last attempt returns or raises")


def refuse_unfit(series: Series, config: SourceConfig) -> None:
    """Raises FetchError where `config` cannot be asked for `series`."""
    for objection in objections_to(series, config):
        raise FetchError(f"{objection.key}: {objection.what}", fault="query")


def asked(source: Source, series: Series, window: Window, *, counts: bool) -> Fetched:
    """What a source answers, once: rows of `window`, or if it `counts`, how many there are; raises FetchError."""
    if counts:
        # How many there were in the past, nobody can tell any more.
        return cast("Counting", source).count(series.query or "", window.end)
    return source.fetch(series, window)


def _pause(attempt: int, error: FetchError) -> float:
    """Full jitter: clients that failed together must not come back together."""
    chance: float = random.uniform(0, min(10.0, 0.25 * 2**attempt))  # noqa: S311  # not a secret
    return chance if error.wait is None else error.wait + chance
