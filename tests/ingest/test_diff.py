"""What a branch changes: real repositories, a commit, and a work tree that differs from it."""

import hashlib
import re
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import perfkb as front_door
from ingest.closed import Closed, Discovery, StatedHours, Statement, write_quarter
from ingest.diff.posted import LARGEST, Section, block, code, page
from ingest.errors import UserError
from ingest.pins import write_pin
from tests.commands import perfkb, succeed
from tests.ingest.bases import LEAST, SETTINGS, base, document
from tests.ingest.evidence.weeks import statement
from tests.ingest.impacts import change, judged
from tests.repositories import commit, git

SOURCES = """\
prod:
  kind: prometheus
  url: https://prometheus.example
  headers: {Authorization: "Bearer ${PROM_TOKEN}"}
"""
SERIES = "telemetry:\n  requests: {source: prod, kind: gauge, query: up, unit: s}\n"
TEST = "{share: part, of: whole, at_least: 50 %, from: 2026-08-03, to: 2026-08-16}"
BELIEF = f"hypotheses: [{{id: h1, because: One COUNT query per list, written: 2026-08-01, test: {TEST}}}]\n"
FIX = "fixes: [{id: batch, ticket: PERF-240, expected: -60 %, series: requests}]\n"
ROWS = b"time,value\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a knowledge base of three stories, the commit on `main`, and a branch on which work goes on."""
    stories = {"slow-list": LEAST + SERIES, "slow-login": LEAST.replace("list", "login"), "other": _titled("Other")}
    made = base(tmp_path / "kb", stories, SETTINGS, SOURCES).root
    commit(made)
    git(made, "switch", "-q", "-c", "branch")
    return made


def _titled(title: str, more: str = "") -> str:
    return f"title: {title}\nstatus: reported\nreports: [{{date: 2026-09-01, said: {title}}}]\n{more}"


def write(root: Path, slug: str, front: str, body: str = "It is slow.\n") -> None:
    (root / f"stories/{slug}.md").write_bytes(document(front, body))


def told(root: Path, revision: str = "main") -> str:
    done = CliRunner(env={"SOURCE_DATE_EPOCH": ""}).invoke(front_door.perfkb, ["-C", str(root), "diff", revision])
    assert done.exit_code == 0, done.output + str(done.exception)
    return done.output


