"""`perfkb serve` in a real Chromium: what is saved shows by itself, and no mistake ends it."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from macros.scaffold import make_knowledge_base
from tests.commands import perfkb, succeed
from tests.servers import free_port, require

STORY = "stories/checkout-spins/"
NEW = """---
title: The export never ends
status: reported
draft: true
reports:
  - {date: 2026-01-01, said: slow}
---

Nobody has looked yet.
"""


@dataclass(frozen=True)
class Preview:
    """A running `perfkb serve`."""

    root: Path
    url: str
    process: subprocess.Popen[bytes]

    @property
    def story(self) -> Path:
        return self.root / "stories/checkout-spins.md"


@contextmanager
def serving(root: Path, **environ: str) -> Iterator[Preview]:
    """`perfkb serve`, from when it answers until a SIGTERM has ended it in good order."""
    port = free_port()
    log = root.parent / f"serve-{port}.log"
    command = [sys.executable, "-P", "-m", "perfkb", "-C", str(root), "serve", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **environ})
    try:
        _wait_until_it_answers(process, f"http://127.0.0.1:{port}/livereload/0/0", log)
        yield Preview(root, f"http://127.0.0.1:{port}/", process)
        assert process.poll() is None, log.read_text()
        process.terminate()
        assert process.wait(20) == 0
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait()


def _wait_until_it_answers(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in range(1200):
        if process.poll() is not None:
            break
        with suppress(OSError), urllib.request.urlopen(url, timeout=30):
            return
        time.sleep(0.05)
    raise RuntimeError(f"the preview did not come up: {log.read_text()[-2000:]}")


@pytest.fixture(scope="module")
def preview(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Preview]:
    """The preview of what `perfkb init` makes; every test leaves that as it found it."""
    require("chromium")
    root = tmp_path_factory.mktemp("preview") / "kb"
    make_knowledge_base(root)
    succeed("-C", root, "refresh")
    with serving(root) as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab, which no test ever reloads."""
    made = browser.new_page()
    yield made
    made.close()


def save(path: Path, text: str | bytes) -> None:
    """Saves as many editors do: into another file, which then takes the old one's place."""
    fresh = path.with_name(f".{path.name}.swp")
    fresh.write_bytes(text if isinstance(text, bytes) else text.encode())
    fresh.replace(path)


@contextmanager
def changed(path: Path, text: str | bytes) -> Iterator[None]:
    """A file that says something else for a while."""
    before = path.read_bytes()
    save(path, text)
    try:
        yield
    finally:
        save(path, before)


def shows(page: Page, text: str) -> None:
    """Waits until the page says so."""
    page.locator("body", has_text=text).wait_for(timeout=20_000)


def shows_no_longer(page: Page, text: str) -> None:
    """Waits until the page is a whole one without that."""
    page.locator("body:has(article)", has_not_text=text).wait_for(timeout=20_000)


def answer(url: str, host: str) -> tuple[int, bytes]:
    """What the preview answers somebody who asks for it by the name `host`."""
    asked = urllib.request.Request(url, headers={"Host": host, "Origin": "https://evil.example"})
    try:
        with urllib.request.urlopen(asked, timeout=30) as given:
            assert "Access-Control-Allow-Origin" not in given.headers
            return given.status, given.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.mark.parametrize("path", ["", STORY, "stories.json", "livereload/0/0", "nowhere"])
def test_no_other_site_reads_it(preview: Preview, path: str) -> None:
    """A name of somebody else that leads to this machine shows nothing, so that no page under it can read drafts."""
    port = preview.url.rsplit(":", 1)[1].rstrip("/")
    for name in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "localhost@evil.example", "[", ""):
        status, body = answer(preview.url + path, name)
        assert (status, b"Checkout" in body) == (403, False), name
    for name in (f"localhost:{port}", f"127.0.0.1:{port}", "LOCALHOST", "[::1]:9000"):
        assert answer(preview.url + path, name)[0] == (404 if path == "nowhere" else 200), name


