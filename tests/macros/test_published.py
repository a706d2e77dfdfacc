"""stories.json: the keys that the handbook tells, and nothing that a site hides."""

import json
from pathlib import Path

from ingest.check import check
from ingest.evidence.load import load_facts
from macros.published import StoriesFile, stories_json
from macros.reference import keys_of
from macros.site import Site
from macros.tables import MACROS
from tests.ingest.bases import base

STORY = """\
title: Campaign list is slow
status: reported
area: campaigns
symptoms: [page spins]
say: We know of it.
customer: {impact: SECRET, churn: SECRET}
reports: [{date: 2026-09-01, said: it spins, customers: 3}]
telemetry: {other: {use: other_pages}}
"""
PATHS = {
    "format", "name", "url", "as_of", "stories", "stories[].slug", "stories[].url", "stories[].feed", "stories[].title",
    "stories[].status", "stories[].area", "stories[].owner", "stories[].opened", "stories[].updated",
    "stories[].tickets", "stories[].tags", "stories[].endpoints", "stories[].symptoms", "stories[].say",
    "stories[].workaround", "stories[].same_as", "stories[].customers_reporting", "stories[].health",
    "stories[].series", "stories[].series[].name", "stories[].series[].kind", "stories[].series[].unit",
    "stories[].series[].figure", "stories[].series[].health", "stories[].series[].data_until",
    "stories[].series[].csv", "stories[].series[].days_csv",
}  # fmt: skip
"""What other tools rely on: a key may be added here, and none is taken away without a new format."""


def site_of(root: Path, settings: str) -> Site:
    known = base(root, {"slow-list": STORY}, settings=settings)
    report = check(known)
    return Site(known, report, {each.slug: each for each in load_facts(known, report.of_story, known.stories)}, {})


SETTINGS = """\
areas: {campaigns: {title: Campaigns, team: "@growth"}}
series: {other_pages: {source: demo, kind: histogram, metric: other, unit: s}}
now: 2026-11-01T06:00Z
"""


def test_what_is_published(tmp_path: Path) -> None:
    """A story has its words for support, its owner and its telemetry; what is not known is null."""
    made = json.loads(stories_json(site_of(tmp_path, SETTINGS)))
    (story,) = made["stories"]
    assert (made["format"], made["url"], made["as_of"]) == (1, None, "2026-11-01T06:00:00Z")
    assert (story["url"], story["feed"]) == ("stories/slow-list/", None)
    assert (story["symptoms"], story["say"], story["workaround"]) == (["page spins"], "We know of it.", None)
    assert (story["owner"], story["opened"], story["customers_reporting"]) == ("@growth", "2026-09-01", 3)
    assert [(each["name"], each["health"], each["data_until"]) for each in story["series"]] == [
        ("other", "missing", None)
    ]


def test_with_an_address(tmp_path: Path) -> None:
    """Where the site has an address, it is told, and each story has its feed."""
    made = json.loads(stories_json(site_of(tmp_path, f"url: https://perf.example/\n{SETTINGS}")))
    assert made["url"] == "https://perf.example/"
    assert made["stories"][0]["feed"] == "stories/slow-list/feed.xml"


def test_no_answers_about_customers(tmp_path: Path) -> None:
    """What is known of customers is not in it, whether the site hides it or not."""
    for hide in ("", "hide: [churn]\n"):
        assert "SECRET" not in stories_json(site_of(tmp_path, SETTINGS + hide))


def test_keys_stay(tmp_path: Path) -> None:
    """No key that other tools rely on is missing, and every story has all of them."""
    told = {key.path for key in keys_of(StoriesFile)}
    assert told >= PATHS
    made = json.loads(stories_json(site_of(tmp_path, SETTINGS)))
    assert {*made, *(f"stories[].{key}" for key in made["stories"][0])} <= told
    assert {path for path in told if path.count(".") == 1} == {f"stories[].{key}" for key in made["stories"][0]}


def test_every_key_is_in_the_handbook(tmp_path: Path) -> None:
    """The handbook's table has each key with its explanation, and the page calls that table."""
    html = str(MACROS["keys_table"](site_of(tmp_path, SETTINGS), "../", "stories-json"))
    for key in keys_of(StoriesFile):
        assert f"<code>{key.path}</code>" in html
        assert key.text
    page = Path(__file__).parent.parent.parent / "content/handbook/following.md"
    assert '{{ keys_table("stories-json") }}' in page.read_text(encoding="utf-8")
