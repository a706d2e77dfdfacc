"""The store: exact, never half written, and honest about what it cannot trust."""

import errno
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ingest import snapshots
from ingest.snapshots import CorruptSnapshotError, Doubt, Snapshot, Store, is_of, make_snapshot, write_atomically
from tests.commands import files_of

HOUR = timedelta(hours=1)
START = datetime(2026, 9, 1, tzinfo=UTC)
HASH = "0123456789abcdef"
KILLS = 30


def frame(values: Any, columns: tuple[str, ...] = ("value",), start: datetime = START) -> pd.DataFrame:
    """Hourly rows from `start` on."""
    index = pd.date_range(start, periods=len(values), freq="h", name="time", unit="s")
    return pd.DataFrame(np.array(values, dtype=float).reshape(len(values), len(columns)), index, list(columns))


def snapshot(rows: pd.DataFrame, **about: Any) -> Snapshot:
    made = {
        "source": "prod", "query": "up", "query_hash": HASH, "kind": "gauge", "unit": "s",
        "fetched_at": START + 80 * HOUR, "partial": False, "warnings": (), **about,
    }  # fmt: skip
    return make_snapshot(rows, (START, START + 80 * HOUR), HOUR, **made)


OLD, NEW = snapshot(frame([1, 2]), query="old"), snapshot(frame([3, 4, 5]), query="new")


def found(store: Store, query_hash: str = "") -> tuple[str, list[float]] | None:
    """The query of the snapshot and its values: what a mixture of two could not keep together."""
    read = store.read("slow", "p95", query_hash)
    return (read.manifest.query, read.rows["value"].tolist()) if read else None


IS_OLD, IS_NEW = ("old", [1.0, 2.0]), ("new", [3.0, 4.0, 5.0])


def test_floats_come_back_exactly(tmp_path: Path) -> None:
    """Every finite number is read back bit for bit, whatever its size."""
    bits = np.random.default_rng(1).integers(0, 2**64, 6000, dtype=np.uint64).view(np.float64)
    usual = np.random.default_rng(2).lognormal(0, 3, 6000)
    values = np.concatenate([bits[np.isfinite(bits)], usual, [0.0, -0.0, 0.1 + 0.2, 5e-324, 1.7976931348623157e308]])
    store = Store(tmp_path)
    store.write("slow", "p95", snapshot(frame(values)))
    read = store.read("slow", "p95")
    assert read is not None
    assert read.rows["value"].to_numpy().tobytes() == values.tobytes()


def test_rows_come_back_whole(tmp_path: Path) -> None:
    """Times, columns and missing buckets of a histogram are the same after a round trip."""
    rows = frame([[np.nan, 2, 3, 0.5], [1, 2, 3, 0.25]], ("le=0.005", "le=1", "le=+Inf", "sum"))
    store = Store(tmp_path)
    store.write("slow", "p95", snapshot(rows))
    read = store.read("slow", "p95")
    assert read is not None
    pd.testing.assert_frame_equal(read.rows, rows, check_freq=False)


def test_no_rows_come_back_as_none(tmp_path: Path) -> None:
    """A snapshot without rows is a snapshot, whose data ends where its window begins."""
    store = Store(tmp_path)
    store.write("slow", "p95", snapshot(frame([])))
    read = store.read("slow", "p95")
    assert read is not None
    assert read.rows.empty
    assert read.rows.columns.tolist() == ["value"]
    assert read.manifest.data_until == START


def test_the_csv(tmp_path: Path) -> None:
    """The data is CSV that a reviewer can read: ISO times in UTC, the fewest digits that are exact."""
    Store(tmp_path).write("slow", "p95", snapshot(frame([1.5, 0.1])))
    assert (tmp_path / "slow/p95.csv").read_text() == "time,value\n2026-09-01T00:00:00Z,1.5\n2026-09-01T01:00:00Z,0.1\n"


