"""The fault table, row by row and source by source: bytes, health, page and exit status.

`python -m tests.faults` prints it as a table.
"""

import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest import lanes
from ingest.sources import http
from ingest.sources.sql import questions
from tests.faults import databases, postgres
from tests.faults.bases import LATER, NOW, Base, command, slug
from tests.faults.databases import DatabaseCase
from tests.faults.dialects import DIALECTS, FIRST, FORMS, HOUR, LAST, Dialect, truth
from tests.faults.table import ATTEMPTS, CASES, ELSEWHERE, SECRET, Case
from tests.postgresql import PASSWORD, PostgreSQL
from tests.servers import Asked, FaultServer, Reply, free_port

TAKEN = ("fresh", "partial")
ALWAYS = 10**9
ROOT = Path(__file__).parent.parent
EACH = [
    pytest.param(case, dialect, id=f"{case.row}-{case.case}-{dialect.kind}")
    for case in CASES
    for dialect in DIALECTS
    if dialect.kind in case.kinds
]
SENT = ("429, 503 with Retry-After", "500, 502, 504", "reset", "cut body", "400, 422", "401, 403", "redirect")
"""Rows in which it could matter how a question was sent."""
FORM = [
    pytest.param(case, FORMS, id=f"{case.row}-{case.case}-form")
    for case in CASES
    if case.row in SENT and FORMS.kind in case.kinds
]
BY_DIALECT = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda each: each.kind)


class Faulty:
    """A server that answers the next `left` requests as a case says, and then rightly."""

    def __init__(self, case: Case, dialect: Dialect) -> None:
        self.case = case
        self.dialect = dialect
        self.left = 0

    def __call__(self, asked: Asked) -> Reply:
        if self.left <= 0:
            return self.dialect.answer(asked)
        self.left -= 1
        return self.case.make(self.dialect, asked)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, which nobody waits for; and limits that are quick to reach."""
    made: list[float] = []
    monkeypatch.setattr(lanes.Gate, "pause", lambda _, seconds: made.append(seconds))
    monkeypatch.setattr(lanes, "ATTEMPTS", ATTEMPTS)
    monkeypatch.setattr(http, "MAX_BYTES", 1_000_000)
    monkeypatch.setattr(questions, "MAX_ROWS", 1_000)
    return made


@pytest.fixture
def refresh(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs the command for some stories, and gives its exit status."""

    def run(base: Base, *numbers: int, now: datetime) -> int:
        return command(
            monkeypatch, base.root, "refresh", *map(slug, numbers), now=now,
            environ={"TOKEN": f"Bearer {SECRET}", postgres.VARIABLE: PASSWORD},
        )  # fmt: skip

    return run


@contextmanager
def address(text: str | None, server: FaultServer) -> Iterator[str]:
    """The server's address, or that of a place where nothing answers."""
    with socket.socket() as listening, socket.socket() as waiting:
        stalled = ""
        if text == "{stalled}":
            # Who comes when the queue is full is not answered at all.
            listening.bind(("127.0.0.1", 0))
            listening.listen(0)
            waiting.connect(listening.getsockname())
            stalled = f"http://127.0.0.1:{listening.getsockname()[1]}"
        yield (text or server.url).format(free=free_port(), stalled=stalled)


