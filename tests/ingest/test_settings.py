import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.settings import (
    CUSTOMER_FIELDS,
    KNOWLEDGE_BASE_FILE,
    SOURCES_FILE,
    Configuration,
    Settings,
    SourceConfig,
    read_settings,
    read_sources,
)
from ingest.story import Customer, Series
from ingest.tickets import address_of
from tests.ingest.bases import CASES

EXAMPLE = CASES / "example"


def settings_of(text: str) -> Settings:
    """The settings, of which nothing is wrong."""
    settings, _, problems = read_settings(text.encode())
    assert problems == []
    return settings


def wrong_settings(text: str) -> list[str]:
    """What is wrong, as `line:column code what (hint)`."""
    problems = read_settings(text.encode())[2]
    return [str(problem).removeprefix(f"{KNOWLEDGE_BASE_FILE}:").replace(": ", " ", 1) for problem in problems]


def sources_of(text: str) -> dict[str, SourceConfig]:
    sources, problems = read_sources(text.encode())
    assert problems == []
    return sources


def wrong_sources(text: str) -> list[str]:
    problems = read_sources(text.encode())[1]
    return [str(problem).removeprefix(f"{SOURCES_FILE}:").replace(": ", " ", 1) for problem in problems]


def test_no_file() -> None:
    """Without a file every setting has its default, and the source `demo` is there."""
    settings, _, problems = read_settings(None)
    assert (settings, problems) == (Settings(), [])
    assert (settings.timezone, settings.store, settings.freshness.warn) == (
        ZoneInfo("UTC"),
        ".snapshots",
        timedelta(hours=36),
    )
    sources, more = read_sources(None)
    assert more == []
    assert [(name, source.kind) for name, source in sources.items()] == [("demo", "demo")]


@pytest.mark.parametrize("raw", [b"", b"\n# nothing yet\n"])
def test_empty_files(raw: bytes) -> None:
    """An empty knowledge-base.yml sets nothing, and an empty sources.yml has no source."""
    assert read_settings(raw)[0] == Settings()
    assert read_sources(raw) == ({}, [])


def test_the_complete_example() -> None:
    """The complete example is read without a problem, every value as what it means."""
    settings = settings_of((EXAMPLE / KNOWLEDGE_BASE_FILE).read_text())
    assert settings.name == "Acme performance"
    assert settings.timezone == ZoneInfo("Europe/Berlin")
    assert settings.areas["campaigns"].team == "@growth-web"
    assert settings.tickets == {"PERF-[0-9]+": "https://tickets.acme.example/browse/{}"}
    assert settings.freshness.error == timedelta(days=7)
    assert settings.series["other_pages"].match == {"route": "/other"}
    assert settings.hide == ("revenue", "churn")
    assert settings.now == datetime(2026, 11, 1, 6, tzinfo=UTC)
    prod = sources_of((EXAMPLE / SOURCES_FILE).read_text())["prod"]
    assert (prod.kind, prod.title, prod.step, prod.basics.history) == (
        "prometheus",
        "prod",
        timedelta(hours=1),
        timedelta(days=90),
    )


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("naem: a", "1:1 PK101 naem is not a known field", "did you mean name?"),
        ("name: a\nareas: {a: {team: b}}", "2:9 PK102 areas.a.title is missing", "add `title: ...`"),
        ("areas: {A b: {title: c}}", "1:9 PK103 areas.A b: 'A b' is not an id", "lower-case letters, digits, - and _"),
        ("timezone: Berlin", "1:1 PK103 timezone: 'Berlin' is not a time zone",
         "write UTC or a name such as Europe/Berlin"),
        ("timezone: ../../etc/passwd", "1:1 PK103 timezone: '../../etc/passwd' is not a time zone",
         "write UTC or a name such as Europe/Berlin"),
        ("timezone: Europe", "1:1 PK103 timezone: 'Europe' is not a time zone",
         "write UTC or a name such as Europe/Berlin"),
        ("url: perf.example", "1:1 PK103 url: 'perf.example' is not a web address",
         "write an address that begins with https://"),
        ("freshness: {warn: soon}", "1:13 PK103 freshness.warn: 'soon' is not a duration", "write 2h, 1h30m or 45m"),
        ("hide: [revenue, names]", "1:17 PK104 hide[1]: 'names' is not a customer field",
         f"known: {', '.join(CUSTOMER_FIELDS)}"),
        ("name: a <b>", "1:1 PK105 name: < cannot stand here", "write it in words"),
        ("now: 2026-11-01", "1:1 PK103 now: '2026-11-01' has no offset from UTC",
         "write it with an offset, such as 2026-09-20T14:00Z"),
        ("series: {a: {source: demo, kind: gauge, unt: s}}",
         "1:41 PK101 series.a.unt is not a known field", "did you mean unit?"),
        ("office_hours: 14:00", '1:15 PK005 14:00 is read as a number to the base of 60 by YAML',
         'write "14:00" in quotes, or a duration such as 12h30m'),
        ("- a", "1:1 PK002 this is not a mapping", "write `key: value` lines"),
    ],
)  # fmt: skip
def test_wrong_settings(text: str, problem: str, hint: str) -> None:
    """A mistake in knowledge-base.yml is named at its line and column, with a way out."""
    assert wrong_settings(text) == [f"{problem} ({hint})"]