def test_the_manifest(tmp_path: Path) -> None:
    """The manifest names the request, the window, the data's age, its gaps and its checksum, in UTC."""
    berlin = timezone(timedelta(hours=2))
    rows = frame([1, 2, 3, 4]).iloc[[0, 3]]
    about: dict[str, Any] = {"fetched_at": datetime(2026, 9, 4, 10, tzinfo=berlin), "warnings": ("one shard is down",)}
    Store(tmp_path).write("slow", "p95", snapshot(rows, partial=True, **about))
    manifest = json.loads((tmp_path / "slow/p95.json").read_bytes())
    assert len(manifest.pop("sha256")) == 64
    assert manifest == {
        "source": "prod", "query": "up", "query_hash": HASH, "kind": "gauge", "unit": "s", "step": 3600,
        "window": ["2026-09-01T00:00:00Z", "2026-09-04T08:00:00Z"], "fetched_at": "2026-09-04T08:00:00Z",
        "data_until": "2026-09-01T04:00:00Z", "rows": 2, "gaps": 2, "partial": True,
        "warnings": ["one shard is down"], "format": 1,
    }  # fmt: skip


def test_the_manifest_comes_back(tmp_path: Path) -> None:
    """What is read is what was written, and the checksum of the data."""
    store = Store(tmp_path)
    store.write("slow", "p95", NEW)
    read = store.read("slow", "p95")
    assert read is not None
    assert read.manifest == replace(NEW.manifest, sha256=read.manifest.sha256)
    assert read.manifest.sha256


def test_two_writes_are_the_same_bytes(tmp_path: Path) -> None:
    """A snapshot has one form, so that a refresh without news changes nothing."""
    for name in ("a", "b"):
        Store(tmp_path / name).write("slow", "p95", OLD)
    Store(tmp_path / "b").write("slow", "p95", OLD)
    for file in ("slow/p95.csv", "slow/p95.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_nothing_stored(tmp_path: Path) -> None:
    """A series that was never fetched has no snapshot, and asking for it makes no folder."""
    assert Store(tmp_path / "store").read("slow", "p95") is None
    assert not (tmp_path / "store").exists()


def test_removed_data_is_no_snapshot(tmp_path: Path) -> None:
    """A manifest without its data, as after the very first write was cut, is as good as nothing."""
    store = Store(tmp_path)
    store.write("slow", "p95", OLD)
    (tmp_path / "slow/p95.csv").unlink()
    assert found(store) is None


def change(**values: Any) -> Callable[[Path], None]:
    """Damage: other values in the manifest."""

    def damage(folder: Path) -> None:
        manifest = json.loads((folder / "p95.json").read_bytes())
        (folder / "p95.json").write_text(json.dumps({**manifest, **values}))

    return damage


def replace_manifest(data: bytes) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / "p95.json").write_bytes(data)

    return damage


def forge(data: bytes) -> Callable[[Path], None]:
    """Damage: other data, to which the checksum was made to fit."""

    def damage(folder: Path) -> None:
        (folder / "p95.csv").write_bytes(data)
        change(sha256=hashlib.sha256(data).hexdigest())(folder)

    return damage


def cut(folder: Path) -> None:
    data = (folder / "p95.csv").read_bytes()
    (folder / "p95.csv").write_bytes(data[:-3])


def flip(folder: Path) -> None:
    data = (folder / "p95.csv").read_bytes()
    (folder / "p95.csv").write_bytes(data[:30] + bytes([data[30] ^ 1]) + data[31:])


def empty(folder: Path) -> None:
    (folder / "p95.csv").write_bytes(b"")


def lose_manifest(folder: Path) -> None:
    (folder / "p95.json").unlink()


def lose_a_key(folder: Path) -> None:
    manifest = json.loads((folder / "p95.json").read_bytes())
    del manifest["fetched_at"]
    (folder / "p95.json").write_text(json.dumps(manifest))


def a_folder_instead(folder: Path) -> None:
    (folder / "p95.csv").unlink()
    (folder / "p95.csv").mkdir()


