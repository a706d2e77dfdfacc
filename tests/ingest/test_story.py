import json
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.codes import CODES
from ingest.errors import Where
from ingest.story import FrontMatter, Measured, Series, Story, day_of, json_schema, moment_of, read_story
from ingest.units import Quantity
from tests.ingest.bases import CASES, LEAST, PATH, document, read, told

EXAMPLE = CASES / "example/stories/slow-campaign-list.md"
SERIES = Series(source="prod", kind="histogram", metric="other", unit="s")


def example(shared: dict[str, Series] | None = None) -> Story:
    return read_story("slow-campaign-list", "stories/slow-campaign-list.md", EXAMPLE.read_bytes(), shared or {})


def with_line(line: str) -> list[str]:
    """What is wrong with the least story and one more line, line 5 of its file."""
    return told(read(LEAST + line).problems)


def test_the_complete_example() -> None:
    """The complete example is read without a problem, every value as what it means."""
    story = example({"other_pages": SERIES})
    front = story.front
    assert story.problems == ()
    assert story.mistaken == frozenset()
    assert isinstance(front.customer.affected, Measured)
    assert (front.customer.affected.value, front.customer.affected.as_of) == ("1200", date(2026, 9, 5))
    assert front.customer.impact == "They wait on every visit"
    assert set(story.series) == {"requests", "count_query", "other_pages"}
    assert story.series["other_pages"] is SERIES
    assert front.slo
    assert front.slo.below == Quantity(1, "s")
    assert front.timeboxes[0].spent == timedelta(minutes=90)
    assert front.hypotheses[0].test
    assert (front.hypotheses[0].test.kind, front.hypotheses[0].test.at_least) == ("share", 0.5)
    assert front.fixes[0].shipped == datetime(2026, 9, 20, 14, tzinfo=UTC)
    assert front.fixes[0].expected == -0.6
    assert front.symptoms == ("campaigns page spins", "campaign list won't load")
    assert story.body.startswith("The narrative")
    assert story.document.body_line == 80


def test_the_least_story() -> None:
    """A title, a status and a report are a story."""
    story = read(LEAST)
    assert story.problems == ()
    assert (story.front.title, story.front.status, story.opened) == (
        "Campaign list is slow",
        "reported",
        date(2026, 9, 1),
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("tikets: [A-1]", "5:1 PK101"),
        ("customer: {impct: They wait}", "5:12 PK101"),
        ("reports2:", "5:1 PK101"),
        ("timeboxes: [{date: 2026-09-01, budget: 2h}]", "5:13 PK102"),
        ("slo: {series: requests}", "5:1 PK102"),
        ("opened: yesterday", "5:1 PK103"),
        ("tickets: A-1", "5:1 PK103"),
        ("customer: none", "5:1 PK103"),
        ("customer: {impact: [a]}", "5:12 PK103"),
        ("customer: {affected: {value: 3, as_of: lately}}", "5:33 PK103"),
        ("timeboxes: [{date: 2026-09-01, question: why, budget: soon}]", "5:47 PK103"),
        ("profiles: [javascript:alert(1)]", "5:12 PK103"),
        ("telemetry: {Requests: {use: other}}", "5:13 PK103"),
        ("same_as: ../other", "5:1 PK103"),
        ("draft: yes", "5:1 PK103"),
        ("override: {PK301: }", "5:12 PK103"),
        ("tags: [~]", "5:8 PK103"),
        ("slo: {series: requests, below: 1 s, quantile: 95}", "5:37 PK103"),
        ("telemetry: {a: {source: demo, kind: histgram}}", "5:31 PK104"),
        ("hypotheses: [{id: h, because: b, written: 2026-09-01, verdict: perhaps}]", "5:55 PK104"),
        ("tags: [<b>]", "5:8 PK105"),
        ('who: "a\\u202eb"', "5:1 PK105"),
        ("when: 12:30", "5:7 PK005"),
        ("title: another", "5:1 PK004"),
    ],
)
def test_mistakes(line: str, problem: str) -> None:
    """A mistake is named once, with its code, at its line and column."""
    assert with_line(line) == [problem]


def test_the_words_of_a_problem() -> None:
    """A problem says what is wrong and what to write instead, in one line."""
    story = read(LEAST + "timeboxes:\n  - {date: 2026-09-01, question: why, budget: soon}\n")
    assert [str(problem) for problem in story.problems] == [
        f"{PATH}:6:39: PK103 timeboxes[0].budget: 'soon' is not a duration (write 2h, 1h30m or 45m)"
    ]
    (said,) = map(str, read("title: a\nstatus: repotred\nreports: []").problems)
    assert said.endswith("measured, parked (did you mean reported?)")


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"---\ntitle: \xff\n---\n", "2:8 PK001"),
        (b"---\ntitle: [\n---\n", "3:1 PK002"),
        (b"---\ntitle: a\n\tstatus: b\n---\n", "3:1 PK002"),
        (b"---\ntitle: &a x\nwho: *a\n---\n", "3:6 PK003"),
        (b"---\ntitle: a\x00\n---\n", "2:9 PK002"),
        (b"just text", "1:1 PK006"),
        (b"", "1:1 PK006"),
        (b"x" * 2_000_000, f"{PATH} PK003"),
    ],
)
def test_files_that_cannot_be_read(raw: bytes, problem: str) -> None:
    """A file that cannot be read has one problem, the cause; it stays a story of its name."""
    story = read_story("slow-list", PATH, raw, {})
    assert told(story.problems) == [problem]
    assert (story.front.title, story.front.status) == ("slow-list", "reported")
    assert "reports" in story.mistaken


