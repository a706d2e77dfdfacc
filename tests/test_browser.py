"""The built sample in a real Chromium: light and dark, wide and narrow, nothing from elsewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.attacks import FIELDS, MORE_FIELDS, TEXTS, armed, field_story, text_story
from tests.browsing import headers_of, served
from tests.commands import copy_sample, perfkb, succeed
from tests.servers import require

STORY = "stories/slow-campaign-list/"
TOUCH = """() => document.querySelectorAll("article *").forEach(element => {
    if (element.focus) element.focus();
    if (element.click && !element.closest("a")) element.click();
    element.dispatchEvent(new Event("mouseover", {bubbles: true}));
})"""
SCHEME = "document.body.getAttribute('data-md-color-scheme') + document.body.dataset.mdColorMedia"
ELSEWHERE = "http://127.0.0.2:9/"
LISTS = ("", "stories/", "data/", "priorities/", "impact/", "hypotheses/", "timeboxes/", "areas/")
PAGES = ("", "stories/", STORY, "priorities/", "impact/", "data/", "handbook/", "handbook/problems/")


LONG_WORD = "attack-long-word"
IN_TEXTS = {
    f"attack-{name}": text_story(armed(payload, name, "/nonexistent/canary", ELSEWHERE))
    for name, payload in TEXTS.items()
}
IN_FIELDS = {
    f"attack-on-fields-{name}": field_story(
        f"attack-on-fields-{name}", armed((TEXTS | MORE_FIELDS)[name], name, "/nonexistent/canary", ELSEWHERE)
    )
    for name in (*FIELDS, *MORE_FIELDS)
}
ATTACKS = IN_TEXTS | IN_FIELDS | {LONG_WORD: field_story(LONG_WORD, "W" * 290)}
TOGETHER = 12
JOINED = [f"stories/attacks-{number}/" for number in range(-(-len(IN_TEXTS) // TOGETHER))]
"""Pages that hold the contents of several attacks' pages: loading each by itself would take a minute."""