@pytest.mark.parametrize(
    "damage",
    [
        cut,
        flip,
        empty,
        lose_manifest,
        lose_a_key,
        a_folder_instead,
        replace_manifest(b""),
        replace_manifest(b"{"),
        replace_manifest(b"\xff\xfe"),
        replace_manifest(b"null"),
        replace_manifest(b"3"),
        replace_manifest(b"[]"),
        replace_manifest(b'"text"'),
        replace_manifest(b"[" * 200_000),
        change(format=2),
        change(surprise=1),
        change(sha256="0" * 64),
        change(before=5),
        change(fetched_at="yesterday"),
        change(fetched_at="2026-09-01T00:00:00"),
        change(window=["2026-09-01T00:00:00Z"]),
        change(warnings=None),
        change(query_hash="../../outside"),
        change(query_hash=None),
        change(rows=3),
        change(gaps=1),
        change(data_until="2027-01-01T00:00:00Z"),
        change(step=0),
        change(step="3600"),
        forge(b""),
        forge(b"no time\n1\n"),
        forge(b"time,value\n2026-09-01 00:00,1\n"),
        forge(b"time,value\n2026-09-01T00:00:00Z,fast\n"),
        forge(b"time,value\n\xff,1\n"),
    ],
)
def test_damage_is_noticed(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """Whatever happened to the files, the reader says that they are corrupt, and stops at that."""
    store = Store(tmp_path)
    store.write("slow", "p95", OLD)
    damage(tmp_path / "slow")
    with pytest.raises(CorruptSnapshotError) as caught:
        store.read("slow", "p95")
    assert str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_corrupt_snapshot_can_be_replaced(tmp_path: Path) -> None:
    """A write does not need what was there."""
    store = Store(tmp_path)
    store.write("slow", "p95", OLD)
    flip(tmp_path / "slow")
    store.write("slow", "p95", NEW)
    assert found(store) == IS_NEW


class Crash(BaseException):
    """The end of the process, as far as the code under test can tell."""


def crash_at(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, step: int) -> None:
    """Lets the `step`-th call (from 0) and all after it end in a crash."""
    real, calls = getattr(owner, name), iter(range(1000))

    def call(*arguments: Any) -> Any:
        if next(calls) >= step:
            raise Crash
        return real(*arguments)

    monkeypatch.setattr(owner, name, call)


@pytest.mark.parametrize(("step", "expected"), [(0, IS_OLD), (1, IS_OLD), (2, IS_NEW), (3, IS_NEW)])
@pytest.mark.parametrize("call", ["write_atomically", "os.replace"])
def test_a_crash_between_two_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, step: int, expected: object
) -> None:
    """A reader after a crash at any step finds the old pair until the data is in place, and then the new."""
    store = Store(tmp_path)
    store.write("slow", "p95", OLD)
    with monkeypatch.context() as patch:
        if call == "os.replace":
            crash_at(patch, os, "replace", step)
        else:
            crash_at(patch, snapshots, call, step)
        with pytest.raises(Crash) if step < 3 else nullcontext():
            store.write("slow", "p95", NEW)
    assert found(store) == expected


@pytest.mark.parametrize("first", range(3))
@pytest.mark.parametrize("second", range(3))
def test_two_crashes_in_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int, second: int) -> None:
    """A second crash on top of what the first left behind loses nothing either."""
    store = Store(tmp_path)
    store.write("slow", "p95", OLD)
    newest = snapshot(frame([6]), query="newest")
    for step, made in ((first, NEW), (second, newest)):
        with monkeypatch.context() as patch:
            crash_at(patch, snapshots, "write_atomically", step)
            with pytest.raises(Crash):
                store.write("slow", "p95", made)
    before = IS_OLD if first < 2 else IS_NEW
    assert found(store) == (before if second < 2 else ("newest", [6.0]))


@pytest.mark.parametrize(("step", "expected"), [(0, None), (1, None), (2, IS_NEW)])
def test_a_crash_in_the_first_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, expected: object
) -> None:
    """A series whose first write was cut has no snapshot, or the whole one, and can be written."""
    store = Store(tmp_path)
    with monkeypatch.context() as patch:
        crash_at(patch, snapshots, "write_atomically", step)
        with pytest.raises(Crash):
            store.write("slow", "p95", NEW)
    assert found(store) == expected
    store.write("slow", "p95", OLD)
    assert found(store) == IS_OLD


def test_the_manifest_of_a_finished_write_carries_no_other(tmp_path: Path) -> None:
    """Once the data is in place, the manifest before it is dropped."""
    store = Store(tmp_path)
    store.write("slow", "p95", OLD)
    store.write("slow", "p95", NEW)
    assert "before" not in json.loads((tmp_path / "slow/p95.json").read_bytes())


def test_a_write_between_the_reading_of_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that reads while a refresh writes sees one whole pair."""
    store, real, writes = Store(tmp_path), snapshots._read, iter([NEW, OLD, NEW])
    store.write("slow", "p95", OLD)

    def read(path: Path) -> bytes | None:
        data = real(path)
        if path.suffix == ".csv" and (made := next(writes, None)):
            with monkeypatch.context() as patch:
                patch.setattr(snapshots, "_read", real)
                store.write("slow", "p95", made)
        return data

    monkeypatch.setattr(snapshots, "_read", read)
    assert found(store) == IS_NEW


# Forks a writer, kills it after each number of seconds that it is given, and says so.
KILLED_WRITERS = """
import os, signal, sys, time
from datetime import timedelta
from pathlib import Path
from ingest.snapshots import Store
from tests.ingest.test_snapshots import numbered

