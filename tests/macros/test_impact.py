"""The impact page: what leadership reads, from no fix at all to one of each kind."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from markupsafe import Markup

from ingest.errors import UserError
from ingest.evidence import Facts
from ingest.quarters import close_quarter
from macros.impact import COLUMNS, MACROS, impact_files, quarter_pages
from macros.site import Site, load_site
from tests.ingest.bases import base
from tests.ingest.impacts import TODAY, change, disproved, facts, fix, hours, judged

SETTINGS = """\
areas: {lists: {title: Lists}}
now: 2026-11-01T06:00Z
"""
RATES = """\
rates:
  people: {per_hour: 60 EUR, as_of: 2026-09-01, source: "https://wiki.example/rates"}
  machines: {per_hour: 0.5 USD, as_of: 2026-09-01}
"""
TOLD = "area: lists\nhypotheses: [{id: h1, because: The disk is slow, written: 2026-08-30, verdict: disproved}]"
SLOW = facts(
    "slow",
    fix("win", judged(), hours=hours(1240, {"2026Q3": 900, "2026Q4": 340}), standing="held", expected="-25 %",
        took="4d", today=change(-0.18)),
    fix("faded", judged(), hours=hours(60), standing="eroded", since=TODAY.replace(month=10, day=9),
        lost=TODAY.replace(month=10, day=17), today=change(-0.07), took="2d"),
    fix("worse", judged("regressed", change(0.2)), hours=hours(-30)),
    fix("unseen", judged("undetected", change(-0.03, p=0.6))),
    fix("odd", judged("unusual", guard=change(-0.01))),
    fix("accepted", judged("unusual"), hours=hours(10), accept="The incident was elsewhere"),
    fix("job", judged(), hours=hours(50, unit="machine-hours"), standing="held"),
    fix("soon", state="preliminary", shipped="2026-10-20", due=TODAY.replace(day=4)),
    fix("overdue", state="due", shipped="2026-10-10", due=TODAY.replace(month=10, day=25)),
    fix("dark", state="unmeasured", why="it names no series that has data"),
    fix("idea", state="planned", shipped=None, expected="-70 %"),
    front=TOLD,
    tests=(disproved(),),
)  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return base(tmp_path, settings=SETTINGS).root


def site_of(root: Path, *stories: Facts, settings: str = SETTINGS) -> Site:
    base(root, settings=settings)
    return replace(load_site(root, drafts=False), facts={each.slug: each for each in stories})


def shown(site: Site, name: str, **given: str) -> str:
    """What a macro shows, as its reader sees it."""
    return words(MACROS[name](site, "../", **given))


def words(html: Markup) -> str:
    text = re.sub(r"<svg.*?</svg>", "", html, flags=re.DOTALL)
    return " ".join(Markup(re.sub(r"<(?!br)[^>]*>", " ", text)).unescape().split())  # noqa: S704  # read, not shown


@pytest.mark.parametrize("name", MACROS)
def test_nothing_yet(root: Path, name: str) -> None:
    """A knowledge base without fixes says kindly that there is nothing yet."""
    assert re.search("No |Quarters begin", shown(site_of(root), name))


def test_the_first_screen(root: Path) -> None:
    """What was gained, how sure that is, whether it lasted and what is next stand in few words and numbers."""
    told = shown(site_of(root, SLOW), "impact_summary")
    assert "1,280 user-hours saved so far between 1,030 and 1,530" in told
    assert "50 machine-hours saved so far between 40 and 60" in told
    assert "3 of 7 judged fixes improved what they should, measurably" in told
    assert "1 more counts although the week before was unusual. 1 made it worse. All intervals are 95 %." in told
    assert "2 of 3 gains watched hold" in told
    assert "became smaller since 9 Oct 2026" in told
    assert "1 fix is still to be judged next, on 4 Nov 2026" in told
    assert "1 judgement is overdue: perfkb pin . 1 fix is in work." in told
    assert "The 2 judged fixes took 6 working days together; of 5 more nobody said." in told


def test_without_a_store(root: Path) -> None:
    """A fresh clone shows what is pinned, and says that hours need data."""
    bare = facts("slow", fix("win", judged()), rows=[])
    site = site_of(root, bare)
    told = shown(site, "impact_summary")
    assert "Hours need data, and none is here: perfkb refresh" in told
    assert "That needs data, and none is here" in told
    assert "1 of 1 judged fix improved" in told
    assert "none counted: there is no data of it here" in shown(site, "impact_table")


def test_early_gains(root: Path) -> None:
    """Before a day was watched it is too early to say whether a gain lasts."""
    told = shown(site_of(root, facts("slow", fix("win", judged(), hours=hours(5)))), "impact_summary")
    assert "Too early to say. 1 gain was judged" in told


def test_quarters(root: Path) -> None:
    """Every quarter stands in the table with its hours; it says whether it is running, open or closed."""
    site = site_of(root, SLOW)
    told = shown(site, "impact_history")
    assert re.search(r"Q4 2026 340 user-hours between 272 and 408 none counted 2 0 0 running", told)
    assert re.search(
        r"Q3 2026 940 user-hours between \d+ and 1,\d+ 50 machine-hours between 40 and 60 8 7 3 over", told
    )
    assert "Restatements" not in told
    html = MACROS["impact_history"](site, "../")
    assert html.count("<svg") == 2
    assert 'href="../impact-user-hours.csv"' in html


ROUNDED = "Each figure is rounded by itself: here the quarters add up to 454 user-hours, and the whole is 455."


@pytest.mark.parametrize(("last", "told"), [(203.365, True), (203.801, False)])
def test_quarters_that_seem_to_add_up_otherwise(root: Path, last: float, told: bool) -> None:
    """Where rounding makes the quarters come to another number than the whole, the page says so; else it does not."""
    parts = {"2026Q3": 251.199, "2026Q4": last}
    site = site_of(root, facts("slow", fix("win", judged(), hours=hours(sum(parts.values()), parts))))
    assert (ROUNDED in shown(site, "impact_history")) is told
    assert ("rounded" in shown(site, "impact_history")) is told


def test_fixes_of_a_quarter_that_seem_to_add_up_otherwise(root: Path) -> None:
    """The page of a quarter says the same of the fixes whose hours it lists."""
    of = {name: fix(name, judged(), hours=hours(value)) for name, value in (("a", 14.479), ("b", 98.678), ("c", 9.41))}
    told = shown(site_of(root, facts("slow", *of.values())), "impact_quarter", quarter="2026Q3")
    assert "here the fixes add up to 122 user-hours, and the whole is 123." in told
    told = shown(site_of(root / "two", facts("slow", of["a"], of["b"])), "impact_quarter", quarter="2026Q3")
    assert "rounded" not in told


def test_a_closed_quarter(root: Path) -> None:
    """A closed quarter leads to what was stated, and what would be stated otherwise is listed with its fix."""
    first = facts("slow", fix("win", judged(), hours=hours(100)))
    close_quarter(base(root, settings=SETTINGS), [first], "2026Q3")
    same = site_of(root, first)
    assert "closed 1 Nov 2026" in shown(same, "impact_history")
    assert "None: what was stated of every closed quarter would be stated again today." in shown(same, "impact_history")
    other = site_of(root, facts("slow", fix("win", judged(), hours=hours(70))))
    assert "T (win) was 100 user-hours, is 70 user-hours" in shown(other, "impact_history")
    assert "100 user-hours saved so far" in shown(other, "impact_summary"), "as it was stated"
    assert json.loads(impact_files(other)["impact-2026Q3.json"])["quarter"] == "2026Q3"


def test_a_new_method(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the method's version changes, the page says so beside what was stated with the old one."""
    first = facts("slow", fix("win", judged(), hours=hours(100)))
    close_quarter(base(root, settings=SETTINGS), [first], "2026Q3")
    monkeypatch.setattr("macros.impact.METHOD", "2")
    site = site_of(root, first)
    assert "1 judgement was made with version 1 of the method, and it stands as stated" in shown(site, "impact_method")
    assert "with version 1 of the method; today's is 2" in shown(site, "impact_history")


