"""The macros of content/ pages: what they show, and how they meet a mistake."""

import re
import shutil
from datetime import timedelta
from pathlib import Path

import click
import pytest
from markupsafe import Markup
from pydantic import BaseModel

from ingest.errors import UserError
from ingest.settings import Settings, SourceBasics
from ingest.story import FrontMatter
from macros.reference import keys_of
from macros.scaffold import make_knowledge_base
from macros.site import Site, load_site
from macros.tables import MACROS
from perfkb import perfkb as perfkb_group
from tests.commands import perfkb, succeed

REPORTED = (
    "---\ntitle: {title}\nstatus: reported\nreports:\n  - {{date: 2026-01-0{day}, said: slow, customers: {day}}}\n---\n"
)
OVERRUN = """---
title: Reports take all morning
status: investigating
area: checkout
what: Reports
reports: [{date: 2026-01-01, said: slow}]
endpoints: [GET /reports]
timeboxes: [{date: 2026-01-02, question: Where does it wait?, budget: 1h, spent: 3h, effort: 2d-4d}]
hypotheses:
  - {id: h1, because: The disk is slow, written: 2026-01-02, verdict: disproved, decided: 2026-01-03}
---
"""
PARKED = OVERRUN.replace("status: investigating", "status: parked\nparked: {date: 2026-01-05, because: Rare}")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tables") / "kb"
    make_knowledge_base(made)
    for day in (1, 2):
        (made / f"stories/report-{day}.md").write_text(REPORTED.format(title=f"Report number {day}", day=day))
    (made / "stories/reports-wait.md").write_text(OVERRUN)
    succeed("-C", made, "refresh")
    return made


@pytest.fixture(scope="module")
def site(root: Path) -> Site:
    return load_site(root, drafts=False)


@pytest.mark.parametrize("name", sorted(set(MACROS) - {"keys_table"}))
def test_every_macro_gives_something(site: Site, name: str) -> None:
    """Each macro can be called without arguments, and gives HTML without template syntax."""
    html = str(MACROS[name](site, "../"))
    assert html.strip()
    assert "{{" not in html
    assert "{%" not in html


@pytest.mark.parametrize("file", ["story", "knowledge-base", "sources", "prometheus", "csv", "demo"])
def test_every_key_has_a_text(site: Site, file: str) -> None:
    """The handbook's table of keys leaves none without an explanation."""
    html = str(MACROS["keys_table"](site, "../", file))
    assert "<td></td><td>" not in html
    assert "<code>" in html


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("stories_table", {"area": "nowhere"}), ("stories_table", {"stage": "done"}), ("keys_table", {"file": "x"}),
     ("hypotheses_table", {"verdict": "maybe"})],
)  # fmt: skip
def test_an_unknown_word_is_named(site: Site, name: str, arguments: dict[str, str]) -> None:
    """A macro that is called with something unknown says what is known."""
    with pytest.raises(UserError, match="there is no") as caught:
        MACROS[name](site, "", **arguments)
    assert caught.value.hint.startswith("known: ")


def test_stories_stand_under_their_stage(site: Site) -> None:
    """Stages come in their order, and within one what changed last comes first."""
    html = str(MACROS["stories_table"](site, "../"))
    places = [html.index(text) for text in ("Report number 2", "Report number 1", "Reports take all", "Checkout spins")]
    assert places == sorted(places)
    assert '<a href="../stories/report-1/">' in html


def test_filters_leave_the_others_out(site: Site) -> None:
    """An area or a stage leaves only its own stories."""
    assert "Report number" not in str(MACROS["stories_table"](site, "", area="checkout"))
    assert "Checkout spins" not in str(MACROS["stories_table"](site, "", stage="reported"))


def test_an_overrun_asks_its_question(site: Site) -> None:
    """A timebox over its budget asks for another box or for parking."""
    assert "another box, or park?" in str(MACROS["timeboxes_table"](site, ""))


def test_a_settled_overrun_asks_nothing(tmp_path: Path) -> None:
    """What was answered by a later timebox, or by parking the story, is not asked again."""
    make_knowledge_base(tmp_path / "kb")
    again = ", {date: 2026-01-03, question: And now?, budget: 1h, spent: 1h}]"
    stories = {"later": OVERRUN.replace("effort: 2d-4d}]", f"effort: 2d-4d}}{again}"), "parked": PARKED}
    for name, text in stories.items():
        (tmp_path / f"kb/stories/{name}.md").write_text(text)
    html = str(MACROS["timeboxes_table"](load_site(tmp_path / "kb", drafts=False), ""))
    assert html.count("<strong>Over budget</strong>") == len(stories)
    assert "another box" not in html


