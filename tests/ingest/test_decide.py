"""Deciding a hypothesis and judging a fix: what is pinned, and what is written into the story."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

import perfkb as front_door
from ingest import books
from ingest.check import check
from ingest.decide import decide, settle
from ingest.errors import UserError
from ingest.knowledge import KnowledgeBase, read_knowledge_base
from ingest.snapshots import Store
from tests.commands import files_of, perfkb
from tests.ingest.bases import base
from tests.ingest.evidence.samples import HOUR, stored
from tests.ingest.evidence.weeks import FIRST, histograms, levels

SOURCES = "demo: {kind: demo, series: {part: {level: 1 s}, whole: {level: 1 s}, requests: {level: 1 s}}}"
STORY = """\
---
# What support says: it spins.
title: 'Campaign list is slow'   # since August
status: testing
area: campaigns
reports: [{date: 2026-08-01, said: it spins}]
what: The list
who:   Everybody
when: Always
where: Web
WHYtelemetry:
    part:  {source: demo, kind: total, metric: part, unit: s}
    whole: {source: demo, kind: histogram, metric: whole, unit: s}
timeboxes:
- {date: 2026-08-01, question: Why?, budget: 2h, spent: 1h, effort: 2d}
hypotheses:
- id: h1   # the first
  because: One query a list
  written: 2026-08-02
  test: {share: part, of: whole, at_least: 50 %, from: 2026-08-03, to: 2026-08-16}  # two weeks

- id: h2
  because: Something else
  written: 2026-08-02
  test: {share: part, of: whole, at_least: 90 %, from: 2026-08-03, to: 2026-08-09}
---

