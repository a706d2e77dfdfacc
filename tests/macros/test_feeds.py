"""Feeds: valid Atom with ids that stay, whatever their stories say and whatever else is built."""

import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from ingest.check import check
from ingest.evidence.load import load_facts
from macros.feeds import ATOM, MOST, Feed, feeds_by_page, shared_feeds, story_feeds, write_feed
from macros.site import Site
from tests.attacks import FIELDS, MORE_FIELDS, TEXTS, armed, field_story
from tests.ingest.bases import base

URL = "https://perf.example/kb"
SETTINGS = f"""\
url: {URL}
name: Slow things & their fixes
areas: {{checkout: {{title: "Checkout & co"}}, lists: {{title: Lists}}}}
now: 2026-11-01T06:00Z
"""
STORY = """\
title: Campaign list is slow
status: testing
area: lists
what: The list
opened: 2026-09-01
reports:
  - {date: 2026-09-01, said: it spins}
  - {date: 2026-09-03, said: "still <slow> & worse"}
timeboxes: [{date: 2026-09-04, question: Where does it wait?, budget: 2h}]
hypotheses:
  - {id: h1, because: One query a list, written: 2026-09-05}
fixes:
  - {id: batch, shipped: "2026-09-20T14:00Z"}
"""
OTHER = "title: Login is slow\nstatus: reported\nreports: [{date: 2026-10-01, said: slow}]\n"
NAMESPACES = {"a": ATOM}
ELEMENTS = {
    "feed", "id", "title", "updated", "link", "author", "name", "generator", "entry", "category", "summary",
}  # fmt: skip
HOSTILE = {**{name: TEXTS[name] for name in FIELDS}, **MORE_FIELDS}


def site_of(root: Path, settings: str = SETTINGS, **stories: str) -> Site:
    """A site of these stories, without its charts."""
    known = base(root, {name.replace("_", "-"): text for name, text in stories.items()}, settings=settings)
    report = check(known)
    facts = load_facts(known, report.of_story, known.stories)
    return Site(known, report, {each.slug: each for each in facts}, {})


def feeds(site: Site) -> dict[str, Feed]:
    return {
        feed.path: feed
        for feed in [*shared_feeds(site), *(f for x in site.facts.values() for f in story_feeds(site, x))]
    }


def read(text: str) -> Xml.Element:
    """A feed that was written; one that is no XML fails the test."""
    return Xml.fromstring(text)  # noqa: S314  # ours


def all_of(site: Site) -> dict[str, Xml.Element]:
    return {path: read(write_feed(site, feed)) for path, feed in feeds(site).items()}


def texts(element: Xml.Element, path: str) -> list[str]:
    return [found.text or "" for found in element.findall(path, NAMESPACES)]


def assert_atom(feed: Xml.Element) -> None:
    """What RFC 4287 asks of a feed and of its entries (4.1.1 and 4.1.2)."""
    assert feed.tag == f"{{{ATOM}}}feed"
    for element in (feed, *feed.findall("a:entry", NAMESPACES)):
        for name in ("id", "title", "updated"):
            (found,) = texts(element, f"a:{name}")
            assert found.strip()
        assert re.fullmatch(r"[a-z][a-z0-9+.-]*:\S+", texts(element, "a:id")[0]), "an id is an absolute IRI"
        assert datetime.fromisoformat(texts(element, "a:updated")[0]).tzinfo is not None
        links = [link.attrib for link in element.findall("a:link", NAMESPACES)]
        kinds = [(link["rel"], link["type"]) for link in links]
        assert kinds.count(("alternate", "text/html")) == 1
        assert len(kinds) == len(set(kinds))
        assert all(link["href"].startswith(f"{URL}/") for link in links)
    assert texts(feed, "a:author/a:name")[0], "its entries need none of their own"
    ids = texts(feed, "a:entry/a:id")
    assert len(ids) == len(set(ids))
    updated = [datetime.fromisoformat(each) for each in texts(feed, "a:entry/a:updated")]
    assert updated == sorted(updated, reverse=True)
    if updated:
        assert datetime.fromisoformat(texts(feed, "a:updated")[0]) == updated[0]


