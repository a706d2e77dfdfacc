"""What runs on a schedule is run here: the workflows' own shell steps, and the script for cron."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from macros.scaffold import make_knowledge_base
from tests.commands import perfkb, succeed

PROJECT = Path(__file__).parent.parent
GIT = {
    "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org", "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@example.org", "GIT_CONFIG_GLOBAL": "/dev/null",
}  # fmt: skip


def workflow(name: str) -> dict[Any, Any]:
    read: dict[Any, Any] = yaml.safe_load((PROJECT / ".github/workflows" / name).read_text())
    return read


def step(name: str) -> str:
    """The shell script of a step of publish.yml."""
    found = [each["run"] for each in workflow("publish.yml")["jobs"]["build"]["steps"] if each.get("name") == name]
    assert len(found) == 1
    return str(found[0])


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
    (tmp_path / "seed").mkdir()
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


@pytest.mark.parametrize("status", [0, 1, 2, 75])
def test_the_refresh_step_hands_its_status_on(status: int, tmp_path: Path) -> None:
    """The step itself never fails: the store must be kept whatever became of the refresh."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/perfkb").write_text(f"#!/bin/sh\nexit {status}\n")
    (tmp_path / ".venv/bin/perfkb").chmod(0o755)
    run(step("Refresh"), tmp_path, GITHUB_OUTPUT=str(tmp_path / "output"))
    assert (tmp_path / "output").read_text() == f"status={status}\n"


def test_pull_requests_get_no_credentials() -> None:
    """The workflow that builds other people's branches can read the code and nothing else."""
    check = workflow("check.yml")
    assert check["permissions"] == {"contents": "read"}
    assert "secrets." not in (PROJECT / ".github/workflows/check.yml").read_text()
    # YAML 1.1 reads the key `on` as true.
    assert set(check[True]) == {"pull_request"}


def test_the_script_for_cron_publishes(tmp_path: Path) -> None:
    """The handbook's script refreshes and publishes, and with nothing usable leaves the site alone."""
    page = (PROJECT / "content/handbook/operation.md").read_text()
    found = re.search(r'```sh title="refresh-and-publish.sh"\n(.*?)```', page, re.DOTALL)
    assert found
    root, site = tmp_path / "kb", tmp_path / "www"
    make_knowledge_base(root)
    launcher = tmp_path / "perfkb"
    launcher.write_text(f'#!/bin/sh\nexec {sys.executable} -m perfkb "$@"\n')
    launcher.chmod(0o755)
    environ = {"PERFKB": str(launcher), "KB": str(root), "SITE": str(site)}
    run(found[1], tmp_path, **environ)
    assert (site / "index.html").is_file()
    (site / "marker").touch()
    broken = root / "site-config/sources.yml"
    broken.write_text("demo: {kind: csv, path: nowhere}\n")
    for path in (root / ".snapshots").rglob("*.csv"):
        path.unlink()
    assert perfkb("-C", root, "refresh").returncode == 2
    assert shell(found[1], tmp_path, **environ).returncode == 2
    assert (site / "marker").exists()
    succeed("-C", root, "status")
