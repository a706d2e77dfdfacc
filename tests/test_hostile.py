"""A story is data: whatever its fields, its text and its telemetry hold, nothing runs, leaks, hangs or breaks."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import markdown
import pytest

from ingest.check import check
from ingest.knowledge import read_knowledge_base
from macros import guard
from macros.build import build_site
from macros.scaffold import make_knowledge_base
from tests.attacks import (
    ALL,
    FIELDS,
    HANGS,
    LABELS,
    LINKS_OUT,
    MORE_FIELDS,
    NAMES,
    OTHER_HOSTS,
    REFUSED,
    SCRIPTS,
    TEXTS,
    active,
    armed,
    field_story,
    text_story,
)
from tests.commands import files_of, perfkb, succeed

SECRET = "s3cr3t-canary"  # noqa: S105
IN_FIELDS = {**{name: TEXTS[name] for name in FIELDS}, **MORE_FIELDS}
# What is slow on purpose takes its five seconds; a few are enough to show that they are kept.
SLOW = ("code", "definitions")
WITHIN_LIMITS = (
    "brackets-in-paragraphs", "tabs", "abbreviations", "inline-code", "brackets-in-headings", "marks-in-braces",
)  # fmt: skip
# Browsers read these otherwise than Python does; what they make of them, Chromium says in test_browser.
MUTATIONS = {"script-split", "img-slashes", "picture-title", "noscript-mutation", "comment-end", "cdata"}


@dataclass(frozen=True)
class Attacked:
    """A built knowledge base full of attacks: its site's files, and what the canaries saw."""

    root: Path
    url: str
    site: dict[str, bytes]
    callers: list[str]
    told: str


@pytest.fixture(scope="module")
def listener() -> Iterator[tuple[str, list[str]]]:
    """An address at which nobody must call, and the list of those who did."""
    callers: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        stopped = False

        def listen() -> None:
            while not stopped:
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                callers.append(connection.recv(200).decode("latin-1"))
                connection.close()

        thread = Thread(target=listen)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/", callers
        stopped = True
        thread.join()


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, listener: tuple[str, list[str]]) -> Attacked:
    """Every text a story, those for fields in every field of another; refreshed and published in spite of them."""
    url, callers = listener
    root = tmp_path_factory.mktemp("hostile") / "kb"
    make_knowledge_base(root)
    canary = str(root.parent / "canary")
    (root.parent / "outside").mkdir()
    (root.parent / "outside/secret.md").write_text("---\ntitle: Secret\nstatus: reported\n---\n\nTOP-SECRET\n")
    for name, payload in TEXTS.items():
        (root / f"stories/text-{name}.md").write_text(text_story(armed(payload, name, canary, url)))
    for name, payload in IN_FIELDS.items():
        slug = f"field-{name}"
        (root / f"stories/{slug}.md").write_text(field_story(slug, armed(payload, name, canary, url)))
    refreshed = perfkb("-C", root, "refresh", PERFKB_CANARY=SECRET)
    told = refreshed.stdout + refreshed.stderr
    told += succeed("-C", root, "build", "--quarantine", PERFKB_CANARY=SECRET)
    return Attacked(root, url, files_of(root / "site"), callers, told)


def test_every_attack_is_in_the_list() -> None:
    """`python -m tests.attacks` prints them all, by their kinds and canaries."""
    listed = subprocess.run([sys.executable, "-m", "tests.attacks"], capture_output=True, text=True, check=True).stdout
    *kinds, total = listed.splitlines()
    assert [line.partition(" by ")[2].partition(",")[0] for line in kinds] == list(ALL)
    assert int(total.split()[0]) >= 60


def assert_harmless(attacked: Attacked, slug: str, name: str) -> None:
    page = attacked.site[f"stories/{slug}/index.html"].decode()
    assert [each for each in active(page, attacked.url) if "squidfunk" not in each] == []
    assert not list(attacked.root.parent.glob(f"canary*{name}"))
    assert not any(name in caller for caller in attacked.callers)
    for canary in (SECRET, "TOP-SECRET", "on_undefined", "1337", "DemoSource"):
        assert canary not in page
    assert re.search(r"<article.*</article>", page, re.DOTALL)


@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_text(attacked: Attacked, name: str) -> None:
    """Nothing of the text runs while the site is built or in a browser, and nothing else gets onto the page."""
    assert_harmless(attacked, f"text-{name}", name)


