"""Where the text of a story links to: its own headings, other stories, pages, charts and numbers.

A link is found without reading the Markdown, which would take most of the time of `check`, and
minutes where somebody means harm. What may be an example in code is no link here; that, and
what nobody but the site's builder can know (anchors of other pages, files beside them), is
left to the build.
"""

import posixpath
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from itertools import islice, pairwise
from urllib.parse import unquote, urlsplit

from ingest.charts import places
from ingest.errors import MOST_PROBLEMS, Problem, Where, did_you_mean
from ingest.limits import SECONDS_A_LOOK, TooLongError, time_limit
from ingest.prose import outside_code
from ingest.story import Story

# Without brackets inside, every attempt ends at the next one: no text makes these slow.
_INLINE = re.compile(r"\]\(\s*<?([^][()<>\s]+)")
_DEFINITION = re.compile(r" {0,3}\[[^][^]*\]:\s*<?([^][()<>\s]+)")
_CODE = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)")
_INDENTED = re.compile(r" {4}|\t")
_COMMENT = re.compile(r"\s*<!--")
_HEADING = re.compile(r"\s*(#{1,6}[^#].{0,300})$")
_UNDERLINE = re.compile(r"\s*(?:=+|-+)\s*$")
_ID = re.compile(r"""\{[^{}\n]{0,200}#([\w:.-]+)[^{}\n]{0,200}\}|\s(?:id|name)="([^"]*)"|\[\^([^][]+)\]:""")
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
    wrong = (
        Problem(Where(story.path, number, column), *told)
        for number, column, target in _links(story)
        if (told := _wrong(story, target, known))
    )
    # Looking for what was meant takes its time, and nobody reads on.
    yield from islice(wrong, MOST_PROBLEMS + 1)


def _links(story: Story) -> Iterator[tuple[int, int, str]]:
    """The line, the column and the target of every link and image of the text."""
    commented = False
    for number, line in outside_code(story.body, story.document.body_line):
        commented = commented or bool(_COMMENT.match(line))
        if not commented and not _INDENTED.match(line):
            # Blanks stand for code, so that the columns stay.
            told = _CODE.sub(lambda code: " " * len(code[0]), line)
            for found in (*_INLINE.finditer(told), *_DEFINITION.finditer(told)):
                yield number, found.start(1) + 1, found[1]
        commented = commented and "-->" not in line


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
    other = known.stories.get(within.partition("/")[0].removesuffix(".md")) if within != path else None
    if other and other.front.draft and not story.front.draft:
        return "PK211", f"{other.slug} is a draft, which no reader sees", "make this one a draft too, or that one none"
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
    if ids is None or unquote(anchor) in ids:
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


@lru_cache(64)
def _ids(body: str) -> frozenset[str] | None:
    """Every id that a link can end in: of headings, footnotes, and those that were given by hand.

    None where telling would take too long, or Markdown fails: that is the build's to say.
    """
    try:
        with time_limit(SECONDS_A_LOOK):
            return _ids_of(body)
    except (Exception, TooLongError):  # whatever Markdown and its extensions raise, it is about this text only
        return None


def _ids_of(body: str) -> frozenset[str]:
    import markdown  # few texts are linked to by a heading

    lines = body.split("\n")
    headings = [found[1] for line in lines if (found := _HEADING.match(line))]
    headings += [f"# {title[:300]}" for title, line in pairwise(lines) if title.strip() and _UNDERLINE.match(line)]
    html = markdown.markdown("\n\n".join(headings), extensions=["attr_list", "toc"])
    given = {f"fn:{note}" if note else by_hand or named for by_hand, named, note in _ID.findall(body)}
    return frozenset(given | {unescape(named) for _, named, _ in _ID.findall(html)})
