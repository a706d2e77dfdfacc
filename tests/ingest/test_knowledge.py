import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.errors import UserError
from ingest.knowledge import find_root, read_knowledge_base
from tests.ingest.bases import LEAST, SETTINGS, base, document, told


def stray(root: Path) -> list[str]:
    """What is wrong with the files of a knowledge base, beside what they hold."""
    return told(read_knowledge_base(root, {}).problems)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A knowledge base with one story."""
    base(tmp_path, {"slow-list": LEAST})
    return tmp_path


def test_a_knowledge_base(root: Path) -> None:
    """A knowledge base has its stories by name, its settings, its sources, its clock and its store."""
    (root / "stories/a.md").write_bytes(document(LEAST))
    found = read_knowledge_base(root, {})
    assert [story.slug for story in found.stories] == ["a", "slow-list"]
    assert found.story("a").path == "stories/a.md"
    assert (found.problems, found.config.problems) == ((), ())
    assert set(found.settings.areas) == {"campaigns"}
    assert set(found.config.sources) == {"demo"}
    assert found.clock.now == datetime(2026, 11, 1, 6, tzinfo=UTC)
    assert found.store == root / ".snapshots"


def test_an_unknown_story(root: Path) -> None:
    """Asking for a story that is not there is the user's mistake."""
    with pytest.raises(UserError, match="there is no story 'b'"):
        read_knowledge_base(root, {}).story("b")


def test_the_clock_of_the_environment(root: Path) -> None:
    """SOURCE_DATE_EPOCH overrules the clock of the configuration."""
    assert read_knowledge_base(root, {"SOURCE_DATE_EPOCH": "1750000000"}).clock.now.year == 2025


def test_no_configuration(root: Path) -> None:
    """Without the files of site-config/ there are defaults, and no problem."""
    (root / "site-config/knowledge-base.yml").unlink()
    found = read_knowledge_base(root, {})
    assert (found.config.problems, set(found.config.sources)) == ((), {"demo"})
    assert not found.clock.fixed


@pytest.mark.parametrize("inside", [".", "stories", "stories/slow-list/pinned", "site-config"])
def test_finding_the_root(root: Path, inside: str) -> None:
    """A knowledge base is found from everywhere within it."""
    (root / "stories/slow-list/pinned").mkdir(parents=True)
    assert find_root(root / inside) == root


def test_the_nearest_root(root: Path) -> None:
    """Of nested knowledge bases the inner one is found."""
    inner = root / "cases/small"
    base(inner)
    assert find_root(inner / "stories") == inner


@pytest.mark.parametrize("made", [[], ["stories"], ["site-config"]])
def test_no_root(tmp_path: Path, made: list[str]) -> None:
    """A folder that lacks stories/, or everything else, is no knowledge base."""
    for name in made:
        (tmp_path / name).mkdir()
    with pytest.raises(UserError, match=r"no knowledge base in .* or above it"):
        find_root(tmp_path)
    with pytest.raises(UserError, match="is not a knowledge base"):
        read_knowledge_base(tmp_path, {})


def test_a_site_without_configuration(tmp_path: Path) -> None:
    """A folder with stories/ and mkdocs.yml is a knowledge base."""
    (tmp_path / "stories").mkdir()
    (tmp_path / "mkdocs.yml").touch()
    assert find_root(tmp_path) == tmp_path


@pytest.mark.parametrize(
    "name",
    ["Slow List.md", "index.md", "Index.md", "a_b.md", "-a.md", "a--b.md", "ä.md", "a.b.md", "a" * 81 + ".md"],
)
def test_names_that_no_story_can_have(root: Path, name: str) -> None:
    """A Markdown file whose name is no slug is named, and is no story."""
    (root / "stories" / name).write_bytes(document(LEAST))
    found = read_knowledge_base(root, {})
    assert told(found.problems) == [f"stories/{name} PK007"]
    assert "is not a story's name (lower-case letters" in str(found.problems[0])
    assert [story.slug for story in found.stories] == ["slow-list"]


@pytest.mark.parametrize("name", ["a" * 80, "0", "2026-is-slow"])
def test_names_that_a_story_can_have(root: Path, name: str) -> None:
    """A name of eighty characters is a story's, and so is one that begins with a digit."""
    (root / f"stories/{name}.md").write_bytes(document(LEAST))
    assert stray(root) == []


@pytest.mark.parametrize(
    "name", ["notes.txt", "slow-list", "slow-list.MD", "slow-list.markdown", "a.md.orig", "data.csv"]
)
def test_files_that_are_no_stories(root: Path, name: str) -> None:
    """Every other file in stories/ is named."""
    (root / "stories" / name).touch()
    assert stray(root) == [f"stories/{name} PK007"]


