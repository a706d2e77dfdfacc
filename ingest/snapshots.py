"""The store of live telemetry: one CSV a series, and a manifest that says what it is.

A snapshot is a pair of files, and a crash may come between any two writes. So the new
manifest is written first and carries the old one (`before`); a reader believes the one
whose checksum is the CSV's. Every file is written beside its place, synced and renamed: a
reader sees the old pair or the new one, never a mixture.
"""

import hashlib
import io
import json
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from ingest.fields import NAME, SLUG

FORMAT = 1
_TEMPORARY = ".tmp-"
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class CorruptSnapshotError(Exception):
    """A snapshot's files contradict each other, or cannot be read."""


@dataclass(frozen=True)
class Manifest:
    """What a snapshot is: the request, the window it covers, and the state of its data.

    Times are UTC. `step` is in seconds, `window` the first step that was ever asked for and
    the end of the last one; `data_until`, the end of the last step that has a row, is the
    data's own age. `query_hash` changes when the story asks for something else.
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


@dataclass(frozen=True)
class Snapshot:
    """The rows of a series (see `sources.base.Fetched`), with their manifest."""

    rows: pd.DataFrame
    manifest: Manifest


def make_snapshot(rows: pd.DataFrame, window: tuple[datetime, datetime], step: timedelta, **about: Any) -> Snapshot:
    """A snapshot of `rows`; what can be counted of them is counted here."""
    seconds = int(step.total_seconds())
    until = rows.index[-1].to_pydatetime() + step if len(rows) else window[0]
    expected = int((until - window[0]).total_seconds()) // seconds
    manifest = Manifest(
        step=seconds, window=window, data_until=until, rows=len(rows), gaps=expected - len(rows), **about
    )  # fmt: skip
    return Snapshot(rows, replace(manifest, sha256=hashlib.sha256(rows_to_csv(rows)).hexdigest()))


class Store:
    """Snapshots in a folder, as `<slug>/<series>.csv` with `<series>.json` beside it.

    A snapshot whose query was changed is kept as `<series>@<hash>.csv`: metric stores forget,
    so it could not be fetched again, and a change that is taken back finds it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, slug: str, series: str, query_hash: str = "") -> Snapshot | None:
        """The snapshot (that of an earlier query, if `query_hash` is given), or None.

        Raises CorruptSnapshotError.
        """
        stem = self._stem(slug, series, query_hash)
        raw, data = _read(_with(stem, ".json")), _read(_with(stem, ".csv"))
        if raw is None and data is None:
            return None
        if raw is None:
            raise CorruptSnapshotError("the data has no manifest")
        candidates = _manifests(raw)
        if data is None:
            # The first write of all was cut between its two files, or the data was removed.
            return None
        digest = hashlib.sha256(data).hexdigest()
        for manifest in candidates:
            if manifest.sha256 == digest:
                return Snapshot(_rows_from_csv(data), manifest)
        raise CorruptSnapshotError("the data does not have the checksum of its manifest")

    def write(self, slug: str, series: str, snapshot: Snapshot, query_hash: str = "") -> None:
        """Stores a snapshot in place of the one there."""
        stem = self._stem(slug, series, query_hash)
        stem.parent.mkdir(parents=True, exist_ok=True)
        before = None
        with suppress(CorruptSnapshotError):
            before = self.read(slug, series, query_hash)
        manifest = _with(stem, ".json")
        write_atomically(manifest, _to_json(snapshot.manifest, before.manifest if before else None))
        write_atomically(_with(stem, ".csv"), rows_to_csv(snapshot.rows))
        write_atomically(manifest, _to_json(snapshot.manifest, None))

    def put_aside(self, slug: str, series: str) -> None:
        """Renames what cannot be read, so that it is kept and a fresh snapshot can be made."""
        stem = self._stem(slug, series)
        for suffix in (".csv", ".json"):
            with suppress(FileNotFoundError):
                _with(stem, suffix).replace(_with(stem, f".corrupt{suffix}"))

    def sweep(self) -> None:
        """Removes what interrupted writes left behind."""
        for path in self.root.glob(f"**/{_TEMPORARY}*"):
            path.unlink(missing_ok=True)

    def _stem(self, slug: str, series: str, query_hash: str = "") -> Path:
        # The patterns keep a name from leaving the store.
        if not SLUG.fullmatch(slug) or not NAME.fullmatch(series):
            raise ValueError(f"{slug}/{series} is not the name of a series")
        return self.root / slug / (f"{series}@{query_hash}" if query_hash else series)


def write_atomically(path: Path, data: bytes) -> None:
    """Replaces a file: a reader, or a crash at any moment, finds the old or the new bytes."""
    handle, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
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


def _rows_from_csv(data: bytes) -> pd.DataFrame:
    try:
        rows = pd.read_csv(io.BytesIO(data))
        times = pd.to_datetime(rows.pop("time"), format=_TIME, utc=True)
    except (ValueError, KeyError) as error:
        raise CorruptSnapshotError(f"the data cannot be read: {error}") from None
    rows.index = pd.DatetimeIndex(times, name="time").as_unit("s")
    return rows.astype("float64")


def _to_json(manifest: Manifest, before: Manifest | None) -> bytes:
    made = {key: _plain(value) for key, value in asdict(manifest).items()}
    if before:
        made["before"] = {key: _plain(value) for key, value in asdict(before).items()}
    return (json.dumps(made, indent=1, ensure_ascii=False) + "\n").encode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime(_TIME)
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _manifests(raw: bytes) -> list[Manifest]:
    """The manifest, and the one that it replaces while a write is under way."""
    try:
        data = json.loads(raw)
        before = data.pop("before", None)
        return [_manifest(each) for each in (data, before) if each]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CorruptSnapshotError(f"the manifest cannot be read: {error}") from None


def _manifest(data: dict[str, Any]) -> Manifest:
    if data["format"] != FORMAT:
        raise ValueError(f"format {data['format']} is not known to this version")
    times = {key: _moment(data[key]) for key in ("fetched_at", "data_until")}
    start, end = data["window"]
    warnings = tuple(data["warnings"])
    return Manifest(**{**data, **times, "window": (_moment(start), _moment(end)), "warnings": warnings})


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
