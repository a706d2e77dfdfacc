"""The paths of those who use the site, each walked from Home in a real Chromium."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browsing import address_of, headers_of, served, watched


@pytest.fixture(scope="module")
def address(sample_kb: Path) -> Iterator[str]:
    """Where the sample is served, under the policy that it brings along."""
    with served(sample_kb / "site", headers_of(sample_kb / "site")) as url:
        yield url


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """Home, on which no error may be logged and no other host asked."""
    with watched(browser, address, viewport={"width": 1280, "height": 900}) as opened:
        opened.goto(address)
        opened.wait_for_load_state("networkidle")
        yield opened


def test_a_support_agent(page: Page) -> None:
    """Types what the customer said, without touching the mouse, and has the sentence to send."""
    page.keyboard.press("/")
    page.keyboard.type("campaigns page spins")
    first = page.locator(".md-search-result__item").first
    expect(first).to_contain_text("Campaign list is slow for accounts with many lists")
    expect(first).to_contain_text("Shipped")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/stories/slow-campaign-list/**")
    expect(page.locator("article")).to_contain_text("You may answer")
    expect(page.get_by_role("button", name="Copy").first).to_be_visible()
    assert "Open the folder of the campaign instead" in page.locator("article").inner_text()


def test_a_symptom_that_is_new(page: Page) -> None:
    """What nobody has told yet can be reported at once, with its words filled in."""
    page.keyboard.press("/")
    page.keyboard.type("unicorn printer melts")
    report = page.locator(".md-search a", has_text="eport").first
    # It is there from the first letters on, and follows what is typed.
    expect(report).to_have_attribute("href", re.compile("unicorn"))


def test_an_engineer_of_another_team(page: Page) -> None:
    """Looks for what their area suffers from, and what was believed of it and proved wrong."""
    page.get_by_role("link", name="Stories", exact=True).first.click()
    page.wait_for_url("**/stories/")
    page.get_by_role("checkbox", name="Audience and imports").check()
    assert "of 16 stories" in page.locator(".pk-filters output").inner_text()
    page.get_by_role("link", name="Hypotheses", exact=True).first.click()
    page.wait_for_url("**/hypotheses/")
    page.get_by_role("checkbox", name="Disproved").check()
    assert page.locator("[data-pk-entry]:visible").count() >= 1
    assert "verdict=disproved" in address_of(page)


def test_a_vice_president(page: Page) -> None:
    """Reads what was gained last quarter, and how sure that is, without a word of help."""
    page.get_by_role("link", name="Impact", exact=True).first.click()
    page.wait_for_url("**/impact/")
    answers = page.locator(".pk-answers").inner_text()
    assert all(each in answers for each in ("What did we gain?", "How sure are we?", "Did it last?", "What is next?"))
    page.get_by_role("link", name="Q3 2026").first.click()
    page.wait_for_url("**/impact/2026Q3/")
    told = page.locator("article").inner_text()
    assert "251" in told
    assert "between 219 and 285" in told


def test_who_runs_it(page: Page) -> None:
    """Sees on one page how every series is, the unhealthiest first, and from when the newest data is."""
    page.get_by_role("link", name="Data", exact=True).first.click()
    page.wait_for_url("**/data/")
    rows = page.locator("article table tbody tr")
    assert rows.count() >= 37
    expect(page.locator("body")).to_contain_text("the newest data is of 1 November 2026")


def test_the_keyboard_alone(page: Page) -> None:
    """The first tab stop leads past the navigation, and where one is can always be seen."""
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.innerText") == "Skip to content"
    page.keyboard.press("Enter")
    stops = []
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.matches(':focus-visible')")
        stops.append(page.evaluate("() => document.activeElement.closest('main') && document.activeElement.innerText"))
    assert "Campaign list is slow for accounts with many lists" in stops
