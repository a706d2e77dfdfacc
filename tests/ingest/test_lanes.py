"""Sources that hang or fail cost a run as little as can be: each has a lane of its own."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from ingest import lanes
from ingest.errors import FetchError
from ingest.health import Outcome, read_health
from ingest.lanes import IN_A_ROW, Gate, StoppedError, host_of
from ingest.settings import read_sources
from ingest.sources import SOURCES, Fetched, Window
from tests.commands import perfkb
from tests.ingest.test_refresh import HOUR, NOW, Base, Fake, at, fake, for_ever, latency, states, whole
from tests.servers import Asked, FaultServer, Reply

__all__ = ["fake"]  # a fixture


def many(base: Base, count: int, source: str = "fake") -> list[str]:
    """A story with `count` series of a source, whose queries are their names."""
    names = [f"{source}{number:02}" for number in range(count)]
    base.story(source, **{name: latency(name, source=source) for name in names})
    return names


class Work:
    """Work that takes its time, and the most of it that was ever done at once."""

    def __init__(self) -> None:
        self.busy = self.most = 0
        self.lock = threading.Lock()

    def take(self, seconds: float) -> None:
        """Takes so long, in a thread."""
        with self.lock:
            self.busy += 1
            self.most = max(self.most, self.busy)
        time.sleep(seconds)
        with self.lock:
            self.busy -= 1


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return Base(tmp_path / "kb", "fake: {kind: fake, history: 2d, parallel: 1}\n")


# Limits


@pytest.mark.parametrize("parallel", [1, 3])
def test_requests_at_a_time(tmp_path: Path, fake: Fake, parallel: int) -> None:
    """A source never gets more requests at a time than its `parallel` says."""
    base = Base(tmp_path, f"fake: {{kind: fake, history: 2d, parallel: {parallel}}}\n")
    work = Work()

    def count(window: Window) -> Fetched:
        work.take(0.1)
        return whole(window)

    fake.answers = dict.fromkeys(many(base, 12), count)
    assert base.refresh().count("fresh") == 12
    assert work.most == parallel


def test_sources_of_one_host_share_its_limit(tmp_path: Path) -> None:
    """The smallest `parallel` of the sources on a host holds for all of them together, and they take turns."""
    work = Work()

    def answer(_: Asked) -> Reply:
        work.take(0.02)
        return Reply(CSV)

    with FaultServer(answer) as server:
        base = Base(
            tmp_path,
            f"one: {{kind: csv, url: '{server.url}/one', history: 2d, parallel: 2}}\n"
            f"two: {{kind: csv, url: '{server.url}/two', history: 2d, parallel: 6}}\n",
        )
        for source in ("one", "two"):
            series = {f"s{n}": f"source: {source}, kind: latency, query: s{n}.csv, unit: s" for n in range(6)}
            base.story(source, **series)
        assert base.refresh().count("fresh") == 12
        first = [each.path.split("/")[1] for each in server.asked[:6]]
    assert work.most == 2
    assert first.count("one") in (2, 3, 4)


@pytest.mark.parametrize(
    ("options", "host"),
    [
        ("url: https://prom.acme.example/prometheus", "prom.acme.example:443"),
        ("url: https://Prom.acme.example:443", "prom.acme.example:443"),
        ("url: http://prom.acme.example:9090", "prom.acme.example:9090"),
        ("connect: postgres://perfkb@db.acme.example/metrics", "db.acme.example:5432"),
        ("connect: pyspark://yarn", "yarn:"),
        ("connect: duckdb://data/a.duckdb", "it"),
        ("path: data", "it"),
        ("url: 'http://[no'", "it"),
    ],
)
def test_the_host_of_a_source(options: str, host: str) -> None:
    """It is what the address names, whoever is asked there and for what; a file has none."""
    sources, _ = read_sources(f"it: {{kind: csv, {options}}}\n".encode())
    assert host_of(sources["it"]) == host


@pytest.mark.usefixtures("fake")
def test_a_source_that_hangs_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one source does not answer at all, every series of the other one is fetched."""
    base, stuck, over = Base(tmp_path, "fake: {kind: fake}\nhung: {kind: hung}\n"), Fake(), threading.Event()
    monkeypatch.setitem(SOURCES, "hung", stuck.kind())

    def hang(window: Window) -> Fetched:
        assert over.wait(20)
        return whole(window)

    stuck.answers = dict.fromkeys(many(base, 20, "hung"), hang)
    many(base, 40)
    told: list[str] = []

    def progress(outcome: Outcome) -> None:
        told.append(outcome.source)
        if told.count("fake") == 40:
            over.set()

    assert base.refresh(progress=progress).status == 0
    assert told[:40] == ["fake"] * 40


