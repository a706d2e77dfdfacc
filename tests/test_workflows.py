"""What runs on a schedule is run here: the workflows' own shell steps, and the script for cron."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from macros.scaffold import make_knowledge_base
from tests.commands import succeed
from tests.repositories import GIT, commit, git
from tests.servers import FaultServer, Reply

PROJECT = Path(__file__).parent.parent
WORKFLOWS = sorted(path.name for path in (PROJECT / ".github/workflows").glob("*.yml"))


def workflow(name: str) -> dict[Any, Any]:
    read: dict[Any, Any] = yaml.safe_load((PROJECT / ".github/workflows" / name).read_text())
    return read


def step(name: str, file: str = "publish.yml") -> str:
    """The script of a step of a workflow."""
    found = [each["run"] for each in steps(file) if each.get("name") == name]
    assert len(found) == 1
    return str(found[0])


def steps(file: str) -> list[dict[str, Any]]:
    """The steps of all jobs of a workflow."""
    return [each for job in workflow(file)["jobs"].values() for each in job["steps"]]


def launcher(path: Path, building: int | None = None) -> None:
    """The command that is tested here, at `path`; no build is done, but ends with `building`, if that is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stub = "" if building is None else f'[ "$1" = build ] && exit {building}\n'
    path.write_text(f'#!/bin/sh\n{stub}exec {sys.executable} -m perfkb "$@"\n')
    path.chmod(0o755)


