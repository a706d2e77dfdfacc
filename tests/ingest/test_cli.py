import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import perfkb as front_door
from ingest.codes import CODES
from ingest.errors import BusyError, UserError
from ingest.story import json_schema
from tests.commands import perfkb
from tests.ingest.bases import CASES, LEAST, base, document


def run(root: Path, *arguments: str) -> Result:
    """Runs a command on the knowledge base in `root`, in this process."""
    return CliRunner(env={"SOURCE_DATE_EPOCH": ""}).invoke(front_door.perfkb, ["-C", str(root), *arguments])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A knowledge base with a good story, one with a mistake and one with a warning."""
    over = "timeboxes: [{date: 2026-09-01, question: b, budget: 2h, spent: 3h}]"
    return base(tmp_path, {"good": LEAST, "bad": LEAST + "ara: campaigns", "over": LEAST + over}).root


def test_check_names_every_problem(root: Path) -> None:
    """`check` prints a line a problem in the order of files, sums up beside it, and ends with 1."""
    done = run(root, "check")
    assert done.stdout == (
        "stories/bad.md:5:1: PK101 ara is not a known field (did you mean area?)\n"
        "stories/over.md:5:57: PK303 warning: timeboxes[0] went 1 h over its budget of 2 h (another box, or park it?)\n"
    )
    assert done.stderr == "3 stories: 1 error, 1 warning\n"
    assert done.exit_code == 1


def test_check_without_errors(root: Path) -> None:
    """Warnings alone are no failure, and nothing at all prints nothing."""
    (root / "stories/bad.md").unlink()
    assert run(root, "check").exit_code == 0
    (root / "stories/over.md").unlink()
    done = run(root, "check")
    assert (done.stdout, done.stderr, done.exit_code) == ("", "1 story: 0 errors, 0 warnings\n", 0)


def test_check_is_the_same_twice(root: Path) -> None:
    """Two checks of the same files print the same bytes."""
    assert run(root, "check").stdout == run(root, "check").stdout


@pytest.mark.parametrize(
    ("paths", "codes", "status"),
    [
        (["stories/good.md"], [], 0),
        (["stories/bad.md"], ["PK101"], 1),
        (["stories/over.md"], ["PK303"], 0),
        (["stories"], ["PK101", "PK303"], 1),
        (["stories/"], ["PK101", "PK303"], 1),
        (["."], ["PK101", "PK303"], 1),
        (["stories/good.md", "./stories/../stories/bad.md"], ["PK101"], 1),
        (["site-config"], [], 0),
    ],
)
def test_check_of_some_paths(root: Path, paths: list[str], codes: list[str], status: int) -> None:
    """`check PATH...` names the problems of those files and folders, and only they decide its exit status."""
    done = run(root, "check", *paths)
    assert [line.split()[1] for line in done.stdout.splitlines()] == codes
    assert done.exit_code == status


def test_check_of_paths_from_elsewhere(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are those of the current folder, in whatever way they are written."""
    monkeypatch.chdir(root / "stories")
    for path in ("bad.md", str(root / "stories/bad.md"), "../stories/bad.md"):
        assert run(root, "check", path).stdout.startswith("stories/bad.md:5:1: PK101")
    assert run(root, "check", "over.md").exit_code == 0


def test_check_of_a_link(root: Path) -> None:
    """A link is checked as itself, not as what it leads to."""
    (root / "stories/link.md").symlink_to("good.md")
    assert "PK007" in run(root, "check", "stories/link.md").stdout


@pytest.mark.parametrize("path", ["stories/baad.md", "/etc/hostname", ".."])
def test_check_of_what_is_not_there(root: Path, path: str) -> None:
    """A path that names nothing of the knowledge base is a mistake, not a clean bill."""
    done = run(root, "check", path)
    assert isinstance(done.exception, UserError)
    assert "there is no such file or folder in this knowledge base" in str(done.exception)


