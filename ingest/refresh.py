"""Fetching what is due: several series at a time, each retried, none lost.

A series that cannot be fetched keeps its last good snapshot, byte for byte; why it failed
goes into the health file, from which the pages say how old their data is and why. The same
request of several stories is sent once. How a source is asked is the matter of `ingest.lanes`.
"""

import fcntl
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, zip_longest
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import pandas as pd

from ingest.clock import floor
from ingest.errors import BusyError, FetchError, UserError, Where
from ingest.health import HEALTH_FILE, Outcome, tells_of_a_run, write_health
from ingest.knowledge import KnowledgeBase
from ingest.lanes import Gate, Lane, StoppedError, host_of, timeout_of
from ingest.remote import Glimpse, Remote, copy_here, copy_there, lease
from ingest.settings import SourceConfig, unknown_source
from ingest.snapshots import CorruptSnapshotError, Doubt, Snapshot, Store, make_snapshot
from ingest.sources import Fetched, Window, words_for
from ingest.story import Counted, Series, Story

MOST_WARNINGS = 20
LEASE_MARGIN = timedelta(minutes=10)


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
        return self.config.fingerprint(self.series)


@dataclass
class Result:
    """The outcome of a run, with the exit status that a schedule acts on."""

    outcomes: list[Outcome] = field(default_factory=list)
    untried: int = 0
    """Series that an interrupted run did not come to."""

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
        found += _counts(story, base)
    return found


def _counts(story: Story, base: KnowledgeBase) -> Iterator[Wish]:
    """The reports of a story that are counted in another system."""
    wanted = story.counted
    for index, report in enumerate(story.front.reports):
        if isinstance(report, Counted) and report.name in wanted:
            del wanted[report.name]
            config = base.config.sources.get(report.source) or unknown_source(report.source)
            where = story.where("reports", index)
            yield Wish(story.slug, report.name, report.series, config.for_counts, where)


def refresh(
    base: KnowledgeBase,
    wanted: list[Wish],
    environ: Mapping[str, str],
    progress: Callable[[Outcome], None] = lambda _: None,
    sleep: Callable[[float], None] | None = None,
    *,
    expect_store: bool = False,
    first_run: bool = False,
) -> Result:
    """Fetches the steps that `wanted` lacks up to the clock's now, and writes the health file.

    An interrupt (KeyboardInterrupt) ends it early, with what it has. Raises BusyError while
    another run holds the store's lock, and UserError where the store cannot be written, or is
    empty where data is expected: in one that lies elsewhere always, in a folder if
    `expect_store`; unless this is the `first_run`. What goes wrong with one series or source
    is part of the result.
    """
    # In the last moment of its budget, a source may be asked once more.
    busy = (wish.config.basics.budget + timeout_of(wish.config) for wish in wanted)
    longest = max(busy, default=timedelta(0)) + LEASE_MARGIN
    expect = _is_expected(base, wanted, expect_store, first_run)
    with open_store(base, longest, expect=expect, fill=first_run) as store:
        run = _Run(base, store, environ, sleep)
        try:
            for outcome in run.all(wanted):
                progress(outcome)
        except KeyboardInterrupt:
            run.result.untried = len(wanted) - len(run.end())
        finally:
            run.end()
        outcomes = run.result.outcomes
        outcomes.sort(key=lambda each: (each.story, each.series))
        known = {(wish.slug, wish.name) for wish in wishes(base)}
        with _writing(base):
            write_health(store, outcomes, run.now(), run.result.status, known, run.result.untried)
    return run.result


def _lost(base: KnowledgeBase) -> UserError:
    """What was fetched over months would silently become what the sources still have."""
    what = "the store is empty, and data is expected in it: was it restored?"
    return UserError(base.settings.store, what, "if this is the first run, say so: perfkb refresh --first-run")


def _is_expected(base: KnowledgeBase, wanted: list[Wish], expect_store: bool, first_run: bool) -> bool:
    return bool(wanted) and not first_run and (expect_store or base.settings.store_url is not None)


