"""What happened in a period, from the facts of all stories: pure, and the same whoever asks.

A story keeps no record of its stages. Where it stood on a day is what it had earned by then
(`ingest.lifecycle`), so a move is told only where something happened that moves a story. All
dates are those that the stories give: what is written down later, with an earlier date, is in
no digest after it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from ingest.clock import Clock
from ingest.closed import Closed
from ingest.errors import UserError
from ingest.evidence import Facts, FixFacts, Hours, SeriesFacts, TestFacts
from ingest.impact import overview
from ingest.lifecycle import ADVANCING, earned
from ingest.ongoing import Looking, Overrun, Wanted, counts, looking, overruns, wanted
from ingest.pins import Pins
from ingest.story import FrontMatter, Hypothesis, Said, Stage, day_of
from ingest.units import parse_duration

MOVING = {
    "timebox", "hypothesis", "confirmed", "disproved", "inconclusive",
    "chosen", "shipped", "judged", "parked", "reopened",
}  # fmt: skip
"""The kinds of events that may move a story to another stage."""
AILING = ("corrupt", "missing", "changed", "old", "failed", "stale", "partial")


@dataclass(frozen=True)
class Moved:
    """A story that stands elsewhere than before the period; `before` is None where it began within it."""

    facts: Facts
    before: Stage | None
    after: Stage


@dataclass(frozen=True)
class Judged:
    """A fix with what became of it; `hours` are those that Impact shows, and `doubtful` a claim that may be chance."""

    facts: Facts
    found: FixFacts
    hours: Hours | None
    doubtful: bool


@dataclass(frozen=True)
class Decided:
    """A hypothesis that was decided, and what the data said."""

    facts: Facts
    found: TestFacts


@dataclass(frozen=True)
class Reported:
    """What was reported of a story within the period, the oldest first."""

    facts: Facts
    reports: tuple[Said, ...]

    @property
    def customers(self) -> int:
        """How many customers these reports stand for."""
        return sum(report.customers for report in self.reports)


@dataclass(frozen=True)
class Ailing:
    """A story's series and counts whose data is not what it should be, the worst first."""

    facts: Facts
    series: tuple[SeriesFacts, ...]


@dataclass(frozen=True)
class Digest:
    """What happened from the day `since` to the day `until`, both inclusive, and what is so at its end.

    `wins` and `others` were judged within it; of `lost` a gain was noticed to fade. What follows
    from `overruns` on is so today: the open ones of them, data, looks and wishes.
    """

    since: date
    until: date
    moved: tuple[Moved, ...]
    wins: tuple[Judged, ...]
    others: tuple[Judged, ...]
    lost: tuple[Judged, ...]
    decided: tuple[Decided, ...]
    reported: tuple[Reported, ...]
    overruns: tuple[Overrun, ...]
    ailing: tuple[Ailing, ...]
    looking: tuple[Looking, ...]
    wanted: tuple[Wanted, ...]

    @property
    def quiet(self) -> bool:
        """Whether nothing happened."""
        return not (self.moved or self.wins or self.others or self.lost or self.decided or self.reported)


def read_since(text: str, clock: Clock, zone: ZoneInfo) -> date:
    """The first day of a period that is given as `7d` or as `2026-10-25`; UserError for anything else."""
    try:
        since = date.fromisoformat(text)
    except ValueError:
        try:
            since = (clock.now - parse_duration(text)).astimezone(zone).date()
        except ValueError:
            what = f"--since {text}: this is neither a length of time nor a day"
            raise UserError(None, what, "write 7d, or 2026-10-25") from None
    today = clock.today(zone)
    if since > today:
        raise UserError(None, f"--since {text}: that day is still to come", f"today is {today}")
    return since


