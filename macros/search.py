"""The search index of a built site: Pagefind reads the written pages, and cuts what they say into small files.

A browser fetches those files alone that its question needs, where Material's index comes
whole. What counts for how much stands in the pages themselves, as Pagefind's attributes:
`searchable` marks what is to be found, and the templates of stories weigh its parts.
"""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pagefind.service import get_executable

from ingest.errors import UserError

FOLDER = "pagefind"
"""Where the index is, below the site's root."""
MATERIAL = "search/search_index.json"
"""Material's own index."""
LEFT_OUT = "[data-search-exclude], .headerlink, .pk-unknown"
"""What stands on a page and is not looked for."""
UNUSED = ("pagefind-component-ui.*", "pagefind-modular-ui.*", "pagefind-ui.*", "pagefind-highlight.js",
          "pagefind-worker.js")  # fmt: skip
"""What comes with every index and our search has no use for: ready-made surfaces, and a thread of its own."""
LONGEST = 600.0
"""How many seconds an index may take; ten thousand stories take a tenth of it."""


def indexer() -> Path | None:
    """The program that makes the index; None where it is not installed."""
    try:
        found = get_executable()
    except FileNotFoundError:
        return None
    return found if found and found.is_file() else None


def searchable(html: str, meta: Mapping[str, Any]) -> str:
    """A page's content as the index is to see it; `meta` is the page's front matter, as Material reads it.

    `search: {exclude: true}` leaves a page out, and `search: {boost: 0.2}` weighs all of it.
    """
    wanted = meta.get("search") or {}
    if wanted.get("exclude"):
        return html
    boost = wanted.get("boost")
    weight = f' data-pagefind-weight="{float(boost):g}"' if boost else ""
    return f"<div data-pagefind-body{weight}>{html}</div>"


def write_index(site: Path, program: Path) -> None:
    """Writes the index of the pages in the folder `site`; UserError where that fails.

    The same pages make the same bytes.
    """
    found = any("data-pagefind-body" in page.read_text(encoding="utf-8") for page in site.rglob("*.html"))
    if not found:  # of nothing, Pagefind makes an index of everything
        return
    command = [program, "--site", site, "--output-subdir", FOLDER, "--exclude-selectors", LEFT_OUT, "--silent"]
    try:
        done = subprocess.run(  # noqa: S603  # our own program, and no shell
            list(map(str, command)), capture_output=True, text=True, timeout=LONGEST, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(None, f"the search index cannot be made: {error}", _HINT) from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        raise UserError(None, f"the search index cannot be made: {said or f'status {done.returncode}'}", _HINT)
    for pattern in UNUSED:
        for path in (site / FOLDER).glob(pattern):
            path.unlink()


def drop_index_of_material(site: Path) -> None:
    """Removes the index that nobody fetches; it is all but empty, for every page is left out of it."""
    index = site / MATERIAL
    index.unlink(missing_ok=True)
    if index.parent.is_dir() and not any(index.parent.iterdir()):
        index.parent.rmdir()


_HINT = "`search: material` below the plugin `perfkb` in mkdocs.yml does without it"
