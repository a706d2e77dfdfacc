"""The headers that a site brings along: strict, complete, the same for the same site."""

import base64
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from macros.build import build_site
from macros.policy import HEADERS, headers, write_headers
from macros.scaffold import make_knowledge_base

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("policy") / "kb"
    make_knowledge_base(root)
    assert build_site(root, None, strict=True, say=lambda _: None)
    return root / "site"


def policy_of(text: str) -> dict[str, list[str]]:
    line = re.search(r"Content-Security-Policy: (.*)", text)
    assert line
    return {words[0]: words[1:] for words in (part.split() for part in line[1].split(";"))}


def test_every_script_of_the_pages_is_allowed(site: Path) -> None:
    """The policy has the hash of each script within a page, and no other way to run one."""
    policy = policy_of((site / HEADERS).read_text())
    used = set()
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<[^>]*\son\w+=", text), page
        for script in re.findall(r"<script>(.*?)</script>", text, re.DOTALL):
            used.add(f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'")
    assert used == set(policy["script-src"]) - {"'self'", "'wasm-unsafe-eval'"}
    assert policy["default-src"] == ["'none'"]
    assert "'unsafe-inline'" not in policy["script-src"]


def test_a_script_of_a_story_gets_no_hash(site: Path, tmp_path: Path) -> None:
    """A script that stands on other pages only, as one of an attack would, is not allowed by it."""
    copy = Path(shutil.copytree(site, tmp_path / "site"))
    before = (copy / HEADERS).read_text()
    (copy / HEADERS).unlink()
    page = copy / "stories/checkout-spins/index.html"
    page.write_text(page.read_text().replace("</article>", "<script>window.pwned=1</script></article>"))
    write_headers(copy, wasm=True)
    assert (copy / HEADERS).read_text() == before


def test_webassembly_is_for_the_search_alone(site: Path, tmp_path: Path) -> None:
    """What the search is made of may run where there is one; without it nothing but scripts may."""
    assert "'wasm-unsafe-eval'" in policy_of((site / HEADERS).read_text())["script-src"]
    copy = Path(shutil.copytree(site, tmp_path / "site"))
    (copy / HEADERS).unlink()
    write_headers(copy)
    assert "wasm" not in (copy / HEADERS).read_text()


def test_hosts_can_read_it(site: Path) -> None:
    """No line is longer than what Cloudflare Pages reads, and the pattern means every page."""
    lines = (site / HEADERS).read_text().splitlines()
    assert lines[0] == "/*"
    assert max(map(len, lines)) < 2000
    assert list(headers([])) == [line.strip().partition(":")[0] for line in lines[1:]]


def test_a_file_of_the_company_stays(site: Path, tmp_path: Path) -> None:
    """A `_headers` that content/ brought along is not replaced."""
    copy = Path(shutil.copytree(site, tmp_path / "site"))
    (copy / HEADERS).write_text("/mine\n  X: y\n")
    write_headers(copy)
    assert (copy / HEADERS).read_text() == "/mine\n  X: y\n"


@pytest.mark.parametrize(
    ("server", "line"),
    [("nginx", 'add_header {} "{}" always;'), ("Apache", 'Header always set {} "{}"'), ("Caddy", 'header {} "{}"')],
)
def test_the_handbook_makes_them_for_other_servers(site: Path, server: str, line: str) -> None:
    """The commands of the handbook turn the file into directives, one a header."""
    handbook = (ROOT / "content/handbook/operation.md").read_text(encoding="utf-8")
    block = re.search(rf'title="{server}.*?\n(sed .*?) >', handbook)
    assert block
    made = subprocess.run(["sh", "-c", block[1]], env={"SITE": str(site), "PATH": "/usr/bin:/bin"}, capture_output=True,
                          text=True, check=True).stdout  # fmt: skip
    text = (site / HEADERS).read_text()
    wanted = [line.format(*each.strip().split(": ", 1)) for each in text.splitlines()[1:]]
    assert made.splitlines() == wanted
