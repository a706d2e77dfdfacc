"""The commands that keep a story's books."""

import os
import pty
import select
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from difflib import ndiff
from functools import partial
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from click.testing import CliRunner, Result

import perfkb as front_door
from ingest import books
from ingest.errors import UserError
from ingest.knowledge import read_knowledge_base
from ingest.story import Said
from tests.commands import perfkb
from tests.ingest.bases import LEAST, SETTINGS, base

NOW = 1793512800  # 2026-11-01T06:00Z
TICKETS = SETTINGS + 'tickets: {"PERF-[0-9]+": "https://tickets.example/browse/{}"}\n'
INVESTIGATED = """\
title: 'Campaign list is slow'   # in their words
status: investigating
area: campaigns
what: "The list"

reports:
- {date: 2026-09-01, said: it spins}   # first
timeboxes:
  - date: 2026-09-03
    question: Why?
    budget: 2h
telemetry: {requests: {use: other_pages}, part: {source: demo, kind: total, metric: part, unit: s}}
"""
TESTED = INVESTIGATED.replace("investigating", "testing") + (
    "who: All\nwhen: Always\nwhere: Web\n"
    "hypotheses: [{id: h1, because: COUNT, written: 2026-09-03, test: {share: part, of: requests, at_least: 50 %, "
    "from: 2026-10-20, to: 2026-11-20}}]\n"
)
PARKED = LEAST.replace("reported", "parked") + "parked: {date: 2026-09-12, because: No time, revisit: 2027-01-01}\n"
PLANNED = TESTED + "fixes:\n  - id: batch\n    ticket: PERF-1\n    expected: -10 %\n"
PAUSED = (
    LEAST.replace("reported", "parked   # for now")
    + """\
parked:   # as agreed with Ana
  date: 2026-10-12
  because: "Still: no time"   # nor money
pauses:
  - {parked: 2026-09-12, because: No time, reopened: 2026-10-01}   # first
"""
)
SHARE = ("--share", "part", "--of", "requests", "--at-least", "50 %")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A knowledge base with a story at each stage that a command leads to."""
    stories = {
        "least": LEAST, "looked": INVESTIGATED, "tested": TESTED, "parked": PARKED, "planned": PLANNED,
        "paused": PAUSED, "wrong": LEAST + "timeboxes: [{date: soon}]\nchosen: 3\n", "twin": LEAST + "same_as: least\n",
    }  # fmt: skip
    return base(tmp_path, stories, settings=TICKETS).root


def run(root: Path, *arguments: str) -> Result:
    return CliRunner(env={"SOURCE_DATE_EPOCH": ""}).invoke(front_door.perfkb, ["-C", str(root), *arguments])


def changes(root: Path, slug: str, *arguments: str) -> list[str]:
    """The lines of a story that a command changes; it succeeds, and `check` finds nothing new."""
    path = root / f"stories/{slug}.md"
    before, known = path.read_text(), run(root, "check", f"stories/{slug}.md").output
    done = run(root, *arguments)
    assert done.exit_code == 0, done.output or done.exception
    assert f"wrote stories/{slug}.md: status " in done.stdout
    assert "\nnext: " in done.stdout
    found = run(root, "check", f"stories/{slug}.md").output
    assert [line for line in found.splitlines() if line not in known] == []
    return [line for line in ndiff(before.splitlines(), path.read_text().splitlines()) if line[0] in "+-"]


@pytest.mark.parametrize(
    ("slug", "arguments", "expected"),
    [
        ("least", ["report", "least", "spins: again"],
         ["- reports: [{date: 2026-09-01, said: it spins}]",
          '+ reports: [{date: 2026-09-01, said: it spins}, {date: 2026-11-01, said: "spins: again"}]']),
        ("looked", ["report", "looked", "slow", "--customers", "2", "--link", "https://a.example/1", "--date",
                    "2026-10-01"],
         ["+ - {date: 2026-10-01, said: slow, customers: 2, link: https://a.example/1}"]),
        ("parked", ["report", "parked", "still"],
         ["- reports: [{date: 2026-09-01, said: it spins}]",
          "+ reports: [{date: 2026-09-01, said: it spins}, {date: 2026-11-01, said: still}]"]),
        ("least", ["timebox", "start", "least", "Why?"],
         ["+ timeboxes:", "+   - date: 2026-11-01", "+     question: Why?", "+     budget: 2h"]),
        ("least", ["timebox", "start", "least", "Why?", "--budget", "45m", "--area", "campaigns", "--what", "It"],
         ["- status: reported", "+ status: investigating", "+ area: campaigns", "+ what: It", "+ timeboxes:",
          "+   - date: 2026-11-01", "+     question: Why?", "+     budget: 45m"]),
        ("looked", ["timebox", "stop", "looked", "--spent", "1h", "--effort", "2d"],
         ["+     spent: 1h", "+     effort: 2d"]),
        ("looked", ["tell", "looked", "--what", "The list", "--tag", "mysql", "--tag", "old", "--symptom", "it's slow"],
         ["+ tags: [mysql, old]", "+ symptoms: [it's slow]"]),
        ("looked", ["tell", "looked", "--what", "It"], ['- what: "The list"', "+ what: It"]),
        ("looked", ["believe", "looked", "COUNT", *SHARE, "--for", "All", "--slows", "It"],
         ["+ hypotheses:", "+   - id: h1", "+     because: COUNT", "+     slows: It", "+     for: All",
          "+     written: 2026-11-01",
          "+     test: {share: part, of: requests, at_least: 50 %, from: 2026-11-02, to: 2026-11-15}"]),
        ("tested", ["choose", "tested", "It blocks: all"],
         ['+ chosen: {date: 2026-11-01, because: "It blocks: all"}']),
        ("planned", ["fix", "planned", "batch", "--expected", "-20 %", "--control", "part"],
         ["-     expected: -10 %", "+     expected: -20 %", "+     control: part"]),
        ("planned", ["ship", "planned", "batch"], ["+     shipped: 2026-11-01"]),
        ("looked", ["park", "looked", "No time", "--revisit", "2027-03-01"],
         ["- status: investigating", "+ status: parked",
          "+ parked: {date: 2026-11-01, because: No time, revisit: 2027-03-01}"]),
        ("parked", ["reopen", "parked"],
         ["- status: parked", "+ status: reported", "+ pauses:",
          "- parked: {date: 2026-09-12, because: No time, revisit: 2027-01-01}",
          "+   - {parked: 2026-09-12, because: No time, reopened: 2026-11-01}"]),
    ],
)  # fmt: skip
def test_what_is_written(root: Path, slug: str, arguments: list[str], expected: list[str]) -> None:
    """A command changes the lines that it is about, and keeps comments, order and quotes."""
    assert changes(root, slug, *arguments) == expected


def test_today_is_that_of_the_zone(tmp_path: Path) -> None:
    """A date that is not given is today, by the clock and in the zone of the knowledge base."""
    settings = SETTINGS.replace("2026-11-01T06:00Z", "2026-11-01T23:30Z\ntimezone: Europe/Berlin")
    found = base(tmp_path, {"least": LEAST}, settings=settings)
    assert run(found.root, "report", "least", "again").exit_code == 0
    assert "2026-11-02, said: again" in (tmp_path / "stories/least.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("report leest again", "there is no story 'leest' (did you mean least?)"),
        ("report least again --date soon", "'soon' is not a date (write a day such as 2026-09-01)"),
        ("report least again --date 2027-01-01", ("stories/least.md: this cannot be written: reports[1].date: "
         "2027-01-01 is in the future (write what happened, when it has)")),
        ("report least again --link ftp://a", ("'ftp://a' is not a web address (write an address that begins with "
         "https://)")),
        ("report least spins\u202e", ("stories/least.md: this cannot be written: reports[1].said: the character U+202E "
         "cannot stand here (remove it)")),
        ("tell least --area campains", ("stories/least.md: this cannot be written: area: 'campains' is not an area "
         "(did you mean campaigns?)")),
        ("timebox start looked What?", ("stories/looked.md:10:5: a timebox is still open: 'Why?' "
         "(perfkb timebox stop looked --spent TIME)")),
        ("timebox start least What? --budget soon", "'soon' is not a duration (write 2h, 1h30m or 45m)"),
        ("timebox stop looked", "--spent is missing (it says: how long did it take?)"),
        ("timebox stop least --spent 1h", ('stories/least.md: no timebox is open (perfkb timebox start least '
         '"QUESTION")')),
        ("timebox start wrong What?", ("stories/wrong.md: has mistakes in timeboxes, so nothing can be written there "
         "(mend what `perfkb check` finds in it first)")),
        ("timebox start parked What?", "stories/parked.md: it is parked (perfkb reopen parked)"),
        ("choose twin now", "stories/twin.md: it repeats another story (work on least)"),
        ("believe looked COUNT", ("a belief needs the test that would confirm it (give --share with --of, "
         "--contrast with --against, --change with --at)")),
        ("believe looked COUNT --share part --of requests", ("--at-least is missing (the threshold that would confirm "
         "it, such as '50 %')")),
        ("believe looked COUNT --share part --at-least 50%", ("stories/looked.md: this cannot be written: "
         "hypotheses[0].test: share needs of (add `of:`)")),
        ("believe looked COUNT --share prt --of requests --at-least 50%", ("stories/looked.md: this cannot be written: "
         "hypotheses[0].test.share: 'prt' is not a series of this story (did you mean part?)")),
        ("believe looked COUNT --share part --of requests --at-least half", ("at_least: 'half' is not a number with a "
         "unit (write a percentage with its sign, such as -60 %)")),
        ("believe looked COUNT --share part --of requests --at-least 50% --from 2026-11-02 --to 2026-11-04",
         ("this test cannot decide anything: window: 3 days, at least 7 are asked for (one observation proves nothing: "
         "look longer)")),
        ("believe looked COUNT --share part --of requests --at-least 50% --from 2026-11-20 --to 2026-11-02",
         "--to 2026-11-02 is before --from 2026-11-20 (both days belong to the window)"),
        ("believe looked COUNT --change part --at 2026-11-01 --at-least 50% --quantile p95",
         "quantile: 'p95' is not a number (write it in digits, such as 0.95)"),
        ("believe looked COUNT --test shard=part",
         "--test: 'shard=part' is not a part of a test (did you mean share?)"),
        ("fix planned btch", "--ticket is missing (it says: which ticket is the fix?)"),
        ("fix planned h1 --ticket PERF-2 --expected -5%", ("stories/planned.md: this cannot be written: fixes: 'h1' is "
         "used twice (rename it)")),
        ("fix planned batch --expected 0.5", ("'0.5' is not a percentage (write a percentage with its sign, such as "
         "-60 %)")),
        ("ship planned btch", "stories/planned.md: there is no fix 'btch' (did you mean batch?)"),
        ("ship least batch", "stories/least.md: there is no fix 'batch' (perfkb fix least batch)"),
        ("ship planned batch --at 2026-10-01T12:00", ("'2026-10-01T12:00' has no offset from UTC (write 2026-09-20, or "
         "with an offset 2026-09-20T14:00Z)")),
        ("ship planned batch --at 2026-12-01", ("stories/planned.md: this cannot be written: fixes[0].shipped: "
         "2026-12-01 is in the future (write what happened, when it has)")),
        ("park parked again", "stories/parked.md: it is parked (perfkb reopen parked)"),
        ("reopen least", "stories/least.md:3:1: it is not parked, but reported"),
        ("tell least", ("stories/least.md: nothing was told (known: --area, --owner, --who, --what, --when, --where, "
         "--why, --workaround, --say, --ticket, --tag, --endpoint, --symptom)")),
        ("new --from PREF-1 Slow", "'PREF-1' is no ticket (known: PERF-[0-9]+)"),
        ("new", "TITLE is missing (it says: what is slow, in the words of who notices it?)"),
        ("new Slow --area campains", "area: 'campains' is not an area (did you mean campaigns?)"),
    ],
)  # fmt: skip
def test_mistakes(root: Path, arguments: str, message: str) -> None:
    """A mistake is named in one line that says what to do, and nothing is written."""
    before = {path: path.read_bytes() for path in (root / "stories").iterdir()}
    done = run(root, *arguments.split(" "))
    assert isinstance(done.exception, UserError), done.output
    assert str(done.exception) == message
    assert {path: path.read_bytes() for path in (root / "stories").iterdir()} == before


def test_what_was_shipped_or_chosen_stays(root: Path) -> None:
    """A decision is recorded once, and a fix that is live is not planned again."""
    assert run(root, "ship", "planned", "batch", "--at", "2026-10-30").exit_code == 0
    for arguments in (["ship", "planned", "batch"], ["fix", "planned", "batch", "--ticket", "PERF-2"]):
        assert "batch shipped on 2026-10-30" in str(run(root, *arguments).exception)
    assert run(root, "choose", "planned", "It blocks").exit_code == 0
    assert "it was chosen on 2026-11-01 (because: It blocks)" in str(run(root, "choose", "planned", "More").exception)


def test_a_fresh_id(root: Path) -> None:
    """A hypothesis gets the first id that nothing has, neither a fix nor evidence of what was removed."""
    run(root, "fix", "tested", "h2", "--ticket", "PERF-2", "--expected", "-5 %")
    done = run(root, "believe", "tested", "Locks", *SHARE)
    assert done.stdout.startswith("hypothesis h3: Locks\n")


def test_a_window_that_has_begun(root: Path) -> None:
    """A window before its threshold is a warning; one around an experiment is what it must be."""
    done = run(root, "believe", "looked", "COUNT", *SHARE, "--from", "2026-10-20")
    assert "warning: the window begins on 2026-10-20, before its threshold was written" in done.stderr
    assert "from: 2026-10-20, to: 2026-11-02" in (root / "stories/looked.md").read_text()
    done = run(root, "believe", "looked", "x", "--change", "part", "--at", "2026-11-01T08:00Z", "--at-least", "-20 %")
    assert done.stderr == ""
    assert "at_least: -20 %, from: 2026-10-18, to: 2026-11-15}" in (root / "stories/looked.md").read_text()


def test_a_whole_test_in_one_text(root: Path) -> None:
    """A test may be given as in the file, and single options stand above it."""
    test = "share=part of=requests at_least='40 %' from=2026-11-02 to=2026-11-20"
    assert run(root, "believe", "looked", "COUNT", "--test", test, "--at-least", "50 %").exit_code == 0
    written = (root / "stories/looked.md").read_text()
    assert "test: {share: part, of: requests, at_least: 50 %, from: 2026-11-02, to: 2026-11-20}" in written


def test_an_overrun_is_written(root: Path) -> None:
    """What took too long is written all the same, with the question that it raises."""
    done = run(root, "timebox", "stop", "looked", "--spent", "3h")
    assert done.exit_code == 0
    assert done.stderr == "warning: timeboxes[0] went 1 h over its budget of 2 h (another box, or park it?)\n"


def test_what_is_missing_is_said(root: Path) -> None:
    """A stage that is not earned stays, and what it lacks is said with the command that adds it."""
    done = run(root, "timebox", "start", "least", "Why?", "--area", "campaigns")
    assert "status reported\nnext: say what is still missing: perfkb tell least --what TEXT; then: " in done.stdout
    assert "status investigating" in run(root, "tell", "least", "--what", "The list").stdout
    done = run(root, "believe", "looked", "COUNT", *SHARE, "--who", "All")
    assert "status investigating" in done.stdout
    done = run(root, "timebox", "stop", "looked", "--spent", "1h")
    assert "next: say what is still missing: perfkb tell looked --when TEXT --where TEXT\n" in done.stdout
    assert "status testing" in run(root, "tell", "looked", "--when", "Always", "--where", "Web").stdout


def test_a_parked_story_comes_back_where_it_was(root: Path) -> None:
    """What was parked is taken up at the stage that its evidence supports, and when it was stays on record."""
    before = (root / "stories/tested.md").read_text()
    for _ in range(2):
        run(root, "park", "tested", "No time", "--revisit", "2027-03-01")
        done = run(root, "reopen", "tested")
        assert "was parked on 2026-11-01: No time\nwrote stories/tested.md: status testing\n" in done.stdout
    pause = "  - {parked: 2026-11-01, because: No time, reopened: 2026-11-01}\n"
    assert (root / "stories/tested.md").read_text() == before.replace("---\nIt", f"pauses:\n{pause * 2}---\nIt")


def test_reopening_keeps_comments(root: Path) -> None:
    """What was noted beside the reason stays, and the pauses before this one."""
    path = root / "stories/paused.md"
    assert run(root, "reopen", "paused", "--date", "2026-10-30").exit_code == 0
    assert (
        path.read_text().split("---\n")[1]
        == LEAST.replace("reported", "reported   # for now")
        + """\
