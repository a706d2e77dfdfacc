"""Refreshes that are ended by the system, at any moment and at every step of their writing.

Each runs in a process of its own, forked from one that has loaded everything already, and is
the real command against a real server.
"""

import ctypes
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import perfkb
from ingest.snapshots import CorruptSnapshotError
from tests.faults.bases import NOW, Base, slug
from tests.faults.dialects import DIALECTS, HOUR, LAST, truth
from tests.servers import FaultServer

DIALECT = DIALECTS[0]
SERIES = 6
PATIENCE = 60.0
CRASHED = 70
CALLS = ("open", "fsync", "replace", "rename", "chmod", "mkdir", "unlink", "remove")

forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(["tests.faults.kills", "ingest.refresh", "ingest.charts", "matplotlib", "macros.pages"])


@dataclass
class Found:
    """What many killed refreshes left behind."""

    kills: int = 0
    survivors: int = 0
    """Runs that were over before they could be killed."""
    whole: int = 0
    """Runs that were let be, to see what a run after a kill does."""
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.kills:,} refreshes killed, {self.survivors:,} over too soon, {self.whole:,} let be: "
            f"{len(self.failures)} times a snapshot was corrupt, wrong or lost, or something was left behind"
        )


@dataclass(frozen=True)
class Kill:
    """Ends this process at the n-th moment before, in the middle of or after something is written."""

    at: int

    def __call__(self) -> None:
        passed = 0

        def moment() -> None:
            nonlocal passed
            passed += 1
            if passed == self.at:
                os.kill(os.getpid(), signal.SIGKILL)

        def watched(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **more: Any) -> Any:
                moment()
                made = real(*args, **more)
                moment()
                return made

            return call

        for name in CALLS:
            setattr(os, name, watched(getattr(os, name)))
        fdopen = os.fdopen

        def opened(handle: int, *args: Any, **more: Any) -> Any:
            # Nothing waits in a buffer: what was written before the kill is on the disk, and no more.
            file = fdopen(handle, *args, **{**more, "buffering": 0})
            return _Torn(file, moment) if "w" in str(args) else file

        setattr(os, "fdopen", opened)  # noqa: B010  # it has a type that no replacement has