def test_equivalents(root: Path) -> None:
    """Each unit has its equivalent in money with rate, source and date, and no sum of the two stands anywhere."""
    told = shown(site_of(root, SLOW, settings=SETTINGS + RATES), "impact_history")
    assert "1,280 user-hours are an equivalent of 76,800 EUR , between 62,000 and 91,700, at 60 EUR an hour" in told
    assert "50 machine-hours are an equivalent of 25 USD , between 20 and 30, at 0.5 USD an hour (as of" in told
    assert "equivalent" not in shown(site_of(root, SLOW), "impact_history")


def test_what_became_of_each_fix(root: Path) -> None:
    """Every group has its heading and its fixes, and each number leads to the card of its fix."""
    html = MACROS["impact_table"](site_of(root, SLOW), "../")
    found = re.findall(r'<h3 id="pk-(\w+)">(.*?) <small>(\d+)', html)
    assert [(name, count) for name, _, count in found] == [
        ("win", "2"), ("faded", "1"), ("regression", "1"), ("undetected", "1"), ("unusual", "2"), ("due", "1"),
        ("preliminary", "1"), ("unmeasured", "1"), ("planned", "1"),
    ]  # fmt: skip
    told = words(html)
    assert "The gain eroded" in told
    assert "30 user-hours lost" in told
    assert "a change of 12 %, in four of five cases" in told
    assert "Accepted: The incident was elsewhere" in told
    assert "it names no series that has data" in told
    for row in re.findall(r"<tr><td>.*?</tr>", html, re.DOTALL):
        card = re.search(r"stories/slow/#pk-fix-[a-z]+", row)
        assert card
        assert row.count(card[0]) >= 1
    assert html.count("pk-made") >= 8