def plan(base: KnowledgeBase, wanted: list[Wish], *, expect_store: bool = False, first_run: bool = False) -> list[str]:
    """What a refresh would ask for, a line a series; nothing is fetched, and nothing written.

    Raises UserError where the refresh would find no store, or an empty one that it would refuse.
    """
    expect, url = _is_expected(base, wanted, expect_store, first_run), base.settings.store_url
    with _writing(base, "read"):
        store = Glimpse(base.store, Remote(url), _stems(wanted)) if url else Store(base.store)
        there = store.used if isinstance(store, Glimpse) else _was_used(base.store)
    if expect and not there:
        raise _lost(base)
    run = _Run(base, store, {})
    lines = []
    for wish in wanted:
        window = run.window(wish, run.stored(wish))
        asked = f"{window.steps} steps from {window.start:%Y-%m-%d %H:%M} UTC" if window.steps else "nothing is due"
        lines.append(f"{base.called(wish.slug, wish.name)}: {asked}, of {wish.config.id}")
    return lines


def _stems(wanted: list[Wish]) -> Iterator[str]:
    """The snapshots that `_Run.stored` looks at."""
    for wish in wanted:
        yield from (f"{wish.slug}/{wish.name}", f"{wish.slug}/{wish.name}@{wish.query_hash}")


@contextmanager
def open_store(base: KnowledgeBase, longest: timedelta, *, expect: bool = False, fill: bool = False) -> Iterator[Store]:
    """The store, for this run alone and for at most `longest`, its copy here up to date and swept.

    `fill` puts what is here into an empty one that lies elsewhere. Raises BusyError, and UserError
    where it cannot be read or written, or is empty though data is expected (`expect`).
    """
    with ExitStack() as held:
        with _writing(base):
            base.store.mkdir(parents=True, exist_ok=True)
            held.enter_context(_lock(base))
            remote = Remote(base.settings.store_url) if base.settings.store_url else None
            store = Store(base.store, remote)
            if remote:
                held.enter_context(lease(remote, longest))
                remote.sweep()
            there = copy_here(remote, store) if remote else _was_used(base.store)
            if expect and not there:
                raise _lost(base)
            if remote and fill and not there:
                copy_there(store, remote)
            store.sweep()
        yield store


def _was_used(folder: Path) -> bool:
    health = folder / HEALTH_FILE
    return any(folder.glob("*/*.json")) or (health.is_file() and tells_of_a_run(health.read_bytes()))


def copy_store(base: KnowledgeBase) -> None:
    """Brings the folder of a store that lies elsewhere up to date, for a build; nothing else is touched."""
    if not base.settings.store_url:
        raise UserError(base.settings.store, "the store is a folder here already", "there is nothing to copy")
    with _writing(base):
        base.store.mkdir(parents=True, exist_ok=True)
        with _lock(base):
            copy_here(Remote(base.settings.store_url), Store(base.store))


@contextmanager
def _writing(base: KnowledgeBase, done: str = "written") -> Iterator[None]:
    """Makes a UserError of a full disk, a folder that is a file, and their like."""
    try:
        yield
    except OSError as error:
        raise UserError(base.settings.store, f"the store cannot be {done}: {error.strerror}") from None


@contextmanager
def _lock(base: KnowledgeBase) -> Iterator[None]:
    """One run at a time; the system frees the lock when a run dies."""
    with _writing(base):
        file = (base.store / ".lock").open("w")
    with file:
        with _writing(base):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError(base.settings.store, "another refresh is running", "wait until it is done") from None
        yield


@dataclass(frozen=True)
class _Request:
    """What is asked for once, and the wishes that it answers."""

    lane: Lane
    window: Window
    members: list[Wish]


