"""YAML that remembers where everything stands, and that cannot hurt.

The values stay what was written: every scalar is a string (or None), and the schema that
reads it decides what it means. So nothing is guessed: `NO` is a word, `1.10` keeps its
zero, a date is a date only where a date is asked for, and `12:30`, which other YAML
readers silently turn into 750, is refused unless it is quoted.

A file is scanned as a flat stream of events before anything nested is built, because
libyaml's and PyYAML's own composers recurse: 40 KB of `[` end the interpreter, and a few
aliases expand to gigabytes. Size, depth and aliases are limited here, once.
"""

import re
from bisect import bisect_right
from codecs import BOM_UTF8
from dataclasses import dataclass, field
from typing import Any

import frontmatter
import yaml
from frontmatter.default_handlers import YAMLHandler
from yaml.reader import Reader

from ingest.errors import Problem, Where

MAX_BYTES = 64 * 1024
MAX_BODY_BYTES = 128 * 1024
MAX_DEPTH = 20

Path = tuple[str | int, ...]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SEXAGESIMAL = re.compile(r"[-+]?\d+(?::[0-5]?\d)+(?:\.\d*)?")
_LONE = re.compile("\r(?!\n)")
# Line breaks for YAML 1.1 alone: what others see as a comment could hide a key behind one.
_HIDDEN_BREAK = re.compile("[\x85\u2028\u2029]")
_NULLS = {"", "~", "null", "Null", "NULL"}


@dataclass
class Marked:
    """A YAML mapping and where its parts stand.

    `marks` maps the path of every value to the `Where` of its key (or, in a list, of the
    item itself); `()` is the mapping's own place.
    """

    path: str
    data: dict[str, Any] = field(default_factory=dict)
    marks: dict[Path, Where] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def where(self, path: Path) -> Where:
        """The place of `path`, or of its nearest ancestor that stands in the file."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path, Where(self.path, 1, 1))

    def below(self, key: str) -> "Marked | None":
        """The mapping under `key`, with its own marks; None where there is no mapping."""
        inner = self.data.get(key)
        if not isinstance(inner, dict):
            return None
        return Marked(self.path, inner, {at[1:]: where for at, where in self.marks.items() if at[:1] == (key,)})


@dataclass
class Document(Marked):
    """A Markdown file: its front matter, its text, and the line on which the text begins."""

    body: str = ""
    body_line: int = 1


class _RefusedError(Exception):
    """The YAML cannot be read further; carries the problem that says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what)
        self.problem = problem


def spell(path: Path) -> str:
    """A path as a reader writes it: `timeboxes[0].budget`."""
    spelt = "".join(f"[{part}]" if isinstance(part, int) else f".{part or repr(part)}" for part in path)
    return spelt.removeprefix(".") or "the file"


