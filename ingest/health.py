"""The health file: what the last attempt at each series came to, for pages and machines."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ingest.snapshots import Store

HEALTH_FILE = "health.json"
HEALTH_FORMAT = 1


@dataclass(frozen=True)
class Outcome:
    """What became of one wish: `state` is fresh, kept (the last good data) or missing.

    A series whose next step is not over yet is fresh without being asked for: it was not `due`.
    `fault` says whose a failure is (see FetchError), `failures` how many there were in a row.
    """

    story: str
    series: str
    source: str
    state: str
    at: str
    reason: str = ""
    new_rows: int = 0
    due: bool = True
    data_until: str = ""
    where: str = ""
    fault: str = ""
    failures: int = 0


_OUTCOMES = TypeAdapter(list[Outcome])


def write_health(
    store: Store,
    outcomes: list[Outcome],
    ran_at: datetime,
    status: int,
    known: Collection[tuple[str, str]],
    untried: int = 0,
) -> None:
    """Writes the outcomes of a run, which may have ended before it tried all series.

    The `known` series, by story and name, that it did not ask for keep their last outcome.
    """
    before = {name: outcome for name, outcome in read_health(store.root).items() if name in known}
    every = {**before, **{(each.story, each.series): _counted(each, before) for each in outcomes}}
    states = [each.state for each in outcomes]
    health = {
        "format": HEALTH_FORMAT,
        "ran_at": ran_at.isoformat(),
        "status": status,
        **{state: states.count(state) for state in ("fresh", "kept", "missing")},
        "untried": untried,
        "series": [asdict(each) for _, each in sorted(every.items())],
        "told": read_told(store.root),
    }
    _write(store, health)


def _counted(outcome: Outcome, before: Mapping[tuple[str, str], Outcome]) -> Outcome:
    if outcome.state == "fresh":
        return outcome
    last = before.get((outcome.story, outcome.series))
    if last and last.failures and last.at == outcome.at:
        # The same moment of a fixed clock once more.
        return replace(outcome, failures=last.failures)
    return replace(outcome, failures=(last.failures if last else 0) + 1)


def read_health(folder: Path) -> dict[tuple[str, str], Outcome]:
    """The last attempt at each series, by story and series; empty where none is known."""
    try:
        entries = _OUTCOMES.validate_json(json.dumps(_read(folder)["series"]), strict=True)
        for each in entries:
            datetime.fromisoformat(each.at)
        return {(each.story, each.series): each for each in entries}
    except (ValueError, KeyError, TypeError):
        # It only tells why; the data's age is in the snapshots.
        return {}


def tells_of_a_run(data: bytes) -> bool:
    """Whether a health file is one that a refresh wrote."""
    return "ran_at" in _parsed(data)


def read_told(folder: Path) -> dict[str, str]:
    """What somebody was told of and still holds: the event, and when it was told."""
    told = _read(folder).get("told")
    return {str(key): str(value) for key, value in told.items()} if isinstance(told, dict) else {}


def write_told(store: Store, told: Mapping[str, str]) -> None:
    """Writes what somebody was told of, and leaves all else as it is."""
    _write(store, {"format": HEALTH_FORMAT, "series": [], **_read(store.root), "told": dict(sorted(told.items()))})


def _read(folder: Path) -> dict[str, Any]:
    try:
        return _parsed((folder / HEALTH_FILE).read_bytes())
    except OSError:
        return {}


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(store: Store, health: Mapping[str, Any]) -> None:
    store.keep(HEALTH_FILE, (json.dumps(health, indent=1, ensure_ascii=False) + "\n").encode())