def test_check_for_machines(root: Path) -> None:
    """`--format json` is a list of objects with the same fields each, and empty where nothing is wrong."""
    done = run(root, "check", "--format", "json")
    assert (done.exit_code, done.stderr) == (1, "")
    assert json.loads(done.stdout)[0] == {
        "path": "stories/bad.md", "line": 5, "column": 1, "code": "PK101", "severity": "error",
        "message": "ara is not a known field", "hint": "did you mean area?",
    }  # fmt: skip
    assert json.loads(run(root, "check", "--format", "json", "stories/good.md").stdout) == []


def test_check_for_github(root: Path) -> None:
    """`--format github` is a workflow command a line, whose texts cannot begin another command."""
    (root / "stories/bad.md").write_bytes(document(LEAST + '"50 %\\n::error::, a: b": c'))
    (root / "stories/a:b,c.md").touch()
    done = run(root, "check", "--format", "github")
    assert done.stdout.splitlines()[0] == (
        "::error file=stories/a%3Ab%2Cc.md,line=1,col=1,title=PK007::'a:b,c' is not a story's name "
        "(lower-case letters, digits and single hyphens, at most 80; neither index nor, as on Windows, con)"
    )
    assert "line=5,col=1,title=PK101::50 %25%0A::error::, a: b is not a known field" in done.stdout
    assert done.stdout.splitlines()[2].startswith("::warning file=stories/over.md,line=5,col=57,title=PK303::")
    assert done.exit_code == 1


@pytest.mark.parametrize(
    ("top", "within"), [("..", "{}/stories/"), (".", "stories/"), ("/elsewhere", "stories/"), ("", "stories/")]
)
def test_check_for_github_below_the_top(root: Path, monkeypatch: pytest.MonkeyPatch, top: str, within: str) -> None:
    """GitHub knows a file by its path from the repository's top, below which the knowledge base may lie."""
    monkeypatch.setenv("GITHUB_WORKSPACE", top and str(root / top))
    told = run(root, "check", "--format", "github", "stories/bad.md").stdout
    assert told.startswith(f"::error file={within.format(root.name)}bad.md,line=5,")


def test_help_waits_for_nothing() -> None:
    """What reads telemetry is imported by the commands that need it, so that help is there at once."""
    said = "import sys, perfkb; print({'numpy', 'pandas', 'matplotlib'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("form", ["text", "github", "json"])
def test_check_prints_every_name(root: Path, form: str) -> None:
    """A file whose name is not UTF-8 is named in every format."""
    Path(os.fsdecode(os.fsencode(root / "stories") + b"/\xff\xfc.md")).touch()
    done = perfkb("-C", root, "check", "--format", form)
    assert done.returncode == 1
    assert "udcff" in done.stdout
    assert "Traceback" not in done.stderr


def test_check_of_broken_configuration(root: Path) -> None:
    """Mistakes of the configuration are problems like all others."""
    (root / "site-config/sources.yml").write_text("prod: {kind: prometheus}\n")
    assert "site-config/sources.yml:1:1: PK102 url is missing" in run(root, "check").stdout


def test_new(root: Path) -> None:
    """`new` shows stories that sound alike, writes one more, and says what to do next."""
    done = run(
        root,
        "new",
        "Campaign folders are slow",
        "--said",
        "folders spin",
        "--customers",
        "3",
        "--link",
        "https://a.example/1",
    )
    assert done.exit_code == 0, done.output
    assert "similar: stories/good.md  Campaign list is slow  (both say campaign, spin)" in done.stdout
    assert "wrote stories/campaign-folders-are-slow.md" in done.stdout
    text = (root / "stories/campaign-folders-are-slow.md").read_text()
    assert '{date: 2026-11-01, said: folders spin, customers: 3, link: "https://a.example/1"}' in text
    assert "campaign-folders" not in run(root, "check").stdout


@pytest.mark.parametrize("customers", ["0", "-1", "many"])
def test_new_counts_customers(root: Path, customers: str) -> None:
    """A report stands for one customer or more."""
    assert run(root, "new", "Slow", "--customers", customers).exit_code == 2
    assert not (root / "stories/slow.md").exists()