def test_a_claim_that_may_be_chance(root: Path) -> None:
    """A claim that does not stand beside the others is marked where it is made, and named where claims are counted."""
    nothing = [fix(f"n{number}", judged("undetected", change(p=0.5))) for number in range(4)]
    site = site_of(root, facts("slow", fix("weak", judged(of=change(p=0.04))), *nothing))
    assert "0 of 1 claims stand where at most 5 % may be chance" in shown(site, "impact_summary")
    assert "p95 may be chance" in shown(site, "impact_table")
    assert "Take as a maybe: T (weak)." in shown(site, "impact_method")


def test_nothing_unjudged_is_a_number(root: Path) -> None:
    """What the data says before the day of a judgement stands nowhere on the page, nor in its files."""
    early = fix(
        "soon", state="preliminary", shipped="2026-10-20", due=TODAY.replace(day=4), live=judged(of=change(-0.777))
    )
    site = site_of(root, facts("slow", early))
    assert "78 %" not in "".join(MACROS[name](site, "") for name in MACROS)
    assert "0.777" not in impact_files(site)["impact.csv"]


def test_disproved(root: Path) -> None:
    """A disproved belief stands with what the data said and where the threshold was."""
    told = shown(site_of(root, SLOW), "impact_disproved")
    assert "The disk is slow" in told
    assert "4 % between 2 % and 8 % a share, where 30 % was to be reached" in told


def test_areas(root: Path) -> None:
    """Areas stand by their titles; what is not sorted yet is called so."""
    told = shown(site_of(root, SLOW, facts("b", fix("win", judged(), hours=hours(7)))), "impact_areas")
    assert "Lists 1,280 user-hours" in told
    assert "not sorted yet 7 user-hours" in told


@pytest.mark.parametrize("name", [name for name in MACROS if name not in ("impact_areas", "impact_method")])
def test_one_area_alone(root: Path, name: str) -> None:
    """A page about one area shows that area's fixes alone; an unknown area is named."""
    site = site_of(root, SLOW, facts("zebra", fix("elsewhere", judged(), hours=hours(7), expected="-20 %")))
    assert "zebra" not in MACROS[name](site, "", area="lists")
    with pytest.raises(UserError, match="there is no area 'nowhere'"):
        MACROS[name](site, "", area="nowhere")


def test_as_csv(root: Path) -> None:
    """The CSV has a row a fix with its numbers in full, and no text that a spreadsheet runs."""
    site = site_of(root, SLOW, facts("b", fix("win", judged(), expected="-20 %", accept="=HYPERLINK(1)")))
    found = list(csv.DictReader(io.StringIO(impact_files(site)["impact.csv"])))
    assert tuple(found[0]) == COLUMNS
    win = next(row for row in found if (row["story"], row["fix"]) == ("slow", "win"))
    assert (win["effect"], win["hours"], win["unit"], win["took_days_low"]) == ("-0.2", "1240.0", "user-hours", "4.0")
    assert (win["shipped"], win["standing"], win["counts"], win["area"]) == ("2026-09-10", "held", "yes", "lists")
    assert len(found) == len(SLOW.fixes) + 1


def test_every_chart_has_its_files(root: Path) -> None:
    """Each chart is there as a picture and as numbers."""
    assert [*impact_files(site_of(root, SLOW))] == [
        "impact.csv", "impact-user-hours.svg", "impact-user-hours.csv", "impact-machine-hours.svg",
        "impact-machine-hours.csv", "impact-expected.svg", "impact-expected.csv",
    ]  # fmt: skip