def sections(text: str) -> dict[str, str]:
    """The text below each heading, without the count in it."""
    parts = re.split(r"^### (.*) \([\d,]+\)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))


def pin_test(root: Path, slug: str = "slow-list", low: float = 0.58, high: float = 0.66) -> None:
    made = statement(low, high)
    looked = {name: each.model_copy(update={"sha256": _hash(ROWS)}) for name, each in made.series.items()}
    pin = made.model_copy(update={"series": looked})
    write_pin(root, slug, "h1", pin, dict.fromkeys(looked, ROWS))


def pin_fix(root: Path, effect: float = -0.444, slug: str = "slow-list") -> None:
    made = judged(of=change(effect), before=2.1, after=1.2)
    looked = {"requests": made.series["requests"].model_copy(update={"sha256": _hash(ROWS)})}
    pin = made.model_copy(update={"series": looked})
    write_pin(root, slug, "batch", pin, {"requests": ROWS})


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# -- what is compared with what


def test_nothing_changed(root: Path) -> None:
    """Without a change there is one sentence, and no section."""
    commit_name = git(root, "rev-parse", "main")
    assert told(root) == (
        "## What this changes in the knowledge base\n\n"
        f"Nothing: stories, evidence and configuration are those of `main` (`{commit_name[:12]}`).\n"
    )


def test_the_branch_alone_is_told(root: Path) -> None:
    """What went on at BASE since the branch left it is no change of the branch; what is not committed yet is."""
    write(root, "slow-list", LEAST.replace("reported", "parked") + SERIES)
    git(root, "stash", "-q")
    git(root, "switch", "-q", "main")
    write(root, "on-main", _titled("On main"))
    commit(root)
    git(root, "switch", "-q", "branch")
    git(root, "stash", "pop", "-q")
    assert sections(told(root))["Stories"] == "- `slow-list`: `reported` → `parked`"


def test_it_is_the_same_twice(root: Path) -> None:
    """Two runs print the same bytes, whatever the order of sets is."""
    for number in range(12):
        write(root, f"new-{number}", _titled(f"T{number}", BELIEF + FIX + SERIES.replace("up", f"up{number}")))
    (root / "site-config/sources.yml").write_text("one: {kind: demo}\n")
    shutil.rmtree(root / "stories/other", ignore_errors=True)
    found = {succeed("-C", root, "diff", "main", PYTHONHASHSEED=str(seed)) for seed in (1, 2, 3)}
    assert len(found) == 1


def test_the_order_of_sections(root: Path) -> None:
    """What runs with credentials comes first, and what is merely edited last."""
    front = LEAST.replace("reported\n", "testing\n") + SERIES.replace("up", "down") + BELIEF + FIX
    boxes = "timeboxes: [{date: 2026-09-01, question: Why?, budget: 2h, spent: 3h}]\noverride: {PK302: A reason}\n"
    write(root, "slow-list", front + boxes)
    assert list(sections(told(root))) == [
        "New queries that will run with production credentials", "Stories", "Hypotheses", "Fixes", "Rules set aside",
        "Timeboxes over their budget", "New problems", "Stale data of the stories changed", "Files edited",
    ]  # fmt: skip


def test_a_base_without_a_knowledge_base(tmp_path: Path) -> None:
    """The pull request that brings the knowledge base adds all of it."""
    root = tmp_path / "kb"
    root.mkdir()
    (root / "README").touch()
    first = commit(root)
    base(root, {"slow-list": LEAST + SERIES}, sources=SOURCES)
    found = sections(told(root, first))
    assert "- `slow-list`: added, `reported`: `Campaign list is slow`" in found["Stories"]
    assert "**New source** `prod`" in found["New queries that will run with production credentials"]


def test_a_knowledge_base_within_a_repository(tmp_path: Path) -> None:
    """The repository may hold more than the knowledge base, whose folder is anywhere in it."""
    root = base(tmp_path / "docs/kb", {"slow-list": LEAST}, sources=SOURCES).root
    (tmp_path / "stories").mkdir()
    (tmp_path / "stories/not-ours.md").touch()
    commit(tmp_path)
    write(root, "slow-list", LEAST.replace("reported", "parked"))
    assert sections(told(root, "HEAD"))["Stories"] == "- `slow-list`: `reported` → `parked`"


def test_the_repository_runs_nothing(root: Path, tmp_path: Path) -> None:
    """No hook, filter or driver of the repository is run, and its attributes hide and change no file."""
    marks = tmp_path / "ran"
    (root / ".gitattributes").write_text(
        "stories/slow-list.md filter=evil diff=evil export-subst\nstories/other.md export-ignore\n* text eol=crlf\n"
    )
    commit(root)
    for key in ("filter.evil.smudge", "filter.evil.clean", "filter.evil.process", "diff.evil.textconv",
                "diff.evil.command", "core.fsmonitor", "core.pager"):  # fmt: skip
        git(root, "config", key, f"touch {marks}-{key}; cat")
    hooks = root / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "post-index-change", "reference-transaction", "fsmonitor-watchman"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {marks}-{name}\n")
        (hooks / name).chmod(0o755)
    for path in tmp_path.glob("ran-*"):
        path.unlink()
    assert "Nothing: " in told(root, "HEAD")
    assert list(tmp_path.glob("ran-*")) == []


def test_links_lead_nowhere(root: Path, tmp_path: Path) -> None:
    """A link that was committed is not followed out of the commit, and is the same mistake on both sides."""
    secret = tmp_path / "secret.md"
    secret.write_text("---\ntitle: TOP-SECRET\nstatus: reported\n---\n")
    (root / "stories/leak.md").symlink_to(secret)
    (root / "stories/slow-list").symlink_to(tmp_path)
    (root / "site-config/sources.yml").unlink()
    (root / "site-config/sources.yml").symlink_to("prod.yml")
    (root / "site-config/prod.yml").write_text(SOURCES)
    commit(root)
    assert "Nothing: " in told(root, "HEAD")
    (root / "site-config/sources.yml").unlink()
    (root / "site-config/sources.yml").symlink_to("../../secret.md")
    commit(root)
    (root / "site-config/sources.yml").unlink()
    (root / "site-config/sources.yml").write_text(SOURCES)
    assert "SECRET" not in told(root, "HEAD")


# -- what cannot be done


@pytest.mark.parametrize("revision", ["nowhere", "--output=x", "", "HEAD:stories", "main..branch", "a\nb"])
def test_an_unknown_revision(root: Path, revision: str) -> None:
    """What git does not know is the user's mistake, told in one line."""
    done = perfkb("-C", root, "diff", "--", revision)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"perfkb: git knows no revision '.*' \(name one that is here.*\)\n", done.stderr)


def test_no_repository(tmp_path: Path) -> None:
    """Outside of a repository it says so."""
    root = base(tmp_path / "kb", {"slow-list": LEAST}).root
    done = perfkb("-C", root, "diff", "main", GIT_CEILING_DIRECTORIES=str(tmp_path))
    assert done.returncode == 2
    assert "this is in no git repository" in done.stderr


