"""The lists of stories and hypotheses in a real Chromium: filter, facets, order and board, and what they cost."""

import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page

from macros.scaffold import make_knowledge_base
from macros.site import load_site
from macros.tables import stories_table
from tests.attacks import TEXTS, armed, field_story
from tests.browsing import address_of, served, violations, watched
from tests.commands import succeed
from tests.many import fill

MANY = 1000
SETTINGS = """name: Listed
areas: {campaigns: {title: Campaigns, team: "@growth"}, editor: {title: Editor, team: "@editor"}}
report_form: "https://tickets.example/new?title={title}&story={url}"
now: 2026-11-01T06:00Z
"""
STORIES = {
    "campaign-list": """title: Campaign list is slow
status: investigating
area: campaigns
opened: 2026-09-01
tickets: [PERF-212]
tags: [mysql, n-plus-one]
endpoints: ["GET /campaigns"]
symptoms: [campaigns page spins]
what: The list
reports: [{date: 2026-09-01, said: Sanduhr für Minuten, customers: 7}]
timeboxes: [{date: 2026-09-03, question: What makes it slow?, budget: 2h}]
hypotheses:
  - {id: h1, because: The disk is slow, written: 2026-09-04, verdict: disproved, decided: 2026-09-05}
  - {id: h2, because: A query per list, written: 2026-09-06}
""",
    "editor-freezes": """title: Editor freezes
status: reported
area: editor
tags: [mysql]
symptoms: [typing stops]
reports: [{date: 2026-10-01, said: typing stops, customers: 3}]
""",
    "editor-blank": """title: A blank preview
status: investigating
area: editor
what: The preview
opened: 2026-10-20
reports: [{date: 2026-10-20, said: all white, customers: 1}]
timeboxes: [{date: 2026-10-21, question: Since when?, budget: 1h}]
hypotheses:
  - {id: h1, because: Fonts come late, written: 2026-10-22, verdict: disproved, decided: 2026-10-23}
""",
    "unsorted": """title: Zebra reports crawl
status: reported
reports: [{date: 2026-08-01, said: it crawls, customers: 20}]
""",
    "again": """title: The same list
status: reported
same_as: campaign-list
reports: [{date: 2026-09-02, said: list again}]
""",
}
ATTACKS = ("img-onerror", "script", "svg-onload", "attribute-list-heading", "link-javascript", "jinja-expression")
TITLES = "e => e.filter(x => x.offsetParent).map(x => x.textContent)"
SHOWN = "[data-pk-entry] a bdi"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built knowledge base of five stories."""
    made = tmp_path_factory.mktemp("stories") / "kb"
    make_knowledge_base(made)
    (made / "stories/checkout-spins.md").unlink()
    (made / "site-config/knowledge-base.yml").write_text(SETTINGS)
    for slug, front in STORIES.items():
        (made / f"stories/{slug}.md").write_text(f"---\n{front}---\n\nTold.\n")
    succeed("-C", made, "build", "--quarantine")
    return made


@pytest.fixture(scope="module")
def address(root: Path) -> Iterator[str]:
    with served(root / "site") as url:
        yield url


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with watched(browser, address, viewport={"width": 1280, "height": 900}) as made:
        made.goto(f"{address}stories/")
        yield made


def shown(page: Page) -> list[str]:
    found: list[str] = page.locator(SHOWN).evaluate_all(TITLES)
    return found


def tick(page: Page, *labels: str) -> None:
    for label in labels:
        page.locator(".pk-facets label", has_text=re.compile(rf"^{label} ")).click()


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(address_of(page)).query)


@pytest.mark.parametrize(
    ("words", "found"),
    [("campaigns page spins", ["Campaign list is slow"]), ("spins campaigns", ["Campaign list is slow"]),
     ("212", ["Campaign list is slow"]), ("get /camp", ["Campaign list is slow"]),
     ("n-plus", ["Campaign list is slow"]), ("@editor", ["Editor freezes", "A blank preview"]),
     ("sanduhr fur", ["Campaign list is slow"]), ("PREVIEW", ["A blank preview"]), ("customers", [])],
)  # fmt: skip
def test_typing(page: Page, words: str, found: list[str]) -> None:
    """Every word is looked for in title, symptom, ticket, endpoint, tag, owner and what was said, accents aside."""
    page.locator("input[name=q]").fill(words)
    assert shown(page) == found
    assert page.locator(".pk-filters output").inner_text() == f"{len(found)} of 5 stories"


def test_facets_combine(page: Page) -> None:
    """Any of a facet's values, and all facets at once; a count says what a tick would show."""

    def counts(name: str) -> dict[str, str]:
        labels = page.locator(f".pk-facets label:has(input[name={name}])").all_inner_texts()
        return dict(label.strip().rsplit(maxsplit=1) for label in labels)

    assert counts("stage") == {"Reported": "2", "Investigating": "2", "Told elsewhere": "1"}
    assert counts("tag") == {"mysql": "2", "n-plus-one": "1"}
    tick(page, "mysql")
    assert shown(page) == ["Editor freezes", "Campaign list is slow"]
    assert counts("stage") == {"Reported": "1", "Investigating": "1", "Told elsewhere": "0"}
    tick(page, "Reported")
    assert shown(page) == ["Editor freezes"]
    assert counts("stage") == {"Reported": "1", "Investigating": "1", "Told elsewhere": "0"}
    assert counts("area") == {"Campaigns": "0", "Editor": "1", "Not sorted yet": "0"}
    tick(page, "Investigating")
    assert shown(page) == ["Editor freezes", "Campaign list is slow"]
    page.get_by_role("button", name="Show all").click()
    assert len(shown(page)) == 5
    assert query(page) == {}