store = Store(Path(sys.argv[1]))
# What is imported on first use should not take up the time that a writer has.
store.write("slow", "p95", store.read("slow", "p95"))

def write_for_ever():
    number = int(store.read("slow", "p95").manifest.query)
    while True:
        number += 1
        store.write("slow", "p95", numbered(number))

for line in sys.stdin:
    pid = os.fork()
    if not pid:
        write_for_ever()
    time.sleep(float(line))
    os.kill(pid, signal.SIGKILL)
    print(os.WTERMSIG(os.waitpid(pid, 0)[1]), flush=True)
"""


def numbered(number: int) -> Snapshot:
    """A snapshot in which everything says the same number, and no two have the same size."""
    return snapshot(frame([float(number)] * (20 + number % 50)), query=str(number), unit=f"u{number}")


def test_kill_at_any_moment(tmp_path: Path) -> None:
    """After kill -9 of a writer, a reader finds one whole snapshot, and what was left behind is swept."""
    store, chance = Store(tmp_path), random.Random(1)  # noqa: S311  # not a secret
    store.write("slow", "p95", numbered(0))
    command = [sys.executable, "-c", KILLED_WRITERS, str(tmp_path)]
    seen = [0]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(KILLS):
            process.stdin.write(f"{chance.uniform(0.005, 0.2)}\n")
            process.stdin.flush()
            assert process.stdout.readline() == f"{int(signal.SIGKILL)}\n"
            seen.append(_number(store))
        process.stdin.close()
    assert seen == sorted(seen)
    assert len(set(seen)) > KILLS / 5
    store.sweep()
    assert sorted(path.name for path in (tmp_path / "slow").iterdir()) == ["p95.csv", "p95.json"]


def _number(store: Store) -> int:
    """The number of the stored snapshot, on which all of its parts agree."""
    read = store.read("slow", "p95")
    assert read is not None
    number = int(read.manifest.query)
    assert read.manifest.unit == f"u{number}"
    assert len(read.rows) == 20 + number % 50
    assert set(read.rows["value"]) == {float(number)}
    return number


def test_sweep_leaves_everything_else(tmp_path: Path) -> None:
    """Only what an interrupted write left behind is removed, at any depth."""
    store = Store(tmp_path)
    store.write("slow", "p95", OLD)
    for path in (".tmp-a", "slow/.tmp-b", "slow/tmp-c", "slow/.other"):
        (tmp_path / path).write_bytes(b"x")
    store.sweep()
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["slow/.other", "slow/p95.csv", "slow/p95.json", "slow/tmp-c"]


def test_sweep_without_a_store(tmp_path: Path) -> None:
    """There is nothing to sweep where there is no store."""
    Store(tmp_path / "store").sweep()
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("slug", "series", "query_hash"),
    [
        ("..", "p95", ""),
        ("../out", "p95", ""),
        ("a/b", "p95", ""),
        ("/out", "p95", ""),
        ("", "p95", ""),
        ("Slow", "p95", ""),
        ("slow\n", "p95", ""),
        ("slow", "..", ""),
        ("slow", "../p95", ""),
        ("slow", "p95.json", ""),
        ("slow", "p95@0", ""),
        ("slow", "", ""),
        ("slow", "p95\n", ""),
        ("slow", "p95", "/../../out"),
        ("slow", "p95", "ABC"),
        ("slow", "p95", "abc\n"),
    ],
)
def test_names_stay_in_the_store(tmp_path: Path, slug: str, series: str, query_hash: str) -> None:
    """A name that could lead out of the store is refused before any file is touched."""
    store = Store(tmp_path / "store")
    with pytest.raises(ValueError, match="is not the name of a series"):
        store.write(slug, series, OLD, query_hash)
    with pytest.raises(ValueError, match="is not the name of a series"):
        store.read(slug, series, query_hash)
    assert list(tmp_path.iterdir()) == []


def test_data_of_an_earlier_query_stands_beside(tmp_path: Path) -> None:
    """A snapshot put aside under its query's hash and the current one do not touch each other."""
    store = Store(tmp_path)
    store.write("slow", "p95", NEW)
    store.write("slow", "p95", OLD, HASH)
    assert found(store) == IS_NEW
    assert found(store, HASH) == IS_OLD
    assert found(store, "f" * 16) is None
    assert (tmp_path / f"slow/p95@{HASH}.csv").is_file()