@pytest.mark.parametrize("name", MACROS)
def test_hostile_texts(root: Path, name: str) -> None:
    """Nothing that a story says becomes part of the page."""
    evil = "<img src=x onerror=alert(1)>{{ 1 }}"
    story = facts("slow", *SLOW.fixes.values(), front=TOLD, tests=(disproved(),))
    front = story.story.front
    hypotheses = tuple(
        each.model_copy(update={"because": evil, "slows": evil, "for_": evil}) for each in front.hypotheses
    )
    named = front.model_copy(update={"title": evil, "hypotheses": hypotheses})
    bad = {
        key: replace(
            each, fix=each.fix.model_copy(update={"accept": evil if each.fix.accept else None, "ticket": evil})
        )
        for key, each in story.fixes.items()
    }
    html = MACROS[name](site_of(root, replace(story, story=replace(story.story, front=named), fixes=bad)), "../")
    assert "<img" not in html
    assert "{{" not in re.sub(r"\{\{ 1 \}\}", "", html)


def test_the_page_calls_every_macro() -> None:
    """The page that comes with the product shows all of its parts; a quarter has a page of its own."""
    page = Path(__file__).parent.parent.parent / "content/impact.md"
    called = re.findall(r"\{\{ (\w+)\(\) \}\}", page.read_text(encoding="utf-8"))
    assert sorted(called) == sorted(MACROS.keys() - {"impact_quarter"})


def test_a_quarter_of_its_own(root: Path) -> None:
    """The page of a quarter has the fixes that shipped in it, and the hours of all that saved some in it."""
    late = fix("late", judged(of=change(-0.4)), shipped="2026-10-02", hours=hours(70, {"2026Q4": 70}))
    site = site_of(root, facts("slow", fix("win", judged(), hours=hours(1240, {"2026Q3": 900, "2026Q4": 340})), late))
    third, fourth = (shown(site, "impact_quarter", quarter=name) for name in ("2026Q3", "2026Q4"))
    assert "900 user-hours saved in Q3 2026 between 720 and 1,080" in third
    assert "1 of 1 judged fix that shipped in it improved" in third
    assert "late" not in third
    assert "410 user-hours saved in Q4 2026 so far" in fourth
    assert "340 user-hours between 272 and 408" in fourth, "it goes on saving"
    assert "1 of 1 judged fix that shipped in it improved" in fourth
    assert "It runs until 31 Dec 2026" in fourth
    assert "over and not closed yet" in third


def test_the_quarter_that_is_shown_without_a_name(root: Path) -> None:
    """Without a name it is the last quarter that is over; an unknown one is named with those that are known."""
    site = site_of(root, SLOW)
    assert "Saved in Q3 2026" in shown(site, "impact_quarter")
    with pytest.raises(UserError, match="there is no quarter '2025Q1'") as caught:
        MACROS["impact_quarter"](site, "", quarter="2025Q1")
    assert caught.value.hint == "known: 2026Q3, 2026Q4"


def test_a_closed_quarter_of_its_own(root: Path) -> None:
    """The page of a closed quarter keeps its hours, lists what would be said otherwise, and a fix that is gone."""
    first = facts("slow", fix("win", judged(), hours=hours(100)))
    gone = facts("gone", fix("win", judged(), hours=hours(30)))
    close_quarter(base(root, settings=SETTINGS), [first, gone], "2026Q3")
    told = shown(site_of(root, facts("slow", fix("win", judged(), hours=hours(70)))), "impact_quarter")
    assert "Closed 1 Nov 2026" in told
    assert "130 user-hours saved in Q3 2026" in told
    assert "gone/win as it was stated; there is no such story any more 30 user-hours" in told
    assert "was 100 user-hours, is 70 user-hours" in told


def test_every_quarter_has_its_page(root: Path) -> None:
    """Each quarter has a page at an address that stays, to which the table of quarters leads."""
    site = site_of(root, SLOW)
    assert list(quarter_pages(site)) == ["impact/2026Q3.md", "impact/2026Q4.md"]
    assert '{{ impact_quarter("2026Q3") }}' in quarter_pages(site)["impact/2026Q3.md"]
    assert 'href="../impact/2026Q3/"' in MACROS["impact_history"](site, "../")
    assert quarter_pages(site_of(root)) == {}