def test_schema(tmp_path: Path) -> None:
    """`schema` prints the JSON Schema, or writes it into a file, and needs no knowledge base."""
    printed = CliRunner().invoke(front_door.perfkb, ["schema"])
    assert json.loads(printed.stdout) == json_schema()
    assert CliRunner().invoke(front_door.perfkb, ["schema", "-o", str(tmp_path / "a.json")]).stdout == ""
    assert (tmp_path / "a.json").read_text() == printed.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-C", "MISSING", "check"], "MISSING is not a knowledge base (make one: perfkb init DIR)"),
        (["-C", "ROOT", "check", "stories/missing.md"],
         "stories/missing.md: there is no such file or folder in this knowledge base"),
        (["-C", "ROOT", "new", "<script>"], "title: < cannot stand here (write it in words)"),
        (["-C", "ROOT", "new", "???"], "no name can be made from '???' (give one with --slug)"),
        (["-C", "ROOT", "new", "Good"],
         "stories/good.md: this story is there already (add a report to it, or give another --slug)"),
        (["schema", "-o", "MISSING/a.json"], "MISSING/a.json: cannot be written: No such file or directory"),
        (["-C", "ROOT", "refresh", "missing"], "there is no story 'missing' (see `perfkb status`)"),
    ],
)  # fmt: skip
def test_mistakes_of_users(root: Path, arguments: list[str], message: str) -> None:
    """A user's mistake is one line without a traceback, and exit status 2."""
    places = {"ROOT": str(root), "MISSING": str(root.parent / "missing")}
    for name, place in places.items():
        arguments = [argument.replace(name, place) for argument in arguments]
        message = message.replace(name, place)
    done = perfkb(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"perfkb: {message}\n")


def test_a_wrong_clock(root: Path) -> None:
    """A SOURCE_DATE_EPOCH that is no number is the user's mistake."""
    done = perfkb("-C", root, "check", SOURCE_DATE_EPOCH="today")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "SOURCE_DATE_EPOCH is 'today'" in done.stderr


def test_another_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A lock that another run holds ends with 75, which a schedule can tell from a failure."""

    def busy(**_: object) -> None:
        raise BusyError("store", "another refresh is running", "wait until it is done")

    monkeypatch.setattr(front_door, "perfkb", busy)
    with pytest.raises(SystemExit) as ended:
        front_door.main()
    assert ended.value.code == 75
    assert capsys.readouterr().err == "perfkb: store: another refresh is running (wait until it is done)\n"


@pytest.mark.parametrize("inside", [".", "stories", "site-config"])
def test_the_knowledge_base_around(root: Path, inside: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without -C a command works on the knowledge base in or above the current folder."""
    monkeypatch.chdir(root / inside)
    assert "stories/bad.md:5:1: PK101" in CliRunner().invoke(front_door.perfkb, ["check"]).stdout


def test_no_knowledge_base_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a knowledge base a command says so."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(front_door.perfkb, ["check"])
    assert isinstance(done.exception, UserError)
    assert "no knowledge base in" in str(done.exception)


def test_a_reader_that_has_seen_enough(root: Path) -> None:
    """A pipe that closes early, such as that of `head`, ends a command quietly."""
    for number in range(300):
        shutil.copy(root / "stories/bad.md", root / f"stories/bad-{number}.md")
    command = shlex.join([sys.executable, "-P", "-m", "perfkb", "-C", str(root), "check"])
    done = subprocess.run(
        ["sh", "-c", f"{command} | head -c 10"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "stories/ba"
    assert "Error" not in done.stderr


def test_help_names_every_command() -> None:
    """`--help` names each command with a line about it."""
    told = CliRunner().invoke(front_door.perfkb, ["--help"]).stdout
    for name, command in front_door.perfkb.commands.items():
        assert name in told
        assert command.help, name


def test_codes_are_in_no_other_form() -> None:
    """Every code that `check` prints is declared."""
    printed = run(CASES / "mistakes", "check", "--format", "json").stdout
    assert {each["code"] for each in json.loads(printed)} == set(CODES)
