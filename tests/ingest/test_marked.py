import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import Where
from ingest.marked import MAX_BODY_BYTES, MAX_BYTES, Document, Marked, read_document, read_yaml, spell

FILE = "stories/a.md"


def data(text: str) -> dict[str, Any]:
    """What is read of YAML without a mistake."""
    marked = read_yaml(FILE, text.encode())
    assert marked.problems == []
    return marked.data


def told(marked: Marked) -> list[str]:
    """What is wrong, as `line:column code what (hint)`."""
    return [str(problem).removeprefix(f"{FILE}:").replace(": ", " ", 1) for problem in marked.problems]


def problems(raw: str | bytes) -> list[str]:
    return told(read_yaml(FILE, raw.encode() if isinstance(raw, str) else raw))


def document(raw: str | bytes) -> Document:
    return read_document(FILE, raw.encode() if isinstance(raw, str) else raw)


def document_problems(raw: str | bytes) -> list[str]:
    return told(document(raw))


@pytest.mark.parametrize(
    "text",
    ["NO", "on", "yes", "Off", "true", "1.10", "007", "0o17", "1e3", "2026-09-01", "2026-09-20T14:00Z", "1_000", ".5",
     "0x1F", ".inf", "=", "y"],
)  # fmt: skip
def test_values_stay_what_was_written(text: str) -> None:
    """Nothing is guessed: words, numbers and dates without quotes are the text that stands there."""
    assert data(f"a: {text}\nb: [{text}]\nc: {{d: {text}}}\n") == {"a": text, "b": [text], "c": {"d": text}}


def test_keys_stay_what_was_written() -> None:
    """Keys are texts as well, among them those that YAML 1.1 takes for truth."""
    assert data("on: a\nNO: b\n1: c\n") == {"on": "a", "NO": "b", "1": "c"}


@pytest.mark.parametrize("text", ["", "~", "null", "NULL"])
def test_nothing(text: str) -> None:
    """An empty value is None, and the word null in quotes is a word."""
    assert data(f"a: {text}\nb: [~]\nc: 'null'\n") == {"a": None, "b": [None], "c": "null"}


@pytest.mark.parametrize("text", ["12:30", "1:30:00", "-5:10", "1:2.5"])
def test_sexagesimals(text: str) -> None:
    """A time without quotes, which other readers take for a number to the base of 60, is refused."""
    said = f"2:7 PK005 {text} is read as a number to the base of 60 by YAML"
    assert problems(f"a: b\nwhen: {text}\n") == [f'{said} (write "{text}" in quotes, or a duration such as 12h30m)']
    assert data(f'when: "{text}"') == {"when": text}


def test_times_with_offsets_are_no_sexagesimals() -> None:
    """A moment and an address with a port hold colons without being refused."""
    assert data("a: 2026-09-20T14:00Z\nb: 10.0.0.1:9090") == {"a": "2026-09-20T14:00Z", "b": "10.0.0.1:9090"}


def test_duplicate_keys() -> None:
    """A key that is written twice is named at its second place, and the first one counts."""
    marked = read_yaml(FILE, b"a: 1\nb: {c: 1, c: {d: 2}}\n'a': [3]\n")
    assert told(marked) == [
        "2:11 PK004 'c' is written twice; the first is on line 2 (keep one of them)",
        "3:1 PK004 'a' is written twice; the first is on line 1 (keep one of them)",
    ]
    assert marked.data == {"a": "1", "b": {"c": "1"}}


