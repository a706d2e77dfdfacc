import time
from pathlib import Path

import pytest

from ingest.check import check
from ingest.knowledge import read_knowledge_base
from tests.ingest.bases import LEAST, base, document, told

OTHER = """\
# Its heading

## A `code` and *more* { .class }

Given [by hand](#x){ #given }.[^note]

[^note]: A footnote.

??? note "Folded"
    ### Inside
"""
TELEMETRY = "telemetry: {totals: {source: demo, kind: total, query: totals}}\n"
FROM_HERE = "begin at this folder: other-story.md, or ../impact.md for a page)"
PINNED = "slow-list/pinned/h1/numbers.json"


def links(root: Path, body: str) -> list[str]:
    """What `check` says of a text, beside a story `other`, and pages below content/."""
    (root / "content/stories").mkdir(parents=True)
    (root / "content/stories/index.md").write_text("# Stories\n")
    (root / "content/impact.md").write_text("# Impact\n")
    stories = {"slow-list": document(LEAST + TELEMETRY, body), "other": document(LEAST, OTHER)}
    problems = check(base(root, stories)).problems
    return [f"{each.what} ({each.hint})" for each in problems if each.where.path.endswith("slow-list.md")]


@pytest.mark.parametrize(
    "target",
    [
        "other.md", "./other.md", "../stories/other.md", "other.md?x=1", "<other.md>", "other.md 'title'", "othe%72.md",
        "#own", "other.md#its-heading", "other.md#a-code-and-more", "other.md#given", "other.md#inside",
        "other.md#fn:note", "other.md#pk-timeline", "index.md", "index.md#whatever", "../impact.md", "../impact.md#x",
        "slow-list/totals.svg", "slow-list/totals.csv", "slow-list/totals.days.csv", PINNED,
        "https://a.example/b.md", "mailto:a@b.example", "//a.example/x.md", "../assets/picture.png", "a.b", "()",
    ],
)  # fmt: skip
def test_links_that_lead_somewhere(tmp_path: Path, target: str) -> None:
    """Stories, their headings, footnotes and ids, pages, charts and numbers can be linked to."""
    assert links(tmp_path, f"## Own\n\n[A link]({target}).\n") == []


@pytest.mark.parametrize("target", ["plan.md", "plan.md#its-heading", "plan/totals.svg", "plan/totals.csv"])
def test_links_to_drafts(tmp_path: Path, target: str) -> None:
    """What no reader sees can be linked to by another draft alone."""
    plan, text = document(LEAST + TELEMETRY + "draft: true\n", "# Its heading\n"), f"[A link]({target}).\n"
    stories = {"plan": plan, "slow-list": document(LEAST, text), "sketch": document(LEAST + "draft: true\n", text)}
    (said,) = check(base(tmp_path, stories)).problems
    assert str(said) == (
        "stories/slow-list.md:6:10: PK211 plan is a draft, which no reader sees "
        "(make this one a draft too, or that one none)"
    )


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("othr.md", "there is no story 'othr' (did you mean other.md?)"),
        ("../impct.md", "there is no page content/impct.md (did you mean impact.md?)"),
        ("../other.md", "there is no page content/other.md (known: impact.md, stories/index.md)"),
        ("#onw", "stories/slow-list.md has no heading #onw (did you mean #own?)"),
        ("other.md#insid", "stories/other.md has no heading #insid (did you mean other.md#inside?)"),
        ("other", "'other' leads nowhere (write other.md)"),
        ("other/", "'other/' leads nowhere (write other.md)"),
        ("othr/", "'othr/' leads nowhere (did you mean other.md?)"),
        ("slow-list/total.csv", "there are no numbers 'slow-list/total.csv' (did you mean slow-list/totals.csv?)"),
        ("slow-list/total.svg", "there is no chart 'slow-list/total.svg' (did you mean slow-list/totals.svg?)"),
        ("/other/", "'/other/' begins at the host, and the site may lie below it (" + FROM_HERE),
    ],
)  # fmt: skip
def test_links_that_lead_nowhere(tmp_path: Path, target: str, message: str) -> None:
    """Each is named, with what may have been meant."""
    assert links(tmp_path, f"## Own\n\n[A link]({target}).\n") == [message]


def test_definitions_and_code(tmp_path: Path) -> None:
    """A definition is a link; what stands in code of any kind is none."""
    body = (
        "A [link][there], `[code](no.md)` and ``[a ` b](no.md)``.\n\n<!-- [gone](never.md) -->\n\n"
        "    [code](nor.md)\n\n"
        "```\n[code](neither.md)\n```\n\n[there]: nowhere.md\n"
    )
    assert links(tmp_path, body) == ["there is no story 'nowhere' (did you mean other.md?)"]


def test_places(tmp_path: Path) -> None:
    """A problem stands where the address begins."""
    stories = {"slow-list": document(LEAST, "One.\n\nSee [a](a.md) and\n[b](b.md).\n")}
    assert told(check(base(tmp_path, stories)).problems) == ["8:9 PK211", "9:5 PK211"]


def test_many_links_are_checked_in_no_time(tmp_path: Path) -> None:
    """A text of nothing but broken links among a thousand stories keeps nobody waiting."""
    many = {f"story-{number}": LEAST for number in range(1000)}
    line = "".join(f"[a](story{number}.md#x)" for number in range(300))
    begun = time.process_time()
    report = check(base(tmp_path, {**many, "slow-list": document(LEAST, f"{line}\n\n" * 8)}))
    assert len(report.of_story["slow-list"]) == 51
    assert time.process_time() - begun < 20


@pytest.mark.parametrize(
    "text", ["`" * 900, "` `` " * 300, "[a](b.md)" * 800, "![](" * 900, "](" * 900, "# ![a](#b)\n\n" * 400, "{#" * 3000]
)
def test_no_text_takes_long(tmp_path: Path, text: str) -> None:
    """What was made to keep a reader busy does not."""
    body = "\n\n".join([f"{text[:7000]} [a](#b)"] * 8)
    begun = time.process_time()
    check(base(tmp_path, {"slow-list": document(LEAST, body)}))
    assert time.process_time() - begun < 2


def test_the_sample_links_to_itself() -> None:
    """The sample's stories link to headings, stories and pages, all of which are there."""
    sample = read_knowledge_base(Path(__file__).parents[2], {})
    assert [each for each in check(sample).problems if each.code == "PK211"] == []
    assert sum("](../" in story.body or ".md)" in story.body for story in sample.stories) > 3