@pytest.mark.parametrize(
    "path", ["%00", "a%00b/", f"livereload/{'9' * 5000}/1", "../../../etc/passwd", "%2e%2e/%2e%2e/x"]
)
def test_an_address_that_no_file_has(preview: Preview, path: str) -> None:
    """Whatever a page in the browser asks for, there is nothing at such an address, and no traceback."""
    status, body = answer(preview.url + path, "localhost")
    assert (status, b"root:" in body) == (404, False)


def test_a_save_shows_by_itself(preview: Preview, page: Page) -> None:
    """A saved story is shown without reloading, and of two saves in a row the second."""
    page.goto(preview.url + STORY)
    text = preview.story.read_text()
    with changed(preview.story, text + "\nSeen on a Tuesday.\n"):
        shows(page, "Seen on a Tuesday.")
        save(preview.story, text + "\nSeen on a Wednesday.\n")
        preview.story.write_text(text + "\nSeen on a Thursday.\n")
        shows(page, "Seen on a Thursday.")
    shows_no_longer(page, "Seen on a")


def test_mistakes_stand_on_their_page(preview: Preview, page: Page, browser: Browser) -> None:
    """What a build would refuse in a story stands on its page with its place, and on no other."""
    page.goto(preview.url + STORY)
    text = preview.story.read_text()
    with changed(preview.story, text.replace("status: ", "status: x", 1) + "\n[gone](no-such-story.md)\n"):
        shows(page, "stories/checkout-spins.md:3:1 PK104")
        shows(page, "contains a link 'no-such-story.md'")
        other = browser.new_page()
        other.goto(preview.url)
        assert "no-such-story.md" not in other.inner_text("body")
        other.close()
        save(preview.story, text.replace("title: ", "title: [", 1))
        shows(page, "stories/checkout-spins.md:3:7 PK002")
        save(preview.story, f"<<<<<<< HEAD\n{text}")
        shows(page, "stories/checkout-spins.md:1:1 PK006")
    shows_no_longer(page, "PK006")


def test_stories_come_and_go(preview: Preview, page: Page) -> None:
    """A new draft appears in lists and has a page; once removed, its page says so, until it is back."""
    draft = preview.root / "stories/endless-export.md"
    page.goto(preview.url + "stories/")
    save(draft, NEW)
    shows(page, "The export never ends")
    page.get_by_role("link", name="The export never ends").first.click()
    shows(page, "This story is a draft")
    draft.unlink()
    shows(page, "404")
    save(draft, NEW)
    shows(page, "This story is a draft")
    draft.unlink()
    shows(page, "404")


def test_a_broken_configuration_stands_on_every_page(preview: Preview, page: Page, browser: Browser) -> None:
    """Mistakes in site-config/ stand on stories and other pages, which are there all the same."""
    settings, sources = (preview.root / f"site-config/{name}.yml" for name in ("knowledge-base", "sources"))
    page.goto(preview.url + STORY)
    with changed(sources, "demo: [\n"), changed(settings, "timezoen: UTC\n"):
        other = browser.new_page()
        other.goto(preview.url + "data/")
        for tab in (page, other):
            shows(tab, "site-config/knowledge-base.yml:1:1: PK101")
            shows(tab, "site-config/sources.yml:2:1: PK002")
        assert page.locator(".pk-head").count() == 1
        other.close()
    shows_no_longer(page, "site-config/")


