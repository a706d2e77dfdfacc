import os
import time
from difflib import unified_diff
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from ingest.check import check, only
from ingest.codes import CODES, OVERRIDABLE, UNREADABLE
from ingest.errors import Problem, Where, did_you_mean
from ingest.knowledge import read_knowledge_base
from perfkb import perfkb
from tests.ingest.bases import CASES, LEAST, SETTINGS, base, document, found, told

TELEMETRY = "telemetry: {a: {source: demo, kind: histogram, metric: a, unit: s}, b: {use: other_pages}}\n"
TEST = "at_least: 5 %, from: 2026-09-04, to: 2026-09-10"
PROMETHEUS = "prod: {kind: prometheus, url: 'http://127.0.0.1:9090'}\n"


def messages(root: Path, front: str, body: str = "Text.\n", settings: str = SETTINGS) -> list[str]:
    """What `check` says of a knowledge base with this one story."""
    return [
        f"{problem.what} ({problem.hint})"
        for problem in check(base(root, {"slow-list": document(front, body)}, settings)).problems
    ]


def test_the_case_of_mistakes() -> None:
    """`perfkb check` names every mistake of the case, at its line and column; PERFKB_REGENERATE=1 writes it anew."""
    case = CASES / "mistakes"
    done = CliRunner(env={"SOURCE_DATE_EPOCH": ""}).invoke(perfkb, ["-C", str(case), "check"])
    assert done.exit_code == 1, done.output
    if os.environ.get("PERFKB_REGENERATE") == "1":
        (case / "expected.txt").write_text(done.stdout, encoding="utf-8")
    expected = (case / "expected.txt").read_text(encoding="utf-8")
    difference = unified_diff(expected.splitlines(), done.stdout.splitlines(), "expected.txt", "perfkb check", n=0)
    assert done.stdout == expected, "\n".join(["", *difference])


def test_the_case_of_mistakes_has_every_code() -> None:
    """Each code is produced by the case of mistakes, and no code is produced that is not declared."""
    lines = (CASES / "mistakes/expected.txt").read_text(encoding="utf-8").splitlines()
    assert {line.split(": ", 1)[1].split()[0] for line in lines} == set(CODES)


@pytest.mark.parametrize("case", ["clean", "example"])
def test_cases_without_mistakes(case: str) -> None:
    """The clean case and the complete example have no problem."""
    assert told(check(read_knowledge_base(CASES / case, {})).problems) == []


def test_the_codes() -> None:
    """Codes are grouped by what they are about, and only rules of judgement can be set aside."""
    assert all(code[:2] == "PK" and code[2] in "0123" and len(code) == 5 for code in CODES)
    assert list(CODES) == sorted(CODES)
    assert {"PK301", "PK302", "PK303", "PK304", "PK305", "PK306"} == OVERRIDABLE
    assert set(CODES) > UNREADABLE


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("area: campagns", "5:1 PK201"),
        ("same_as: other", "5:1 PK204"),
        ("same_as: slow-list", "5:1 PK204"),
        ("telemetry: {a: {source: prod, kind: gauge}}", "5:17 PK202"),
        ("telemetry: {a: {use: other_page}}", "5:17 PK203"),
        ("slo: {series: a, below: 1 s}", "5:7 PK203"),
        ("fixes: [{id: f, series: a}]", "5:17 PK203"),
        ("fixes: [{id: f, control: a}]", "5:17 PK203"),
        (TELEMETRY + f"hypotheses: [{{id: h, because: b, written: 2026-09-01, test: {{share: c, of: a, {TEST}}}}}]",
         "6:62 PK203"),
        (TELEMETRY + f"hypotheses: [{{id: h, because: b, written: 2026-09-01, test: {{share: a, of: c, {TEST}}}}}]",
         "6:72 PK203"),
        (TELEMETRY + "slo: {series: a, below: 1 MB}", "6:18 PK207"),
        (TELEMETRY + "slo: {series: a, below: 5 %}", "6:18 PK207"),
        ("fixes: [{id: f}, {id: g}, {id: f}]", "5:28 PK106"),
        ("hypotheses: [{id: h, because: b, written: 2026-09-01}, {because: c, written: 2026-09-01, id: h}]",
         "5:90 PK106"),
        (TELEMETRY + f"hypotheses: [{{id: h, because: b, written: 2026-09-01, test: {{share: a, {TEST}}}}}]",
         "6:55 PK209"),
        (f"hypotheses: [{{id: h, because: b, written: 2026-09-01, test: {{{TEST}}}}}]", "5:55 PK209"),
        (TELEMETRY + "hypotheses: [{id: h, because: b, written: 2026-09-01, "
         + f"test: {{share: a, of: b, change: b, at: 2026-09-05, {TEST}}}}}]", "6:55 PK209"),
        (TELEMETRY + f"hypotheses: [{{id: h, because: b, written: 2026-09-01, test: {{change: a, {TEST}}}}}]",
         "6:55 PK209"),
        ("override: {PK101: because}", "5:12 PK104"),
        ("timeboxes: [{date: 2026-09-01, question: b, budget: 2h, spent: 3h}]", "5:57 PK303"),
        ("opened: 2026-12-01", "5:1 PK302"),
    ],
)  # fmt: skip
def test_problems_of_a_story(tmp_path: Path, lines: str, problem: str) -> None:
    """What does not fit together is named once, at the key that says it."""
    assert found(tmp_path, LEAST + lines) == [problem]


