"""What goes wrong around a build ends in a line that says so, and costs one page at most."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ingest.charts import Kind
from ingest.errors import UserError
from ingest.evidence import Facts
from ingest.limits import TooLongError, time_limit
from macros import build as building
from macros import plugin
from macros.build import build_site
from macros.pages import story_page
from macros.scaffold import make_knowledge_base
from tests.commands import perfkb

BAD_CHART = """---
title: Another
status: reported
reports: [{date: 2026-01-01, said: slow}]
telemetry: {requests: {source: demo, kind: histogram, metric: checkout, unit: s}}
---

![x](checkout-spins/requests.svg)
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("faults") / "kb"
    make_knowledge_base(made)
    (made / "stories/another.md").write_text(BAD_CHART)
    return made


@pytest.fixture
def root(fresh: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fresh, tmp_path / "kb"))


def built(root: Path, *, strict: bool = True, site_dir: Path | None = None) -> tuple[bool, list[str]]:
    """Whether a site was published, and what was said."""
    said: list[str] = []
    return build_site(root, site_dir, strict=strict, say=said.append), said


def page(root: Path, slug: str) -> str:
    return (root / f"site/stories/{slug}/index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("fault", [ValueError("a bad number"), TooLongError(), ZeroDivisionError("division")])
def test_a_chart_that_fails(root: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException) -> None:
    """One chart that cannot be drawn is a placeholder, is named with its story, and makes the build an error."""

    def draw(*_: object) -> None:
        raise fault

    monkeypatch.setattr(Kind, "draw", draw)
    done, said = built(root)
    assert not done
    assert any("stories/another.md: the chart requests.svg cannot be drawn" in line for line in said)
    assert built(root, strict=False)[0]
    assert "This chart cannot be drawn" in page(root, "another")


def test_a_page_that_fails(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One page that cannot be made says so in its place; the others are published."""

    def fail_for_one(site: object, facts: Facts, *rest: object) -> object:
        if facts.slug == "another":
            raise KeyError("nothing")
        return story_page(site, facts, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(plugin, "story_page", fail_for_one)
    done, said = built(root)
    assert not done
    assert any("stories/another.md: its page cannot be made: KeyError" in line for line in said)
    assert built(root, strict=False)[0]
    assert "The page of this story cannot be made" in page(root, "another")
    assert "For support" in page(root, "checkout-spins")


def test_a_chart_of_another_story_names_it(root: Path) -> None:
    """Who places a chart of another story shows its readers whose it is."""
    assert built(root)[0]
    assert '>A chart of <a href="../checkout-spins/">' in page(root, "another").replace("\n", "")
    assert "A chart of" not in page(root, "checkout-spins")


def test_pictures_in_every_spelling(root: Path) -> None:
    """A chart is placed however its picture is written, and an attribute's text ends no picture."""
    story = root / "stories/another.md"
    head = BAD_CHART.partition("![x]")[0]
    spellings = (
        "![a > b](another/requests.svg)", "![x](./another/requests.svg)", '![x](another/requests.svg "a > b")',
        "![x](<another/requests.svg>)", '<img alt="src=&quot;y&quot; >" src="requests.svg">',
        "![x][y]\n\n[y]: another/requests.svg",
    )  # fmt: skip
    for spelling in spellings:
        story.write_text(head + spelling + "\n")
        assert built(root, strict=False)[0]
        html = page(root, "another")
        assert html.count('<figure class="pk-chart"') == 1, spelling
        assert "<img" not in html.partition("<article")[2].partition("</article>")[0], spelling


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_disk_that_fails(root: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """A full disk or a folder that may not be written is one line, and the old site stays."""
    assert built(root)[0]
    before = page(root, "another")

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code), "/some/where")

    monkeypatch.setattr(building, "_build", fail)
    with pytest.raises(UserError, match=os.strerror(code)):
        built(root)
    assert page(root, "another") == before
    assert not list(root.glob(".site-*"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["init", "/dev/null/kb"], "/dev/null"),
        (["build", "--site-dir", "/dev/null/site"], "/dev/null"),
        (["build", "--site-dir", "stories"], "cannot take the place of the knowledge base"),
        (["build", "--site-dir", "."], "cannot take the place of the knowledge base"),
        (["build", "--site-dir", "site-config/x"], "cannot take the place of the knowledge base"),
        (["build", "--site-dir", "../mine"], "this folder holds something else than a site"),
        (["build", "--site-dir", "mkdocs.yml"], "this is not a folder"),
    ],
)
def test_folders_that_cannot_be(root: Path, arguments: list[str], told: str) -> None:
    """A folder that cannot be written, or must not be replaced, is one line and exit status 2; nothing is lost."""
    (root.parent / "mine").mkdir()
    (root.parent / "mine/letter.txt").write_text("mine")
    given = [str(root / each) if arguments[0] == "build" and i == 2 else each for i, each in enumerate(arguments)]
    done = perfkb("-C", root, *given)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert (root / "stories/another.md").is_file()
    assert (root.parent / "mine/letter.txt").read_text() == "mine"