@pytest.mark.parametrize("name", IN_FIELDS)
def test_hostile_fields(attacked: Attacked, name: str) -> None:
    """The same in every field, label, tag and caption of a story."""
    assert_harmless(attacked, f"field-{name}", name)


@pytest.mark.parametrize("name", [name for name in SCRIPTS | OTHER_HOSTS if name not in MUTATIONS])
def test_the_scanner_sees(name: str) -> None:
    """Written into a page as it is, an attack of HTML is found: the canary of these tests sings."""
    payload = armed(TEXTS[name], name, "file", "http://127.0.0.1:1/")
    made = markdown.markdown(payload, extensions=["attr_list", "toc", "md_in_html"])
    raw = made.replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">")
    assert [*active(f"<body>{raw}", "http://127.0.0.1:1/"), *active(f"<body>{payload}>", "http://127.0.0.1:1/")]


def test_other_pages_of_the_site(attacked: Attacked) -> None:
    """No attack is active on a page that lists the story or in a chart; nobody called, nothing leaked."""
    for name, data in attacked.site.items():
        if name.endswith((".html", ".svg")):
            assert list(active(data.decode(), attacked.url)) == [], name
        if name.endswith(".csv"):
            cells = re.findall(r'(?:^|,)"?([=+@])', data.decode(), re.MULTILINE)
            assert cells == [], name
        for secret in (SECRET, "TOP-SECRET"):
            assert secret.encode() not in data, name
        assert b"on_undefined" not in data, name
    assert not list(attacked.root.parent.glob("canary*"))
    assert attacked.callers == []
    assert SECRET not in attacked.told
    # What is told may end in a terminal, or in a log that takes orders from a line.
    assert all(line.isprintable() and not line.startswith("::") for line in attacked.told.split("\n"))


def test_nothing_is_lost_by_escaping(attacked: Attacked) -> None:
    """What an attack says stands on its page as it was written."""
    page = attacked.site["stories/field-jinja-subclasses/index.html"].decode()
    assert "{{ 7 * 191 }}" in page.split("<article")[1]
    assert "=HYPERLINK(" in attacked.site["stories/field-formula/index.html"].decode()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A knowledge base to put one bad story into."""
    root = tmp_path_factory.mktemp("refused") / "kb"
    make_knowledge_base(root)
    return root


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_front_matter(empty: Path, name: str) -> None:
    """`check` names it within a second or two, nothing of it runs, and no problem breaks its line."""
    front, code = REFUSED[name]
    canary = empty.parent / f"canary-{name}"
    story = empty / "stories/bad.md"
    story.write_bytes(b"---\n" + front.replace(b"FILE", bytes(canary)) + b"\n---\ntext\n")
    begun = time.monotonic()
    found = check(read_knowledge_base(empty)).of_story["bad"]
    assert time.monotonic() - begun < 2
    story.unlink()
    assert code in {problem.code for problem in found}
    assert all(str(problem).isprintable() and len(str(problem)) < 1200 for problem in found)
    assert len(found) <= 51
    assert not canary.exists()


@pytest.mark.parametrize("name", HANGS)
def test_texts_that_hang_are_named(empty: Path, name: str) -> None:
    """`check` reads every such text quickly, even where a link that leads nowhere makes it look closer."""
    story = empty / "stories/slow.md"
    story.write_text(text_story("[a](#nowhere) [b](nowhere.md)\n\n" + HANGS[name]))
    begun = time.monotonic()
    found = check(read_knowledge_base(empty)).of_story["slow"]
    assert time.monotonic() - begun < 4
    story.unlink()
    codes = {problem.code for problem in found} - {"PK211"}
    assert codes <= {"PK003", "PK008"}
    assert codes or name in (*SLOW, *WITHIN_LIMITS)


# The alarm may ring while an object is finalized, and rings again 0.2 seconds later (`ingest.limits`).
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_texts_that_hang_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build goes on after each of them, with a placeholder, and is an error without --quarantine."""
    root = tmp_path / "kb"
    make_knowledge_base(root)
    for name, text in HANGS.items():
        (root / f"stories/{name}.md").write_text(text_story(text))
    monkeypatch.setattr(guard, "SECONDS_A_TEXT", 1.0)
    begun = time.monotonic()
    told: list[str] = []
    assert build_site(root, None, strict=False, say=told.append)
    assert time.monotonic() - begun < 30
    for name in SLOW:
        assert any(f"stories/{name}.md: PK008 rendering the text takes longer than 1 seconds" in line for line in told)
        page = (root / f"site/stories/{name}/index.html").read_text()
        assert "PK008" in page
        assert "1 customer" in page
    for name in HANGS.keys() - {SLOW[0]}:
        (root / f"stories/{name}.md").unlink()
    assert not build_site(root, None, strict=True, say=lambda _: None)