def test_no_git(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without git it says what git is for."""
    monkeypatch.setenv("PATH", "")
    done = CliRunner().invoke(front_door.perfkb, ["-C", str(root), "diff", "main"])
    assert isinstance(done.exception, UserError)
    assert str(done.exception) == "git is not installed (what was there before is read from git)"


def test_a_shallow_clone(root: Path, tmp_path: Path) -> None:
    """A clone that lacks BASE, or the way back to it, says how to get it."""
    commit(root)
    for name, extra in (("one", []), ("both", ["--no-single-branch"])):
        git(tmp_path, "clone", "-q", "--depth=1", *extra, "--branch=branch", f"file://{root}", name)
        done = perfkb("-C", tmp_path / name, "diff", "origin/main")
        assert done.returncode == 2
        assert "fetch-depth: 0" in done.stderr


def test_a_merge_commit_and_its_parents(root: Path, tmp_path: Path) -> None:
    """Of the merge that GitHub checks out, two commits deep, the first parent is BASE."""
    write(root, "slow-login", LEAST.replace("reported", "parked"))
    commit(root)
    git(root, "switch", "-q", "main")
    write(root, "on-main", _titled("On main"))
    commit(root)
    git(root, "merge", "-q", "--no-ff", "branch")
    git(tmp_path, "clone", "-q", "--depth=2", f"file://{root}", "clone")
    assert sections(told(tmp_path / "clone", "HEAD^1"))["Stories"] == "- `slow-login`: `reported` → `parked`"


def test_a_branch_of_another_origin(root: Path) -> None:
    """Branches without a common commit cannot be compared."""
    git(root, "switch", "-q", "--orphan", "orphan")
    base(root, {"slow-list": LEAST})
    commit(root)
    done = perfkb("-C", root, "diff", "main")
    assert done.returncode == 2
    assert "this branch and main have no commit in common" in done.stderr


def test_output(root: Path) -> None:
    """--output writes what is printed otherwise."""
    printed = told(root)
    succeed("-C", root, "diff", "main", "--output", root / "diff.md")
    assert (root / "diff.md").read_text() == printed


def test_a_hook_can_call_it(root: Path) -> None:
    """What git sets for its hooks does not lead to another repository."""
    done = perfkb("-C", root, "diff", "main", GIT_DIR="/nowhere", GIT_INDEX_FILE="/nowhere", GIT_WORK_TREE="/nowhere")
    assert done.returncode == 0, done.stderr


# -- queries


def asked(root: Path) -> str:
    return sections(told(root)).get("New queries that will run with production credentials", "")


def test_a_new_query(root: Path) -> None:
    """A new series is told with its place, its source and its whole text."""
    write(root, "slow-login", LEAST + SERIES.replace("query: up", 'query: "sum(rate(x[1h]))\\nor vector(0)"'))
    assert asked(root) == (
        "The next refresh sends them, with the rights of its account. Read them before you merge.\n\n"
        "**New**, asks `prod`: `slow-login/requests` at `stories/slow-login.md:6:3`\n\n"
        "```text\nsource: prod\nkind: gauge\nquery: sum(rate(x[1h]))\n  or vector(0)\n```"
    )


def test_a_changed_query(root: Path) -> None:
    """A changed series shows what was asked and what is asked."""
    write(root, "slow-list", LEAST + SERIES.replace("query: up", "query: down"))
    assert "**Changed**, asks `prod`: `slow-list/requests`" in asked(root)
    assert "```diff\n source: prod\n kind: gauge\n-query: up\n+query: down\n```" in asked(root)


def test_a_metric_is_told_as_it_is_sent(root: Path) -> None:
    """Of a metric the queries are told that its source makes of it."""
    series = 'telemetry: {r: {source: prod, kind: histogram, metric: http, match: {route: "/a"}, unit: s}}\n'
    write(root, "slow-login", LEAST + series)
    assert 'sent as:\n  sum by (le) (increase(http_bucket{route="/a"}[1h]))\n' in asked(root)


@pytest.mark.parametrize(
    ("old", "new"),
    [("source: prod", "source: other"), ("kind: gauge", "kind: total"), ("query: up", "query: up, sum: down"),
     ("query: up", "query: up, metric: up"), ("query: up", "query: up, match: {a: b}")],
)  # fmt: skip
def test_whatever_is_asked_otherwise(root: Path, old: str, new: str) -> None:
    """Source, kind, sum, metric and labels are parts of a query as well."""
    write(root, "slow-list", LEAST + SERIES.replace(old, new))
    assert "**Changed**" in asked(root)


def test_what_was_asked_before_is_no_news(root: Path) -> None:
    """The same query in another story, or under another name or title, is sent anyway."""
    write(root, "slow-login", LEAST + SERIES.replace("requests", "other").replace("unit: s", "unit: ms, title: T"))
    assert asked(root) == ""


def test_a_query_of_many_stories_is_told_once(root: Path) -> None:
    """The same new query of several stories is one entry, with all of its places."""
    for slug in ("slow-login", "other"):
        write(root, slug, LEAST + SERIES.replace("up", "down"))
    assert asked(root).count("query: down") == 1
    assert "`other/requests` at `stories/other.md:6:3`, `slow-login/requests`" in asked(root)


def test_a_shared_series_touches_all_its_users(root: Path) -> None:
    """A change of a shared series names the stories that use it, whose data is looked at."""
    for slug in ("slow-login", "other"):
        write(root, slug, LEAST + "telemetry: {pages: {use: other_pages}}\n")
    commit(root)
    git(root, "branch", "-f", "main")
    changed = SETTINGS.replace("metric: other", "metric: all")
    (root / "site-config/knowledge-base.yml").write_text(changed)
    found = told(root)
    assert "**Changed**, asks `demo`: `series.other_pages` at `site-config/knowledge-base.yml:3:3`" in found
    assert "used by `other`, `slow-login`" in found
    assert "There is no store of telemetry here" in sections(found)["Stale data of the stories changed"]
    assert sections(found)["Files edited"] == "- `site-config/knowledge-base.yml`: `series`"


def test_a_shared_series_that_is_used_now(root: Path) -> None:
    """A shared series that nobody used was never asked for: its first user makes it run."""
    write(root, "slow-login", LEAST + "telemetry: {pages: {use: other_pages}}\n")
    assert "**New**, asks `demo`: `series.other_pages`" in asked(root)


def test_reports_that_are_counted(root: Path) -> None:
    """A query that counts reports runs elsewhere with credentials as well."""
    write(root, "slow-login", LEAST.replace("[{", '[{source: prod, query: "tag:slow"}, {'))
    assert "**New**, asks `prod`: `slow-login: reports` at `stories/slow-login.md:4:" in asked(root)
    assert "query: tag:slow" in asked(root)


def test_queries_of_a_story_with_mistakes(root: Path) -> None:
    """A mistake elsewhere in a story hides none of its queries."""
    write(
        root,
        "slow-login",
        LEAST.replace("reported", "repotred") + SERIES.replace("up", "x"),
    )
    assert "query: x" in asked(root)
    assert "→" not in sections(told(root)).get("Stories", "")


def test_another_address_for_credentials(root: Path) -> None:
    """Where the requests go, and which variables are sent there, is told; a header's value is not."""
    changed = SOURCES.replace("prometheus.example", "evil.example").replace("Bearer ", "s3cr3t ${HOME} ")
    (root / "site-config/sources.yml").write_text(changed)
    found = asked(root)
    assert "**Changed source** `prod` at `site-config/sources.yml:1:1`: 1 series of stories asks it;" in found
    assert "a refresh sends it the value of `${HOME}`, `${PROM_TOKEN}`" in found
    assert " kind: prometheus\n-url: https://prometheus.example\n+url: https://evil.example\n" in found
    assert "-headers.Authorization: (not shown) ${PROM_TOKEN}\n" in found
    assert "+headers.Authorization: (not shown) ${HOME} ${PROM_TOKEN}\n" in found
    assert "s3cr3t" not in told(root)


def test_another_header_alone(root: Path) -> None:
    """A header's value that is another one is a change, though neither is shown."""
    (root / "site-config/sources.yml").write_text(SOURCES.replace("Bearer", "Basic"))
    assert asked(root).count("headers.Authorization: (not shown) ${PROM_TOKEN}") == 2


def test_sources_come_and_go(root: Path) -> None:
    """A new source is told whole, and one that is gone is named."""
    (root / "site-config/sources.yml").write_text("files: {kind: csv, path: data, step: 30m}\n")
    assert "**New source** `files` at `site-config/sources.yml:1:1`: no story asks it" in asked(root)
    assert "```text\nkind: csv\nstep: 30 min\npath: data\n```" in asked(root)
    assert "**Removed source** `prod`" in asked(root)
    (root / "site-config/sources.yml").write_text("prod: [\n")
    assert "Removed" not in asked(root)


# -- stories


def test_stories_come_and_go(root: Path) -> None:
    """Stories that are new, gone, moved, parked, drafts, or repeat another one."""
    write(root, "new", _titled("New", "draft: true\n"))
    (root / "stories/other.md").unlink()
    parked = "parked: {date: 2026-09-12, because: Being replaced, revisit: 2027-03-01}\n"
    write(root, "slow-list", LEAST.replace("reported", "parked") + SERIES + parked)
    write(root, "slow-login", LEAST.replace("list", "login") + "same_as: slow-list\ndraft: true\n")
    assert sections(told(root))["Stories"].split("\n") == [
        "- `new`: added, `reported`, a draft: `New`",
        "- `other`: **removed**; it was `reported`: `Other`",
        "- `slow-list`: `reported` → `parked`, because `Being replaced`; to be looked at again on 2027-03-01",
        "- `slow-login`: now a draft, which no reader sees",
        "- `slow-login`: now repeats `slow-list`, and is counted there",
    ]


def test_a_renamed_story(root: Path) -> None:
    """A story under another name is the same story: nothing of it is new but its address, and no pin is lost."""
    front = LEAST + SERIES + BELIEF
    write(root, "slow-list", front)
    pin_test(root)
    commit(root)
    git(root, "branch", "-f", "main")
    (root / "stories/slow-list.md").rename(root / "stories/slower-list.md")
    (root / "stories/slow-list").rename(root / "stories/slower-list")
    found = sections(told(root))
    assert found.pop("Stories") == "- `slower-list`: renamed, it was `slow-list`; links to its old address break"
    # Problems name the command with the story's name.
    assert set(found) <= {"New problems", "Problems that are gone"}


def test_a_story_that_cannot_be_read(root: Path) -> None:
    """An unreadable story is a problem, and nothing in it is said to be removed or moved."""
    write(root, "slow-list", LEAST.replace("reported", "parked") + SERIES + BELIEF + FIX)
    commit(root)
    git(root, "branch", "-f", "main")
    write(root, "slow-list", "title: [")
    found = sections(told(root))
    assert found["Stories"] == "- `slow-list`: **cannot be read any more**"
    assert found["New problems"].startswith("- `stories/slow-list.md:3:1` PK002")
    assert not {"Hypotheses", "Fixes", "Numbers stated"} & set(found)
    write(root, "fresh", "title: [")
    assert "- `fresh`: added, and cannot be read" in told(root)


# -- hypotheses and fixes


def hypotheses(root: Path) -> list[str]:
    return sections(told(root)).get("Hypotheses", "").split("\n")


def test_a_hypothesis_is_written(root: Path) -> None:
    """A new belief is told with its threshold, and whether its window began before anybody else could see it."""
    write(root, "slow-list", LEAST + SERIES + BELIEF)
    head = "- `slow-list` `h1`: written 2026-08-01: `One COUNT query per list`. Test: share of `part` in `whole`,"
    assert hypotheses(root) == [
        (
            f"{head} at least 50 %, 2026-08-03 to 2026-08-16."
            " Its window has begun, on 2026-08-03: that it was written before, only its own date says."
        )
    ]
    write(root, "slow-list", LEAST + SERIES + BELIEF.replace("written: 2026-08-01", "written: 2026-08-05"))
    assert hypotheses(root)[0].endswith("**Its window began on 2026-08-03, before it was written.**")
    write(root, "slow-list", LEAST + SERIES + BELIEF.replace("2026-08", "2027-08"))
    assert hypotheses(root)[0].endswith("2027-08-03 to 2027-08-16.")


@pytest.fixture
def believing(root: Path) -> Path:
    """The same, with a belief and a fix on `main`."""
    write(root, "slow-list", LEAST + SERIES + BELIEF + FIX)
    commit(root)
    git(root, "branch", "-f", "main")
    return root


def decided(root: Path, verdict: str = "confirmed") -> None:
    belief = BELIEF.replace("written:", f"verdict: {verdict}, decided: 2026-08-17, written:")
    write(root, "slow-list", LEAST + SERIES + belief + FIX)


def test_a_hypothesis_is_decided(believing: Path) -> None:
    """A verdict comes with its figure, interval and threshold, and with the rules that hold."""
    decided(believing)
    assert hypotheses(believing) == ["- `slow-list` `h1`: **confirmed**: without pinned evidence"]
    pin_test(believing)
    assert hypotheses(believing) == [
        (
            "- `slow-list` `h1`: **confirmed**: `share` 62 % (58 % to 66 %); threshold 50 %; "
            "holds: window, hours, requests, threshold"
        )
    ]
    decided(believing, "disproved")
    pin_test(believing, low=0.1, high=0.2)
    assert "**disproved**: `share` 15 % (10 % to 20 %)" in hypotheses(believing)[0]
    assert "broken: threshold: the interval is 10 % to 20 %, all of it must be above 50 %" in hypotheses(believing)[0]


def test_a_verdict_is_changed(believing: Path) -> None:
    """A verdict that becomes another one, or none, says what it was."""
    decided(believing)
    commit(believing)
    git(believing, "branch", "-f", "main")
    decided(believing, "inconclusive")
    assert hypotheses(believing) == ["- `slow-list` `h1`: **inconclusive**, it was confirmed: without pinned evidence"]
    decided(believing, "open")
    assert hypotheses(believing) == ["- `slow-list` `h1`: **open again**, it was confirmed"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("50 %", "30 %", "its test was changed **after its window had begun on 2026-08-03**: share of"),
        ("50 %", "30 %", ", at least 30 %, 2026-08-03 to 2026-08-16; it was share of `part` in `whole`, at least 50 %"),
        ("2026-08-16", "2026-08-20", "to 2026-08-20; it was"),
        ("written: 2026-08-01", "written: 2026-07-01", "**the day on which it was written** is 2026-07-01; it was"),
        ("One COUNT", "A COUNT", "believes `A COUNT query per list`; it was `One COUNT query per list`"),
        (f", test: {TEST}", "", "test: removed; it was share of `part`"),
    ],
)  # fmt: skip
def test_changed_after_the_fact(believing: Path, old: str, new: str, expected: str) -> None:
    """What was written before the data, and is something else now, is told with both."""
    write(believing, "slow-list", LEAST + SERIES + BELIEF.replace(old, new) + FIX)
    (line,) = hypotheses(believing)
    assert expected in line


