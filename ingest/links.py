"""Where the text of a story links to: its own headings, other stories, pages, charts and numbers.

A link is found without reading the Markdown, which would take most of the time of `check`;
only what seems to lead nowhere is looked at by Markdown itself, so that an example in code
is no mistake. What nobody but the site's builder can know (anchors of other pages, files
beside them) is left to the build.
"""

import posixpath
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from itertools import islice
from urllib.parse import unquote, urlsplit

from ingest.charts import places
from ingest.errors import MOST_PROBLEMS, Problem, Where, did_you_mean
from ingest.prose import outside_code
from ingest.story import Story

# Without brackets inside, every attempt ends at the next one: no text makes these slow.
_INLINE = re.compile(r"\]\(\s*<?([^][()<>\s]+)")
_DEFINITION = re.compile(r" {0,3}\[[^][^]*\]:\s*<?([^][()<>\s]+)")
_ADDRESS = re.compile(r"""\s(?:href|src)=(?:"([^"]*)"|'([^']*)')""")
_ID = re.compile(r"""\s(?:id|name)="([^"]*)\"""")
# The product's own extensions; each may make headings, ids or code of a text.
_EXTENSIONS = (
    "abbr", "admonition", "attr_list", "def_list", "footnotes", "md_in_html", "tables", "toc",
    "pymdownx.details", "pymdownx.superfences", "pymdownx.tabbed", "pymdownx.tasklist",
)  # fmt: skip
_OURS = "pk-"
"""Ids that begin so are of the parts around the narrative, which is made when the site is built."""


@dataclass(frozen=True)
class Targets:
    """What a link can lead to; paths are relative to stories/, those of `pages` to content/.

    `pages` is None where the hand-written pages lie elsewhere and cannot be known.
    """

    stories: dict[str, Story]
    charts: frozenset[str]
    numbers: frozenset[str]
    pages: frozenset[str] | None


def targets(stories: dict[str, Story], pages: frozenset[str] | None) -> Targets:
    """What there is to link to, of stories by their slugs."""
    charts = {f"{slug}/{place.stem}" for slug, story in stories.items() for place in places(story.front, story.series)}
    days = {f"{slug}/{name}.days.csv" for slug, story in stories.items() for name in story.series}
    return Targets(
        stories,
        frozenset(f"{chart}.svg" for chart in charts),
        frozenset({f"{chart}.csv" for chart in charts} | days),
        pages,
    )


def broken_links(story: Story, known: Targets) -> Iterator[Problem]:
    """The links and images of a story's text that lead nowhere."""
    wrong = list(islice(_suspects(story, known), MOST_PROBLEMS + 1))
    if not wrong:
        return
    meant = _addresses(story.body)
    for number, column, target, (code, what, hint) in wrong:
        if target in meant:
            yield Problem(Where(story.path, number, column), code, what, hint)


def _suspects(story: Story, known: Targets) -> Iterator[tuple[int, int, str, tuple[str, str, str]]]:
    """What looks like a link that leads nowhere: line, column, target, and what `_wrong` says of it."""
    for number, line in outside_code(story.body, story.document.body_line):
        for column, target in _links(line):
            if told := _wrong(story, target, known):
                yield number, column, target, told


def _links(line: str) -> Iterator[tuple[int, str]]:
    """The targets of a line's links and images, each with its column."""
    for found in (*_INLINE.finditer(line), *_DEFINITION.finditer(line)):
        yield found.start(1) + 1, found[1]


def _wrong(story: Story, target: str, known: Targets) -> tuple[str, str, str] | None:
    """The code, the mistake and a hint for a link that leads nowhere; None where it may well lead somewhere."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return "PK211", f"{target!r} is not an address", ""
    if parts.scheme or parts.netloc:
        return None
    if not parts.path:
        return _wrong_anchor(story, parts.fragment, "#")
    if parts.path.startswith("/"):
        hint = "begin at this folder: other-story.md, or ../impact.md for a page"
        return "PK211", f"{target!r} begins at the host, and the site may lie below it", hint
    path = posixpath.normpath(f"stories/{unquote(parts.path)}")
    within = path.removeprefix("stories/")
    if path.endswith(".md"):
        return _wrong_page(path, parts.fragment, known)
    if path == within or "telemetry" in story.mistaken:
        return None
    if path.endswith((".svg", ".csv")):
        return _wrong_file(story, within, known)
    if within in known.stories or not posixpath.splitext(within)[1]:
        hint = f"write {within}.md" if within in known.stories else did_you_mean(f"{within}.md", _slugs(known))
        return "PK211", f"{target!r} leads nowhere", hint
    return None


def _wrong_page(path: str, anchor: str, known: Targets) -> tuple[str, str, str] | None:
    folder, _, name = path.rpartition("/")
    slug = name.removesuffix(".md")
    if folder == "stories" and slug in known.stories:
        return _wrong_anchor(known.stories[slug], anchor, f"{name}#")
    if path in (known.pages or ()):
        return None
    if folder == "stories" and slug != "index":
        return "PK211", f"there is no story {slug!r}", did_you_mean(name, _slugs(known))
    if known.pages is None:
        return None
    return "PK211", f"there is no page content/{path}", did_you_mean(path, known.pages)


def _wrong_anchor(story: Story, anchor: str, prefix: str) -> tuple[str, str, str] | None:
    if not anchor or anchor.startswith(_OURS) or not story.body:
        return None
    ids = _ids(story.body)
    if unquote(anchor) in ids:
        return None
    return "PK211", f"{story.path} has no heading #{anchor}", did_you_mean(f"{prefix}{anchor}", _prefixed(prefix, ids))


def _wrong_file(story: Story, within: str, known: Targets) -> tuple[str, str, str] | None:
    if within in known.charts or within in known.numbers or "/pinned/" in within:
        return None
    if within.endswith(".svg"):
        code, what, there = "PK206", f"there is no chart {within!r}", known.charts
    else:
        code, what, there = "PK211", f"there are no numbers {within!r}", known.numbers
    return code, what, did_you_mean(within, [each for each in there if each.startswith(f"{story.slug}/")])


def _slugs(known: Targets) -> list[str]:
    return [f"{slug}.md" for slug in known.stories]


def _prefixed(prefix: str, ids: Set[str]) -> list[str]:
    return [prefix + each for each in sorted(ids)]


def _addresses(body: str) -> set[str]:
    """Every address that Markdown makes a link or an image of."""
    return {unescape(double or single) for double, single in _ADDRESS.findall(_html(body))}


def _ids(body: str) -> frozenset[str]:
    """Every id that a link can end in: of headings, footnotes, and those that were given by hand."""
    return frozenset(unescape(found) for found in _ID.findall(_html(body)))


@lru_cache(64)
def _html(body: str) -> str:
    import markdown  # most texts have no broken link, and need none of it

    return markdown.markdown(body, extensions=[*_EXTENSIONS], extension_configs={"toc": {"permalink": False}})
