"""Fetching what is due: several series at a time, each retried, none lost.

A series that cannot be fetched keeps its last good snapshot, byte for byte; why it failed
goes into the health file, from which the pages say how old their data is and why. The same
request of several stories is sent once.
"""

import fcntl
import random
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from ingest.clock import floor
from ingest.errors import BusyError, FetchError, UserError, Where
from ingest.health import Outcome, write_health
from ingest.knowledge import KnowledgeBase
from ingest.schema import read_whole
from ingest.settings import SOURCES_FILE, SourceConfig, unknown_source
from ingest.snapshots import CorruptSnapshotError, Snapshot, Store, make_snapshot
from ingest.sources import SOURCES, Fetched, Source, Window, tidy
from ingest.story import Series

PARALLEL = 8
ATTEMPTS = 6
TOTAL_SECONDS = 120.0
LONGEST_WAIT = 30.0


@dataclass(frozen=True)
class Wish:
    """A series of a story, to be fetched."""

    slug: str
    name: str
    series: Series
    config: SourceConfig
    where: Where

    @property
    def query_hash(self) -> str:
        """Changes when the story asks for something else."""
        return self.series.fingerprint(self.config.step)


@dataclass
class Result:
    """The outcome of a run, with the exit status that a schedule acts on."""

    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def status(self) -> int:
        """0 all fresh; 1 some kept their last good data; 2 nothing usable."""
        if all(each.state == "fresh" for each in self.outcomes):
            return 0
        return 1 if any(each.state != "missing" for each in self.outcomes) else 2

    def count(self, state: str) -> int:
        """How many series ended in `state`."""
        return sum(each.state == state for each in self.outcomes)


def wishes(base: KnowledgeBase, slugs: tuple[str, ...] = ()) -> list[Wish]:
    """Every series of the named stories, or of all stories if none is named."""
    chosen = [base.story(slug) for slug in dict.fromkeys(slugs)] if slugs else base.stories
    found = []
    for story in chosen:
        for name, series in story.series.items():
            config = base.config.sources.get(series.source) or unknown_source(series.source)
            found.append(Wish(story.slug, name, series, config, story.where("telemetry", name)))
    return found