def test_a_repeat_has_no_stage_of_its_own(tmp_path: Path) -> None:
    """Below its area, a story that repeats another is called as in the list of all."""
    make_knowledge_base(tmp_path / "kb")
    repeat = REPORTED.format(title="Pay button is dead", day=1).replace("reports:", "same_as: checkout-spins\nreports:")
    (tmp_path / "kb/stories/dead.md").write_text(repeat)
    html = str(MACROS["areas_table"](load_site(tmp_path / "kb", drafts=False), "")).partition("Not sorted yet")[2]
    assert "Told elsewhere</span>" in html
    assert "Reported</span>" not in html


def test_the_ledger_says_what_was_found(tmp_path: Path) -> None:
    """Beside the test of a decided belief stands what it found, from its pinned evidence."""
    shutil.copytree(Path(__file__).parents[1] / "cases/example", tmp_path / "kb")
    html = str(MACROS["hypotheses_table"](load_site(tmp_path / "kb", drafts=False), ""))
    assert re.search(
        r"<b>Found</b> <data value=\"0\.\d+\">\d+\u00a0%</data> <small>between \d+\u00a0% and \d+\u00a0%</small>", html
    )


def test_a_disproved_belief_is_found(site: Site) -> None:
    """The ledger has a section of its own for what turned out wrong."""
    html = str(MACROS["hypotheses_table"](site, "", verdict="disproved"))
    assert 'id="pk-disproved"' in html
    assert "The disk is slow" in html


def test_priorities_know_effort_and_unknowns(site: Site) -> None:
    """What a fix would take comes from the last timebox; what is not known is called unknown, never zero."""
    html = str(MACROS["priorities_table"](site, ""))
    assert "2 to 4 days" in html
    assert "unknown, run a timebox" in html


def test_endpoints_without_telemetry_are_listed(site: Site) -> None:
    """Data names the endpoints that a story is about and no series shows."""
    html = str(MACROS["data_table"](site, ""))
    assert "GET /reports" in html
    assert "POST /checkout" not in html.split("Endpoints without telemetry")[1]


def test_age_and_absence_are_told(root: Path, site: Site) -> None:
    """Ten days later the status calls a series long stale, and one without data missing."""
    later = site.base.clock.now + timedelta(days=10)
    story = root / "stories/unfetched.md"
    story.write_text(
        "---\ntitle: Unfetched\nstatus: reported\n"
        "telemetry: {x: {source: demo, kind: latency, metric: other, unit: s}}\n---\n"
    )
    try:
        done = perfkb("-C", root, "status", now=int(later.timestamp()))
    finally:
        story.unlink()
    assert "old" in done.stdout
    assert "Nothing has been fetched yet" in done.stdout


def test_every_command_and_option_is_in_the_reference(site: Site) -> None:
    """The handbook's reference has a heading for each command, and names each of its options."""
    html = str(MACROS["commands_table"](site, ""))
    commands = dict(perfkb_group.commands)
    for name, group in perfkb_group.commands.items():
        inner = group.commands if isinstance(group, click.Group) else {}
        commands |= {f"{name} {each}": command for each, command in inner.items()}
    assert {"timebox", "timebox start", "timebox stop"} <= commands.keys()
    for name, command in commands.items():
        section = html.partition(f'<h3 id="command-{name.replace(" ", "-")}">')[2].partition("</section>")[0]
        assert f"<code>perfkb {name} " in section, name
        for option in (each for each in command.params if isinstance(each, click.Option)):
            assert option.opts[-1] in section, (name, option.opts)


@pytest.mark.parametrize(
    ("file", "model"), [("story", FrontMatter), ("knowledge-base", Settings), ("sources", SourceBasics)]
)
def test_every_key_is_in_the_reference(site: Site, file: str, model: type[BaseModel]) -> None:
    """The handbook's reference names each key by its path, nested ones included."""
    html = str(MACROS["keys_table"](site, "", file))
    for key in keys_of(model):
        assert f"<code>{Markup.escape(key.path)}</code>" in html