def test_the_same_as_a_draft(tmp_path: Path) -> None:
    """Only a draft may repeat a draft: the reports of a story would stand where no reader sees them."""
    plan = LEAST + "draft: true\n"
    stories = {"plan": plan, "sketch": plan + "same_as: plan\n", "slow": LEAST + "same_as: plan\n"}
    (said,) = check(base(tmp_path, stories)).problems
    assert str(said) == (
        "stories/slow.md:5:1: PK204 same_as: 'plan' is a draft, which no reader sees "
        "(make this one a draft too, or that one none)"
    )


def test_reports_of_an_unknown_source(tmp_path: Path) -> None:
    """Reports that are counted elsewhere name a source that is there."""
    front = "title: a\nstatus: reported\nreports: [{source: demo, query: slow}, {source: desk, query: slow}]"
    assert found(tmp_path, front) == ["4:41 PK202"]


def test_the_words_of_a_problem(tmp_path: Path) -> None:
    """An unknown name is quoted with the closest known one, or with all of them."""
    assert messages(tmp_path, LEAST + "area: campagns\ntelemetry: {a: {use: b}}\nslo: {series: aa, below: 1 s}") == [
        "area: 'campagns' is not an area (did you mean campaigns?)",
        "telemetry.a.use: 'b' is not a shared series (known: other_pages)",
        "slo.series: 'aa' is not a series of this story (did you mean a?)",
    ]
    assert messages(tmp_path, LEAST + "area: a", settings="name: b") == [
        "area: 'a' is not an area (declare it under areas: in knowledge-base.yml)"
    ]


def test_another_story(tmp_path: Path) -> None:
    """A story may repeat another one that is there."""
    stories = {"slow-list": LEAST + "same_as: other", "other": LEAST}
    assert check(base(tmp_path, stories)).problems == []


def test_tickets(tmp_path: Path) -> None:
    """A ticket that matches no pattern as a whole is a warning, where there are patterns."""
    front = LEAST + "tickets: [PERF-1, PERF-12x, OPS-1]\nfixes: [{id: f, ticket: X-1}]"
    assert found(tmp_path, front) == []
    patterns = SETTINGS + "tickets: {'PERF-[0-9]+': 'https://a.example/{}'}\n"
    assert found(tmp_path, front, settings=patterns) == ["5:19 PK208", "5:29 PK208", "6:17 PK208"]
    assert not check(read_knowledge_base(tmp_path, {})).errors


def test_what_a_source_objects_to(tmp_path: Path) -> None:
    """What a source cannot be asked is named at the key that asks it, in stories and in shared series."""
    front = LEAST + "telemetry:\n  a:\n    source: prod\n    kind: total\n    query: increase(x[5m])\n"
    settings = "series:\n  s: {source: prod, kind: gauge}\n"
    assert found(tmp_path, front, settings=settings, sources=PROMETHEUS) == [
        "site-config/knowledge-base.yml:2:3 PK205",
        "9:5 PK205",
    ]


