"""A story's text is named where it is more than a reader of Markdown can be trusted with."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.prose import MAX_CROWD, MAX_DEFINITION, MAX_HEADINGS, MAX_LINE, MAX_NESTING, MAX_ROWS, MAX_TAGS, overload
from tests.ingest.bases import read


def told(text: str) -> list[str]:
    return [f"{problem.where.line} {problem.what}" for problem in overload("stories/a.md", text, 5)]


@pytest.mark.parametrize("mark", ["> ", ">", "- ", "* ", "1. ", ": "])
def test_nesting(mark: str) -> None:
    """Twenty levels are read, one more is not, whatever opens them."""
    for deep in (mark * MAX_NESTING, "    " * (MAX_NESTING - 1) + mark):
        assert told(f"text\n{deep}a") == []
        assert told(f"text\n    {deep}a") == ["6 this is nested more than 20 levels deep"]


def test_what_is_no_nesting() -> None:
    """Rules, tables' lines and fenced code are no levels."""
    assert told("- " * 40 + "\n\n" + "-" * 500 + "\n\n" + "* " * 30) == []
    assert told("```\n" + " " * 400 + "- a\n" + "> " * 100 + "\n```\ntext") == []


@pytest.mark.parametrize(
    ("part", "most", "what"),
    [
        ("x", MAX_LINE, "a line has 8,001 characters; at most 8,000 are read"),
        ("[", MAX_CROWD, "a paragraph has the character [ more than 1,000 times"),
        ("## a\n", MAX_HEADINGS, "there are more than 500 headings and rules"),
        ("---\n", MAX_HEADINGS, "there are more than 500 headings and rules"),
        ("<b>\n\n", MAX_TAGS, "there are more than 1,000 HTML tags"),
        ("|a|b|\n", MAX_ROWS, "there are more than 3,000 rows of tables"),
    ],
)
def test_how_much_is_read(part: str, most: int, what: str) -> None:
    """As much as is allowed is read, and one more is named once."""
    assert told(part * most) == []
    assert [each.partition(" ")[2] for each in told(part * (most + 1))] == [what]


def test_definitions() -> None:
    """What stands wherever its word does is short."""
    long = "b" * MAX_DEFINITION
    assert told(f"*[a]: {long}") == ["5 a definition has 2,006 characters; at most 2,000 are read"]
    assert told(f"[a] : {long}")[0].startswith("5 a definition")
    assert told("b" * MAX_LINE) == []


def test_a_refused_text_is_not_read() -> None:
    """Nothing after `check` sees it, and the rest of the story stays as it is."""
    story = read("title: a\nstatus: reported\nreports: [{date: 2026-09-01, said: b}]", "> " * 30 + "a")
    assert [problem.code for problem in story.problems] == ["PK008"]
    assert story.body == ""
    assert story.front.title == "a"


@given(st.text(st.sampled_from("->*:1. \t\n[<`|#=!?a"), max_size=3000))
def test_any_text(text: str) -> None:
    """Any text is judged without an error, at a line that it has, in a time that grows with its length only."""
    lines = text.count("\n") + 1
    assert all(5 <= problem.where.line < 5 + lines for problem in overload("a.md", text, 5))
    begun = time.process_time()
    list(overload("a.md", text * 40, 5))
    assert time.process_time() - begun < 2
