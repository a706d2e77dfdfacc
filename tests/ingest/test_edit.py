import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from difflib import ndiff
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ingest.edit import EditError, Flow, Value, append_item, remove, set_value
from ingest.marked import MAX_DEPTH, read_document

STORIES = sorted((Path(__file__).parents[2] / "stories").glob("*.md"))
BODY = "---  \n\nA text with  \ntrailing spaces: {a: b}\n---\nno end"


def story(front: str) -> str:
    return f"---\n{front}{BODY}"


def data(text: str) -> Any:
    """What is read of a story without a mistake."""
    document = read_document("", text.encode())
    assert document.problems == []
    return document.data


def differences(before: str, after: str) -> list[str]:
    """The lines that differ, each with its sign."""
    return [line for line in ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]


@pytest.mark.parametrize(
    ("before", "path", "value", "after"),
    [
        # a text in every style
        ("status: reported\nb: 1\n", ("status",), "parked", "status: parked\nb: 1\n"),
        ("a:   'x'   # why\nb: 1\n", ("a",), "y", "a:   y   # why\nb: 1\n"),
        ('"a" :  x\n', ("a",), "y", '"a" :  y\n'),
        ("'a': \"x\n  z\"  # why\n", ("a",), "y", "'a': y  # why\n"),
        ("a: x\n  z\n\n  more # why\nb: 1\n", ("a",), "y", "a: y # why\nb: 1\n"),
        ("a:\n  x\n  z\nb: 1\n", ("a",), "y", "a: y\nb: 1\n"),
        ("a: # why\n  x\nb: 1\n", ("a",), "y", "a: # why\n  y\nb: 1\n"),
        ("a: >-  # why\n  x\n\n  z\n\n# about b\nb: 1\n", ("a",), "y", "a: y  # why\n\n# about b\nb: 1\n"),
        ("a: |\n  x  \n  # text\n# about b\nb: 1\n", ("a",), "y", "a: y\n# about b\nb: 1\n"),
        ("a: |+\n  x\n\n\nb: 1\n", ("a",), "y", "a: y\nb: 1\n"),
        # nothing
        ("a:\nb: 1\n", ("a",), "y", "a: y\nb: 1\n"),
        ("a:   # why\nb: 1\n", ("a",), "y", "a: y   # why\nb: 1\n"),
        ("a: ~ # why\n", ("a",), {"b": "c"}, "a: # why\n  b: c\n"),
        ("a: []\n", ("a",), [], "a: []\n"),
        # in brackets
        ('a: {"b":1,c: [x,y]}\n', ("a", "b"), "2", 'a: {"b": 2,c: [x,y]}\n'),
        ('a: {"b":1,c: [x,y]}\n', ("a", "c", 0), "z", 'a: {"b":1,c: [z,y]}\n'),
        ('a: {"b":1,c: [x,y]}\n', ("a", "c"), {"d": ["e"]}, 'a: {"b":1,c: {d: [e]}}\n'),
        ("a: {b: , c: }\n", ("a", "b"), "x", "a: {b: x, c: }\n"),
        ("a: {\n  b: 1, # one\n  c: 2 # two\n}\n", ("a", "b"), "x", "a: {\n  b: x, # one\n  c: 2 # two\n}\n"),
        # in lists
        ("a:\n- b: 1\n  c: 2\n-   b: 3\n    c: 4\n", ("a", 1, "b"), "x", "a:\n- b: 1\n  c: 2\n-   b: x\n    c: 4\n"),
        ("a:\n  - x\n  -\n  - z\n", ("a", 1), "y", "a:\n  - x\n  - y\n  - z\n"),
        ("a:\n  - x # why\n", ("a", 0), {"b": "c"}, "a:\n  - {b: c} # why\n"),
        # a collection in place of another, in its style
        ("a: [x, y] # why\nb: 1\n", ("a",), ["z"], "a: [z] # why\nb: 1\n"),
        ("a:\n  - x\n  - y # why\nb: 1\n", ("a",), ["z", "w"], "a:\n  - z\n  - w # why\nb: 1\n"),
        ("a: {b: 1}\n", ("a",), {"c": {"d": "2"}}, "a: {c: {d: 2}}\n"),
        ("a:\n    b: 1\n    c: 2\nd: 3\n", ("a",), {"e": "4", "f": {"g": "5"}},
         "a:\n    e: 4\n    f:\n      g: 5\nd: 3\n"),
        ("a: # why\n  # and\n  b: 1\nd: 3\n", ("a",), {"e": "4"}, "a: # why\n  # and\n  e: 4\nd: 3\n"),
        ("a:\n- b: 1\n  c: 2\nd: 3\n", ("a", 0), {"e": "4", "f": "5"}, "a:\n- e: 4\n  f: 5\nd: 3\n"),
        # a collection in place of a text, and the other way round
        ("a: x # why\nb: 1\n", ("a",), {"c": ["d"]}, "a: # why\n  c: [d]\nb: 1\n"),
        ("a: >- # why\n  x\nb: 1\n", ("a",), [{"c": "d", "e": "f"}], "a: # why\n  - c: d\n    e: f\nb: 1\n"),
        ("a: {b: 1}\n", ("a",), "x", "a: x\n"),
        ("a:\n  b: 1\n  c: 2\nd: 3\n", ("a",), "x", "a: x\nd: 3\n"),
        ("a:\n  b: 1\n  c: 2\nd: 3\n", ("a",), Flow(e="4"), "a: {e: 4}\nd: 3\n"),
        ("a:\n  b: 1\n", (), {"c": "d"}, "c: d\n"),
    ],
)  # fmt: skip
def test_replacing(before: str, path: tuple[str | int, ...], value: Any, after: str) -> None:
    """A value takes the place of another, and nothing else moves."""
    assert set_value(story(before), path, value) == story(after)