def test_put_aside(tmp_path: Path) -> None:
    """What cannot be read is renamed with its manifest, byte for byte, and the place is free."""
    store = Store(tmp_path)
    store.write("slow", "p95", OLD)
    flip(tmp_path / "slow")
    before = [(tmp_path / "slow" / name).read_bytes() for name in ("p95.csv", "p95.json")]
    store.put_aside("slow", "p95")
    assert [(tmp_path / "slow" / name).read_bytes() for name in ("p95.corrupt.csv", "p95.corrupt.json")] == before
    assert found(store) is None


def test_put_aside_half_a_snapshot(tmp_path: Path) -> None:
    """Data without a manifest is put aside as well."""
    store = Store(tmp_path)
    store.write("slow", "p95", OLD)
    lose_manifest(tmp_path / "slow")
    store.put_aside("slow", "p95")
    assert [path.name for path in (tmp_path / "slow").iterdir()] == ["p95.corrupt.csv"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """A write that fails leaves the old bytes, nothing half-done beside them, and says why."""

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    file = tmp_path / "file"
    file.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(OSError, match="No space left"):
            write_atomically(file, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert file.read_bytes() == b"old"


def test_files_can_be_read_by_the_web_server(tmp_path: Path) -> None:
    """Stored files are readable for others, although temporary files are made for their owner alone."""
    write_atomically(tmp_path / "file", b"x")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_the_data_is_on_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is synced before it is renamed, and its folder after, so that a power cut finds old or new."""
    order: list[str] = []

    def noted(name: str) -> Callable[..., None]:
        real = getattr(os, name)

        def call(*arguments: Any) -> None:
            order.append(name)
            real(*arguments)

        return call

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, noted(name))
    write_atomically(tmp_path / "file", b"x")
    assert order == ["fsync", "replace", "fsync"]


def test_doubt_is_kept(tmp_path: Path) -> None:
    """What is in doubt is read back; a manifest without doubt does not speak of it."""
    store, made = Store(tmp_path), numbered(3)
    store.write("slow", "p95", made)
    assert b"doubt" not in (tmp_path / "slow/p95.json").read_bytes()
    start = made.manifest.window[0]
    doubt = Doubt(start, start + timedelta(hours=2), start + timedelta(hours=3))
    store.write("slow", "p95", replace(made, manifest=replace(made.manifest, partial=True, doubt=doubt)))
    found = store.read("slow", "p95")
    assert found is not None
    assert found.manifest.doubt == doubt
    assert not doubt.is_due(start + timedelta(hours=3, minutes=59))
    assert doubt.is_due(start + timedelta(hours=4))


@pytest.mark.parametrize("doubt", ["soon", {"since": "x"}, {"since": 1}, [1], {"surprise": "2026-01-01T00:00:00Z"}])
def test_doubt_that_makes_no_sense(tmp_path: Path, doubt: object) -> None:
    """A manifest whose doubt cannot be read is corrupt, and no crash."""
    store = Store(tmp_path)
    store.write("slow", "p95", numbered(3))
    path = tmp_path / "slow/p95.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "doubt": doubt}))
    with pytest.raises(CorruptSnapshotError, match="the manifest cannot be read"):
        store.read("slow", "p95")


def test_a_snapshot_from_elsewhere(tmp_path: Path) -> None:
    """Files that are taken over are the same byte for byte, also while they are in the middle of being written."""
    first, second = Store(tmp_path / "first"), Store(tmp_path / "second")
    first.write("slow", "p95", numbered(1))
    before = (tmp_path / "first/slow/p95.csv").read_bytes()
    first.write("slow", "p95", numbered(2))
    data, raw = ((tmp_path / f"first/slow/p95.{end}").read_bytes() for end in ("csv", "json"))
    second.take_over("slow/p95", data, raw)
    assert files_of(tmp_path / "second") == files_of(tmp_path / "first")
    assert is_of(data, raw)
    assert not is_of(before, raw)
    assert not is_of(None, raw)