def test_the_address_keeps_it(page: Page, browser: Browser, address: str) -> None:
    """What is chosen can be sent to somebody, and undone with the back button step by step."""
    page.locator("input[name=q]").fill("list")
    page.wait_for_function("location.search.includes('q=list')")
    tick(page, "Investigating")
    page.get_by_label("Order").select_option("title")
    assert query(page) == {"q": ["list"], "stage": ["investigating"], "sort": ["title"]}
    with watched(browser, address) as other:
        other.goto(address_of(page))
        assert shown(other) == shown(page) == ["Campaign list is slow"]
    page.go_back()
    assert query(page) == {"q": ["list"], "stage": ["investigating"]}
    assert page.get_by_label("Order").input_value() == ""
    page.go_back()
    assert shown(page) == ["Campaign list is slow", "The same list"]
    page.go_forward()
    assert shown(page) == ["Campaign list is slow"]
    page.get_by_role("link", name="Campaign list is slow").click()
    page.wait_for_url("**/stories/campaign-list/")
    page.go_back()
    assert shown(page) == ["Campaign list is slow"]


@pytest.mark.parametrize("asked", ["?stage=no-such&sort=worst&view=x", "?area=%3Cimg+src%3Dx%3E&q=%3Cb%3E", "?sort=x"])
def test_an_address_that_means_nothing(page: Page, address: str, asked: str) -> None:
    """Values that are not there (any more) are not held against the stories; words are looked for as they are."""
    page.goto(f"{address}stories/{asked}")
    assert len(shown(page)) == (0 if "q=" in asked else 5)


def test_orders_are_facts(page: Page) -> None:
    """Stages in their order at first; lately changed, newest, customers reporting and title; nothing is a score."""
    choice = page.get_by_label("Order")
    assert choice.locator("option").all_inner_texts() == [
        "by stage", "lately changed", "newest", "customers reporting", "title",
    ]  # fmt: skip
    first = shown(page)
    assert first[:2] == ["Editor freezes", "Zebra reports crawl"]
    for order, found in {
        "changed": ["A blank preview", "Editor freezes", "Campaign list is slow", "Zebra reports crawl"],
        "opened": ["A blank preview", "Editor freezes", "Campaign list is slow", "Zebra reports crawl"],
        "customers": ["Zebra reports crawl", "Campaign list is slow", "Editor freezes", "A blank preview"],
        "title": ["A blank preview", "Campaign list is slow", "Editor freezes", "Zebra reports crawl"],
    }.items():
        choice.select_option(order)
        assert shown(page)[:4] == found
    assert page.locator("th[aria-sort]").inner_text() == "Story"
    choice.select_option("")
    assert shown(page) == first


def test_the_board(page: Page) -> None:
    """The last view has a column a stage, and shows what is filtered."""
    page.locator(".pk-filters__view label", has_text="Board").click()
    assert page.locator(".pk-board h2").all_inner_texts() == ["Reported 2", "Investigating 2"]
    cards = page.locator(".pk-board li a")
    assert cards.evaluate_all(TITLES) == [
        "Editor freezes", "Zebra reports crawl", "A blank preview", "Campaign list is slow",
    ]  # fmt: skip
    page.locator("input[name=q]").fill("editor")
    assert cards.evaluate_all(TITLES) == ["Editor freezes", "A blank preview"]
    assert query(page)["view"] == ["board"]
    cards.nth(0).click()
    page.wait_for_url("**/stories/editor-freezes/")


