"""The page of Priorities: what each story shows, what is hidden, and how its filter works."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from ingest.evidence import Facts
from macros.scaffold import make_knowledge_base
from macros.site import Site, load_site
from macros.tables import priorities_table
from tests.browsing import address_of, served, watched
from tests.commands import succeed
from tests.ingest.options import facts, series_text, shared
from tests.servers import require

CHOSEN = """chosen: {date: 2026-09-03, because: A renewal in January.}
customer: {revenue: {value: 18 %, as_of: 2026-09-05}, blocks_workflow: Yes, they cannot send, churn: Two left}"""
MACHINES = (series_text("whole", waiting="machines"), series_text("part"))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = tmp_path_factory.mktemp("priorities") / "kb"
    make_knowledge_base(made)
    return replace(load_site(made, drafts=False), facts={})


def page_of(site: Site, *stories: Facts, area: str = "") -> str:
    return str(priorities_table(replace(site, facts={each.slug: each for each in stories}), "../", area))


def some() -> list[Facts]:
    customer = CHOSEN.replace("Yes, they cannot send", '"Yes, they cannot send"')
    return [
        shared("best", 100, "2d", spread=1.2), shared("behind", 20, "5d", more=customer),
        shared("last", 10, "9d"), shared("rating", 5, "1d", telemetry=MACHINES), shared("unpriced", 30),
        facts("untested", hours=900, effort="1d", title="Untested"), facts("dark", telemetry=(), title="Dark"),
    ]  # fmt: skip


def test_bands_and_reasons(empty: Site) -> None:
    """Stories stand under what can be said of them, each with its numbers, how they were made, and the reason."""
    html = page_of(empty, *some())
    order = [">Nothing else gives more", ">Best<", ">Rating<", ">A story above gives more for less", ">Behind<",
             ">Several stories give more for less", ">Last<", ">Worth looking at next", ">Nobody knows yet what part",
             ">Untested<", ">Nobody has said what a fix", ">Unpriced<", ">Too little data", ">Dark<"]  # fmt: skip
    places = [html.index(each, html.index("</form>")) if each != ">Untested<" else html.rindex(each) for each in order]
    assert places == sorted(places)
    assert "about 100 user-hours a week (83 to 120)" in html
    assert "50\u00a0% of 200 user-hours a week of “The page” pass in “The lock”" in html
    assert "about 5 machine-hours a week" in html
    assert "“Best” gives more for less" in html
    assert "No series counts how many wait" in html


def test_judgement_stands_before_the_numbers(empty: Site) -> None:
    """Why a story was chosen is told before what could be won, and beside it what is no number."""
    html = page_of(empty, *some()).split(">Behind<")[1].split("</article>")[0]
    assert html.index("A renewal in January.") < html.index("Could be won")
    assert "Yes, they cannot send" in html
    assert "18\u00a0% <small>as of" in html


def test_hidden_fields_are_not_shown(empty: Site) -> None:
    """What the configuration hides is not on the page."""
    settings = empty.settings.model_copy(update={"hide": ("revenue", "churn")})
    config = replace(empty.base.config, settings=settings)
    html = page_of(replace(empty, base=replace(empty.base, config=config)), *some())
    assert "Yes, they cannot send" in html
    assert "18\u00a0%" not in html
    assert "18 %" not in html
    assert "Two left" not in html


def test_an_area_shows_its_own(empty: Site) -> None:
    """An area's page has its own stories alone, judged among all, and no chart of the others."""
    html = page_of(empty, *some(), shared("ours", 50, "5d", more="area: checkout"), area="checkout")
    assert html.count("<article") == 1
    assert "“Best” gives more for less" in html
    assert "<svg" not in html


def test_nothing_is_open(empty: Site) -> None:
    """Without open stories the page says so, without a filter."""
    html = page_of(empty, shared("done", 10, "1d", status="shipped"))
    assert "Nothing is open." in html
    assert "<form" not in html


@pytest.mark.parametrize("payload", ["<script>window.pwned=1</script>", '" onfocus="window.pwned=1', "{{ 7 * 191 }}"])
def test_texts_are_only_text(empty: Site, payload: str) -> None:
    """Titles, teams and reasons are escaped, also within attributes and within the reasons of other stories."""
    attack = shared("attack", 100, "1d", title=payload)
    html = page_of(empty, replace(attack, owner=payload), shared("behind", 10, "2d"))
    assert "<script" not in html
    assert '" onfocus' not in re.sub(r">[^<]*<", "><", html)
    assert "1337" not in html


