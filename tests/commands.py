"""Running the command line as its users do: another process, no shared state."""

import multiprocessing
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

PROJECT = Path(__file__).parent.parent
SECONDS = 300

# Most of a short command is the import of pandas and its like: processes fork from one that has done it.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["perfkb", "ingest.refresh", "ingest.notify", "macros.build", "macros.plugin", __name__])


def perfkb(*arguments: str | Path, now: int | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    """Runs `perfkb` with the clock at `now` (seconds since 1970); never raises for its exit status."""
    kept = {key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"}
    clock = {"SOURCE_DATE_EPOCH": str(now)} if now is not None else {}
    given, env = [*map(str, arguments)], {**kept, **clock, **environ}
    if any(name.startswith("PYTHON") for name in environ):
        # An interpreter reads these once, when it starts: it takes one of its own.
        command = [sys.executable, "-P", "-m", "perfkb", *given]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=SECONDS, check=False)
    with TemporaryDirectory() as folder:
        printed = Path(folder, "stdout"), Path(folder, "stderr")
        process = _FORKS.Process(target=_run, args=(given, env, *printed))
        process.start()
        process.join(SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(["perfkb", *given], SECONDS)
        out, err = (path.read_text() for path in printed)
        return subprocess.CompletedProcess(["perfkb", *given], process.exitcode or 0, out, err)


def _run(arguments: list[str], environ: dict[str, str], *printed: Path) -> None:
    for number, path in enumerate(printed, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["perfkb", *arguments]
    runpy.run_module("perfkb", run_name="__main__", alter_sys=True)


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
