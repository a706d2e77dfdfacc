from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from ingest.fields import (
    MAX_LINE,
    MAX_SLUG,
    MAX_TEXT,
    Amount,
    Day,
    DayOrMoment,
    Duration,
    Identifier,
    Line,
    Link,
    Moment,
    Name,
    Percent,
    Slug,
    Strict,
    Text,
    Title,
    Truth,
    WorkingTime,
)
from ingest.units import Quantity

KINDS = (
    Amount, Day, DayOrMoment, Duration, Identifier, Line, Link, Moment, Name, Percent, Slug, Text, Title, Truth,
    WorkingTime,
)  # fmt: skip


def read(kind: Any, value: Any) -> Any:
    return TypeAdapter(kind).validate_python(value)


def refusal(kind: Any, value: Any) -> str:
    """What is said about a value that is refused, with the hint in brackets."""
    with pytest.raises(ValidationError) as caught:
        read(kind, value)
    error = caught.value.errors()[0]
    return f"{error['msg']} ({error['ctx']['hint']})"


def test_lines() -> None:
    """A line loses the space around it, and keeps every other character."""
    assert read(Line, "  won't load: NO, 1.10 — ünï 🐌 ") == "won't load: NO, 1.10 — ünï 🐌"


def test_texts_have_lines() -> None:
    """A text may hold line breaks and tabs, a line may not."""
    assert read(Text, "one\n\ttwo\n") == "one\n\ttwo"
    assert refusal(Line, "one\ntwo") == "a line break cannot stand here (remove it)"
    assert refusal(Title, "one\ttwo") == "the character U+0009 cannot stand here (remove it)"


@pytest.mark.parametrize(
    "character", ["\0", "\x1b", "\x85", "\u202e", "\u2066", "\u2028", "\ufeff", "\ue000", "\uffff"]
)
@pytest.mark.parametrize("kind", [Line, Text, Title])
def test_unprintable_characters(kind: Any, character: str) -> None:
    """What is invisible, turns the writing around or commands a terminal is refused by its number."""
    assert refusal(kind, f"a{character}b").startswith(f"the character U+{ord(character):04X} cannot stand here")


@pytest.mark.parametrize("kind", [Line, Text, Title])
@pytest.mark.parametrize("value", ["", "  \n", None, "\u2060", "\u200b\u00ad \u3164", "\u0301", "\u2800"])
def test_empty_texts(kind: Any, value: Any) -> None:
    """An empty text is no text, and the empty item of a list is not the word None."""
    assert refusal(kind, value) == "this text is empty (write it, or leave the key out)"


@pytest.mark.parametrize(("kind", "longest"), [(Line, MAX_LINE), (Title, MAX_LINE), (Text, MAX_TEXT)])
def test_long_texts(kind: Any, longest: int) -> None:
    """A text of the greatest length is read, and one character more is refused with both numbers."""
    assert read(kind, "x" * longest) == "x" * longest
    assert refusal(kind, "x" * (longest + 1)).startswith(
        f"this text has {longest + 1:,} characters, at most {longest:,} fit"
    )


@pytest.mark.parametrize("character", "<>")
def test_titles_hold_no_tags(character: str) -> None:
    """A title has no angle brackets, because it stands on other pages as well."""
    assert refusal(Title, f"a {character} b") == f"{character} cannot stand here (write it in words)"
    assert read(Line, f"a {character} b") == f"a {character} b"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [["a"], {"a": "b"}])
def test_collections_are_no_values(kind: Any, value: Any) -> None:
    """A list or a mapping where one value belongs is refused with a hint."""
    assert not refusal(kind, value).endswith("()")


@pytest.mark.parametrize("kind", KINDS)
@given(value=st.text())
def test_any_text(kind: Any, value: str) -> None:
    """Any text is a value of its kind, or refused in words with a hint."""
    try:
        read(kind, value)
    except ValidationError:
        assert not refusal(kind, value).endswith(" ()")


def test_truth() -> None:
    """Truth is the word true or false; what YAML 1.1 calls true is not."""
    assert read(Truth, "true") is True
    assert read(Truth, "false") is False
    assert refusal(Truth, "yes") == "'yes' is neither true nor false (write true or false)"


@pytest.mark.parametrize("address", ["https://a.example/?q={x}#y", "http://127.0.0.1:9090", "https://[::1]/"])
def test_addresses(address: str) -> None:
    """Absolute addresses of the web are read, with the braces of a pattern."""
    assert read(Link, f" {address} ") == address


@pytest.mark.parametrize(
    "address",
    ["", "a.example", "//a.example", "javascript:alert(1)", "ftp://a.example", "https://", "https://a b", "https://[",
     'https://a"onclick="', "https://a`", "https://a<b>", "https://a\\b", "https://a\u202eb", "http://a:99999/",
     "http://a:b/"],
)  # fmt: skip
def test_what_is_no_address(address: str) -> None:
    """Other schemes, relative addresses and characters that could leave an attribute are refused."""
    assert "is not a web address (write an address that begins with https://)" in refusal(Link, address)