QUOTES = "look at the indentation and the quotes just before this place"
BANG = "quote a text that begins with an exclamation mark"


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("a:\n\tb: c", "2:1 PK002 this is not YAML: found character that cannot start any token",
         "indent with spaces, not with tabs"),
        ("a: b: c", "1:5 PK002 this is not YAML: mapping values are not allowed in this context",
         "quote a text that holds a colon"),
        ("a: @b", "1:4 PK002 this is not YAML: found character that cannot start any token",
         "quote a text that begins with a special character"),
        ("é: [1,\n 2", "2:3 PK002 this is not YAML: did not find expected ',' or ']'", QUOTES),
        ('a: "b', "1:6 PK002 this is not YAML: found unexpected end of stream", QUOTES),
        ("{a: {b}: c}", "1:8 PK002 this is not YAML: did not find expected ',' or '}'", QUOTES),
        ("- a", "1:1 PK002 this is not a mapping", "write `key: value` lines"),
        ("just words", "1:1 PK002 this is not a mapping", "write `key: value` lines"),
        ("a: b\n---\nc: d", "2:1 PK002 a second YAML document begins here", "quote a text of three hyphens"),
        ("? [a]\n: b", "1:3 PK002 a key must be a plain text", "quote a text that begins with [ or {"),
        ("é: x\nü: a\0b", "2:5 PK002 this is not YAML: the character U+0000 cannot stand here", "remove it"),
        ("é: x\n😀: \x1b", "2:4 PK002 this is not YAML: the character U+001B cannot stand here", "remove it"),
        ("a: *b", "1:4 PK003 aliases are not allowed",
         "write the value out; a text that begins with * needs quotes"),
        ("a: &b c", "1:4 PK003 anchors are not allowed", "quote a text that begins with &"),
        ("a: &b", "1:4 PK003 anchors are not allowed", "quote a text that begins with &"),
        ("a: !!python/name:os.system x", "1:4 PK003 YAML tags are not allowed", BANG),
        ("a: !!map {b: c}", "1:4 PK003 YAML tags are not allowed", BANG),
        ("!x a: b", "1:1 PK003 YAML tags are not allowed", BANG),
        ("!x\na: b", "1:1 PK003 YAML tags are not allowed", BANG),
    ],
)  # fmt: skip
def test_what_is_no_plain_yaml(text: str, problem: str, hint: str) -> None:
    """A mistake of syntax and everything beyond plain YAML ends the reading, with its place and a way out."""
    marked = read_yaml(FILE, text.encode())
    assert told(marked) == [f"{problem} ({hint})"]
    assert marked.data == {}


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85"])
def test_no_key_hides_in_a_comment(end: str) -> None:
    """What ends a line for YAML alone is refused: who reviews a story would see a comment that goes on."""
    marked = read_yaml(FILE, f"a: 1\n# é harmless{end}b: 2\nc: 1:30\n".encode())
    assert told(marked) == [
        f"2:13 PK002 this is not YAML: the character U+{ord(end):04X} cannot stand here (remove it)"
    ]
    assert marked.data == {}


@pytest.mark.parametrize(
    "whole", ["a: 1\n# é harmless\rb: 2\n", "a: 1\r\n# é harmless\rb: 2\r\n", "a: 1\n# é harmless\r\r\n"]
)
def test_no_key_hides_behind_a_carriage_return(whole: str) -> None:
    """The same of a carriage return alone, where other lines end otherwise."""
    (said,) = told(read_yaml(FILE, whole.encode()))
    assert said.startswith("2:13 PK001 a carriage return alone ends this line, and others end otherwise (")


