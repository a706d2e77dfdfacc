"""All that a page needs, gathered from a story, its data and the configuration."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from ingest.errors import Problem, Where
from ingest.evidence import Attempt, Facts, Stored, gather
from ingest.evidence.load import load_facts
from ingest.health import HEALTH_FILE, Outcome, write_health
from ingest.knowledge import KnowledgeBase, read_knowledge_base
from ingest.snapshots import Store
from ingest.stats import Share
from tests.ingest.evidence.samples import DAY, HOUR, START, configuration, histogram, series, stored, story, values

TELEMETRY = """
telemetry:
  requests: {source: prod, kind: histogram, query: q, unit: s}
  pool: {source: prod, kind: gauge, query: pool, unit: s}
slo: {series: requests, quantile: 0.75, below: 500 ms}
"""
SETTINGS = 'areas: {login: {title: Log-in, team: "@identity"}, empty: {title: Nobody}}\ntimezone: Europe/Berlin'
REQUESTS, POOL = series("histogram"), series("gauge", query="pool")


def facts(
    front: str = "", holds: dict[str, Stored] | None = None, settings: str = SETTINGS, *problems: Problem
) -> Facts:
    attempts = {"pool": Attempt(START, "prod cannot be reached")}
    return gather(story(front), configuration(settings), holds or {}, attempts, problems, START + 2 * HOUR)


def test_each_series_has_its_facts() -> None:
    """Every series of a story has facts, with or without data, from its own snapshot and last attempt."""
    found = facts(TELEMETRY, {"requests": stored(histogram([[0.2], [2.0]]), REQUESTS)})
    assert list(found.series) == ["requests", "pool"]
    assert len(found.series["requests"].hours) == 2
    assert found.series["requests"].health.state == "fresh"
    assert found.series["pool"].health.notes == ("The last refresh failed: prod cannot be reached",)
    assert found.series["pool"].slug == found.slug == "slow"


def test_the_goal_chooses_the_quantile() -> None:
    """The series of the goal is shown at the goal's quantile, all others at the 95th."""
    found = facts(TELEMETRY)
    assert (found.series["requests"].quantile, found.series["pool"].quantile) == (0.75, 0.95)


def test_the_goal() -> None:
    """The goal is measured on its series, in that series' unit and the knowledge base's zone."""
    found = facts(TELEMETRY, {"requests": stored(histogram([[0.2], [2.0]]), REQUESTS)})
    assert found.goal is not None
    assert found.goal.below == 0.5
    assert found.goal.hours_over == Share(0.5, 0.5)
    assert found.goal.by_hour[0, 3] == 1  # 1:00 in UTC
    assert found.goal.series is found.series["requests"]
    assert found.zone.key == "Europe/Berlin"


def test_no_goal() -> None:
    """A story without a goal, or without data for it, has no facts about one."""
    assert facts("telemetry: {pool: {source: prod, kind: gauge, query: pool}}").goal is None
    assert facts(TELEMETRY).goal is None


@pytest.mark.parametrize(
    ("fixes", "since_fix"),
    [
        ("[{id: a, shipped: 2026-08-31T01:00Z}]", True),
        ("[{id: a, shipped: 2026-08-31T01:00Z, series: requests}]", True),
        ("[{id: a, shipped: 2026-08-31T01:00Z, series: pool}]", False),
        ("[{id: a}]", False),
    ],
)
def test_a_fix_of_another_series_does_not_reset_the_goal(fixes: str, since_fix: bool) -> None:
    """The goal counts anew from a fix of its own series, which is that of a fix that names none."""
    found = facts(f"{TELEMETRY}\nfixes: {fixes}", {"requests": stored(histogram([[2.0]] * 3), REQUESTS)})
    assert found.goal is not None
    assert found.goal.since_fix == since_fix


