"""Running the command line as its users do: another process, no shared state."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent


def perfkb(*arguments: str | Path, now: int | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    """Runs `perfkb` with the clock at `now` (seconds since 1970); never raises for its exit status."""
    kept = {key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"}
    clock = {"SOURCE_DATE_EPOCH": str(now)} if now is not None else {}
    return subprocess.run(
        [sys.executable, "-P", "-m", "perfkb", *map(str, arguments)],
        env={**kept, **clock, **environ},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def succeed(*arguments: str | Path, now: int | None = None, **environ: str) -> str:
    """What `perfkb` printed; fails the test unless its exit status is 0."""
    done = perfkb(*arguments, now=now, **environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def copy_sample(root: Path) -> None:
    """Copies what the sample is made from into a new folder, without its telemetry."""
    for name in ("content", "stories", "site-config"):
        shutil.copytree(PROJECT / name, root / name)
    shutil.copy(PROJECT / "mkdocs.yml", root)


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with its bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