@pytest.mark.parametrize("text", [b"caf\xe9\n", b"{{ nosuch() }}\n", b"{{ 1/0 }}\n", b"{% if\n"])
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_pages_with_mistakes(root: Path, text: bytes) -> None:
    """A page of content/ that is not UTF-8 or calls what is not there ends the build without a traceback."""
    (root / "content/data.md").write_bytes(text)
    done = perfkb("-C", root, "build", "--quarantine")
    assert done.returncode in (1, 2)
    assert "data.md" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (root / "site").exists()


def test_the_macros_plugin_is_missed(root: Path) -> None:
    """Without the plugin that runs macros, a build says which one is missing."""
    yml = (root / "mkdocs.yml").read_text()
    start, end = yml.index("  - macros:"), yml.index("  - perfkb")
    (root / "mkdocs.yml").write_text(yml[:start] + yml[end:])
    done, said = built(root)
    assert not done
    assert any("the plugin `macros` is missing" in line for line in said)


@pytest.mark.parametrize("path", ["stories/another.md", "stories/another/index.md", "stories/another/requests.csv"])
def test_a_page_in_the_way_of_a_story(root: Path, path: str) -> None:
    """A page of content/ at a story's address is an error, and is not replaced silently."""
    (root / "content/stories/another").mkdir()
    (root / "content" / path).write_text("# Mine\n")
    done, said = built(root, strict=False)
    assert not done
    assert any(f"content/{path} stands where a file of a story belongs" in line for line in said)


def test_a_link_that_leads_nowhere(root: Path) -> None:
    """A sources.yml that is a dangling link is an error, not the demo."""
    (root / "site-config/sources.yml").unlink()
    (root / "site-config/sources.yml").symlink_to(root / "nowhere.yml")
    for command in ("check", "refresh", "build"):
        done = perfkb("-C", root, command)
        assert done.returncode in (1, 2)
        assert "sources.yml: cannot be read" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_hidden_values_in_mistakes(root: Path) -> None:
    """A mistake in a field that is hidden is named on the page without its value."""
    with (root / "site-config/knowledge-base.yml").open("a") as file:
        file.write("hide: [revenue, churn]\n")
    for number, customer in enumerate(
        ("{revenue: {value: 5M, as_of: S3CR3T}}", "S3CR3T", "{revenue: [S3CR3T]}", "{churn: {S3CR3T: 1}}",
         "{revenue: 12:30}", "{revenue: {value: 1, source: S3CR3T}}")
    ):  # fmt: skip
        text = BAD_CHART.replace("telemetry:", f"customer: {customer}\ntelemetry:")
        (root / f"stories/hidden-{number}.md").write_text(text)
    assert built(root, strict=False)[0]
    for path in (root / "site").rglob("*.*"):
        if path.suffix in (".html", ".json", ".csv", ".svg"):
            assert "S3CR3T" not in path.read_text(encoding="utf-8"), path
    assert "a field that is hidden here has a mistake" in page(root, "hidden-0")
    assert "12:30" not in page(root, "hidden-4")


def test_thousands_of_warnings(root: Path) -> None:
    """What MkDocs warns of is said a line each, and not without end."""
    links = "".join(f"[a](nowhere-{number}.md)\n\n" for number in range(building.MOST_WARNINGS + 50))
    (root / "content/data.md").write_text(f"# Data\n\n[x](<no&#10;::error::x&#27;[31m.md>)\n\n{links}")
    done, said = built(root)
    assert not done
    assert sum("nowhere-" in line or "::error::" in line for line in said) == building.MOST_WARNINGS
    assert "and 51 more warnings" in said
    assert all(line.isprintable() and not line.startswith("::") for line in said)


def test_what_a_killed_build_left_is_swept(root: Path) -> None:
    """Leftovers of builds that are long over are removed; that of one that may still run stays."""
    old, young = root / ".site-old", root / ".site-young"
    for folder in (old, young):
        (folder / "new").mkdir(parents=True)
    os.utime(old, (time.time() - 4000, time.time() - 4000))
    assert built(root)[0]
    assert not old.exists()
    assert young.exists()


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this system has no such signals")
def test_a_terminated_build_leaves_nothing(root: Path) -> None:
    """SIGTERM ends a build with its exit status, and without leftovers."""
    command = [sys.executable, "-P", "-m", "perfkb", "-C", str(root), "build"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as running:
        while not list(root.glob(".site-*")) and running.poll() is None:
            time.sleep(0.02)
        running.terminate()
        assert running.wait(30) == 128 + signal.SIGTERM
    assert not list(root.glob(".site-*"))
    assert not (root / "site").exists()


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this system has no such signals")
def test_a_time_limit() -> None:
    """What takes too long is ended, also where it catches every Exception; nothing rings afterwards."""

    def stubborn() -> None:
        while True:
            try:
                time.sleep(0.01)
            except Exception:  # noqa: S112
                continue

    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(TooLongError), time_limit(0.1):
        stubborn()
    with time_limit(0.1):
        pass
    time.sleep(0.3)
    assert signal.getsignal(signal.SIGALRM) == before
