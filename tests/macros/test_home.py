"""Home: alive where something happens, and helpful where nothing has yet."""

import re
from pathlib import Path

import pytest
from markupsafe import Markup

from ingest.check import check
from ingest.evidence import Facts
from ingest.evidence.load import load_facts
from macros.home import MACROS
from macros.site import Site
from tests.ingest.bases import base
from tests.ingest.impacts import TODAY, change, facts, fix, hours, judged

SETTINGS = """\
url: https://perf.example/
areas: {lists: {title: Lists}}
office_hours: Thursdays at two
report_form: "https://tickets.example/new?title={title}&story={url}"
now: 2026-11-01T06:00Z
"""
LIST = """\
title: Campaign list is slow
status: investigating
area: lists
what: The list
symptoms: [page spins, it hangs]
say: We know of it.
workaround: Filter first.
reports: [{date: 2026-10-01, said: it spins, customers: 4}]
timeboxes: [{date: 2026-11-01, question: Where does it wait?, budget: 2h}]
"""
NEW = "title: Login is slow\nstatus: reported\nreports: [{date: 2026-10-30, said: stuck on signing in}]\n"


def site_of(root: Path, *judged_stories: Facts, settings: str = SETTINGS, **stories: str) -> Site:
    known = base(root, {name.replace("_", "-"): text for name, text in stories.items()}, settings=settings)
    report = check(known)
    found = [*load_facts(known, report.of_story, known.stories), *judged_stories]
    return Site(known, report, {each.slug: each for each in found}, {})


def shown(site: Site, name: str) -> str:
    """What a macro shows, as its reader sees it."""
    html = MACROS[name](site, "./")
    text = Markup(re.sub("<[^>]*>", " ", html)).unescape()  # noqa: S704  # read, not shown
    return re.sub(r" (?=[,;:.])", "", " ".join(text.split()))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("home_radar", "No customer has reported anything that is still open."),
        ("home_now", "No timebox is open, no test is running and no fix waits to be judged."),
        ("home_help", "Nothing waits for anybody"),
        ("home_wins", "No fix has been judged as an improvement yet."),
        ("home_changed", 'There is no story yet. Write the first: perfkb new "Checkout spins"'),
        ("home_stages", "Reported 0"),
    ],
)
def test_nothing_yet(tmp_path: Path, name: str, said: str) -> None:
    """A knowledge base without stories says what will stand in each part, and how to begin."""
    assert said in shown(site_of(tmp_path), name)


def test_on_our_radar(tmp_path: Path) -> None:
    """Support sees the words of customers, the story, the stage, what may be said and what helps; most heard first."""
    told = shown(site_of(tmp_path, campaign_list=LIST, login=NEW), "home_radar")
    assert "page spins, it hangs Campaign list is slow Investigating 4 customers, last 1 Oct 2026" in told
    assert "You may say We know of it. Meanwhile Filter first." in told
    assert "stuck on signing in Login is slow Reported 1 customer 30 Oct 2026" in told
    assert "Nobody has written what to say" in told
    assert told.index("Campaign list") < told.index("Login is slow")


def test_settled_stories_are_off_the_radar(tmp_path: Path) -> None:
    """What is measured or parked is not what customers call about."""
    parked = NEW.replace("reported\n", "parked\n") + "parked: {date: 2026-10-31, because: Rare}\n"
    assert "Login" not in shown(site_of(tmp_path, login=parked), "home_radar")


def test_looked_at_now(tmp_path: Path) -> None:
    """Open timeboxes stand there with their question, fixes with the day of their judgement."""
    soon = fix("soon", state="preliminary", shipped="2026-10-20", due=TODAY.replace(day=4))
    told = shown(site_of(tmp_path, facts("fixed", soon), campaign_list=LIST), "home_now")
    assert "Where does it wait? a timebox since 1 Nov 2026 · Campaign list is slow" in told
    assert "T soon shipped 20 Oct 2026; it is judged on 4 Nov 2026" in told


def test_help_is_wanted(tmp_path: Path) -> None:
    """What nobody has looked at is offered with the questions that are open, and the office hours."""
    told = shown(site_of(tmp_path, login=NEW), "home_help")
    assert "Login is slow Nobody has looked at it yet Who knows? For whom is it slow? What is slow?" in told
    assert "Office hours Thursdays at two" in told


def test_a_hidden_question_is_not_asked(tmp_path: Path) -> None:
    """Of what the site hides, Home does not even ask."""
    answered = (
        LIST + "who: a\nwhen: a\nwhere: a\nwhy: a\ncustomer: {impact: a, affected: a, video: a, blocks_workflow: a}\n"
    )
    asked = answered.replace("timeboxes: [{date: 2026-11-01, question: Where does it wait?, budget: 2h}]\n", "") + (
        "timeboxes: [{date: 2026-10-01, question: Where does it wait?, budget: 2h, spent: 1h}]\n"
    )
    assert "How much do they pay?" in shown(site_of(tmp_path, campaign_list=asked), "home_help")
    hidden = SETTINGS + "hide: [revenue, downstream, support_toil, churn]\n"
    assert "Nothing waits for anybody" in shown(site_of(tmp_path, settings=hidden, campaign_list=asked), "home_help")


def test_wins_and_gains_lost(tmp_path: Path) -> None:
    """Wins stand with their interval, hours and doubt, the latest first; below them the gains that went."""
    won = facts("won", fix("old", judged(stated="2026-10-01")), fix("batch", judged(), hours=hours(1240)))
    since = TODAY.replace(month=10, day=9)
    lost = facts("lost", fix("index", judged(), standing="eroded", since=since, today=change(-0.07)))
    told = shown(site_of(tmp_path, won, lost), "home_wins")
    assert "−20 % T batch: p95, between −30 % and −10 %; judged 20 Oct 2026; 1,240 user-hours so far" in told
    assert told.index("batch:") < told.index("old:")
    assert "T The gain eroded since 9 Oct 2026: −7 % is left of −20 %" in told


def test_lately_changed(tmp_path: Path) -> None:
    """Every story stands there once, with the last thing that happened; the feed is offered where there is one."""
    told = shown(site_of(tmp_path, campaign_list=LIST, login=NEW), "home_changed")
    assert told.count("Campaign list is slow") == 1
    assert "Login is slow Reported 30 Oct 2026: Reported: “stuck on signing in”" in told
    assert "Follow all that happens in a feed reader" in told
    silent = site_of(tmp_path, settings="areas: {lists: {title: Lists}}\nnow: 2026-11-01T06:00Z\n", login=NEW)
    assert "Follow" not in shown(silent, "home_changed")


def test_repeats_are_told_once(tmp_path: Path) -> None:
    """A story that repeats another stands in no part of Home."""
    twice = NEW.replace("Login is slow", "Sign-in is slow") + "same_as: login\n"
    site = site_of(tmp_path, login=NEW, sign_in=twice)
    assert "Sign-in" not in shown(site, "home_summary")


def test_home_shows_all_of_its_parts() -> None:
    """The page that comes with the product calls each part of Home once."""
    page = (Path(__file__).parent.parent.parent / "content/index.md").read_text(encoding="utf-8")
    called = [name for name in re.findall(r"\{\{ (\w+)\(\) \}\}", page) if name.startswith("home_")]
    assert sorted(called) == sorted(MACROS.keys() - {"home_summary"})
