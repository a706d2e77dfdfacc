"""Real git repositories to test with, which know nothing of the machine's own configuration."""

import os
import subprocess
from pathlib import Path

GIT = {
    "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org", "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@example.org", "GIT_CONFIG_GLOBAL": "/dev/null",
}  # fmt: skip


def git(folder: Path, *arguments: str) -> str:
    """What git prints; fails where git does."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], env={**os.environ, **GIT}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit(folder: Path, message: str = "x") -> str:
    """Commits all that is in the folder, which becomes a repository where it is none; returns the commit's name."""
    if not (folder / ".git").exists():
        git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")
