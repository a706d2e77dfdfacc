"""Reports that another system counts: asked once a day, kept, and told as what they are, from refresh to page."""

import html
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from ingest.diff.asked import newly_asked
from ingest.evidence import Facts
from ingest.evidence.load import load_facts
from ingest.health import read_health
from ingest.knowledge import KnowledgeBase, read_knowledge_base
from ingest.refresh import plan, refresh, wishes
from ingest.snapshots import Snapshot, Store
from macros.pages import story_page
from macros.published import stories_json
from macros.site import Site, load_site
from macros.tables import MACROS
from tests.commands import perfkb
from tests.ingest.bases import base
from tests.servers import Asked, FaultServer, Reply

NOON = datetime(2026, 9, 10, 12, 30, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
STORY = "title: Campaigns spin\nstatus: reported\nreports:\n  - {source: helpdesk, query: 'tag:slow'}\n"
TOKEN = "s3cr3t-t0ken"  # noqa: S105  # a canary, to be looked for where it must not be


class Helpdesk:
    """A system that counts, and does what a test wants."""

    def __init__(self) -> None:
        self.counts: dict[str, Any] = {"tag:slow": 41}
        self.reply: Reply | None = None

    def answer(self, asked: Asked) -> Reply:
        return self.reply or Reply(json.dumps({"count": self.counts.get(asked.params["query"])}).encode())


@pytest.fixture
def helpdesk() -> Helpdesk:
    return Helpdesk()


@pytest.fixture
def server(helpdesk: Helpdesk) -> Iterator[FaultServer]:
    with FaultServer({"/count": helpdesk.answer}) as made:
        yield made


@pytest.fixture
def root(tmp_path: Path, server: FaultServer) -> Path:
    made = tmp_path / "kb"
    write(made, server.url)
    return made


def write(root: Path, url: str, path: str = "/count", **stories: str) -> None:
    sources = {
        "helpdesk": {
            "kind": "http-json", "title": "the helpdesk", "url": url, "headers": {"Authorization": "Bearer ${TOKEN}"},
            "count": {"path": path, "params": {"query": "{query}"}, "value": "count", "partial": "rushed"},
        }
    }  # fmt: skip
    base(root, {"slow": STORY, **stories}, settings="name: KB\n", sources=json.dumps(sources))


def at(root: Path, now: datetime) -> KnowledgeBase:
    return read_knowledge_base(root, {"SOURCE_DATE_EPOCH": str(int(now.timestamp()))})


def run(root: Path, now: datetime = NOON) -> int:
    known = at(root, now)
    return refresh(known, wishes(known), {"TOKEN": TOKEN}, sleep=lambda _: None).status


def facts(root: Path, now: datetime = NOON, slug: str = "slow") -> Facts:
    known = at(root, now)
    (found,) = load_facts(known, {}, [known.story(slug)])
    return found


def snapshot(root: Path, slug: str = "slow") -> Snapshot:
    known = at(root, NOON)
    (name,) = known.story(slug).counted
    found = Store(known.store).read(slug, name)
    assert found is not None
    return found


def pages(root: Path, now: datetime, monkeypatch: pytest.MonkeyPatch) -> tuple[Site, dict[str, str]]:
    """The site, and the texts of the story's page, the list of stories, the Data page and Home's radar."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(now.timestamp())))
    site = load_site(root, drafts=False)
    made = {
        "story": story_page(site, site.facts["slow"], Markup(), "stories/slow/", "").html,
        "stories": str(MACROS["stories_table"](site, "")),
        "data": str(MACROS["data_table"](site, "")),
        "radar": str(MACROS["home_radar"](site, "")),
    }
    plain = {name: html.unescape(re.sub(r"<[^>]+>", " ", text)) for name, text in made.items()}
    return site, {name: re.sub(r"\s+", " ", text) for name, text in plain.items()}


def test_once_a_day(root: Path, server: FaultServer, helpdesk: Helpdesk) -> None:
    """The first refresh of a day counts, the others do not ask; a day without any is a gap."""
    assert [run(root, NOON + n * HOUR) for n in range(3)] == [0, 0, 0]
    assert len(server.asked) == 1
    helpdesk.counts["tag:slow"] = 0
    assert run(root, NOON + 3 * DAY) == 0
    assert len(server.asked) == 2
    found = snapshot(root)
    assert found.rows["value"].tolist() == [41, 0]
    assert [when.day for when in found.rows.index] == [9, 12]
    assert (found.manifest.rows, found.manifest.gaps) == (2, 2)
    assert (found.manifest.query, found.manifest.source, found.manifest.unit) == ("tag:slow", "helpdesk", "reports")


def test_the_count_and_its_moment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page, the list and the data file tell the count; the page and the data also when it was counted."""
    run(root)
    (counted,) = facts(root, NOON + HOUR).reports.counted.values()
    assert (counted.count, counted.as_of, counted.health.state) == (41, NOON, "fresh")
    site, told = pages(root, NOON + HOUR, monkeypatch)
    assert "41 reports in the helpdesk as of 10 Sep 2026, 12:30 UTC" in told["story"]
    assert "41 reports in the helpdesk Fresh" in told["stories"]
    assert "41 reports in the helpdesk" in told["radar"]
    assert "no reports yet" not in told["radar"]
    assert "nobody yet" not in told["story"]
    assert "Fresh Reports in the helpdesk" in told["data"]
    (entry,) = json.loads(stories_json(site))["stories"]
    assert entry["reports_counted"] == [
        {"source": "the helpdesk", "query": "tag:slow", "count": 41, "as_of": "2026-09-10T12:30:00Z", "health": "fresh"}
    ]
    assert entry["customers_reporting"] == 0


def test_a_count_of_zero(root: Path, helpdesk: Helpdesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing found is zero, and not unknown."""
    helpdesk.counts["tag:slow"] = 0
    assert run(root) == 0
    assert "0 reports in the helpdesk as of" in pages(root, NOON, monkeypatch)[1]["story"]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"busy", 503),
        Reply(b"<html>"),
        Reply(b'{"count": null}'),
        Reply(b'{"count": 12', length=False),
        Reply(b"", 401),
    ],
)
def test_an_unknown_count(root: Path, helpdesk: Helpdesk, reply: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody could count is unknown, and never zero."""
    helpdesk.reply = reply
    assert run(root) == 2
    (counted,) = facts(root).reports.counted.values()
    assert (counted.count, counted.as_of, counted.health.state) == (None, None, "missing")
    site, told = pages(root, NOON, monkeypatch)
    assert "unknown how many reports in the helpdesk" in told["story"]
    assert not re.search(r"\b0 reports", " ".join(told.values()))
    (entry,) = json.loads(stories_json(site))["stories"]
    assert (entry["reports_counted"][0]["count"], entry["health"]) == (None, "missing")
    assert TOKEN not in json.dumps([told, (root / ".snapshots/health.json").read_text()])


def test_a_kept_count(root: Path, helpdesk: Helpdesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A count that cannot be renewed stays as it was, with its moment, the reason, and its age."""
    run(root)
    before = (root / ".snapshots/slow").glob("*")
    kept = {path: path.read_bytes() for path in before}
    helpdesk.reply = Reply(b"", 503)
    assert run(root, NOON + DAY) == 1
    assert {path: path.read_bytes() for path in kept} == kept
    told = pages(root, NOON + DAY, monkeypatch)[1]
    assert "41 reports in the helpdesk as of 10 Sep 2026, 12:30 UTC" in told["story"]
    assert "The last refresh failed: helpdesk" in told["story"]
    assert "answers with status 503" in told["data"]
    # The age is that of the count, and not of the day that it stands for.
    notes = {hours: " ".join(health.notes) for hours in (35, 37) if (health := facts(root, NOON + hours * HOUR).health)}
    assert "old" not in notes[35]
    assert "The last data is 37 h old" in notes[37]
    assert facts(root, NOON + 8 * DAY).health.state == "old"  # type: ignore[union-attr]


def test_a_count_that_is_partial(root: Path, helpdesk: Helpdesk) -> None:
    """A system's own word that it did not count all is told."""
    helpdesk.reply = Reply(b'{"count": 12, "rushed": true}')
    assert run(root) == 0
    (counted,) = facts(root).reports.counted.values()
    assert (counted.count, counted.health.state) == (12, "partial")


def test_another_way_of_counting(root: Path, server: FaultServer, helpdesk: Helpdesk) -> None:
    """When sources.yml counts in another way, the old count is told as one of another query until the next refresh."""
    run(root)
    server.replies["/other"] = helpdesk.answer
    write(root, server.url, "/other")
    assert facts(root).health.state == "changed"  # type: ignore[union-attr]
    helpdesk.counts["tag:slow"] = 7
    assert run(root, NOON + HOUR) == 0
    (counted,) = facts(root, NOON + HOUR).reports.counted.values()
    assert (counted.count, counted.health.state) == (7, "fresh")


def test_stories_that_repeat_another(root: Path, server: FaultServer, helpdesk: Helpdesk) -> None:
    """The counts of a story that repeats another stand with that one, each query once, and are asked for once."""
    helpdesk.counts["tag:spins"] = 3
    again = STORY.replace(
        "}", "}\n  - {source: helpdesk, query: 'tag:spins'}\n  - {source: helpdesk, query: 'tag:spins'}"
    )
    write(root, server.url, again=f"{again}same_as: slow\n")
    assert run(root) == 0
    assert sorted(asked.params["query"] for asked in server.asked) == ["tag:slow", "tag:spins"]
    assert [each.count for each in facts(root).reports.counted.values()] == [41, 3]
    assert [each.slug for each in facts(root).reports.counted.values()] == ["slow", "again"]


def test_what_would_be_asked(root: Path) -> None:
    """A dry run names the counts as well."""
    known = at(root, NOON)
    (line,) = plan(known, wishes(known))
    assert line == "reports 1 of slow (helpdesk): 1 steps from 2026-09-09 00:00 UTC, of helpdesk"


def test_a_new_count_is_for_a_reviewer(root: Path, tmp_path: Path) -> None:
    """`diff` lists a query that is newly counted among those that run with production credentials."""
    before = base(tmp_path / "before", {"slow": "title: T\nstatus: reported\n"}, settings="name: KB\n")
    section = newly_asked(before, at(root, NOON), {})
    told = "\n".join(section.entries)
    assert "**New**, asks `helpdesk`: `slow: reports` at `stories/slow.md:5:5`" in told
    assert "query: tag:slow" in told
    assert "1 series of stories asks it; a refresh sends it the value of `${TOKEN}`" in told
    assert newly_asked(at(root, NOON), at(root, NOON), {}).entries == ()


def test_at_the_front_door(root: Path, helpdesk: Helpdesk) -> None:
    """`refresh` and `status` tell of counts as of series."""
    done = perfkb("-C", root, "refresh", now=int(NOON.timestamp()), TOKEN=TOKEN)
    assert (done.returncode, done.stderr) == (0, "1 series: 1 fetched, 0 not due yet, 0 kept, 0 missing; 1 new rows\n")
    helpdesk.reply = Reply(f'{{"error": "no {TOKEN}"}}'.encode(), 400)
    later = int((NOON + DAY).timestamp())
    done = perfkb("-C", root, "refresh", now=later, TOKEN=TOKEN)
    assert done.returncode == 1
    assert "stories/slow.md:5:5: helpdesk" in done.stderr
    assert "answers with status 400: no ***" in done.stderr
    assert TOKEN not in done.stdout + done.stderr
    status = perfkb("-C", root, "status", now=later).stdout
    assert re.search(r"  reports 1 of slow \(helpdesk\) +failed +24 h old; The last refresh failed: ", status), status
    assert "helpdesk: reports 1 of slow (helpdesk) kept: stories/slow.md:5:5: " in done.stderr
    assert {name for _, name in read_health(root / ".snapshots")} == set(at(root, NOON).story("slow").counted)


def test_what_a_person_reads(root: Path, helpdesk: Helpdesk, server: FaultServer) -> None:
    """A count is told by its place in its story, in whichever story it shows up, and never by its hash."""
    said = "{date: 2026-09-01, said: spins, customers: 1}"
    more = f"title: Again\nstatus: reported\nsame_as: slow\nreports:\n  - {said}\n"
    write(root, server.url, again=f"{more}  - {{source: helpdesk, query: 'tag:spins'}}\n")
    told = []
    for day in range(2):
        now = int((NOON + day * DAY).timestamp())
        told.append(perfkb("-C", root, "refresh", now=now, TOKEN=TOKEN).stderr)
        told.append(perfkb("-C", root, "status", now=now).stdout)
        told.append(perfkb("-C", root, "notify", "--dry-run", now=now).stdout)
        helpdesk.reply = Reply(b"{}")
    last = int((NOON + 2 * DAY).timestamp())
    perfkb("-C", root, "refresh", now=last, TOKEN=TOKEN)
    told.append(perfkb("-C", root, "notify", "--dry-run", now=last).stdout)
    assert "reports 2 of again (helpdesk)  " in told[1]
    assert "reports 2 of again (helpdesk) missing: " in told[0]
    assert "reports 2 of again (helpdesk) failed 3 times in a row: " in told[-1]
    assert "reports 1 of slow (helpdesk) failed 2 times in a row: " in told[-1]
    assert not [text for text in told if "reports_" in text]


def test_the_demo_counts(tmp_path: Path) -> None:
    """The built-in source counts, always the same."""
    sources = "demo:\n  kind: demo\n  series: {'tag:slow': {level: 41, rhythm: 0 %}}\n"
    story = STORY.replace("helpdesk", "demo")
    counts = []
    for name in ("one", "two"):
        base(tmp_path / name, {"slow": story}, settings="name: KB\n", sources=sources)
        assert run(tmp_path / name) == 0
        (counted,) = facts(tmp_path / name).reports.counted.values()
        counts.append(counted.count)
    assert counts[0] == counts[1]
    assert counts[0] is not None
    assert 25 < counts[0] < 60