def test_a_belief_is_removed(believing: Path) -> None:
    """A belief that is gone is told: disproved ones are kept."""
    write(believing, "slow-list", LEAST + SERIES + FIX)
    assert hypotheses(believing) == ["- `slow-list` `h1`: **removed**; it was open: `One COUNT query per list`"]


def fixes(root: Path) -> list[str]:
    return sections(told(root)).get("Fixes", "").split("\n")


def test_a_fix_ships_and_is_judged(believing: Path) -> None:
    """A fix is told when it is written, when it ships, and when it is judged, with what was expected."""
    write(believing, "slow-login", LEAST + FIX)
    assert fixes(believing) == ["- `slow-login` `batch`: a new fix in `PERF-240`, expected −60 %"]
    write(believing, "slow-login", LEAST.replace("list", "login"))
    shipped = FIX.replace("series:", "shipped: 2026-09-10, series:")
    write(believing, "slow-list", LEAST + SERIES + BELIEF + shipped)
    ships = "- `slow-list` `batch`: shipped 2026-09-10, expected −60 %; to be judged on 2026-09-25"
    assert fixes(believing) == [ships]
    pin_fix(believing)
    assert fixes(believing) == [
        ships,
        (
            "- `slow-list` `batch`: judged **improved**: `p95` of `requests` −44.4 % (−54.4 % to −34.4 %), "
            "from `2.1 s` to `1.2 s`; expected −60 %"
        ),
    ]
    commit(believing)
    git(believing, "branch", "-f", "main")
    write(believing, "slow-list", LEAST + SERIES + BELIEF + shipped.replace("-60", "-40").replace("09-10", "09-09"))
    assert fixes(believing) == [
        "- `slow-list` `batch`: the expectation was changed **after it had shipped**: −40 %; it was −60 %",
        "- `slow-list` `batch`: **the day it shipped** is 2026-09-09; it was 2026-09-10",
    ]
    write(believing, "slow-list", LEAST + SERIES + BELIEF)
    assert fixes(believing)[0].startswith(
        "- `slow-list` `batch`: **the fix was removed**; it was judged improved, `p95`"
    )