def test_sources(tmp_path: Path) -> None:
    """What only the kind of a source knows of its keys is checked, an unknown kind is named."""
    sources = (
        "a: {kind: prometheus, url: b}\nc: {kind: csv, pth: d}\ne: {kind: promethus}\nf: {kind: csv, hstory: 3d}\n"
    )
    base(tmp_path, {}, sources=sources, settings="")
    problems = check(read_knowledge_base(tmp_path, {})).problems
    assert told(problems) == [
        "site-config/sources.yml:1:23 PK103",
        "site-config/sources.yml:2:16 PK101",
        "site-config/sources.yml:3:5 PK104",
        "site-config/sources.yml:4:16 PK101",
    ]
    assert [problem.hint for problem in problems[1:]] == [
        "did you mean path?",
        "did you mean prometheus?",
        "did you mean history?",
    ]


@pytest.mark.parametrize("options", ["kind: prometheus", "", "kind: "])
def test_sources_that_lack_a_key(tmp_path: Path, options: str) -> None:
    """A source without a key that it needs is named, in finite time."""
    base(tmp_path, {}, sources=f"a: {{{options}}}", settings="")
    (problem,) = check(read_knowledge_base(tmp_path, {})).problems
    assert problem.code == "PK102"


def test_charts(tmp_path: Path) -> None:
    """An image that would be a chart of a series which is not there is named at its place in the text."""
    body = (
        "![a](slow-list/a.svg) ![c](slow-list/c.svg)\n\n"
        "![out](https://a.example/c.svg) ![up](../c.svg) ![raster](c.png) [link](slow-list/c.svg)\n"
        "![ b ](  <./slow-list/d.svg> 'title')\n"
        "```\n![code](slow-list/e.svg)\n~~~\n![code](slow-list/e.svg)\n```\n![after](slow-list/f.svg)\n"
    )
    assert found(tmp_path, LEAST + TELEMETRY, body) == ["7:28 PK206", "9:73 PK206", "10:11 PK206", "16:10 PK206"]


def test_charts_of_series_with_mistakes(tmp_path: Path) -> None:
    """A chart of a series that has a mistake is no mistake of its own."""
    assert found(tmp_path, LEAST + "telemetry: {a: {source: demo}}", "![a](slow-list/a.svg)\n") == ["5:13 PK102"]


@pytest.mark.parametrize(
    "text", ["![" * 200_000, "![a](" * 100_000, "![](" + " " * 500_000, "```\n" * 100_000, "x](a.svg" * 90_000]
)
def test_texts_that_take_long(tmp_path: Path, text: str) -> None:
    """No text takes long to search for charts."""
    base(tmp_path, {"slow-list": document(LEAST, text)})
    begun = time.monotonic()
    check(read_knowledge_base(tmp_path, {}))
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("file", ["knowledge-base.yml", "sources.yml"])
def test_configuration_that_cannot_be_read(tmp_path: Path, file: str) -> None:
    """A file of the configuration that cannot be read has one problem, and what it would declare is not missed."""
    front = LEAST + "area: campaigns\ntelemetry: {a: {source: demo, kind: gauge, metric: a}, b: {use: other_pages}}\n"
    base(tmp_path, {"slow-list": front})
    (tmp_path / "site-config" / file).write_text("a: [")
    assert [problem.code for problem in check(read_knowledge_base(tmp_path, {})).problems] == ["PK002"]


def test_stories_that_cannot_be_read(tmp_path: Path) -> None:
    """A story that cannot be read has one problem, and is not asked for what it lacks."""
    assert [problem.code for problem in check(base(tmp_path, {"slow-list": "---\ntitle: [\n---\n"})).problems] == [
        "PK002"
    ]


def test_the_report(tmp_path: Path) -> None:
    """Problems are told by story and by file; a story is bad when it has an error, not when it has a warning."""
    over = "timeboxes: [{date: 2026-09-01, question: b, budget: 2h, spent: 3h}]"
    stories = {"a": LEAST, "b": LEAST + over, "c": LEAST + "odd: 1"}
    (tmp_path / "stories").mkdir()
    (tmp_path / "stories/notes.txt").touch()
    report = check(base(tmp_path, stories, settings=SETTINGS + "odd: 1"))
    assert [report.bad(slug) for slug in ("a", "b", "c", "missing")] == [False, False, True, False]
    assert told(report.problems) == [
        "site-config/knowledge-base.yml:5:1 PK101", "stories/b.md:5:57 PK303", "stories/c.md:5:1 PK101",
        "stories/notes.txt PK007",
    ]  # fmt: skip
    assert {problem.code for problem in report.errors} == {"PK101", "PK007"}