def test_valid_atom(tmp_path: Path) -> None:
    """Every feed, an empty one too, has all that Atom asks for; links are absolute, the newest comes first."""
    found = all_of(site_of(tmp_path, slow_list=STORY, login=OTHER))
    assert list(found) == [
        "feed.xml", "areas/checkout/feed.xml", "areas/lists/feed.xml",
        "stories/login/feed.xml", "stories/slow-list/feed.xml",
    ]  # fmt: skip
    for path, feed in found.items():
        assert_atom(feed)
        (own,) = [link.get("href") for link in feed.findall("a:link[@rel='self']", NAMESPACES)]
        assert own == f"{URL}/{path}"
    assert len({texts(feed, "a:id")[0] for feed in found.values()}) == len(found)
    assert found["areas/checkout/feed.xml"].findall("a:entry", NAMESPACES) == []
    assert texts(found["areas/checkout/feed.xml"], "a:title") == ["Checkout & co: Slow things & their fixes"]


def test_entries(tmp_path: Path) -> None:
    """An entry says what happened in which story and when, and leads to the part of the page about it."""
    feed = all_of(site_of(tmp_path, slow_list=STORY))["stories/slow-list/feed.xml"]
    entry = feed.findall("a:entry", NAMESPACES)[0]
    assert texts(entry, "a:title") == ["Campaign list is slow: Fix shipped: batch"]
    assert texts(entry, "a:updated") == ["2026-09-20T14:00:00Z"]
    assert texts(entry, "a:id") == ["tag:perf.example,2026:kb/stories/slow-list/shipped-batch"]
    assert [link.get("href") for link in entry.findall("a:link", NAMESPACES)] == [
        f"{URL}/stories/slow-list/#pk-fix-batch"
    ]
    assert [each.get("term") for each in feed.findall("a:entry/a:category", NAMESPACES)] == [
        "shipped", "hypothesis", "timebox", "reported", "reported", "opened",
    ]  # fmt: skip
    assert "Reported: “still <slow> & worse”" in texts(feed, "a:entry/a:summary")


def test_feeds_are_those_of_their_stories(tmp_path: Path) -> None:
    """The feed of all stories holds every event, that of an area its own."""
    found = all_of(site_of(tmp_path, slow_list=STORY, login=OTHER))
    assert len(texts(found["feed.xml"], "a:entry/a:id")) == 7
    assert len(texts(found["areas/lists/feed.xml"], "a:entry/a:id")) == 6
    assert len(texts(found["stories/login/feed.xml"], "a:entry/a:id")) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("reports:\n", "reports:\n  - {date: 2026-08-20, said: the first}\n"),
        ("timeboxes: [", "timeboxes: [{date: 2026-09-02, question: Anything?, budget: 1h}, "),
        ("budget: 2h}", "budget: 2h, spent: 1h30m, outcome: Nothing}"),
        ("title: Campaign list", "title: Our campaign list"),
        ("area: lists\n", ""),
        ("written: 2026-09-05}", "written: 2026-09-05, verdict: disproved, decided: 2026-09-12}"),
        ("14:00Z", "15:30Z"),
    ],
)  # fmt: skip
def test_ids_stay(tmp_path: Path, old: str, new: str) -> None:
    """What happened keeps its id when a report or timebox is put before it, and when the story is edited."""
    before = all_of(site_of(tmp_path, slow_list=STORY))["stories/slow-list/feed.xml"]
    assert old in STORY
    after = all_of(site_of(tmp_path, slow_list=STORY.replace(old, new)))["stories/slow-list/feed.xml"]
    assert set(texts(before, "a:entry/a:id")) <= set(texts(after, "a:entry/a:id"))


def test_a_build_changes_nothing(tmp_path: Path) -> None:
    """A later build of the same stories writes the same bytes: no date is that of the build."""
    first = site_of(tmp_path, slow_list=STORY, login=OTHER)
    written = {path: write_feed(first, feed) for path, feed in feeds(first).items()}
    later = site_of(tmp_path, settings=SETTINGS.replace("2026-11-01", "2027-02-01"), slow_list=STORY, login=OTHER)
    assert {path: write_feed(later, feed) for path, feed in feeds(later).items()} == written