@pytest.mark.parametrize("address", ["https://user:secret@a.example/", "https://user@a.example/"])
def test_addresses_with_passwords(address: str) -> None:
    """An address with a user is refused, and its password is not repeated."""
    said = refusal(Link, address)
    assert said.startswith("a web address must not carry a password")
    assert "secret" not in said


def test_days() -> None:
    """A day is written year first, with all its digits, and is a day of the calendar."""
    assert read(Day, "2024-02-29") == date(2024, 2, 29)
    assert refusal(Day, "1.9.2026") == "'1.9.2026' is not a date (write a day such as 2026-09-01)"
    assert refusal(Day, "2026-9-1").startswith("'2026-9-1' is not a date")
    assert refusal(Day, "2026-02-29").startswith("'2026-02-29' is not a day of the calendar")
    assert refusal(Day, "2026-09-01T10:00Z").startswith("'2026-09-01T10:00Z' is not a date")


def test_moments() -> None:
    """A moment has an offset, and is kept in UTC."""
    assert read(Moment, "2026-09-20T14:00+02:00") == datetime(2026, 9, 20, 12, tzinfo=UTC)
    assert refusal(Moment, "2026-09-20T14:00").startswith("'2026-09-20T14:00' has no offset from UTC")
    assert refusal(Moment, "at two").startswith("'at two' is not a date and time")
    assert refusal(DayOrMoment, "2026-09-20 14:00") == (
        "'2026-09-20 14:00' has no offset from UTC (write 2026-09-20, or with an offset 2026-09-20T14:00Z)"
    )


@pytest.mark.parametrize("text", ["0001-01-01", "1969-12-31", "2200-01-01", "9999-12-31"])
def test_years_out_of_reach(text: str) -> None:
    """A date from which days could not be counted is refused, whatever its offset."""
    assert read(Day, "2199-12-31") == date(2199, 12, 31)
    assert "is not in the years 1970 to 2199" in refusal(Day, text)
    for offset in ("Z", "+14:00", "-14:00"):
        assert "is not in the years 1970 to 2199" in refusal(Moment, f"{text}T00:00{offset}")


def test_numbers_with_units() -> None:
    """Durations, percentages and amounts are read by the grammar of units."""
    assert read(Duration, "1h30m") == timedelta(minutes=90)
    assert read(Percent, "-60 %") == -0.6
    assert read(Amount, "250 ms") == Quantity(250, "ms")
    assert read(WorkingTime, "2d-5d").high == 40
    assert refusal(Duration, "soon") == "'soon' is not a duration (write 2h, 1h30m or 45m)"
    assert refusal(Percent, "0.6") == "'0.6' is not a percentage (write a percentage with its sign, such as -60 %)"
    assert refusal(Amount, "fast").startswith("'fast' is not a number with a unit")
    assert refusal(WorkingTime, "days").startswith("'days' is not an effort")


@pytest.mark.parametrize("text", ["a", "0", "slow-list", "2026-is-slow", "a" * MAX_SLUG])
def test_slugs(text: str) -> None:
    """A story's name is lower-case letters and digits in words joined by hyphens."""
    assert read(Slug, text) == text


@pytest.mark.parametrize(
    "text", ["", "index", "A", "a_b", "-a", "a-", "a--b", "a/b", "..", "ä", "a.b", "a b", "a\n", "a" * (MAX_SLUG + 1)]
)
def test_what_is_no_slug(text: str) -> None:
    """Capitals, signs, doubled hyphens, paths, `index` and long names are no stories' names."""
    assert "is not a story's name" in refusal(Slug, text)


def test_names() -> None:
    """A series' name can be part of a file's name and begins with a letter; an id may begin with a digit."""
    assert read(Name, "other_pages2") == "other_pages2"
    assert read(Identifier, "2-prod_eu") == "2-prod_eu"
    for text in ("", "2nd", "a-b", "A", "a.b", "../a", "a" * 61):
        assert "is not a name" in refusal(Name, text)
    for text in ("", "-a", "A", "a.b", "a/b", "a" * 61):
        assert "is not an id" in refusal(Identifier, text)


class Sample(Strict):
    title: Line | None = None
    """A title."""


def test_empty_values() -> None:
    """A known key without a value counts as not given, an unknown one is an error all the same."""
    assert Sample.model_validate({"title": None}) == Sample()
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Sample.model_validate({"titel": None})


def test_frozen() -> None:
    """What was read cannot be changed."""
    with pytest.raises(ValidationError, match="frozen"):
        Sample().title = "another"
