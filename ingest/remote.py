"""A store that is no folder: objects below an address, which fsspec reaches.

The folder of the knowledge base is its copy. A refresh brings the copy up to date, and what it
writes goes to the address first; everything else reads the folder, so no build needs a network.
Credentials come from the environment, as each kind of store has it.
"""

import errno
import hashlib
import json
import re
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs

from ingest.errors import BusyError, UserError
from ingest.health import HEALTH_FILE, tells_of_a_run
from ingest.snapshots import CorruptSnapshotError, Snapshot, Store, is_of, snapshot_of, write_atomically

LEASE = "lease.json"
SETTLING = 2.0
"""Seconds after which two machines that took the same lease see who has it."""
AT_ONCE = 64
DOWN = 3
"""After so many requests in a row without an answer, nothing more is asked of a store."""
TORN = 3
"""How often a snapshot is read again that somebody seems to be writing."""
EXTRAS = {"s3": "pip install 'perfkb[s3]'", "s3a": "pip install 'perfkb[s3]'"}
OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {"config_kwargs": {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 3}}}
}
_SNAPSHOT = re.compile(r"[a-z0-9-]{1,80}/[a-z][a-z0-9_]*(@[0-9a-f]+|\.corrupt)?\.(csv|json)")


class Remote:
    """The objects below an address; names are relative to it. Errors are OSErrors that say what to look at."""

    def __init__(self, url: str) -> None:
        """Asks nothing yet; raises UserError where no library knows this kind of store."""
        self.url = url
        self._unanswered = 0
        kind = url.partition("://")[0]
        options = {"skip_instance_cache": True, "use_listings_cache": False, **OPTIONS.get(kind, {})}
        try:
            self.fs, self.root = url_to_fs(url, **options)
        except ImportError as error:
            hint = EXTRAS.get(kind, str(error))
            raise UserError(url, f"a store at {kind}:// needs a library that is not installed", hint) from None
        except (ValueError, TypeError) as error:
            # Some kinds want to know more than an address can say.
            raise UserError(url, f"this is not the address of a store: {error}", "write s3://bucket/folder") from None

    def names(self) -> list[str]:
        """Every object."""
        found = self._try(lambda: self.fs.find(self.root), [])
        return sorted(str(path)[len(self.root) :].lstrip("/") for path in found)

    def get(self, names: Iterable[str]) -> dict[str, bytes]:
        """Those of the objects that are there."""
        paths = {self._path(name): name for name in names}
        if not paths:
            return {}
        found: Mapping[str, Any] = self._try(lambda: self.fs.cat([*paths], on_error="return"), {})
        for value in found.values():
            if isinstance(value, Exception) and not isinstance(value, FileNotFoundError):
                raise self._failure(value)
        return {paths[path]: value for path, value in found.items() if isinstance(value, bytes)}

    def put(self, name: str, data: bytes) -> None:
        """Replaces an object as a whole."""
        self._try(lambda: self._pipe(name, data), None)

    def create(self, name: str, data: bytes) -> bool:
        """Makes an object; False where there is one already."""
        try:
            self._pipe(name, data, mode="create")
        except FileExistsError:
            return False
        except Exception as error:
            raise self._failure(error) from None
        return True

    def remove(self, name: str) -> None:
        """Removes an object that may be there."""
        path = self._path(name)
        with suppress(FileNotFoundError):
            self._try(lambda: self.fs.rm_file(path), None)

    def sweep(self) -> None:
        """Removes what interrupted writes left behind, where objects are files."""
        if self.folder:
            Store(self.folder).sweep()

    def _path(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}"

    def _pipe(self, name: str, data: bytes, **options: str) -> None:
        path = self._path(name)
        if self.folder is None:
            self.fs.pipe_file(path, data, **options)
            return
        # An object store has no folders; asked for one, it would make a bucket.
        self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        # Nor does it keep half of an object, as a file would that is written in place.
        write_atomically(Path(path), data, new=options.get("mode") == "create")

    @property
    def folder(self) -> Path | None:
        """Where the objects are files of this machine, or of a share that it has; else None."""
        return Path(self.root) if "file" in self.fs.protocol else None

    def _try(self, work: Callable[[], Any], absent: Any) -> Any:
        if self._unanswered >= DOWN:
            raise ConnectionError(errno.EHOSTUNREACH, f"{self.url} cannot be reached")
        try:
            done = work()
            self._unanswered = 0
            return done
        except FileNotFoundError as error:
            if absent is not None:
                return absent
            raise self._failure(error) from None
        except Exception as error:
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> OSError:
        """An error whose words hold nothing but the address; those of libraries may quote requests."""
        kind = type(error).__name__
        if isinstance(error, PermissionError):
            expired = "; they have expired" if "expired" in str(error).lower() else ""
            return PermissionError(errno.EACCES, f"{self.url} does not accept our credentials{expired}")
        if kind in ("NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError"):
            return PermissionError(errno.EACCES, f"the environment has no credentials for {self.url}")
        if isinstance(error, FileNotFoundError):
            return FileNotFoundError(errno.ENOENT, f"{self.url} is not there, nor a place to make it in")
        if "Connect" in kind or "Timeout" in kind or isinstance(error, (TimeoutError, ConnectionError)):
            self._unanswered += 1
            return ConnectionError(errno.EHOSTUNREACH, f"{self.url} cannot be reached")
        return OSError(errno.EIO, f"{self.url} does not do what it is asked ({kind})")


