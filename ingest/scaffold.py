"""Starting a story: from a vague sentence to a file that is valid, after a look at its likes."""

import os
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

import yaml

from ingest.books import alone, tell
from ingest.check import check_story
from ingest.errors import UserError
from ingest.fields import MAX_SLUG, read_link, read_slug
from ingest.knowledge import KnowledgeBase
from ingest.settings import Settings
from ingest.snapshots import write_atomically
from ingest.story import Story, read_story
from ingest.tickets import address_of

# Words that say nothing about which problem it is.
_EMPTY_WORDS = frozenset(
    """about after again all and are but can cannot does doing for from has have how into its much not our page slow
    slowly slowness takes that the their them there this time too very was what when where which while with you
    your""".split()  # noqa: SIM905  # a list of words reads better than a list of strings
)


def similar_stories(
    stories: tuple[Story, ...], text: str, most: int = 5, tickets: tuple[str, ...] = ()
) -> list[tuple[Story, list[str]]]:
    """Stories whose title, symptoms or reports share telling words with `text`, most shared first.

    Those that have one of `tickets` come before all others, with the tickets as what is shared.
    """
    wanted = _telling_words(text)
    found = [(story, [each for each in tickets if each in story.front.tickets]) for story in stories]
    known = [(story, shared) for story, shared in found if shared]
    return [*known, *_alike([story for story, shared in found if not shared], wanted)][:most]


def _alike(stories: list[Story], wanted: set[str]) -> list[tuple[Story, list[str]]]:
    found = []
    for story in stories:
        front = story.front
        said = " ".join([front.title, *front.symptoms, *front.tags, *front.endpoints, *(r.said for r in story.said)])
        if shared := wanted & _telling_words(said):
            found.append((story, sorted(shared)))
    return sorted(found, key=lambda each: -len(each[1]))


def _telling_words(text: str) -> set[str]:
    words = re.findall(r"[^\W_]{3,}", text.casefold())
    # A plural is the same word to somebody who looks for it.
    return {word.removesuffix("s") if len(word) > 4 else word for word in words if word not in _EMPTY_WORDS}


def slug_of(title: str) -> str:
    """A story's name in addresses, made from its title; UserError where nothing is left of it."""
    plain = unicodedata.normalize("NFKD", title.casefold()).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_SLUG].rstrip("-")
    try:
        return read_slug(slug)
    except ValueError:
        raise UserError(None, f"no name can be made from {title!r}", "give one with --slug") from None


def ticket_link(settings: Settings, ticket: str) -> str | None:
    """The address of a ticket, None where no patterns are declared; UserError where it matches none of them."""
    address = address_of(ticket, settings.tickets)
    if settings.tickets and address is None:
        raise UserError(None, f"{ticket!r} is no ticket", f"known: {', '.join(settings.tickets)}")
    return address


def write_story(
    base: KnowledgeBase,
    title: str,
    *,
    slug: str | None,
    said: str | None,
    customers: int,
    link: str | None,
    words: Mapping[str, str | tuple[str, ...] | None] | None = None,
) -> Path:
    """Writes `stories/<slug>.md` with one report of today; UserError where that would be no valid story.

    `words` are what is known already: texts by their fields, and lists by what one of them is called.
    """
    name = _checked(read_slug, slug) if slug else slug_of(title)
    path = base.root / "stories" / f"{name}.md"
    report = {"date": base.clock.now.astimezone(base.settings.timezone).date().isoformat(), "said": said or title}
    if customers > 1:
        report["customers"] = str(customers)
    if link:
        report["link"] = _checked(read_link, link)
    text = _front_matter(title, report)
    _assert_good(name, text, base)
    with alone(base):
        if os.path.lexists(path):
            hint = "add a report to it, or give another --slug"
            raise UserError(f"stories/{name}.md", "this story is there already", hint)
        try:
            text = tell(text, words or {})
        except ValueError as error:
            raise UserError(None, str(error)) from None
        _assert_good(name, text, base)
        try:
            write_atomically(path, text.encode())
        except OSError as error:
            raise UserError(str(path), f"cannot be written: {error.strerror}") from None
    return path


def _assert_good(slug: str, text: str, base: KnowledgeBase) -> None:
    """UserError where this would be no story, or one with mistakes."""
    made = read_story(slug, f"stories/{slug}.md", text.encode(), {})
    for problem in made.problems or check_story(made, base):
        if problem.severity == "error":
            raise UserError(None, problem.what, problem.hint)


def _checked(read: object, text: str) -> str:
    try:
        return str(read(text))  # type: ignore[operator]
    except ValueError as error:
        raise UserError(None, str(error)) from None


def _front_matter(title: str, report: dict[str, str]) -> str:
    entries = ", ".join(f"{key}: {_scalar(value)}" for key, value in report.items())
    return (
        f"---\ntitle: {_scalar(title)}\nstatus: reported\nreports:\n  - {{{entries}}}\n---\n\n"
        "What we know so far is the report above. Still to ask: who has it, what exactly is slow, when, and where?\n"
    )


def _scalar(text: str) -> str:
    """A text as YAML that reads back as the same text, also inside braces."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ./_-]*", text) and yaml.safe_load(f"[{text}]") == [text]:
        return text
    if re.fullmatch(r"\d{4}-\d\d-\d\d|\d+", text):
        # A date or a number stands as it is: every field that wants one reads it so.
        return text
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10_000).strip()