@pytest.mark.parametrize(
    ("before", "path", "value", "after"),
    [
        ("a: 1 # why\n\n# end\n", ("b",), "2", "a: 1 # why\nb: 2\n\n# end\n"),
        ("a: |\n  x\n\n# end\n", ("b",), "2", "a: |\n  x\nb: 2\n\n# end\n"),
        ("a: |+\n  x\n\n# end\n", ("b",), "2", "a: |+\n  x\n\nb: 2\n# end\n"),
        ("a:\n  - b:\n      c: 1\n  # end of b\n# end\n", ("a", 0, "d"), "2",
         "a:\n  - b:\n      c: 1\n    d: 2\n  # end of b\n# end\n"),
        ("a:\n-   b: 1\n\n-   b: 2\n", ("a", 0, "c"), "3", "a:\n-   b: 1\n    c: 3\n\n-   b: 2\n"),
        ("a: {b: 1}\n", ("a", "c"), "2", "a: {b: 1, c: 2}\n"),
        ("a: { b: 1, } # why\n", ("a", "c"), "2", "a: { b: 1, c: 2, } # why\n"),
        ("a: {b: 1,\n    c: 2 # two\n   }\n", ("a", "d"), ["3"], "a: {b: 1,\n    c: 2, d: [3] # two\n   }\n"),
        ('{"a": "b"}\n', ("c",), "d", '{"a": "b", c: d}\n'),
        # with all that is missing on the way
        ("a: 1\n", ("b",), {"c": date(2026, 1, 2), "d": 3}, "a: 1\nb:\n  c: 2026-01-02\n  d: 3\n"),
        ("a: 1\n", ("b", "c", "d"), "2", "a: 1\nb:\n  c:\n    d: 2\n"),
        ("a: {b: 1}\n", ("a", "c", "d"), "2", "a: {b: 1, c: {d: 2}}\n"),
        ("a: # why\nb: 1\n", ("a", "c"), "2", "a: # why\n  c: 2\nb: 1\n"),
        ("a: {} # why\n", ("a", "c"), "2", "a: # why\n  c: 2\n"),
        ("a: {b: {}}\n", ("a", "b", "c"), "2", "a: {b: {c: 2}}\n"),
        ("{}\n", ("a",), "1", "{a: 1}\n"),
        ("", ("a", "b"), "1", "a:\n  b: 1\n"),
        ("# nothing yet\n", ("a",), "1", "# nothing yet\na: 1\n"),
    ],
)  # fmt: skip
def test_adding(before: str, path: tuple[str | int, ...], value: Any, after: str) -> None:
    """What is missing stands behind the last entry of its mapping, in that mapping's style."""
    assert set_value(story(before), path, value) == story(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("h:\n  - id: x\n    test: {a: 1} # why\n    verdict: open\n",
         "h:\n  - id: x\n    test: {a: 1} # why\n    new: 1\n    verdict: open\n"),
        ("h:\n- id: x\n  test:\n    a: >-\n      b\n\n  # verdict\n  verdict: open\n",
         "h:\n- id: x\n  test:\n    a: >-\n      b\n  new: 1\n\n  # verdict\n  verdict: open\n"),
        ("h:\n  - {id: x, test: [1], verdict: open}\n", "h:\n  - {id: x, test: [1], new: 1, verdict: open}\n"),
        ("h:\n  - id: x\n    verdict: open\n", "h:\n  - id: x\n    verdict: open\n    new: 1\n"),
    ],
)  # fmt: skip
def test_adding_behind_a_key(before: str, after: str) -> None:
    """A new key stands behind the one that is named, or last where that is missing."""
    assert set_value(story(before), ("h", 0, "new"), 1, after="test") == story(after)


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("a: [x, y] # why\n", "z", "a: [x, y, z] # why\n"),
        ("a: [x,\n    y,\n   ]\n", {"b": ["c"]}, "a: [x,\n    y, {b: [c]},\n   ]\n"),
        ("a: [] # why\nb: 1\n", "z", "a: [z] # why\nb: 1\n"),
        ("a:\nb: 1\n", "z", "a: [z]\nb: 1\n"),
        ("b: 1\n", "z", "b: 1\na: [z]\n"),
        ("b: 1\n", {"c": 1, "d": 2}, "b: 1\na:\n  - c: 1\n    d: 2\n"),
        ("a: [] # why\n", {"c": 1, "d": 2}, "a: # why\n  - c: 1\n    d: 2\n"),
        ("b: 1\n", Flow(c=1, d=2), "b: 1\na:\n  - {c: 1, d: 2}\n"),
        ("a:\n  - x # why\n\n# about b\nb: 1\n", "z", "a:\n  - x # why\n  - z\n\n# about b\nb: 1\n"),
        ("a:\n- {c: 1} # why\nb: 1\n", {"c": "x, y"}, 'a:\n- {c: 1} # why\n- {c: "x, y"}\nb: 1\n'),
        ("a:\n  - {c: 1,\n     d: 2}\nb: 1\n", {"c": {"e": 1}}, "a:\n  - {c: 1,\n     d: 2}\n  - {c: {e: 1}}\nb: 1\n"),
        ("a:\n- c: 1\n  d: |\n    x\n\n# about b\nb: 1\n", {"c": "x, y", "d": 4},
         "a:\n- c: 1\n  d: |\n    x\n- c: x, y\n  d: 4\n\n# about b\nb: 1\n"),
        ("a:\n  - {c: 1}\n  - c: 1\n", Flow(c=2), "a:\n  - {c: 1}\n  - c: 1\n  - c: 2\n"),
        ("a:\n  -   c: 1\n", {"c": 2, "d": {"e": 3}}, "a:\n  -   c: 1\n  -   c: 2\n      d:\n        e: 3\n"),
        ("a:\n  -\n    c: 1\n", {"c": 2, "d": 3}, "a:\n  -\n    c: 1\n  - c: 2\n    d: 3\n"),
    ],
)  # fmt: skip
def test_appending(before: str, value: Any, after: str) -> None:
    """A new item has the style of the one before it; the first one is written as is usual in stories."""
    assert append_item(story(before), ("a",), value) == story(after)


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        ("a: 1\nb: 2 # why\n\n# about c\nc: 3\n", ("b",), "a: 1\n# why\n\n# about c\nc: 3\n"),
        ("a: 1\nb: |\n  x\n\n  y\n\nc: 3\n", ("b",), "a: 1\n\nc: 3\n"),
        ("a: 1\nb:\n  # inside\n  - c: 1\n    d: 2\n# end\n", ("b",), "a: 1\n# inside\n# end\n"),
        ("a: 1\nb: # on 'it'\n  c: '#1' # 2\n  d: x#y\n  # below\n# end\n", ("b",),
         "a: 1\n# on 'it'\n# 2\n  # below\n# end\n"),
        ("a: 1\nb: 'x\n\n  y'\n", ("b",), "a: 1\n"),
        ("a: # why\n  b: 1\nc: 2\n", ("a", "b"), "a: # why\n  {}\nc: 2\n"),
        ("a:\n  b: 1 # why\nc: 2\n", ("a", "b"), "a: {} # why\nc: 2\n"),
        ("a: {b: 1} # why\n", ("a", "b"), "a: {} # why\n"),
        ("# c\na: 1\n", ("a",), "# c\n{}\n"),
        ("a:\n  - b: 1\n    c: 2\n    d: 3\n", ("a", 0, "b"), "a:\n  - c: 2\n    d: 3\n"),
        ("a:\n- b: # why\n    x: 1\n\n  # about c\n  c: 2\n", ("a", 0, "b"), "a:\n- # about c\n  c: 2\n"),
        ("a:\n- b: 1\n", ("a", 0, "b"), "a:\n- {}\n"),
        ("a: {b: 1, c: {x: 2}, d: 3}\n", ("a", "b"), "a: {c: {x: 2}, d: 3}\n"),
        ("a: {b: 1, c: {x: 2}, d: 3}\n", ("a", "c"), "a: {b: 1, d: 3}\n"),
        ("a: {b: 1, c: {x: 2}, d: 3,}\n", ("a", "d"), "a: {b: 1, c: {x: 2},}\n"),
        ("a: {b: 1, # one\n  c: 2 # two\n}\n", ("a", "c"), "a: {b: 1, # one\n   # two\n}\n"),
    ],
)  # fmt: skip
def test_removing(before: str, path: tuple[str | int, ...], after: str) -> None:
    """A key goes with its value; comments above it stay, and those of lines that were its own stand alone."""
    assert remove(story(before), path) == story(after)


