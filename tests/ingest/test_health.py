"""The health file: what the last attempt at each series came to."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.health import HEALTH_FILE, Outcome, read_health, read_told, write_health, write_told
from ingest.snapshots import Store

NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)
FRESH = Outcome("slow", "p95", "prod", "fresh", NOW.isoformat(), new_rows=3, data_until=NOW.isoformat())
KEPT = Outcome(
    "login", "p95", "prod", "kept", NOW.isoformat(), "prod cannot be reached", data_until=NOW.isoformat(), failures=1
)
MISSING = Outcome(
    "login", "waits", "logs", "missing", NOW.isoformat(), "refused", where="stories/login.md:9:3", failures=1
)
KNOWN = {("slow", "p95"), ("login", "p95"), ("login", "waits")}


def by_name(*outcomes: Outcome) -> dict[tuple[str, str], Outcome]:
    return {(each.story, each.series): each for each in outcomes}


def written(folder: Path) -> dict[str, Any]:
    health: dict[str, Any] = json.loads((folder / HEALTH_FILE).read_bytes())
    return health


def test_round_trip(tmp_path: Path) -> None:
    """What was written of a series is read back."""
    write_health(Store(tmp_path), [FRESH, KEPT, MISSING], NOW, 1, KNOWN)
    assert read_health(tmp_path) == by_name(FRESH, KEPT, MISSING)


def test_for_machines(tmp_path: Path) -> None:
    """The file holds the run's moment, exit status and counts, and its series in order."""
    write_health(Store(tmp_path), [FRESH, MISSING, KEPT], NOW, 1, KNOWN)
    health = written(tmp_path)
    assert [(each["story"], each["series"]) for each in health.pop("series")] == [
        ("login", "p95"),
        ("login", "waits"),
        ("slow", "p95"),
    ]
    assert health == {
        "format": 1, "ran_at": "2026-11-01T06:00:00+00:00", "status": 1, "fresh": 1, "kept": 1, "missing": 1,
        "untried": 0, "told": {},
    }  # fmt: skip


def test_a_later_run(tmp_path: Path) -> None:
    """A run replaces the outcomes of the series that it asked for, and keeps those of the others."""
    write_health(Store(tmp_path), [FRESH, KEPT], NOW, 1, KNOWN)
    failed = replace(FRESH, state="kept", reason="prod cannot be reached", failures=1)
    write_health(Store(tmp_path), [failed], NOW, 1, KNOWN)
    assert read_health(tmp_path) == by_name(failed, KEPT)
    assert written(tmp_path)["fresh"] == 0


def test_failures_in_a_row(tmp_path: Path) -> None:
    """Failures are counted until the next success; what was not asked for keeps its count."""
    store, counted = Store(tmp_path), []
    for hour, outcome in enumerate([KEPT, KEPT, FRESH, KEPT, replace(FRESH, story="login"), KEPT]):
        write_health(store, [replace(outcome, at=f"2026-11-01T0{hour}:00:00+00:00")], NOW, 1, KNOWN)
        counted.append(read_health(tmp_path)["login", "p95"].failures)
    assert counted == [1, 2, 2, 3, 0, 1]


def test_what_was_told(tmp_path: Path) -> None:
    """What somebody was told of outlives the next refresh, and leaves the rest of the file as it is."""
    store = Store(tmp_path)
    write_health(store, [FRESH, KEPT], NOW, 1, KNOWN)
    before = written(tmp_path)
    write_told(store, {"source prod": NOW.isoformat()})
    assert written(tmp_path) == {**before, "told": {"source prod": NOW.isoformat()}}
    write_health(store, [FRESH, KEPT], NOW, 1, KNOWN)
    assert read_told(tmp_path) == {"source prod": NOW.isoformat()}


def test_nothing_was_told(tmp_path: Path) -> None:
    """Without a health file, or with one that makes no sense, nobody was told of anything; it can be written then."""
    assert read_told(tmp_path) == {}
    for damaged in ("[", "[1]", '{"told": 3}', "null"):
        (tmp_path / HEALTH_FILE).write_text(damaged)
        assert read_told(tmp_path) == {}
    write_told(Store(tmp_path), {"a": "b"})
    assert read_told(tmp_path) == {"a": "b"}
    assert read_health(tmp_path) == {}


def test_series_that_are_gone(tmp_path: Path) -> None:
    """A series that no story has any more is forgotten, so that it cannot alarm for ever."""
    write_health(Store(tmp_path), [FRESH, KEPT, MISSING], NOW, 1, KNOWN)
    write_health(Store(tmp_path), [FRESH], NOW, 0, {("slow", "p95"), ("login", "p95")})
    assert read_health(tmp_path) == by_name(FRESH, KEPT)


def test_no_health_file(tmp_path: Path) -> None:
    """Before the first run nothing is known."""
    assert read_health(tmp_path / "nowhere") == {}


ENTRY = '{"story": "a", "series": "b", "source": "c", "state": "kept", "at": "2026-11-01T06:00:00+00:00"'


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "{",
        "null",
        "[]",
        "{}",
        '{"series": 3}',
        '{"series": [3]}',
        '{"series": [{"story": "a"}]}',
        '{"series": [' + ENTRY + ', "failures": "3"}]}',
        '{"series": [' + ENTRY + ', "reason": 5}]}',
        '{"series": [' + ENTRY.replace("2026-11-01", "yesterday") + "}]}",
        '{"series": [' + ENTRY.replace('"2026-11-01T06:00:00+00:00"', "5") + "}]}",
        '{"series": [' + ENTRY.replace('"a"', "[]") + "}]}",
        "[" * 200_000,
        "\ud800".encode("utf-8", "surrogatepass"),
    ],
)
def test_a_damaged_health_file(tmp_path: Path, damaged: str | bytes) -> None:
    """A health file that makes no sense tells nothing, and the next run writes a whole one."""
    (tmp_path / HEALTH_FILE).write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
    assert read_health(tmp_path) == {}
    write_health(Store(tmp_path), [FRESH], NOW, 0, KNOWN)
    assert read_health(tmp_path) == by_name(FRESH)


def test_a_whole_entry_is_no_damage(tmp_path: Path) -> None:
    """The damaged entries above are damaged by nothing else than what they name."""
    (tmp_path / HEALTH_FILE).write_text('{"series": [' + ENTRY + "}]}")
    assert list(read_health(tmp_path)) == [("a", "b")]


def test_keys_of_a_later_version(tmp_path: Path) -> None:
    """A key that is not known yet costs nothing of what is."""
    (tmp_path / HEALTH_FILE).write_text('{"series": [' + ENTRY + ', "failures": 3, "surprise": 1}]}')
    assert read_health(tmp_path)["a", "b"].failures == 3
