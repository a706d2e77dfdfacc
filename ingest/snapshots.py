"""The store of live telemetry: one CSV a series, and a manifest that says what it is.

A snapshot is a pair of files, and a crash may come between any two writes. So the new
manifest is written first and carries the old one (`before`); a reader believes the one
whose checksum is the CSV's. Every file is written beside its place, synced and renamed: a
reader sees the old pair or the new one, never a mixture. Where the store is no folder but
lies elsewhere (`ingest.remote`), the folder is its copy: every write goes there first, in the
same order, because there too an object is replaced as a whole.
"""

import hashlib
import io
import json
import os
import re
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from ingest.fields import NAME, SLUG

FORMAT = 1
_TEMPORARY = ".tmp-"
_HASH = re.compile("[0-9a-f]*")
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class CorruptSnapshotError(Exception):
    """A snapshot's files contradict each other, or cannot be read."""


@dataclass(frozen=True)
class Doubt:
    """Answers that the source called partial: since which step, when that was first said, and when last asked again.

    Asking again may mend it, or the source may always say so: so the pause before the next time
    is as long as the doubt is old.
    """

    since: datetime
    seen: datetime
    asked: datetime

    def is_due(self, now: datetime) -> bool:
        """Whether all that is in doubt should be asked for once more."""
        return now - self.asked >= self.asked - self.seen


@dataclass(frozen=True)
class Manifest:
    """What a snapshot is: the request, the window it covers, and the state of its data.

    Times are UTC. `step` is in seconds, `window` the first step that was ever asked for and
    the end of the last one; `data_until`, the end of the last step that has a row, is the
    data's own age. `query_hash` changes when the story asks for something else. `sha256`, that
    of the CSV, is known once that is written.
    """

    source: str
    query: str
    query_hash: str
    kind: str
    unit: str
    step: int
    window: tuple[datetime, datetime]
    fetched_at: datetime
    data_until: datetime
    rows: int
    gaps: int
    partial: bool
    warnings: tuple[str, ...]
    sha256: str = ""
    format: int = FORMAT
    doubt: Doubt | None = None


@dataclass(frozen=True)
class Snapshot:
    """The rows of a series (see `sources.base.Fetched`), with their manifest."""

    rows: pd.DataFrame
    manifest: Manifest


def make_snapshot(rows: pd.DataFrame, window: tuple[datetime, datetime], step: timedelta, **about: Any) -> Snapshot:
    """A snapshot of `rows`; what can be counted of them is counted here."""
    counts = _counts(rows, window[0], step)
    manifest = Manifest(step=int(step.total_seconds()), window=window, **counts, **about)
    return Snapshot(rows, manifest)


