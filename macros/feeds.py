"""Atom feeds of what happened: in all stories, in those of an area, in one story (RFC 4287).

An entry is an event of a timeline. Its id is made of the site's address, the story and the
event's own name, so it stays what it is whatever else changes; its date is the event's, and
never that of a build. Without the site's address there is nothing that could identify an
entry for good, so there are no feeds.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from textwrap import shorten
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as Xml

from ingest.evidence import Event, Facts
from macros.site import Site
from macros.words import printable

ATOM = "http://www.w3.org/2005/Atom"
TYPE = "application/atom+xml"
EVERYTHING = "feed.xml"
MOST = 100
"""How many entries a feed has: the newest. A reader that looks once a month misses none."""
LONGEST = 160
"""In characters: what of an event stands in the title of its entry."""
# A tag: URI names a day on which the address was its owner's (RFC 4151). Another one would make every entry new.
_SINCE = "2026"
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Feed:
    """A feed: where its file lies within the site, what it is called, the page it is about, and whose events."""

    path: str
    title: str
    page: str
    stories: tuple[Facts, ...]


def story_feed(slug: str) -> str:
    """Where the feed of a story lies within the site."""
    return f"stories/{slug}/{EVERYTHING}"


def area_feed(area: str) -> str:
    """Where the feed of an area lies within the site."""
    return f"areas/{area}/{EVERYTHING}"


def shared_feeds(site: Site) -> list[Feed]:
    """The feed of all stories, and one of each area; none where the configuration does not say where the site lies."""
    if not site.settings.url:
        return []
    name, stories = site.settings.name, tuple(site.facts.values())
    made = [Feed(EVERYTHING, name, "", stories)]
    for id_, area in site.settings.areas.items():
        inside = tuple(facts for facts in stories if facts.story.front.area == id_)
        made.append(Feed(area_feed(id_), f"{area.title}: {name}", f"areas/#pk-area-{id_}", inside))
    return made


def story_feeds(site: Site, facts: Facts) -> list[Feed]:
    """The feed of one story, or none."""
    if not site.settings.url:
        return []
    return [Feed(story_feed(facts.slug), facts.story.front.title, f"stories/{facts.slug}/", (facts,))]


def feeds_by_page(site: Site) -> dict[str, list[Feed]]:
    """The feeds that a page offers by its source: a story's own, those of areas; and on every page (empty) all."""
    shared = shared_feeds(site)
    own = {f"stories/{facts.slug}.md": story_feeds(site, facts) for facts in site.facts.values()}
    return {"": shared[:1], "areas.md": shared[1:], **own}


def write_feed(site: Site, feed: Feed) -> str:
    """A feed as XML, the newest entry first."""
    entries = newest(feed.stories)
    address = _Address(site.settings.url or "")
    root = Xml.Element("feed", {"xmlns": ATOM, "xml:lang": "en"})
    _add(root, "id", address.tag(feed.path))
    _add(root, "title", feed.title)
    _add(root, "updated", _moment(entries[0][1].at if entries else _LONG_AGO))
    _link(root, "self", TYPE, address.of(feed.path))
    _link(root, "alternate", "text/html", address.of(feed.page))
    _add(Xml.SubElement(root, "author"), "name", site.settings.name)
    _add(root, "generator", "perfkb")
    for facts, event in entries:
        root.append(_entry(facts, event, address))
    Xml.indent(root, " ")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{Xml.tostring(root, encoding="unicode")}\n'


def newest(stories: Iterable[Facts], most: int = MOST) -> list[tuple[Facts, Event]]:
    """The last things that happened in these stories, the newest first; what lies ahead has not happened."""
    found = [
        (event.at, facts.slug, number, facts, event)
        for facts in stories
        for number, event in enumerate(facts.events)
        if event.at <= facts.now
    ]
    found.sort(key=lambda each: each[:3], reverse=True)
    return [(facts, event) for *_, facts, event in found[:most]]


def _entry(facts: Facts, event: Event, address: "_Address") -> Xml.Element:
    page = f"stories/{facts.slug}/"
    entry = Xml.Element("entry")
    _add(entry, "id", address.tag(f"{page}{event.name}"))
    _add(entry, "title", f"{facts.story.front.title}: {shorten(event.text, LONGEST, placeholder=' …')}")
    _add(entry, "updated", _moment(event.at))
    _link(entry, "alternate", "text/html", address.of(f"{page}#pk-{event.anchor}" if event.anchor else page))
    Xml.SubElement(entry, "category", {"term": event.kind})
    _add(entry, "summary", event.text)
    return entry


def _add(parent: Xml.Element, name: str, text: str) -> None:
    Xml.SubElement(parent, name).text = " ".join(str(printable(text)).split())


def _link(parent: Xml.Element, relation: str, kind: str, address: str) -> None:
    Xml.SubElement(parent, "link", {"rel": relation, "type": kind, "href": address})


def _moment(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Address:
    """The site's address, and the names for things that are made of it."""

    def __init__(self, url: str) -> None:
        self.root = f"{url.rstrip('/')}/"
        parts = urlsplit(self.root)
        self.prefix = f"tag:{quote(parts.hostname or '')},{_SINCE}:{quote(parts.path.lstrip('/'))}"

    def of(self, path: str) -> str:
        """The address of a path within the site."""
        return self.root + path

    def tag(self, name: str) -> str:
        """What a thing is called for good."""
        return self.prefix + name