def stated(root: Path) -> list[str]:
    return sections(told(root)).get("Numbers stated", "").split("\n")


def test_numbers_are_restated(believing: Path) -> None:
    """A number that stood is told with its interval, before and now; one whose pin is gone as well."""
    pin_fix(believing)
    pin_test(believing)
    commit(believing)
    git(believing, "branch", "-f", "main")
    pin_fix(believing, effect=-0.2)
    pin_test(believing, low=0.55)
    assert stated(believing) == [
        (
            "- `slow-list` `h1`: confirmed, 60.5 % (55 % to 66 %), stated on 2026-08-17; "
            "it was confirmed, 62 % (58 % to 66 %), stated on 2026-08-17"
        ),
        (
            "- `slow-list` `batch`: improved, `p95` of `requests` −20 % (−30 % to −10 %), from `2.1 s` to `1.2 s`, "
            "stated on 2026-10-20; it was improved, `p95` of `requests` −44.4 % (−54.4 % to −34.4 %), "
            "from `2.1 s` to `1.2 s`, stated on 2026-10-20"
        ),
    ]
    shutil.rmtree(believing / "stories/slow-list/pinned/h1")
    assert "- `slow-list` `h1`: **its pin was removed**; stated on 2026-08-17: confirmed, 62 %" in stated(believing)[0]