def decode(path: str, raw: bytes, limit: int) -> tuple[str, list[Problem]]:
    """A file's text, or the problem that keeps it from being read."""
    if len(raw) > limit:
        what = f"the file has {len(raw):,} bytes; at most {limit:,} are read"
        return "", [Problem(Where(path), "PK003", what, "move data out of the story, into a source")]
    raw = raw.removeprefix(BOM_UTF8)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        before = _unix(raw[: error.start].decode())
        where = Where(path, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        what = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        return "", [Problem(where, "PK001", what, "save the file as UTF-8")]
    if "\n" in text and (lone := _LONE.search(text)):
        # A reviewer sees one line, perhaps a comment, where a parser sees two.
        before = _unix(text[: lone.start()])
        where = Where(path, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        what = "a carriage return alone ends this line, and others end otherwise"
        return "", [Problem(where, "PK001", what, "save the file with one kind of line ends")]
    return _unix(text), []


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_yaml(path: str, raw: bytes) -> Marked:
    """A configuration file's mapping; what is wrong with it is in `problems`."""
    text, problems = decode(path, raw, MAX_BYTES)
    found = Marked(path, problems=problems)
    if not problems:
        _parse_into(found, text, first_line=1)
    return found


def read_document(path: str, raw: bytes) -> Document:
    """A story's front matter and text; what is wrong with them is in `problems`."""
    text, problems = decode(path, raw, MAX_BYTES + MAX_BODY_BYTES)
    found = Document(path, problems=problems)
    if problems:
        return found
    handler = YAMLHandler()
    opening = handler.FM_BOUNDARY.match(text)
    if not opening:
        what = "the file does not begin with front matter"
        hint = "begin with a line of three hyphens, `title:`, `status:`, and three hyphens again"
        found.problems.append(Problem(Where(path, 1, 1), "PK006", what, hint))
        found.body = text
        return found
    if not handler.FM_BOUNDARY.search(text, opening.end()):
        what = "the front matter has no end"
        hint = "close it with a line of three hyphens"
        found.problems.append(Problem(Where(path, 1, 1), "PK006", what, hint))
        return found

    handler_with_marks = _MarkedHandler(found, first_line=text.count("\n", 0, opening.end()) + 1)
    _, found.body = frontmatter.parse(text, handler=handler_with_marks)
    found.body_line = text[: text.rindex(found.body)].count("\n") + 1 if found.body else 1
    if (size := len(found.body.encode())) > MAX_BODY_BYTES:
        what = f"the text has {size:,} bytes; at most {MAX_BODY_BYTES:,} are read"
        found.problems.append(Problem(Where(path, found.body_line, 1), "PK003", what, "move data out of the story"))
        found.body = ""
    return found


class _MarkedHandler(YAMLHandler):
    """python-frontmatter's splitting, with our reading of what stands between the fences."""

    def __init__(self, into: Document, first_line: int) -> None:
        super().__init__()
        self.into = into
        self.first_line = first_line

    def load(self, fm: str, **_: object) -> dict[str, Any]:
        # The fence's pattern leaves the line break after it to us.
        text = fm.removeprefix("\n")
        if len(fm) > MAX_BYTES:
            what = f"the front matter has {len(fm):,} characters; at most {MAX_BYTES:,} are read"
            self.into.problems.append(Problem(Where(self.into.path, 1, 1), "PK003", what, ""))
            return {}
        _parse_into(self.into, text, self.first_line + len(fm) - len(text))
        return self.into.data


def _parse_into(found: Marked, text: str, first_line: int) -> None:
    builder = _Builder(found, text, first_line)
    try:
        builder.build()
    except _RefusedError as refused:
        found.data = {}
        found.problems.append(refused.problem)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = builder.place(mark.index if mark else 0)
        what = f"this is not YAML: {error.problem or error.context}"
        found.data = {}
        line = text.split("\n")[where.line - first_line]
        found.problems.append(Problem(where, "PK002", what, _yaml_hint(line, where.column)))


def _yaml_hint(line: str, column: int) -> str:
    if "\t" in line[:column]:
        return "indent with spaces, not with tabs"
    if re.match(r"\s*(- )?[\w]+:\s+[^\"'\[{].*:(\s|$)", line):
        return "quote a text that holds a colon"
    if re.match(r"\s*(- )?[\w]+:\s*[@`%&*!|>]", line):
        return "quote a text that begins with a special character"
    return "look at the indentation and the quotes just before this place"


class _Builder:
    """Builds plain data from YAML events; nesting is bounded before anything recurses."""

    def __init__(self, found: Marked, text: str, first_line: int) -> None:
        self.found = found
        self.text = text
        self.first_line = first_line
        self.line_starts = [0, *(end.end() for end in re.finditer("\n", text))]

    def at(self, mark: Any) -> Where:
        # A mark's own line also counts U+0085 and U+2028, which end no line in an editor.
        return self.place(mark.index)

    def place(self, index: int) -> Where:
        """The place of a character of the text."""
        line = bisect_right(self.line_starts, index) - 1
        return Where(self.found.path, self.first_line + line, index - self.line_starts[line] + 1)

    def build(self) -> None:
        events = list(self._scan())
        self.events = iter(events)
        self.found.marks[()] = Where(self.found.path, self.first_line, 1)
        if not events:
            return
        first = next(self.events)
        if not isinstance(first, yaml.MappingStartEvent):
            raise self._refuse(first.start_mark, "PK002", "this is not a mapping", "write `key: value` lines")
        self._plain(first)
        self.found.data = self._mapping(())

    def _scan(self) -> Any:
        """The events of one document, refused as soon as they go beyond a limit."""
        if odd := Reader.NON_PRINTABLE.search(self.text) or _HIDDEN_BREAK.search(self.text):
            what = f"this is not YAML: the character U+{ord(odd[0]):04X} cannot stand here"
            raise _RefusedError(Problem(self.place(odd.start()), "PK002", what, "remove it"))
        depth = documents = 0
        for event in yaml.parse(self.text, Loader=_LOADER):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._refuse(
                        event.start_mark, "PK002", "a second YAML document begins here", "quote a text of three hyphens"
                    )
            elif isinstance(event, yaml.AliasEvent):
                hint = "write the value out; a text that begins with * needs quotes"
                raise self._refuse(event.start_mark, "PK003", "aliases are not allowed", hint)
            elif isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    what = f"nested more than {MAX_DEPTH} levels deep"
                    raise self._refuse(event.start_mark, "PK003", what, "quote a text that begins with [ or {")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent, yaml.CollectionEndEvent)):
                yield event

    def _refuse(self, mark: Any, code: str, what: str, hint: str) -> _RefusedError:
        return _RefusedError(Problem(self.at(mark), code, what, hint))

    def _value(self, event: Any, path: Path) -> Any:
        self._plain(event)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._scalar(event)

    def _mapping(self, path: Path) -> dict[str, Any]:
        made: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._refuse(
                    event.start_mark, "PK002", "a key must be a plain text", "quote a text that begins with [ or {"
                )
            self._plain(event)
            key, where = event.value, self.at(event.start_mark)
            if key in made:
                first = self.found.marks[*path, key]
                what = f"{key!r} is written twice; the first is on line {first.line}"
                self.found.problems.append(Problem(where, "PK004", what, "keep one of them"))
                self._value(next(self.events), (*path, key, "(twice)"))
                continue
            self.found.marks[*path, key] = where
            made[key] = self._value(next(self.events), (*path, key))
        return made

    def _sequence(self, path: Path) -> list[Any]:
        made: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            here = (*path, len(made))
            self.found.marks[here] = self.at(event.start_mark)
            made.append(self._value(event, here))
        return made

    def _scalar(self, event: Any) -> str | None:
        text: str = event.value
        if event.style or not event.implicit[0]:
            return text
        if _SEXAGESIMAL.fullmatch(text):
            what = f"{text} is read as a number to the base of 60 by YAML"
            hint = f'write "{text}" in quotes, or a duration such as 12h30m'
            self.found.problems.append(Problem(self.at(event.start_mark), "PK005", what, hint))
        return None if text in _NULLS else text

    def _plain(self, event: Any) -> None:
        if event.anchor is not None:
            hint = "quote a text that begins with &"
            raise self._refuse(event.start_mark, "PK003", "anchors are not allowed", hint)
        if event.tag not in (None, "!"):
            hint = "quote a text that begins with an exclamation mark"
            raise self._refuse(event.start_mark, "PK003", "YAML tags are not allowed", hint)