def shell(script: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Runs a step as GitHub does: bash, which stops at the first failure."""
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=folder, env={**os.environ, **GIT, **environ}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def run(script: str, folder: Path, **environ: str) -> None:
    done = shell(script, folder, **environ)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository to clone and to push to."""
    (tmp_path / "seed/.github").mkdir(parents=True)
    shutil.copy(PROJECT / ".github/keep-store.sh", tmp_path / "seed/.github")
    run("git init -qb main && echo .snapshots/ > .gitignore && git add . && git commit -qm x", tmp_path / "seed")
    run(f"git clone -q --bare {tmp_path}/seed {tmp_path}/origin.git", tmp_path)
    return tmp_path / "origin.git"


def test_the_store_survives_throw_away_machines(origin: Path, tmp_path: Path) -> None:
    """The first run makes the branch of the store, and each later one adds to what it finds there."""
    for number in (1, 2, 3):
        machine = tmp_path / f"machine-{number}"
        run(f"git clone -q {origin} {machine}", tmp_path)
        run(step("Check out the telemetry store"), machine)
        kept = sorted(path.name for path in (machine / ".snapshots").iterdir() if path.name != ".git")
        assert kept == [f"row-{each}" for each in range(1, number)]
        (machine / f".snapshots/row-{number}").write_text("data")
        (machine / ".snapshots/.lock").touch()
        run(step("Keep the telemetry store"), machine)
        # Nothing new is no failure.
        run(step("Keep the telemetry store"), machine)


def fake_perfkb(machine: Path, **statuses: int) -> None:
    """A command that writes down how it was called, and ends with a status for each subcommand."""
    cases = " ".join(f"{name}) exit {status} ;;" for name, status in statuses.items())
    path = machine / ".venv/bin/perfkb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> called\ncase "$1" in {cases} esac\n')
    path.chmod(0o755)


@pytest.mark.parametrize("status", [0, 1, 2, 75])
def test_the_refresh_step_hands_its_status_on(status: int, tmp_path: Path) -> None:
    """The step itself never fails: the store must be kept whatever became of the refresh."""
    fake_perfkb(tmp_path, refresh=status)
    run(step("Refresh"), tmp_path, GITHUB_OUTPUT=str(tmp_path / "output"), FIRST_RUN="")
    assert (tmp_path / "output").read_text() == f"status={status}\n"
    assert (tmp_path / "called").read_text() == "refresh --expect-store\n"


def test_a_first_run_is_started_by_hand(tmp_path: Path) -> None:
    """Only who starts the workflow by hand can say that an empty store is right."""
    (refresh,) = (each for each in steps("publish.yml") if each.get("name") == "Refresh")
    assert refresh["env"]["FIRST_RUN"] == "${{ inputs.first_run && '--first-run' || '' }}"
    assert workflow("publish.yml")[True]["workflow_dispatch"]["inputs"]["first_run"]["default"] is False
    fake_perfkb(tmp_path, refresh=0)
    run(step("Refresh"), tmp_path, GITHUB_OUTPUT=str(tmp_path / "output"), FIRST_RUN="--first-run")
    assert (tmp_path / "called").read_text() == "refresh --expect-store --first-run\n"


@pytest.mark.parametrize(
    ("refreshed", "built", "told"),
    [
        ("0", "success", ""),
        ("1", "success", ""),
        ("1", "failure", "--say The build failed, and the published site stays as it was: RUN"),
        ("0", "cancelled", "--say The build failed, and the published site stays as it was: RUN"),
        ("2", "skipped", "--say The refresh ended with 2, and nothing is published: RUN"),
        ("", "skipped", "--say The refresh ended with an error, and nothing is published: RUN"),
    ],
)
def test_what_is_told(tmp_path: Path, refreshed: str, built: str, told: str) -> None:
    """A failed build and a refresh without anything usable are told beside what the command finds itself."""
    fake_perfkb(tmp_path, notify=0)
    run(step("Tell who runs it"), tmp_path, REFRESHED=refreshed, BUILT=built, RUN="RUN")
    assert (tmp_path / "called").read_text() == f"notify {told}".strip() + "\n"


def make_small(root: Path) -> None:
    """A knowledge base as `perfkb init` makes it, of hardly any pages: how it is built is tested elsewhere."""
    make_knowledge_base(root)
    shutil.rmtree(root / "content")
    (root / "content").mkdir()
    (root / "content/index.md").write_text("# {{ site_name() }}\n")
    configuration = (root / "mkdocs.yml").read_text()
    (root / "mkdocs.yml").write_text(re.sub(r"^nav:\n(?: .*\n)+", "", configuration, flags=re.MULTILINE))


def published(machine: Path, tmp_path: Path, server: FaultServer, building: int | None = None) -> bool:
    """All shell steps of a run of publish.yml on this machine, as their conditions have it; whether it publishes."""
    output = tmp_path / f"{machine.name}-output"
    launcher(machine / ".venv/bin/perfkb", building)
    run(step("Check out the telemetry store"), machine)
    first = "--first-run" if machine.name.endswith("-1") else ""
    run(step("Refresh"), machine, GITHUB_OUTPUT=str(output), FIRST_RUN=first, URL=server.url)
    status = output.read_text().strip().removeprefix("status=")
    run(step("Keep the telemetry store"), machine)
    built = "skipped"
    if status in ("0", "1"):
        built = "success" if shell(step("Build"), machine).returncode == 0 else "failure"
    hook = {"PERFKB_WEBHOOK": f"{server.url}/hook"}
    run(step("Tell who runs it"), machine, REFRESHED=status, BUILT=built, RUN="RUN", **hook)
    run(step("Keep what was told"), machine)
    return built == "success"


def test_a_schedule_of_throw_away_machines(tmp_path: Path) -> None:
    """Run after run on machines that are new: the store grows, nothing bad is published, each thing is told once."""
    make_small(tmp_path / "seed")
    (tmp_path / "seed/site-config/knowledge-base.yml").write_text("name: KB\nnotify: ${PERFKB_WEBHOOK}\n")
    (tmp_path / "seed/site-config/sources.yml").write_text("demo: {kind: csv, path: data, history: 2d}\n")
    series = "p95: {source: demo, kind: latency, query: a.csv, unit: s}"
    (tmp_path / "seed/stories/checkout-spins.md").write_text(
        f"---\ntitle: Slow\nstatus: reported\ntelemetry: {{{series}}}\n---\n"
    )
    (tmp_path / "seed/stories/bad.md").write_text("---\ntitle: Bad\nstatus: repotred\n---\n")
    (tmp_path / "seed/data").mkdir()
    hours = [datetime.now(UTC).replace(minute=0, second=0) - timedelta(hours=number) for number in range(30, 3, -1)]
    rows = "".join(f"{hour:%Y-%m-%dT%H:00Z},1\n" for hour in hours)
    (tmp_path / "seed/data/a.csv").write_text(f"time,value\n{rows}")
    (tmp_path / "seed/.github").mkdir()
    shutil.copy(PROJECT / ".github/keep-store.sh", tmp_path / "seed/.github")
    (tmp_path / "seed/.gitignore").write_text(".snapshots/\n.venv/\nsite/\n")
    commit(tmp_path / "seed")
    git(tmp_path, "clone", "-q", "--bare", "seed", "origin.git")

    def machine(number: int) -> Path:
        git(tmp_path, "clone", "-q", "origin.git", f"machine-{number}")
        return tmp_path / f"machine-{number}"

    with FaultServer({"/hook": Reply(b"ok")}) as server:
        # A bad story is quarantined.
        assert published(machine(1), tmp_path, server)
        # The file of the telemetry is gone: old data is published.
        (tmp_path / "seed/data/a.csv").unlink()
        commit(tmp_path / "seed")
        git(tmp_path / "seed", "push", "-q", str(tmp_path / "origin.git"), "main")
        assert published(machine(2), tmp_path, server, building=0)
        assert server.asked == []
        # A build that fails keeps the site as it was.
        assert not published(machine(3), tmp_path, server, building=1)
        git(tmp_path / "origin.git", "branch", "-D", "telemetry-store")
        assert not published(machine(4), tmp_path, server)
        # That somebody was told makes no store of it, and they are told once.
        assert not published(machine(5), tmp_path, server)
        told = [json.loads(each.body)["text"].splitlines()[1:] for each in server.asked]
    assert (tmp_path / "machine-3/.snapshots/checkout-spins/p95.csv").read_text().count("\n") == 28
    assert [[line.partition(":")[0] for line in lines] for lines in told] == [
        ["- checkout-spins/p95 failed 2 times in a row", "- The build failed, and the published site stays as it was"],
        ["- The refresh ended with 2, and nothing is published"],
    ]


def test_pull_requests_get_no_credentials() -> None:
    """The workflow that builds other people's branches can read the code and nothing else."""
    check = workflow("check.yml")
    assert check["permissions"] == {"contents": "read"}
    assert "secrets." not in (PROJECT / ".github/workflows/check.yml").read_text()
    # YAML 1.1 reads the key `on` as true.
    assert set(check[True]) == {"pull_request"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_run_nothing_that_a_stranger_wrote(name: str) -> None:
    """What GitHub fills in reaches a script through its environment alone, and no right is given by default."""
    assert not [each for each in steps(name) if "${{" in each.get("run", "")]
    assert "pull_request_target" not in (PROJECT / ".github/workflows" / name).read_text()
    assert workflow(name)["permissions"] in ({}, {"contents": "read"})


def test_who_comments_runs_nothing_of_the_pull_request() -> None:
    """The workflow that may write is started by the other one, and checks nothing out."""
    comment = workflow("comment.yml")
    assert comment[True] == {"workflow_run": {"workflows": [workflow("check.yml")["name"]], "types": ["completed"]}}
    assert comment["jobs"]["comment"]["permissions"] == {"actions": "read", "pull-requests": "write"}
    assert not [each for each in steps("comment.yml") if "uses" in each]
    assert "secrets." not in (PROJECT / ".github/workflows/comment.yml").read_text()


def test_a_pull_request_tells_what_it_changes(tmp_path: Path) -> None:
    """In the merge that is checked out, two commits deep, the step tells what the branch changes."""
    make_knowledge_base(tmp_path / "kb")
    commit(tmp_path / "kb")
    git(tmp_path / "kb", "switch", "-q", "-c", "branch")
    (tmp_path / "kb/stories/new.md").write_text("---\ntitle: New\nstatus: repotred\n---\n")
    commit(tmp_path / "kb")
    git(tmp_path / "kb", "switch", "-q", "main")
    (tmp_path / "kb/stories/of-main.md").write_text("---\ntitle: Of main\nstatus: reported\n---\n")
    commit(tmp_path / "kb")
    git(tmp_path / "kb", "merge", "-q", "--no-ff", "branch")
    depth = steps("check.yml")[0]["with"]["fetch-depth"]
    git(tmp_path, "clone", "-q", f"--depth={depth}", f"file://{tmp_path}/kb", "clone")
    launcher(tmp_path / "clone/.venv/bin/perfkb")
    run(step("Tell what changes", "check.yml"), tmp_path / "clone", GITHUB_STEP_SUMMARY=str(tmp_path / "summary"))
    told = (tmp_path / "clone/diff.md").read_text()
    assert "- `new`: added" in told
    assert "PK104" in told
    assert "of-main" not in told
    assert (tmp_path / "summary").read_text() == told


def test_a_pull_request_builds_without_anything(tmp_path: Path) -> None:
    """The build sees none of the runner's environment, and not its network where that can be taken away."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    script = '#!/bin/sh\necho "$@" >told\nenv >environ\nreadlink /proc/self/ns/net >net\n'
    (tmp_path / ".venv/bin/perfkb").write_text(script)
    (tmp_path / ".venv/bin/perfkb").chmod(0o755)
    run(step("Build", "check.yml"), tmp_path, PROM_TOKEN="s3cr3t")  # noqa: S106  # no password
    assert (tmp_path / "told").read_text() == "build\n"
    seen = {line.split("=")[0] for line in (tmp_path / "environ").read_text().splitlines()}
    assert seen <= {"PATH", "PWD", "SHLVL", "OLDPWD", "_"}
    if shell("unshare -rn true", tmp_path).returncode == 0:
        assert (tmp_path / "net").read_text().strip() != str(Path("/proc/self/ns/net").readlink())


def test_a_pull_request_does_without_a_store(tmp_path: Path) -> None:
    """What a failed checkout left is no store."""
    (tmp_path / ".snapshots/.git").mkdir(parents=True)
    run(step("Do without a store", "check.yml"), tmp_path)
    assert not (tmp_path / ".snapshots").exists()


# -- the comment

GH = """
import json, os, sys
from pathlib import Path
here = Path(__file__).parent
arguments = sys.argv[1:]
assert arguments[:2] == ["api", "--method"]
method, path, fields = arguments[2], arguments[3].removeprefix("repos/o/kb/"), arguments[4:]
if method == "GET" and path == "pulls":
    assert fields == ["-f", "state=open", "-f", "head=them:their/branch; touch x"]
    sys.stdout.write((here / "pulls").read_text())
elif path == "actions/runs/7/artifacts":
    sys.stdout.write((here / "artifacts").read_text())
elif path == "actions/artifacts/8/zip":
    sys.stdout.buffer.write((here / "zip").read_bytes())
elif method == "GET" and path == "issues/5/comments":
    page = int(dict(each.split("=") for each in fields if "=" in each)["page"])
    sys.stdout.write(json.dumps(json.loads((here / "comments").read_text())[100 * page - 100 : 100 * page]))
else:
    assert fields == ["--input", "-"]
    (here / "posted").write_text(json.dumps([method, path, json.load(sys.stdin)["body"]]))
"""
BOT = {"user": {"login": "github-actions[bot]"}, "body": "<!-- perfkb diff -->\nold", "id": 99}


@dataclass
class Commenter:
    """comment.yml's script, with a `gh` that answers from files and keeps what is posted."""

    folder: Path

    def answer(self, name: str, value: Any) -> None:
        (self.folder / name).write_text(json.dumps(value))

    def pack(self, data: bytes, mode: int = 0o644) -> None:
        """The artifact: a file `diff.md`, or what its mode says that it is."""
        info = zipfile.ZipInfo("diff.md")
        info.external_attr = mode << 16
        with zipfile.ZipFile(self.folder / "zip", "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr(info, data)

    def run(self) -> list[str] | None:
        """What was posted: the method, the path and the text."""
        (script,) = (each["run"] for each in steps("comment.yml"))
        environ = {
            "GITHUB_REPOSITORY": "o/kb", "OWNER": "them", "BRANCH": "their/branch; touch x", "COMMIT": "c0ffee",
            "RUN": "7", "RUN_URL": "https://github.example/o/kb/actions/runs/7", "GH_TOKEN": "s3cr3t",
            "PATH": f"{self.folder}:{os.environ['PATH']}",
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=self.folder, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        posted = self.folder / "posted"
        return list(json.loads(posted.read_text())) if posted.exists() else None


@pytest.fixture
def commenter(tmp_path: Path) -> Commenter:
    """An open pull request with nothing but somebody's comment, whose run told something."""
    (tmp_path / "gh.py").write_text(GH)
    (tmp_path / "gh").write_text(f'#!/bin/sh\nexec {sys.executable} {tmp_path}/gh.py "$@"\n')
    (tmp_path / "gh").chmod(0o755)
    made = Commenter(tmp_path)
    made.answer("pulls", [{"number": 4, "head": {"sha": "0ld"}}, {"number": 5, "head": {"sha": "c0ffee"}}])
    artifacts = [{"name": "preview", "id": 9, "size_in_bytes": 1}, {"name": "diff", "id": 8, "size_in_bytes": 900}]
    made.answer("artifacts", {"artifacts": artifacts})
    made.answer("comments", [{**BOT, "user": {"login": "mallory"}, "id": 1}, {**BOT, "body": "Hello", "id": 2}])
    made.pack("## What this changes\n\n- `slow-list` `p95` −44.4 %\n".encode())
    return made


def test_the_first_comment(commenter: Commenter) -> None:
    """What a run told is posted on the pull request whose last commit it ran for."""
    posted = commenter.run()
    assert posted is not None
    assert posted[:2] == ["POST", "issues/5/comments"]
    assert posted[2].startswith("<!-- perfkb diff -->\n*To copy a query, take it from the summary of [")
    assert posted[2].endswith("\n\n## What this changes\n\n- `slow-list` `p95` −44.4 %\n")


def test_the_next_comment(commenter: Commenter) -> None:
    """A later run writes into the comment that is there, however many others there are; not into anybody else's."""
    others = [{"user": {"login": "somebody"}, "body": "x", "id": number} for number in range(130)]
    commenter.answer("comments", [*others, BOT])
    posted = commenter.run()
    assert posted is not None
    assert posted[:2] == ["PATCH", "issues/comments/99"]


def test_nothing_to_comment(commenter: Commenter) -> None:
    """A run that told nothing, or too much, or whose commit is no longer the last one, is not posted."""
    for artifacts in ([], [{"name": "diff", "id": 8, "size_in_bytes": 10_000_000}]):
        commenter.answer("artifacts", {"artifacts": artifacts})
        assert commenter.run() is None
    commenter.answer("pulls", [{"number": 4, "head": {"sha": "0ld"}}])
    assert commenter.run() is None


def test_a_comment_is_harmless(commenter: Commenter) -> None:
    """Whatever the pull request's own code made of its artifact, nothing of it notifies, links, loads or runs."""
    hostile = (
        "@everyone &#64;everyone &commat;team <img src=x> </details><!-- x --> ![a](https://e.example/p.png)\n"
        "[a][b] [b]: https://e.example\n<https://e.example> https://e.example WWW.e.example a@b.example o/r#12 #3\n"
        "$(touch x) `touch x` \0 \x1b[31m\n/lgtm\n  /deploy now GH-12"
    )
    commenter.pack(hostile.encode() + b"\xff")
    posted = commenter.run()
    assert posted is not None
    text = posted[2].split("\n", 2)[2]
    assert not re.search(r"(?i)@\w|&\w|&#|<[!/\w]|\]\(|\]\[|\]:|://|www\.|#\d|GH-\d|^\s*/\w|\0", text, re.MULTILINE)
    assert text.replace("\u2060", "").strip("\n") == hostile.replace("\0", "")
    assert not (commenter.folder / "x").exists()


def test_a_comment_is_short(commenter: Commenter) -> None:
    """No artifact is too much for a comment, and none fills the memory."""
    commenter.pack(b"@" * 50_000_000)
    posted = commenter.run()
    assert posted is not None
    assert len(posted[2]) < 65_536


def test_a_comment_holds_no_file_of_the_machine(commenter: Commenter) -> None:
    """A link in the artifact is text like any other."""
    commenter.pack(b"/proc/self/environ", mode=0o120777)
    posted = commenter.run()
    assert posted is not None
    assert posted[2].endswith("\n\n/\u2060proc/self/environ")
    assert "s3cr3t" not in posted[2]


# -- before a commit


def test_the_hook_for_pre_commit(tmp_path: Path) -> None:
    """The hook that a knowledge base may name ends with 1 for a bad story, which it names, and with 0 without."""
    (hook,) = yaml.safe_load((PROJECT / ".pre-commit-hooks.yaml").read_text())
    assert hook["id"] == "perfkb-check"
    looked_at = ("stories/a.md", "site-config/sources.yml", "content/impact.md")
    assert all(re.search(hook["files"], path) for path in looked_at)
    assert not any(re.search(hook["files"], path) for path in ("README.md", "docs/stories/a.md"))
    assert not hook["pass_filenames"]
    make_knowledge_base(tmp_path / "kb")
    launcher(tmp_path / "bin" / hook["entry"])
    command = f"PATH={tmp_path}/bin:$PATH {hook['entry']} {' '.join(hook['args'])}"
    assert shell(command, tmp_path / "kb").returncode == 0
    (tmp_path / "kb/stories/bad.md").write_text("---\ntitle: Bad\nstatus: repotred\n---\n")
    done = shell(command, tmp_path / "kb")
    assert done.returncode == 1
    assert "stories/bad.md:3:1: PK104" in done.stdout


# -- without GitHub


def test_the_script_for_cron_publishes(tmp_path: Path) -> None:
    """The handbook's script refreshes and publishes, and with nothing usable leaves the site alone."""
    page = (PROJECT / "content/handbook/operation.md").read_text()
    found = re.search(r'```sh title="refresh-and-publish.sh"\n(.*?)```', page, re.DOTALL)
    assert found
    root, site = tmp_path / "kb", tmp_path / "www"
    make_small(root)
    launcher(tmp_path / "perfkb")
    environ = {"PERFKB": str(tmp_path / "perfkb"), "KB": str(root), "SITE": str(site)}
    lost = shell(found[1], tmp_path, **environ)
    assert lost.returncode == 2
    assert "the store is empty, and data is expected in it" in lost.stderr
    assert not site.exists()
    succeed("-C", root, "refresh", "--first-run")
    run(found[1], tmp_path, **environ)
    assert (site / "index.html").is_file()
    (site / "marker").touch()
    broken = root / "site-config/sources.yml"
    broken.write_text("demo: {kind: csv, path: nowhere}\n")
    for path in (root / ".snapshots").rglob("*.csv"):
        path.unlink()
    assert shell(found[1], tmp_path, **environ).returncode == 2
    assert (site / "marker").exists()
