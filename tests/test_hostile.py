"""A story is data: whatever its fields, its text and its telemetry hold, nothing of it runs."""

import json
from pathlib import Path

import pytest

from macros.scaffold import make_knowledge_base
from tests.commands import files_of, perfkb, succeed

PAYLOADS = (
    "{{ cycler.__init__.__globals__.os.popen('touch CANARY').read() }}",
    "{% for c in ().__class__.__base__.__subclasses__() %}{% endfor %}{{ 7 * 191 }}",
    "{{ config.hooks }}",
    "🔥 {{ cycler.__init__.__globals__.os.popen('touch CANARY').read() }}",
    "## x { id='x\"onfocus=window.pwned=8 autofocus tabindex=1 y=\"' }",
    '## x <img src=x onerror="window.pwned=7">',
    '## x <!--><img src=x onerror="window.pwned=9" title="-->"> x',
    "<script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    '"><svg onload=window.pwned=1>',
    "[x](javascript:window.pwned=1)",
    "| a | b |",
)


def hostile_front_matter(payload: str) -> str:
    """A story with the payload in every field that takes a text."""
    text = json.dumps(payload, ensure_ascii=False)
    title = json.dumps(payload.replace("<", "‹").replace(">", "›"), ensure_ascii=False)
    return f"""---
title: {title}
status: reported
area: checkout
owner: {text}
tickets: [{title}]
tags: [{title}]
endpoints: [{text}]
symptoms: [{text}]
workaround: {text}
say: {text}
who: {text}
what: {text}
when: {text}
where: {text}
why: {text}
customer: {{impact: {text}, affected: {{value: {text}, unit: {text}, as_of: 2026-01-01}}, video: {text}}}
reports: [{{date: 2026-01-01, said: {text}}}]
telemetry:
  requests: {{source: demo, kind: histogram, metric: checkout, unit: s, title: {title}}}
timeboxes: [{{date: 2026-01-01, question: {text}, budget: 2h, outcome: {text}}}]
hypotheses: [{{id: h1, because: {text}, slows: {text}, for: {text}, written: 2026-01-01}}]
chosen: {{date: 2026-01-01, because: {text}}}
fixes: [{{id: f1, ticket: {title}, shipped: 2026-01-02}}]
override: {{PK301: {text}}}
---

{payload}

---
render_macros: true
---

{payload}

![{payload.replace("]", "")}](PLACE/requests.svg)

--8<-- "mkdocs.yml"
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built knowledge base in which every payload stands in every field of a story."""
    root = tmp_path_factory.mktemp("hostile") / "kb"
    make_knowledge_base(root)
    for number, payload in enumerate(PAYLOADS):
        text = hostile_front_matter(payload.replace("CANARY", str(root.parent / "canary")))
        (root / f"stories/attack-{number}.md").write_text(text.replace("PLACE", f"attack-{number}"))
    succeed("-C", root, "refresh")
    succeed("-C", root, "build", "--quarantine", PERFKB_CANARY="s3cr3t-canary")
    return root


def test_templates_in_stories_do_not_run(hostile: Path) -> None:
    """Jinja in a title, a field or the text stands on the page as it was written."""
    assert not (hostile.parent / "canary").exists()
    pages = {name: data.decode() for name, data in files_of(hostile / "site").items() if name.endswith(".html")}
    assert not any("1337" in text for text in pages.values())
    page = pages["stories/attack-1/index.html"]
    assert "{{ 7 * 191 }}" in page.split("<article")[1]


def test_scripts_in_stories_do_not_survive(hostile: Path) -> None:
    """No payload is an element or an attribute of any page, chart or data file."""
    for name, data in files_of(hostile / "site").items():
        if name.endswith((".html", ".svg")):
            text = data.decode()
            assert "<script>window.pwned" not in text, name
            assert "<img src=x" not in text, name
            assert "<svg onload" not in text, name
            assert 'href="javascript:' not in text, name


def test_nothing_of_the_machine_is_published(hostile: Path) -> None:
    """Neither other files of the repository nor the environment are in the site."""
    for name, data in files_of(hostile / "site").items():
        assert b"s3cr3t-canary" not in data, name
        assert b"mkdocs-macros" not in data or name.startswith("assets/"), name
        assert b"on_undefined" not in data, name


@pytest.mark.parametrize("title", ["a <script>alert(1)</script>", "a\\u202eb", "a\\u0000b", "a\\nb"])
def test_titles_that_reach_other_pages_are_refused(tmp_path: Path, title: str) -> None:
    """A title with markup or control characters is an error of `check`, and is shown nowhere."""
    make_knowledge_base(tmp_path / "kb")
    (tmp_path / "kb/stories/bad.md").write_text(
        f'---\ntitle: "{title}"\nstatus: reported\nreports: [{{date: 2026-01-01, said: slow}}]\n---\n'
    )
    done = perfkb("-C", tmp_path / "kb", "check")
    assert done.returncode == 1
    assert "stories/bad.md:2:1: PK105" in done.stdout
    succeed("-C", tmp_path / "kb", "build", "--quarantine")
    assert b"<script>alert" not in b"".join(files_of(tmp_path / "kb/site").values())


def test_links_out_of_the_repository_are_refused(tmp_path: Path) -> None:
    """A symbolic link in stories/ is an error, and what it leads to is not published."""
    make_knowledge_base(tmp_path / "kb")
    (tmp_path / "secret.md").write_text("---\ntitle: Secret\nstatus: reported\n---\n\nTOP-SECRET\n")
    (tmp_path / "kb/stories/leak.md").symlink_to(tmp_path / "secret.md")
    assert "PK007" in perfkb("-C", tmp_path / "kb", "check").stdout
    perfkb("-C", tmp_path / "kb", "build", "--quarantine")
    assert b"TOP-SECRET" not in b"".join(files_of(tmp_path / "kb/site").values())
