"""The build of a pull request: from the files and the store alone, without network, credentials or environment."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from macros.scaffold import make_knowledge_base
from tests.commands import files_of, succeed
from tests.servers import require

NOW = "2026-11-01T06:00Z"
SOURCES = """
prod: {kind: prometheus, url: "https://prometheus.example", headers: {Authorization: "Bearer ${PROM_TOKEN}"}}
"""
STORY = """---
title: Asked of production
status: reported
telemetry: {requests: {source: prod, kind: gauge, query: up, unit: s}}
---

![What production says](asked-of-production/requests.svg)
"""
OFFLINE = ("unshare", "-rn")


@pytest.fixture(scope="module")
def offline() -> tuple[str, ...]:
    """What takes the network from a command.

    Some systems let nobody do so who is not root; there is no program to install against that.
    """
    require("unshare")
    if subprocess.run([*OFFLINE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets no user have a network namespace of its own")
    return OFFLINE


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A knowledge base with a store of demo telemetry, and a source whose credentials are nowhere to be found."""
    made = tmp_path_factory.mktemp("pull-request") / "kb"
    make_knowledge_base(made)
    with (made / "site-config/knowledge-base.yml").open("a") as file:
        file.write(f"now: {NOW}\n")
    succeed("-C", made, "refresh", now=1_793_512_800)
    with (made / "site-config/sources.yml").open("a") as file:
        file.write(SOURCES)
    (made / "stories/asked-of-production.md").write_text(STORY)
    return made


def bare(offline: tuple[str, ...], root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs perfkb without network, and with nothing in its environment but the place of programs."""
    return subprocess.run(
        [*offline, "env", "-i", f"PATH={os.environ['PATH']}", sys.executable, "-P", "-m", "perfkb", "-C", str(root),
         *arguments],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_there_is_no_network(offline: tuple[str, ...]) -> None:
    """The tests below would find out: a connection cannot even begin."""
    script = "import socket; socket.create_connection(('127.0.0.1', 9), timeout=5)"
    done = subprocess.run([*offline, sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "Network is unreachable" in done.stderr


@pytest.mark.parametrize("store", ["with", "without"])
def test_a_pull_request_builds(offline: tuple[str, ...], root: Path, tmp_path: Path, store: str) -> None:
    """`check` and `build` end with 0, and a second build gives the same bytes."""
    if store == "without":
        root = Path(shutil.copytree(root, tmp_path / "kb", ignore=shutil.ignore_patterns(".snapshots", "site")))
    sites = []
    for _ in range(2):
        for command in ("check", "build"):
            done = bare(offline, root, command)
            assert done.returncode == 0, done.stdout + done.stderr
        sites.append(files_of(root / "site"))
    assert sites[0] == sites[1]
    assert b"Nothing has been fetched yet" in sites[0]["stories/asked-of-production/index.html"]
    assert (b"Nothing has been fetched yet" in sites[0]["stories/checkout-spins/index.html"]) == (store == "without")
