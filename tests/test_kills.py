"""Refreshes that the system ends: the store holds what was there or what came, and nothing else.

`make soak ARGS=kills` ends a thousand of them.
"""

import shutil
from collections.abc import Iterator

import pytest

from tests.commands import files_of
from tests.faults.bases import LATER, NOW, Base
from tests.faults.kills import (
    Found,
    Kill,
    NoRoom,
    at_every_moment,
    by_chance,
    ended,
    knowledge_base,
    leftovers,
    start,
    unprivileged,
    wrongs,
)


@pytest.fixture(scope="module")
def filled() -> Iterator[Base]:
    """A knowledge base of one series that has its data."""
    with knowledge_base(1) as base:
        assert ended(start(base.root, NOW)) == 0
        shutil.copytree(base.store, base.root / "before")
        yield base


@pytest.fixture
def base(filled: Base) -> Base:
    """The same, as it was."""
    shutil.rmtree(filled.store)
    shutil.copytree(filled.root / "before", filled.store)
    return filled


def test_killed_at_moments_of_writing() -> None:
    """Wherever a refresh is killed, the snapshot is the old or the new one, and the next run mends the rest."""
    found = at_every_moment(every=13)
    assert found.failures == []
    # Three files of a snapshot and the health file, each written in some fourteen moments.
    assert found.kills >= 4


def test_killed_by_chance() -> None:
    """A dozen kills at random moments cost nothing that was there."""
    found = by_chance(12, every=6)
    assert found.failures == []
    assert (found.kills, found.whole > 0) == (12, True)


def test_what_is_wrong_is_found(base: Base) -> None:
    """A snapshot that is torn, one that lacks rows, another value and a leftover are told."""
    path = base.store / "nr-1/level.csv"
    whole = path.read_bytes()
    assert (wrongs(base, 1, least=48), leftovers(base, 1)) == ([], [])
    assert wrongs(base, 1, least=49) == ["series 1: 48 rows instead of 49 or more"]
    path.write_bytes(whole[: len(whole) // 2])
    (base.store / "nr-1/.tmp-x").write_bytes(b"")
    (base.store / "health.json").write_text("{")
    assert wrongs(base, 1) == [
        "series 1: the data does not have the checksum of its manifest", "the health file is no JSON",
    ]  # fmt: skip
    assert leftovers(base, 1) == ["nr-1/.tmp-x"]
    assert "1 times" in str(Found(kills=1, failures=["x"]))


def test_a_kill_is_a_kill(base: Base) -> None:
    """The hook ends the process, and where it has nothing to end, the refresh is done."""
    assert ended(start(base.root, LATER, Kill(1))) == -9
    assert ended(start(base.root, LATER, Kill(10_000))) == 0


@pytest.mark.parametrize("size", [0, 100, 600, 1_100, 1_500, 2_000])
def test_a_full_disk(base: Base, size: int) -> None:
    """Wherever the room runs out, what was there stays whole; with room again, the next run mends the rest."""
    before = files_of(base.store / "nr-1")
    status = ended(start(base.root, LATER, NoRoom(size)))
    assert status in ((0,) if size == 2_000 and len(base.values(1)) == 51 else (1, 2))
    assert wrongs(base, 1, least=48) == []
    if len(base.values(1)) == 48 and size < len(before["level.json"]):
        assert files_of(base.store / "nr-1") == before
    assert ended(start(base.root, LATER)) == 0
    assert (len(base.values(1)), wrongs(base, 1), leftovers(base, 1)) == (51, [], [])


def test_a_read_only_folder(base: Base) -> None:
    """In a store that may not be written, a refresh changes nothing and says that it could not do its job."""
    before = files_of(base.store)
    folders = [base.store, base.store / "nr-1"]
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert ended(start(base.root, LATER, unprivileged)) == 2
        assert files_of(base.store) == before
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert ended(start(base.root, LATER)) == 0
    assert len(base.values(1)) == 51


def test_a_read_only_folder_of_a_story(base: Base) -> None:
    """A story whose folder alone may not be written keeps its data, and the health file says why."""
    folder = base.store / "nr-1"
    folder.chmod(0o555)
    before = files_of(folder)
    try:
        assert ended(start(base.root, LATER, unprivileged)) == 1
        assert files_of(folder) == before
    finally:
        folder.chmod(0o755)
    assert base.health(1).state == "kept"
    assert "cannot be written: Permission denied" in base.health(1).reason
