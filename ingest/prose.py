"""What a story's text may hold, so that no reader of Markdown is kept busy by it.

Markdown was made for people's prose: ten thousand brackets in a row take its readers
minutes, a thousand levels of quotes end them. Everything here is one pass over the text;
what still takes too long is stopped while the site is built.
"""

import re
from collections.abc import Callable, Iterator

from ingest.errors import Problem, Where

MAX_LINE = 8000
MAX_DEFINITION = 2000
MAX_NESTING = 20
MAX_CROWD = 1000
MAX_HEADINGS = 500
MAX_TAGS = 1000
MAX_ROWS = 3000

_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
# What opens a level: quotes, lists, admonitions, tabs.
_OPENING = r"(?:>|[-+*:](?=[ \t])|\d{1,9}[.)](?=[ \t])|!!!|\?\?\?|===(?= ))"
_MARK = re.compile(_OPENING)
_LEVELS = re.compile(rf"(?:[ \t]*{_OPENING})+[ \t]?")
_RULE = re.compile(r"\s*([-*_=])(?:\s*\1)*\s*")
_BLANKS_OF_A_LEVEL = 4
_HINT = "write less into one story, or link to it"

Lines = list[tuple[int, str]]


def overload(path: str, text: str, first_line: int) -> Iterator[Problem]:
    """What in the text is more than a reader of Markdown can be trusted with; at most one problem a kind.

    `first_line` is the number of the text's first line in the file at `path`.
    """
    lines = list(enumerate(text.split("\n"), first_line))
    for rule in _RULES:
        found = next(rule(lines), None)
        if found:
            line, what = found
            yield Problem(Where(path, line, 1), "PK008", what, _HINT)


def _long_lines(lines: Lines) -> Iterator[tuple[int, str]]:
    for number, line in lines:
        if len(line) > MAX_LINE:
            yield number, f"a line has {len(line):,} characters; at most {MAX_LINE:,} are read"
        if "]:" in line.replace(" ", "") and len(line) > MAX_DEFINITION:
            # It stands wherever its word does: a long one and a short word would fill the memory.
            yield number, f"a definition has {len(line):,} characters; at most {MAX_DEFINITION:,} are read"


def _nesting(lines: Lines) -> Iterator[tuple[int, str]]:
    for number, line in _prose(lines):
        marks = _LEVELS.match(line)
        if marks and not _RULE.fullmatch(line) and _depth(marks[0]) > MAX_NESTING:
            yield number, f"this is nested more than {MAX_NESTING} levels deep"


def _depth(opening: str) -> int:
    blanks = len(opening.expandtabs(_BLANKS_OF_A_LEVEL)) - len(opening.lstrip().expandtabs(_BLANKS_OF_A_LEVEL))
    return blanks // _BLANKS_OF_A_LEVEL + len(_MARK.findall(opening))


def _crowded(lines: Lines) -> Iterator[tuple[int, str]]:
    """Paragraphs with so many brackets and the like that each is compared with all others."""
    counts = dict.fromkeys("[<`", 0)
    for number, line in _prose(lines):
        if not line.strip():
            counts = dict.fromkeys(counts, 0)
        for mark in counts:
            counts[mark] += line.count(mark)
            if counts[mark] > MAX_CROWD:
                yield number, f"a paragraph has the character {mark} more than {MAX_CROWD:,} times"


def _too_many(pattern: str, most: int, what: str) -> Callable[[Lines], Iterator[tuple[int, str]]]:
    finder = re.compile(pattern)

    def rule(lines: Lines) -> Iterator[tuple[int, str]]:
        seen = 0
        for number, line in lines:
            seen += len(finder.findall(line))
            if seen > most:
                yield number, f"there are more than {most:,} {what}"

    return rule


def outside_code(text: str, first_line: int) -> Iterator[tuple[int, str]]:
    """The numbered lines of a text outside fenced code."""
    return _prose(list(enumerate(text.split("\n"), first_line)))


def _prose(lines: Lines) -> Iterator[tuple[int, str]]:
    """The lines outside fenced code."""
    fence = ""
    for number, line in lines:
        mark = _FENCE.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        elif not fence:
            yield number, line


_RULES = (
    _long_lines,
    _nesting,
    _crowded,
    _too_many(r"^#{1,6}|^\s*(?:-{3,}|={3,})\s*$", MAX_HEADINGS, "headings and rules"),
    _too_many(r"<[A-Za-z]", MAX_TAGS, "HTML tags"),
    _too_many(r"^.*\|.*\|", MAX_ROWS, "rows of tables"),
)