@pytest.mark.parametrize(
    ("front", "owner"),
    [
        ('owner: "@me"\narea: login', "@me"),
        ("area: login", "@identity"),
        ("area: empty", None),
        ("area: unheard-of", None),
        ("", None),
    ],
)
def test_the_owner(front: str, owner: str | None) -> None:
    """A story belongs to whom it names, or else to its area's team."""
    assert facts(front).owner == owner


def test_reports() -> None:
    """Reports are in order of their dates, with all customers that they stand for."""
    found = facts(
        """
reports:
  - {date: 2026-09-03, said: spins, customers: 3}
  - {date: 2026-08-30, said: slow}
  - {source: helpdesk, query: "tag:slow"}
"""
    ).reports
    assert [each.said for each in found.reports] == ["slow", "spins"]
    assert (found.customers, found.first, found.last) == (4, date(2026, 8, 30), date(2026, 9, 3))


def test_reports_of_a_story_that_repeats_this_one() -> None:
    """What customers said in a story about the same problem is counted here as well, and told apart."""
    this, other = (f"reports: [{{date: 2026-09-0{day}, said: slow, customers: {day}}}]" for day in (2, 5))
    front = story(this)
    found = gather(front, configuration(), {}, {}, (), START, (story(f"{other}\nsame_as: slow", "again"),)).reports
    assert [each.customers for each in found.reports] == [2, 5]
    assert (found.customers, found.elsewhere, found.last) == (7, 5, date(2026, 9, 5))


def test_no_reports() -> None:
    """A story without reports has none, and no customers."""
    found = facts().reports
    assert (found.reports, found.customers, found.first, found.last) == ((), 0, None, None)


def test_updated() -> None:
    """A story was updated when the last thing happened; a fresh one never was."""
    front = "reports: [{date: 2026-09-03, said: spins}]\nopened: 2026-08-30"
    assert facts(front).updated == date(2026, 9, 3)
    assert facts().updated is None


def test_the_worst_series_is_the_storys_health() -> None:
    """A story is as healthy as its worst series; one without telemetry has no health."""
    holds = {"requests": stored(histogram([[0.2]]), REQUESTS), "pool": stored(values([1.0]), POOL)}
    healthy = facts(TELEMETRY, holds)
    assert healthy.series["requests"].health.state == "fresh"
    assert healthy.health is healthy.series["pool"].health  # whose last refresh failed
    worse = facts(TELEMETRY, {**holds, "requests": Stored(corrupt="no checksum")})
    assert worse.health is worse.series["requests"].health
    assert facts().health is None


def test_a_bad_story() -> None:
    """An error makes a story bad, a warning does not, and both are kept."""
    error = Problem(Where("stories/slow.md", 2), "PK301", "no")
    warning = Problem(Where("stories/slow.md", 2), "PK303", "hm", severity="warning")
    assert facts("", {}, "", error, warning).bad
    assert not facts("", {}, "", warning).bad
    assert facts("", {}, "", error, warning).problems == (error, warning)


def test_the_latest_effort() -> None:
    """What a fix would take is what the latest timebox says of it, wherever it stands."""
    front = """
timeboxes:
  - {date: 2026-09-04, question: How?, budget: 2h, effort: 3d}
  - {date: 2026-09-02, question: Why?, budget: 2h, effort: 1d}
  - {date: 2026-09-05, question: Who?, budget: 2h}
"""
    assert str(facts(front).effort) == "3d"
    assert facts().effort is None


def test_a_story_that_repeats_another() -> None:
    """A story that names another one as the same problem says so."""
    assert facts("same_as: other").repeats
    assert not facts().repeats


@pytest.mark.parametrize(
    ("front", "name"),
    [
        (TELEMETRY, "requests"),
        (TELEMETRY.replace("slo: {series: requests", "slo: {series: pool"), "pool"),
        (TELEMETRY.split("slo:")[0], "requests"),
        ("", None),
    ],
)
def test_the_headline(front: str, name: str | None) -> None:
    """How slow it is, is said by the goal's series, or else by the first."""
    found = facts(front).headline
    assert (found.name if found else None) == name


