"""A store that lies elsewhere: on a real S3-compatible server, and where fsspec reaches without one."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from moto.server import ThreadedMotoServer

from ingest.errors import BusyError, UserError
from ingest.knowledge import read_knowledge_base
from ingest.refresh import refresh, wishes
from ingest.remote import LEASE, Remote, copy_here, copy_there, lease
from ingest.snapshots import CorruptSnapshotError, Snapshot, Store, make_snapshot
from tests.commands import files_of, perfkb, succeed
from tests.servers import free_port

HOUR = timedelta(hours=1)
NOW = datetime(2026, 9, 10, 12, 30, tzinfo=UTC)
KEYS = {"AWS_ACCESS_KEY_ID": "known", "AWS_SECRET_ACCESS_KEY": "s3cr3t", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of an S3-compatible server."""
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The address of an empty bucket; the environment has its credentials."""
    for key, value in {**KEYS, "AWS_ENDPOINT_URL": server}.items():
        monkeypatch.setenv(key, value)
    name = f"kb-{tmp_path.name.replace('_', '-').lower()[-40:]}"
    bucket = Remote(f"s3://{name}")
    bucket.fs.mkdir(name)
    yield f"s3://{name}/perf"
    bucket.fs.rm(name, recursive=True)


def snapshot(*values: float, start: datetime = datetime(2026, 9, 1, tzinfo=UTC)) -> Snapshot:
    index = pd.date_range(start, periods=len(values), freq=HOUR, unit="s", name="time")
    rows = pd.DataFrame({"value": [*values]}, index=index, dtype="float64")
    about: dict[str, Any] = {
        "source": "prod", "query": "up", "query_hash": "abc", "kind": "gauge", "unit": "", "fetched_at": NOW,
        "partial": False, "warnings": (),
    }  # fmt: skip
    return make_snapshot(rows, (start, start + len(values) * HOUR), HOUR, **about)


def values_of(store: Store) -> list[float]:
    found = store.read("slow", "p95")
    assert found is not None
    values: list[float] = found.rows["value"].tolist()
    return values


def written(url: str, folder: Path, *values: float) -> Store:
    """A store at `url`, of which `folder` is the copy, with one snapshot."""
    folder.mkdir(exist_ok=True)
    store = Store(folder, Remote(url))
    store.write("slow", "p95", snapshot(*values))
    return store


# Objects


@pytest.fixture(params=["s3", "folder", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An address of each kind."""
    if request.param == "s3":
        return str(request.getfixturevalue("s3"))
    return f"file://{tmp_path}/elsewhere" if request.param == "folder" else f"memory://{tmp_path.name}"


def test_objects(url: str) -> None:
    """What is put can be listed, read and removed; what is not there is no error."""
    remote = Remote(url)
    assert remote.names() == []
    remote.put("a/b.json", b"1")
    remote.put("a/b.json", b"2")
    remote.put("c", b"3")
    assert remote.names() == ["a/b.json", "c"]
    assert remote.get(["a/b.json", "c", "nowhere"]) == {"a/b.json": b"2", "c": b"3"}
    assert remote.get([]) == {}
    remote.remove("c")
    remote.remove("c")
    assert remote.names() == ["a/b.json"]


def test_creating(url: str) -> None:
    """An object is created once."""
    remote = Remote(url)
    assert remote.create("x", b"1")
    assert not remote.create("x", b"2")
    assert remote.get(["x"]) == {"x": b"1"}


# The copy


def test_another_machine(url: str, tmp_path: Path) -> None:
    """What one machine wrote is byte for byte what another one copies."""
    first = written(url, tmp_path / "first", 1, 2, 3)
    first.write("slow", "p95", snapshot(9), "0ff")
    first.keep("health.json", b"{}\n")
    (tmp_path / "second").mkdir()
    second = Store(tmp_path / "second", Remote(url))
    assert copy_here(Remote(url), second)
    assert files_of(tmp_path / "second") == files_of(tmp_path / "first")
    assert values_of(second) == [1, 2, 3]