# as agreed with Ana
# nor money
pauses:
  - {parked: 2026-09-12, because: No time, reopened: 2026-10-01}   # first
  - {parked: 2026-10-12, because: "Still: no time", reopened: 2026-10-30}
"""
    )


def test_reopened_by_hand(root: Path) -> None:
    """Who changes the stage alone is told of the reason that is still there, and `reopen` puts it on record."""
    path = root / "stories/parked.md"
    path.write_text(path.read_text().replace("status: parked", "status: reported"))
    told = run(root, "check", "stories/parked.md").stdout
    assert told == (
        "stories/parked.md:5:1: PK306 warning: the story is reported, and says why it was parked "
        "(write `status: parked`, or take it up again: perfkb reopen parked)\n"
    )
    again = str(run(root, "park", "parked", "Still no time").exception)
    assert again == "stories/parked.md:5:1: it was parked on 2026-09-12 (perfkb reopen parked records that)"
    assert run(root, "reopen", "parked").exit_code == 0
    assert run(root, "check", "stories/parked.md").stdout == ""
    assert "pauses:\n  - {parked: 2026-09-12, because: No time, reopened: 2026-11-01}\n" in path.read_text()


def test_two_commands_at_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What several commands write into one story at the same moment is all there."""
    write = books.write

    def slowly(*arguments: Any) -> None:
        sleep(0.1)
        write(*arguments)

    monkeypatch.setattr(books, "write", slowly)
    found = read_knowledge_base(root)
    edits = [partial(books.add_report, day="2026-10-01", said=f"r{n}", customers=1, link=None) for n in range(5)]
    with ThreadPoolExecutor(len(edits)) as pool:
        list(pool.map(lambda edit: books.keep(found, found.story("least"), [edit]), edits))
    now = read_knowledge_base(root).story("least").front.reports
    assert sorted(each.said for each in now if isinstance(each, Said)) == ["it spins", "r0", "r1", "r2", "r3", "r4"]