@pytest.mark.parametrize("key", ["parallel: 0", "parallel: 65", "parallel: many", "budget: soon"])
def test_wrong_limits(tmp_path: Path, key: str) -> None:
    """A limit that is none is a problem of sources.yml."""
    base = Base(tmp_path, f"demo: {{kind: demo, {key}}}\n")
    done = perfkb("-C", base.root, "check")
    assert done.returncode == 1
    assert f"site-config/sources.yml:1:{20}" in done.stdout


# Giving up


def test_a_source_that_is_down(base: Base, fake: Fake) -> None:
    """After a few series in a row that it did not answer, the rest is not tried, and says why; the data stays."""
    names = many(base, 20)
    base.refresh()
    fake.asked.clear()
    fake.answers = dict.fromkeys(names, for_ever(FetchError("prod cannot be reached")))
    result = base.refresh(now=NOW + HOUR)
    assert len(fake.asked) == IN_A_ROW
    assert result.count("kept") == 20
    reasons = [each.reason for each in result.outcomes]
    assert reasons.count("prod cannot be reached") == IN_A_ROW
    assert reasons.count("not tried: fake failed 5 times in a row, the last time as prod cannot be reached") == 15


def test_a_source_that_comes_back(base: Base, fake: Fake) -> None:
    """A success begins the count anew, and so does the next run."""
    names = many(base, 20)
    down = for_ever(FetchError("down"))
    fake.answers = {name: down for number, name in enumerate(names) if number % IN_A_ROW}
    result = base.refresh()
    assert len(fake.asked) == 20
    assert result.count("fresh") == 4
    fake.answers = {}
    assert base.refresh().status == 0


@pytest.mark.parametrize("fault", ["query", "answer"])
def test_refused_queries_are_no_outage(base: Base, fake: Fake, fault: str) -> None:
    """Who refuses a query, or answers nonsense to it, is there: the next query is asked."""
    error = FetchError("no", fault=fault)  # type: ignore[arg-type]  # one of them
    fake.answers = dict.fromkeys(many(base, 20), for_ever(error))
    base.refresh()
    assert len(fake.asked) == 20


