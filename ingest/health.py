"""The health file: what the last attempt at each series came to, for pages and machines."""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from ingest.snapshots import write_atomically

HEALTH_FILE = "health.json"
HEALTH_FORMAT = 1


@dataclass(frozen=True)
class Outcome:
    """What became of one wish: `state` is fresh, kept (the last good data) or missing.

    A series whose next step is not over yet is fresh without being asked for: it was not `due`.
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


def write_health(
    folder: Path, outcomes: list[Outcome], ran_at: datetime, status: int, known: Collection[tuple[str, str]]
) -> None:
    """Writes the outcomes of a run.

    The `known` series, by story and name, that it did not ask for keep their last outcome.
    """
    before = {name: outcome for name, outcome in read_health(folder).items() if name in known}
    every = {**before, **{(each.story, each.series): each for each in outcomes}}
    states = [each.state for each in outcomes]
    health = {
        "format": HEALTH_FORMAT,
        "ran_at": ran_at.isoformat(),
        "status": status,
        **{state: states.count(state) for state in ("fresh", "kept", "missing")},
        "series": [asdict(each) for _, each in sorted(every.items())],
    }
    write_atomically(folder / HEALTH_FILE, (json.dumps(health, indent=1, ensure_ascii=False) + "\n").encode())


def read_health(folder: Path) -> dict[tuple[str, str], Outcome]:
    """The last attempt at each series, by story and series; empty where none is known."""
    try:
        entries = [Outcome(**each) for each in json.loads((folder / HEALTH_FILE).read_bytes())["series"]]
        for each in entries:
            datetime.fromisoformat(each.at)
        return {(each.story, each.series): each for each in entries}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        # It only tells why; the data's age is in the snapshots.
        return {}
