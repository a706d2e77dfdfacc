"""What charts take from a story's facts: names, titles, marks, windows."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from ingest.charts.base import Chart, Mark, Span
from ingest.charts.frame import LONGEST_TITLE, draw_placeholder
from ingest.charts.svg import plain
from ingest.charts.ticks import day_text
from ingest.evidence import Facts, GoalFacts, SeriesFacts
from ingest.evidence.figure import NoFigureError
from ingest.story import Hypothesis, moment_of

# What explains a line; reports and decisions stand in the timeline.
_MARKED = frozenset({"shipped", "opened"})


class NothingToDrawError(Exception):
    """Why a chart has nothing to show, as its reader should be told."""


def or_placeholder(identity: str, title: str, make: Callable[[], Chart]) -> Chart:
    """The chart that `make` draws, or an empty plot that says why there is none."""
    try:
        return make()
    except (NothingToDrawError, NoFigureError) as reason:
        return draw_placeholder(identity, title, str(reason))


def chart_id(facts: Facts, stem: str) -> str:
    """What every id of a chart begins with; no slug has two hyphens in a row."""
    return f"pk-{facts.slug}-{stem.replace('.', '--')}"


def titled(subject: str, ending: str, limit: int = LONGEST_TITLE) -> str:
    """A title whose ending is seen however long its subject is."""
    return plain(subject, limit - len(ending)) + ending


def sentences(*texts: str) -> str:
    """Texts as sentences; those that are empty are left out."""
    return " ".join(f"{text[0].upper()}{text[1:]}" + "." * (not text.endswith(".")) for text in texts if text)


def why_empty(series: SeriesFacts) -> str:
    """Why a series has no rows."""
    return series.health.notes[0] if series.health.notes else "no data yet"


def marks(facts: Facts, *kinds: str) -> tuple[Mark, ...]:
    """What happened to the story and explains its numbers, or only what is of these `kinds`."""
    return tuple(Mark(event.at, event.label, event.kind) for event in facts.events if event.kind in (kinds or _MARKED))


def goal_of(facts: Facts, series: SeriesFacts) -> GoalFacts | None:
    """The story's goal, where it is one for this series."""
    return facts.goal if facts.goal and facts.goal.series is series else None


def window_of(hypothesis: Hypothesis, zone: ZoneInfo) -> Span | None:
    """The days that a hypothesis' test looks at; the last one belongs to them."""
    test = hypothesis.test
    if test is None:
        return None
    return Span(moment_of(test.from_, zone), midnight_after(test.to, zone), f"test of {hypothesis.id}", "test")


def midnight_after(day: date, zone: ZoneInfo) -> datetime:
    """Where a day ends, be it of 23 or 25 hours."""
    return moment_of(day + timedelta(days=1), zone)


def dates(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    """`3 Sep to 9 Sep 2026`, the days of a stretch that is over at `end`."""
    first, last = start.astimezone(zone), (end - timedelta(microseconds=1)).astimezone(zone)
    if first.date() == last.date():
        return f"{day_text(last)} {last.year}"
    year = "" if first.year == last.year else f" {first.year}"
    return f"{day_text(first)}{year} to {day_text(last)} {last.year}"