def test_changed_while_it_was_asked(root: Path) -> None:
    """An answer to a question is not written into an entry that another one has taken the place of meanwhile."""
    found = read_knowledge_base(root)
    story, path = found.story("looked"), root / "stories/looked.md"
    stop = partial(books.stop_timebox, index=0, spent="1h", outcome="The disk", effort=None)
    path.write_text(
        path.read_text().replace("timeboxes:\n", "timeboxes:\n  - {date: 2026-09-01, question: Disk?, budget: 1h}\n")
    )
    before = path.read_bytes()
    with pytest.raises(UserError, match="timeboxes was changed meanwhile, so nothing was written"):
        books.keep(found, story, [stop], minds=("timeboxes",))
    assert path.read_bytes() == before
    # What it is not about may have changed.
    books.keep(found, story, [partial(books.tell, words={"what": "It"})], minds=("status",))
    assert "question: Disk?" in path.read_text()


def test_a_report_leaves_the_stage_that_another_one_set(root: Path) -> None:
    """A report that was begun before a story was parked does not take it up again."""
    found = read_knowledge_base(root)
    assert run(root, "park", "looked", "No time").exit_code == 0
    edit = partial(books.add_report, day="2026-10-01", said="again", customers=1, link=None)
    assert books.keep(found, found.story("looked"), [edit], moves=False).story.front.status == "parked"