@pytest.mark.parametrize("sign", ["[", "{", "- ", "? ", "a: {", "&a [", "[{"])
def test_depth(sign: str) -> None:
    """40 KB of opening brackets are refused at the first level too many, at once."""
    begun = time.monotonic()
    said = problems(sign * (40_000 // len(sign)))
    assert len(said) == 1
    assert "PK003 nested more than 20 levels deep" in said[0] or "PK002" in said[0]
    assert time.monotonic() - begun < 2


def test_the_last_level() -> None:
    """Twenty levels are read, and the twenty-first is named at its place."""
    assert data("a: " + "[" * 19 + "]" * 19)
    assert problems("a: " + "[" * 20 + "]" * 20) == [
        "1:23 PK003 nested more than 20 levels deep (quote a text that begins with [ or {)"
    ]


def test_alias_bomb() -> None:
    """A few hundred bytes of aliases that would expand to gigabytes are refused at the first alias."""
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
    assert problems(bomb)[0].startswith("2:10 PK003 aliases are not allowed")


def test_size() -> None:
    """A file of the greatest size is read, and one byte more is refused without being parsed."""
    text = "a: b\n#".ljust(MAX_BYTES, "x")
    assert data(text) == {"a": "b"}
    assert read_yaml(FILE, f"{text}x".encode()).problems[0].what == "the file has 65,537 bytes; at most 65,536 are read"
    assert read_yaml(FILE, f"{text}x".encode()).problems[0].where == Where(FILE)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"a: b\nc: \xff", "2:4 PK001 byte 0xff is not UTF-8 (save the file as UTF-8)"),
        ("a: ü".encode("latin-1"), "1:4 PK001 byte 0xfc is not UTF-8 (save the file as UTF-8)"),
        ("ä: ü".encode() + b"\xff", "1:5 PK001 byte 0xff is not UTF-8 (save the file as UTF-8)"),
        (b"\xef\xbb\xbfa: \xff", "1:4 PK001 byte 0xff is not UTF-8 (save the file as UTF-8)"),
        (b"a: 1\rb: 2\r\n\xff", "3:1 PK001 byte 0xff is not UTF-8 (save the file as UTF-8)"),
        ("a: ü".encode("utf-16"), "1:1 PK001 byte 0xff is not UTF-8 (save the file as UTF-8)"),
    ],
)  # fmt: skip
def test_what_is_not_utf8(raw: bytes, problem: str) -> None:
    """A byte that is not UTF-8 is named at its line and character."""
    assert problems(raw) == [problem]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends(end: str, mark: str) -> None:
    """A byte order mark and the line ends of every system change neither values nor places."""
    text = "---\na: |\n  b\n  c\nwhen: 1:30\n---\nbody\nmore\n"
    made = document((mark + text.replace("\n", end)).encode())
    assert made.data == {"a": "b\nc\n", "when": "1:30"}
    assert [str(problem.where) for problem in made.problems] == [f"{FILE}:5:7"]
    assert (made.body, made.body_line) == ("body\nmore", 7)


def test_marks() -> None:
    """Every value has the place of its key, and every item of a list its own."""
    marked = read_yaml(FILE, b"a: 1\nb:\n  - c: 2\n  - [x, {d: 3}]\n")
    assert {spell(path): (where.line, where.column) for path, where in marked.marks.items()} == {
        "the file": (1, 1), "a": (1, 1), "b": (2, 1), "b[0]": (3, 5), "b[0].c": (3, 5), "b[1]": (4, 5),
        "b[1][0]": (4, 6), "b[1][1]": (4, 9), "b[1][1].d": (4, 10),
    }  # fmt: skip


def test_where() -> None:
    """What does not stand in the file is placed where it would belong."""
    marked = read_yaml(FILE, b"a: 1\nb:\n  - c: 2\n")
    assert marked.where(("b", 0, "missing", "deeper")) == Where(FILE, 3, 5)
    assert marked.where(("missing",)) == Where(FILE, 1, 1)
    assert read_yaml(FILE, b"").where(("missing",)) == Where(FILE, 1, 1)


def test_below() -> None:
    """A mapping below a key is a mapping of its own, with the same places."""
    marked = read_yaml(FILE, b"a: {b: [c]}\nd: e\n")
    below = marked.below("a")
    assert below is not None
    assert below.data == {"b": ["c"]}
    assert below.where(("b", 0)) == Where(FILE, 1, 9)
    assert marked.below("d") is None
    assert marked.below("missing") is None


def test_spelling() -> None:
    """A path is spelt as a reader writes it, and an empty key can be seen."""
    assert spell(("timeboxes", 0, "budget")) == "timeboxes[0].budget"
    assert spell(("a", "")) == "a.''"
    assert spell(()) == "the file"