@pytest.mark.parametrize(
    "pattern", ["(", "[a", "a{99999999999}", "(" * 500 + ")" * 500, "a)|(b", "(?=a)b", "(a{999}){999}"]
)
def test_ticket_patterns(pattern: str) -> None:
    """A ticket pattern that is no regular expression is an error, whatever it makes of the reader."""
    (said,) = wrong_settings(f"tickets: {{'{pattern}': https://a.example}}")
    assert said.startswith("1:11 PK103 tickets.")
    assert "is not a regular expression" in said


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(a|aa)+b", "(.*)*b", "a*" * 40 + "b", "(a?){60}a{60}b"])
def test_no_ticket_keeps_a_pattern_busy(pattern: str) -> None:
    """A pattern that would take other regular expressions years on a ticket takes no time."""
    begun = time.monotonic()
    assert address_of("a" * 300 + "!", {pattern: "https://a.example/{}"}) is None
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize(
    ("ticket", "address"),
    [
        ("PERF-1", "https://a.example/PERF-1"),
        ("OPS/ä?", "https://b.example/OPS%2F%C3%A4%3F"),
        ("PERF-1\n", None),
        ("xPERF-1", None),
        ("PERF-", None),
    ],
)
def test_addresses_of_tickets(ticket: str, address: str | None) -> None:
    """All of a ticket must match; the first pattern that it matches leads to it."""
    patterns = {"PERF-[0-9]+": "https://a.example/{}", "OPS.*|PERF-1": "https://b.example/{}"}
    assert address_of(ticket, patterns) == address


def test_settings_around_mistakes() -> None:
    """What is right about the settings is read around their mistakes."""
    text = b"name: a\ntimezone: Berlin\nareas: {a: {title: A}, b: {}}\nhide: [revenue, names]\n"
    settings = read_settings(text)[0]
    assert (settings.name, settings.timezone, set(settings.areas)) == ("a", ZoneInfo("UTC"), {"a"})


def test_customer_fields() -> None:
    """Every question about customers can be hidden."""
    assert set(CUSTOMER_FIELDS) == set(Customer.model_fields)


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("Prod: {kind: csv}", "1:1 PK103 'Prod' is not an id", "lower-case letters, digits, - and _"),
        ("prod: csv", "1:1 PK103 prod: must be a mapping", "write `kind: prometheus` below it"),
        ("a: {kind: csv}\nprod: {url: b}", "2:1 PK102 kind is missing", "add `kind: ...`"),
        ("prod:\n  kind: csv\n  step: 7h", "3:3 PK103 step: this does not divide a day",
         "write 1h, or another part of a day from 1m on"),
        ("prod: {kind: csv, history: all}", "1:19 PK103 history: 'all' is not a duration", "write 2h, 1h30m or 45m"),
        ("prod: {kind: csv, explore: '{query}'}", "1:19 PK103 explore: '{query}' is not a web address",
         "write an address that begins with https://"),
        ("prod: {kind: csv}\nprod: {kind: demo}", "2:1 PK004 'prod' is written twice; the first is on line 1",
         "keep one of them"),
        ("demo: &d {kind: demo}\nb: *d", "2:4 PK003 aliases are not allowed",
         "write the value out; a text that begins with * needs quotes"),
    ],
)  # fmt: skip
def test_wrong_sources(text: str, problem: str, hint: str) -> None:
    """A mistake in sources.yml is named at its line and column, with a way out."""
    assert wrong_sources(text) == [f"{problem} ({hint})"]