def copy_here(remote: Remote, store: Store) -> bool:
    """Brings the folder up to date with what is elsewhere; whether a refresh ever was there.

    Files that are here alone stay, and so do those that are the same already: a snapshot is
    known by the checksum in its manifest.
    """
    names = remote.names()
    stems = _stems(names)
    for some in (stems[at : at + AT_ONCE] for at in range(0, len(stems), AT_ONCE)):
        _copy(remote, store, some)
    health = _health(remote, names)
    for name, data in health.items():
        Store(store.root).keep(name, data)
    return bool(stems) or any(map(tells_of_a_run, health.values()))


def _health(remote: Remote, names: Iterable[str]) -> dict[str, bytes]:
    return remote.get([HEALTH_FILE] if HEALTH_FILE in names else [])


def _stems(names: Iterable[str]) -> list[str]:
    """The snapshots among objects, by their names without endings."""
    return [name.removesuffix(".json") for name in names if _SNAPSHOT.fullmatch(name) and name.endswith(".json")]


def _copy(remote: Remote, store: Store, stems: list[str]) -> None:
    for _ in range(TORN):
        raws = _by_stem(remote.get(f"{stem}.json" for stem in stems))
        due = {stem: raw for stem, raw in raws.items() if not _is_here(store.root / stem, raw)}
        # A manifest without data is that of a first write that was cut off.
        rows = _by_stem(remote.get(f"{stem}.csv" for stem in due))
        torn = [stem for stem, data in rows.items() if not is_of(data, due[stem])]
        for stem in rows.keys() - torn:
            store.take_over(stem, rows[stem], due[stem])
        # A writer who came between the two files is done soon.
        stems = torn
        if not stems:
            return
    for stem in stems:
        # What is whole here is the last good data: nobody else has it any more.
        if not _is_whole(store.root / stem):
            store.take_over(stem, rows[stem], due[stem])


def _is_whole(stem: Path) -> bool:
    """Whether there is a snapshot here that can be read."""
    with suppress(OSError):
        data, raw = ((stem.parent / f"{stem.name}{suffix}").read_bytes() for suffix in (".csv", ".json"))
        return is_of(data, raw)
    return False