@pytest.mark.parametrize("fence", ["---", "---   ", "-----", "---\n"])
@pytest.mark.parametrize("body", ["", "\n", "\n\n", "\nlast line", "\nlast line  \n\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_file_around(end: str, mark: str, body: str, fence: str) -> None:
    """Line ends, a byte order mark, the fences and all that follows stay as they are."""

    def file(front: str) -> str:
        return mark + f"{fence}\n{front}{fence}{body}".replace("\n", end)

    before = file("a: x\nb: |\n  é😀\n  y\nc:\n  - d: 1\n")
    assert set_value(before, ("b",), "z") == file("a: x\nb: z\nc:\n  - d: 1\n")
    assert append_item(before, ("c",), {"d": 2, "e": 3}) == file(
        "a: x\nb: |\n  é😀\n  y\nc:\n  - d: 1\n  - d: 2\n    e: 3\n"
    )
    assert remove(before, ("b",)) == file("a: x\nc:\n  - d: 1\n")
    assert set_value(file(""), ("b",), "z") == file("b: z\n")


def test_line_ends_of_both_kinds() -> None:
    """Lines keep their own ends where a file mixes them, and new ones end as the first does."""
    before = "---\r\na: x\nb: 1\r\n---\ntext\r\n"
    assert set_value(before, ("c",), "2") == "---\r\na: x\nb: 1\r\nc: 2\r\n---\ntext\r\n"
    assert set_value(before, ("b",), "2") == "---\r\na: x\nb: 2\r\n---\ntext\r\n"


@pytest.mark.parametrize(
    ("value", "block", "flow"),
    [
        ("NO", "NO", "NO"), ("1.10", "1.10", "1.10"), ("2h30m", "2h30m", "2h30m"), ("-5 %", "-5 %", "-5 %"),
        ("a, b [c]", "a, b [c]", '"a, b [c]"'), ("https://a.b/c?d=e#f", "https://a.b/c?d=e#f", "https://a.b/c?d=e#f"),
        ("it's a \"b\"", "it's a \"b\"", "it's a \"b\""), ("\"b\" it's", "\"\\\"b\\\" it's\"", "\"\\\"b\\\" it's\""),
        ("é 😀 1\u202f%", "é 😀 1\u202f%", "é 😀 1\u202f%"), ("a\\b", "a\\b", "a\\b"),
        ("12:30", '"12:30"', '"12:30"'), ("a: b", '"a: b"', '"a: b"'), ("a # b", '"a # b"', '"a # b"'),
        ("null", '"null"', '"null"'), ("~", '"~"', '"~"'), ("", '""', '""'), (" a ", '" a "', '" a "'),
        ("- a", '"- a"', '"- a"'), ("? a", '"? a"', '"? a"'), ("@a", '"@a"', '"@a"'), ("#1", '"#1"', '"#1"'),
        ("a:", '"a:"', '"a:"'), ("a\nb\n", '"a\\nb\\n"', '"a\\nb\\n"'), ("\n---\n", '"\\n---\\n"', '"\\n---\\n"'),
        ("\x07\x85\u2028\0", '"\\x07\\x85\\u2028\\x00"', '"\\x07\\x85\\u2028\\x00"'), ("x\r", '"x\\r"', '"x\\r"'),
        (True, "true", "true"), (False, "false", "false"), (3, "3", "3"),
        (date(2026, 1, 2), "2026-01-02", "2026-01-02"),
        (datetime(2026, 1, 2, 14, 30, tzinfo=UTC), "2026-01-02T14:30:00Z", "2026-01-02T14:30:00Z"),
    ],
)  # fmt: skip
def test_quotes(value: Any, block: str, flow: str) -> None:
    """A text has quotes where it would otherwise be read as something else, and only there."""
    assert set_value(story("a: x # c\nb: 1\n"), ("a",), value) == story(f"a: {block} # c\nb: 1\n")
    assert set_value(story("a: {b: x}\n"), ("a", "b"), value) == story(f"a: {{b: {flow}}}\n")
    assert append_item(story("a:\n- x\n"), ("a",), value) == story(f"a:\n- x\n- {block}\n")
    assert append_item(story("a: [x]\n"), ("a",), value) == story(f"a: [x, {flow}]\n")


def test_what_is_said_already() -> None:
    """A value that stands there already stays as it was written."""
    text = story("a: 'x'\nb: {c: \"2\"}\nd: >-\n  y\n")
    assert set_value(set_value(set_value(text, ("a",), "x"), ("b", "c"), 2), ("d",), "y") == text


@pytest.mark.parametrize(
    ("front", "edit", "why"),
    [
        ("a: [\n", lambda text: set_value(text, ("a",), "x"), "line 3: this is not YAML"),
        ("a: &b c\n", lambda text: set_value(text, ("a",), "x"), "line 2: anchors are not allowed"),
        ("a:\n\tb: c\n", lambda text: set_value(text, ("a",), "x"), "line 3: this is not YAML"),
        ("a: 1\na: 2\n", lambda text: remove(text, ("a",)), "line 3: 'a' is written twice"),
        ("- a\n", lambda text: set_value(text, ("a",), "x"), "line 2: this is not a mapping"),
        ("a: 1\n", lambda text: set_value(text[3:], ("a",), "x"), "line 1: the file does not begin with front matter"),
        ("a: 1\n", lambda text: set_value(f"{text}\ud800", ("a",), "x"), "line 8: byte 0xed is not UTF-8"),
        ("a: 1\n", lambda text: set_value(text, ("a", "b"), "x"), "a is no mapping, and has no b"),
        ("a: [1]\n", lambda text: set_value(text, ("a", 1), "x"), "a is no mapping, and has no [1]"),
        ("a: [1]\n", lambda text: set_value(text, ("a", -1), "1"), "a is no mapping, and has no [-1]"),
        ("b: 1\n", lambda text: set_value(text, ("a", 0, "b"), "x"), "there is no a[0].b"),
        ("a: xyz\n", lambda text: set_value(text, ("a", 0), "x"), "a is no mapping, and has no [0]"),
        ("a: x\n", lambda text: append_item(text, ("a",), "x"), "a is no list"),
        ("a: {b: x}\n", lambda text: append_item(text, ("a",), "x"), "a is no list"),
        ("a: x\n", lambda text: append_item(text, ("a", "b"), "x"), "a is no mapping, and has no b"),
        ("a: x\n", lambda text: remove(text, ("b",)), "there is no key b"),
        ("a: x\n", lambda text: remove(text, ("a", "b")), "there is no key a.b"),
        ("a: [x]\n", lambda text: remove(text, ("a", 0)), "there is no key a[0]"),
        ("a: x\n", lambda text: remove(text, ()), "there is no key the file"),
        ("a: x\n", lambda text: set_value(text, ("a",), _deep(MAX_DEPTH)), "line 22: nested more than 20 levels deep"),
        ("a: {b}\n", lambda text: set_value(text, ("a", "b"), "x"), "this cannot be written safely"),
        ("a: [b: c]\n", lambda text: set_value(text, ("a", 0, "d"), "x"), "this cannot be written safely"),
        ("? a\n: b\n? c\n", lambda text: remove(text, ("c",)), "this cannot be written safely"),
        ("a: x\n", lambda text: set_value(text, (), "x"), "line 2: this is not a mapping"),
    ],
)  # fmt: skip
def test_what_cannot_be_edited(front: str, edit: Callable[[str], str], why: str) -> None:
    """An edit that cannot be made, or that would do more than was asked, is refused with its reason."""
    with pytest.raises(EditError) as refused:
        edit(story(front))
    assert str(refused.value).startswith(why)


def _deep(levels: int) -> Any:
    return {"a": _deep(levels - 1)} if levels else "x"


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_a_verdict_in_every_story(path: Path) -> None:
    """A verdict changes its own line, and a new one adds lines behind the test."""
    text = path.read_text()
    for number, hypothesis in enumerate(data(text).get("hypotheses", ())):
        at = ("hypotheses", number)
        verdict = hypothesis.get("verdict")
        after = set_value(text, (*at, "verdict"), "inconclusive", after="test")
        if verdict is None:
            assert differences(text, after) == ["+     verdict: inconclusive"]
        elif verdict != "inconclusive":
            assert differences(text, after) == [f"-     verdict: {verdict}", "+     verdict: inconclusive"]
        else:
            assert after == text
        bare = text
        for key in {"verdict", "decided"} & set(hypothesis):
            bare = remove(bare, (*at, key))
        assert all(line.startswith(("-     verdict: ", "-     decided: ")) for line in differences(text, bare))
        if "test" in hypothesis:
            made = set_value(bare, (*at, "verdict"), verdict or "open", after="test")
            made = set_value(made, (*at, "decided"), hypothesis.get("decided") or "2026-12-01", after="verdict")
            assert made == text or not hypothesis.get("decided")


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_growth_of_every_story(path: Path) -> None:
    """A report adds its line, a timebox and a decision to park add theirs."""
    text = path.read_text()
    report = {"date": date(2026, 12, 1), "said": "slow, again: on Mondays"}
    line = '+   - {date: 2026-12-01, said: "slow, again: on Mondays"}'
    after = append_item(text, ("reports",), Flow(report))
    assert differences(text, after) in ([line], ["+ reports:", line])

    timebox: dict[str, Value] = {"date": date(2026, 12, 1), "question": "Why: the cache?", "budget": "2h"}
    lines = ["+   - date: 2026-12-01", '+     question: "Why: the cache?"', "+     budget: 2h"]
    after = append_item(text, ("timeboxes",), timebox)
    assert differences(text, after) in (lines, ["+ timeboxes:", *lines])

    if "parked" not in data(text):
        after = set_value(text, ("parked",), {"date": date(2026, 12, 1), "because": "Nobody minds, any more."})
        assert differences(text, after) == ["+ parked:", "+   date: 2026-12-01", "+   because: Nobody minds, any more."]
        assert remove(after, ("parked",)) == text


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_every_key_of_every_story(path: Path) -> None:
    """Each key at each depth can be removed, which takes away lines of its own only, and be set anew."""
    text = path.read_text()
    before = data(text)
    for key, value in before.items():
        without = remove(text, (key,))
        assert {line[0] for line in differences(text, without)} == {"-"}
        assert data(set_value(without, (key,), value)) == before
        for inner in value if isinstance(value, dict) else ():
            assert inner not in (data(remove(text, (key, inner)))[key] or {})


KEYS = st.sampled_from(["a", "b", "c", "verdict", "no", "PK301", "a b", "x: y", "é", ""])
# Texts to write: those that YAML has a meaning for, and any other.
VALUES = st.recursive(
    st.one_of(
        st.sampled_from(
            ["x", "12:30", "null", "", "yes", "a: b", "# c", "{", "- x", "x:", "é😀", "'", '"', "|", "a\n b"]
        ),
        st.text(st.characters(codec="utf-8"), max_size=8),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
# Texts that stand there already; the same in any quotes.
WORDS = st.sampled_from(["x", "a b", "12:30", "null", "", "yes", "é😀", "# c", "a: b", "{"])
FRONTS = st.dictionaries(
    KEYS,
    st.recursive(
        WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=12
    ),
    min_size=1,
    max_size=4,
)


class Writer:
    """Writes data as a person may: in any style, with comments and blank lines where YAML allows them."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self.draw = draw
        self.comments = 0

    def pick(self, *choices: str) -> str:
        return str(self.draw(st.sampled_from(choices)))

    def chance(self) -> bool:
        return bool(self.draw(st.booleans()))

    def comment(self) -> str:
        self.comments += 1
        return self.pick("", f" # comment {self.comments}")

    def between(self, indent: int) -> list[str]:
        """What may stand between two entries."""
        self.comments += 1
        comment = f"{' ' * indent}# comment {self.comments}"
        return list(self.draw(st.sampled_from([(), ("",), (comment,), ("", comment), (comment, "")])))

    def text(self, text: str) -> str:
        return self.pick(f"'{text}'", f'"{text}"', text if text.isalnum() and text != "null" else f"'{text}'")

    def flow(self, value: Any) -> str:
        comma = self.pick(", ", ",", " ,  ", ",\n" + " " * 9)
        if isinstance(value, dict):
            entries = [f"{self.text(key)}: {self.flow(each)}" for key, each in value.items()]
            return "{" + comma.join(entries) + (self.pick("", comma) if entries else "") + "}"
        return f"[{comma.join(map(self.flow, value))}]" if isinstance(value, list) else self.text(value)

    def block(self, value: Any, indent: int) -> list[str]:
        """A mapping or list on lines of its own, of which the first is an entry's."""
        made: list[str] = []
        for key, each in value.items() if isinstance(value, dict) else ((None, each) for each in value):
            made += self.between(indent) if made else []
            made += self.entry(" " * indent + ("-" if key is None else f"{self.text(key)}:"), each, indent)
        return made

    def entry(self, lead: str, value: Any, indent: int) -> list[str]:
        deeper = indent + self.draw(st.integers(2, 4))
        if value == "x" and self.chance():
            return [f"{lead} {self.pick('|', '>')}-{self.comment()}", " " * deeper + value, *([""] * self.chance())]
        if not value or isinstance(value, str) or self.chance():
            return (f"{lead} {self.flow(value)}{self.comment()}").split("\n")
        if lead.endswith("-") and isinstance(value, dict):
            first, *more = self.block(value, deeper)
            return [lead + first[len(lead) :], *more]
        flush = not lead.endswith("-") and isinstance(value, list) and self.chance()
        return [lead + self.comment(), *self.block(value, indent if flush else deeper)]


@st.composite
def documents(draw: Callable[[st.SearchStrategy[Any]], Any]) -> tuple[list[list[str]], dict[str, Any]]:
    """A story's front matter, a list of lines for each of its keys, and what it says."""
    front = draw(FRONTS)
    writer = Writer(draw)
    return [writer.block({key: value}, 0) + writer.between(0) for key, value in front.items()], front


def paths(value: Any, kind: type | tuple[type, ...] = object) -> list[tuple[str | int, ...]]:
    """The paths of all values of a kind."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: list[tuple[str | int, ...]] = [()] if isinstance(value, kind) else []
    return found + [(key, *path) for key, each in inner for path in paths(each, kind)]


def changed(value: Any, path: tuple[str | int, ...], change: Callable[[Any], Any]) -> Any:
    """`value` with the mapping or list at `path` changed in place, in a copy."""
    if not path:
        return change(value)
    copied = list(value) if isinstance(value, list) else dict(value)
    copied[path[0]] = changed(copied[path[0]], path[1:], change)  # type: ignore[index]
    return copied


@given(
    documents(), st.data(), VALUES, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["set", "add", "append", "remove"])
)
def test_any_edit(
    document: tuple[list[list[str]], dict[str, Any]], drawn: st.DataObject, value: Any, end: str, kind: str
) -> None:
    """Any edit of any front matter is read back as that change, and other keys keep every byte."""
    sections, front = document
    text = end.join(["---", *(line for section in sections for line in section), "---", "", "body"])
    assert data(text) == front
    inner = [path for path in paths(front) if path]
    if kind == "set":
        path = drawn.draw(st.sampled_from(inner))
        expected = changed(front, path, lambda _: value)
        made = set_value(text, path, value)
        assert set_value(made, path, value) == made
    elif kind == "add":
        path = drawn.draw(st.sampled_from(paths(front, dict)))
        expected = changed(front, path, lambda mapping: {**mapping, "new": value})
        made = set_value(text, (*path, "new"), value, after=drawn.draw(KEYS))
        assert set_value(made, (*path, "new"), value) == made
        assert re.findall(r"# comment \d+", made) == re.findall(r"# comment \d+", text)
    elif kind == "append":
        lists = paths(front, list)
        assume(lists)
        path = drawn.draw(st.sampled_from(lists))
        expected = changed(front, path, lambda items: [*items, value])
        made = append_item(text, path, value)
    else:
        path = drawn.draw(st.sampled_from([path for path in inner if isinstance(path[-1], str)]))
        expected = changed(
            front, path[:-1], lambda mapping: {key: each for key, each in mapping.items() if key != path[-1]}
        )
        made = remove(text, path)
    assert data(made) == expected
    if path:
        place = list(front).index(str(path[0]))
        before = end.join(["---", *(line for section in sections[:place] for line in section), ""])
        behind = end.join(["", *(line for section in sections[place + 1 :] for line in section), "---", "", "body"])
        assert made.startswith(before)
        assert made.endswith(behind)


def test_half_a_character() -> None:
    """What came from a terminal with another encoding is no text that a file could hold."""
    with pytest.raises(UnicodeError):
        set_value(story("a: 1\n"), ("a",), "\ud800")