def _counts(rows: pd.DataFrame, start: datetime, step: timedelta) -> dict[str, Any]:
    """Where the rows end, how many there are, and how many are missing since the first of them."""
    if rows.empty:
        return {"data_until": start, "rows": 0, "gaps": 0}
    # A series that was born after the window began has no gap before it.
    first, until = rows.index[0].to_pydatetime(), rows.index[-1].to_pydatetime() + step
    return {"data_until": until, "rows": len(rows), "gaps": (until - first) // step - len(rows)}


class Elsewhere(Protocol):
    """Where the store really is, if its folder is a copy; names are relative, with slashes."""

    def put(self, name: str, data: bytes) -> None:
        """Replaces a file as a whole; raises OSError."""

    def remove(self, name: str) -> None:
        """Removes a file that may be there; raises OSError."""


class Store:
    """Snapshots in a folder, as `<slug>/<series>.csv` with `<series>.json` beside it.

    A snapshot whose query was changed is kept as `<series>@<hash>.csv`: metric stores forget,
    so it could not be fetched again, and a change that is taken back finds it.
    """

    def __init__(self, root: Path, elsewhere: Elsewhere | None = None) -> None:
        self.root = root
        self.elsewhere = elsewhere

    def read(self, slug: str, series: str, query_hash: str = "") -> Snapshot | None:
        """The snapshot (that of an earlier query, if `query_hash` is given), or None.

        Raises CorruptSnapshotError.
        """
        stem = self._stem(slug, series, query_hash)
        files = _pair(stem)
        while True:
            try:
                return snapshot_of(*files)
            except CorruptSnapshotError:
                # A refresh may have come between the two files; what stays as it is, is corrupt.
                before, files = files, _pair(stem)
                if files == before:
                    raise

    def write(self, slug: str, series: str, snapshot: Snapshot, query_hash: str = "") -> None:
        """Stores a snapshot in place of the one there."""
        stem = self._stem(slug, series, query_hash)
        stem.parent.mkdir(parents=True, exist_ok=True)
        data = rows_to_csv(snapshot.rows)
        manifest = replace(snapshot.manifest, sha256=hashlib.sha256(data).hexdigest())
        self._write(_with(stem, ".json"), _to_json(manifest, _standing(stem)))
        self._write(_with(stem, ".csv"), data)
        self._write(_with(stem, ".json"), _to_json(manifest, None))

    def take_over(self, name: str, data: bytes, raw: bytes) -> None:
        """Puts a snapshot's files, as they lie elsewhere, into the folder; `name` is without their endings."""
        stem = self.root / name
        stem.parent.mkdir(parents=True, exist_ok=True)
        # What does not fit together is copied as it is: the next reader says so.
        with suppress(CorruptSnapshotError):
            made = _manifest_of(data, raw)
            if made:
                write_atomically(_with(stem, ".json"), _to_json(made, _standing(stem)))
        write_atomically(_with(stem, ".csv"), data)
        write_atomically(_with(stem, ".json"), raw)

    def keep(self, name: str, data: bytes) -> None:
        """Replaces a file that is about the whole store."""
        self._write(self.root / name, data)

    def put_aside(self, slug: str, series: str) -> None:
        """Renames what cannot be read, so that it is kept and a fresh snapshot can be made."""
        stem = self._stem(slug, series)
        for suffix in (".csv", ".json"):
            source, target = _with(stem, suffix), _with(stem, f".corrupt{suffix}")
            with suppress(FileNotFoundError):
                if self.elsewhere:
                    self.elsewhere.put(self._name(target), source.read_bytes())
                    self.elsewhere.remove(self._name(source))
                source.replace(target)

    def sweep(self) -> None:
        """Removes what interrupted writes left behind."""
        for path in self.root.glob(f"**/{_TEMPORARY}*"):
            path.unlink(missing_ok=True)

    def _write(self, path: Path, data: bytes) -> None:
        # Elsewhere first: the copy must never know more than what it is a copy of.
        if self.elsewhere:
            self.elsewhere.put(self._name(path), data)
        write_atomically(path, data)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _stem(self, slug: str, series: str, query_hash: str = "") -> Path:
        # The patterns keep a name from leaving the store.
        if not (SLUG.fullmatch(slug) and NAME.fullmatch(series) and _HASH.fullmatch(query_hash)):
            raise ValueError(f"{slug}/{series} is not the name of a series")
        return self.root / slug / (f"{series}@{query_hash}" if query_hash else series)


def write_atomically(path: Path, data: bytes, *, new: bool = False) -> None:
    """Replaces a file: a reader, or a crash at any moment, finds the old or the new bytes.

    A `new` one must not be there yet: FileExistsError.
    """
    handle, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        if new:
            os.link(temporary, path)
            Path(temporary).unlink()
        else:
            Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rows_to_csv(rows: pd.DataFrame) -> bytes:
    """Rows as CSV: `time` in ISO 8601, numbers with the fewest digits that read back exactly."""
    return rows.to_csv(date_format=_TIME, index_label="time", lineterminator="\n").encode()


def _pair(stem: Path) -> tuple[bytes | None, bytes | None]:
    """The data and the manifest, in the order in which a writer is least likely to come between them."""
    return _read(_with(stem, ".csv")), _read(_with(stem, ".json"))


def _manifest_of(data: bytes | None, raw: bytes | None) -> Manifest | None:
    """The manifest that describes `data`; None where there is no snapshot."""
    if raw is None:
        if data is not None:
            raise CorruptSnapshotError("the data has no manifest")
        return None
    candidates = _manifests(raw)
    if data is None:
        # The first write of all was cut between its two files, or the data was removed.
        return None
    digest = hashlib.sha256(data).hexdigest()
    for manifest in candidates:
        if manifest.sha256 == digest:
            return manifest
    raise CorruptSnapshotError("the data does not have the checksum of its manifest")


def _standing(stem: Path) -> Manifest | None:
    """The manifest of what is there; None where there is nothing, or nothing that can be read."""
    with suppress(CorruptSnapshotError):
        return _manifest_of(*_pair(stem))
    return None


def is_of(data: bytes | None, raw: bytes) -> bool:
    """Whether a manifest describes this data."""
    try:
        return data is not None and _manifest_of(data, raw) is not None
    except CorruptSnapshotError:
        return False


def snapshot_of(data: bytes | None, raw: bytes | None) -> Snapshot | None:
    """The snapshot that two files are; None where one of them is not there. Raises CorruptSnapshotError."""
    manifest = _manifest_of(data, raw)
    if manifest is None or data is None:
        return None
    try:
        rows = _rows_from_csv(data)
        counts = _counts(rows, manifest.window[0], timedelta(seconds=manifest.step))
    except (ValueError, KeyError, TypeError, ArithmeticError):
        raise CorruptSnapshotError("the data cannot be read as rows of a series") from None
    if any(getattr(manifest, key) != value for key, value in counts.items()):
        raise CorruptSnapshotError("the data is not what its manifest says")
    return Snapshot(rows, manifest)


def _rows_from_csv(data: bytes) -> pd.DataFrame:
    rows = pd.read_csv(io.BytesIO(data))
    # pandas reads %z ten times as fast as the letter Z.
    times = pd.to_datetime(rows.pop("time"), format="%Y-%m-%dT%H:%M:%S%z", utc=True)
    rows.index = pd.DatetimeIndex(times, name="time").as_unit("s")
    return rows.astype("float64")


def _to_json(manifest: Manifest, before: Manifest | None) -> bytes:
    made = _entries(manifest)
    if before:
        made["before"] = _entries(before)
    return (json.dumps(made, indent=1, ensure_ascii=False) + "\n").encode()


def _entries(manifest: Manifest) -> dict[str, Any]:
    return {key: _plain(value) for key, value in asdict(manifest).items() if key != "doubt" or value}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime(_TIME)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _manifests(raw: bytes) -> list[Manifest]:
    """The manifest, and the one that it replaces while a write is under way."""
    try:
        data = json.loads(raw)
        before = data.pop("before", None)
        return [_manifest(each) for each in (data, before) if each]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CorruptSnapshotError(f"the manifest cannot be read: {error}") from None


def _manifest(data: dict[str, Any]) -> Manifest:
    if data["format"] != FORMAT:
        raise ValueError(f"format {data['format']} is not known to this version")
    if not _HASH.fullmatch(data["query_hash"]):
        raise ValueError("its query_hash is none")
    times = {key: _moment(data[key]) for key in ("fetched_at", "data_until")}
    start, end = data["window"]
    made = {"window": (_moment(start), _moment(end)), "warnings": tuple(data["warnings"])}
    doubt = data.get("doubt")
    doubted = Doubt(**{key: _moment(value) for key, value in doubt.items()}) if doubt else None
    return Manifest(**{**data, **times, **made, "doubt": doubted})


def _moment(text: str) -> datetime:
    return datetime.strptime(text, _TIME).replace(tzinfo=UTC)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CorruptSnapshotError(f"{path.name} cannot be read: {error.strerror}") from None


def _with(stem: Path, suffix: str) -> Path:
    return stem.parent / (stem.name + suffix)