def expected(now: datetime) -> set[int]:
    """The steps that a refresh at NOW, and another at `now`, have to bring."""
    last = min(int(now.timestamp()) // HOUR * HOUR, LAST)
    first = max(int((NOW - timedelta(days=2)).timestamp()) // HOUR * HOUR, FIRST)
    return set(range(first, last, HOUR))


def assert_true(base: Base, number: int) -> None:
    """No stored value is another than the server's."""
    for start, value in base.values(number).items():
        assert value == truth(number, start)


@pytest.mark.parametrize(("case", "dialect"), [*EACH, *FORM])
def test_row(
    case: Case,
    dialect: Dialect,
    tmp_path: Path,
    pauses: list[float],
    refresh: Callable[..., int],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A fault costs nothing that was there, brings nothing that is wrong, and is told on the page."""
    base, script = Base(tmp_path, dialect), Faulty(case, dialect)
    headers = {"Authorization": "${TOKEN}"}
    base.stories([1, 2], **case.series)
    with FaultServer(script) as server, address(case.where, server) as url:
        base.source(server.url, headers=headers)
        assert refresh(base, 1, now=NOW) == 0
        before, asked = base.files(1), len(server.asked)

        base.source(url, case.timeout, headers=headers)
        script.left = ALWAYS
        now = LATER + case.later
        status = refresh(base, 1, now=now)
        if case.then in TAKEN:
            assert_taken(base, case, status)
        else:
            assert status == 1
            assert base.files(1) == before
            assert_told(base, case, now)
            if case.where is None:
                assert len(server.asked) - asked == (ATTEMPTS if case.then == "retried" else 1)
                assert {each.method for each in server.asked} == {"POST" if dialect is FORMS else "GET"}
            assert_without_data(base, refresh(base, 2, now=now), now)
        assert case.pauses == () or pauses[: len(case.pauses)] == pytest.approx(case.pauses, abs=1.5)

        base.source(server.url, "20s" if case.timeout == "20s" else "1s", headers=headers)
        script.left = 1 if case.then == "retried" else 0
        assert refresh(base, 1, 2, now=now + timedelta(hours=1)) == 0
        assert base.values(1).keys() >= expected(now + timedelta(hours=1)) - gaps(case)
    assert_true(base, 1)
    assert_true(base, 2)
    kept = [path.read_bytes() for path in (base.root / ".snapshots").rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in data for data in kept)
    assert SECRET not in "".join(capfd.readouterr())


def gaps(case: Case | DatabaseCase) -> set[int]:
    """The steps that a case leaves without a value."""
    end = int(LATER.timestamp()) // HOUR * HOUR
    return {end - before * HOUR for before in case.wrong}


def assert_taken(base: Base, case: Case | DatabaseCase, status: int) -> None:
    assert status == 0
    assert base.health(1).state == "fresh"
    assert set(base.values(1)) == expected(LATER) - gaps(case)
    assert_true(base, 1)
    found = base.snapshot(1)
    assert found is not None
    assert found.manifest.partial == (case.then == "partial")
    text = base.page(1, LATER)
    assert "The last refresh failed" not in text
    assert case.said in text
    if case.then == "partial":
        assert "The source called its answer partial" in text
    if len(case.wrong) == 1 and max(base.values(1)) > min(gaps(case)):
        assert found.manifest.gaps == 1


def assert_told(base: Base, case: Case | DatabaseCase, now: datetime) -> None:
    """The health file and the page say what is the matter."""
    health = base.health(1)
    assert health.state == "kept"
    assert case.said in health.reason or case.row == "down for weeks"
    to_blame = case.then == "query" and (not case.case.isdecimal() or int(case.case) in base.dialect.query_faults)
    assert health.where.startswith("stories/nr-1.md:4:") == to_blame
    text = base.page(1, now)
    assert f"The last refresh failed: {health.reason}" in text
    assert case.said in text
    assert SECRET not in text


def assert_without_data(base: Base, status: int, now: datetime) -> None:
    """The same fault where nothing was fetched before: nothing is there, and the page says so."""
    assert status == 2
    assert base.snapshot(2) is None
    assert base.files(2) == {}
    health = base.health(2)
    assert health.state == "missing"
    assert f"The last refresh failed: {health.reason}" in base.page(2, now)


@pytest.fixture(params=[*DIALECTS, databases.DIALECT, postgres.DIALECT], ids=lambda each: each.name)
def well(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Base]:
    """A knowledge base with a story, whose server or database is well."""
    base = Base(tmp_path, request.param)
    base.stories([1])
    if base.dialect is databases.DIALECT:
        databases.fill(tmp_path / databases.FILE)
        base.source(None, **databases.options())
        yield base
    elif base.dialect is postgres.DIALECT:
        server = request.getfixturevalue("postgresql")
        postgres.fill(server)
        base.source(None, **postgres.options(server))
        yield base
    else:
        with FaultServer(base.dialect.answer) as answering:
            base.source(answering.url)
            yield base


def test_corrupt_stored_snapshot(well: Base, refresh: Callable[..., int]) -> None:
    """A damaged snapshot is a placeholder on the page, is kept beside, and is fetched again as far as it goes."""
    assert refresh(well, 1, now=NOW) == 0
    path = well.store / slug(1) / "level.csv"
    damaged = path.read_bytes().replace(b"8", b"9", 1)
    path.write_bytes(damaged)
    assert "The stored data cannot be trusted" in well.page(1, NOW)
    assert refresh(well, 1, now=LATER) == 0
    assert expected(LATER) - set(well.values(1)) <= expected(NOW)
    assert_true(well, 1)
    assert damaged in well.files(1).values()
    assert "cannot be trusted" not in well.page(1, LATER)


def test_query_edited_since_the_snapshot(well: Base, refresh: Callable[..., int]) -> None:
    """A page says that its data answers another query, until it is refreshed; the old data stays beside."""
    assert refresh(well, 1, now=NOW) == 0
    before = well.files(1)
    query = well.dialect.query
    old, new = (query.format(1), query.format(3)) if query else ('"metric": "level"', '"metric": "level3"')
    story = well.root / "stories/nr-1.md"
    story.write_text(story.read_text().replace(old, new))
    assert "The query was changed after this data was fetched" in well.page(1, NOW)
    assert well.files(1) == before
    assert refresh(well, 1, now=LATER) == 0
    assert "The query was changed" not in well.page(1, LATER)
    assert set(well.values(1).values()) <= {truth(3, start) for start in expected(LATER)}
    assert before["level.csv"] in well.files(1).values()


@BY_DIALECT
def test_redirects_are_not_followed(dialect: Dialect, tmp_path: Path, refresh: Callable[..., int]) -> None:
    """The server that a redirect leads to is not asked, and learns no credential."""
    base = Base(tmp_path, dialect)
    base.stories([1])
    with FaultServer(dialect.answer) as other:
        moved = FaultServer(lambda asked: Reply(b"", 302, {"Location": f"{other.url}{asked.path}"}))
        with moved as server:
            base.source(server.url, headers={"Authorization": "${TOKEN}"})
            assert refresh(base, 1, now=NOW) == 2
            assert other.asked == []


def name_of(case: DatabaseCase) -> str:
    return f"{case.row}-{case.case}-{case.column}"


@pytest.mark.parametrize("case", databases.CASES, ids=name_of)
def test_row_of_a_file(case: DatabaseCase, tmp_path: Path, pauses: list[float], refresh: Callable[..., int]) -> None:
    """The same for DuckDB: a file that is harmed between two refreshes, and mended before the last one."""
    path = tmp_path / databases.FILE
    befall(
        case,
        Base(tmp_path, databases.DIALECT),
        databases.options(),
        path,
        lambda: databases.fill(path),
        pauses,
        refresh,
    )


@pytest.mark.parametrize("case", postgres.CASES, ids=name_of)
def test_row_of_a_server(
    case: DatabaseCase,
    postgresql: PostgreSQL,
    tmp_path: Path,
    pauses: list[float],
    refresh: Callable[..., int],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The same for a real PostgreSQL, of whose password nothing is told or kept."""
    base, about = Base(tmp_path, postgres.DIALECT), postgres.options(postgresql)
    befall(case, base, about, postgresql, lambda: postgres.fill(postgresql), pauses, refresh)
    kept = [path.read_bytes() for path in base.store.rglob("*") if path.is_file()]
    assert not any(PASSWORD.encode() in data for data in kept)
    assert PASSWORD not in "".join(capfd.readouterr()) + base.page(1, LATER)


def befall(
    case: DatabaseCase,
    base: Base,
    about: Mapping[str, Any],
    database: Any,
    fill: Callable[[], None],
    pauses: list[float],
    refresh: Callable[..., int],
) -> None:
    """A database is harmed between two refreshes, and mended before the last one."""
    base.stories([1, 2], **case.series)
    base.source(None, **about)
    fill()
    assert refresh(base, 1, now=NOW) == 0
    before, now = base.files(1), LATER + case.later
    with case.harm(database) as changes:
        base.source(None, case.timeout, **{**about, **(changes or {})})
        status = refresh(base, 1, now=now)
        if case.then in TAKEN:
            assert_taken(base, case, status)
        else:
            assert status == 1
            assert base.files(1) == before
            assert_told(base, case, now)
            assert len(pauses) == (ATTEMPTS - 1 if case.then == "retried" else 0)
            assert_without_data(base, refresh(base, 2, now=now), now)
    fill()
    base.source(None, **about)
    assert refresh(base, 1, 2, now=now + timedelta(hours=1)) == 0
    assert base.values(1).keys() >= expected(now + timedelta(hours=1)) - gaps(case)
    assert_true(base, 1)
    assert base.values(2).items() <= {start: truth(1, start) for start in range(FIRST, LAST, HOUR)}.items()


def test_the_table_is_whole() -> None:
    """Every row is a case of some source, or is held by a test that is there."""
    for place in ELSEWHERE.values():
        path, _, name = place.partition("::")
        assert re.search(rf"^def {name or 'test_'}", (ROOT / path).read_text(), re.MULTILINE), place
    assert datetime.fromtimestamp(FIRST, UTC) < NOW < LATER < datetime.fromtimestamp(LAST, UTC)