def test_the_same_words_twice(tmp_path: Path) -> None:
    """Two reports that say the same on one day are two entries."""
    twice = OTHER.replace(
        "[{date: 2026-10-01, said: slow}]", "[{date: 2026-10-01, said: slow}, {date: 2026-10-01, said: slow}]"
    )
    feed = all_of(site_of(tmp_path, login=twice))["feed.xml"]
    assert_atom(feed)
    assert len(texts(feed, "a:entry/a:id")) == 2


def test_what_lies_ahead_has_not_happened(tmp_path: Path) -> None:
    """An event of a day to come is told when the day has come."""
    site = site_of(tmp_path, settings=SETTINGS.replace("2026-11-01", "2026-09-10"), slow_list=STORY)
    assert "Campaign list is slow: Fix shipped: batch" not in texts(all_of(site)["feed.xml"], "a:entry/a:title")


def test_a_feed_ends(tmp_path: Path) -> None:
    """Of many events the newest stay."""
    reports = "\n".join(f'  - {{date: 2026-{n // 28 + 1:02}-{n % 28 + 1:02}, said: "{n}"}}' for n in range(MOST + 40))
    feed = all_of(site_of(tmp_path, many=f"title: T\nstatus: reported\nreports:\n{reports}\n"))["feed.xml"]
    found = texts(feed, "a:entry/a:title")
    assert len(found) == MOST
    assert found[0] == f"T: Reported: “{MOST + 39}”"


def test_no_address_no_feeds(tmp_path: Path) -> None:
    """Without the site's address there is no feed, and no page offers one."""
    site = site_of(tmp_path, settings="areas: {lists: {title: Lists}}\nnow: 2026-11-01T06:00Z\n", slow_list=STORY)
    assert feeds(site) == {}
    assert not any(feeds_by_page(site).values())


def test_pages_offer_their_feeds(tmp_path: Path) -> None:
    """Every page offers the feed of all stories, a story's page its own, and Areas those of the areas."""
    offered = feeds_by_page(site_of(tmp_path, slow_list=STORY))
    assert {page: [feed.path for feed in found] for page, found in offered.items()} == {
        "": ["feed.xml"],
        "areas.md": ["areas/checkout/feed.xml", "areas/lists/feed.xml"],
        "stories/slow-list.md": ["stories/slow-list/feed.xml"],
    }


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_words(tmp_path: Path, name: str) -> None:
    """Whatever stands in a story's fields is text in its feeds: no element, no address and no entity of its own."""
    payload = armed(HOSTILE[name], name, "canary", "http://127.0.0.1:1/")
    site = site_of(tmp_path, hostile=field_story("hostile", payload))
    written = {path: write_feed(site, feed) for path, feed in feeds(site).items()}
    for text in written.values():
        assert "<!" not in text
        feed = read(text)
        assert_atom(feed)
        assert {element.tag.removeprefix(f"{{{ATOM}}}") for element in feed.iter()} <= ELEMENTS
        for element in feed.iter():
            assert set(element.attrib) <= {"href", "rel", "type", "term", "{http://www.w3.org/XML/1998/namespace}lang"}
    shown = " ".join(texts(read(written["feed.xml"]), "a:entry/a:summary"))
    assert " ".join(payload.split()) in shown


@pytest.mark.parametrize(
    "text", ["a\x00b", "a\x0bb\x1b[31m", "a\ufffe\uffff", "a\ud800b", "\u202eb", "]]>", "&lt;&#0;"]
)
def test_what_xml_forbids(tmp_path: Path, text: str) -> None:
    """Characters that XML has no place for are left out, should one ever get as far."""
    site = site_of(tmp_path, slow_list=STORY)
    written = write_feed(site, replace(shared_feeds(site)[0], title=text))
    assert_atom(read(written))
    assert written.encode("utf-8")
