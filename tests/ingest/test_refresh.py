"""Refreshing: what is due is fetched once, and what cannot be fetched costs nothing that was there."""

import errno
import fcntl
import json
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from ingest import lanes
from ingest.cli_refresh import summary
from ingest.errors import BusyError, FetchError, UserError
from ingest.evidence.load import load_facts
from ingest.fields import Strict
from ingest.health import Outcome, read_health
from ingest.knowledge import KnowledgeBase, read_knowledge_base
from ingest.lanes import ATTEMPTS, LONGEST_WAIT, TOTAL_SECONDS
from ingest.refresh import Result, plan, refresh, wishes
from ingest.settings import SourceBasics
from ingest.snapshots import Snapshot, Store
from ingest.sources import SOURCES, Fetched, Objection, Source, Window
from ingest.story import Series
from tests.commands import files_of, perfkb
from tests.servers import FaultServer, Reply

PARALLEL = SourceBasics(kind="fake").parallel
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = datetime(2026, 9, 10, 12, 30, tzinfo=UTC)
END = datetime(2026, 9, 10, 12, tzinfo=UTC)
SECRET = "s3cr3t-t0ken"  # noqa: S105  # a canary, to be looked for where it must not be
Answer = Callable[[Window], Fetched]


def whole(window: Window) -> Fetched:
    """A row for each step, whose value tells its hour."""
    index = pd.date_range(window.start, periods=window.steps, freq=window.step, unit="s")
    return Fetched(pd.DataFrame({"value": (index - pd.Timestamp(0, tz="UTC")) / HOUR}, index=index))


def hours(*times: datetime) -> list[float]:
    return [each.timestamp() / 3600 for each in times]


def nothing(window: Window) -> Fetched:
    made = whole(window)
    return Fetched(made.rows[:0])


def failing(*errors: FetchError | Exception) -> Answer:
    """Raises the errors one after the other, then answers."""
    left = list(errors)

    def answer(window: Window) -> Fetched:
        if left:
            raise left.pop(0)
        return whole(window)

    return answer


def for_ever(error: Exception) -> Answer:
    return failing(*[error] * 1000)


class Fake:
    """A source in this process: `answers` says by query how a fetch ends, `asked` what was asked for."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, Window]] = []
        self.objections: list[Objection] = []
        self.on_open: Callable[[], None] = lambda: None
        self.on_close: Callable[[], None] = lambda: None
        self.on_query: Callable[[], None] = lambda: None

    def fetch(self, query: str, window: Window) -> Fetched:
        self.asked.append((query, window))
        return self.answers.get(query, whole)(window)

    def windows(self) -> list[tuple[datetime, datetime]]:
        return [(window.start, window.end) for _, window in self.asked]

    def kind(self) -> type[Source]:
        """The class that stands in SOURCES."""
        fake = self

        class FakeSource:
            Options: ClassVar[type[Strict]] = Strict

            def __init__(self, name: str, options: Strict, environ: Mapping[str, str], root: Path) -> None:
                del name, options, environ, root
                fake.on_open()

            @staticmethod
            def objections(series: Series, step: timedelta, options: Strict | None) -> Sequence[Objection]:
                del series, step, options
                return fake.objections

            @staticmethod
            def query(series: Series, step: timedelta, options: Strict | None) -> str:
                del step, options
                fake.on_query()
                return f"fake {series.query}"

            def fetch(self, series: Series, window: Window) -> Fetched:
                return fake.fetch(series.query or "", window)

            def close(self) -> None:
                fake.on_close()

        return FakeSource


class Base:
    """A small knowledge base on disk, whose clock stands where a test puts it."""

    def __init__(self, root: Path, sources: str = "fake: {kind: fake, history: 2d}\n") -> None:
        self.root = root
        self.store = root / ".snapshots"
        self.pauses: list[float] = []
        (root / "stories").mkdir(parents=True)
        (root / "site-config").mkdir()
        (root / "site-config/sources.yml").write_text(sources)

    def story(self, slug: str = "slow", **series: str) -> None:
        """Writes a story; a series is the inside of a YAML mapping, without what most have."""
        telemetry = "".join(f"  {name}: {{{fields}}}\n" for name, fields in series.items())
        text = f"---\ntitle: {slug}\nstatus: reported\ntelemetry:\n{telemetry}---\n"
        (self.root / f"stories/{slug}.md").write_text(text)

    def read(self, now: datetime = NOW) -> KnowledgeBase:
        return read_knowledge_base(self.root, {"SOURCE_DATE_EPOCH": str(int(now.timestamp()))})

    def refresh(
        self,
        *slugs: str,
        now: datetime = NOW,
        environ: Mapping[str, str] | None = None,
        progress: Callable[[Outcome], None] = lambda _: None,
    ) -> Result:
        base = self.read(now)
        return refresh(base, wishes(base, slugs), environ or {}, progress, self.pauses.append)

    def snapshot(self, slug: str = "slow", series: str = "p95", query_hash: str = "") -> Snapshot:
        found = Store(self.store).read(slug, series, query_hash)
        assert found is not None
        return found

    def values(self, slug: str = "slow", series: str = "p95") -> list[float]:
        values: list[float] = self.snapshot(slug, series).rows["value"].tolist()
        return values

    def files(self, below: str = "") -> dict[str, bytes]:
        return files_of(self.store / below)


def latency(query: str = "q", **more: str) -> str:
    fields = {"source": "fake", "kind": "latency", "query": query, "unit": "s", **more}
    return ", ".join(f"{key}: {value}" for key, value in fields.items())


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """The source `fake`, for as long as the test runs."""
    made = Fake()
    monkeypatch.setitem(SOURCES, "fake", made.kind())
    return made


@pytest.fixture
def base(tmp_path: Path) -> Base:
    """A knowledge base with one story and one series of the fake source."""
    made = Base(tmp_path / "kb")
    made.story(p95=latency())
    return made


def only(result: Result) -> Outcome:
    assert len(result.outcomes) == 1
    return result.outcomes[0]


def states(result: Result) -> dict[str, str]:
    return {f"{each.story}/{each.series}": each.state for each in result.outcomes}


# What is asked for


@pytest.mark.usefixtures("fake")
def test_a_history_of_less_than_a_step(tmp_path: Path) -> None:
    """The last step is asked for at least: a series of which nothing is due would be fresh, and never have data."""
    base = Base(tmp_path, "fake: {kind: fake, history: 0s}\n")
    base.story(p95=latency())
    assert only(base.refresh()).new_rows == 1


def test_the_first_run_asks_for_the_history(base: Base, fake: Fake) -> None:
    """A series without data is asked for as far as the source's history reaches, up to the last full step."""
    result = base.refresh()
    assert fake.windows() == [(END - 2 * DAY, END)]
    assert result.status == 0
    assert only(result).state == "fresh"
    assert only(result).new_rows == 48
    assert only(result).data_until == END.isoformat()
    assert base.values() == hours(*(END - 2 * DAY + n * HOUR for n in range(48)))