def test_with_the_keyboard_alone(page: Page) -> None:
    """`f` leads to the filter, Tab from there to every choice, with a focus that is seen; Escape empties it."""
    page.keyboard.press("f")
    page.keyboard.type("editor")
    assert shown(page) == ["Editor freezes", "A blank preview"]
    page.keyboard.press("Escape")
    assert len(shown(page)) == 5
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        focus = page.evaluate("""() => {
            const e = document.activeElement, seen = e.type === "radio" ? e.nextElementSibling : e;
            return [e.name || e.type, getComputedStyle(seen).outlineStyle];
        }""")
        reached.append(focus[0])
        assert focus[1] != "none", focus
    assert list(dict.fromkeys(reached))[:4] == ["sort", "view", "stage", "area"]


def test_nothing_matches(page: Page) -> None:
    """It can be looked for on every page, or reported with the words filled in."""
    page.locator("input[name=q]").fill("xyzzy")
    page.evaluate("addEventListener('click', e => e.target.closest('[data-pk-report]') && e.preventDefault())")
    report = page.get_by_role("link", name="report it")
    report.click()
    assert parse_qs(urlsplit(report.get_attribute("href") or "").query)["title"] == ["xyzzy"]
    page.get_by_role("link", name="Search every page").click()
    assert page.locator(".md-search__input").input_value() == "xyzzy"
    page.get_by_text("Nothing found for “xyzzy”").wait_for()