def test_a_pin_is_edited_beside_its_number(believing: Path) -> None:
    """What a pin says besides its figure is named where it changed."""
    pin_fix(believing)
    commit(believing)
    git(believing, "branch", "-f", "main")
    file = believing / "stories/slow-list/pinned/batch/numbers.json"
    file.write_text(file.read_text().replace('"method": "1"', '"method": "2"'))
    assert stated(believing)[0].startswith(
        "- `slow-list` `batch`: the figure stands, and `method` of its pin changed: "
    )


def _statement(value: float) -> Statement:
    hours = StatedHours(unit="user-hours", value=value, low=value * 0.9, high=value * 1.1)
    return Statement(stated=date(2026, 10, 5), method="1", totals=(hours,), discovery=Discovery(judged=3))


def test_quarters(root: Path) -> None:
    """A quarter that is closed, restated with and without what was stated before, or taken away."""
    first, second = _statement(1000), _statement(2000)
    write_quarter(root, Closed(format=1, quarter="2026Q3", statement=first))
    assert stated(root) == ["- 2026Q3: closed on 2026-10-05: 1,000 user-hours (900 to 1,100)"]
    commit(root)
    git(root, "branch", "-f", "main")
    write_quarter(root, Closed(format=1, quarter="2026Q3", statement=second, before=(first,)))
    restated = "- 2026Q3: restated: 2,000 user-hours (1,800 to 2,200); it was 1,000 user-hours (900 to 1,100)."
    assert stated(root) == [restated]
    write_quarter(root, Closed(format=1, quarter="2026Q3", statement=second))
    assert stated(root) == [f"{restated} **What was stated before was not kept.**"]
    (root / "stories/_quarters/2026Q3.json").unlink()
    assert "**is not closed any more**" in stated(root)[0]