class _Run:
    """One refresh: its sources, and the answers that several stories share."""

    def __init__(
        self,
        base: KnowledgeBase,
        store: Store,
        environ: Mapping[str, str],
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self.base = base
        self.store = store
        self.environ = environ
        self.gate = Gate()
        self.sleep = sleep or self.gate.pause
        self.result = Result()
        self.lanes: dict[str, Lane] = {}
        self.done: SimpleQueue[list[Outcome] | BaseException] = SimpleQueue()

    def all(self, wanted: list[Wish]) -> Iterator[Outcome]:
        """The outcomes as they come."""
        for config in {wish.config.id: wish.config for wish in wanted}.values():
            self.lanes[config.id] = Lane(config, self.environ, self.base.root, self.sleep)
        queues = self._requests(wanted)
        expected = sum(map(len, queues))
        for requests in queues:
            parallel = min(request.lane.config.basics.parallel for request in requests)
            for _ in range(min(parallel, len(requests))):
                # A request that hangs must not keep the process from ending.
                Thread(target=self._work, args=(requests,), daemon=True).start()
        for _ in range(expected):
            yield from self._taken(self.done.get())

    def _requests(self, wanted: list[Wish]) -> list[deque[_Request]]:
        """The requests of each host; the workers empty what they are given."""
        groups: dict[tuple[str, str, Window], list[Wish]] = {}
        for wish in wanted:
            # The unit is no part of the hash, but a source may convert into it.
            key = (wish.query_hash, wish.series.unit, self.window(wish, self.stored(wish)))
            groups.setdefault(key, []).append(wish)
        hosts: dict[str, dict[str, list[_Request]]] = {}
        for (_, _, window), members in groups.items():
            config = members[0].config
            request = _Request(self.lanes[config.id], window, members)
            hosts.setdefault(host_of(config), {}).setdefault(config.id, []).append(request)
        # In turn, so that no source of a host waits until another one has all that it wants.
        return [deque(filter(None, chain(*zip_longest(*sources.values())))) for sources in hosts.values()]

    def _work(self, requests: deque[_Request]) -> None:
        """A worker: one request after the other, until there are none or the run is over."""
        with suppress(IndexError, StoppedError):
            while True:
                request = requests.popleft()
                try:
                    self.done.put(self._group(request.lane, request.window, request.members))
                except StoppedError:
                    raise
                except BaseException as error:  # who waits for this request must learn of it
                    self.done.put(error)

    def _taken(self, outcomes: list[Outcome] | BaseException) -> list[Outcome]:
        if isinstance(outcomes, BaseException):
            raise outcomes
        self.result.outcomes += outcomes
        return outcomes

    def end(self) -> list[Outcome]:
        """Ends the run; all that was stored has its outcome."""
        self.gate.close()
        with suppress(Empty):
            while True:
                self._taken(self.done.get_nowait())
        for lane in self.lanes.values():
            lane.close()
        self.lanes = {}
        return self.result.outcomes

    def stored(self, wish: Wish) -> Snapshot | None:
        """What is there of the series as it is asked for now, be it put aside; a changed query starts afresh."""
        for query_hash in ("", wish.query_hash):
            with suppress(CorruptSnapshotError):
                found = self.store.read(wish.slug, wish.name, query_hash)
                if found and _is_of(found, wish):
                    return found
        return None

    def window(self, wish: Wish, stored: Snapshot | None) -> Window:
        """From the end of the data (or as far as the source's history reaches) to the last full step."""
        step = wish.config.step
        end = floor(self.base.clock.now - wish.config.basics.settle, step)
        # A history that is shorter than a step would be one of nothing, and never fail.
        start = floor(end - max(wish.config.basics.history, step), step)
        if stored:
            until, doubt = stored.manifest.data_until, stored.manifest.doubt
            again = doubt is not None and doubt.is_due(self.base.clock.now)
            start = min(max(start, doubt.since), until) if doubt and again else until
        return Window(min(start, end), end, step)

    def _group(self, lane: Lane, window: Window, members: list[Wish]) -> list[Outcome]:
        """One request, and what it means for each story that made it."""
        try:
            answer = lane.fetch(members[0].series, members[0].config, window)
        except StoppedError:
            raise
        except Exception as error:
            with self.gate.writing():
                return [self._failed(wish, error) for wish in members]
        with self.gate.writing():
            return [self._store_or_keep(wish, window, answer) for wish in members]

    def _store_or_keep(self, wish: Wish, window: Window, answer: Fetched) -> Outcome:
        try:
            return self._store(wish, window, answer)
        except Exception as error:
            return self._failed(wish, error)

    def _store(self, wish: Wish, window: Window, answer: Fetched) -> Outcome:
        if window.steps and answer.rows.empty and not wish.series.allow_empty:
            raise FetchError("the answer has no rows; are the name and the labels right?", fault="answer")
        stored = self.stored(wish)
        made = stored if stored and not window.steps else self._made(wish, stored, window, answer)
        with _writing(self.base):
            self._put(wish, made)
        return self._outcome(wish, "fresh", made, new_rows=len(answer.rows), due=bool(window.steps))

    def _made(self, wish: Wish, stored: Snapshot | None, window: Window, answer: Fetched) -> Snapshot:
        rows, start, warnings = answer.rows, window.start, answer.warnings
        doubt = self._doubt(stored, window, answer)
        if stored:
            # On overlap the new value wins.
            older = stored.rows[~stored.rows.index.isin(rows.index)]
            rows, start = pd.concat([older, rows]).sort_index(), min(start, stored.manifest.window[0])
            if doubt and doubt == stored.manifest.doubt:
                warnings = tuple(dict.fromkeys([*stored.manifest.warnings, *warnings]))[:MOST_WARNINGS]
        return make_snapshot(
            _in_order(rows),
            (start, window.end),
            window.step,
            source=wish.config.id,
            query=words_for(wish.series, wish.config),
            query_hash=wish.query_hash,
            kind=wish.series.kind,
            unit=wish.series.unit,
            fetched_at=self.now(),
            partial=doubt is not None,
            doubt=doubt,
            warnings=warnings,
        )

    def _doubt(self, stored: Snapshot | None, window: Window, answer: Fetched) -> Doubt | None:
        """What is in doubt after this answer: what it is about, or what was before and has not been asked for again."""
        before = stored.manifest.doubt if stored else None
        now = self.base.clock.now
        if stored and before and window.start >= stored.manifest.data_until > before.since:
            return before
        return Doubt(window.start, before.seen if before else now, now) if answer.partial else None

    def _put(self, wish: Wish, made: Snapshot) -> None:
        """Stores a snapshot; data of an earlier query, and data that cannot be read, stay beside it."""
        current = None
        try:
            current = self.store.read(wish.slug, wish.name)
        except CorruptSnapshotError:
            self.store.put_aside(wish.slug, wish.name)
        if current and not _is_of(current, wish):
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
        state = "kept" if current else "missing"
        return self._outcome(wish, state, current, reason=reason, where=where, fault=fault)

    def _outcome(self, wish: Wish, state: str, snapshot: Snapshot | None, **more: Any) -> Outcome:
        until = snapshot.manifest.data_until.isoformat() if snapshot else ""
        at = self.now().isoformat()
        return Outcome(wish.slug, wish.name, wish.config.id, state, at, data_until=until, **more)

    def now(self) -> datetime:
        """The moment of an attempt."""
        # A knowledge base with a clock of its own must give the same bytes on every run.
        clock = self.base.clock
        return clock.now if clock.fixed else datetime.now(UTC).replace(microsecond=0)


def _is_of(snapshot: Snapshot, wish: Wish) -> bool:
    """Whether the rows are those that are asked for: a number in another unit is another number."""
    manifest = snapshot.manifest
    return manifest.query_hash == wish.query_hash and manifest.unit == wish.series.unit


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
