"""CSV files, in a folder of the knowledge base or below a web address.

`time` is the start of a row's step, with its offset from UTC; beside it stands `value`, or
for a histogram `le=...` and `sum`. An empty cell is a gap.
"""

import csv
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import ClassVar
from urllib.parse import quote

import numpy as np
import pandas as pd

from ingest.errors import FetchError, UserError
from ingest.fields import Line, Strict, read_moment
from ingest.settings import SOURCES_FILE
from ingest.sources.base import Fetched, Objection, Window, bucket_columns
from ingest.sources.http import MAX_BYTES, Address, Answer, Client, HttpOptions
from ingest.story import Kind, Series

GLANCE = 20


class CsvOptions(HttpOptions):
    """The keys of a folder of CSV files: `url` or `path`."""

    url: Address | None = None
    """The address of the folder."""
    path: Line | None = None
    """The folder, relative to the knowledge base's own."""


class CsvSource:
    """A folder of CSV files; a series names its file as `query: checkout.csv`."""

    Options: ClassVar[type[Strict]] = CsvOptions

    def __init__(self, name: str, options: CsvOptions, environ: Mapping[str, str], root: Path) -> None:
        """Opens nothing; raises UserError where the options do not say where the files are."""
        where = f"{SOURCES_FILE}: {name}"
        if (options.url is None) == (options.path is None):
            raise UserError(where, "a csv source has either `url` or `path`", "keep one of them")
        if options.path and not _stays_inside(options.path):
            raise UserError(where, f"{options.path!r} is not a folder of the knowledge base", "write one such as data")
        self.name = name
        self.root = root
        self.folder = root / (options.path or "")
        self.client = Client(name, options.url, options, environ, query_faults=(404, 410)) if options.url else None

    @staticmethod
    def objections(series: Series, step: timedelta, options: Strict | None = None) -> Sequence[Objection]:
        """What is wrong with the name of the file."""
        del step, options  # the file's own times show it
        found = []
        if not series.query:
            found.append(Objection("query", "`query` must name a file", "write one such as checkout.csv"))
        elif not _stays_inside(series.query):
            hint = "write a relative path such as web/checkout.csv"
            found.append(Objection("query", f"{series.query!r} is not a file of the source's folder", hint))
        elif _is_hidden(series.query):
            found.append(Objection("query", f"{series.query!r} is a hidden file, and no telemetry", "rename it"))
        for key in ("metric", "match", "sum"):
            if getattr(series, key) is not None:
                hint = "the file has all columns"
                found.append(Objection(key, f"`{key}` means nothing to a csv source", hint))
        return found

    @staticmethod
    def query(series: Series, step: timedelta, options: Strict | None = None) -> str:
        """The file, relative to the source's folder."""
        del step, options
        return series.query or ""

    def fetch(self, series: Series, window: Window) -> Fetched:
        """The rows of `window`; raises FetchError, with the line, where the file is not right."""
        file = series.query or ""
        if not _stays_inside(file) or _is_hidden(file):
            raise FetchError(f"{file!r} is not a file of the source's folder", fault="query")
        if not self.client:
            return Fetched(_Table(file, self._read(file)).rows(series.kind, window))
        answer = _download(self.client, file)
        return Fetched(
            _over(_Table(file, answer.body, self.client.clean).rows(series.kind, window), window, answer.date)
        )

    def close(self) -> None:
        if self.client:
            self.client.close()

    def _read(self, file: str) -> bytes:
        folder, path = self.folder.resolve(), (self.folder / file).resolve()
        if not folder.is_relative_to(self.root.resolve()):
            raise FetchError(f"the folder of {self.name} lies outside of the knowledge base")
        if not path.is_relative_to(folder):
            raise FetchError(f"{file} lies outside of the folder of {self.name}", fault="query")
        # Opening a pipe would wait for ever.
        if not path.is_file():
            raise FetchError(f"{file} is not a file in the folder of {self.name}", fault="query")
        try:
            with path.open("rb") as opened:
                raw = opened.read(MAX_BYTES + 1)
        except OSError as error:
            raise FetchError(f"{file} cannot be read: {error.strerror}") from None
        if len(raw) > MAX_BYTES:
            raise FetchError(f"{file} has more than {MAX_BYTES:,} bytes", fault="answer")
        return raw


def _stays_inside(text: str) -> bool:
    """Whether a path is relative and leads down, as far as its text tells."""
    path = PurePosixPath(text)
    plain = text.isprintable() and "\\" not in text
    return plain and bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _is_hidden(text: str) -> bool:
    """Whether a file is one that its folder does not show, such as .env, which is no telemetry."""
    return any(part.startswith(".") for part in PurePosixPath(text).parts)


