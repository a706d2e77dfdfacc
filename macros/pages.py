"""The page of a story: its narrative, made safe, with everything that is known around it."""

import json
import posixpath
import re
from dataclasses import dataclass
from html import escape, unescape
from urllib.parse import urljoin

from markupsafe import Markup
from mkdocs.structure.toc import AnchorLink

from ingest.charts import CHARTS
from ingest.codes import CODES, UNREADABLE
from ingest.evidence import Facts
from macros.feeds import story_feed
from macros.figures import figure
from macros.html import clean_narrative, render
from macros.site import Site
from macros.summary import GOAL_WORDS, summary

# An attribute's value may hold what ends an element, or what looks like another attribute.
_IMAGE = re.compile(r"""(?:<p>\s*)?<img\b((?:[^>"]|"[^"]*")*)>(?:\s*</p>)?""")
# The corner of a table heads nothing; screen readers would say so of every row.
_EMPTY_HEADER = re.compile(r"<th((?: [^<>]*)?)>\s*</th>")
_ATTRIBUTE = re.compile(r"""([a-z]+)="([^"]*)\"""")

QUESTIONS = {
    "who": "For whom is it slow?",
    "what": "What is slow?",
    "when": "When is it slow?",
    "where": "Where is it slow?",
    "why": "Why is it slow?",
}
CUSTOMER_QUESTIONS = {
    "impact": "How does it affect the customer?",
    "affected": "How many customers does it affect?",
    "revenue": "How much do they pay?",
    "video": "Is there a video of it?",
    "blocks_workflow": "Does it block their workflow?",
    "downstream": "Does it hurt anyone else, such as the customer's customer?",
    "support_toil": "What does it cost support?",
    "churn": "Did customers leave over it?",
}


@dataclass(frozen=True)
class Section:
    """A part of a story's page below its narrative, with a place in the table of contents."""

    id: str
    title: str


@dataclass(frozen=True)
class StoryPage:
    """What the plugin puts into a page: HTML, and what the table of contents gains."""

    html: str
    sections: tuple[Section, ...]


def story_source(facts: Facts) -> str:
    """The Markdown of a story's page: front matter of our own, then the narrative as it was written.

    Nothing of the author's front matter is passed on: it could switch the templates of
    content/ pages on for this page, or choose another layout.
    """
    front = facts.story.front
    meta = [
        f"title: {_yaml(front.title)}",
        f"description: {_yaml(escape(_summary(facts)))}",
        "render_macros: false",
        "hide: [navigation]",
    ]
    if front.tags:
        meta.append(f"tags: [{', '.join(_yaml(tag) for tag in front.tags)}]")
    return "---\n" + "\n".join(meta) + "\n---\n\n" + facts.story.body + "\n"


def _yaml(text: str) -> str:
    """A text as YAML. As JSON in ASCII, an emoji would be two halves that YAML refuses, and with
    them all of the front matter that keeps templates away from the narrative."""
    return json.dumps(text, ensure_ascii=False)


def _summary(facts: Facts) -> str:
    front = facts.story.front
    told = front.what or (front.symptoms[0] if front.symptoms else front.title)
    return f"{front.status.capitalize()}: {' '.join(told.split())}"


def story_page(site: Site, facts: Facts, narrative: str, page_url: str, here: str) -> StoryPage:
    """The page of a story; `narrative` is what Markdown made of its text.

    `page_url` is the page's address within the site, and `here` leads from the page to the
    folder that holds its charts.
    """
    placed: set[str] = set()
    cleaned = _EMPTY_HEADER.sub(r"<td\1></td>", clean_narrative(narrative))
    told = _IMAGE.sub(lambda image: _place(site, facts, image, page_url, here, placed), cleaned)
    rest = [
        drawn
        for stem, drawn in site.charts[facts.slug].items()
        if f"{facts.slug}/{stem}" not in placed and not CHARTS[drawn.place.kind].part
    ]
    more_charts = any(CHARTS[drawn.place.kind].about == "series" for drawn in rest)
    sections = tuple(_sections(facts, more_charts, related=bool(site.related[facts.slug])))
    html = render(
        "story.html",
        site=site,
        facts=facts,
        front=facts.story.front,
        summary=summary(site, facts),
        related=[(site.facts[each.slug], each.reasons) for each in site.related[facts.slug]],
        feed=posixpath.basename(story_feed(facts.slug)) if site.settings.url else None,
        goal_words=GOAL_WORDS,
        narrative=Markup(told),  # noqa: S704  # cleaned above
        figures={
            about: {drawn.place.name: figure(site, facts, drawn, "", here) for drawn in group}
            for about in ("series", "hypothesis", "fix")
            for group in [[drawn for drawn in rest if CHARTS[drawn.place.kind].about == about]]
        },
        sections={section.id: section for section in sections},
        questions=QUESTIONS,
        customer_questions={name: CUSTOMER_QUESTIONS[name] for name in site.customer_fields},
        here=here,
        unreadable=unreadable(facts),
        codes=CODES,
    )
    return StoryPage(html, sections)


def safe_headings(items: list[AnchorLink]) -> list[AnchorLink]:
    """A table of contents that the theme can print: it escapes neither titles nor ids.

    MkDocs takes both from the narrative before it is cleaned.
    """
    safe = []
    for item in items:
        children = safe_headings(item.children)
        if re.fullmatch(r"[\w.:-]+", item.id) and not item.id.startswith(("pk-", "__")):
            title = str(Markup.escape(Markup(item.title).striptags()))  # noqa: S704  # stripped, then escaped
            made = AnchorLink(title, item.id, max(2, item.level))
            made.children = children
            safe.append(made)
        else:
            safe += children
    return safe


def unreadable(facts: Facts) -> bool:
    """Whether so little of the file can be read that a page of it would say what is not so."""
    return any(problem.code in UNREADABLE for problem in facts.problems)


def _sections(facts: Facts, more_charts: bool, *, related: bool) -> list[Section]:
    front = facts.story.front
    wanted = [
        ("pk-questions", "What we know, and do not know", not unreadable(facts) and not facts.repeats),
        ("pk-hypotheses", "Hypotheses", bool(front.hypotheses)),
        ("pk-fixes", "Fixes", bool(front.fixes)),
        ("pk-timeboxes", "Timeboxes", bool(front.timeboxes)),
        ("pk-charts", "More charts", more_charts),
        ("pk-timeline", "Timeline", bool(facts.events)),
        ("pk-reports", "Reports", bool(facts.reports.reports or facts.reports.counted)),
        ("pk-related", "Related stories", related),
        ("pk-data", "Where the numbers come from", bool(facts.asked)),
    ]
    return [Section(name, title) for name, title, there in wanted if there]


def _place(site: Site, facts: Facts, image: re.Match[str], page_url: str, here: str, placed: set[str]) -> str:
    """A chart where the narrative put its image; any other image stays as it is."""
    given = {name: unescape(value) for name, value in _ATTRIBUTE.findall(image[1])}
    if not given.get("src"):
        return ""
    address = urljoin(f"/{page_url}", given["src"])
    found = re.fullmatch(r"/stories/([^/]+)/([^/]+)\.svg", address)
    drawn = site.charts.get(found[1], {}).get(found[2]) if found else None
    if not found or not drawn or f"{found[1]}/{found[2]}" in placed:
        return image[0]
    placed.add(f"{found[1]}/{found[2]}")
    owner = site.facts[found[1]]
    folder = here if owner is facts else given["src"].rpartition("/")[0] + "/"
    return figure(site, owner, drawn, given.get("alt", ""), folder, elsewhere=owner is not facts)
