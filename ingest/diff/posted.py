"""Markdown that a bot posts: sections, what strangers wrote made inert, and no more than fits.

A story of a fork is anybody's text. It stands in code alone, where no Markdown is read: no
name is notified, nothing is linked or loaded, and no tag begins. So it needs no list of what
is dangerous, and can be copied as it was written.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingest.errors import one_line

LARGEST = 50_000
"""In bytes of UTF-8. GitHub takes 65,536 characters a comment, and who posts it may add some."""
LONGEST_SPAN = 300
LONGEST_BLOCK = 6000
LEAST_ROOM = 1200
"""What every later section is sure of, however much an earlier one has to tell."""


@dataclass(frozen=True)
class Section:
    """What is told under one heading: entries of whole Markdown, of which as many are shown as fit.

    `note` stands above them. Entries of several lines are `apart`.
    """

    title: str
    entries: tuple[str, ...]
    note: str = ""
    apart: bool = False


def code(text: str, longest: int = LONGEST_SPAN) -> str:
    """A text as code within a line, cut where it is longer than `longest` characters."""
    line = one_line(" ".join(text.split()))
    if not line:
        return "(empty)"
    if len(line) > longest:
        line = line[: longest - 1] + "…"
    mark = "`" * (_longest_run(line) + 1)
    # A space at either end keeps the text's own backticks from joining the marks.
    space = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{mark}{space}{line}{space}{mark}"


def block(text: str, language: str = "text", longest: int = LONGEST_BLOCK) -> str:
    """A text as a block of code; one that is longer says by how much."""
    if len(text) > longest:
        text = f"{text[:longest]}\n… and {len(text) - longest:,} more characters"
    lines = "\n".join(one_line(line.expandtabs(4)) for line in text.split("\n"))
    fence = "`" * max(3, _longest_run(lines) + 1)
    return f"{fence}{language}\n{lines}\n{fence}"


def listed(texts: Iterable[str], most: int = 10) -> str:
    """Texts as code with commas, and how many there are beyond `most`."""
    every = list(texts)
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(code(each) for each in every[:most]) + more


def page(title: str, intro: str, sections: Sequence[Section], largest: int = LARGEST) -> str:
    """The whole as Markdown of at most `largest` bytes; empty sections are left out."""
    filled = [each for each in sections if each.entries]
    made = f"## {title}\n\n{intro}\n"
    for index, section in enumerate(filled):
        later = LEAST_ROOM * (len(filled) - index - 1)
        made += _fitting(section, largest - later - _size(made))
    return made


def _fitting(section: Section, room: int) -> str:
    """A section in `room` bytes: its first entries, and how many more there are."""
    head = f"\n### {section.title} ({len(section.entries):,})\n\n" + (f"{section.note}\n\n" if section.note else "")
    between = "\n\n" if section.apart else "\n"
    kept: list[str] = []
    left = room - _size(head)
    for index, entry in enumerate(section.entries):
        more = f"- **and {len(section.entries) - index:,} more, which do not fit here**"
        last = index == len(section.entries) - 1
        left -= _size(entry + between)
        if left < (0 if last else _size(more + between)):
            kept.append(more)
            break
        kept.append(entry)
    return head + between.join(kept) + "\n"


def _size(text: str) -> int:
    return len(text.encode())


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