class Glimpse(Store):
    """The store as a refresh would find it now, to be looked at: nothing is written, neither there nor here."""

    def __init__(self, root: Path, remote: Remote, wanted: Iterable[str]) -> None:
        """Reads the `wanted` snapshots, by their files' names without endings, as far as they are not here already.

        Raises OSError.
        """
        super().__init__(root)
        names = remote.names()
        there = _stems(names)
        self.used = bool(there) or any(map(tells_of_a_run, _health(remote, names).values()))
        """Whether a refresh ever was there."""
        self._there: dict[str, Snapshot | None] = {}
        stems = sorted({*wanted} & {*there})
        for some in (stems[at : at + AT_ONCE] for at in range(0, len(stems), AT_ONCE)):
            raws = _by_stem(remote.get(f"{stem}.json" for stem in some))
            due = [stem for stem, raw in raws.items() if not _is_here(root / stem, raw)]
            for stem, data in _by_stem(remote.get(f"{stem}.csv" for stem in due)).items():
                with suppress(CorruptSnapshotError):
                    self._there[stem] = snapshot_of(data, raws[stem])

    def read(self, slug: str, series: str, query_hash: str = "") -> Snapshot | None:
        stem = self._stem(slug, series, query_hash).relative_to(self.root).as_posix()
        return self._there.get(stem) or super().read(slug, series, query_hash)


def _by_stem(found: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name.rpartition(".")[0]: data for name, data in found.items()}


def _is_here(stem: Path, raw: bytes) -> bool:
    """Whether both files are those that are elsewhere, as far as the checksum in the manifest tells."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        data = (stem.parent / f"{stem.name}.csv").read_bytes()
        same = (stem.parent / f"{stem.name}.json").read_bytes() == raw
        return same and hashlib.sha256(data).hexdigest() == json.loads(raw)["sha256"]
    return False


def copy_there(store: Store, remote: Remote) -> None:
    """Fills an empty store with the snapshots of the folder, so that moving to it loses nothing."""
    for path in sorted(store.root.glob("*/*.json")):
        stem = path.relative_to(store.root).as_posix().removesuffix(".json")
        data = path.with_name(f"{path.name.removesuffix('.json')}.csv")
        if _SNAPSHOT.fullmatch(f"{stem}.json") and data.is_file():
            remote.put(f"{stem}.csv", data.read_bytes())
            remote.put(f"{stem}.json", path.read_bytes())


@contextmanager
def lease(remote: Remote, longest: timedelta, sleep: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """One run at a time, on whatever machine, for at most `longest`; a lease that a crash left ends by itself.

    Raises BusyError while another run has it. Where a store cannot make an object only if there
    is none, two runs that begin within SETTLING seconds of each other may both be refused.
    """
    token = uuid.uuid4().hex
    until = datetime.now(UTC) + longest
    mine = json.dumps({"token": token, "machine": socket.gethostname(), "until": until.isoformat()}).encode()
    if not remote.create(LEASE, mine):
        _refuse_unless_over(remote)
        remote.put(LEASE, mine)
        # Another machine may have found the same lease over.
        sleep(SETTLING)
    if _read(remote).get("token") != token:
        raise _busy(remote)
    try:
        yield
    finally:
        # What cannot be given back is over when its time is.
        with suppress(OSError):
            if _read(remote).get("token") == token:
                remote.remove(LEASE)


def _refuse_unless_over(remote: Remote) -> None:
    with suppress(ValueError, TypeError):
        if datetime.fromisoformat(str(_read(remote).get("until"))) < datetime.now(UTC):
            return
    raise _busy(remote)


def _busy(remote: Remote) -> BusyError:
    held = _read(remote)
    hint = f"wait until it is done; it ends by itself at {held.get('until')}, or remove {remote.url}/{LEASE}"
    return BusyError(remote.url, f"another refresh is running, on {held.get('machine', 'another machine')}", hint)


def _read(remote: Remote) -> dict[str, Any]:
    try:
        found = json.loads(remote.get([LEASE]).get(LEASE, b"{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