def refresh(
    base: KnowledgeBase,
    wanted: list[Wish],
    environ: Mapping[str, str],
    progress: Callable[[Outcome], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Fetches the steps that `wanted` lacks up to the clock's now, and writes the health file.

    Raises BusyError while another run holds the store's lock, and UserError where the store
    cannot be written. What goes wrong with one series or source is part of the result.
    """
    store = Store(base.store)
    with _lock(base):
        with _writing(base):
            store.sweep()
        run = _Run(base, store, environ, sleep)
        try:
            for outcome in run.all(wanted):
                progress(outcome)
        finally:
            run.close()
        run.result.outcomes.sort(key=lambda each: (each.story, each.series))
        known = {(wish.slug, wish.name) for wish in wishes(base)}
        with _writing(base):
            write_health(base.store, run.result.outcomes, run.now(), run.result.status, known)
    return run.result


def plan(base: KnowledgeBase, wanted: list[Wish]) -> list[str]:
    """What a refresh would ask for, a line a series; nothing is fetched."""
    run = _Run(base, Store(base.store), {}, time.sleep)
    lines = []
    for wish in wanted:
        window = run.window(wish, run.stored(wish))
        asked = f"{window.steps} steps from {window.start:%Y-%m-%d %H:%M} UTC" if window.steps else "nothing is due"
        lines.append(f"{wish.slug}/{wish.name}: {asked}, of {wish.config.id}")
    return lines


@contextmanager
def _writing(base: KnowledgeBase) -> Iterator[None]:
    """Makes a UserError of a full disk, a folder that is a file, and their like."""
    try:
        yield
    except OSError as error:
        raise UserError(base.settings.store, f"the store cannot be written: {error.strerror}") from None


@contextmanager
def _lock(base: KnowledgeBase) -> Iterator[None]:
    """One run at a time; the system frees the lock when a run dies."""
    with _writing(base):
        base.store.mkdir(parents=True, exist_ok=True)
        file = (base.store / ".lock").open("w")
    with file:
        with _writing(base):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError(base.settings.store, "another refresh is running", "wait until it is done") from None
        yield


class _Run:
    """One refresh: its sources, and the answers that several stories share."""

    def __init__(
        self, base: KnowledgeBase, store: Store, environ: Mapping[str, str], sleep: Callable[[float], None]
    ) -> None:
        self.base = base
        self.store = store
        self.environ = environ
        self.sleep = sleep
        self.result = Result()
        self.sources: dict[str, Source | Exception] = {}

    def all(self, wanted: list[Wish]) -> Iterator[Outcome]:
        """The outcomes as they come."""
        for wish in wanted:
            self._open(wish.config)
        groups: dict[tuple[str, str, Window], list[Wish]] = {}
        for wish in wanted:
            # The unit is no part of the hash, but a source may convert into it.
            key = (wish.query_hash, wish.series.unit, self.window(wish, self.stored(wish)))
            groups.setdefault(key, []).append(wish)
        pool = ThreadPoolExecutor(PARALLEL)
        try:
            tasks = [pool.submit(self._group, window, members) for (_, _, window), members in groups.items()]
            for task in as_completed(tasks):
                for outcome in task.result():
                    self.result.outcomes.append(outcome)
                    yield outcome
        finally:
            # Who interrupts a run should not wait for what has not begun.
            pool.shutdown(cancel_futures=True)

    def close(self) -> None:
        for source in self.sources.values():
            if not isinstance(source, Exception):
                # What cannot be closed ends with the process.
                with suppress(Exception):
                    source.close()

    def _open(self, config: SourceConfig) -> None:
        if config.id in self.sources:
            return
        try:
            kind = _kind(config)
            options, problems = read_whole(kind.Options, config.options)
            if options is None:
                raise UserError(problems[0].where, problems[0].what, problems[0].hint)
            self.sources[config.id] = kind(config.id, options, self.environ, self.base.root)
        except Exception as error:
            # One source without its credentials must not keep the others from being fetched.
            self.sources[config.id] = error

    def stored(self, wish: Wish) -> Snapshot | None:
        """What is there of the series as it is asked for now, be it put aside; a changed query starts afresh."""
        for query_hash in ("", wish.query_hash):
            with suppress(CorruptSnapshotError):
                found = self.store.read(wish.slug, wish.name, query_hash)
                if found and found.manifest.query_hash == wish.query_hash:
                    return found
        return None

    def window(self, wish: Wish, stored: Snapshot | None) -> Window:
        """From the end of the data (or as far as the source's history reaches) to the last full step."""
        step = wish.config.step
        end = floor(self.base.clock.now, step)
        start = floor(end - wish.config.basics.history, step)
        if stored:
            until = stored.manifest.data_until
            # What was partial may be whole by now.
            start = min(start, until) if stored.manifest.partial else until
        return Window(min(start, end), end, step)

    def _group(self, window: Window, members: list[Wish]) -> list[Outcome]:
        """One request, and what it means for each story that made it."""
        try:
            answer = self._fetch(members[0], window)
        except Exception as error:
            return [self._failed(wish, error) for wish in members]
        return [self._store_or_keep(wish, window, answer) for wish in members]

    def _store_or_keep(self, wish: Wish, window: Window, answer: Fetched) -> Outcome:
        try:
            return self._store(wish, window, answer)
        except Exception as error:
            return self._failed(wish, error)

    def _fetch(self, wish: Wish, window: Window) -> Fetched:
        """The whole attempt, from the request to tidy rows, again and again until it holds."""
        source = self.sources[wish.config.id]
        if isinstance(source, Exception):
            raise source
        for objection in SOURCES[wish.config.kind].objections(wish.series, window.step):
            raise FetchError(f"{objection.key}: {objection.what}", fault="query")
        if not window.steps:
            return Fetched(pd.DataFrame())
        deadline = time.monotonic() + TOTAL_SECONDS
        for attempt in range(ATTEMPTS):
            try:
                return tidy(source.fetch(wish.series, window), window)
            except FetchError as error:
                pause = _pause(attempt, error)
                late = time.monotonic() + pause > deadline
                if not error.retry or attempt == ATTEMPTS - 1 or late or pause > LONGEST_WAIT:
                    raise
                self.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _store(self, wish: Wish, window: Window, answer: Fetched) -> Outcome:
        if window.steps and answer.rows.empty and not wish.series.allow_empty:
            raise FetchError("the answer has no rows; are the name and the labels right?", fault="answer")
        stored = self.stored(wish)
        made = stored if stored and not window.steps else self._made(wish, stored, window, answer)
        with _writing(self.base):
            self._put(wish, made)
        return self._outcome(wish, "fresh", made, new_rows=len(answer.rows), due=bool(window.steps))

    def _made(self, wish: Wish, stored: Snapshot | None, window: Window, answer: Fetched) -> Snapshot:
        rows, start = answer.rows, window.start
        if stored:
            # On overlap the new value wins.
            older = stored.rows[~stored.rows.index.isin(rows.index)]
            rows, start = pd.concat([older, rows]).sort_index(), min(start, stored.manifest.window[0])
        return make_snapshot(
            _in_order(rows),
            (start, window.end),
            window.step,
            source=wish.config.id,
            query=SOURCES[wish.config.kind].query(wish.series, window.step),
            query_hash=wish.query_hash,
            kind=wish.series.kind,
            unit=wish.series.unit,
            fetched_at=self.now(),
            partial=answer.partial,
            warnings=answer.warnings,
        )

    def _put(self, wish: Wish, made: Snapshot) -> None:
        """Stores a snapshot; data of an earlier query, and data that cannot be read, stay beside it."""
        current = None
        try:
            current = self.store.read(wish.slug, wish.name)
        except CorruptSnapshotError:
            self.store.put_aside(wish.slug, wish.name)
        if current and current.manifest.query_hash != wish.query_hash:
            self.store.write(wish.slug, wish.name, current, current.manifest.query_hash)
        if current is None or current.manifest != made.manifest:
            self.store.write(wish.slug, wish.name, made)

    def _failed(self, wish: Wish, error: Exception) -> Outcome:
        reason, fault = _why(error)
        current = None
        try:
            current = self.store.read(wish.slug, wish.name)
        except CorruptSnapshotError as corrupt:
            reason = f"{reason}; and the snapshot: {corrupt}"
        where = str(wish.where) if fault == "query" else ""
        return self._outcome(wish, "kept" if current else "missing", current, reason=reason, where=where)

    def _outcome(self, wish: Wish, state: str, snapshot: Snapshot | None, **more: Any) -> Outcome:
        until = snapshot.manifest.data_until.isoformat() if snapshot else ""
        at = self.now().isoformat()
        return Outcome(wish.slug, wish.name, wish.config.id, state, at, data_until=until, **more)

    def now(self) -> datetime:
        """The moment of an attempt."""
        # A knowledge base with a clock of its own must give the same bytes on every run.
        clock = self.base.clock
        return clock.now if clock.fixed else datetime.now(UTC).replace(microsecond=0)


def _kind(config: SourceConfig) -> type[Source]:
    if config.kind not in SOURCES:
        raise UserError(SOURCES_FILE, f"there is no source {config.id!r} of a known kind", "see `perfkb check`")
    return SOURCES[config.kind]


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Bucket columns by their bounds, which a later answer may have added to; the sum last."""

    def bound(column: str) -> float:
        return float(column.removeprefix("le=")) if column.startswith("le=") else float("inf")

    ordered = sorted(rows.columns, key=lambda column: (column == "sum", bound(str(column))))
    made = rows[ordered]
    made.index.name = "time"
    return made


def _why(error: Exception) -> tuple[str, str]:
    """What went wrong, in words for a page, and whose fault it is."""
    if isinstance(error, FetchError):
        return error.what, error.fault
    if isinstance(error, UserError):
        return str(error), "source"
    # A mistake of ours. Its own words could quote a credential.
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"a bug in perfkb: {type(error).__name__} at {Path(place.filename).name}:{place.lineno}", "source"


def _pause(attempt: int, error: FetchError) -> float:
    """Full jitter: clients that failed together must not come back together."""
    if error.wait is not None:
        return error.wait
    return random.uniform(0, min(10.0, 0.25 * 2**attempt))  # noqa: S311  # not a secret