The   narrative.
"""
FIX = """\
---
title: Campaign list is slow
status: shipped  # at last
area: campaigns
reports: [{date: 2026-08-01, said: it spins}]
what: a
who: b
when: c
where: d
why: e
timeboxes: [{date: 2026-08-01, question: Why?, budget: 2h, spent: 1h, effort: 2d}]
hypotheses:
- {id: h, because: b, written: 2026-08-01, verdict: confirmed, decided: 2026-08-20, test: TEST}
chosen: {date: 2026-08-21, because: It blocks}
override: {PK304: The data of that time is gone}
telemetry: {requests: {source: demo, kind: histogram, metric: requests, unit: s}}
fixes:
- {id: one, series: requests, shipped: 2026-08-31T12:00Z, ticket: PERF-1, expected: -40 %}
---
Text.
"""


FIX = FIX.replace("TEST", "{share: requests, of: requests, at_least: 1 %, from: 2026-08-03, to: 2026-08-16}")


def settings(now: str) -> str:
    return f"areas: {{campaigns: {{title: Campaigns}}}}\ntimezone: Europe/Berlin\nnow: {now}\n"


def made(
    root: Path, text: str, now: str, rows: Mapping[str, pd.DataFrame], slug: str = "slow-list", **more: str
) -> KnowledgeBase:
    """A knowledge base with this story and its stored telemetry."""
    found = base(root, {slug: text, **more}, settings(now), SOURCES)
    story = found.story(slug)
    for name, each in rows.items():
        snapshot = stored(each, story.series[name]).snapshot
        assert snapshot is not None
        Store(found.store).write(slug, name, snapshot)
    return found


def shares(days: int = 20, share: float = 0.62, traffic: float = 500) -> dict[str, pd.DataFrame]:
    """A component that takes `share` of a whole."""
    whole = histograms(levels((days, 1.0)), traffic=traffic)
    wobble = np.exp(np.random.default_rng(5).normal(0, 0.02, len(whole)))
    return {"part": pd.DataFrame({"value": whole["sum"] * share * wobble}), "whole": whole}


def hypothesis(
    root: Path, now: str = "2026-08-18T10:00Z", *, why: str = "why: Many queries\n", **rows: float
) -> KnowledgeBase:
    return made(root, STORY.replace("WHY", why), now, shares(**rows))  # type: ignore[arg-type]


def fixed(root: Path, text: str = FIX, now: str = "2026-09-15T10:00Z", after: int = 16, **more: str) -> KnowledgeBase:
    return made(root, text, now, {"requests": histograms(levels((28, 1.0), (after, 0.6)))}, **more)


def text_of(found: KnowledgeBase, slug: str = "slow-list") -> str:
    return (found.root / f"stories/{slug}.md").read_bytes().decode()


def again(found: KnowledgeBase) -> KnowledgeBase:
    return read_knowledge_base(found.root, {})


def unwritable(*_: object) -> None:
    raise OSError(30, "Read-only file system")


def line_of(found: KnowledgeBase, text: str) -> int:
    """The first line with this text."""
    return text_of(found).split(text, maxsplit=1)[0].count("\n") + 1


def run(root: Path, *arguments: str) -> Result:
    return CliRunner(env={"SOURCE_DATE_EPOCH": ""}).invoke(front_door.perfkb, ["-C", str(root), *arguments])


# -- decide


def test_confirmed(tmp_path: Path) -> None:
    """A verdict, its day and the stage are written, and every other byte stays; the evidence is pinned."""
    found = hypothesis(tmp_path)
    before = text_of(found)
    decided = decide(found, "slow-list", "h1")
    test = "at_least: 50 %, from: 2026-08-03, to: 2026-08-16}  # two weeks\n"
    expected = before.replace(test, test + "  verdict: confirmed\n  decided: 2026-08-18\n")
    assert text_of(found) == expected.replace("status: testing", "status: confirmed")
    assert (decided.pin.verdict, decided.stage) == ("confirmed", "confirmed")
    assert "perfkb choose slow-list" in decided.next
    after = again(found)
    assert after.pins["slow-list"].tested["h1"].effect.value == pytest.approx(0.62, abs=0.01)
    assert sorted(files_of(decided.folder)) == ["numbers.json", "part.csv", "whole.csv"]
    codes = {each.code for each in check(after).problems}
    assert codes == {"PK305"}  # h2 could be decided


def test_the_pinned_rows_are_those_of_the_window(tmp_path: Path) -> None:
    """What is pinned is cut to the days that were looked at."""
    folder = decide(hypothesis(tmp_path), "slow-list", "h1").folder
    rows = (folder / "part.csv").read_text().splitlines()
    assert rows[1].startswith("2026-08-03T00:00:00Z")
    assert rows[-1].startswith("2026-08-16T21:00:00Z")  # the window ends at midnight in Berlin


def test_line_ends_stay(tmp_path: Path) -> None:
    """A story of another system keeps its line ends."""
    found = made(tmp_path, STORY.replace("WHY", "why: b\n"), "2026-08-18T10:00Z", shares())
    path = found.root / "stories/slow-list.md"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    decide(again(found), "slow-list", "h1")
    assert path.read_bytes().count(b"\n") == path.read_bytes().count(b"\r\n")
    assert b"  verdict: confirmed\r\n" in path.read_bytes()


def test_confirmed_and_something_missing(tmp_path: Path) -> None:
    """A confirmed belief moves the story only where it has all that the stage asks for, and says what is missing."""
    found = hypothesis(tmp_path, why="")
    decided = decide(found, "slow-list", "h1")
    assert (decided.pin.verdict, decided.stage) == ("confirmed", "testing")
    assert "--why" in decided.next
    assert "status: testing\n" in text_of(found)


def test_disproved_while_another_is_open(tmp_path: Path) -> None:
    """A disproof leaves the story in testing as long as another belief can still be tested."""
    found = hypothesis(tmp_path)
    decided = decide(found, "slow-list", "h2")
    assert (decided.pin.verdict, decided.stage) == ("disproved", "testing")
    assert "  verdict: disproved\n  decided: 2026-08-18\n---" in text_of(found)


def test_disproved_and_none_left(tmp_path: Path) -> None:
    """The last disproof leads back to investigating."""
    found = hypothesis(tmp_path, share=0.2)
    decide(found, "slow-list", "h1")
    decided = decide(again(found), "slow-list", "h2")
    assert (decided.pin.verdict, decided.stage) == ("disproved", "investigating")
    assert decided.next.startswith("a disproof leads back")
    assert "status: investigating\n" in text_of(found)
    assert check(again(found)).problems == []


def test_inconclusive(tmp_path: Path) -> None:
    """What decides nothing is written as well, and moves nothing."""
    decided = decide(hypothesis(tmp_path, traffic=2), "slow-list", "h1")
    assert (decided.pin.verdict, decided.stage) == ("inconclusive", "testing")
    assert decided.next.startswith("look longer")


@pytest.mark.parametrize("status", ["fixing", "shipped"])
def test_later_stages_stay(tmp_path: Path, status: str) -> None:
    """A story that is further than its verdict would bring it stays there."""
    text = STORY.replace("WHY", "why: b\n").replace("status: testing", f"status: {status}")
    found = made(tmp_path, text, "2026-08-18T10:00Z", shares())
    assert decide(found, "slow-list", "h1").stage == status
    assert f"status: {status}\n" in text_of(found)


@pytest.mark.parametrize(("now", "open_"), [("2026-08-16T21:59Z", True), ("2026-08-16T22:00Z", False)])
def test_a_window_that_is_open(tmp_path: Path, now: str, open_: bool) -> None:
    """A test is not looked at before the last day of its window is over, in the knowledge base's zone."""
    found = hypothesis(tmp_path, now)
    before = files_of(tmp_path)
    if open_:
        with pytest.raises(UserError, match="the window of this test is open until 2026-08-16"):
            decide(found, "slow-list", "h1")
        assert files_of(tmp_path) == before
    else:
        assert decide(found, "slow-list", "h1").pin.stated == date(2026, 8, 17)