def _download(client: Client, file: str) -> Answer:
    answer = client.get(f"/{quote(file)}", {}, client.deadline())
    if answer.body.lstrip()[:1] == b"<":
        raise FetchError(f"{client.place} answers with a web page, perhaps to log in", fault="answer")
    if not answer.ended and not answer.body.endswith(b"\n"):
        raise FetchError(f"{client.place} broke off in the middle of {file}", retry=True)
    return answer


def _over(rows: pd.DataFrame, window: Window, now: datetime | None) -> pd.DataFrame:
    """The rows of steps that the server's clock has ended."""
    return rows if now is None else rows[rows.index <= now - window.step]


class _Table:
    """A file's contents; every error names its line, and of a cell no more than a glance, made fit by `clean`."""

    def __init__(self, file: str, raw: bytes, clean: Callable[[str], str] = str) -> None:
        self.file = file
        self.clean = clean
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise self._wrong(raw[: error.start].count(b"\n") + 1, "this is not UTF-8") from None
        self.ended = raw.endswith((b"\n", b"\r"))
        self.reader = csv.reader(io.StringIO(text, newline=""), strict=True)

    def rows(self, kind: Kind, window: Window) -> pd.DataFrame:
        """The rows of `window`, in the order of the file."""
        header = next(self._lines(), [])
        columns = self._columns(header, kind)
        if not self.ended:
            # Half of a number is a number.
            raise FetchError(
                f"{self.file}: the last line has no line break: is the file still being written? if not, give it one",
                fault="answer",
            )
        times: list[datetime] = []
        values: list[list[float]] = []
        for cells in self._lines():
            if len(cells) != len(header):
                raise self._here(f"this line has {len(cells)} cells instead of {len(header)}")
            time = self._time(cells[0])
            numbers = [self._number(cell) for cell in cells[1:]]
            if window.start <= time < window.end:
                times.append(time)
                values.append(numbers)
        index = pd.DatetimeIndex(times, tz="UTC")
        table = np.array(values, dtype=np.float64).reshape(len(times), len(columns))
        return pd.DataFrame(table, index=index, columns=columns)[_in_order(columns)]

    def _lines(self) -> Iterator[list[str]]:
        try:
            for cells in self.reader:
                if any(cell.strip() for cell in cells):
                    yield [cell.strip() for cell in cells]
        except csv.Error as error:
            raise self._here(f"this is not CSV: {error}") from None

    def _columns(self, header: list[str], kind: Kind) -> list[str]:
        """The names of the columns beside `time`, as snapshots spell them."""
        if kind != "histogram":
            if header != ["time", "value"]:
                raise self._here("the columns must be time and value")
            return ["value"]
        bounds = [name.removeprefix("le=") for name in header if name.startswith("le=")]
        if header[:1] != ["time"] or header.count("sum") != 1 or len(header) != len(bounds) + 2:
            raise self._here("the columns of a histogram must be time, le=..., and sum")
        try:
            named = bucket_columns(bounds)
        except FetchError as error:
            raise self._here(error.what) from None
        if "le=+Inf" not in named.values():
            raise self._here("the column le=+Inf is missing, the count of all values")
        return [named.get(name.removeprefix("le="), name) for name in header[1:]]

    def _time(self, cell: str) -> datetime:
        try:
            return read_moment(cell)
        except (ValueError, OverflowError) as error:
            # What is wrong stands behind the cell, which it quotes.
            why = str(error).removeprefix(repr(cell)).strip()
            raise self._here(f"{self._glance(cell)} {why}; write it as 2026-09-20T14:00Z") from None

    def _number(self, cell: str) -> float:
        if not cell:
            return math.nan
        try:
            # Python reads 1_000 as well, which elsewhere is no number.
            return float(cell.replace("_", "?"))
        except ValueError:
            raise self._here(f"{self._glance(cell)} is not a number") from None

    def _glance(self, cell: str) -> str:
        """A cell's beginning: who looks at a mistake needs no more, and it may hold anything."""
        said = self.clean(cell)
        return repr(said if len(said) <= GLANCE else f"{said[:GLANCE]}...")

    def _here(self, what: str) -> FetchError:
        return self._wrong(max(1, self.reader.line_num), what)

    def _wrong(self, line: int, what: str) -> FetchError:
        return FetchError(f"{self.file}:{line}: {what}", fault="answer")


def _in_order(columns: list[str]) -> list[str]:
    """Buckets by their bounds, the sum last."""
    bounds = [name for name in columns if name.startswith("le=")]
    return [*sorted(bounds, key=lambda name: float(name.removeprefix("le="))), *sorted({*columns} - {*bounds})]
