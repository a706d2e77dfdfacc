"""Stories and snapshots become `Facts`: all that a page needs, in one frozen object."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from ingest.errors import Problem
from ingest.evidence.fixing import FixFacts, Hours, Sibling, fix_facts
from ingest.evidence.goal import GoalFacts, goal_facts
from ingest.evidence.series import (
    DEFAULT_QUANTILE,
    HEALTH_STATES,
    Attempt,
    Health,
    Recent,
    SeriesFacts,
    Stored,
    series_facts,
)
from ingest.evidence.testing import TestFacts, hypothesis_facts
from ingest.evidence.timeline import Event, timeline
from ingest.pins import NO_PINS, Pins
from ingest.settings import Configuration
from ingest.story import Said, Story, moment_of
from ingest.units import Effort

__all__ = [
    "HEALTH_STATES", "Attempt", "Event", "Facts", "FixFacts", "GoalFacts", "Health", "Hours", "Recent", "ReportFacts",
    "SeriesFacts", "Sibling", "Stored", "TestFacts", "gather",
]  # fmt: skip


@dataclass(frozen=True)
class ReportFacts:
    """The reports of a problem: how many customers they stand for, and from when to when.

    Those of stories that repeat this one are counted here (`elsewhere` of the customers), and
    not in the stories that repeat it. `counted` are those that another system counts, by the
    names of their counts; how many customers they stand for, nobody knows.
    """

    reports: tuple[Said, ...]
    customers: int
    elsewhere: int
    first: date | None
    last: date | None
    counted: Mapping[str, SeriesFacts]


@dataclass(frozen=True)
class Facts:
    """All that is known of a story as of `now`; `zone` is the one whose days are meant.

    `tests` and `fixes` are by the ids of hypotheses and fixes.
    """

    story: Story
    owner: str | None
    series: dict[str, SeriesFacts]
    goal: GoalFacts | None
    tests: dict[str, TestFacts]
    fixes: dict[str, FixFacts]
    reports: ReportFacts
    events: tuple[Event, ...]
    problems: tuple[Problem, ...]
    now: datetime
    zone: ZoneInfo

    @property
    def slug(self) -> str:
        """The story's name in addresses."""
        return self.story.slug

    @property
    def bad(self) -> bool:
        """Whether the story has errors, so that its page carries a banner."""
        return any(each.severity == "error" for each in self.problems)

    @property
    def asked(self) -> dict[str, SeriesFacts]:
        """All that refresh asks for: the series of the story, and its counts of reports."""
        return {**self.series, **self.reports.counted}

    @property
    def health(self) -> Health | None:
        """The health of the worst of what is asked for; None where that is nothing."""
        states = [each.health for each in self.asked.values()]
        return min(states, key=lambda health: HEALTH_STATES.index(health.state)) if states else None

    @property
    def repeats(self) -> bool:
        """Whether another story tells the same problem, and is the one that counts."""
        return self.story.front.same_as is not None

    @property
    def answers(self) -> int:
        """How many of the questions about the problem and its customers have an answer."""
        front = self.story.front
        own = (front.who, front.what, front.when, front.where, front.why)
        return sum(each is not None for each in own) + len(front.customer.model_dump(exclude_none=True))

    @property
    def headline(self) -> SeriesFacts | None:
        """The series that says how slow it is: the goal's, else the first; None without any."""
        goal = self.story.front.slo
        return self.series.get(goal.series) if goal else next(iter(self.series.values()), None)

    @property
    def effort(self) -> Effort | None:
        """What a fix would take, as the last timebox that says so found."""
        found = [box.effort for box in sorted(self.story.front.timeboxes, key=lambda box: box.date) if box.effort]
        return found[-1] if found else None

    @property
    def updated(self) -> date | None:
        """The day of the last thing that happened."""
        return self.events[-1].day if self.events else None


def gather(
    story: Story,
    config: Configuration,
    stored: Mapping[str, Stored],
    attempts: Mapping[str, Attempt],
    problems: tuple[Problem, ...],
    now: datetime,
    repeated_by: tuple[Story, ...] = (),
    pins: Pins = NO_PINS,
    siblings: Mapping[str, Sequence[Sibling]] = MappingProxyType({}),
) -> Facts:
    """The facts of `story`; `stored` and `attempts` are by the names of its series and counts.

    `repeated_by` are the stories that name this one as the same problem, `siblings` by fix the
    other fixes of the same figure.
    """
    settings = config.settings
    goal = story.front.slo
    series = {
        name: series_facts(
            story.slug,
            name,
            each,
            config.sources.get(each.source),
            stored.get(name, Stored()),
            attempts.get(name),
            goal.quantile if goal and goal.series == name else DEFAULT_QUANTILE,
            settings.timezone,
            settings.freshness,
            now,
        )
        for name, each in story.series.items()
    }
    fixes = {
        each.id: fix_facts(
            story.slug,
            each,
            goal,
            series,
            pins.judged.get(each.id),
            siblings.get(each.id, ()),
            settings.timezone,
            now,
        )
        for each in story.front.fixes
    }
    area = settings.areas.get(story.front.area or "")
    return Facts(
        story=story,
        owner=story.front.owner or (area.team if area else None),
        series=series,
        goal=_goal(story, series, settings.timezone),
        tests={
            each.id: hypothesis_facts(each, series, pins.tested.get(each.id), settings.timezone, now)
            for each in story.front.hypotheses
        },
        fixes=fixes,
        reports=_reports(story, repeated_by, _counted(story, repeated_by, config, stored, attempts, now)),
        events=timeline(story, settings.timezone, pins, fixes),
        problems=problems,
        now=now,
        zone=settings.timezone,
    )


def _goal(story: Story, series: dict[str, SeriesFacts], zone: ZoneInfo) -> GoalFacts | None:
    goal = story.front.slo
    if goal is None or goal.series not in series:
        return None
    fixes = [fix for fix in story.front.fixes if fix.series in (None, goal.series)]
    shipped = max((moment_of(fix.shipped, zone) for fix in fixes if fix.shipped), default=None)
    return goal_facts(goal, series[goal.series], shipped, zone)


def _counted(
    story: Story,
    repeated_by: tuple[Story, ...],
    config: Configuration,
    stored: Mapping[str, Stored],
    attempts: Mapping[str, Attempt],
    now: datetime,
) -> dict[str, SeriesFacts]:
    """The counts of reports, each query once."""
    found: dict[str, SeriesFacts] = {}
    for owner in (story, *repeated_by):
        for name, report in owner.counted.items():
            source = config.sources.get(report.source)
            title = f"Reports in {source.title if source else report.source}"
            found.setdefault(
                name,
                series_facts(
                    owner.slug,
                    name,
                    report.series.model_copy(update={"title": title}),
                    source.for_counts if source else None,
                    stored.get(name, Stored()),
                    attempts.get(name),
                    DEFAULT_QUANTILE,
                    config.settings.timezone,
                    config.settings.freshness,
                    now,
                ),
            )
    return found


def _reports(story: Story, repeated_by: tuple[Story, ...], counted: Mapping[str, SeriesFacts]) -> ReportFacts:
    others = [report for other in repeated_by for report in other.said]
    said = tuple(sorted([*story.said, *others], key=lambda report: report.date))
    customers, elsewhere = (sum(report.customers for report in found) for found in (said, others))
    first, last = (said[0].date, said[-1].date) if said else (None, None)
    return ReportFacts(said, customers, elsewhere, first, last, counted)
