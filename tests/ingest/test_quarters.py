import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingest.check import check
from ingest.closed import FOLDER, Quarter, path_of, read_quarters
from ingest.errors import UserError
from ingest.evidence import Facts
from ingest.knowledge import KnowledgeBase, read_knowledge_base
from ingest.quarters import Restatement, close_quarter, restatements
from tests.ingest.bases import base
from tests.ingest.impacts import TODAY, change, facts, fix, hours, judged

SETTINGS = "now: {}T06:00Z\n"
WIN = fix("win", judged(), hours=hours(123.4567891, {"2026Q3": 100.1234567, "2026Q4": 23.3333333}))
UNSEEN = fix("unseen", judged("undetected", change(-0.02, p=0.6)))
EARLIER = fix("earlier", judged(), shipped="2026-06-10", hours=hours(60, {"2026Q2": 20, "2026Q3": 40}))
LATER = fix("later", state="preliminary", shipped="2026-10-20")
LOST = fix("unknown", state="unmeasured", why="it names no series that has data")


@pytest.fixture
def kb(tmp_path: Path) -> KnowledgeBase:
    return base(tmp_path, settings=SETTINGS.format("2026-11-01"))


def close(kb: KnowledgeBase, *stories: Facts, again: bool = False) -> dict[str, Any]:
    """Closes the third quarter, and gives what its file holds."""
    made: dict[str, Any] = json.loads(close_quarter(kb, stories, "2026Q3", again=again).read_text())
    return made


def again(kb: KnowledgeBase) -> KnowledgeBase:
    return read_knowledge_base(kb.root, {})


def refused(kb: KnowledgeBase, *stories: Facts, name: str = "2026Q3") -> str:
    with pytest.raises(UserError) as caught:
        close_quarter(kb, stories, name)
    assert caught.value.hint
    assert not path_of(kb.root, Quarter(2026, 4)).exists()
    return str(caught.value)


def told(found: list[Restatement]) -> list[str]:
    return [f"{each.name}: {each.what}" for one in found for each in one.differences]


def restated(kb: KnowledgeBase, *stories: Facts) -> list[str]:
    return told(restatements(again(kb).quarters, stories, TODAY))


def test_closing(kb: KnowledgeBase) -> None:
    """A closed quarter states its fixes, their hours within it, the totals and the claims, and reads back alike."""
    made = close(kb, facts("slow", WIN, UNSEEN, EARLIER, LATER, LOST))
    statement = made["statement"]
    assert (made["format"], made["quarter"], statement["stated"], statement["method"]) == (
        1,
        "2026Q3",
        "2026-11-01",
        "1",
    )
    assert [(each["fix"], each.get("hours", {}).get("value")) for each in statement["fixes"]] == [
        ("earlier", 40.0), ("unseen", None), ("win", 100.123),
    ]  # fmt: skip
    assert statement["not_measured"] == [{"story": "slow", "fix": "unknown", "why": "it names no series that has data"}]
    assert [(each["unit"], each["value"]) for each in statement["totals"]] == [("user-hours", 140.123)]
    assert statement["discovery"] == {"judged": 2, "claimed": ["slow/win"], "fallen": []}, "of those that shipped in it"
    read = again(kb)
    assert read.problems == ()
    assert read.quarters["2026Q3"].statement.model_dump(exclude_none=True)["stated"].isoformat() == "2026-11-01"
    assert check(read).problems == []


