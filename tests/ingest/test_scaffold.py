import os
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.check import check
from ingest.errors import UserError
from ingest.fields import MAX_SLUG
from ingest.knowledge import read_knowledge_base
from ingest.scaffold import similar_stories, slug_of, write_story
from ingest.story import Said, Story
from tests.ingest.bases import LEAST, SETTINGS, base


def written(
    root: Path,
    title: str,
    slug: str | None = "new-one",
    said: str | None = None,
    customers: int = 1,
    link: str | None = None,
) -> Story:
    """The story that is written, read back from a knowledge base without a problem."""
    (root / "stories/new-one.md").unlink(missing_ok=True)
    path = write_story(base(root), title, slug=slug, said=said, customers=customers, link=link)
    found = read_knowledge_base(root, {})
    assert check(found).problems == []
    return found.story(path.stem)


HOSTILE = [
    'He said "it\'s slow": always', "{{ 7 * 191 }} {% raw %}", "🐌 is slow – très", "NO", "null", "~ tilde", "12:30",
    "2026-09-01", "1.10",
    "- a list?", "[a, b]", "{a: b}", "# not a comment", "a # b", "*alias", "&anchor", "!tag", "%TAG", "@team", "`code`",
    "| pipe", "key: value", "--- a", "it's", "\\n", "a\\", "x" * 300, "日本語 slow",
    "a\u00a0b", "true", "0x1F", "1_000", "=",
]  # fmt: skip


@pytest.mark.parametrize("title", HOSTILE)
def test_hostile_titles(tmp_path: Path, title: str) -> None:
    """A title of any characters that a title may have reads back as it was given, also as what was said."""
    story = written(tmp_path, title)
    assert story.front.title == title
    assert story.said[0].said == title


@pytest.mark.parametrize(
    ("title", "what"),
    [("a <b>", "< cannot stand here"), ("a\nb", "a line break cannot stand here"), ("x" * 301, "301 characters"),
     ("a\0b", "U+0000"), ("a\u202eb", "U+202E"), ("", "this text is empty"), ("  ", "this text is empty"),
     ("a\udcffb", "this is not YAML"), ("a\u2028b", "U+2028")],
)  # fmt: skip
def test_titles_that_cannot_be(tmp_path: Path, title: str, what: str) -> None:
    """A title that no story can have is the user's mistake, and nothing is written."""
    with pytest.raises(UserError) as caught:
        written(tmp_path, title)
    assert what in str(caught.value)
    assert not list((tmp_path / "stories").iterdir())


@given(st.text(st.characters(), max_size=80))
def test_any_title(tmp_path_factory: pytest.TempPathFactory, title: str) -> None:
    """A new story is valid and has its title, or is refused as the user's mistake."""
    root = tmp_path_factory.getbasetemp() / "any-title"
    with suppress(UserError):
        assert written(root, title).front.title == title.strip()


@given(st.text(min_size=1, max_size=40), st.text(max_size=40))
def test_any_report(tmp_path_factory: pytest.TempPathFactory, said: str, link: str) -> None:
    """A new story with any words and any link is valid, or refused as the user's mistake."""
    root = tmp_path_factory.getbasetemp() / "any-report"
    with suppress(UserError):
        (report,) = written(root, "Slow", said=said, link=f"https://a.example/{link}").said
        assert (report.said, report.link) == (said.strip(), f"https://a.example/{link}".strip())


def test_the_report(tmp_path: Path) -> None:
    """A new story has one report of today in the knowledge base's zone, with all that is known of it."""
    settings = SETTINGS.replace("2026-11-01T06:00Z", "2026-11-01T23:30Z\ntimezone: Europe/Berlin")
    write_story(
        base(tmp_path, settings=settings),
        "Slow",
        slug=None,
        said="it spins, and spins",
        customers=3,
        link="https://a.example/?a=b,c&d={e}",
    )
    story = read_knowledge_base(tmp_path, {}).story("slow")
    assert story.front.reports == (
        Said(date=date(2026, 11, 2), said="it spins, and spins", customers=3, link="https://a.example/?a=b,c&d={e}"),
    )
    assert (story.front.title, story.front.status) == ("Slow", "reported")