def test_without_scripts(browser: Browser, address: str) -> None:
    """A plain list by stage, without controls that would do nothing."""
    with watched(browser, address, java_script_enabled=False) as page:
        page.goto(f"{address}stories/?q=editor")
        assert page.locator(SHOWN).count() == 5
        assert page.get_by_role("link", name="Zebra reports crawl").is_visible()
        assert page.get_by_role("rowheader", name="Reported").is_visible()
        assert not page.locator("input[name=q]").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_everybody_can_use_it(browser: Browser, address: str, scheme: str, width: int) -> None:
    """axe-core finds nothing wrong with any view, and each fits the window."""
    with watched(browser, address, viewport={"width": width, "height": 800}, color_scheme=scheme) as page:
        for path in ("stories/", "stories/?view=board&tag=mysql", "stories/?q=xyzzy", "hypotheses/?area=editor"):
            page.goto(address + path)
            if width < 500:
                page.get_by_role("button", name="Narrow down").click()
            assert page.locator(".pk-facets").is_visible()
            assert violations(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("close", ["click", "Enter", "Escape"])
def test_on_a_phone_the_facets_give_way(browser: Browser, address: str, close: str) -> None:
    """However long the facets are, a button in sight says how much they leave, and puts the list in their place."""
    with watched(browser, address, viewport={"width": 390, "height": 640}) as page:
        page.goto(f"{address}stories/")
        opener, done = page.get_by_role("button", name="Narrow down"), page.locator(".pk-facets__done button")
        assert not done.is_visible()
        opener.click()
        box = page.locator(".pk-facets input[value=mysql]")
        box.check()
        assert done.inner_text() == "Show 2 of 5 stories"
        place = done.bounding_box()
        assert place
        assert 0 <= place["y"] < place["y"] + place["height"] <= 640
        if close == "click":
            done.click()
        elif close == "Enter":
            done.focus()
            page.keyboard.press("Enter")
        else:
            box.focus()
            page.keyboard.press("Escape")
        assert not page.locator(".pk-facets").is_visible()
        assert opener.get_attribute("aria-expanded") == "false"
        assert opener.evaluate("button => button === document.activeElement")
        header, first = page.locator(".md-header").bounding_box(), page.locator(SHOWN).first
        assert header
        for seen in (page.locator(".pk-filters output"), opener, first):
            place = seen.bounding_box()
            assert place
            assert header["y"] + header["height"] <= place["y"] < 640
        opener.click()
        page.locator("input[name=q]").fill("xyzzy")
        assert done.inner_text() == "Close"


def test_on_a_phone_short_facts_share_a_line(browser: Browser, address: str) -> None:
    """A story takes few lines: short facts stand beside each other, and its stage is told once, unless sorted."""
    with watched(browser, address, viewport={"width": 390, "height": 800}) as page:
        page.goto(f"{address}stories/")
        row = page.locator("tr[data-pk-entry]", has_text="Editor freezes")
        places = [row.locator(f"td[data-label='{label}']").bounding_box() for label in ("Data", "Changed")]
        assert places[0]
        assert places[1]
        assert places[0]["y"] == pytest.approx(places[1]["y"], abs=8)
        stage = row.locator("td[data-label=Stage]")
        assert not stage.is_visible()
        page.get_by_label("Order").select_option("title")
        assert stage.is_visible()


def test_disproved_hypotheses_of_an_area(page: Page, address: str) -> None:
    """From Home in three clicks: every disproved belief of one area."""
    page.goto(address)
    page.get_by_role("link", name="Hypotheses").first.click()
    page.wait_for_url("**/hypotheses/")
    tick(page, "Disproved", "Editor")
    rows = page.locator("[data-pk-entry] td:first-child a").evaluate_all(TITLES)
    assert rows == ["Fonts come late"]
    assert page.locator(".pk-filters output").inner_text() == "1 of 3 hypotheses"
    assert query(page) == {"verdict": ["disproved"], "area": ["editor"]}


def test_a_newcomer_finds_the_story(page: Page, address: str) -> None:
    """From Home: what a customer says leads to its story, whose stage says whether somebody works on it."""
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.keyboard.press("/")
    page.keyboard.type("campaigns page spins")
    entry = page.locator(".md-search-result__item").first
    entry.wait_for()
    assert "Campaign list is slow Investigating" in entry.inner_text()
    page.goto(address)
    page.get_by_role("link", name="Investigating 2").click()
    page.wait_for_url("**/stories/?stage=investigating")
    assert shown(page) == ["A blank preview", "Campaign list is slow"]


@pytest.fixture(scope="module")
def many(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Stories page with a thousand stories, and one with attacks."""
    base = tmp_path_factory.mktemp("many") / "kb"
    make_knowledge_base(base)
    fill(base, MANY)
    lists = {"many": str(stories_table(load_site(base, drafts=False), "../"))}
    for path in (base / "stories").glob("*.md"):
        path.unlink()
    for name in ATTACKS:
        hostile = armed(TEXTS[name], name, "/nonexistent/canary", "http://127.0.0.2:9/")
        (base / f"stories/attack-{name}.md").write_text(field_story(f"attack-{name}", hostile))
    lists["hostile"] = str(stories_table(load_site(base, drafts=False), "../"))
    frame = (root / "site/stories/index.html").read_text(encoding="utf-8")
    start, end = frame.index('<div class="pk-stories'), frame.index("</article>")
    for name, html in lists.items():
        (root / f"site/{name}").mkdir(exist_ok=True)
        (root / f"site/{name}/index.html").write_text(frame[:start] + html + frame[end:], encoding="utf-8")
    with served(root / "site") as url:
        yield url


def test_no_attack_runs(browser: Browser, many: str) -> None:
    """Hostile titles, tags, owners and symptoms are text: in rows, facets, on the board, and when asked for."""
    with watched(browser, many) as page:
        page.goto(f"{many}hostile/")
        assert len(shown(page)) == len(ATTACKS)
        for box in page.locator(".pk-facets input").all():
            box.check()
        page.locator(".pk-filters__view label", has_text="Board").click()
        for words in ("<img src=x", "onerror", "{{"):
            page.locator("input[name=q]").fill(words)
        page.reload()
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.pwned") is None
        assert page.locator("article :is(img, script, iframe)").count() == 0


def test_a_thousand_stories_are_filtered_at_once(browser: Browser, many: str) -> None:
    """A keystroke costs at most 50 ms of processor time, all of it: script, style, layout and paint."""
    with watched(browser, many, viewport={"width": 1280, "height": 900}) as page:
        tools = page.context.new_cdp_session(page)
        # Processor time, which other work on the machine does not add to.
        tools.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.goto(f"{many}many/")
        page.wait_for_load_state("networkidle")
        field = page.locator("input[name=q]")
        field.focus()

        def spent() -> float:
            metrics = tools.send("Performance.getMetrics")["metrics"]
            return 1000 * next(float(each["value"]) for each in metrics if each["name"] == "TaskDuration")

        costs = []
        for key in [*"campaign page spins", *["Backspace"] * 19]:
            before = spent()
            page.keyboard.press(key)
            page.wait_for_timeout(50)
            costs.append(spent() - before)
        print(f"{MANY} stories: a keystroke {median(costs):.0f} ms, at most {max(costs):.0f} ms")  # noqa: T201
        assert field.input_value() == ""
        assert page.locator(".pk-filters output").inner_text() == f"{MANY} stories"
        assert median(costs) <= 50
        assert sorted(costs)[-3] <= 100  # a collection of garbage may fall into one


def test_long_lists_come_in_parts(browser: Browser, many: str) -> None:
    """A browser lays out the first of a thousand stories; the rest is one step away, and its first entry in focus."""
    with watched(browser, many) as page:
        page.goto(f"{many}many/?sort=title")
        assert len(shown(page)) == 48
        page.get_by_role("button", name="Show 952 more").click()
        assert len(shown(page)) == MANY
        titles = shown(page)
        assert page.evaluate("document.activeElement.textContent") == titles[48]
        page.locator("input[name=q]").fill("perf-1")
        assert len(shown(page)) == 48
