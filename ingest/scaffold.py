"""Starting a story: from a vague sentence to a file that is valid, after a look at its likes."""

import re
import unicodedata
from pathlib import Path

import yaml

from ingest.errors import UserError
from ingest.fields import MAX_SLUG, read_link, read_slug
from ingest.knowledge import KnowledgeBase
from ingest.snapshots import write_atomically
from ingest.story import Story, read_story

# Words that say nothing about which problem it is.
_EMPTY_WORDS = frozenset(
    """about after again all and are but can cannot does doing for from has have how into its much not our page slow
    slowly slowness takes that the their them there this time too very was what when where which while with you
    your""".split()  # noqa: SIM905  # a list of words reads better than a list of strings
)


def similar_stories(stories: tuple[Story, ...], text: str, most: int = 5) -> list[tuple[Story, list[str]]]:
    """Stories whose title, symptoms or reports share telling words with `text`, most shared first."""
    wanted = _telling_words(text)
    found = []
    for story in stories:
        front = story.front
        said = " ".join([front.title, *front.symptoms, *front.tags, *front.endpoints, *(r.said for r in story.said)])
        if shared := wanted & _telling_words(said):
            found.append((story, sorted(shared)))
    return sorted(found, key=lambda each: -len(each[1]))[:most]


def _telling_words(text: str) -> set[str]:
    words = re.findall(r"[^\W_]{3,}", text.casefold())
    # A plural is the same word to somebody who looks for it.
    return {word.removesuffix("s") if len(word) > 4 else word for word in words if word not in _EMPTY_WORDS}


def slug_of(title: str) -> str:
    """A story's name in addresses, made from its title; UserError where nothing is left of it."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_SLUG].rstrip("-")
    if not slug or slug == "index":
        raise UserError(None, f"no name can be made from {title!r}", "give one with --slug")
    return slug


def write_story(
    base: KnowledgeBase, title: str, *, slug: str | None, said: str | None, customers: int, link: str | None
) -> Path:
    """Writes `stories/<slug>.md` with one report of today; UserError where that would be no valid story."""
    name = _checked(read_slug, slug) if slug else slug_of(title)
    path = base.root / "stories" / f"{name}.md"
    report = {"date": base.clock.now.astimezone(base.settings.timezone).date().isoformat(), "said": said or title}
    if customers > 1:
        report["customers"] = str(customers)
    if link:
        report["link"] = _checked(read_link, link)
    text = _front_matter(title, report)
    made = read_story(name, f"stories/{name}.md", text.encode(), {})
    if made.problems:
        raise UserError(None, made.problems[0].what, made.problems[0].hint)
    if path.exists():
        raise UserError(
            f"stories/{name}.md", "this story is there already", "add a report to it, or give another --slug"
        )
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise UserError(str(path), f"cannot be written: {error.strerror}") from None
    return path


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
