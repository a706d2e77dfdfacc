"""Home, Impact and the pages of lists in a real Chromium: accessible, quiet, fit for a phone and for paper."""

import re
import subprocess
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from macros.scaffold import make_knowledge_base
from tests.browsing import served, violations, watched
from tests.commands import perfkb, succeed
from tests.servers import require

QUARTER = "impact/2026Q3/"
PAGES = (
    "", "impact/", QUARTER, "priorities/", "timeboxes/", "areas/", "data/", "hypotheses/", "handbook/following/",
)  # fmt: skip


@pytest.fixture(params=[(scheme, width) for scheme in ("light", "dark") for width in (1280, 390)], ids=str)
def look(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A scheme and a width, as options of a page."""
    scheme, width = request.param
    return {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}


@pytest.fixture(scope="module")
def sample(sample_kb: Path) -> Iterator[str]:
    """The address of the sample."""
    with served(sample_kb / "site") as address:
        yield address


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a knowledge base of one story, as `perfkb init` makes it."""
    require("chromium")
    root = tmp_path_factory.mktemp("fresh") / "kb"
    make_knowledge_base(root)
    perfkb("-C", root, "refresh")
    succeed("-C", root, "build")
    with served(root / "site") as address:
        yield address


def test_every_page_is_accessible(browser: Browser, sample: str, look: dict[str, Any]) -> None:
    """axe-core finds nothing; no page is wider than its window, logs an error, or asks another host."""
    found = {}
    with watched(browser, sample, **look) as page:
        for path in PAGES:
            page.goto(sample + path)
            page.wait_for_load_state("load")
            found[path] = violations(page)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert {path: each for path, each in found.items() if each} == {}


def test_a_fresh_knowledge_base(browser: Browser, fresh: str, look: dict[str, Any]) -> None:
    """With one story and no fix, Home and Impact are accessible as well, and say what will stand there."""
    with watched(browser, fresh, **look) as page:
        for path, said in (("", "No fix has been judged as an improvement yet"), ("impact/", "No fix is known yet")):
            page.goto(fresh + path)
            page.wait_for_load_state("load")
            assert said in page.locator("article").inner_text()
            assert violations(page) == []


CHARTS = (
    ("impact/", "#pk-chart-impact-user-hours"),
    ("impact/", "#pk-chart-impact-expected"),
    (QUARTER, "#pk-chart-impact-expected"),
    ("priorities/", "#pk-chart-priorities"),
)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize(("path", "chart"), CHARTS)
def test_charts_say_their_values(browser: Browser, sample: str, path: str, chart: str, width: int) -> None:
    """Each chart of a number with its interval is read by keys and by a pointer, with what its table says."""
    with watched(browser, sample, viewport={"width": width, "height": 900}) as page:
        page.goto(sample + path)
        page.wait_for_load_state("networkidle")
        figure = page.locator(chart)
        figure.scroll_into_view_if_needed()
        reader, tip = figure.locator(".pk-reader"), figure.locator(".pk-reader__tip")
        points = figure.locator(".pk-readings[data-points]").count() == 1
        table: list[list[str]] = figure.locator(".pk-readings tbody tr").evaluate_all(
            "rows => rows.map(row => [row.dataset.x, row.dataset.y, ...Array.from(row.cells, c => c.textContent)])"
        )
        columns = figure.locator(".pk-readings thead th").evaluate_all("cells => cells.map(c => c.textContent)")[1:]
        assert len(table) > 1
        reader.focus()
        page.keyboard.press("Home")
        box = reader.bounding_box()
        assert box
        scale = box["width"] / 720
        for number, (x, y, place, *values) in enumerate(table):
            if number:
                page.keyboard.press("ArrowDown" if points else "ArrowRight")
            said = f"{place}: " + ", ".join(map(" ".join, zip(columns, values, strict=True)))
            assert reader.get_attribute("aria-valuetext") == said
            page.keyboard.press("End" if number == 0 else "Home")
            reader.hover(position={"x": float(x) * scale, "y": float(y) * scale})
            near = [row[2] for row in table if abs(float(row[0]) - float(x)) + abs(float(row[1]) - float(y)) < 4]
            assert (reader.get_attribute("aria-valuetext") or "").startswith(tuple(near))
            shown = tip.bounding_box()
            assert shown
            assert shown["x"] >= 0
            assert shown["x"] + shown["width"] <= width
            assert shown["height"] < 300


def test_from_home_to_what_it_is_about(browser: Browser, sample: str) -> None:
    """From Home, the words of a customer lead to the story, and a look to the place of it in its story."""
    with watched(browser, sample) as page:
        page.goto(sample)
        radar = page.locator("ul.pk-radar > li", has_text="campaigns page spins")
        assert "Open the folder of the campaign" in radar.inner_text()
        radar.get_by_role("link").click()
        page.wait_for_url("**/stories/slow-campaign-list/")
        page.goto(sample)
        address = str(page.locator("#pk-now + ul a").first.get_attribute("href"))
        page.goto(sample + address)
        assert page.locator(f"#{address.partition('#')[2]}").count() == 1


def test_every_link_leads_somewhere(sample_kb: Path) -> None:
    """Each link of Home, Impact and a quarter leads to a page, and to a place on it that is there."""
    site = sample_kb / "site"
    lost = []
    for path in ("", "impact/", QUARTER):
        html = (site / path / "index.html").read_text(encoding="utf-8")
        article = html[html.index("<article") : html.index("</article>")]
        for href in map(unescape, re.findall(r'href="([^"]*)"', article)):
            address, _, anchor = href.partition("#")
            target = (site / path / address.partition("?")[0]).resolve()
            if "://" in href:
                continue
            file = target / "index.html" if target.is_dir() else target
            if not file.is_file() or (anchor and f'id="{anchor}"' not in file.read_text(encoding="utf-8")):
                lost.append(f"{path}: {href}")
    assert lost == []


def test_pages_offer_feeds_that_are_there(browser: Browser, sample: str) -> None:
    """A page names its feeds, and each of them is Atom that a browser can read."""
    read = """address => fetch(address).then(answer => answer.text())
        .then(text => new DOMParser().parseFromString(text, "text/xml").documentElement.nodeName)"""
    with watched(browser, sample) as page:
        for path, count in (("", 1), ("stories/slow-campaign-list/", 2), ("areas/", 10)):
            page.goto(sample + path)
            links = page.locator("link[type='application/atom+xml']")
            addresses = [link.evaluate("element => element.href") for link in links.all()]
            assert len(addresses) == count, path
            assert {page.evaluate(read, address) for address in addresses} == {"feed"}


def test_previews_of_links(browser: Browser, sample: str) -> None:
    """Each page tells a chat its title, a sentence and a picture of ours."""
    with watched(browser, sample) as page:

        def told(name: str) -> str | None:
            return page.locator(f"meta[property='og:{name}']").get_attribute("content")

        for path in PAGES:
            page.goto(sample + path)
            assert told("title")
            assert told("description")
            assert told("url") == f"https://perf.pigeonry.example/{path}"
            assert told("image") == "https://perf.pigeonry.example/assets/images/perfkb-card.png"
        page.goto(f"{sample}stories/slow-campaign-list/")
        assert told("title") == "Campaign list is slow for accounts with many lists"
        assert told("type") == "article"
        size = "a => fetch(a).then(r => r.blob()).then(createImageBitmap).then(i => [i.width, i.height])"
        assert page.evaluate(size, f"{sample}assets/images/perfkb-card.png") == [1200, 630]


@pytest.mark.parametrize(
    ("path", "scheme", "most"), [("impact/", "dark", 6), (QUARTER, "dark", 4), (QUARTER, "light", 4)]
)
def test_print(browser: Browser, sample: str, tmp_path: Path, path: str, scheme: Any, most: int) -> None:
    """On paper there is no navigation and no dark ground, and the four answers stand on the first page."""
    require("pdftoppm")
    with watched(browser, sample, color_scheme=scheme) as page:
        page.goto(sample + path)
        page.wait_for_load_state("networkidle")
        page.pdf(path=tmp_path / "page.pdf", format="A4", print_background=True)
    read = ["pdftotext", "-layout", str(tmp_path / "page.pdf"), "-"]
    words = subprocess.run(read, capture_output=True, text=True, check=True).stdout
    pages = words.rstrip("\f").split("\f")
    assert len(pages) <= most
    for question in ("What did we gain?", "How sure are we?", "Did it last?", "What is next?"):
        assert question in pages[0]
    assert not any(word in words for word in ("Handbook", "Search", "All quarters"))
    subprocess.run(["pdftoppm", "-r", "20", "-gray", tmp_path / "page.pdf", tmp_path / "page"], check=True)
    pictures = sorted(tmp_path.glob("page-*.pgm"))
    assert len(pictures) == len(pages)
    for shades in map(_shades, pictures):
        # The corner is bare, and of the whole only letters and bars are ink.
        assert shades[0] == 255
        assert sum(shade < 200 for shade in shades) < 0.12 * len(shades)


def _shades(picture: Path) -> bytes:
    """The pixels of a PGM file, a byte each."""
    raw = picture.read_bytes()
    header = re.match(rb"P5\s+(\d+)\s+(\d+)\s+255\s", raw)
    assert header
    return raw[header.end() :]


def test_a_digest_as_mail(browser: Browser, sample_kb: Path, tmp_path: Path) -> None:
    """The sample's digest is accessible, at the width of a phone too, and asks for nothing but itself."""
    file = tmp_path / "digest.html"
    succeed("-C", sample_kb, "digest", "--since", "40d", "--format", "html", "--output", file)
    with watched(browser, file.as_uri()) as page:
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(file.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            # A mail has no landmarks.
            assert [each for each in violations(page) if not each.startswith(("region", "landmark"))] == []