def test_decided_before(tmp_path: Path) -> None:
    """What is pinned stays as it was stated, unless it is asked for anew."""
    found = hypothesis(tmp_path)
    decide(found, "slow-list", "h1")
    (found.root / "site-config/knowledge-base.yml").write_text(settings("2026-09-01T10:00Z"))
    before = files_of(tmp_path)
    with pytest.raises(UserError, match=r"it was decided on 2026-08-18, and is pinned") as error:
        decide(again(found), "slow-list", "h1")
    assert error.value.hint == "--again states it anew"
    assert files_of(tmp_path) == before
    decide(again(found), "slow-list", "h1", again=True)
    assert "  decided: 2026-09-01\n" in text_of(found)
    assert again(found).pins["slow-list"].tested["h1"].stated == date(2026, 9, 1)
    assert text_of(found).count("verdict:") == 1


def test_data_that_ends_before_the_window(tmp_path: Path) -> None:
    """Data that does not reach the end of the window decides nothing; a last hour that is missing is a gap."""
    found = made(tmp_path, STORY.replace("WHY", ""), "2026-08-18T10:00Z", shares())
    store = Store(found.store)
    whole = shares()["whole"]
    for end, enough in (("2026-08-16T20:00Z", False), ("2026-08-16T21:00Z", True)):
        snapshot = stored(whole[whole.index < end], found.story("slow-list").series["whole"]).snapshot
        assert snapshot is not None
        store.write("slow-list", "whole", snapshot)
        if not enough:
            with pytest.raises(UserError, match="the data of whole was fetched until 2026-08-16 20:00 UTC") as error:
                decide(found, "slow-list", "h1")
            assert error.value.hint == "perfkb refresh slow-list"
    assert decide(found, "slow-list", "h1").pin.hours_present == pytest.approx(
        333 / 336
    )  # the rows begin two hours after the window


def test_without_data(tmp_path: Path) -> None:
    """Without any data there is nothing to decide."""
    found = made(tmp_path, STORY.replace("WHY", ""), "2026-08-18T10:00Z", {"part": shares()["part"]})
    with pytest.raises(UserError, match="the data of whole is not there"):
        decide(found, "slow-list", "h1")


def test_data_of_an_earlier_query(tmp_path: Path) -> None:
    """After a query was changed, what is stored answers another question, and decides nothing."""
    found = hypothesis(tmp_path)
    path = found.root / "stories/slow-list.md"
    path.write_text(path.read_text().replace("metric: whole", "metric: requests"))
    with pytest.raises(UserError, match="the data of whole is that of an earlier query"):
        decide(again(found), "slow-list", "h1")


def test_names(tmp_path: Path) -> None:
    """Who misspells a story or a hypothesis is told which there are."""
    found = hypothesis(tmp_path)
    with pytest.raises(UserError, match="there is no story 'slow-lst'"):
        decide(found, "slow-lst", "h1")
    with pytest.raises(UserError, match="there is no hypothesis 'h22'") as error:
        decide(found, "slow-list", "h22")
    assert error.value.hint == "did you mean h2?"
    with pytest.raises(UserError) as error:
        decide(found, "slow-list", "other")
    assert error.value.hint == "known: h1, h2"