def test_judgement_that_overrules(believing: Path) -> None:
    """Rules that are set aside and measurements that are accepted come with their reasons."""
    front = FIX.replace("series:", "accept: The incident was ours, series:") + "override: {PK303: The vendor called}\n"
    write(believing, "slow-list", LEAST + SERIES + BELIEF + front)
    assert sections(told(believing))["Rules set aside"].split("\n") == [
        "- `slow-list`: `PK303` does not hold here, because `The vendor called`",
        "- `slow-list` `batch`: counts although its measurement is unusual, because `The incident was ours`",
    ]


def test_timeboxes_over_budget(root: Path) -> None:
    """A timebox that went over its budget is told once: not as a new problem too."""
    box = "timeboxes: [{date: 2026-09-01, question: Why?, budget: 2h, spent: 3h}]\n"
    write(root, "slow-list", LEAST + SERIES + box)
    found = sections(told(root))
    assert found["Timeboxes over their budget"] == "- `slow-list`, 2026-09-01: 3 h of 2 h for `Why?`"
    assert "PK303" not in found.get("New problems", "")
    commit(root)
    git(root, "branch", "-f", "main")
    write(root, "slow-list", LEAST + SERIES + box + "tags: [a]\n")
    assert "Timeboxes over their budget" not in sections(told(root))


# -- problems and data


def test_problems_come_and_go(root: Path) -> None:
    """New problems are told with their place, and those that are gone; one whose line moved is neither."""
    write(root, "slow-list", LEAST + SERIES + "area: nowhere\n")
    write(root, "other", _titled("Other", "timeboxes: [{date: 2026-09-01, question: a, budget: soon}]\n"))
    found = told(root)
    assert "**3 errors would keep the site from being published.**" in found
    assert "- `stories/slow-list.md:7:1` PK201 error: `area: 'nowhere' is not an area`" in found
    commit(root)
    git(root, "branch", "-f", "main")
    boxes = "{date: 2026-09-01, question: b, budget: 1h}, {date: 2026-09-01, question: a, budget: soon}"
    moved = f"tags: [a]\ntimeboxes: [{boxes}]\n"
    write(root, "other", _titled("Other", moved))
    write(root, "slow-list", LEAST + SERIES)
    found = told(root)
    assert "New problems" not in found
    assert sections(found)["Problems that are gone"].startswith("- `stories/slow-list.md:7:1` PK201")


def test_stale_data(root: Path) -> None:
    """Old or missing data of a story that changed is told from the store, but not of a series that is new."""
    front = LEAST + "telemetry: {r: {source: demo, kind: gauge, metric: a, unit: s}}\n"
    (root / "site-config/sources.yml").write_text(SOURCES + "demo: {kind: demo}\n")
    write(root, "slow-login", front)
    write(root, "other", front.replace("metric: a", "metric: b"))
    commit(root)
    git(root, "branch", "-f", "main")
    succeed("-C", root, "refresh", "slow-login", "other", now=1_790_000_000)
    new = "  new: {source: demo, kind: gauge, metric: c, unit: s}\n"
    write(root, "slow-login", front.replace("{r: {", "\n  r: {").replace("}}\n", "}\n") + new)
    found = sections(told(root))["Stale data of the stories changed"]
    assert re.fullmatch(r"- `slow-login` `r`: old\. `No data for \d+ days`", found)


# -- texts of strangers

HOSTILE = (
    "@everyone look at <b>this</b>",
    "</details><script>alert(1)</script>",
    "![x](https://evil.example/p.png) [click](https://evil.example)",
    "`` ` ``` code @me `",
    "```\n# heading\n@everyone\n```",
    "~~~ <!-- -->",
    "https://evil.example www.evil.example a@b.example #1 o/r#2 :smile: $x$ $$y$$",
    "| a | b |\\",
    "`",
    "\\`@me\\`",
)