# From the store


@pytest.fixture
def base(tmp_path: Path) -> KnowledgeBase:
    """A story with a good, a damaged and a missing series, two hours after the data's end."""
    (tmp_path / "stories").mkdir()
    (tmp_path / "site-config").mkdir()
    (tmp_path / "site-config/sources.yml").write_text("prod: {kind: demo}\n")
    fields = "source: prod, kind: gauge, query: q, unit: s"
    telemetry = "".join(f"  {name}: {{{fields}}}\n" for name in ("good", "damaged", "gone"))
    (tmp_path / "stories/slow.md").write_text(f"---\ntitle: T\nstatus: reported\ntelemetry:\n{telemetry}---\n")
    store = Store(tmp_path / ".snapshots")
    for name in ("good", "damaged"):
        snapshot = stored(values([1.0, 2.0]), series()).snapshot
        assert snapshot is not None
        store.write("slow", name, snapshot)
    (tmp_path / ".snapshots/slow/damaged.csv").write_text("time,value\n")
    return read_knowledge_base(tmp_path, {"SOURCE_DATE_EPOCH": str(int((START + 4 * HOUR).timestamp()))})


def loaded(base: KnowledgeBase) -> Facts:
    (found,) = load_facts(base, {}, base.stories)
    return found


def test_from_the_store(base: KnowledgeBase) -> None:
    """What the store holds becomes facts; damage is a state of a series and never a crash."""
    found = loaded(base)
    assert {name: each.health.state for name, each in found.series.items()} == {
        "good": "fresh", "damaged": "corrupt", "gone": "missing",
    }  # fmt: skip
    assert found.series["good"].hours["value"].tolist() == [1, 2]
    assert "checksum" in found.series["damaged"].health.notes[0]
    assert found.now == START + 4 * HOUR


def test_from_the_health_file(base: KnowledgeBase) -> None:
    """Why the last refresh failed is told of its own series."""
    at = datetime(2026, 8, 31, 3, tzinfo=UTC)
    outcome = Outcome("slow", "good", "prod", "kept", at.isoformat(), "prod cannot be reached")
    other = Outcome("another", "gone", "prod", "kept", at.isoformat(), "of another story")
    write_health(Store(base.store), [outcome, other], at, 1, {("slow", "good"), ("another", "gone")})
    found = loaded(base)
    assert found.series["good"].attempt == Attempt(at, "prod cannot be reached")
    assert found.series["good"].health.state == "failed"
    assert found.series["gone"].attempt is None


def test_a_damaged_health_file(base: KnowledgeBase) -> None:
    """A health file that makes no sense takes the reasons away, and nothing else."""
    entry = '{"story": "slow", "series": "good", "source": "prod", "state": "kept", "at": "now", "reason": "no"}'
    (base.store / HEALTH_FILE).write_text(f'{{"series": [{entry}]}}')
    assert loaded(base).series["good"].health.state == "fresh"


def test_problems_of_each_story(base: KnowledgeBase) -> None:
    """A story gets its own problems."""
    problem = Problem(Where("stories/slow.md", 2), "PK301", "no")
    (found,) = load_facts(base, {"slow": (problem,), "other": ()}, base.stories)
    assert found.problems == (problem,)


def test_nothing_is_written(base: KnowledgeBase) -> None:
    """Gathering facts leaves the store as it is, and makes none where there is none."""
    before = sorted(base.store.rglob("*"))
    loaded(base)
    assert sorted(base.store.rglob("*")) == before


def test_time_goes_on(tmp_path: Path, base: KnowledgeBase) -> None:
    """The same store gets older with the knowledge base's clock."""
    later = str(int((START + 8 * DAY).timestamp()))
    assert loaded(read_knowledge_base(tmp_path, {"SOURCE_DATE_EPOCH": later})).series["good"].health.state == "old"
    assert loaded(base).series["good"].health.state == "fresh"