def test_a_document() -> None:
    """Front matter and text are told apart, and places count from the file's first line."""
    made = document("---\n\ntitle: a\nwhen: 1:30\n---\n\n\nFirst line.\n\nLast.\n\n")
    assert made.data == {"title": "a", "when": "1:30"}
    assert made.where(("title",)) == Where(FILE, 3, 1)
    assert document_problems("---\n\ntitle: a\nwhen: 1:30\n---\n")[0].startswith("4:7 PK005")
    assert (made.body, made.body_line) == ("First line.\n\nLast.", 8)


@pytest.mark.parametrize(
    "raw", ["---\na: b\n---", "---\na: b\n---\n", "---\na: b\n---   \n\n \n", "-----\na: b\n-----\n"]
)
def test_no_text(raw: str) -> None:
    """A document may end with its front matter."""
    made = document(raw)
    assert (made.data, made.body, made.problems) == ({"a": "b"}, "", [])


@pytest.mark.parametrize(
    "raw", ["", "\n", "Just text.\n", "title: a\n", "\n---\na: b\n---\n", "--\na: b\n--\n", "{}", "+++\n+++"]
)
def test_no_front_matter(raw: str) -> None:
    """A file that does not begin with three hyphens has no front matter, whatever else it has."""
    assert document_problems(raw)[0].startswith("1:1 PK006 the file does not begin with front matter (begin with")


@pytest.mark.parametrize("raw", ["---", "---\na: b\n", "---\na: b\n--\n", "---\na: b\n ---\n"])
def test_front_matter_without_an_end(raw: str) -> None:
    """Front matter that is not closed is named, and none of it is read."""
    made = document(raw)
    assert told(made) == ["1:1 PK006 the front matter has no end (close it with a line of three hyphens)"]
    assert made.data == {}


def test_a_second_front_matter_is_text() -> None:
    """What looks like another front matter in the text is text, and changes nothing."""
    made = document("---\ntitle: a\n---\n---\nrender_macros: true\n---\n{{ 7 * 191 }}\n")
    assert made.data == {"title": "a"}
    assert made.body == "---\nrender_macros: true\n---\n{{ 7 * 191 }}"
    assert made.body_line == 4


def test_other_front_matter_is_not_guessed() -> None:
    """JSON between the fences is read as the YAML that it is, and TOML is not YAML."""
    assert document('---\n{"a": "b"}\n---\n').data == {"a": "b"}
    assert document_problems('---\na = "b"\n---\n')[0].startswith("2:1 PK002 this is not a mapping")


def test_sizes_of_a_document() -> None:
    """Front matter and text have their own limits."""
    front = "a: b\n#".ljust(MAX_BYTES, "x")
    assert document_problems(f"---\n{front}\n---\n") == [
        "1:1 PK003 the front matter has 65,538 characters; at most 65,536 are read"
    ]
    assert document(f"---\n{front[:-2]}\n---\n").data == {"a": "b"}
    body = "x" * MAX_BODY_BYTES
    assert document(f"---\na: b\n---\n{body}").body == body
    assert document_problems(f"---\n{front}\n---\n{body}")[0].startswith(" PK003 the file has 196,617 bytes")


@given(st.text(st.characters(codec="utf-8")))
def test_any_text(text: str) -> None:
    """Any text between the fences yields data or a problem, at a place that the file has."""
    raw = f"---\n{text}\n---\nbody\n"
    lines = raw.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    made = document(raw)
    for where in (*(problem.where for problem in made.problems), *made.marks.values()):
        assert 1 <= where.line <= len(lines)
        assert 1 <= where.column <= len(lines[where.line - 1]) + 1


@given(st.binary())
def test_any_bytes(raw: bytes) -> None:
    """Any bytes are read without an error of ours."""
    assert isinstance(document(raw).data, dict)
    assert isinstance(read_yaml(FILE, raw).data, dict)