def outside_code(text: str) -> str:
    """What a reader of Markdown reads as Markdown: neither blocks nor spans of code."""
    kept, fence = [], ""
    for line in text.split("\n"):
        mark = re.match("`{3,}", line)
        if mark and not fence:
            fence = mark[0]
        elif mark and fence and line.strip("`") == "" and len(line) >= len(fence):
            fence = ""
        elif not fence:
            kept.append(re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", line))
    assert not fence
    return "\n".join(kept)


def test_texts_of_strangers_stay_in_code(root: Path) -> None:
    """Whatever a story says, outside of code stand our own words alone."""
    quoted = [text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"') for text in HOSTILE]
    for number, text in enumerate(quoted):
        line = text.replace("\\n", " ")
        front = f"""title: "{line.replace("<", "‹").replace(">", "›")}"
status: parked
reports: [{{date: 2026-09-01, said: "{line}"}}]
parked: {{date: 2026-09-12, because: "{text}"}}
override: {{PK301: "{text}", "{line}": "{text}"}}
telemetry: {{r: {{source: prod, kind: gauge, query: "{text}", match: {{"{line}": "{line}"}}, unit: s}}}}
timeboxes: [{{date: 2026-09-01, question: "{line}", budget: 2h, spent: 3h}}]
hypotheses: [{{id: h1, because: "{line}", written: 2026-08-01, test: {TEST}, verdict: disproved}}]
fixes: [{{id: f, ticket: "{line.replace("<", "‹").replace(">", "›")}", accept: "{text}", shipped: 2026-09-01}}]
"{line}": x
"""
        write(root, f"attack-{number}", front)
    (root / "stories/@everyone <b>.md").touch()
    (root / "site-config/sources.yml").write_text(
        SOURCES + f'  explore: "https://e.example/?@everyone"\n  "{quoted[0]}": "{quoted[4]}"\n'
    )
    found = told(root)
    assert found.count("@everyone") > 20
    rest = outside_code(found)
    for mark in ("@", "<", ">", "http", "www", "![", "](", "~~~", "script", "evil", "#1", "#2", ":smile", "$", "|"):
        assert mark not in rest, mark
    assert {line[:4] for line in rest.split("\n") if line.startswith("#")} == {"## W", "### "}


@pytest.mark.parametrize("make", [code, block])
@given(text=st.text(alphabet=st.sampled_from("`~ \n\t<@a\\\u202e\x00"), max_size=40))
def test_code_cannot_be_left(make: Callable[[str], str], text: str) -> None:
    """No text ends the code that it stands in."""
    assert outside_code(f"x{make(text)}y" if make is code else make(text)) in ("xy", "x(empty)y", "")


def test_code_is_cut() -> None:
    """A long text is cut, and says so."""
    assert code("a" * 400) == f"`{'a' * 299}…`"
    assert block("a" * 10_000).endswith(f"{'a' * 6000}\n… and 4,000 more characters\n```")


def test_a_big_diff_is_cut(root: Path) -> None:
    """A comment holds what fits, queries first, and says of the rest how much there is."""
    for number in range(300):
        series = SERIES.replace("query: up", f"query: up{number}{' or up' * 100}").replace("gauge", "histogram, sum: x")
        write(root, f"new-{number:03}", _titled(f"Story {number}", series + f"tag: [{number}]\n"))
    found = told(root)
    assert len(found.encode()) <= LARGEST
    told_of = sections(found)
    assert "### New queries that will run with production credentials (300)" in found
    assert re.search(r"- \*\*and \d+ more, which do not fit here\*\*$", told_of[next(iter(told_of))])
    assert list(told_of)[-1] == "Stale data of the stories changed"
    assert "- `new-000`: added" in told_of["Stories"]
    assert "more, which do not fit here" in told_of["New problems"]
    assert "```" not in outside_code(found)


@given(st.lists(st.lists(st.text(max_size=300), max_size=20), max_size=9), st.integers(12_000, 20_000))
def test_a_page_fits(texts: list[list[str]], largest: int) -> None:
    """Whatever there is to tell, the page is no longer than it may be, and every section is there."""
    made = [Section(f"S{n}", tuple(f"- {code(each)}" for each in some)) for n, some in enumerate(texts)]
    text = page("T", "I", made, largest)
    assert len(text.encode()) <= largest
    assert [line for line in text.split("\n") if line.startswith("### ")] == [
        f"### {each.title} ({len(each.entries)})" for each in made if each.entries
    ]


def test_nothing_is_left_behind(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy of what was there is removed, and the work tree stays as it is."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    before = git(root, "status", "--porcelain", "--ignored"), sorted(root.iterdir())
    succeed("-C", root, "diff", "main")
    assert not list((tmp_path / "tmp").iterdir())
    assert (git(root, "status", "--porcelain", "--ignored"), sorted(root.iterdir())) == before