def test_what_is_no_text(root: Path) -> None:
    """Bytes that are no text are the terminal's mistake, and not the story's."""
    refused = str(run(root, "report", "least", os.fsdecode(b"it spins \xff")).exception)
    assert refused == "stories/least.md: cannot be written into: what was given is not text in UTF-8"


def test_a_file_keeps_its_permissions(root: Path) -> None:
    """What others may do with the file stays, and one that is read-only is not replaced."""
    path = root / "stories/least.md"
    path.chmod(0o664)
    assert run(root, "report", "least", "again").exit_code == 0
    assert path.stat().st_mode & 0o777 == 0o664
    path.chmod(0o444)
    before = path.read_bytes()
    refused = run(root, "report", "least", "once more").exception
    assert str(refused) == "stories/least.md: cannot be written: the file is read-only"
    assert path.read_bytes() == before


def test_what_failed_was_not_done(root: Path) -> None:
    """What a command did is said after it was written, not before."""
    for arguments in (
        ["believe", "least", "COUNT", *SHARE],
        ["ship", "planned", "batch", "--at", "2027-01-01"],
        ["reopen", "parked", "--date", "2026-01-01"],
    ):
        done = run(root, *arguments)
        assert isinstance(done.exception, UserError)
        assert done.stdout == ""