TITLE = "The overview of all segments of an account with very many contacts"
BOXES = """texts => texts.map(each => {
    const { left, top, right, bottom } = each.getBoundingClientRect();
    // A line of text is lower than the box that a browser keeps for it.
    return [each.textContent, left, top + (bottom - top) / 6, right, bottom - (bottom - top) / 6];
})"""
STORY = """---
title: {title}
status: investigating
area: checkout
owner: "{owner}"
what: It is slow
reports: [{{date: 2026-01-01, said: slow}}]
timeboxes: [{{date: 2026-01-02, question: Why?, budget: 1h, outcome: A lock.{effort}}}]
---
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    require("chromium")
    root: Path = tmp_path_factory.mktemp("filter") / "kb"
    make_knowledge_base(root)
    (root / "stories/checkout-spins.md").unlink()
    for title, owner, effort in (("Quick", "@a & b", "1d"), ("Long", "@a & b", "2d-9d"), ("Other", "@c", "4h"),
                                 ("Unknown", "@c", "")):  # fmt: skip
        told = f", effort: {effort}" if effort else ""
        (root / f"stories/{title.lower()}.md").write_text(STORY.format(title=title, owner=owner, effort=told))
    succeed("-C", root, "build")
    with served(root / "site") as url:
        yield f"{url}priorities/"


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with watched(browser, address.removesuffix("priorities/")) as made:
        made.goto(address)
        yield made


def shown(page: Page) -> list[str]:
    return sorted(page.locator(".pk-option h3:visible").all_inner_texts())


def test_filter(page: Page, address: str) -> None:
    """A team and an effort leave what fits, say how many that are, and stay in the address."""
    everything = shown(page)
    page.get_by_label("Team").select_option("@a & b")
    assert shown(page) == ["Long", "Quick"]
    page.get_by_label("A fix takes at most").select_option("2 days")
    assert shown(page) == ["Quick"]
    count = page.locator(".pk-filter output").inner_text()
    assert count == f"1 of {len(everything)} stories; those of unknown effort are left out"
    kept = address_of(page)
    page.get_by_role("button", name="Show all").click()
    assert address_of(page) == address
    assert shown(page) == everything
    page.goto(kept)
    assert shown(page) == ["Quick"]
    page.goto(f"{address}?team=@nobody&days=x")
    assert shown(page) == everything


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("count", [5, 25])
def test_the_map_is_legible(browser: Browser, empty: Site, address: str, width: int, count: int) -> None:
    """As a browser draws them, no word of the chart covers another or is cut, and each story's title is whole."""
    stories = [
        shared(f"s{n}", 3 + n * 7 % 50, f"{1 + n % 9}d-{3 + n % 9}d", spread=1.3, title=f"{TITLE} number {n}")
        for n in range(count)
    ]
    with watched(browser, address.removesuffix("priorities/"), viewport={"width": width, "height": 900}) as page:
        page.goto(address)
        page.evaluate("html => { document.querySelector('.pk-priorities').outerHTML = html }", page_of(empty, *stories))
        found = page.locator("#pk-chart-priorities svg text").evaluate_all(BOXES)
        told = [text for text, *_ in found]
        assert {str(number) for number in range(1, count + 1)} <= set(told)
        frame = page.locator("#pk-chart-priorities svg").bounding_box()
        assert frame
        for number, (_, left, top, right, bottom) in enumerate(found):
            assert frame["x"] <= left < right <= frame["x"] + frame["width"]
            assert frame["y"] <= top < bottom <= frame["y"] + frame["height"]
            for _, x, y, u, v in found[:number]:
                assert right <= x or u <= left or bottom <= y or v <= top, (told[number], told)
        rows = page.locator(".pk-readings tbody th")
        assert len(rows.all()) == count
        assert all(TITLE in text for text in rows.all_inner_texts())
        assert page.locator(".pk-scroll").first.evaluate("element => element.scrollWidth <= element.clientWidth")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for row in rows.all_inner_texts():
            said, _, title = row.strip().partition(". ")
            card = page.locator(".pk-option", has=page.get_by_role("link", name=title, exact=True))
            assert f"{said} in the chart" in card.inner_text()


def test_without_scripts(browser: Browser, address: str) -> None:
    """Without scripts there is no filter, and every story."""
    with watched(browser, address.removesuffix("priorities/"), java_script_enabled=False) as page:
        page.goto(address)
        assert not page.locator(".pk-filter").is_visible()
        assert {"Quick", "Long", "Other", "Unknown"} <= set(shown(page))
