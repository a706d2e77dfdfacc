"""The handbook says what the code does."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from ingest.charts import CHARTS
from ingest.check import check
from ingest.codes import CODES
from ingest.schema import models_of
from ingest.settings import Settings, SourceBasics
from ingest.sources import SOURCES
from ingest.story import FrontMatter
from perfkb import perfkb
from tests.ingest.bases import LEAST, base

ROOT = Path(__file__).parent.parent
HANDBOOK = ROOT / "content/handbook"
PROBLEMS = (HANDBOOK / "problems.md").read_text(encoding="utf-8")
CONFIGURATION = (HANDBOOK / "configuration.md").read_text(encoding="utf-8")
STORIES = (HANDBOOK / "stories.md").read_text(encoding="utf-8")

SETTINGS = """
areas: {campaigns: {title: Campaigns}}
tickets: {"PERF-[0-9]+": "https://tickets.example/{}"}
series: {other_pages: {source: prod, kind: histogram, metric: http_request_duration_seconds, unit: s}}
now: 2026-11-01T06:00Z
"""
SOURCES_YML = 'prod: {kind: prometheus, url: "http://127.0.0.1:9090"}\n'
DEFAULTS = dict(line.split(": ", 1) for line in LEAST.splitlines())


def sections() -> dict[str, str]:
    """The sections of the handbook's problems by their headings."""
    parts = re.split(r"^## (.*)$", PROBLEMS, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def examples() -> Iterator[tuple[str, str, str]]:
    """The code, the title and the text of every example."""
    for heading, text in sections().items():
        for title, example in re.findall(r'^```\w+ title="([^"]*)"\n(.*?)^```$', text, re.MULTILINE | re.DOTALL):
            yield heading[:5], title, example


def codes_of(root: Path, title: str, example: str) -> set[str]:
    """What `check` finds where this example is the story `page-spins`, or the names of files in stories/."""
    base(root, {"slow-list": LEAST}, settings=SETTINGS, sources=SOURCES_YML)
    if example.startswith("stories/"):
        files = {name: f"---\n{LEAST}---\n" for name in example.split("\n") if name}
    elif title.endswith("the whole file"):
        files = {"stories/page-spins.md": example}
    else:
        given = {line.split(":")[0] for line in example.splitlines()}
        # What every story has is left out in the handbook.
        rest = "".join(f"{key}: {value}\n" for key, value in DEFAULTS.items() if key not in given)
        files = {"stories/page-spins.md": f"---\n{rest}{example}---\n"}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="latin-1" if title.endswith("saved as Latin-1") else "utf-8")
    problems = check(base(root, settings=SETTINGS, sources=SOURCES_YML)).problems
    return {problem.code for problem in problems}


def test_every_chart_has_its_heading() -> None:
    """The handbook has a heading for each kind of chart, with its title and its file's name."""
    text = (HANDBOOK / "charts.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    told = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert list(told) == [f"{chart.title} {{ #chart-{kind} }}" for kind, chart in CHARTS.items()]
    for chart, section in zip(CHARTS.values(), told.values(), strict=True):
        subject = "<series>" if chart.about == "series" else "<id>"
        assert f"`<slug>/{chart.stem.format(subject)}.svg`" in section


def test_every_source_has_its_heading() -> None:
    """The reference has a heading and the keys of each kind of source."""
    text = (HANDBOOK / "reference.md").read_text(encoding="utf-8")
    for kind in SOURCES:
        assert re.search(rf"^### .* {{ #source-{kind} }}$", text, re.MULTILINE), kind
        assert f'keys_table("{kind}")' in text


def test_every_problem_has_its_heading() -> None:
    """The handbook has a heading for each code, in their order, with its title and the anchor of the table."""
    assert list(sections()) == [f"{code}: {title} {{ #{code.lower()} }}" for code, title in CODES.items()]


def test_every_problem_has_its_examples() -> None:
    """Each code has a bad and a good example."""
    told = [(code, title.split(",")[0]) for code, title, _ in examples()]
    assert told == [(code, kind) for code in CODES for kind in ("bad", "good")]


@pytest.mark.parametrize(("code", "title", "example"), [*examples()])
def test_examples_of_problems(tmp_path: Path, code: str, title: str, example: str) -> None:
    """A bad example has exactly the problem that it stands for, and a good one has none."""
    assert codes_of(tmp_path, title, example) == ({code} if title.startswith("bad") else set())


def test_the_handbook_is_no_template() -> None:
    """A page that MkDocs renders calls macros, and holds no other sign of a template."""
    for page in sorted(HANDBOOK.glob("*.md")):
        calls = re.findall(r"\{\{.*?\}\}|\{%|\{#", page.read_text(encoding="utf-8"))
        assert [call for call in calls if not re.fullmatch(r"\{\{ \w+\((\"[\w-]+\")?\) \}\}", call)] == [], page.name


@pytest.mark.parametrize("command", sorted(perfkb.commands))
def test_every_command_is_told(command: str) -> None:
    """Each command stands in the README's table, and in the handbook by its full name."""
    assert re.search(rf"`{command}[ `]", (ROOT / "README.md").read_text(encoding="utf-8"))


def keys_of(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[str]:
    """Every key that a model and the models within it may have."""
    seen.add(model)
    for name, info in model.model_fields.items():
        yield info.alias or name
        for _, inner in models_of(info.annotation):
            if inner not in seen:
                yield from keys_of(inner, seen)


def told_in(text: str) -> set[str]:
    """The keys that a page writes as code: `key`, `key: value`, or in a block of YAML."""
    blocks = "\n".join(re.findall(r"^```yaml.*?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    spans = "\n".join(re.findall(r"`([^`\n]+)`", text))
    return {*re.findall(r"(?:^|[\s{])\"?(\w+)\"?(?=:|$)", f"{blocks}\n{spans}", re.MULTILINE)}


@pytest.mark.parametrize("kind", sorted(SOURCES))
def test_every_kind_of_source_is_told(kind: str) -> None:
    """Each kind of source has an example in the handbook, and all of its keys are told there."""
    assert f"kind: {kind}\n" in CONFIGURATION
    assert {*keys_of(SOURCES[kind].Options, set())} - told_in(CONFIGURATION) == set()


def test_every_key_of_the_configuration_is_told() -> None:
    """The handbook tells each key of knowledge-base.yml, and those that all sources share."""
    assert {*keys_of(Settings, set()), *keys_of(SourceBasics, set())} - told_in(CONFIGURATION + STORIES) == set()


def test_every_key_of_a_story_is_told() -> None:
    """The handbook tells each key of a story's front matter."""
    assert {*keys_of(FrontMatter, set())} - told_in(STORIES) == set()