@pytest.mark.parametrize(
    "name", ["README.md", ".gitkeep", ".DS_Store", ".slow-list.md.swp", ".#slow-list.md", "._a.md"]
)
def test_files_that_are_ignored(root: Path, name: str) -> None:
    """A README, and what editors and systems hide, is neither a story nor a problem."""
    (root / "stories" / name).write_bytes(document(LEAST))
    found = read_knowledge_base(root, {})
    assert (found.problems, len(found.stories)) == ((), 1)


def test_hidden_links(root: Path) -> None:
    """A hidden link is not followed."""
    (root / "secret").write_text("s3cr3t")
    (root / "stories/.evil.md").symlink_to(root / "secret")
    assert [story.slug for story in read_knowledge_base(root, {}).stories] == ["slow-list"]


@pytest.mark.parametrize("target", ["/etc/hostname", "slow-list.md", "nowhere", "../site-config", "."])
@pytest.mark.parametrize("name", ["evil.md", "evil"])
def test_links(root: Path, name: str, target: str) -> None:
    """A link in stories/ is named and not followed, wherever it leads."""
    (root / "stories" / name).symlink_to(target)
    found = read_knowledge_base(root, {})
    assert told(found.problems) == [f"stories/{name} PK007"]
    assert "links are not followed" in str(found.problems[0])
    assert [story.slug for story in found.stories] == ["slow-list"]


def test_linked_folder_of_stories(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A stories/ that leads out of the knowledge base holds no stories."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "stories"
    (root / "stories").rename(elsewhere)
    (root / "stories").symlink_to(elsewhere)
    found = read_knowledge_base(root, {})
    assert told(found.problems) == ["stories/slow-list.md PK007"]
    assert found.stories == ()


def test_pipes(root: Path) -> None:
    """A pipe with the name of a story is not waited for."""
    os.mkfifo(root / "stories/pipe.md")
    assert stray(root) == ["stories/pipe.md PK007"]


def test_the_folder_of_a_story(root: Path) -> None:
    """Beside a story there may be a folder with its pinned evidence, and with nothing else."""
    (root / "stories/slow-list/pinned/h1").mkdir(parents=True)
    assert stray(root) == []
    (root / "stories/slow-list/requests.svg").touch()
    assert stray(root) == ["stories/slow-list/requests.svg PK007"]


@pytest.mark.parametrize("kind", ["file", "link"])
def test_pinned_evidence_is_a_folder(root: Path, kind: str) -> None:
    """What is called pinned and is no folder of its own is named."""
    pinned = root / "stories/slow-list/pinned"
    pinned.parent.mkdir()
    pinned.touch() if kind == "file" else pinned.symlink_to(root)
    assert stray(root) == ["stories/slow-list/pinned PK007"]


@pytest.mark.parametrize("name", ["fast-list", "index", "Bad Name", "fast-list.md"])
def test_folders_without_a_story(root: Path, name: str) -> None:
    """A folder that belongs to no story is named once, whatever it is called."""
    (root / "stories" / name).mkdir()
    assert stray(root) == [f"stories/{name} PK007"]


@pytest.mark.parametrize(
    ("raw", "shown"), [(b"a\nb.md", r"a\nb.md"), (b"\xff.md", r"\udcff.md"), (b"\x1b[2J.md", r"\x1b[2J.md")]
)
def test_hostile_names_of_files(root: Path, raw: bytes, shown: str) -> None:
    """A file's name that would break the line, or cannot be printed, is shown escaped."""
    Path(os.fsdecode(os.fsencode(root / "stories") + b"/" + raw)).write_bytes(document(LEAST))
    (problem,) = read_knowledge_base(root, {}).problems
    assert str(problem).startswith(f"stories/{shown}: PK007")
    assert str(problem).isprintable()


@pytest.mark.parametrize("name", ["site-config/knowledge-base.yml", "site-config/sources.yml"])
def test_configuration_that_cannot_be_opened(root: Path, name: str) -> None:
    """A file of the configuration that is a folder is the user's mistake."""
    (root / name).unlink(missing_ok=True)
    (root / name).mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        read_knowledge_base(root, {})


def test_shared_series(root: Path) -> None:
    """A story's `use` is the series that the configuration declares."""
    base(root, {"slow-list": LEAST + "telemetry: {a: {use: other_pages}, b: {use: missing}}"}, SETTINGS)
    assert {
        name: series.metric for name, series in read_knowledge_base(root, {}).story("slow-list").series.items()
    } == {"a": "other"}