def digest(
    stories: Iterable[Facts],
    since: date,
    until: date,
    hidden: Collection[str] = (),
    closed: Mapping[str, Closed] = MappingProxyType({}),
) -> Digest:
    """What happened in these stories; drafts are left out, and no `hidden` question is asked.

    Of `closed` quarters the hours are those that were stated.
    """
    told = [facts for facts in stories if counts(facts) and not facts.story.front.draft]
    told.sort(key=lambda facts: facts.slug)
    seen = overview(told, closed, until)
    judged = [Judged(row.facts, row.found, row.hours, row.name in seen.discovery.fallen) for row in seen.judged]
    fresh = [each for each in judged if each.found.pin and since <= each.found.pin.stated <= until]
    wins = [each for each in fresh if each.found.counts and each.found.pin and each.found.pin.verdict != "regressed"]
    return Digest(
        since=since,
        until=until,
        moved=tuple(moved for facts in told if (moved := _moved(facts, since, until))),
        wins=tuple(wins),
        others=tuple(each for each in fresh if each not in wins),
        lost=tuple(each for each in judged if _is_lost(each.found, since, until)),
        decided=tuple(
            Decided(facts, found)
            for facts in told
            for found in facts.tests.values()
            if found.hypothesis.decided and since <= found.hypothesis.decided <= until
        ),
        reported=tuple(heard for facts in told if (heard := _reported(facts, since, until)).reports),
        overruns=tuple(overruns(told, since)),
        ailing=tuple(ill for facts in told if (ill := _ailing(facts)).series),
        looking=tuple(looking(told)),
        wanted=tuple(wanted(told, hidden)),
    )


def _is_lost(found: FixFacts, since: date, until: date) -> bool:
    noticed = found.lost or found.since
    return found.standing in ("eroded", "regressed") and noticed is not None and since <= noticed <= until


def _reported(facts: Facts, since: date, until: date) -> Reported:
    return Reported(facts, tuple(each for each in facts.reports.reports if since <= each.date <= until))


def _ailing(facts: Facts) -> Ailing:
    found = [each for each in facts.asked.values() if each.health.state in AILING]
    return Ailing(facts, tuple(sorted(found, key=lambda each: (AILING.index(each.health.state), each.name))))


def _moved(facts: Facts, since: date, until: date) -> Moved | None:
    after = facts.story.front.status
    happened = [event for event in facts.events if since <= event.day <= until]
    opened = facts.story.opened
    if opened and since <= opened <= until:
        return Moved(facts, None, after)
    kinds = {event.kind for event in happened} & MOVING
    before = stage_on(facts, since - timedelta(days=1))
    if not kinds or before == after:
        return None
    # A stage that lags behind what was earned did not go back: only a disproof leads there.
    lags = after in ADVANCING and before in ADVANCING and ADVANCING.index(after) < ADVANCING.index(before)
    return None if lags and "disproved" not in kinds else Moved(facts, before, after)


def stage_on(facts: Facts, day: date) -> Stage:
    """The stage that a story had earned by the end of a day."""
    if _is_parked_on(facts.story.front, day):
        return "parked"
    return earned(replace(facts.story, front=_front_on(facts, day)), _pins_on(facts, day), day)


def _is_parked_on(front: FrontMatter, day: date) -> bool:
    if front.status == "parked" and front.parked and front.parked.date <= day:
        return True
    return any(pause.parked <= day < pause.reopened for pause in front.pauses)


def _front_on(facts: Facts, day: date) -> FrontMatter:
    """The front matter as far as it tells of what had happened by the end of a day."""
    front = facts.story.front
    fixes = [
        fix if fix.shipped and day_of(fix.shipped, facts.zone) <= day else fix.model_copy(update={"shipped": None})
        for fix in front.fixes
    ]
    return front.model_copy(
        update={
            "status": "reported" if front.status == "parked" else front.status,
            "timeboxes": tuple(box for box in front.timeboxes if box.date <= day),
            "hypotheses": tuple(_hypothesis_on(each, day) for each in front.hypotheses if each.written <= day),
            "chosen": front.chosen if front.chosen and front.chosen.date <= day else None,
            "fixes": tuple(fixes),
        }
    )


def _hypothesis_on(hypothesis: Hypothesis, day: date) -> Hypothesis:
    decided = hypothesis.decided is None or hypothesis.decided <= day
    return hypothesis if decided else hypothesis.model_copy(update={"verdict": "open", "decided": None})


def _pins_on(facts: Facts, day: date) -> Pins:
    return Pins(
        {name: each.pin for name, each in facts.tests.items() if each.pin and each.pin.stated <= day},
        {name: each.pin for name, each in facts.fixes.items() if each.pin and each.pin.stated <= day},
    )