@pytest.mark.parametrize("test", ["", "  test: {share: part, at_least: 50 %, from: 2026-08-03, to: 2026-08-16}\n"])
def test_without_a_test(tmp_path: Path, test: str) -> None:
    """A belief without a whole test cannot be decided."""
    text = STORY.replace("WHY", "").split("  test:", maxsplit=1)[0] + test + "---\nText.\n"
    with pytest.raises(UserError, match="h1 has no test"):
        decide(made(tmp_path, text, "2026-08-18T10:00Z", {}), "slow-list", "h1")


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    """A test of series that cannot be compared is told at its line, and writes nothing."""
    text = STORY.replace("WHY", "").replace("kind: total, metric: part", "kind: gauge, metric: part")
    found = made(tmp_path, text, "2026-08-18T10:00Z", shares())
    before = files_of(tmp_path)
    with pytest.raises(UserError, match="the test cannot be evaluated: “Part” is a gauge") as error:
        decide(found, "slow-list", "h1")
    assert str(error.value.where) == f"stories/slow-list.md:{line_of(found, '  test:')}:3"
    assert files_of(tmp_path) == before


@pytest.mark.parametrize("mistake", ["odd: 1\n", "opened: yesterday\n", "area: nowhere\n"])
def test_mistakes_elsewhere(tmp_path: Path, mistake: str) -> None:
    """A mistake in another field is no hindrance, and stays as it is."""
    text = STORY.replace("WHY", mistake).replace("area: campaigns\n" if "area" in mistake else "\0", "")
    found = made(tmp_path, text, "2026-08-18T10:00Z", shares())
    assert decide(found, "slow-list", "h1").pin.verdict == "confirmed"
    assert mistake in text_of(found)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("  because: One query a list\n", "", "hypotheses"),
        ("status: testing", "status: tesing", "status"),
        ("title: 'Campaign", "title: ['Campaign", "hypotheses and status"),
    ],
)
def test_mistakes_where_something_is_to_be_written(tmp_path: Path, old: str, new: str, named: str) -> None:
    """Nothing is written into a field with a mistake: it could hit another hypothesis, or hide what was meant."""
    found = hypothesis(tmp_path)
    path = found.root / "stories/slow-list.md"
    path.write_text(path.read_text().replace(old, new))
    before = files_of(tmp_path)
    with pytest.raises(UserError, match=f"has mistakes in {named}, so nothing can be written there"):
        decide(again(found), "slow-list", "h2")
    assert files_of(tmp_path) == before