@pytest.mark.parametrize("name", NAMES)
def test_hostile_file_names(tmp_path: Path, name: str) -> None:
    """A file in stories/ that is no story by its name is named on one line, and gets no page."""
    make_knowledge_base(tmp_path / "kb")
    (tmp_path / "kb/stories" / NAMES[name]).resolve().write_text(text_story("x"))
    if name == "folder-above":
        (tmp_path / "kb/stories/sub").mkdir()
        (tmp_path / "kb/stories/sub/x.md").symlink_to("../../escape.md")
    problems = check(read_knowledge_base(tmp_path / "kb")).general
    assert {problem.code for problem in problems} == {"PK007"}
    assert all(str(problem).isprintable() for problem in problems)


def test_links_out_of_the_repository_are_refused(tmp_path: Path) -> None:
    """A symbolic link in stories/ is an error, be it a story or a folder; what it leads to is not published."""
    root, outside = tmp_path / "kb", tmp_path / "outside"
    make_knowledge_base(root)
    (outside / "h1").mkdir(parents=True)
    for name in ("secret.md", "numbers.json", "h1/numbers.json", "h1/requests.csv"):
        (outside / name).write_text("---\ntitle: Secret\nstatus: reported\n---\n\nTOP-SECRET\n")
    (root / "stories/checkout-spins").mkdir()
    for link, target in LINKS_OUT.items():
        (root / "stories" / link).symlink_to(outside / target)
    found = {(each.where.path, each.code) for each in check(read_knowledge_base(root)).general}
    assert {(f"stories/{link}", "PK007") for link in LINKS_OUT} <= found
    assert build_site(root, None, strict=False, say=lambda _: None)
    assert b"TOP-SECRET" not in b"".join(files_of(root / "site").values())


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose telemetry is hostile: what the source answers, and how large its numbers are."""
    root = tmp_path_factory.mktemp("fed") / "kb"
    make_knowledge_base(root)
    (root / "site-config/sources.yml").write_text("files: {kind: csv, path: data, history: 400d}\ndemo: {kind: demo}\n")
    with (root / "site-config/knowledge-base.yml").open("a") as file:
        file.write("now: 2026-02-01T00:00Z\n")
    (root / "data").mkdir()
    for name, text in LABELS.items():
        (root / f"data/{name}.csv").write_bytes(text.replace("NAME", name).encode("latin-1", "replace"))
        kind = "histogram" if "le=" in text else "gauge"
        (root / f"stories/label-{name}.md").write_text(f"""---
title: An attack
status: reported
reports: [{{date: 2026-01-01, said: slow, customers: 1000000000}}]
telemetry: {{a: {{source: files, kind: {kind}, query: {name}.csv, unit: s}}}}
slo: {{series: a, below: 1e15 s}}
fixes: [{{id: f1, series: a, shipped: 2026-01-14}}]
---

![a](label-{name}/a.heatmap.svg)

![b](label-{name}/a.week.svg)
""")
    perfkb("-C", root, "refresh")
    told = succeed("-C", root, "build", "--quarantine")
    assert "cannot be" not in told
    return root


@pytest.mark.parametrize("name", LABELS)
def test_hostile_telemetry(fed: Path, name: str) -> None:
    """What a source answers is escaped where its story and Data quote it, and numbers of any size are drawn."""
    for page in (f"stories/label-{name}", "data", "priorities"):
        html = (fed / f"site/{page}/index.html").read_text(encoding="utf-8")
        assert list(active(html, "http://127.0.0.1:1/")) == []
        assert not any(mark in html for mark in ("\x1b", "\u202e", "\u2028", "1337"))
    assert html.count("pwned") == 0 or "&lt;" in html