def test_a_broken_page_is_told_everywhere(preview: Preview, page: Page, browser: Browser) -> None:
    """Where a page in content/ keeps the site from being built, each address says which, and where in it."""
    areas = preview.root / "content/areas.md"
    page.goto(preview.url + "areas/")
    with changed(areas, "---\ntitle: Areas\n---\n\n# Areas\n\n{{ nope() }}\n"):
        shows(page, "content/areas.md:7:1: 'nope' is undefined")
        other = browser.new_page()
        other.goto(preview.url + STORY)
        shows(other, "content/areas.md:7:1: 'nope' is undefined")
        save(areas, "# Areas\n\n{{ unclosed\n")
        shows(page, "content/areas.md:3:1: unexpected end of template")
        save(areas, "# Areas\n\n{% include '<b>not bold</b>' %}\n")
        shows(page, "content/areas.md:3:1: TemplateNotFound: '<b>not bold</b>'")
        save(areas, b"# Areas \xff\n")
        shows(page, "content/areas.md:1:9: PK001")
    shows(page, "Looked after by")
    shows(other, "Checkout spins")
    other.close()


def test_a_broken_mkdocs_yml(preview: Preview, page: Page) -> None:
    """A mistake in mkdocs.yml, or a file that is gone for a while, is told, and mended by the next save."""
    settings = preview.root / "mkdocs.yml"
    page.goto(preview.url + STORY)
    lines = settings.read_text().count("\n") + 1
    with changed(settings, settings.read_text() + "extra: [\n"):
        shows(page, f"mkdocs.yml:{lines + 1}:1: PK002")
        save(settings, settings.read_text().replace("extra: [", "").replace("  - perfkb", "  - nonesuch"))
        shows(page, "mkdocs.yml: Config value 'plugins': The \"nonesuch\" plugin is not installed")
        settings.rename(settings.with_name("aside.yml"))
        shows(page, "does not exist")
        settings.with_name("aside.yml").rename(settings)
    shows(page, "Checkout spins")


def test_the_theme(preview: Preview, page: Page) -> None:
    """A stylesheet and a template of the company's theme show when they are saved, and what is wrong with one."""
    theme = preview.root / "site-config/theme"
    theme.mkdir(exist_ok=True)
    template, stylesheet = theme / "main.html", theme / "own.css"
    head = '{% extends "base.html" %}{% block announce %}<link rel=stylesheet href=/own.css>Buy less'
    page.goto(preview.url + STORY)
    save(template, head)
    shows(page, "site-config/theme/main.html:1:1: Unexpected end of template")
    save(stylesheet, ".md-banner { color: rgb(1, 2, 3) }")
    save(template, head + "{% endblock %}")
    shows(page, "Buy less")
    save(stylesheet, ".md-banner { color: rgb(4, 5, 6) }")
    # While it loads anew, a page has no banner, and not even a body.
    colour = "(banner => banner && getComputedStyle(banner).color)(document.querySelector('.md-banner'))"
    page.wait_for_function(f"{colour} === 'rgb(4, 5, 6)'", timeout=20_000)
    template.unlink()
    shows_no_longer(page, "Buy less")


def test_it_comes_up_broken(tmp_path: Path, browser: Browser) -> None:
    """With a mistake that is there from the start the preview comes up all the same, and ends without a trace."""
    root, scratch = tmp_path / "kb", tmp_path / "scratch"
    make_knowledge_base(root)
    scratch.mkdir()
    settings = root / "mkdocs.yml"
    text = settings.read_text()
    settings.write_text(text + "extra: [\n")
    page = browser.new_page()
    with serving(root, TMPDIR=str(scratch)) as started:
        page.goto(started.url)
        shows(page, "PK002")
        save(settings, text)
        shows(page, "Lately changed")
    assert list(scratch.iterdir()) == []
    page.close()


def test_what_is_no_knowledge_base_is_refused(tmp_path: Path) -> None:
    """In a folder with nothing to show, the preview ends with one line."""
    (tmp_path / "mkdocs.yml").write_text("site_name: x\nplugins: [macros, perfkb]\n")
    (tmp_path / "docs").mkdir()
    done = perfkb("-C", tmp_path, "serve", "--port", str(free_port()))
    assert done.returncode == 2
    assert "is not a knowledge base (make one: perfkb init DIR)" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