def test_reading_around_mistakes() -> None:
    """What is right about a story with mistakes is read, with the places that it has in the file."""
    story = read(
        """
        title: a
        status: testing
        reports:
          - {date: soon, said: first}
          - {date: 2026-09-02, said: second}
          - {said: third}
          - {date: 2026-09-04, said: fourth, customers: 0}
        timeboxes:
          - {date: 2026-09-01}
          - {date: 2026-09-02, question: why, budget: 2h, spent: long}
        slo: {series: requests, below: fast}
        """
    )
    assert told(story.problems) == ["5:6 PK103", "7:5 PK102", "8:38 PK103", "10:5 PK102", "10:5 PK102", "11:51 PK103",
                                    "12:25 PK103"]  # fmt: skip
    assert [(report.said, report.customers) for report in story.said] == [("second", 1), ("fourth", 1)]
    assert [story.where("reports", index).line for index in range(2)] == [6, 8]
    assert [(box.question, box.spent) for box in story.front.timeboxes] == [("why", None)]
    assert story.where("timeboxes", 0, "question") == Where(PATH, 11, 24)
    assert story.front.slo is None
    assert story.mistaken == {"reports", "timeboxes", "slo"}


def test_yaml_surprises() -> None:
    """Words, numbers and dates in texts stay as they were written."""
    front = read("title: NO\nstatus: reported\nreports: []\ntags: [1.10, 007, on]\nwho: 2026-09-01\nwhen: yes").front
    assert (front.title, front.tags, front.who, front.when) == ("NO", ("1.10", "007", "on"), "2026-09-01", "yes")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_story_of_another_editor(end: str) -> None:
    """A byte order mark and Windows' line ends change nothing."""
    text = document(LEAST).decode().replace("\n", end)
    assert read_story("slow-list", PATH, b"\xef\xbb\xbf" + text.encode(), {}).front == read(LEAST).front


def test_a_body_cannot_add_front_matter() -> None:
    """What looks like front matter in the text is text."""
    story = read(LEAST, "---\nrender_macros: true\nstatus: shipped\n---\n{{ 7 * 191 }}\n")
    assert story.front.status == "reported"
    assert story.problems == ()
    assert story.body.startswith("---\nrender_macros: true")


def test_opened() -> None:
    """A story begins when it says so, else with its first report; one without either has no beginning."""
    assert example().opened == date(2026, 9, 1)
    assert read(LEAST + "opened: 2026-08-01").opened == date(2026, 8, 1)
    reports = "reports: [{date: 2026-09-03, said: a}, {source: demo, query: b}, {date: 2026-09-02, said: c}]"
    assert read(f"title: a\nstatus: reported\n{reports}").opened == date(2026, 9, 2)
    assert read("title: a\nstatus: reported").opened is None


def test_series_in_use() -> None:
    """A shared series that is not declared is left out."""
    assert set(example().series) == {"requests", "count_query"}


def test_fingerprints() -> None:
    """A series' fingerprint changes with what is asked, and not with how it is shown."""
    hour = timedelta(hours=1)
    plain = SERIES.fingerprint(hour)
    assert SERIES.model_copy(update={"title": "Others", "unit": "ms"}).fingerprint(hour) == plain
    asked: list[dict[str, Any]] = [
        {"metric": "b"},
        {"source": "b"},
        {"kind": "total"},
        {"match": {"a": "b"}},
        {"query": "b"},
        {"sum": "b"},
    ]
    changed = {SERIES.model_copy(update=change).fingerprint(hour) for change in asked}
    assert len({plain, SERIES.fingerprint(2 * hour), *changed}) == len(asked) + 2


@pytest.mark.parametrize(
    ("test", "kind"),
    [("share: a, of: b", "share"), ("contrast: a, against: b", "contrast"), ("change: a, at: 2026-09-01", "change"),
     ("share: a, change: b", ""), ("of: b", "")],
)  # fmt: skip
def test_kinds_of_tests(test: str, kind: str) -> None:
    """A test is of the one kind that it names, or of none."""
    window = "at_least: 5 %, from: 2026-09-01, to: 2026-09-02"
    front = f"hypotheses: [{{id: h, because: b, written: 2026-09-01, test: {{{test}, {window}}}}}]"
    (hypothesis,) = read(LEAST + front).front.hypotheses
    assert hypothesis.test
    assert hypothesis.test.kind == kind