def test_nothing_elsewhere(url: str, tmp_path: Path) -> None:
    """An empty store is told from one with data, and leaves the copy as it is."""
    store = Store(tmp_path)
    store.write("slow", "p95", snapshot(1))
    assert not copy_here(Remote(url), store)
    assert values_of(store) == [1]


def test_only_what_changed_is_copied(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data whose checksum is here already is not read again."""
    written(s3, tmp_path / "first", 1).write("slow", "p50", snapshot(5))
    other = Store(tmp_path / "second")
    copy_here(Remote(s3), other)
    written(s3, tmp_path / "first", 1, 2)
    asked: list[str] = []
    get = Remote.get

    def listening(self: Remote, names: Iterable[str]) -> dict[str, bytes]:
        wanted = [*names]
        asked.extend(wanted)
        return get(self, wanted)

    monkeypatch.setattr(Remote, "get", listening)
    copy_here(Remote(s3), other)
    assert asked == ["slow/p50.json", "slow/p95.json", "slow/p95.csv"]
    assert values_of(other) == [1, 2]


def test_a_damaged_copy_is_copied_again(s3: str, tmp_path: Path) -> None:
    """The copy is never believed: its data must have the checksum of the manifest."""
    store = written(s3, tmp_path, 1, 2)
    (tmp_path / "slow/p95.csv").write_bytes(b"time,value\n")
    copy_here(Remote(s3), Store(tmp_path))
    assert values_of(store) == [1, 2]


def test_moving_there(s3: str, tmp_path: Path) -> None:
    """A folder that becomes an object store takes all of its snapshots along."""
    store = Store(tmp_path / "here")
    store.write("slow", "p95", snapshot(1, 2))
    store.write("slow", "p95", snapshot(9), "0ff")
    (tmp_path / "here/.git").mkdir()
    (tmp_path / "here/.git/x.json").write_bytes(b"{}")
    copy_there(store, Remote(s3))
    assert Remote(s3).names() == [f"slow/p95{middle}.{end}" for middle in ("", "@0ff") for end in ("csv", "json")]


def test_names_that_lead_elsewhere(url: str, tmp_path: Path) -> None:
    """An object that is no snapshot is not copied, whatever its name leads to."""
    remote = Remote(url)
    for name in ("x.json", "Slow/p95.json", "slow/.ssh.json", "a/b/c.json", "slow/p95.txt"):
        remote.put(name, b"{}")
    assert not copy_here(remote, Store(tmp_path / "copy"))
    assert not (tmp_path / "copy").exists()


def test_what_cannot_be_read_elsewhere(s3: str, tmp_path: Path) -> None:
    """A corrupt snapshot is copied as it is; put aside, it is so elsewhere too."""
    first = written(s3, tmp_path / "first", 1, 2)
    Remote(s3).put("slow/p95.csv", b"nonsense")
    second = Store(tmp_path / "second", Remote(s3))
    copy_here(Remote(s3), second)
    with pytest.raises(CorruptSnapshotError):
        second.read("slow", "p95")
    second.put_aside("slow", "p95")
    assert Remote(s3).names() == ["slow/p95.corrupt.csv", "slow/p95.corrupt.json"]
    assert Remote(s3).get(["slow/p95.corrupt.csv"]) == {"slow/p95.corrupt.csv": b"nonsense"}
    assert values_of(first) == [1, 2]


@pytest.mark.parametrize("puts", [0, 1, 2, 3])
def test_a_write_that_breaks_off(s3: str, tmp_path: Path, puts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a machine dies between its three puts, others read the old snapshot or the new one, and never none."""
    written(s3, tmp_path / "first", 1)
    put, left = Remote.put, [puts]

    def dying(self: Remote, name: str, data: bytes) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(5, "the machine is gone")
        put(self, name, data)

    with monkeypatch.context() as patch:
        patch.setattr(Remote, "put", dying)
        if puts < 3:
            with pytest.raises(OSError, match="gone"):
                written(s3, tmp_path / "first", 1, 2)
        else:
            written(s3, tmp_path / "first", 1, 2)
    other = Store(tmp_path / "second")
    copy_here(Remote(s3), other)
    assert values_of(other) == ([1] if puts < 2 else [1, 2])
    assert values_of(Store(tmp_path / "first")) == values_of(other)


def test_a_torn_object_costs_nothing_that_is_here(s3: str, tmp_path: Path) -> None:
    """What is whole here stays where its other half was lost elsewhere, and the next write mends that."""
    store = written(s3, tmp_path / "first", 1, 2)
    whole = Remote(s3).get(["slow/p95.csv"])["slow/p95.csv"]
    Remote(s3).put("slow/p95.csv", whole[:-3])
    copy_here(Remote(s3), store)
    assert values_of(store) == [1, 2]
    store.write("slow", "p95", snapshot(1, 2, 3))
    other = Store(tmp_path / "second")
    copy_here(Remote(s3), other)
    assert values_of(other) == [1, 2, 3]


def test_a_folder_gets_whole_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder elsewhere a file is replaced, never written into; what a crash leaves is swept, and is no lease."""
    remote, folder = Remote(f"file://{tmp_path}/elsewhere"), tmp_path / "elsewhere"
    remote.put("slow/p95.csv", b"old")
    os.link(folder / "slow/p95.csv", tmp_path / "old")
    remote.put("slow/p95.csv", b"new")
    assert [path.read_bytes() for path in (tmp_path / "old", folder / "slow/p95.csv")] == [b"old", b"new"]

    def crash(_: int) -> None:
        raise OSError(5, "the machine is gone")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", crash)
        with pytest.raises(OSError, match="does not do"), lease(remote, HOUR):
            pass
    (folder / "slow/.tmp-x").write_bytes(b"ne")
    with lease(remote, HOUR):
        assert remote.names() == ["lease.json", "slow/.tmp-x", "slow/p95.csv"]
        remote.sweep()
        assert remote.names() == ["lease.json", "slow/p95.csv"]


def test_a_copy_while_somebody_writes(s3: str, tmp_path: Path) -> None:
    """A copy that is made beside a writer holds whole snapshots, each time."""
    store = written(s3, tmp_path / "first", 0)
    over = threading.Event()

    def write() -> None:
        for last in range(1, 30):
            store.write("slow", "p95", snapshot(*map(float, range(last + 1))))
        over.set()

    writer = threading.Thread(target=write)
    writer.start()
    other, seen = Store(tmp_path / "second"), 0
    while not over.is_set():
        copy_here(Remote(s3), other)
        found = values_of(other)
        assert found == list(range(len(found)))
        seen += 1
    writer.join()
    copy_here(Remote(s3), other)
    assert values_of(other) == list(range(30))
    assert seen > 2


# The lease


def test_one_run_at_a_time(url: str) -> None:
    """While a run has the lease no other gets it, on whatever machine; then it is free."""
    with (
        lease(Remote(url), HOUR),
        pytest.raises(BusyError, match="another refresh is running, on "),
        lease(Remote(url), HOUR),
    ):
        pass
    with lease(Remote(url), HOUR):
        assert Remote(url).names() == [LEASE]
    assert Remote(url).names() == []


def left_behind(url: str, until: datetime) -> None:
    """The lease of a run that was killed."""
    Remote(url).put(LEASE, json.dumps({"token": "t", "machine": "m", "until": until.isoformat()}).encode())


def test_a_lease_that_a_crash_left(url: str) -> None:
    """It ends by itself when the longest run would be over, and says until when it goes."""
    left_behind(url, datetime.now(UTC) + HOUR)
    with pytest.raises(BusyError) as caught, lease(Remote(url), HOUR):
        pass
    assert "it ends by itself at 20" in caught.value.hint
    left_behind(url, datetime.now(UTC) - timedelta(seconds=1))
    pauses: list[float] = []
    with lease(Remote(url), HOUR, pauses.append):
        assert len(pauses) == 1
    assert Remote(url).names() == []


def test_two_who_find_the_same_lease_over(url: str) -> None:
    """The one whose token is there after a moment has it; the other one is refused, and frees nothing."""
    left_behind(url, datetime.now(UTC) - HOUR)

    def overtaken(_: float) -> None:
        left_behind(url, datetime.now(UTC) + HOUR)

    with pytest.raises(BusyError), lease(Remote(url), HOUR, overtaken):
        pass
    assert Remote(url).names() == [LEASE]


def test_a_lease_without_sense(url: str) -> None:
    """What cannot be read as a lease is not taken for one that is over."""
    for damaged in (b"", b"[]", b"{}", b'{"until": 5}', b'{"until": "2026-09-10T12:30"}'):
        Remote(url).put(LEASE, damaged)
        with pytest.raises(BusyError), lease(Remote(url), HOUR):
            pass


# Mistakes


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("nosuch://x/y", "this is not the address of a store"),
        ("abfs://x/y", "a store at abfs:// needs a library that is not installed"),
        ("github://x/y", "this is not the address of a store"),
    ],
)
def test_an_unknown_kind_of_store(address: str, told: str) -> None:
    """A kind that nobody knows, or whose library is missing, is a mistake that says so."""
    with pytest.raises(UserError, match=told):
        Remote(address)


def test_a_missing_extra(tmp_path: Path) -> None:
    """Without s3fs, the error names the extra that brings it."""
    script = "import sys; sys.modules['s3fs'] = None\nfrom ingest.remote import Remote\nRemote('s3://x/y')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "s3://x/y: a store at s3:// needs a library that is not installed (pip install 'perfkb[s3]')" in done.stderr


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is not there is told as that, and after a few requests not asked any more."""
    for key, value in {**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}.items():
        monkeypatch.setenv(key, value)
    remote = Remote("s3://kb/perf")
    for _ in range(5):
        with pytest.raises(ConnectionError, match=r"s3://kb/perf cannot be reached"):
            remote.put("x", b"")


def test_no_bucket(s3: str) -> None:
    """A bucket that is not there is empty to who reads, and cannot be written to."""
    remote = Remote(f"{s3.rpartition('/')[0]}-2/perf")
    assert remote.names() == []
    with pytest.raises(FileNotFoundError, match="is not there, nor a place to make it in"):
        remote.put("x", b"")


def test_no_credentials(s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without credentials in the environment, it says so."""
    for key in KEYS:
        monkeypatch.delenv(key)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(PermissionError, match=f"the environment has no credentials for {s3}"):
        Remote(s3).names()


# The whole


def knowledge_base(root: Path, store: str) -> Path:
    """A small one on demo telemetry."""
    (root / "stories").mkdir(parents=True)
    (root / "site-config").mkdir()
    (root / "site-config/sources.yml").write_text("demo: {kind: demo, history: 4d}\n")
    (root / "site-config/knowledge-base.yml").write_text(f"store: {store}\n")
    telemetry = "telemetry: {p95: {source: demo, kind: latency, query: page, unit: s}}"
    (root / "stories/slow.md").write_text(f"---\ntitle: Slow\nstatus: reported\n{telemetry}\n---\n")
    return root


def at(moment: datetime) -> int:
    return int(moment.timestamp())


def test_throw_away_machines(s3: str, tmp_path: Path) -> None:
    """Machine after machine adds to the store: the last one has the whole history, though each fetched its part."""
    rows = []
    for number in range(3):
        root = knowledge_base(tmp_path / f"machine-{number}", s3)
        first = ("--first-run",) if number == 0 else ()
        told = succeed("-C", root, "refresh", *first, now=at(NOW + number * HOUR)).splitlines()[-1]
        rows.append(int(told.removeprefix("1 series: 1 fetched, 0 not due yet, 0 kept, 0 missing; ").split()[0]))
    assert rows[0] > 90
    assert rows[1:] == [1, 1]
    assert (root / ".snapshots/slow/p95.csv").read_bytes().count(b"\n") == 1 + sum(rows)
    remote = Remote(s3)
    assert remote.names() == ["health.json", "slow/p95.csv", "slow/p95.json"]
    copy = {name: data for name, data in files_of(root / ".snapshots").items() if name != ".lock"}
    assert remote.get(remote.names()) == copy


def test_a_store_that_lost_its_data(s3: str, tmp_path: Path) -> None:
    """An empty bucket is refused, on a machine with a copy too; --first-run moves the copy there."""
    root = knowledge_base(tmp_path / "kb", s3)
    refused = perfkb("-C", root, "refresh", now=at(NOW))
    assert refused.returncode == 2
    assert refused.stderr == (
        f"perfkb: {s3}: the store is empty, and data is expected in it: was it restored? "
        "(if this is the first run, say so: perfkb refresh --first-run)\n"
    )
    succeed("-C", root, "refresh", "--first-run", now=at(NOW))
    remote, copied = Remote(s3), (root / ".snapshots/slow/p95.csv").read_bytes()
    for name in remote.names():
        remote.remove(name)
    assert perfkb("-C", root, "refresh", now=at(NOW + HOUR)).returncode == 2
    assert remote.names() == []
    succeed("-C", root, "refresh", "--first-run", now=at(NOW + HOUR))
    moved = remote.get(["slow/p95.csv"])["slow/p95.csv"]
    assert moved.startswith(copied)
    assert moved.count(b"\n") == copied.count(b"\n") + 1


def test_only_the_copy(s3: str, tmp_path: Path) -> None:
    """`refresh --copy-store` brings the data for a build and asks no source; a store in a folder has no copy."""
    succeed("-C", knowledge_base(tmp_path / "a", s3), "refresh", "--first-run", now=at(NOW))
    other = knowledge_base(tmp_path / "b", s3)
    (other / "site-config/sources.yml").write_text("demo: {kind: csv, url: 'http://127.0.0.1:9'}\n")
    succeed("-C", other, "refresh", "--copy-store", now=at(NOW))
    assert (other / ".snapshots/slow/p95.csv").read_bytes() == (tmp_path / "a/.snapshots/slow/p95.csv").read_bytes()
    (other / "site-config/knowledge-base.yml").write_text("")
    assert "the store is a folder here already" in perfkb("-C", other, "refresh", "--copy-store").stderr


def dry(root: Path, store: str, *options: str, hours: int = 1) -> str:
    """What a dry run says; it leaves no trace, neither here nor elsewhere."""
    remote = Remote(store)
    before = files_of(root), remote.get(remote.names())
    done = perfkb("-C", root, "refresh", "--dry-run", *options, now=at(NOW + hours * HOUR))
    assert (files_of(root), remote.get(remote.names())) == before
    return done.stdout + done.stderr


@pytest.mark.parametrize("url", ["s3", "folder"], indirect=True)
def test_a_plan_from_elsewhere(url: str, tmp_path: Path) -> None:
    """A dry run plans from what the store has, on a machine without a copy, and on one whose copy is old."""
    first, other = (knowledge_base(tmp_path / name, url) for name in "ab")
    assert dry(other, url) == (
        f"perfkb: {url}: the store is empty, and data is expected in it: was it restored? "
        "(if this is the first run, say so: perfkb refresh --first-run)\n"
    )
    assert dry(other, url, "--first-run") == "slow/p95: 96 steps from 2026-09-06 13:00 UTC, of demo\n"
    succeed("-C", first, "refresh", "--first-run", now=at(NOW))
    assert dry(other, url) == "slow/p95: 1 steps from 2026-09-10 12:00 UTC, of demo\n"
    succeed("-C", other, "refresh", "--copy-store", now=at(NOW))
    succeed("-C", first, "refresh", now=at(NOW + 2 * HOUR))
    assert dry(other, url, hours=3) == "slow/p95: 1 steps from 2026-09-10 14:00 UTC, of demo\n"
    assert dry(other, url, hours=2) == "slow/p95: nothing is due, of demo\n"


def test_a_plan_of_what_is_torn(s3: str, tmp_path: Path) -> None:
    """What cannot be read elsewhere is planned as a refresh would find it: by what is whole here, or anew."""
    first, other = (knowledge_base(tmp_path / name, s3) for name in "ab")
    succeed("-C", first, "refresh", "--first-run", now=at(NOW))
    Remote(s3).put("slow/p95.csv", b"time,value\n")
    assert dry(first, s3) == "slow/p95: 1 steps from 2026-09-10 12:00 UTC, of demo\n"
    assert dry(other, s3) == "slow/p95: 96 steps from 2026-09-06 13:00 UTC, of demo\n"


def test_a_plan_without_its_store(s3: str, tmp_path: Path) -> None:
    """A store that cannot be reached is told in one line."""
    root = knowledge_base(tmp_path / "kb", s3)
    away = f"http://127.0.0.1:{free_port()}"
    done = perfkb("-C", root, "refresh", "--dry-run", now=at(NOW), AWS_ENDPOINT_URL=away)
    assert (done.returncode, done.stderr) == (2, f"perfkb: {s3}: the store cannot be read: {s3} cannot be reached\n")


def test_two_machines_at_once(s3: str, tmp_path: Path) -> None:
    """A second run ends with 75 while another machine has the lease, and says which."""
    root = knowledge_base(tmp_path / "kb", s3)
    succeed("-C", root, "refresh", "--first-run", now=at(NOW))
    with lease(Remote(s3), HOUR):
        done = perfkb("-C", root, "refresh", now=at(NOW + HOUR))
    assert done.returncode == 75
    assert f"{s3}: another refresh is running, on " in done.stderr
    assert perfkb("-C", root, "refresh", now=at(NOW + HOUR)).returncode == 0


def test_the_lease_of_a_run(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lasts for as long as the slowest source may take, whose last attempt may begin as its budget ends."""
    root, taken = knowledge_base(tmp_path / "kb", s3), []
    sources = "slow: {kind: csv, path: data, budget: 30m, timeout: 50m}\ndemo: {kind: demo, budget: 40m}\n"
    (root / "site-config/sources.yml").write_text(sources)
    (root / "stories/other.md").write_text(
        "---\ntitle: O\nstatus: reported\ntelemetry: {a: {source: slow, kind: gauge, query: a.csv}}\n---\n"
    )

    @contextmanager
    def noted(_: Remote, longest: timedelta) -> Iterator[None]:
        taken.append(longest)
        yield

    monkeypatch.setattr("ingest.refresh.lease", noted)
    base = read_knowledge_base(root, {"SOURCE_DATE_EPOCH": str(at(NOW))})
    refresh(base, wishes(base), {}, first_run=True)
    assert taken == [timedelta(minutes=90)]


def test_a_store_that_goes_down(s3: str, tmp_path: Path) -> None:
    """Without its store a refresh does nothing, says why in one line, and leaves the copy for the build."""
    root = knowledge_base(tmp_path / "kb", s3)
    succeed("-C", root, "refresh", "--first-run", now=at(NOW))
    before = files_of(root / ".snapshots")
    away = f"http://127.0.0.1:{free_port()}"
    done = perfkb("-C", root, "refresh", now=at(NOW + HOUR), AWS_ENDPOINT_URL=away)
    assert done.returncode == 2
    assert done.stderr == f"perfkb: {s3}: the store cannot be written: {s3} cannot be reached\n"
    assert files_of(root / ".snapshots") == before
    assert "fresh" in succeed("-C", root, "status", now=at(NOW + HOUR))


@pytest.mark.parametrize("address", ["s3://", "file://", "memory:///", "file://elsewhere", "local://a/b"])
def test_an_address_without_a_place(tmp_path: Path, address: str) -> None:
    """A folder that depends on where the command is called, such as the whole repository, is no store."""
    root = knowledge_base(tmp_path / "kb", address)
    done = perfkb("-C", root, "refresh", now=at(NOW))
    assert done.returncode == 2
    assert "store: the address of a store names no place (write s3://bucket/folder or " in done.stderr


def test_the_address_of_a_store(tmp_path: Path) -> None:
    """An address holds no credentials: they would stand in the repository."""
    root = knowledge_base(tmp_path, "s3://key:secret@bucket/perf")
    done = perfkb("-C", root, "check")
    assert done.returncode == 1
    assert "the address of a store holds no credentials and no query" in done.stdout
