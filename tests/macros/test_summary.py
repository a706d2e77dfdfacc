"""What stands at the top of a story's page, and the sentence for support."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from ingest.evidence import Facts, GoalFacts, Recent
from ingest.stats import Range
from macros.pages import story_page
from macros.site import Site, load_site
from macros.summary import against, sentence, summary, support_sentence
from tests.ingest.bases import base

SETTINGS = """\
url: https://perf.example/
accountable: "@performance"
areas: {campaigns: {title: Campaigns, team: "@growth"}}
now: 2026-11-01T06:00Z
"""
TITLE = "title: Campaign list is slow\n"


def site(root: Path, settings: str = SETTINGS, **fronts: str) -> Site:
    base(root, {slug: f"---\n{TITLE}{front}---\n" for slug, front in fronts.items()}, settings)
    return load_site(root, drafts=False)


def said(root: Path, front: str, settings: str = SETTINGS, **others: str) -> str:
    made = site(root, settings, slow=front, **others)
    return support_sentence(made, made.facts["slow"])


FOLLOW = "You can follow it here: https://perf.example/stories/slow/"
REPORT = "reports: [{date: 2026-09-01, said: it spins, customers: 3}, {date: 2026-09-02, said: slow}]\n"


def test_only_what_is_known(tmp_path: Path) -> None:
    """Customers are those of the reports; none are invented where there is no report, or only a count of them."""
    assert said(tmp_path / "a", f"status: reported\n{REPORT}") == (
        f"Yes, this is on our radar; 4 customers have told us. {FOLLOW}"
    )
    one = "status: reported\nreports: [{date: 2026-09-01, said: it spins}]\n"
    assert said(tmp_path / "b", one) == f"Yes, this is on our radar; 1 customer has told us. {FOLLOW}"
    counted = 'status: reported\nreports: [{source: desk, query: "tag:slow"}]\n'
    assert said(tmp_path / "c", counted) == f"Yes, this is on our radar. {FOLLOW}"
    both = 'status: reported\nreports: [{date: 2026-09-01, said: it spins}, {source: desk, query: "tag:slow"}]\n'
    assert said(tmp_path / "d", both) == f"Yes, this is on our radar; at least 1 customer has told us. {FOLLOW}"


def test_what_the_author_wrote_is_said(tmp_path: Path) -> None:
    """`say` becomes a sentence of its own; without an address of the site there is nothing to follow."""
    front = f"status: reported\nsay: We know why\n{REPORT}"
    assert "told us. We know why. You can" in said(tmp_path / "a", front)
    bare = SETTINGS.replace("url: https://perf.example/\n", "")
    assert said(tmp_path / "b", front, bare).endswith("told us. We know why.")


def test_a_repeated_story_says_what_the_other_says(tmp_path: Path) -> None:
    """Who asks about a duplicate is told of the story that is followed, and of everybody who has it."""
    told = said(
        tmp_path, f"status: reported\nsame_as: first\n{REPORT}", first=f"status: reported\nsay: We are at it.\n{REPORT}"
    )
    assert told == (
        "Yes, this is on our radar; 8 customers have told us. We are at it."
        " You can follow it here: https://perf.example/stories/first/"
    )


@pytest.mark.parametrize(
    ("status", "more", "begins"),
    [
        ("parked", "parked: {date: 2026-10-01, because: It is rare}\n", "Yes, we know of this, though it is not being"),
        ("shipped", "fixes: [{id: batch, shipped: 2026-10-25}]\n", "Yes, we know of this, and a fix is live"),
        ("measured", "fixes: [{id: batch, shipped: 2026-10-25}]\n", "Yes, this is on our radar"),
        ("confirmed", "", "Yes, this is on our radar"),
    ],
)
def test_openings(tmp_path: Path, status: str, more: str, begins: str) -> None:
    """Nobody is told that a parked problem is worked on, or that a fix is live that helped nobody."""
    assert said(tmp_path, f"status: {status}\n{more}{REPORT}").startswith(begins)


@pytest.mark.parametrize(
    ("low", "high", "stands"),
    [(0.5, 1.0, "met"), (1.0, 2.0, "missed"), (0.5, 2.0, "near"), (1.2, float("inf"), "missed")],
)
def test_against_the_goal(low: float, high: float, stands: str) -> None:
    """Of a figure that is known no better than a bucket, nobody claims on which side of the goal it lies."""
    recent = SimpleNamespace(figure=Range((low + high) / 2, low, high))
    goal = SimpleNamespace(below=1.0, series=SimpleNamespace(recent=cast(Recent, recent)))
    assert against(cast(GoalFacts, goal)) == stands


def test_nothing_to_stand_against() -> None:
    """Without a goal, or without data, nothing is claimed."""
    assert against(None) == ""
    assert against(cast(GoalFacts, SimpleNamespace(below=1.0, series=SimpleNamespace(recent=None)))) == ""


@pytest.mark.parametrize(
    ("text", "told"), [("It spins", "It spins."), ("Does it?", "Does it?"), (" a\n b. ", "a b."), ("", ""), (None, "")]
)
def test_sentences(text: str | None, told: str) -> None:
    """A sentence ends, once."""
    assert sentence(text) == told


def page_of(made: Site, facts: Facts, narrative: str = "") -> str:
    return story_page(made, facts, narrative, f"stories/{facts.slug}/", "").html


def test_who_comes_next(tmp_path: Path) -> None:
    """What comes next is its owner's, else the area's team's, else the performance team's."""
    areas = {"a": "area: campaigns\nowner: '@me'\n", "b": "area: campaigns\n", "c": ""}
    made = site(tmp_path, **{slug: f"status: reported\n{more}{REPORT}" for slug, more in areas.items()})
    assert [summary(made, made.facts[slug]).then_by for slug in "abc"] == ["@me", "@growth", "@performance"]


@pytest.mark.parametrize("attack", ['"><script>alert(1)</script>', "{{ 7 * 7 }}", "\u202eevil", "javascript:alert(1)"])
def test_hostile_words(tmp_path: Path, attack: str) -> None:
    """Nothing of a summary, a sentence or a reason is more than text."""
    quoted = attack.replace('"', "'")
    front = f'status: reported\nwhat: "w {quoted}"\nwho: "u {quoted}"\nsay: "s {quoted}"\nendpoints: ["e {quoted}"]\n'
    base(tmp_path, {"slow": f"---\n{TITLE}{front}{REPORT}---\n", "twin": f"---\n{TITLE}{front}{REPORT}---\n"}, SETTINGS)
    made = load_site(tmp_path, drafts=False)
    html = page_of(made, made.facts["slow"])
    assert "<script" not in html
    assert "49" not in html
    assert "\u202e" not in html
    assert 'href="javascript' not in html


def test_a_story_of_which_nothing_is_known(tmp_path: Path) -> None:
    """Unknown is said, and is never zero."""
    made = site(tmp_path, slow=f"status: reported\n{REPORT}")
    html = page_of(made, made.facts["slow"])
    assert "Nobody has said yet what exactly is slow, or for whom." in html
    assert "not measured yet" in html


def test_corners_of_tables_are_no_headers(tmp_path: Path) -> None:
    """An empty cell in a table's head heads nothing."""
    made = site(tmp_path, slow=f"status: reported\n{REPORT}")
    html = page_of(
        made, made.facts["slow"], '<table><thead><tr><th></th><th align="left"> </th><th>a</th></tr></table>'
    )
    assert '<tr><td></td><td align="left"></td><th>a</th></tr>' in html