class _Torn:
    """A file that is written in two halves."""

    def __init__(self, file: Any, moment: Callable[[], None]) -> None:
        self.file = file
        self.moment = moment

    def __enter__(self) -> "_Torn":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def write(self, data: bytes) -> None:
        self.moment()
        self.file.write(data[: len(data) // 2])
        self.moment()
        self.file.write(data[len(data) // 2 :])
        self.moment()


@dataclass(frozen=True)
class NoRoom:
    """Lets no file grow beyond so many bytes."""

    size: int

    def __call__(self) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.size))


def unprivileged() -> None:
    """Gives up what root may do: to write where nobody is allowed to."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # the third version of capabilities(7), for this process
    if ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)()):
        raise OSError("the capabilities could not be given up")


def nothing() -> None:
    """Changes nothing."""


def _command(root: str, now: int, prepare: Callable[[], None]) -> None:
    """What the forked process does."""
    # What it says is not looked at; inherited descriptors would be written to by many.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.environ["SOURCE_DATE_EPOCH"] = str(now)
    sys.argv = ["perfkb", "-C", root, "refresh"]
    try:
        prepare()
        perfkb.main()
    except Exception:
        # Else it could not be told from a run that found problems.
        os._exit(CRASHED)


def start(root: Path, now: datetime, prepare: Callable[[], None] = nothing) -> Any:
    """A refresh in a process of its own, which `prepare` is called in first."""
    process = forks.Process(target=_command, args=(str(root), int(now.timestamp()), prepare))
    process.start()
    return process


def ended(process: Any) -> int:
    """The exit status; negative where a signal ended the process."""
    process.join(PATIENCE)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise RuntimeError(f"a refresh did not end within {PATIENCE:g} s")
    status: int = process.exitcode
    process.close()
    return status


@contextmanager
def knowledge_base(series: int = SERIES) -> Iterator[Base]:
    """A knowledge base that everybody may read, and its server."""
    with tempfile.TemporaryDirectory() as folder, FaultServer(DIALECT.answer) as server:
        Path(folder).chmod(0o755)
        base = Base(Path(folder), DIALECT)
        base.source(server.url)
        base.stories(range(1, series + 1))
        yield base


def wrongs(base: Base, series: int = SERIES, least: int = 0) -> list[str]:
    """What is wrong with a store: a corrupt snapshot, one without its first `least` rows, another value, a gap."""
    found = []
    for number in range(1, series + 1):
        try:
            values = base.values(number)
        except CorruptSnapshotError as error:
            found.append(f"series {number}: {error}")
            continue
        steps = sorted(values)
        if len(steps) < least or (steps and steps != list(range(steps[0], steps[-1] + 1, HOUR))):
            found.append(f"series {number}: {len(steps)} rows instead of {least} or more")
        if any(value != truth(number, step) for step, value in values.items()):
            found.append(f"series {number}: a wrong value")
    with suppress(FileNotFoundError):
        try:
            json.loads((base.store / "health.json").read_bytes())
        except ValueError:
            found.append("the health file is no JSON")
    return found


def leftovers(base: Base, series: int = SERIES) -> list[str]:
    """What is in the store that does not belong there."""
    belongs = {f"{slug(number)}/level{suffix}" for number in range(1, series + 1) for suffix in (".csv", ".json")}
    there = {path.relative_to(base.store).as_posix() for path in base.store.rglob("*") if path.is_file()}
    return sorted(there - belongs - {"health.json", ".lock"})


def by_chance(count: int, seed: int = 1, every: int = 10) -> Found:
    """`count` refreshes are killed at random moments; every now and then one is let be and must mend everything."""
    chance, found = random.Random(seed), Found()  # noqa: S311
    with knowledge_base() as base:
        hours, least = 0, 48
        found.failures += [f"the first run ended with {status}" for status in [ended(start(base.root, NOW))] if status]
        begun = time.monotonic()
        ended(start(base.root, NOW))
        usual = time.monotonic() - begun
        while found.kills < count and not found.failures:
            # Time goes by, so that every refresh has something to write.
            hours = (hours + 1) % ((LAST - int(NOW.timestamp())) // HOUR - 24)
            if hours == 0:
                shutil.rmtree(base.store)
                least = 0
            process = start(base.root, NOW + timedelta(hours=hours))
            time.sleep(chance.uniform(0, usual))
            process.kill()
            killed = ended(process) == -signal.SIGKILL
            found.kills += killed
            found.survivors += not killed
            found.failures += wrongs(base, least=least)
            if (found.kills + found.survivors) % every == 0:
                found.whole += 1
                found.failures += _mended(base, NOW + timedelta(hours=hours))
                # None of these rows may be lost any more.
                least = min((len(base.values(number)) for number in range(1, SERIES + 1)), default=0)
    return found


def _mended(base: Base, now: datetime) -> list[str]:
    """What a run that nobody disturbs leaves to be desired."""
    status = ended(start(base.root, now))
    told = [f"the next run ended with {status}"] if status else []
    return [*told, *wrongs(base), *(f"left behind: {name}" for name in leftovers(base))]


def at_every_moment(every: int = 1) -> Found:
    """A refresh is killed at its first moment of writing, then at its second, until it ends by itself.

    With `every` only at some of them.
    """
    found = Found()
    with knowledge_base(1) as base:
        if ended(start(base.root, NOW)):
            raise RuntimeError("the first run failed")
        before = base.root / "before"
        shutil.copytree(base.store, before)
        status, moment = -signal.SIGKILL, 1 - every
        while status == -signal.SIGKILL:
            moment += every
            found.kills += 1
            shutil.rmtree(base.store)
            shutil.copytree(before, base.store)
            later = NOW + timedelta(hours=3)
            status = ended(start(base.root, later, Kill(moment)))
            told = wrongs(base, 1, least=48)
            rows = len(base.values(1)) if not told else 0
            told += [f"{rows} rows are neither the old nor the new"] * (rows not in (48, 51))
            told += _mended_one(base, later)
            found.failures += [f"killed at moment {moment}: {each}" for each in told]
        found.kills -= 1
        found.survivors = 1
        found.failures += [f"the last run ended with {status}"] if status else []
    return found


def _mended_one(base: Base, now: datetime) -> list[str]:
    status = ended(start(base.root, now))
    told = [f"the next run ended with {status}"] if status else []
    return [*told, *wrongs(base, 1, least=51), *(f"left behind: {name}" for name in leftovers(base, 1))]