def test_the_file(tmp_path: Path) -> None:
    """A new story is short and plain to read."""
    path = write_story(
        base(tmp_path), "Campaigns page spins", slug=None, said="it spins: always", customers=1, link=None
    )
    assert path == tmp_path / "stories/campaigns-page-spins.md"
    assert path.read_text().startswith(
        "---\ntitle: Campaigns page spins\nstatus: reported\nreports:\n"
        '  - {date: 2026-11-01, said: "it spins: always"}\n---\n\nWhat we know so far'
    )


def test_a_story_that_is_there(tmp_path: Path) -> None:
    """A story that is there already is not overwritten."""
    found = base(tmp_path, {"slow": LEAST})
    before = (tmp_path / "stories/slow.md").read_bytes()
    with pytest.raises(UserError, match=r"stories/slow\.md: this story is there already"):
        write_story(found, "Slow", slug=None, said=None, customers=1, link=None)
    assert (tmp_path / "stories/slow.md").read_bytes() == before


def test_a_link_that_leads_nowhere_is_there(tmp_path: Path) -> None:
    """What has the story's name is not replaced, even where it is no file."""
    found = base(tmp_path)
    (tmp_path / "stories/slow.md").symlink_to("nowhere")
    with pytest.raises(UserError, match=r"stories/slow\.md: this story is there already"):
        write_story(found, "Slow", slug=None, said=None, customers=1, link=None)


@pytest.mark.parametrize("slug", ["../evil", "index", "A", "a b", "a/b", ".", "a" * 81, "con", "lpt1"])
def test_slugs_that_cannot_be(tmp_path: Path, slug: str) -> None:
    """A name that no story can have is refused, and nothing is written anywhere."""
    with pytest.raises(UserError, match="is not a story's name"):
        written(tmp_path, "Slow", slug=slug)
    assert [path.name for path in tmp_path.rglob("*.md")] == []


def test_links_that_cannot_be(tmp_path: Path) -> None:
    """A link that is no web address is refused."""
    with pytest.raises(UserError, match="is not a web address"):
        written(tmp_path, "Slow", link="javascript:alert(1)")


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full is the user's to mend."""

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("ingest.scaffold.write_atomically", full)
    with pytest.raises(UserError, match="cannot be written: No space left"):
        written(tmp_path, "Slow")


@pytest.mark.parametrize(
    ("title", "slug"),
    [("Campaigns page spins", "campaigns-page-spins"), ("Ünïcödé & <b>", "unicode-b"), ("  a -- b!  ", "a-b"),
     ("50 % slower", "50-slower"), ("../../etc/passwd", "etc-passwd"), ("a" * 100, "a" * MAX_SLUG),
     ("a" * 79 + " b", "a" * 79), ("ﬁle №5", "file-no5"), ("Straße", "strasse")],
)  # fmt: skip
def test_slugs(title: str, slug: str) -> None:
    """A name is made of a title's letters and digits, without their marks, and is short enough."""
    assert slug_of(title) == slug


@pytest.mark.parametrize("title", ["", "???", "🐌", "日本語", "Index", "-", "AUX"])
def test_titles_without_a_name(title: str) -> None:
    """A title of which no name is left asks for one."""
    with pytest.raises(UserError, match=r"no name can be made from .*give one with --slug"):
        slug_of(title)


def test_similar_stories(tmp_path: Path) -> None:
    """Stories that share telling words come first, most shared first, plurals and capitals aside."""
    stories = {
        "a": LEAST.replace("Campaign list is slow", "The campaigns page is slow"),
        "b": LEAST + "symptoms: [campaign LISTS won't load]\ntags: [mysql]",
        "c": LEAST.replace("Campaign list", "Login"),
        "d": "title: [\n",
    }
    found = base(tmp_path, stories).stories
    assert [(story.slug, words) for story, words in similar_stories(found, "Campaign lists load slowly")] == [
        ("b", ["campaign", "list", "load"]),
        ("a", ["campaign"]),
    ]
    assert similar_stories(found, "it is very slow") == []
    assert len(similar_stories(found, "campaign list login spins", most=1)) == 1
