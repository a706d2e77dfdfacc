"""Building: strict by default, the old site kept, bad stories quarantined on demand."""

import re
import shlex
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from macros.scaffold import make_knowledge_base
from tests.commands import files_of, perfkb, succeed

BAD = """---
title: A story with a mistake
status: repotred
reports:
  - {date: 2026-01-01, said: slow}
---

The text stays.
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `perfkb init` makes, with its telemetry fetched."""
    made = tmp_path_factory.mktemp("fresh") / "kb"
    succeed("init", made)
    succeed("-C", made, "refresh")
    return made


@pytest.fixture
def root(fresh: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(fresh, tmp_path / "kb"))


def test_a_fresh_knowledge_base_builds(root: Path) -> None:
    """What `init` makes passes `check` but for what it invites to decide, and builds without a warning."""
    told = succeed("-C", root, "check")
    assert "PK305 warning" in told
    assert "0 errors, 1 warning\n" in told
    assert "warning" not in succeed("-C", root, "build")
    assert (root / "site/stories/checkout-spins/index.html").is_file()
    assert (root / "site/stories/checkout-spins/requests.svg").is_file()
    assert (root / "site/pagefind/pagefind.js").is_file()


def test_a_fresh_hypothesis_is_decided(root: Path) -> None:
    """The example's test is confirmed by one command, which pins its evidence and moves the stage."""
    told = succeed("-C", root, "decide", "checkout-spins", "h1")
    assert "h1 is confirmed" in told
    assert "status: confirmed" in (root / "stories/checkout-spins.md").read_text()
    assert "0 errors, 0 warnings" in succeed("-C", root, "check")
    succeed("-C", root, "build")
    assert (root / "site/stories/checkout-spins/pinned/h1/numbers.json").is_file()


def test_a_bad_story_keeps_the_old_site(root: Path) -> None:
    """A strict build with a mistake names it, publishes nothing and leaves the old site as it was."""
    succeed("-C", root, "build")
    before = files_of(root / "site")
    (root / "stories/bad.md").write_text(BAD)
    done = perfkb("-C", root, "build")
    assert done.returncode == 1
    assert "stories/bad.md:3:1: PK104" in done.stderr
    assert "Traceback" not in done.stderr
    assert files_of(root / "site") == before
    assert not list(root.glob(".site-*"))


def test_quarantine_publishes_the_others(root: Path) -> None:
    """With --quarantine a bad story has a banner with its mistakes, and is listed on Data."""
    (root / "stories/bad.md").write_text(BAD)
    succeed("-C", root, "build", "--quarantine")
    page = (root / "site/stories/bad/index.html").read_text()
    assert "This story has mistakes" in page
    assert "PK104" in page
    assert "The text stays." in page
    assert "PK104" in (root / "site/data/index.html").read_text()
    assert (root / "site/stories/checkout-spins/index.html").is_file()


def test_unreadable_front_matter_is_quarantined(root: Path) -> None:
    """A story whose YAML cannot be read has a page that says so, under its file's name."""
    (root / "stories/broken.md").write_text("---\ntitle: [\n---\n\nText.\n")
    (root / "stories/deep.md").write_text("---\ntitle: " + "[" * 40_000 + "\n---\n")
    succeed("-C", root, "build", "--quarantine")
    assert "PK002" in (root / "site/stories/broken/index.html").read_text()
    assert "PK003" in (root / "site/stories/deep/index.html").read_text()


def test_bad_configuration_is_never_published(root: Path) -> None:
    """A mistake in site-config/ stops even a build with --quarantine."""
    with (root / "site-config/knowledge-base.yml").open("a") as file:
        file.write("timezoen: UTC\n")
    done = perfkb("-C", root, "build", "--quarantine")
    assert done.returncode == 1
    assert "did you mean timezone?" in done.stderr
    assert not (root / "site").exists()


def test_a_dead_link_is_found(root: Path) -> None:
    """MkDocs' own check of links covers the stories' narratives."""
    story = root / "stories/checkout-spins.md"
    story.write_text(story.read_text() + "\n[gone](no-such-story.md)\n")
    done = perfkb("-C", root, "build")
    assert done.returncode == 1
    assert "no-such-story.md" in done.stderr


def test_mkdocs_itself_builds_the_site(root: Path, tmp_path: Path) -> None:
    """`mkdocs build --strict` gives the same pages as `perfkb build`."""
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    # The starter's days are around the one on which it was made.
    now = int(time.time())
    succeed("-C", root, "build", now=now)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", str(now))
        build(load_config(config_file=str(root / "mkdocs.yml"), site_dir=str(tmp_path / "plain"), strict=True))
    assert files_of(tmp_path / "plain") == files_of(root / "site")


def test_drafts_are_not_published(root: Path) -> None:
    """A draft has no page, no data and no entry in any list; what was reported of it stands nowhere."""
    draft = BAD.replace("repotred", "reported\ndraft: true\nsame_as: checkout-spins").replace(
        "said: slow", "said: UNSAID"
    )
    (root / "stories/secret-plan.md").write_text(draft.replace("2026-01-01", str(datetime.now(UTC).date())))
    succeed("-C", root, "build")
    told = {"digest": succeed("-C", root, "digest", "--since", "30d").encode(), **files_of(root / "site")}
    assert not [name for name, text in told.items() if b"secret-plan" in text or b"UNSAID" in text]


def test_hidden_customer_fields_are_nowhere(root: Path) -> None:
    """What `hide` names is in no page, no search index and no data file."""
    story = root / "stories/checkout-spins.md"
    story.write_text(story.read_text().replace("who: ", "customer: {revenue: SECRET-REVENUE}\nwho: ", 1))
    with (root / "site-config/knowledge-base.yml").open("a") as file:
        file.write("hide: [revenue]\n")
    succeed("-C", root, "build")
    assert not any(b"SECRET-REVENUE" in data for data in files_of(root / "site").values())


def test_a_story_without_data_says_so(tmp_path: Path) -> None:
    """A chart that has no snapshot yet is a calm placeholder, and the build is no failure."""
    make_knowledge_base(tmp_path / "kb")
    succeed("-C", tmp_path / "kb", "build")
    page = (tmp_path / "kb/site/stories/checkout-spins/index.html").read_text()
    assert "Nothing has been fetched yet" in page


def test_what_comes_after_init(tmp_path: Path) -> None:
    """The commands that come next can be copied, whatever the folder is called."""
    done = perfkb("init", tmp_path / "our kb's")
    (told,) = re.findall("next: (.*)", done.stdout)
    assert shlex.split(told)[:4] == ["perfkb", "-C", str(tmp_path / "our kb's"), "refresh"]


def test_init_keeps_what_is_there(tmp_path: Path) -> None:
    """`init` refuses a folder that holds anything, with a hint and no traceback."""
    (tmp_path / "mine.txt").write_text("mine")
    done = perfkb("init", tmp_path)
    assert done.returncode == 2
    assert "not an empty folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_links_between_stories(root: Path) -> None:
    """A link to another story's file leads to its page."""
    (root / "stories/other.md").write_text(
        BAD.replace("repotred", "reported") + "\nSee [checkout](checkout-spins.md).\n"
    )
    succeed("-C", root, "build")
    assert 'href="../checkout-spins/"' in (root / "site/stories/other/index.html").read_text()