def test_only_some_paths() -> None:
    """Problems are picked by file, by folder, or all of them."""
    problems = [
        Problem(Where(path), "PK007", "") for path in ("stories/a", "stories/a.md", "stories/a/b", "site-config/c")
    ]

    def picked(*paths: str) -> list[str]:
        return [problem.where.path for problem in only(problems, paths)]

    assert picked() == picked(".") == [problem.where.path for problem in problems]
    assert picked("stories/a") == ["stories/a", "stories/a/b"]
    assert picked("stories/") == ["stories/a", "stories/a.md", "stories/a/b"]
    assert picked("stories/a.md", "site-config") == ["stories/a.md", "site-config/c"]
    assert picked("stor") == []


def test_problems_are_one_line() -> None:
    """A problem is one line, with its place, its code and its hint."""
    where = Where("stories/a.md", 3, 5)
    assert str(Problem(where, "PK101", "a", "b")) == "stories/a.md:3:5: PK101 a (b)"
    assert str(Problem(Where("a"), "PK101", "a", severity="warning")) == "a: PK101 warning: a"
    assert (
        str(Problem(where, "PK101", "a\nb\u202e\x1b\udcff ü 🐌"))
        == r"stories/a.md:3:5: PK101 a\nb\u202e\x1b\udcff ü 🐌"
    )


def test_did_you_mean() -> None:
    """The closest word is suggested, else all are listed; of nothing there is nothing to say."""
    assert did_you_mean("tikets", ["tags", "tickets"]) == "did you mean tickets?"
    assert did_you_mean("xyz", ["b", "a"]) == "known: a, b"
    assert did_you_mean("xyz", []) == ""


LINES = [
    line
    for story in sorted((CASES / "mistakes/stories").glob("wrong-*.md"))
    for line in story.read_text(encoding="utf-8").split("\n")
]


@given(st.lists(st.sampled_from(LINES), max_size=30), st.lists(st.sampled_from(LINES), max_size=10))
def test_any_story(tmp_path_factory: pytest.TempPathFactory, front: list[str], body: list[str]) -> None:
    """Any lines of stories are checked without an error of ours, with problems at places that they have."""
    root = tmp_path_factory.getbasetemp() / "any-story"
    raw = document("\n".join(front), "\n".join(body))
    lines = raw.decode().split("\n")
    for problem in check(base(root, {"slow-list": raw})).problems:
        assert problem.code in CODES
        assert problem.where.line <= len(lines)
        assert problem.where.column <= len(lines[problem.where.line - 1]) + 1


def test_a_flood_of_problems(tmp_path: Path) -> None:
    """Of more than fifty problems of one story fifty are named, the errors first, and the rest is counted."""
    tickets = ", ".join(f"X-{number}" for number in range(80))
    front = f"{LEAST}tickets: [{tickets}]\nfixes: [{{id: a}}, {{id: a}}]\n"
    settings = SETTINGS + 'tickets: {"PERF-[0-9]+": "https://tickets.example/{}"}\n'
    problems = check(base(tmp_path, {"slow-list": front}, settings)).of_story["slow-list"]
    assert len(problems) == 51
    assert [each.code for each in problems if each.severity == "error"] == ["PK106"]
    assert [each.what for each in problems if "more" in each.what] == ["and at least 31 more"]


@pytest.mark.parametrize(("most", "field"), [(40, "telemetry"), (100, "hypotheses"), (100, "fixes")])
def test_as_many_as_can_be_drawn(tmp_path: Path, most: int, field: str) -> None:
    """A story has no more series, hypotheses and fixes than a build can fetch and draw."""
    entry = {"telemetry": "s{}: {{use: other_pages}}", "hypotheses": "{{id: h{}, because: a, written: 2026-09-01}}",
             "fixes": "{{id: f{}}}"}[field]  # fmt: skip
    for count in (most, most + 1):
        entries = ", ".join(entry.format(number) for number in range(count))
        value = f"{{{entries}}}" if field == "telemetry" else f"[{entries}]"
        story = base(tmp_path, {"slow-list": f"{LEAST}{field}: {value}\n"}).story("slow-list")
        expected = [f"{field}: has more entries than a page can show"] if count > most else []
        assert [each.what for each in story.problems] == expected