def test_the_budget_of_a_source(tmp_path: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a slow source did not answer within its budget is not tried, and comes first to nobody's cost."""
    base, clock = Base(tmp_path, "fake: {kind: fake, history: 2d, parallel: 1, budget: 5m}\n"), [1000.0]
    monkeypatch.setattr(lanes, "time", type("Time", (), {"monotonic": staticmethod(lambda: clock[0])}))

    def slow(window: Window) -> Fetched:
        clock[0] += 70
        return whole(window)

    fake.answers = dict.fromkeys(many(base, 9), slow)
    result = base.refresh()
    assert result.count("fresh") == 5
    reasons = {each.reason for each in result.outcomes if each.state == "missing"}
    assert reasons == {"not tried: the 5 min that a refresh has for fake were over"}


def test_retries_end_with_the_budget(tmp_path: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """No attempt begins after it."""
    base, clock = Base(tmp_path, "fake: {kind: fake, history: 2d, budget: 1m}\n"), [1000.0]
    monkeypatch.setattr(lanes, "time", type("Time", (), {"monotonic": staticmethod(lambda: clock[0])}))

    def slow(_: Window) -> Fetched:
        clock[0] += 45
        raise FetchError("no answer", retry=True)

    fake.answers = dict.fromkeys(many(base, 1), slow)
    base.refresh()
    assert len(fake.asked) == 2


# Ending early


def test_the_gate() -> None:
    """A closed gate ends pauses and lets nobody begin to write; it waits for those who do."""
    gate, order = Gate(), []

    def write() -> None:
        with gate.writing():
            begun.set()
            time.sleep(0.05)
            order.append("written")

    def wait() -> None:
        with pytest.raises(StoppedError):
            gate.pause(60)
        order.append("woken")

    begun = threading.Event()
    workers = [threading.Thread(target=each) for each in (write, wait)]
    for worker in workers:
        worker.start()
    begun.wait()
    gate.close()
    assert "written" in order
    for worker in workers:
        worker.join(5)
    assert sorted(order) == ["woken", "written"]
    with pytest.raises(StoppedError), gate.writing():
        pass


CSV = b"time,value\n" + b"".join(b"2026-09-%02dT%02d:00Z,1\n" % (8 + n // 24, n % 24) for n in range(4 * 24))


def interrupted(root: Path, number: signal.Signals, ready: Callable[[], bool]) -> tuple[int, str, float]:
    """A refresh that gets a signal once `ready`; its exit status, what it said, and how long it took to end."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "perfkb", "-C", root, "refresh"],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(at(NOW))}, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        until = time.monotonic() + 30
        while not ready() and time.monotonic() < until:
            time.sleep(0.01)
        begun = time.monotonic()
        process.send_signal(number)
        _, told = process.communicate(timeout=30)
        return process.returncode, told, time.monotonic() - begun


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal(tmp_path: Path, number: signal.Signals, status: int) -> None:
    """A run that is told to end does so at once, in the middle of requests that hang, and keeps what it has."""
    replies = {"/good.csv": Reply(CSV), **{f"/hung{n}.csv": Reply(CSV, stall=60) for n in range(20)}}
    with FaultServer(replies) as server:
        base = Base(tmp_path, f"files: {{kind: csv, url: '{server.url}', history: 2d}}\n")
        names = ["good", *(f"hung{n}" for n in range(20))]
        base.story(**{name: f"source: files, kind: latency, query: {name}.csv, unit: s" for name in names})
        ready = lambda: (base.store / "slow/good.json").exists() and len(server.asked) >= 9  # noqa: E731
        ended, told, took = interrupted(base.root, number, ready)
        asked = len(server.asked)
    assert ended == status
    assert took < 5
    assert asked <= 10
    assert told == "1 series: 1 fetched, 0 not due yet, 0 kept, 0 missing; 48 new rows; interrupted before 20 more\n"
    assert {name for _, name in read_health(base.store)} == {"good"}
    assert not list(base.store.rglob(".tmp-*"))


def test_a_run_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    """Killed in the middle, a run has kept what it fetched; the next one gets the lock, and asks for the rest alone."""
    replies: dict[str, Reply] = {f"/s{n}.csv": Reply(CSV) for n in range(6)}
    with FaultServer({**replies, "/s5.csv": [Reply(CSV, stall=60), Reply(CSV)]}) as server:
        base = Base(tmp_path, f"files: {{kind: csv, url: '{server.url}', history: 2d, parallel: 2}}\n")
        base.story(**{f"s{n}": f"source: files, kind: latency, query: s{n}.csv, unit: s" for n in range(6)})
        ready = lambda: len(list(base.store.glob("slow/*.csv"))) == 5  # noqa: E731
        ended, _, _ = interrupted(base.root, signal.SIGKILL, ready)
        assert ended == -signal.SIGKILL
        done = perfkb("-C", base.root, "refresh", now=at(NOW))
        asked = [each.path for each in server.asked]
    assert done.returncode == 0
    assert asked.count("/s5.csv") == 2
    # What was whole is there, and nothing of it is due.
    assert len(asked) == 7
    assert states_of(base) == {f"s{n}": "fresh" for n in range(6)}


def states_of(base: Base) -> dict[str, str]:
    return {series: outcome.state for (_, series), outcome in read_health(base.store).items()}


def test_an_interrupt_leaves_the_health_of_the_others(base: Base, fake: Fake) -> None:
    """A series that an interrupted run did not come to keeps its last outcome, which is no failure."""
    names = many(base, 30)
    base.refresh()

    def interrupt(_: Outcome) -> None:
        raise KeyboardInterrupt

    def slow(window: Window) -> Fetched:
        time.sleep(0.02)
        return whole(window)

    fake.answers = dict.fromkeys(names, slow)
    result = base.refresh(now=NOW + HOUR, progress=interrupt)
    assert 0 < len(result.outcomes) < 30
    assert result.untried == 30 - len(result.outcomes)
    assert set(states(result).values()) == {"fresh"}
    health = read_health(base.store)
    assert len(health) == 30
    assert {each.reason for each in health.values()} == {""}
    moments = [each.at for each in health.values()]
    assert moments.count(NOW.isoformat()) == result.untried


def test_leases_outlast_budgets(tmp_path: Path) -> None:
    """No run that keeps its budgets is longer than the lease that it takes."""
    from ingest.refresh import LEASE_MARGIN

    assert timedelta(seconds=lanes.TOTAL_SECONDS + lanes.ENDING_SECONDS) < LEASE_MARGIN
    assert tmp_path