def test_shared_series_are_used(root: Path) -> None:
    """A series that the story lacks and knowledge-base.yml shares is taken from there."""
    fix = ["fix", "looked", "f", "--ticket", "PERF-1", "--expected", "-5 %", "--control", "other_pages"]
    (changed,) = (line for line in changes(root, "looked", *fix) if line.startswith("+ telemetry"))
    assert changed.endswith("metric: part, unit: s}, other_pages: {use: other_pages}}")


def test_new_from_a_vague_sentence(root: Path) -> None:
    """A vague sentence alone is a story without a problem, and nothing is asked in a pipe."""
    done = perfkb("-C", root, "new", "it's somehow slow??", now=NOW, EDITOR="false", VISUAL="")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("wrote stories/it-s-somehow-slow.md: status reported\nnext: run a timebox: perfkb ")
    assert run(root, "check", "stories/it-s-somehow-slow.md").output == "9 stories: 0 errors, 0 warnings\n"


def test_new_with_all_that_is_known(root: Path) -> None:
    """What is known already can be given, and a ticket is recorded with its address shown."""
    done = run(
        root, "new", "Exports time out", "--from", "PERF-212", "--area", "campaigns", "--owner", "@data", "--tag", "a",
        "--tag", "b: c", "--symptom", "no file comes", "--endpoint", "GET /export", "--customers", "4", "--edit",
    )  # fmt: skip
    assert done.stdout.startswith("PERF-212: https://tickets.example/browse/PERF-212\n")
    assert (
        (root / "stories/exports-time-out.md")
        .read_text()
        .startswith("""\
---
title: Exports time out
status: reported
area: campaigns
owner: "@data"
tickets: [PERF-212]
tags: [a, "b: c"]
endpoints: [GET /export]
symptoms: [no file comes]
reports:
  - {date: 2026-11-01, said: Exports time out, customers: 4}
---
""")
    )
    assert run(root, "check", "stories/exports-time-out.md").exit_code == 0
    again = run(root, "new", "Something else", "--from", "PERF-212")
    assert "similar: stories/exports-time-out.md  Exports time out  (both say PERF-212)\n" in again.stdout
    assert 'perfkb report exports-time-out "WHAT THEY SAID"' in again.stdout


