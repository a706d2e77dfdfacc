"""`make bench-browser`: what readers of a large site wait for and load, and what its search index costs a build."""

import gzip
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
from playwright.sync_api import Browser, Response

from macros.scaffold import make_knowledge_base
from macros.search import FOLDER, MATERIAL, indexer, write_index
from tests.bench.__main__ import Figure, build, timed
from tests.browsing import chromium, served
from tests.many import fill

STORIES, WORDS = 1000, 700
WANTED = "page spins"
WORKER = "assets/javascripts/workers/search*.js"


def _compressed(data: bytes) -> int:
    """What a web server sends of it: files that are compressed already stay as they are."""
    return min(len(data), len(gzip.compress(data, 9)))


def _material(root: Path) -> int:
    """The bytes that Material's search loads before its first result, in a copy of the knowledge base."""
    config = (root / "mkdocs.yml").read_text()
    (root / "mkdocs.yml").write_text(config.replace("  - perfkb\n", "  - perfkb:\n      search: material\n"))
    build(root)
    (root / "mkdocs.yml").write_text(config)
    return sum(_compressed(path.read_bytes()) for path in [root / "site" / MATERIAL, *(root / "site").glob(WORKER)])


def _pagefind(browser: Browser, site: Path) -> int:
    """The bytes that a browser loads for the first search on the site."""
    with served(site) as address:
        page = browser.new_context().new_page()
        page.goto(address)
        page.wait_for_load_state("networkidle")
        loaded: list[Response] = []
        page.on("response", lambda response: loaded.append(response))
        page.keyboard.press("/")
        page.locator(".md-search__input").fill(WANTED)
        page.locator(".md-search-result__item").first.wait_for()
        return sum(_compressed(response.body()) for response in loaded)


def figures(root: Path) -> Iterator[Figure]:
    """Everything that is measured, as it comes."""
    make_knowledge_base(root)
    fill(root, STORIES, WORDS)
    before = _material(root) / 1000
    yield Figure(f"Material's search of {STORIES:,} stories, loaded before a result", before, "kB")
    build(root)
    with chromium() as browser:
        after = _pagefind(browser, root / "site") / 1000
    yield Figure(f"ours, loaded for the first {WANTED!r}", after, "kB", 250)
    yield Figure("  as a ratio", after / before, "x", 0.2)
    program = indexer()
    assert program
    shutil.rmtree(root / "site" / FOLDER)
    yield Figure("  making its index", timed(lambda: write_index(root / "site", program)), "s", 10)
    page = (root / "site/stories/index.html").read_bytes()
    yield Figure(f"the page of {STORIES:,} stories", _compressed(page) / 1000, "kB")


def main() -> None:
    """Prints the table; exit status 1 where a limit does not hold."""
    broken = 0
    with tempfile.TemporaryDirectory() as folder:
        for figure in figures(Path(folder) / "kb"):
            click.echo(figure)
            broken += not figure.holds
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
