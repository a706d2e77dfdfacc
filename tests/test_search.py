"""The search of a built site: what it finds and how quickly, in a real Chromium; how its index is made."""

import gzip
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page

from macros import search
from macros.scaffold import make_knowledge_base
from tests.attacks import TEXTS, armed, field_story
from tests.browsing import served, violations, watched
from tests.commands import files_of, perfkb, succeed

SETTINGS = """name: Found
url: https://perf.example/
areas: {campaigns: {title: Campaigns, team: "@growth"}, editor: {title: Editor}}
tickets: {"PERF-[0-9]+": "https://tickets.example/browse/{}"}
report_form: "https://tickets.example/new?title={title}&story={url}"
now: 2026-11-01T06:00Z
hide: [revenue]
"""
STORIES = {
    "campaign-list": """title: Campaign list is slow for accounts with many lists
status: investigating
area: campaigns
tickets: [PERF-212]
tags: [n-plus-one]
endpoints: ["GET /campaigns"]
symptoms: [campaigns page spins, campaign list won't load]
what: The list of campaigns
customer: {revenue: SECRET-REVENUE}
timeboxes: [{date: 2026-09-03, question: What makes it slow?, budget: 2h, outcome: Eighty lists do}]
""",
    "editor-freezes": """title: The editor freezes on large templates
status: reported
area: editor
tickets: [PERF-77]
reports: [{date: 2026-10-01, said: typing stops for seconds, customers: 3}]
""",
    "export-late": """title: The nightly export is late
status: reported
area: campaigns
symptoms: [export is not there at eight]
""",
}
TOLD = {
    "campaign-list": "Every visit counts.",
    "editor-freezes": "The campaigns page spins now and then as well, said the page of another page about spinning.",
    "export-late": "Nothing of it is known.",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built knowledge base of three stories, a draft and an attack."""
    made = tmp_path_factory.mktemp("search") / "kb"
    make_knowledge_base(made)
    (made / "stories/checkout-spins.md").unlink()
    (made / "site-config/knowledge-base.yml").write_text(SETTINGS)
    for slug, front in STORIES.items():
        (made / f"stories/{slug}.md").write_text(f"---\n{front}---\n\n{TOLD[slug]}\n")
    (made / "stories/plan.md").write_text("---\ntitle: SECRET-DRAFT\nstatus: reported\ndraft: true\n---\n")
    for name in ("img-onerror", "script", "svg-onload"):
        hostile = armed(TEXTS[name], name, "/nonexistent/canary", "http://127.0.0.2:9/")
        (made / f"stories/attack-{name}.md").write_text(field_story(f"attack-{name}", hostile))
    succeed("-C", made, "build", "--quarantine")
    return made


@pytest.fixture(scope="module")
def address(root: Path) -> Iterator[str]:
    with served(root / "site") as url:
        yield url


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with watched(browser, address) as made:
        made.goto(address)
        made.wait_for_load_state("networkidle")
        yield made


def ask(page: Page, words: str) -> str:
    """Types the words into the search, and waits for what it says."""
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.locator(".md-search__input").fill(words)
    page.wait_for_function(
        "([words, told]) => document.querySelector(told).textContent.includes('found') || "
        "document.querySelector(told).textContent.includes('most of them') || "
        "document.querySelector(told).textContent.includes('cannot')",
        arg=[words, ".md-search-result__meta"],
    )
    page.wait_for_timeout(400)  # what was said before may still stand there
    return page.locator(".md-search-result__meta").inner_text()


def titles(page: Page) -> list[str]:
    return page.locator(".md-search-result__item h2").all_inner_texts()


@pytest.mark.parametrize(
    "words",
    ["campaigns page spins", "campaign page spinning", "spins", "campaign list wont load", "PERF-212", "perf-212",
     "212", "GET /campaigns", "/campaigns", "n-plus-one", "many lists", "eighty"],
)  # fmt: skip
def test_a_story_is_found(page: Page, words: str) -> None:
    """By what customers say, however they put it, by ticket, endpoint, tag and text: the story comes first."""
    ask(page, words)
    assert titles(page)[0] == "Campaign list is slow for accounts with many lists Investigating"


def test_words_that_nobody_used(page: Page) -> None:
    """Where no page has all of the words, those that have most of them come, and it can be reported all the same."""
    told = ask(page, "the campaigns page hangs xyzzy")
    assert told == "Nothing has all of these words; this has most of them"
    assert titles(page)[0].startswith("Campaign list is slow")
    assert page.get_by_role("link", name="Report “the campaigns page hangs xyzzy”").is_visible()


@pytest.mark.parametrize("words", ["xyzzy", "xyzzy frobnicate", "cmapaigns"])
def test_nothing_is_found(page: Page, words: str) -> None:
    """What is not there is said not to be there, and the form of the company comes with the words filled in."""
    assert ask(page, words) == f"Nothing found for “{words}”"
    assert titles(page) == []
    link = page.get_by_role("link", name=f"Report “{words}”").get_attribute("href")
    parts = urlsplit(link or "")
    assert (parts.netloc, parse_qs(parts.query)["title"]) == ("tickets.example", [words])
    page.get_by_role("link", name="Look among all stories").click()
    page.wait_for_url("**/stories/?q=*")
    assert page.locator("input[name=q]").input_value() == words


def test_with_the_keyboard_alone(page: Page, address: str) -> None:
    """Opened, asked, walked through, followed and closed without a mouse; the focus is always seen."""
    page.keyboard.press("s")
    page.keyboard.type("campaigns page spins")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}stories/campaign-list/")
    assert page.locator(".pk-head .pk-stage").inner_text() == "Investigating"
    ask(page, "slow")
    first, second = page.locator(".md-search-result__item a").all()[:2]
    page.keyboard.press("ArrowDown")
    assert first.evaluate("e => e === document.activeElement && getComputedStyle(e).outlineStyle") == "solid"
    page.keyboard.press("ArrowDown")
    assert second.evaluate("e => e === document.activeElement")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.locator(".md-search__input").evaluate("e => e === document.activeElement")
    page.keyboard.press("Escape")
    assert not page.locator("#__search").is_checked()
    assert page.evaluate("document.activeElement === document.body")


def test_nothing_is_fetched_before_it_is_wanted(page: Page, address: str) -> None:
    """A reader who does not search loads no index; who does, a part of it."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(address)))
    page.goto(f"{address}stories/campaign-list/")
    page.wait_for_load_state("networkidle")
    assert not [url for url in asked if url.startswith(("pagefind", "search"))]
    ask(page, "campaigns page spins")
    assert [url for url in asked if url.startswith("pagefind/index/")]
    assert not [url for url in asked if "search_index" in url]


@pytest.mark.parametrize("words", ["an attack", "src=x", "onerror", "script"])
def test_no_attack_runs(page: Page, words: str) -> None:
    """What hostile stories hold is text among the results."""
    ask(page, words)
    page.wait_for_timeout(200)
    assert page.evaluate("window.pwned") is None
    assert page.locator(".md-search-result__list :is(img, script, svg)").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_everybody_can_use_it(browser: Browser, address: str, scheme: str, width: int) -> None:
    """axe-core finds nothing wrong with the open search, and it fits."""
    with watched(browser, address, viewport={"width": width, "height": 800}, color_scheme=scheme) as page:
        for words in ("page", "xyzzy"):
            page.goto(address)
            page.wait_for_load_state("networkidle")
            ask(page, words)
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_below_another_folder_and_with_files(root: Path, browser: Browser, tmp_path: Path) -> None:
    """A site below a folder of its host, whose addresses end in .html, finds and leads to its pages as well."""
    copy = Path(shutil.copytree(root, tmp_path / "kb", ignore=shutil.ignore_patterns("site")))
    config = (copy / "mkdocs.yml").read_text()
    (copy / "mkdocs.yml").write_text(config.replace("docs_dir:", "use_directory_urls: false\ndocs_dir:"))
    succeed("-C", copy, "build", "--quarantine", "--site-dir", tmp_path / "www/team/perf")
    with served(tmp_path / "www") as host, watched(browser, host) as page:
        page.goto(f"{host}team/perf/handbook/glossary.html")
        page.wait_for_load_state("networkidle")
        ask(page, "campaigns page spins")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{host}team/perf/stories/campaign-list.html")


def test_the_index_is_always_the_same(root: Path, tmp_path: Path) -> None:
    """The same pages make the same index, byte by byte and wherever they are."""
    program = search.indexer()
    assert program
    again = Path(shutil.copytree(root / "site", tmp_path / "elsewhere", ignore=shutil.ignore_patterns("pagefind")))
    search.write_index(again, program)
    made = files_of(root / "site/pagefind")
    assert [name for name in made if name.startswith("index/")]
    assert files_of(again / "pagefind") == made


def test_what_is_not_to_be_found(root: Path) -> None:
    """Drafts, hidden fields and lists of stories are not in the index, nor is what no reader needs beside it."""
    found = {
        name: gzip.decompress(data) for name, data in files_of(root / "site/pagefind").items() if "fragment/" in name
    }
    texts = [data.decode("utf-8") for data in found.values()]
    assert any("campaigns page spins" in text for text in texts)
    assert not any(word in text for text in texts for word in ("SECRET-", '"url":"/stories/"', '"url":"/data/"'))
    assert not list((root / "site/pagefind").glob("*ui*"))
    assert not (root / "site/search").exists()


def test_without_the_program(root: Path, tmp_path: Path) -> None:
    """Where Pagefind is not installed, a build says so and has Material's search; a strict one publishes nothing."""
    gone = str(tmp_path / "gone")
    told = succeed("-C", root, "build", "--quarantine", "--site-dir", tmp_path / "site", PAGEFIND_BINARY_PATH=gone)
    assert "Pagefind is not installed here" in told
    assert (tmp_path / "site/search/search_index.json").is_file()
    assert "campaigns page spins" in (tmp_path / "site/search/search_index.json").read_text()
    assert "data-pk-search" not in (tmp_path / "site/index.html").read_text()
    assert "wasm" not in (tmp_path / "site/_headers").read_text()


def test_material_can_be_chosen(root: Path, tmp_path: Path) -> None:
    """`search: material` is Material's search, without a word."""
    copy = Path(shutil.copytree(root, tmp_path / "kb", ignore=shutil.ignore_patterns("site", "attack-*")))
    config = (copy / "mkdocs.yml").read_text()
    (copy / "mkdocs.yml").write_text(config.replace("  - perfkb\n", "  - perfkb:\n      search: material\n"))
    gone = str(tmp_path / "gone")
    told = succeed("-C", copy, "build", "--quarantine", PAGEFIND_BINARY_PATH=gone)
    assert "Pagefind" not in told
    assert (copy / "site/search/search_index.json").is_file()
    assert not (copy / "site/pagefind").exists()


def test_an_index_that_cannot_be_made(root: Path, browser: Browser, tmp_path: Path) -> None:
    """A build that has to publish does so; its search says that it does not work, and leads to the list of stories."""
    broken = shutil.which("false") or ""
    done = perfkb("-C", root, "build", "--quarantine", "--site-dir", tmp_path / "site", PAGEFIND_BINARY_PATH=broken)
    assert done.returncode == 0
    assert "the search index cannot be made: status 1" in done.stderr
    with served(tmp_path / "site") as host:
        context = browser.new_context()
        page = context.new_page()
        page.goto(host)
        assert ask(page, "slow") == "The search cannot be loaded."
        assert page.get_by_role("link", name="Look among all stories").get_attribute("href") == "stories/?q=slow"
        context.close()


def test_plain_mkdocs_makes_it_too(root: Path, tmp_path: Path) -> None:
    """`mkdocs build` makes the index as well."""
    command = [sys.executable, "-P", "-m", "mkdocs", "build", "-q", "-f", root / "mkdocs.yml", "-d", tmp_path / "plain"]
    subprocess.run([str(each) for each in command], check=True, capture_output=True)
    names = [name for name in files_of(root / "site/pagefind") if name.startswith("fragment/")]
    made = files_of(tmp_path / "plain/pagefind")
    assert len([name for name in made if name.startswith("fragment/")]) == len(names)


@pytest.mark.parametrize(
    ("meta", "made"),
    [({}, "<div data-pagefind-body>x</div>"), ({"search": {"exclude": True}}, "x"),
     ({"search": {"boost": 0.2}}, '<div data-pagefind-body data-pagefind-weight="0.2">x</div>'),
     ({"search": None}, "<div data-pagefind-body>x</div>")],
)  # fmt: skip
def test_front_matter_is_read_as_material_does(meta: dict[str, object], made: str) -> None:
    """A page is left out of the search, or weighs less, by the keys that Material has for it."""
    assert search.searchable("x", meta) == made


def test_a_site_without_anything_to_find(tmp_path: Path) -> None:
    """Of pages that are all left out no index is made, least of all one of everything."""
    (tmp_path / "index.html").write_text("<html><body><main>x</main></body></html>")
    program = search.indexer()
    assert program
    search.write_index(tmp_path, program)
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