def test_days_and_moments() -> None:
    """A day begins at midnight of its zone, and a moment belongs to the day that it has there."""
    zone = ZoneInfo("Europe/Berlin")
    assert moment_of(date(2026, 9, 1), zone) == datetime(2026, 8, 31, 22, tzinfo=UTC)
    moment = datetime(2026, 8, 31, 22, 30, tzinfo=UTC)
    assert moment_of(moment, zone) == moment
    assert day_of(moment, zone) == date(2026, 9, 1)
    assert day_of(date(2026, 9, 1), zone) == date(2026, 9, 1)


def parts_of(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The object types of the schema, by their names."""
    return {"FrontMatter": schema, **schema["$defs"]}


def test_json_schema() -> None:
    """The JSON Schema names its dialect, requires what a story needs, and refuses unknown keys everywhere."""
    schema = json.loads(json.dumps(json_schema()))
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert schema["required"] == ["title", "status"]
    for name, part in parts_of(schema).items():
        assert part["type"] == "object", name
        assert part["additionalProperties"] is False, name
        assert set(part.get("required", ())) <= set(part["properties"]), name


def test_json_schema_describes_every_key() -> None:
    """Every key has its description, under the name that it has in a file."""
    schema = json_schema()
    described = {
        f"{name}.{key}": spec.get("description", "")
        for name, part in parts_of(schema).items()
        for key, spec in part["properties"].items()
    }
    assert [key for key, text in described.items() if not text.endswith((".", "?"))] == []
    assert {"Test.from", "Hypothesis.for", "Fix.shipped"} <= set(described)
    assert set(schema["properties"]) == set(FrontMatter.model_fields)


def test_json_schema_refers_to_what_is_there() -> None:
    """Every reference within the JSON Schema leads to one of its definitions."""
    schema = json_schema()
    found = set()

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            found.update([value["$ref"]] if "$ref" in value else [])
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            collect(inner)

    collect(schema)
    assert found == {f"#/$defs/{name}" for name in schema["$defs"]}


WHOLE = EXAMPLE.read_text(encoding="utf-8")
PIECES = st.sampled_from(
    ["\n", "  ", "- ", ": ", "{", "}", "[", "]", '"', "'", "#", "---\n", "~", "\t", "|\n", "&a ", "*a", "!!str ", "? ",
     "12:30", "title: b\n", "\u202e", "\u2028", "\0", "é", "😀", "9" * 40, "0001-01-01", "${HOME}", "<script>", "\r"]
)  # fmt: skip
CUTS = st.lists(st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 30), PIECES | st.text(max_size=8)), max_size=6)


def examine(raw: bytes) -> None:
    """Reads a story in time, with problems that have codes, and places that the file has."""
    begun = time.monotonic()
    story = read_story("slow-list", PATH, raw, {"other_pages": SERIES})
    assert time.monotonic() - begun < 2
    lines = raw.decode(errors="replace").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for problem in story.problems:
        assert problem.code in CODES
        assert problem.what
        assert "\n" not in str(problem)
        assert problem.where.path == PATH
        if problem.where.line:
            assert 1 <= problem.where.line <= len(lines)
            assert 1 <= problem.where.column <= len(lines[problem.where.line - 1]) + 1


@given(CUTS)
def test_mutated_stories(cuts: list[tuple[int, int, str]]) -> None:
    """A story with characters taken out and put in is read with problems at places that it has."""
    text = WHOLE
    for start, length, piece in cuts:
        text = text[:start] + piece + text[start + length :]
    examine(text.encode("utf-8", "replace"))


LINES = [line for line in WHOLE.split("\n---\n")[0].split("\n")[1:] if line.strip()]


@given(st.lists(st.sampled_from(LINES), max_size=40))
def test_shuffled_stories(lines: list[str]) -> None:
    """The lines of a story in any order, and more than once, are read with problems at places that they have."""
    examine(document("\n".join(lines)))


FIELDS = st.sampled_from([*FrontMatter.model_fields, "unknown", "1", "on"])
SCALARS = st.sampled_from(
    ["", "a", "2026-09-01", "2h", "5 %", "1 s", "1", "~", "true", "reported", "'12:30'", "https://a.example"]
)
INNER = st.sampled_from(
    ["date", "said", "source", "kind", "use", "id", "test", "share", "from", "value", "customers", "x"]
)
SHAPES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(INNER, inner, max_size=3).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
        )
    ),
    max_leaves=10,
)


@given(st.dictionaries(FIELDS, SHAPES, max_size=8))
def test_random_front_matter(fields: dict[str, str]) -> None:
    """Front matter of random fields and shapes is read with problems at places that it has."""
    examine(document("\n".join(f"{name}: {value}" for name, value in fields.items())))


@given(st.binary(max_size=200))
def test_random_bytes(raw: bytes) -> None:
    """Random bytes between the fences are read with problems at places that they have."""
    examine(b"---\n" + raw + b"\n---\ntext\n")