def test_steps_that_may_still_change_are_not_fetched(tmp_path: Path, fake: Fake) -> None:
    """What a source needs to settle is left for a later run, and nothing is due before."""
    base = Base(tmp_path, "fake: {kind: fake, history: 2d, settle: 10m}\n")
    base.story(p95=latency())
    base.refresh(now=END + timedelta(minutes=9))
    base.refresh(now=END + timedelta(minutes=9, seconds=59))
    base.refresh(now=END + timedelta(minutes=10))
    assert fake.windows() == [(END - HOUR - 2 * DAY, END - HOUR), (END - HOUR, END)]


def test_the_second_run_asks_for_new_steps_only(base: Base, fake: Fake) -> None:
    """A later run asks from the end of the data on, and appends."""
    base.refresh()
    result = base.refresh(now=NOW + 3 * HOUR)
    assert fake.windows()[1:] == [(END, END + 3 * HOUR)]
    assert only(result).new_rows == 3
    assert base.values() == hours(*(END - 2 * DAY + n * HOUR for n in range(51)))
    manifest = base.snapshot().manifest
    assert manifest.window == (END - 2 * DAY, END + 3 * HOUR)
    assert manifest.data_until == END + 3 * HOUR


def test_a_step_that_is_not_over_is_not_asked_for(base: Base, fake: Fake) -> None:
    """A run within the same step asks for nothing, writes nothing, and is a success."""
    base.refresh()
    before = base.files()
    result = base.refresh(now=NOW + timedelta(minutes=29))
    assert len(fake.asked) == 1
    assert states(result) == {"slow/p95": "fresh"}
    assert base.files("slow") == {name[5:]: data for name, data in before.items() if name.startswith("slow/")}


def test_the_step_is_that_of_the_source(tmp_path: Path, fake: Fake) -> None:
    """Windows are whole steps of the source, counted from the epoch in UTC."""
    base = Base(tmp_path, "fake: {kind: fake, history: 100m, step: 15m}\n")
    base.story(p95=latency())
    base.refresh(now=NOW + timedelta(minutes=14))
    assert fake.windows() == [(NOW - timedelta(minutes=105), NOW)]
    assert base.snapshot().manifest.step == 900


def test_rows_are_never_dropped(base: Base, fake: Fake) -> None:
    """Data older than the source's history stays, and after an outage the run begins where the data ends."""
    base.refresh()
    base.refresh(now=NOW + 30 * DAY)
    assert fake.windows()[1] == (END, END + 30 * DAY)
    assert base.snapshot().manifest.rows == 32 * 24


def test_gaps_stay_gaps(base: Base, fake: Fake) -> None:
    """Steps without a number are counted as gaps and asked for again only at the end of the data."""

    def with_gaps(window: Window) -> Fetched:
        rows = whole(window).rows
        rows.iloc[[3, 4, -1], 0] = [np.nan, np.inf, np.nan]
        return Fetched(rows)

    fake.answers["q"] = with_gaps
    base.refresh()
    manifest = base.snapshot().manifest
    assert (manifest.rows, manifest.gaps) == (45, 2)
    assert manifest.data_until == END - HOUR
    del fake.answers["q"]
    base.refresh(now=NOW + HOUR)
    assert fake.windows()[1] == (END - HOUR, END + HOUR)
    assert base.snapshot().manifest.gaps == 2


def test_a_partial_answer_is_asked_for_again(base: Base, fake: Fake) -> None:
    """After an answer that was not all there, new values win over it, and rows that only it had stay."""

    def partial(window: Window) -> Fetched:
        return Fetched(whole(window).rows * 0, partial=True, warnings=("one shard is down",))

    fake.answers["q"] = partial
    base.refresh()
    assert base.snapshot().manifest.partial
    assert base.snapshot().manifest.warnings == ("one shard is down",)
    fake.answers["q"] = lambda window: Fetched(whole(window).rows.drop(pd.Timestamp(END - DAY)))
    base.refresh(now=NOW + HOUR)
    assert fake.windows()[1] == (END + HOUR - 2 * DAY, END + HOUR)
    values = dict(zip(base.snapshot().rows.index, base.values(), strict=True))
    assert values.pop(pd.Timestamp(END - 2 * DAY)) == 0  # beyond the history by now
    assert values.pop(pd.Timestamp(END - DAY)) == 0
    assert list(values.values()) == hours(*values)
    assert not base.snapshot().manifest.partial
    assert base.snapshot().manifest.gaps == 0


def test_buckets_that_came_later(base: Base, fake: Fake) -> None:
    """A histogram whose buckets change keeps all of them, in the order of their bounds."""

    def histogram(*bounds: str) -> Answer:
        def answer(window: Window) -> Fetched:
            index = whole(window).rows.index
            return Fetched(pd.DataFrame(1.0, index=index, columns=[*(f"le={each}" for each in bounds), "sum"]))

        return answer

    base.story(p95=latency(kind="histogram"))
    fake.answers["q"] = histogram("1", "10", "+Inf")
    base.refresh()
    fake.answers["q"] = histogram("0.5", "1", "5", "+Inf")
    base.refresh(now=NOW + HOUR)
    rows = base.snapshot().rows
    assert rows.columns.tolist() == ["le=0.5", "le=1", "le=5", "le=10", "le=+Inf", "sum"]
    assert rows.iloc[-1].isna().tolist() == [False, False, False, True, False, False]
    assert rows.iloc[-2].isna().tolist() == [True, False, True, False, False, False]


def test_the_same_request_is_sent_once(base: Base, fake: Fake) -> None:
    """Series of several stories that ask for the same share one request, and each has its snapshot."""
    base.story("a", p95=latency("same"), again=latency("same"), other=latency("different"))
    base.story("b", mine=latency("same"))
    base.refresh("a", "b")
    assert sorted(query for query, _ in fake.asked) == ["different", "same"]
    assert base.values("a") == base.values("a", "again") == base.values("b", "mine")