def test_tickets_without_patterns(tmp_path: Path) -> None:
    """Where no patterns are declared any ticket is taken, and has no address."""
    found = base(tmp_path)
    done = run(found.root, "new", "Slow exports", "--from", "ABC-1")
    assert "ABC-1: no address (declare a pattern under tickets: in knowledge-base.yml)" in done.stdout
    assert "tickets: [ABC-1]" in (tmp_path / "stories/slow-exports.md").read_text()


def on_terminal(root: Path, answers: str, *arguments: str, status: int = 0, **environ: str) -> str:
    """What a command shows on a terminal on which these answers are typed."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "SOURCE_DATE_EPOCH": str(NOW), "VISUAL": "", "EDITOR": "", **environ}
    command = [sys.executable, "-P", "-m", "perfkb", "-C", str(root), *arguments]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, close_fds=True)
    os.close(theirs)
    os.write(ours, answers.encode())
    shown = b""
    # At its end the other side is closed, which is an error here; one that waits for more is stopped.
    with suppress(OSError):
        while select.select([ours], [], [], 20)[0] and (part := os.read(ours, 4096)):
            shown += part
    if process.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
    assert process.wait(60) == status, shown
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def test_new_on_a_terminal(root: Path) -> None:
    """On a terminal only what is needed is asked for: the title, the area, how many; then the editor opens."""
    answers = "Exports time out\ncampains\ncampaigns\n3\n"
    shown = on_terminal(root, answers, "new", "--from", "PERF-9", EDITOR="sed -i s/Still/STILL/")
    assert "'campains' is not an area (did you mean campaigns?)" in shown
    text = (root / "stories/exports-time-out.md").read_text()
    assert "area: campaigns\ntickets: [PERF-9]\n" in text
    assert "said: Exports time out, customers: 3}" in text
    assert "STILL to ask" in text


def test_new_on_a_terminal_that_is_known(root: Path) -> None:
    """Who finds the story among the similar ones starts none, and is told how to add a report."""
    shown = on_terminal(root, "n\n", "new", "The campaign list spins")
    assert "Is it none of these? [Y/n]" in shown
    assert 'next: perfkb report least "WHAT THEY SAID"' in shown
    assert not (root / "stories/the-campaign-list-spins.md").exists()


def test_a_timebox_on_a_terminal(root: Path) -> None:
    """On a terminal a timebox asks for what its stage needs, and at its end for what it took and found."""
    on_terminal(root, "campaigns\nThe list\n", "timebox", "start", "least", "Why?")
    shown = on_terminal(root, "soon\n1h\nNothing\n2d\n", "timebox", "stop", "least")
    assert "'soon' is not a duration (write 2h, 1h30m or 45m)" in shown
    text = (root / "stories/least.md").read_text()
    assert "status: investigating\narea: campaigns\nwhat: The list\n" in text
    assert "    budget: 2h\n    spent: 1h\n    outcome: Nothing\n    effort: 2d\n" in text


def test_an_editor_that_fails(root: Path) -> None:
    """An editor that fails is named in one line, and what comes next is said; `--no-edit` opens none."""
    shown = on_terminal(root, "\n1\n", "new", "Exports time out", "--no-edit", EDITOR="false")
    assert "wrote stories/exports-time-out.md: status reported\nnext: " in shown
    shown = on_terminal(root, "\n1\n", "new", "Log-in hangs", EDITOR="false")
    assert "warning: the editor failed: false: Editing failed (open " in shown
    assert "next: run a timebox: perfkb timebox start log-in-hangs " in shown
    assert (root / "stories/log-in-hangs.md").exists()


def test_no_answer(root: Path) -> None:
    """Who ends the questions has written nothing, and is told so."""
    before = (root / "stories/looked.md").read_bytes()
    shown = on_terminal(root, "1h\n\x04", "timebox", "stop", "looked", status=2)
    assert "perfkb: there was no answer, so nothing was written\n" in shown
    assert (root / "stories/looked.md").read_bytes() == before


def test_a_story_by_its_path(root: Path) -> None:
    """A story may be named by its file, which a shell completes."""
    assert run(root, "report", "stories/least.md", "again").exit_code == 0
    assert run(root, "report", str(root / "stories/least.md"), "again").exit_code == 0
    assert (root / "stories/least.md").read_text().count("said: again") == 2
    elsewhere = str(run(root, "report", "/elsewhere/stories/least.md", "again").exception)
    assert elsewhere.startswith("there is no story '/elsewhere/stories/least.md'")


def test_a_belief_needs_telemetry(root: Path) -> None:
    """Of a story without series, nothing that a hypothesis could be tested on, the series come first."""
    run(root, "timebox", "start", "least", "Why?", "--area", "campaigns", "--what", "The list")
    done = run(root, "timebox", "stop", "least", "--spent", "1h")
    assert "park it, or name its series under `telemetry:` and write what you believe: perfkb believe" in done.stdout
    refused = str(run(root, "believe", "least", "COUNT", *SHARE).exception)
    assert refused.endswith("'part' is not a series of this story (declare it under `telemetry:`)")