def test_a_story_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A story that cannot be written is told without a traceback, and `check` says which verdict its pin bears out."""

    found = hypothesis(tmp_path)
    monkeypatch.setattr(books, "write_atomically", unwritable)
    with pytest.raises(UserError, match="cannot be written: Read-only file system"):
        decide(found, "slow-list", "h1")
    told = [each.what for each in check(again(found)).problems]
    assert "hypotheses[0]: open, but from its pinned evidence follows confirmed" in told


def test_one_observation(tmp_path: Path) -> None:
    """`confirmed` on one observation is refused with the rule named, by `decide` and by `check`."""
    rule = "window: 1 day, at least 7 are asked for"
    text = STORY.replace("WHY", "why: b\n").replace("to: 2026-08-16", "to: 2026-08-03")
    found = made(tmp_path, text, "2026-08-18T10:00Z", shares())
    before = files_of(tmp_path)
    refused = perfkb("-C", tmp_path, "decide", "slow-list", "h1")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        f"perfkb: stories/slow-list.md:{line_of(found, '  test:')}:3: this test cannot decide anything: {rule}"
        " (one observation proves nothing: look longer)\n"
    )
    assert files_of(tmp_path) == before
    path = found.root / "stories/slow-list.md"
    claimed = "# two weeks\n  verdict: confirmed\n  decided: 2026-08-04\n"
    path.write_text(path.read_text().replace("# two weeks\n", claimed).replace("status: testing", "status: confirmed"))
    checked = perfkb("-C", tmp_path, "check")
    assert checked.returncode == 1
    (line,) = [line for line in checked.stdout.splitlines() if "PK304" in line]
    assert line == (
        f"stories/slow-list.md:{line_of(found, '  verdict:')}:3: PK304 hypotheses[0]: confirmed asks for"
        " pinned evidence,"
        f" and for a longer test: {rule} (perfkb decide slow-list h1)"
    )


def test_what_decide_prints(tmp_path: Path) -> None:
    """The command names the verdict, every rule, what it pinned and wrote, and what to do next; any verdict is a 0."""
    hypothesis(tmp_path, traffic=2)
    done = run(tmp_path, "decide", "slow-list", "h1")
    assert done.exit_code == 0
    told = done.output.splitlines()
    assert told[0] == "h1 is inconclusive"
    assert [line.split(":")[0].split() for line in told[1:5]] == [
        ["holds", "window"], ["holds", "hours"], ["broken", "requests"], ["holds", "threshold"],
    ]  # fmt: skip
    assert told[5] == "pinned stories/slow-list/pinned/h1: numbers.json, part.csv, whole.csv"
    assert told[6].startswith("wrote ")
    assert told[6].endswith("testing")
    assert told[7] == "next: look longer with a new hypothesis, or park it"


# -- pin


def test_only_what_is_due(tmp_path: Path) -> None:
    """A fix is judged on its day, not before, and what was judged is left as it was stated."""
    found = fixed(tmp_path, now="2026-09-14T21:59Z")
    before = files_of(tmp_path)
    (early,) = settle(found)
    assert (early.pin, early.why, early.failed) == (None, "it is judged on 2026-09-15", False)
    assert files_of(tmp_path) == before
    (found.root / "site-config/knowledge-base.yml").write_text(settings("2026-09-14T22:00Z"))
    (due,) = settle(again(found))
    assert due.pin is not None
    assert (due.pin.verdict, due.pin.stated) == ("improved", date(2026, 9, 15))
    before = files_of(tmp_path)
    (later,) = settle(again(found))
    assert (later.pin, later.why, later.failed) == (None, "it was judged on 2026-09-15", False)
    assert files_of(tmp_path) == before


def test_measured(tmp_path: Path) -> None:
    """A story becomes measured when its fix is judged, and keeps every other byte."""
    found = fixed(tmp_path)
    before = text_of(found)
    settle(found)
    assert text_of(found) == before.replace("status: shipped  # at last", "status: measured  # at last")
    assert check(again(found)).problems == []


def test_measured_when_all_are_judged(tmp_path: Path) -> None:
    """A story with a fix that is not due yet stays shipped; one that never shipped is no hindrance."""
    one = "{id: one, series: requests, shipped: 2026-08-31T12:00Z, ticket: PERF-1, expected: -40 %}"
    more = f"- {one}\n- {{id: idea}}\n"
    two = more + "- {id: two, series: requests, shipped: 2026-09-10}\n"
    head = FIX.split("- {id: one", maxsplit=1)[0]
    found = fixed(tmp_path / "two", head + two + "---\n", now="2026-09-16T10:00Z")
    assert [(each.id, each.pin is not None) for each in settle(found)] == [("one", True), ("two", False)]
    assert "status: shipped" in text_of(found)
    found = fixed(tmp_path / "one", head + more + "---\n")
    settle(found)
    assert "status: measured" in text_of(found)


@pytest.mark.parametrize("status", ["fixing", "measured", "parked"])
def test_other_stages_are_not_measured(tmp_path: Path, status: str) -> None:
    """Only a shipped story becomes measured."""
    found = fixed(tmp_path, FIX.replace("status: shipped", f"status: {status}"))
    before = text_of(found)
    (each,) = settle(found)
    assert each.pin is not None
    assert text_of(found) == before


def test_a_story_that_was_not_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A story whose fix was pinned and that could not be written becomes measured the next time."""

    found = fixed(tmp_path)
    monkeypatch.setattr(books, "write_atomically", unwritable)
    with pytest.raises(UserError, match="Read-only"):
        settle(found)
    monkeypatch.undo()
    assert "status: shipped" in text_of(found)
    settle(again(found))
    assert "status: measured" in text_of(found)


def test_again(tmp_path: Path) -> None:
    """What was judged is judged anew only for stories that are named."""
    found = fixed(tmp_path)
    settle(found)
    (found.root / "site-config/knowledge-base.yml").write_text(settings("2026-09-20T10:00Z"))
    with pytest.raises(UserError, match="name the stories"):
        settle(again(found), again=True)
    (each,) = settle(again(found), ("slow-list",), again=True)
    assert each.pin is not None
    assert again(found).pins["slow-list"].judged["one"].stated == date(2026, 9, 20)


def test_only_some_stories(tmp_path: Path) -> None:
    """Only the stories that are named are judged; a name that is none is told."""
    found = fixed(tmp_path, other=FIX)
    assert [each.slug for each in settle(found, ("other",))] == ["other"]
    assert again(found).pins["slow-list"].judged == {}
    with pytest.raises(UserError, match="there is no story 'slow'"):
        settle(found, ("slow",))