def test_units_are_not_shared(base: Base, fake: Fake) -> None:
    """The same query in two units is two requests, because a source may convert its answer."""
    base.story(p95=latency(), in_ms=latency(unit="ms"))
    base.refresh()
    assert len(fake.asked) == 2


def test_a_story_that_is_behind_asks_for_more(base: Base, fake: Fake) -> None:
    """The same request with data up to different times is one request for each time."""
    base.refresh()
    base.story("b", p95=latency())
    base.refresh(now=NOW + HOUR)
    assert sorted(fake.windows()[1:]) == [(END + HOUR - 2 * DAY, END + HOUR), (END, END + HOUR)]


def test_only_the_named_stories(base: Base, fake: Fake) -> None:
    """A refresh of one story, named twice, asks for its series once and for no other's."""
    base.story("b", p95=latency("other"))
    result = base.refresh("b", "b")
    assert only(result).story == "b"
    assert [query for query, _ in fake.asked] == ["other"]


def test_an_unknown_story(base: Base) -> None:
    """A name that no story has is a mistake of the user."""
    with pytest.raises(UserError, match="there is no story 'slwo'"):
        base.refresh("slwo")


def test_requests_run_side_by_side(tmp_path: Path, fake: Fake) -> None:
    """As many requests are under way at a time as the source's `parallel` says: none ends before all have begun."""
    base, barrier = Base(tmp_path), threading.Barrier(PARALLEL)

    def meet(window: Window) -> Fetched:
        barrier.wait(20)
        return whole(window)

    names = [f"s{number}" for number in range(PARALLEL)]
    fake.answers = dict.fromkeys(names, meet)
    base.story(**{name: latency(name) for name in names})
    assert base.refresh().count("fresh") == PARALLEL


# What fails


def test_a_failure_keeps_what_was_there(base: Base, fake: Fake) -> None:
    """A series that cannot be fetched keeps its snapshot byte for byte; status and health file say why."""
    base.story(p95=latency(), other=latency("other"))
    base.refresh()
    before = base.files("slow")
    fake.answers["q"] = for_ever(FetchError("prod cannot be reached"))
    result = base.refresh(now=NOW + HOUR)
    assert result.status == 1
    assert states(result) == {"slow/other": "fresh", "slow/p95": "kept"}
    after = base.files("slow")
    assert (after["p95.csv"], after["p95.json"]) == (before["p95.csv"], before["p95.json"])
    kept = read_health(base.store)["slow", "p95"]
    assert kept == Outcome(
        "slow", "p95", "fake", "kept", (NOW + HOUR).isoformat(), "prod cannot be reached", data_until=END.isoformat(),
        fault="source", failures=1,
    )  # fmt: skip
    assert json.loads(base.files()["health.json"])["status"] == 1


def test_nothing_usable(base: Base, fake: Fake) -> None:
    """Where no series has any data, the status is 2, and no snapshot is made."""
    fake.answers["q"] = for_ever(FetchError("no"))
    result = base.refresh()
    assert result.status == 2
    assert states(result) == {"slow/p95": "missing"}
    assert set(base.files()) == {".lock", "health.json"}


def test_success_after_failure(base: Base, fake: Fake) -> None:
    """The reason for a failure is gone with the next success."""
    fake.answers["q"] = failing(FetchError("no"))
    assert base.refresh().status == 2
    assert base.refresh().status == 0
    assert read_health(base.store)["slow", "p95"].reason == ""


@pytest.mark.parametrize(
    ("ended", "status"),
    [
        ([], 0),
        (["fresh"], 0),
        (["fresh", "kept"], 1),
        (["fresh", "missing"], 1),
        (["kept"], 1),
        (["kept", "missing"], 1),
        (["missing"], 2),
    ],
)
def test_the_status(ended: list[str], status: int) -> None:
    """0 is all fresh, 1 that something is usable, 2 that nothing is."""
    outcomes = [Outcome("a", "b", "c", state, "") for state in ended]
    assert Result(outcomes).status == status


def test_a_retry(base: Base, fake: Fake) -> None:
    """What may work later is tried again at once, with a pause between."""
    fake.answers["q"] = failing(FetchError("busy", retry=True), FetchError("busy", retry=True))
    assert base.refresh().status == 0
    assert len(fake.asked) == 3
    assert len(base.pauses) == 2