@pytest.mark.parametrize("step", ["30s", "7h", "25h", "7d", "70s", "0s", "61m"])
def test_steps_that_do_not_divide_a_day(step: str) -> None:
    """A step divides a day and is a minute or longer."""
    assert "this does not divide a day" in wrong_sources(f"a: {{kind: csv, step: {step}}}")[0]


@pytest.mark.parametrize("step", ["1m", "5m", "1h", "8h", "1d", "24h"])
def test_steps(step: str) -> None:
    """A part of a day, and the day itself, are steps."""
    source = sources_of(f"a: {{kind: csv, step: {step}}}")["a"]
    assert timedelta(days=1) % source.step == timedelta(0)


def test_options_stay_what_was_written() -> None:
    """A kind's own keys keep their texts and places, and a variable is not expanded."""
    text = 'prod:\n  kind: prometheus\n  title: Production\n  headers: {Authorization: "Bearer ${TOKEN}"}\n'
    source = sources_of(text)["prod"]
    assert source.options.data == {"headers": {"Authorization": "Bearer ${TOKEN}"}}
    assert source.options.where(("headers", "Authorization")).line == 4
    assert source.title == "Production"


def test_sources_around_mistakes() -> None:
    """A source with a mistake in what all kinds share has its defaults; one without a kind is none."""
    sources, problems = read_sources(b"a: {kind: csv, step: 7h}\nb: {}\nc: {kind: demo}\n")
    assert [problem.code for problem in problems] == ["PK103", "PK102"]
    assert [(name, source.step) for name, source in sources.items()] == [
        ("a", timedelta(hours=1)),
        ("c", timedelta(hours=1)),
    ]


def test_the_source_of_a_series() -> None:
    """A series has the step of its source, and an hour where the source is unknown."""
    config = Configuration(Settings(), sources_of("a: {kind: csv, step: 1d}"))
    assert config.source_of(Series(source="a", kind="gauge")).step == timedelta(days=1)
    assert config.source_of(Series(source="b", kind="gauge")).step == timedelta(hours=1)


@given(st.text(st.characters(codec="utf-8")))
def test_any_text(text: str) -> None:
    """Any text is a configuration, or has problems at places of the file."""
    raw = text.encode()
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for problem in (*read_settings(raw)[2], *read_sources(raw)[1]):
        assert 1 <= problem.where.line <= len(lines)


def test_a_changed_recipe_is_another_question() -> None:
    """What sources.yml says of a named query decides its numbers, so it is in the fingerprint; a count has its own."""
    text = "a: {{kind: http-json, queries: {{x: {{path: {}}}, y: {{path: /y}}}}, count: {{path: {}}}}}"
    one, other = (sources_of(text.format(path, path))["a"] for path in ("/one", "/two"))
    asked = {name: Series(source="a", kind="total", metric=name) for name in "xyz"}
    assert one.fingerprint(asked["x"]) != other.fingerprint(asked["x"])
    assert one.fingerprint(asked["y"]) == other.fingerprint(asked["y"])
    assert one.fingerprint(asked["z"]) == asked["z"].fingerprint(one.step)
    assert one.for_counts.fingerprint(asked["y"]) != other.for_counts.fingerprint(asked["y"])
    assert one.for_counts.step == one.for_counts.basics.history == timedelta(days=1)