@pytest.mark.parametrize(
    ("text", "after", "why"),
    [
        (FIX, 14, "the data was fetched until 2026-09-14: perfkb refresh slow-list"),
        (FIX.replace("series: requests, shipped", "shipped"), 16, "it names no series that has data"),
        (FIX.replace("2026-08-31T12:00Z", "2026-08-08"), 0, "cannot be judged: 5 days before and 14 after are too few"),
        (FIX.replace("metric: requests", "metric: whole"), 16, "the data of requests is that of an earlier query"),
    ],
)
def test_what_is_due_and_cannot_be_judged(tmp_path: Path, text: str, after: int, why: str) -> None:
    """A fix whose day has come and that cannot be judged is left with the reason, and is the run's exit status."""
    fixed(tmp_path, after=after)
    (tmp_path / "stories/slow-list.md").write_text(text)
    found = again(read_knowledge_base(tmp_path, {}))
    before = files_of(tmp_path)
    (each,) = settle(found)
    assert each.failed
    assert why in each.why
    assert files_of(tmp_path) == before
    done = run(tmp_path, "pin")
    assert done.exit_code == 1
    assert done.output.startswith("left    slow-list/one: ")


def test_what_pin_prints(tmp_path: Path) -> None:
    """The command names each fix with what was found; nothing to do is a 0."""
    fixed(tmp_path)
    done = run(tmp_path, "pin")
    assert done.exit_code == 0
    assert done.output.startswith("pinned  slow-list/one: improved, mean −")
    done = run(tmp_path, "pin", "slow-list")
    assert (done.output, done.exit_code) == ("left    slow-list/one: it was judged on 2026-09-15\n", 0)
    assert isinstance(run(tmp_path, "pin", "--again").exception, UserError)
    (tmp_path / "stories/slow-list.md").write_text(FIX.split("fixes:")[0] + "---\n")
    done = run(tmp_path, "pin")
    assert (done.output, done.exit_code) == ("no fix has shipped\n", 0)


def test_two_stories_of_one_series(tmp_path: Path) -> None:
    """Fixes of one series in two stories are judged in one model, and each names the other."""
    late = FIX.replace("id: one", "id: late").replace("2026-08-31T12:00Z", "2026-09-10")
    found = fixed(tmp_path, now="2026-10-01T10:00Z", after=40, other=late)
    snapshot = Store(found.store).read("slow-list", "requests")
    assert snapshot is not None
    Store(found.store).write("other", "requests", snapshot)
    judged = {each.slug: each.pin for each in settle(found)}
    one, two = judged["slow-list"], judged["other"]
    assert one is not None
    assert two is not None
    assert (one.together, two.together) == (("other/late",), ("slow-list/one",))
    assert (one.verdict, two.verdict) == ("improved", "undetected")


def test_the_same_bytes_twice(tmp_path: Path) -> None:
    """Who judges the same data on the same day states the same bytes."""
    first, second = fixed(tmp_path / "a"), fixed(tmp_path / "b")
    settle(first)
    settle(second)
    assert files_of(first.root / "stories") == files_of(second.root / "stories")


def test_the_step_before_the_end(tmp_path: Path) -> None:
    """Data up to the last moment of the last day is enough to judge."""
    rows = histograms(levels((28, 1.0), (16, 0.6)))
    end = FIRST + timedelta(days=43) - 2 * HOUR  # midnight in Berlin
    found = made(tmp_path, FIX, "2026-09-15T10:00Z", {"requests": rows[rows.index < end]})
    (each,) = settle(found)
    assert each.pin is not None
    assert each.pin.change.days_after == 14


def test_a_story_that_was_changed_while_it_was_decided(tmp_path: Path) -> None:
    """A verdict is not written beside another hypothesis, and nothing is pinned; what is elsewhere may change."""
    found = hypothesis(tmp_path)
    path = tmp_path / "stories/slow-list.md"
    before = path.read_text()
    path.write_text(before.replace("- id: h1 ", "- {id: h0, because: First of all, written: 2026-08-01}\n- id: h1 "))
    with pytest.raises(UserError, match="hypotheses was changed meanwhile, so nothing was written"):
        decide(found, "slow-list", "h1")
    assert not (tmp_path / "stories/slow-list/pinned").exists()
    path.write_text(before.replace("The   narrative.", "More of it."))
    assert decide(found, "slow-list", "h1").pin.verdict == "confirmed"
    assert path.read_text().endswith("More of it.\n")