def test_pauses_grow(base: Base, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pause is a random part of a limit that doubles, and the number of attempts is limited."""
    monkeypatch.setattr(lanes, "random", SimpleNamespace(uniform=lambda low, high: high - low))
    fake.answers["q"] = for_ever(FetchError("busy", retry=True))
    assert base.refresh().status == 2
    assert len(fake.asked) == ATTEMPTS
    assert base.pauses == [min(10.0, 0.25 * 2**n) for n in range(ATTEMPTS - 1)]


def test_pauses_are_left_to_chance(base: Base, fake: Fake) -> None:
    """Clients that failed together do not come back together."""
    fake.answers["q"] = for_ever(FetchError("busy", retry=True))
    base.refresh()
    once = base.pauses.copy()
    base.refresh()
    assert base.pauses[len(once) :] != once


def test_what_stays_wrong_is_not_tried_again(base: Base, fake: Fake) -> None:
    """An error that another attempt cannot mend is final."""
    fake.answers["q"] = failing(FetchError("prod does not accept our credentials (401)"))
    assert base.refresh().status == 2
    assert len(fake.asked) == 1
    assert base.pauses == []


def test_a_bad_answer_is_part_of_the_attempt(base: Base, fake: Fake) -> None:
    """An answer that contradicts itself is no success, even where the source did not notice."""
    fake.answers["q"] = lambda window: Fetched(pd.concat([whole(window).rows, whole(window).rows + 1]))
    result = base.refresh()
    assert only(result).state == "missing"
    assert only(result).reason.startswith("two different values for the step at ")


@pytest.mark.parametrize("wait", [0.0, 7.0, LONGEST_WAIT])
def test_the_server_says_when(base: Base, fake: Fake, wait: float) -> None:
    """The pause that a server asks for is kept, and all whom it told so do not come back at once."""
    fake.answers["q"] = failing(FetchError("busy", retry=True, wait=wait))
    assert base.refresh().status == 0
    assert [wait < pause <= wait + 0.25 for pause in base.pauses] == [True]


def test_the_server_asks_for_too_much(base: Base, fake: Fake) -> None:
    """A run does not wait for longer than its cap; the data that is there must do."""
    base.refresh()
    fake.answers["q"] = failing(FetchError("busy until tomorrow", retry=True, wait=LONGEST_WAIT + 1))
    assert only(base.refresh(now=NOW + HOUR)).reason == "busy until tomorrow"
    assert base.pauses == []


def test_the_total_deadline(base: Base, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long each attempt takes, none begins after the total deadline."""
    clock = [1000.0]
    monkeypatch.setattr(lanes, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    begun: list[float] = []

    def slow(window: Window) -> Fetched:
        begun.append(clock[0] - 1000)
        clock[0] += 50
        raise FetchError(f"no answer to {window.steps} steps", retry=True)

    fake.answers["q"] = slow
    assert base.refresh().status == 2
    assert begun == [0, 50, 100]
    assert TOTAL_SECONDS == 120


def test_an_empty_answer(base: Base, fake: Fake) -> None:
    """An answer without rows, where rows are expected, keeps what was there."""
    base.refresh()
    before = base.files("slow")
    fake.answers["q"] = nothing
    result = base.refresh(now=NOW + HOUR)
    assert only(result).state == "kept"
    assert only(result).reason == "the answer has no rows; are the name and the labels right?"
    assert base.files("slow") == before


def test_an_empty_answer_that_is_allowed(base: Base, fake: Fake) -> None:
    """With allow_empty, no rows are news as well: the window goes on, and the rows stay."""
    base.story(p95=latency(allow_empty="true"))
    base.refresh()
    fake.answers["q"] = nothing
    result = base.refresh(now=NOW + HOUR)
    assert result.status == 0
    assert base.snapshot().manifest.rows == 48
    assert base.snapshot().manifest.window[1] == END + HOUR


def test_never_a_row(base: Base, fake: Fake) -> None:
    """With allow_empty, a series may begin without any rows, and get its first ones later."""
    base.story(p95=latency(allow_empty="true"))
    fake.answers["q"] = nothing
    assert base.refresh().status == 0
    assert base.snapshot().manifest.rows == 0
    del fake.answers["q"]
    assert only(base.refresh(now=NOW + HOUR)).new_rows == 49


def test_a_refused_query(base: Base, fake: Fake) -> None:
    """A query that the source refuses is shown with the story's file and line, other faults are not."""
    base.story(p95=latency(), down=latency("down"))
    fake.answers["q"] = for_ever(FetchError("parse error at char 7", fault="query"))
    fake.answers["down"] = for_ever(FetchError("down"))
    base.refresh()
    health = read_health(base.store)
    assert health["slow", "p95"].where == "stories/slow.md:5:3"
    assert health["slow", "p95"].reason == "parse error at char 7"
    assert health["slow", "down"].where == ""


def test_an_objection(base: Base, fake: Fake) -> None:
    """A series that the source objects to is not asked for, as what came would mean something else."""
    fake.objections = [Objection("query", "the range [5m] is not the step of 1h")]
    result = base.refresh()
    assert fake.asked == []
    assert only(result).reason == "query: the range [5m] is not the step of 1h"
    assert only(result).where == "stories/slow.md:5:3"


# A mistake of ours


def no_frame(_: Window) -> Fetched:
    return Fetched(None)  # type: ignore[arg-type]  # as a careless source might


def naive(window: Window) -> Fetched:
    rows = whole(window).rows
    return Fetched(rows.set_axis(pd.DatetimeIndex(rows.index).tz_localize(None)))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (for_ever(KeyError(SECRET)), "KeyError"),
        (for_ever(RecursionError(SECRET)), "RecursionError"),
        (for_ever(OSError(errno.EIO, SECRET)), "OSError"),
        (for_ever(AssertionError()), "AssertionError"),
        (no_frame, "AttributeError"),
        (naive, "TypeError"),
    ],
)
def test_a_bug_in_a_source(base: Base, fake: Fake, answer: Answer, kind: str) -> None:
    """An exception that nobody foresaw fails its own series, by its name and place, and no other."""
    base.story(p95=latency(), other=latency("other"))
    base.refresh()
    before = base.files("slow")["p95.csv"]
    fake.answers["q"] = answer
    result = base.refresh(now=NOW + HOUR)
    assert states(result) == {"slow/other": "fresh", "slow/p95": "kept"}
    reason = read_health(base.store)["slow", "p95"].reason
    assert reason.startswith(f"a bug in perfkb: {kind} at ")
    assert ".py:" in reason
    assert SECRET.encode() not in b"".join(base.files().values())
    assert str(base.root).encode() not in base.files()["health.json"]
    assert base.files("slow")["p95.csv"] == before
    assert base.pauses == []