def _join(site: Path) -> None:
    """Writes the pages `JOINED`."""
    pages = [(site / f"stories/{slug}/index.html").read_text(encoding="utf-8") for slug in IN_TEXTS]
    for number, address in enumerate(JOINED):
        group = [re.split("(?=<main )|(?<=</main>)", page) for page in pages[number :: len(JOINED)]]
        assert {len(parts) for parts in group} == {3}
        (site / address).mkdir()
        made = [group[0][0], *(main for _, main, _ in group), group[0][2]]
        (site / address / "index.html").write_text("".join(made), encoding="utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sample's site, with a story for each attack."""
    require("chromium")
    root = tmp_path_factory.mktemp("browser") / "kb"
    copy_sample(root)
    for slug, text in ATTACKS.items():
        (root / f"stories/{slug}.md").write_text(text.replace("area: checkout", "area: campaigns"))
    perfkb("-C", root, "refresh")
    succeed("-C", root, "build", "--quarantine")
    _join(root / "site")
    return root / "site"


@pytest.fixture(scope="module")
def sample(site: Path) -> Iterator[str]:
    """Where it is served without any of the headers that it brings along."""
    with served(site) as address:
        yield address


@pytest.fixture(scope="module")
def guarded(site: Path) -> Iterator[str]:
    """Where it is served with them."""
    with served(site, headers_of(site)) as address:
        yield address


@pytest.fixture(params=[(scheme, width) for scheme in ("light", "dark") for width in (1280, 390)], ids=str)
def page(browser: Browser, sample: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that fails the test for any error in its console and any request to another host."""
    scheme, width = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    made = context.new_page()
    faults: list[str] = []
    # A picture that an attack names may well be missing.
    made.on(
        "console",
        lambda message: (
            faults.append(message.text)
            if message.type == "error" and "/attack-" not in message.location.get("url", "")
            else None
        ),
    )
    made.on("pageerror", lambda error: faults.append(str(error)))
    made.on("request", lambda asked: None if asked.url.startswith((sample, "data:")) else faults.append(asked.url))
    yield made
    context.close()
    assert not faults


def test_every_page_fits_and_is_quiet(page: Page, sample: str) -> None:
    """No page is wider than the window, logs an error or asks another host for anything."""
    for path in dict.fromkeys((*PAGES, *LISTS, f"stories/{LONG_WORD}/")):
        page.goto(sample + path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_a_chart_is_seen(page: Page, sample: str) -> None:
    """A chart fills its column, and its line and text stand out from what is behind them."""
    page.goto(sample + STORY)
    chart = page.locator("figure.pk-chart svg").first
    box = chart.bounding_box()
    assert box is not None
    assert box["width"] > 0.85 * min(page.viewport_size["width"], 800) - 40  # type: ignore[index]
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    ink = chart.locator("text").first.evaluate("e => getComputedStyle(e).fill")
    assert _contrast(ink, background) >= 4.5


def test_ages_are_those_of_the_sample(page: Page, sample: str) -> None:
    """With a clock of its own, the sample's ages do not go on counting."""
    page.goto(sample + STORY)
    assert page.locator("figure.pk-chart time").first.inner_text() == "up to date"
    assert "1 November 2026" in page.locator(".md-banner").inner_text()


@pytest.fixture
def watched(browser: Browser, sample: str, guarded: str) -> Iterator[tuple[Page, list[str]]]:
    """A page, and what it asks of other hosts or is kept from doing by a policy."""
    context = browser.new_context()
    made = context.new_page()
    faults: list[str] = []
    ours = (sample, guarded, "data:")
    made.on("request", lambda asked: None if asked.url.startswith(ours) else faults.append(asked.url))
    made.on("dialog", lambda dialog: faults.append(dialog.message))
    made.add_init_script(
        "addEventListener('securitypolicyviolation', e => console.error('violation ' + e.violatedDirective))"
    )
    made.on("console", lambda said: faults.append(said.text) if "violation" in said.text else None)
    yield made, faults
    context.close()


def test_no_attack_runs(watched: tuple[Page, list[str]], sample: str) -> None:
    """Without any policy, no payload runs on its own page or on one that lists it, or calls another host."""
    page, faults = watched
    for path in [*LISTS, *JOINED, *(f"stories/{slug}/" for slug in IN_FIELDS)]:
        page.goto(sample + path)
        page.wait_for_load_state("load")
        # What is hovered, focused or opened could run something.
        page.evaluate(TOUCH)
        assert page.evaluate("window.pwned") is None, path
        assert faults == [], path


def test_no_attack_runs_in_search(watched: tuple[Page, list[str]], sample: str) -> None:
    """Titles, tags and texts of attacks do nothing as results of a search."""
    page, faults = watched
    for words in ("an attack", "src=x", "cycler"):
        page.goto(sample)
        page.wait_for_load_state("networkidle")
        page.keyboard.press("/")
        page.locator("input.md-search__input").press_sequentially(words, delay=20)
        page.locator(".md-search-result__link").first.wait_for(timeout=15_000)
        page.wait_for_timeout(200)
        assert page.evaluate("window.pwned") is None, words
    assert faults == []


def test_the_policy_is_obeyed(watched: tuple[Page, list[str]], guarded: str) -> None:
    """With the policy that the site brings along, pages of every kind, search and palette work without a violation."""
    page, faults = watched
    for path in dict.fromkeys((*PAGES, *LISTS, "404.html", JOINED[0])):
        page.goto(guarded + path)
        policy = page.evaluate("fetch(location).then(answer => answer.headers.get('content-security-policy'))")
        assert "default-src 'none'" in policy
    page.goto(guarded + STORY)
    page.wait_for_load_state("networkidle")
    assert page.locator("figure.pk-chart svg").count() >= 3
    before = page.evaluate(SCHEME)
    page.locator("label[for^=__palette]:visible").first.click()
    assert page.evaluate(SCHEME) != before
    page.keyboard.press("/")
    page.locator("input.md-search__input").press_sequentially("campaigns page spins", delay=20)
    page.locator(".md-search-result__item").first.wait_for(timeout=15_000)
    assert faults == []


def test_the_policy_stops_scripts(watched: tuple[Page, list[str]], sample: str, guarded: str) -> None:
    """Under the policy a script or a handler that got into a page does not run; without it, it would."""
    page, faults = watched
    page.route(
        "**/stories/slow-campaign-list/",
        lambda route: route.fulfill(
            response=(answer := route.fetch()),
            body=answer.text().replace(
                "</article>",
                "<script>window.pwned=1</script><img src=x onerror=window.pwned=2>"
                f"<script src='{ELSEWHERE}x.js'></script><img src='{ELSEWHERE}x.png'></article>",
            ),
        ),
    )
    for address, ran in ((guarded, False), (sample, True)):
        faults.clear()
        page.goto(address + STORY)
        page.wait_for_load_state("load")
        assert (page.evaluate("window.pwned") is not None) == ran
        assert any("violation script-src" in fault for fault in faults) != ran


def test_search_finds_what_a_customer_says(page: Page, sample: str) -> None:
    """The words of a symptom lead to its story."""
    page.goto(sample)
    page.wait_for_load_state("networkidle")
    # Material's own key, which opens the search on wide and narrow screens alike.
    page.keyboard.press("/")
    page.locator("input.md-search__input").press_sequentially("campaigns page spins", delay=20)
    page.locator(".md-search-result__item").first.wait_for(timeout=15_000)
    assert "Campaign list is slow" in page.locator(".md-search-result__list").inner_text()


def test_without_scripts_everything_is_there(browser: Browser, sample: str) -> None:
    """Stories, charts, numbers and ages can be read with scripts switched off."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(sample + STORY)
    assert page.locator("figure.pk-chart svg").count() >= 3
    assert page.locator(".pk-facts").inner_text()
    page.goto(sample + "stories/")
    assert page.get_by_role("link", name="Campaign list is slow for accounts with many lists").count() == 1
    context.close()


def _contrast(one: str, other: str) -> float:
    """The contrast of two `rgb(...)` colours, by WCAG 2."""

    def luminance(colour: str) -> float:
        channels = [int(part) / 255 for part in colour.partition("(")[2].rstrip(")").split(",")[:3]]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)