def test_the_same_bytes(kb: KnowledgeBase, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two closings of the same facts write the same file, whatever the order of the stories."""
    other = base(tmp_path_factory.mktemp("other"), settings=SETTINGS.format("2026-11-01"))
    one, two = facts("a", WIN), facts("b", WIN, EARLIER)
    first, second = close_quarter(kb, [one, two], "2026Q3"), close_quarter(other, [two, one], "2026Q3")
    assert first.read_bytes() == second.read_bytes()


def test_drafts_are_not_stated(kb: KnowledgeBase) -> None:
    """What only the preview shows is in no statement."""
    assert close(kb, facts("slow", WIN, front="draft: true"))["statement"]["fixes"] == []


@pytest.mark.parametrize("name", ["2026Q5", "Q3", "2026-Q3", "../2026Q3", ""])
def test_no_quarter(kb: KnowledgeBase, name: str) -> None:
    """What is not the name of a quarter is said to be none."""
    assert "is not a quarter (write it as 2026Q3)" in refused(kb, name=name)


def test_a_quarter_that_is_not_over(kb: KnowledgeBase) -> None:
    """A quarter is closed from the first day of the next one on."""
    assert refused(kb, name="2026Q4") == "2026Q4 is not over (close it from 2027-01-01 on)"


@pytest.mark.parametrize("state", ["due", "preliminary", "waiting"])
def test_fixes_that_are_not_judged(kb: KnowledgeBase, state: str) -> None:
    """A quarter with a fix that is still to be judged is not closed, and the fix is named with its day."""
    waits = fix("late", state=state, shipped="2026-09-28", due=TODAY)
    assert "2026Q3 has fixes that are not judged: slow/late (2026-11-01)" in refused(kb, facts("slow", WIN, waits))


def test_hours_need_data(kb: KnowledgeBase) -> None:
    """Without the store nothing is closed that counts hours."""
    said = refused(kb, facts("slow", replace(WIN, hours=None), rows=[]))
    assert said.startswith("the hours of 2026Q3 cannot be told: slow/win (there is no data)")


def test_hours_need_data_of_the_whole_quarter(kb: KnowledgeBase) -> None:
    """A store that ends within the quarter, or begins after a fix, does not tell its hours."""
    short = facts("slow", WIN, rows=[[0.3]] * 24 * 20)
    assert "slow/win (its data ends on 2026-09-19)" in refused(kb, short)
    late = facts("slow", EARLIER, rows=[[0.3]] * 24 * 62)
    assert "slow/earlier (its data begins on 2026-08-31)" in refused(kb, late)


def test_no_data_is_needed_after_a_gain_was_lost(kb: KnowledgeBase) -> None:
    """A gain that was lost earns nothing afterwards, so later data is not asked for."""
    lost = replace(WIN, since=TODAY.replace(month=9, day=15), standing="eroded")
    assert close(kb, facts("slow", lost, rows=[[0.3]] * 24 * 16))["statement"]["fixes"][0]["since"] == "2026-09-15"


def test_closing_twice(kb: KnowledgeBase) -> None:
    """A closed quarter is closed again only on purpose, and then what was stated before is kept."""
    close(kb, facts("slow", WIN))
    with pytest.raises(UserError, match="2026Q3 was closed on 2026-11-01"):
        close(again(kb), facts("slow", WIN))
    more = replace(WIN, hours=hours(80))
    assert [each["totals"][0]["value"] for each in close(again(kb), facts("slow", more), again=True)["before"]] == [
        100.123
    ]
    third = close(again(kb), facts("slow", WIN), again=True)
    assert [each["totals"][0]["value"] for each in third["before"]] == [100.123, 80.0]
    assert restated(kb, facts("slow", WIN)) == [
        "slow/win: was 100 user-hours, is 80 user-hours: by the data that is there now",
        ": all fixes together: was 100 user-hours, is 80 user-hours",
        "slow/win: was 80 user-hours, is 100 user-hours: by the data that is there now",
        ": all fixes together: was 80 user-hours, is 100 user-hours",
    ]


def test_a_statement_that_cannot_be_read_is_not_replaced(kb: KnowledgeBase) -> None:
    """What was stated before is not overwritten because its file is damaged."""
    close(kb, facts("slow", WIN))
    path_of(kb.root, Quarter(2026, 3)).write_text("{")
    for on_purpose in (False, True):
        with pytest.raises(UserError, match="cannot be read"):
            close_quarter(again(kb), [], "2026Q3", again=on_purpose)


def test_nothing_is_restated(kb: KnowledgeBase) -> None:
    """As long as the same would be said, nothing is listed; other quarters do not matter."""
    close(kb, facts("slow", WIN, UNSEEN, LOST))
    more = replace(WIN, hours=hours(0, {"2026Q3": 100.5, "2026Q4": 500}))
    assert restated(kb, facts("slow", more, UNSEEN, LOST, LATER)) == []


def test_restatements(kb: KnowledgeBase) -> None:
    """What would be stated otherwise is listed with both numbers: new fixes, verdicts, and gains lost since."""
    doubted = fix("doubted", judged("unusual"))
    close(kb, facts("slow", WIN, UNSEEN, doubted))
    lost = replace(WIN, hours=hours(60), since=TODAY.replace(month=9, day=20), standing="eroded")
    accepted = fix("doubted", judged("unusual"), accept="We know why", hours=hours(7))
    changed = fix("unseen", judged("regressed", change(0.3)), hours=hours(-5))
    gone, now = "was no hours, is", "user-hours: by the data that is there now"
    assert restated(kb, facts("slow", lost, changed, accepted, EARLIER)) == [
        f"slow/doubted: did not count, is accepted now; {gone} 7 {now}",
        "slow/earlier: was not stated, is improved, −20 %, 40 user-hours",
        f"slow/unseen: was no detectable change, is regressed; the change was −2 %, is +30 %; {gone} −5 {now}",
        "slow/win: was 100 user-hours, is 60 user-hours: its gain was going since 2026-09-20",
        ": all fixes together: was 100 user-hours, is 102 user-hours",
    ]


def test_a_fix_that_is_gone(kb: KnowledgeBase) -> None:
    """A fix that no story has any more is listed with what was said of it."""
    close(kb, facts("slow", WIN))
    assert restated(kb)[0] == "slow/win: was improved, −20 %, 100 user-hours, is not there any more"


def test_hours_that_cannot_be_checked(kb: KnowledgeBase) -> None:
    """Where the store does not hold the quarter's data, its hours are not held against it."""
    close(kb, facts("slow", WIN))
    assert restated(kb, facts("slow", replace(WIN, hours=None), rows=[])) == []


def test_another_method(kb: KnowledgeBase, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the method's version changes, that is said."""
    close(kb, facts("slow", WIN))
    monkeypatch.setattr("ingest.quarters.METHOD", "2")
    assert restated(kb, facts("slow", WIN)) == [": made with version 1 of the method, now with 2"]


def statement(quarter: str, totals: str = "[]") -> bytes:
    told = f'{{"stated": "2026-11-01", "method": "1", "totals": {totals}, "discovery": {{"judged": 0}}}}'
    return f'{{"format": 1, "quarter": "{quarter}", "statement": {told}}}'.encode()


DAMAGED: list[tuple[str, bytes]] = [
    ("2026Q3.json", b""),
    ("2026Q3.json", b"\xff\xfe"),
    ("2026Q3.json", b"[" * 100_000),
    ("2026Q3.json", b"[]"),
    ("2026Q3.json", b"null"),
    ("2026Q3.json", b'{"format": 2}'),
    ("2026Q3.json", statement("2026Q3").replace(b"2026-11-01", b"soon")),
    ("2026Q2.json", statement("2026Q3")),
    ("2026Q3.json", statement("9Q9")),
    ("2026Q7.json", statement("2026Q7")),
    ("notes.txt", b"x"),
    ("2026Q3.json", statement("2026Q3", '[{"unit": "euros", "value": 1, "low": 1, "high": 1}]')),
    ("2026Q3.json", statement("2026Q3", '[{"unit": "user-hours", "value": NaN, "low": 1, "high": 1}]')),
]


@pytest.mark.parametrize(("name", "raw"), DAMAGED)
def test_damaged_files(kb: KnowledgeBase, name: str, raw: bytes) -> None:
    """A file that is no closed quarter is a problem at its place, and the others are read."""
    close_quarter(kb, [], "2026Q1")
    (kb.root / "stories" / FOLDER / name).write_bytes(raw)
    found = again(kb)
    assert [(each.where.path, each.code) for each in check(found).problems] == [(f"stories/{FOLDER}/{name}", "PK210")]
    assert list(found.quarters) == ["2026Q1"]


def test_no_quarter_is_written_through_a_link(kb: KnowledgeBase, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A folder of quarters that leads out of the knowledge base is not written into."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (kb.root / "stories" / FOLDER).symlink_to(elsewhere)
    with pytest.raises(UserError, match="links are not followed"):
        close_quarter(kb, [facts("slow", WIN)], "2026Q3")
    assert list(elsewhere.iterdir()) == []


def test_links_and_folders(kb: KnowledgeBase, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Neither a link nor a folder is a closed quarter, and a file of the folder's name is none."""
    close_quarter(kb, [], "2026Q1")
    folder = kb.root / "stories" / FOLDER
    (folder / "2026Q2.json").symlink_to(folder / "2026Q1.json")
    (folder / "2026Q3.json").mkdir()
    assert [each.code for each in read_quarters(kb.root).problems] == ["PK210", "PK210"]
    for wrong in ("file", "link"):
        other = base(tmp_path_factory.mktemp(wrong), settings=SETTINGS.format("2026-11-01")).root
        if wrong == "file":
            (other / "stories" / FOLDER).write_text("x")
        else:
            (other / "stories" / FOLDER).symlink_to(folder)
        assert [str(each.where) for each in read_quarters(other).problems] == [f"stories/{FOLDER}"]