@pytest.mark.parametrize("place", ["on_open", "on_query"])
@pytest.mark.usefixtures("fake")
def test_a_bug_around_a_source(base: Base, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """A source that cannot even be made, or named, fails its own series, and no other."""
    broken = Fake()

    def fail() -> None:
        raise ZeroDivisionError(SECRET)

    setattr(broken, place, fail)
    monkeypatch.setitem(SOURCES, "broken", broken.kind())
    (base.root / "site-config/sources.yml").write_text("fake: {kind: fake}\nbroken: {kind: broken}\n")
    base.story(p95=latency(), other=latency(source="broken"))
    result = base.refresh()
    assert states(result) == {"slow/other": "missing", "slow/p95": "fresh"}
    assert "ZeroDivisionError" in read_health(base.store)["slow", "other"].reason


def test_a_bug_in_closing(base: Base, fake: Fake) -> None:
    """A source that cannot be closed takes nothing of the result away."""

    def fail() -> None:
        raise ZeroDivisionError

    fake.on_close = fail
    assert base.refresh().status == 0
    assert read_health(base.store)["slow", "p95"].state == "fresh"


def test_sources_are_closed(base: Base, fake: Fake) -> None:
    """Every source that was opened is closed, once, after the last answer."""
    calls: list[str] = []
    fake.on_open = lambda: calls.append("open")
    fake.on_close = lambda: calls.append(f"close after {len(fake.asked)}")
    base.story(p95=latency(), other=latency("other"))
    base.refresh()
    assert calls == ["open", "close after 2"]


def test_interrupted(tmp_path: Path, fake: Fake) -> None:
    """Who interrupts a run does not wait for what has not begun, and the lock is free again."""
    base = Base(tmp_path)
    names = [f"s{number}" for number in range(5 * PARALLEL)]
    base.story(**{name: latency(name) for name in names})

    def slow(window: Window) -> Fetched:
        time.sleep(0.02)
        return whole(window)

    def interrupt(_: Outcome) -> None:
        raise KeyboardInterrupt

    fake.answers = dict.fromkeys(names, slow)
    result = base.refresh(progress=interrupt)
    assert len(fake.asked) <= 3 * PARALLEL
    assert result.untried == len(names) - len(result.outcomes) > 0
    assert {each.series for each in result.outcomes} == {name for _, name in read_health(base.store)}
    assert base.refresh().status == 0


# Queries that change, and data that is damaged


def test_a_changed_query(base: Base, fake: Fake) -> None:
    """A story that asks for something else gets its whole history; the data of before is kept beside it."""
    base.refresh()
    before = base.snapshot()
    base.story(p95=latency("new"))
    base.refresh(now=NOW + HOUR)
    assert fake.asked[1] == ("new", Window(END + HOUR - 2 * DAY, END + HOUR, HOUR))
    assert base.snapshot().manifest.query == "fake new"
    aside = base.snapshot(query_hash=before.manifest.query_hash)
    assert aside.manifest == before.manifest
    pd.testing.assert_frame_equal(aside.rows, before.rows)


def test_a_changed_query_that_fails(base: Base, fake: Fake) -> None:
    """Until the new query has an answer, the data of the old one stays in its place."""
    base.refresh()
    before = base.files("slow")
    base.story(p95=latency("new"))
    fake.answers["new"] = for_ever(FetchError("no"))
    assert states(base.refresh(now=NOW + HOUR)) == {"slow/p95": "kept"}
    assert base.files("slow") == before


@pytest.mark.parametrize("later", [2 * HOUR, timedelta(0)], ids=["later", "within the same step"])
def test_a_change_that_is_taken_back(base: Base, fake: Fake, later: timedelta) -> None:
    """A query that is asked again finds its old data, and is asked for what is missing since."""
    base.refresh()
    base.story(p95=latency("new"))
    base.refresh()
    base.story(p95=latency())
    result = base.refresh(now=NOW + later)
    assert result.status == 0
    assert fake.windows()[2:] == ([(END, END + later)] if later else [])
    assert base.snapshot().manifest.query == "fake q"
    assert base.values() == hours(*(END - 2 * DAY + n * HOUR for n in range(48 + later // HOUR)))


def test_a_fetch_of_the_same_query_in_another_step(base: Base, fake: Fake) -> None:
    """A source's other step makes another series of it, with its own history."""
    base.refresh()
    (base.root / "site-config/sources.yml").write_text("fake: {kind: fake, history: 2d, step: 30m}\n")
    base.refresh()
    assert fake.asked[1] == ("q", Window(NOW - 2 * DAY, NOW, HOUR / 2))
    assert base.snapshot().manifest.step == 1800


def damage(base: Base) -> dict[str, bytes]:
    """Flips a bit of the stored data."""
    path = base.store / "slow/p95.csv"
    data = path.read_bytes()
    path.write_bytes(data[:40] + bytes([data[40] ^ 1]) + data[41:])
    return base.files("slow")


def test_a_corrupt_snapshot(base: Base, fake: Fake) -> None:
    """Data that cannot be trusted is put aside byte for byte, and fetched again as far as it goes."""
    base.refresh()
    damaged = damage(base)
    result = base.refresh(now=NOW + HOUR)
    assert result.status == 0
    assert fake.windows()[1] == (END + HOUR - 2 * DAY, END + HOUR)
    for end in ("csv", "json"):
        assert base.files("slow")[f"p95.corrupt.{end}"] == damaged[f"p95.{end}"]
    assert base.snapshot().manifest.rows == 48


def test_a_corrupt_snapshot_that_cannot_be_replaced(base: Base, fake: Fake) -> None:
    """Where the source fails as well, the files stay as they are, and both reasons are told."""
    base.refresh()
    damaged = damage(base)
    fake.answers["q"] = for_ever(FetchError("prod cannot be reached"))
    result = base.refresh(now=NOW + HOUR)
    assert result.status == 2
    assert base.files("slow") == damaged
    assert only(result).reason == (
        "prod cannot be reached; and the snapshot: the data does not have the checksum of its manifest"
    )


def test_a_corrupt_snapshot_of_a_query_that_came_back(base: Base, fake: Fake) -> None:
    """Where the current data is damaged, an older copy of the same query is taken up again."""
    base.refresh()
    base.story(p95=latency("new"))
    base.refresh()
    base.story(p95=latency())
    base.refresh(now=NOW + HOUR)
    damage(base)
    assert base.refresh(now=NOW + HOUR).status == 0
    assert fake.windows()[-1] == (END, END + HOUR)
    assert base.snapshot().manifest.rows == 49


# One run at a time, and the file system


def test_busy(base: Base, fake: Fake) -> None:
    """While another run holds the lock, a refresh asks for nothing and writes nothing."""
    base.refresh()
    before = base.files()
    with (base.store / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match="another refresh is running"):
            base.refresh(now=NOW + HOUR)
    assert len(fake.asked) == 1
    assert base.files() == before


def test_a_file_system_without_locks(base: Base, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that cannot be had at all is another mistake than one that somebody holds."""

    def fail(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(UserError, match="No locks available") as caught:
        base.refresh()
    assert not isinstance(caught.value, BusyError)
    assert fake.asked == []


# Holds the lock, in the middle of a fetch, until it is killed.
STUCK = """
import sys, time
from pathlib import Path
from ingest.knowledge import read_knowledge_base
from ingest.refresh import refresh, wishes
from ingest.sources.demo import DemoSource

def stuck(*_):
    print("fetching", flush=True)
    time.sleep(600)

DemoSource.fetch = stuck
base = read_knowledge_base(Path(sys.argv[1]))
refresh(base, wishes(base), {})
"""


@pytest.fixture
def demo(tmp_path: Path) -> Base:
    """A knowledge base on demo telemetry, for the command line."""
    made = Base(tmp_path / "kb", "demo: {kind: demo, history: 4d}\n")
    made.story(p95="source: demo, kind: latency, query: page, unit: s")
    return made


def at(moment: datetime) -> int:
    return int(moment.timestamp())


def test_two_processes(demo: Base) -> None:
    """A second process ends with 75 while the first one runs, and works once that was killed."""
    with subprocess.Popen([sys.executable, "-c", STUCK, str(demo.root)], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "fetching\n"
        second = perfkb("-C", demo.root, "refresh", now=at(NOW))
        first.send_signal(signal.SIGKILL)
    assert second.returncode == 75
    assert second.stderr.endswith("perfkb: .snapshots: another refresh is running (wait until it is done)\n")
    assert "Traceback" not in second.stderr
    assert perfkb("-C", demo.root, "refresh", now=at(NOW)).returncode == 0


def with_a_full_disk(base: Base, size: int, now: datetime) -> subprocess.CompletedProcess[str]:
    """Runs a refresh that cannot write a file of more than `size` bytes."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "perfkb", "-C", str(base.root), "refresh"],
        env={"SOURCE_DATE_EPOCH": str(at(now)), "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_room_for_a_snapshot(demo: Base) -> None:
    """A snapshot that cannot be written is a failure of its series: the old one stays, and the run goes on."""
    demo.story("small", p95="source: demo, kind: latency, query: page, unit: s")
    perfkb("-C", demo.root, "refresh", "slow", now=at(NOW))
    before, data = demo.snapshot().manifest, demo.files("slow")["p95.csv"]
    done = with_a_full_disk(demo, 1400, NOW + HOUR)
    assert done.returncode == 1
    assert "demo: slow/p95 kept: .snapshots: the store cannot be written: File too large" in done.stderr
    assert "demo: small/p95 missing: .snapshots: the store cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert demo.snapshot().manifest == before
    assert demo.files("slow")["p95.csv"] == data
    assert read_health(demo.store)["slow", "p95"].state == "kept"
    assert not list(demo.store.rglob(".tmp-*"))


def test_no_room_for_anything(demo: Base) -> None:
    """Where not even the health file can be written, the run ends with one line and status 2."""
    done = with_a_full_disk(demo, 50, NOW)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "perfkb: .snapshots: the store cannot be written: File too large"
    assert "Traceback" not in done.stderr


def test_the_store_is_a_file(base: Base, fake: Fake) -> None:
    """A file in the place of the store is a mistake of the user."""
    base.store.write_text("in the way")
    with pytest.raises(UserError, match="the store cannot be written"):
        base.refresh()
    assert fake.asked == []


def test_a_folder_of_the_store_is_a_file(base: Base, fake: Fake) -> None:
    """A file in the place of one story's folder fails the series of that story alone."""
    base.story("other", p95=latency("other"))
    base.store.mkdir()
    (base.store / "slow").write_text("in the way")
    result = base.refresh()
    assert states(result) == {"other/p95": "fresh", "slow/p95": "missing"}
    assert "the store cannot be written: " in read_health(base.store)["slow", "p95"].reason
    assert (base.store / "slow").read_text() == "in the way"
    assert len(fake.asked) == 2


def test_leftovers_are_swept(base: Base, fake: Fake) -> None:
    """What a killed run left half written is removed by the next one."""
    base.refresh()
    (base.store / "slow/.tmp-x").write_bytes(b"half")
    base.refresh()
    assert len(fake.asked) == 1
    assert ".tmp-x" not in base.files("slow")


# What is told


def test_a_missing_variable(tmp_path: Path, fake: Fake) -> None:
    """A source whose credentials are missing says which, and keeps no other from being fetched."""
    base = Base(
        tmp_path,
        "fake: {kind: fake}\nfiles: {kind: csv, url: 'http://127.0.0.1:9', headers: {Authorization: '${TOKEN}'}}\n",
    )
    base.story(p95=latency(), file="source: files, kind: latency, query: a.csv, unit: s")
    result = base.refresh()
    assert states(result) == {"slow/file": "missing", "slow/p95": "fresh"}
    assert "the environment has no TOKEN" in read_health(base.store)["slow", "file"].reason
    assert len(fake.asked) == 1


def test_mistakes_in_a_source(tmp_path: Path, fake: Fake) -> None:
    """A source with a mistake in its keys is told with its place in sources.yml, and keeps no other from its work."""
    base = Base(tmp_path, "fake: {kind: fake}\nfiles:\n  kind: csv\n  pth: data\n")
    base.story(p95=latency(), file="source: files, kind: latency, query: a.csv, unit: s")
    base.refresh()
    assert len(fake.asked) == 1
    assert read_health(base.store)["slow", "file"].reason.startswith("site-config/sources.yml:4:3: pth is not a known")


def with_a_token(root: Path, server: FaultServer) -> Base:
    """A knowledge base whose source needs the variable TOKEN."""
    headers = "{Authorization: 'Bearer ${TOKEN}'}"
    base = Base(root, f"files: {{kind: csv, url: '{server.url}', headers: {headers}}}\n")
    base.story(file="source: files, kind: latency, query: a.csv, unit: s")
    return base


def quoting(status: int) -> FaultServer:
    """A server that refuses a credential, and quotes it."""
    return FaultServer({"/a.csv": Reply(json.dumps({"error": f"bad token {SECRET}"}).encode(), status, {"X": SECRET})})


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 429, 500])
def test_no_secret_is_stored(tmp_path: Path, status: int) -> None:
    """A credential stands in no file of the store, even where the server quotes it."""
    with quoting(status) as server:
        base = with_a_token(tmp_path, server)
        result = base.refresh(environ={"TOKEN": SECRET})
        assert server.asked[0].headers["Authorization"] == f"Bearer {SECRET}"
    assert only(result).reason.startswith("files (127.0.0.1:")
    assert SECRET.encode() not in b"".join(base.files().values())


def test_no_secret_is_printed(tmp_path: Path) -> None:
    """A credential stands in no output, even where the server quotes it."""
    with quoting(400) as server:
        base = with_a_token(tmp_path, server)
        done = perfkb("-C", base.root, "refresh", now=at(NOW), TOKEN=SECRET)
    assert done.returncode == 2
    assert "answers with status 400: bad token ***" in done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_progress(base: Base, fake: Fake) -> None:
    """Each series is told once, as soon as it is known, whether it went well or not."""
    base.story(p95=latency(), same=latency(), down=latency("down"))
    fake.answers["down"] = for_ever(FetchError("no"))
    told: list[tuple[str, str]] = []
    base.refresh(progress=lambda each: told.append((each.series, each.state)))
    assert sorted(told) == [("down", "missing"), ("p95", "fresh"), ("same", "fresh")]


def test_outcomes_are_in_order(base: Base, fake: Fake) -> None:
    """However the answers come in, the result is ordered by story and series."""

    def late(window: Window) -> Fetched:
        time.sleep(0.05)
        return whole(window)

    fake.answers["first"] = late
    base.story("a", b=latency("first"), a=latency("third"))
    base.story("b", a=latency("second"))
    base.story()
    assert list(states(base.refresh())) == ["a/a", "a/b", "b/a"]


def test_one_story_leaves_the_health_of_the_others(base: Base, fake: Fake) -> None:
    """A refresh of one story updates its series in the health file and keeps what is known of all others."""
    base.story("b", p95=latency("down"))
    fake.answers["down"] = for_ever(FetchError("no"))
    base.refresh()
    base.refresh("slow", now=NOW + HOUR)
    health = read_health(base.store)
    assert health["slow", "p95"].at == (NOW + HOUR).isoformat()
    assert health["b", "p95"].at == NOW.isoformat()
    assert health["b", "p95"].reason == "no"


def test_stories_that_are_gone_leave_the_health_file(base: Base, fake: Fake) -> None:
    """What no story asks for any more is no reason to worry for ever."""
    fake.answers["down"] = for_ever(FetchError("no"))
    base.story("b", p95=latency("down"))
    base.refresh()
    (base.root / "stories/b.md").unlink()
    base.refresh("slow")
    assert list(read_health(base.store)) == [("slow", "p95")]


def test_a_fixed_clock_gives_the_same_bytes(tmp_path: Path, fake: Fake) -> None:
    """Two stores that were filled at the same fixed moment are the same, byte for byte."""
    made = []
    for name in ("one", "two"):
        base = Base(tmp_path / name, "fake: {kind: fake, history: 2d}\ndemo: {kind: demo, history: 9d}\n")
        base.story(p95=latency(), down=latency("down"), page="source: demo, kind: histogram, metric: page, unit: s")
        fake.answers["down"] = for_ever(FetchError("no", retry=True))
        base.refresh()
        made.append(base.files())
        base.refresh()
        again = base.files()
        assert {**again, "health.json": made[-1]["health.json"]} == made[-1]  # which counts new rows
        base.refresh()
        assert base.files() == again
    assert made[0] == made[1]
    assert set(made[0]) == {
        ".lock", "health.json", "slow/p95.csv", "slow/p95.json", "slow/page.csv", "slow/page.json",
    }  # fmt: skip


def test_a_clock_that_runs(base: Base, fake: Fake) -> None:
    """Without a fixed clock, each attempt has its own moment."""
    kb = read_knowledge_base(base.root, {})
    result = refresh(kb, wishes(kb), {})
    age = datetime.now(UTC) - datetime.fromisoformat(only(result).at)
    assert timedelta(0) <= age < timedelta(minutes=1)
    assert len(fake.asked) == 1


def test_plan(base: Base, fake: Fake) -> None:
    """A dry run says what would be asked for; it opens no source, asks nothing and writes nothing."""

    def fail() -> None:
        raise AssertionError

    fake.on_open = fail
    kb = base.read()
    assert plan(kb, wishes(kb)) == ["slow/p95: 48 steps from 2026-09-08 12:00 UTC, of fake"]
    assert fake.asked == []
    assert not base.store.exists()


def test_plan_with_data(base: Base, fake: Fake) -> None:
    """A dry run says as well where nothing is due, and leaves a damaged snapshot where it is."""
    base.story(p95=latency(), other=latency("other"))
    base.refresh()
    damaged = damage(base)
    kb = base.read()
    assert plan(kb, wishes(kb)) == [
        "slow/p95: 48 steps from 2026-09-08 12:00 UTC, of fake",
        "slow/other: nothing is due, of fake",
    ]
    assert len(fake.asked) == 2
    assert base.files("slow") == damaged


def test_dry_run(demo: Base) -> None:
    """`refresh --dry-run` prints the plan and leaves no store behind."""
    done = perfkb("-C", demo.root, "refresh", "--dry-run", now=at(NOW))
    assert done.returncode == 0
    assert done.stdout == "slow/p95: 96 steps from 2026-09-06 12:00 UTC, of demo\n"
    assert not demo.store.exists()


# Real sources


def test_a_file_that_grows(tmp_path: Path) -> None:
    """New lines of a CSV file come in with the next run; a broken line keeps everything and names itself."""
    base = Base(tmp_path, "files: {kind: csv, path: data, history: 2d}\n")
    base.story(p95="source: files, kind: latency, query: a.csv, unit: s")
    (tmp_path / "data").mkdir()
    lines = [f"{END - 2 * DAY + n * HOUR:%Y-%m-%dT%H:%MZ},{n}" for n in range(50)]
    path = tmp_path / "data/a.csv"
    path.write_text("\n".join(["time,value", *lines[:48], ""]))
    assert only(base.refresh()).new_rows == 48
    path.write_text("\n".join(["time,value", *lines, ""]))
    assert only(base.refresh(now=NOW + 2 * HOUR)).new_rows == 2
    assert base.values() == list(range(50))
    before = base.files("slow")
    path.write_text("\n".join(["time,value", *lines, "fast,1", ""]))
    result = base.refresh(now=NOW + 3 * HOUR)
    assert only(result).state == "kept"
    assert "a.csv:52: 'fast' is not a date and time" in only(result).reason
    assert base.files("slow") == before


def test_demo_in_two_runs_is_demo_in_one(tmp_path: Path) -> None:
    """A history that was fetched in pieces is the one that is fetched at once."""
    texts = []
    for name, moments in (("pieces", (NOW - 20 * HOUR, NOW - 3 * HOUR, NOW)), ("whole", (NOW,))):
        base = Base(tmp_path / name, "demo: {kind: demo, history: 3d}\n")
        base.story(page="source: demo, kind: histogram, metric: page, unit: s")
        for moment in moments:
            assert base.refresh(now=moment).status == 0
        texts.append(base.files("slow")["page.csv"].decode().splitlines())
    assert texts[0][-len(texts[1]) + 1 :] == texts[1][1:]
    assert texts[0][0] == texts[1][0]
    assert len(texts[0]) > len(texts[1]) > 60


# Doubt, units, and stores that lost their data


def warning(window: Window) -> Fetched:
    return Fetched(whole(window).rows, partial=True, warnings=("one shard is down",))


def test_a_source_that_always_warns(base: Base, fake: Fake) -> None:
    """All that is in doubt is asked for again after pauses that double, in between only what is new."""
    fake.answers["q"] = warning
    asked = []
    for hour in range(40):
        base.refresh(now=NOW + hour * HOUR)
        if fake.windows()[-1][0] < END + (hour - 1) * HOUR:
            asked.append(hour)
    assert asked == [0, 1, 2, 4, 8, 16, 32]
    manifest = base.snapshot().manifest
    assert manifest.partial
    assert manifest.warnings == ("one shard is down",)
    assert manifest.rows == 48 + 39


def test_doubt_ends(base: Base, fake: Fake) -> None:
    """A whole answer about new steps does not clear the old ones; the next whole answer about those does."""
    fake.answers["q"] = warning
    for hour in range(3):
        base.refresh(now=NOW + hour * HOUR)
    del fake.answers["q"]
    base.refresh(now=NOW + 3 * HOUR)
    assert fake.windows()[-1] == (END + 2 * HOUR, END + 3 * HOUR)
    manifest = base.snapshot().manifest
    assert (manifest.partial, manifest.warnings) == (True, ("one shard is down",))
    assert manifest.doubt is not None
    assert manifest.doubt.since == END - 2 * DAY + 2 * HOUR
    base.refresh(now=NOW + 4 * HOUR)
    assert fake.windows()[-1] == (END - 2 * DAY + 4 * HOUR, END + 4 * HOUR)
    manifest = base.snapshot().manifest
    assert (manifest.partial, manifest.warnings, manifest.doubt) == (False, (), None)


def test_doubt_about_new_steps_alone(base: Base, fake: Fake) -> None:
    """What was whole is not asked for again because a later answer is partial."""
    base.refresh()
    fake.answers["q"] = warning
    base.refresh(now=NOW + HOUR)
    base.refresh(now=NOW + 2 * HOUR)
    assert fake.windows()[-1] == (END, END + 2 * HOUR)


def test_another_unit(base: Base, fake: Fake) -> None:
    """A series in another unit is fetched anew, since a source may convert; the old rows stay beside it."""
    base.refresh()
    base.story(p95=latency(unit="ms"))
    fake.answers["q"] = lambda window: Fetched(whole(window).rows * 1000)
    base.refresh(now=NOW + HOUR)
    assert fake.windows()[-1] == (END + HOUR - 2 * DAY, END + HOUR)
    assert base.snapshot().manifest.unit == "ms"
    assert base.values()[-1] == hours(END)[0] * 1000
    aside = base.snapshot(query_hash=base.snapshot().manifest.query_hash)
    assert aside.manifest.unit == "s"
    assert aside.rows["value"].tolist()[-1] == hours(END - HOUR)[0]


def test_another_unit_that_fails(base: Base, fake: Fake) -> None:
    """Until it is fetched, no page shows a number under a unit that is not its own."""
    base.refresh()
    base.story(p95=latency(unit="ms"))
    fake.answers["q"] = for_ever(FetchError("no"))
    base.refresh(now=NOW + HOUR)
    (facts,) = load_facts(base.read(NOW + HOUR), {}, base.read(NOW + HOUR).stories)
    assert facts.series["p95"].health.state == "changed"
    assert facts.series["p95"].recent is None
    assert facts.series["p95"].rows.empty


def test_an_empty_store_where_data_is_expected(base: Base, fake: Fake) -> None:
    """A cache that was not restored is refused, before anything is asked; a first run says so once."""
    kb = base.read()
    with pytest.raises(UserError, match="the store is empty, and data is expected in it") as caught:
        refresh(kb, wishes(kb), {}, expect_store=True)
    assert caught.value.hint == "if this is the first run, say so: perfkb refresh --first-run"
    assert fake.asked == []
    fake.answers["q"] = for_ever(FetchError("no"))
    assert refresh(kb, wishes(kb), {}, expect_store=True, first_run=True).status == 2
    # A first run that got nothing was a run all the same.
    assert refresh(kb, wishes(kb), {}, expect_store=True).status == 2


def test_no_data_is_expected_where_none_is_asked_for(base: Base) -> None:
    """A knowledge base without telemetry has nothing to lose."""
    (base.root / "stories/slow.md").write_text("---\ntitle: Slow\nstatus: reported\n---\n")
    kb = base.read()
    assert refresh(kb, wishes(kb), {}, expect_store=True).status == 0


def test_expect_store(demo: Base) -> None:
    """On the command line too: exit status 2 with a way on, and then a refresh like any other."""
    refused = perfkb("-C", demo.root, "refresh", "--expect-store", now=at(NOW))
    assert refused.returncode == 2
    assert "say so: perfkb refresh --first-run" in refused.stderr
    assert perfkb("-C", demo.root, "refresh", "--expect-store", "--first-run", now=at(NOW)).returncode == 0
    assert perfkb("-C", demo.root, "refresh", "--expect-store", now=at(NOW)).returncode == 0


def test_the_summary() -> None:
    """What went wrong is told by source and reason, with the names of a few; a reader is done in ten seconds."""

    def kept(source: str, number: int, reason: str, state: str = "kept", where: str = "") -> Outcome:
        return Outcome("slow", f"s{number}", source, state, "", reason, where=where)

    outcomes = [
        *(kept("prod", number, "prod cannot be reached") for number in range(12)),
        kept("prod", 20, "parse error", where="stories/slow.md:5:3"),
        kept("logs", 21, "a.csv is not a file", "missing"),
        kept("logs", 22, "a.csv is not a file", "missing"),
        Outcome("slow", "fine", "prod", "fresh", ""),
    ]
    assert list(summary(outcomes, "{}/{}".format)) == [
        "logs: 2 series missing: a.csv is not a file",
        "  slow/s21, slow/s22",
        "prod: slow/s20 kept: stories/slow.md:5:3: parse error",
        "prod: 12 series kept: prod cannot be reached",
        "  slow/s0, slow/s1, slow/s2, slow/s3, slow/s4 and 7 more",
    ]
