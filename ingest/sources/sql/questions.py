"""From a measure to SQL, and from the answer to rows: one ibis expression for every database.

The same rows must give the same bytes on each of them, but a sum of floating-point numbers
depends on the order in which a database adds them up. So each value is split into two whole
numbers, whose sums are exact: `high` counts 2**-10, `low` the rest in 2**-72. A quantile is
one of the values (the nearest rank), because databases interpolate differently.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from ingest.errors import FetchError, did_you_mean
from ingest.sources.base import Fetched, Window, bucket_columns
from ingest.sources.sql.options import Engine, Measure
from ingest.story import Series

if TYPE_CHECKING:
    import ibis.expr.types as ir

MAX_ROWS = 1_000_000
LARGEST = 2.0**53
"""Beyond this a value has no place in `high`; its step becomes a gap."""
_HIGH, _LOW = 2**10, 2**62
_RAW = "perfkb_rows"
_COMPILING = Lock()
"""ibis loads its parts when they are first used, and two threads would meet them half loaded."""

Type = Literal["aware", "naive", "day", "double", "real", "decimal", "whole", "truth", "text"]
"""What a column holds, as far as it matters here; `aware` times have a time zone, `text` is all the rest."""
_NUMBERS = ("double", "real", "decimal", "whole", "truth")
_TIMES = ("aware", "naive", "day")


@dataclass(frozen=True)
class Question:
    """A SELECT, and what makes rows of its answer."""

    sql: str
    read: Callable[[Sequence[Sequence[Any]]], Fetched]


def probe(measure: Measure, window: Window, engine: Engine) -> str:
    """A SELECT without rows, whose columns are those that the measure has."""
    source = f"(\n{_raw(measure, window)}\n) AS {_RAW}" if measure.sql else _quoted(measure.table or "", engine)
    return f"SELECT * FROM {source} LIMIT 0"  # noqa: S608  # sources.yml may say what to ask


def count(measure: Measure, window: Window, engine: Engine) -> str:
    """A SELECT of how many rows a table has, or of the number that SQL gives; of more, enough to tell."""
    if measure.sql:
        return f"SELECT * FROM (\n{_raw(measure, window)}\n) AS {_RAW} LIMIT 2"  # noqa: S608  # sources.yml may say
    return f"SELECT count(*) FROM {_quoted(measure.table or '', engine)}"  # noqa: S608  # sources.yml may say


def question(measure: Measure, series: Series, window: Window, columns: Mapping[str, Type], engine: Engine) -> Question:
    """What to ask for the rows of `window`; raises FetchError where the columns are not what the measure says."""
    asked = _Asked(measure, series, window, columns)
    with _COMPILING:
        import ibis

        if engine == "pyspark":
            ibis.pyspark  # noqa: B018  # loads its options, which compiling needs
        expression, read = asked.steps() if measure.sql else asked.events()
        sql = str(ibis.to_sql(expression.limit(MAX_ROWS + 1), dialect=engine))
    if measure.sql:
        sql = f"WITH {_quoted(_RAW, engine)} AS (\n{_raw(measure, window)}\n)\n{sql}"
    return Question(sql, read)


def _quoted(table: str, engine: Engine) -> str:
    import sqlglot

    name, *above = reversed(table.split("."))
    database, catalog = (*above, None, None)[:2]
    dialect = "spark" if engine == "pyspark" else engine
    return sqlglot.exp.table_(name, database, catalog, quoted=True).sql(dialect=dialect)


def _raw(measure: Measure, window: Window) -> str:
    # Sessions are in UTC, so that this compares with both kinds of timestamps.
    values = {
        "start": f"TIMESTAMP '{window.start:%Y-%m-%d %H:%M:%S}'",
        "end": f"TIMESTAMP '{window.end:%Y-%m-%d %H:%M:%S}'",
        "step": str(int(window.step.total_seconds())),
    }
    text = (measure.sql or "").strip().rstrip(";")
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


class _Asked:
    """A measure as a series asks for it."""

    def __init__(self, measure: Measure, series: Series, window: Window, columns: Mapping[str, Type]) -> None:
        self.measure = measure
        self.series = series
        self.window = window
        self.columns = columns

    def events(self) -> "tuple[ir.Table, Callable[[Sequence[Sequence[Any]]], Fetched]]":
        """The steps of a table with a row an event."""
        import ibis

        table = self._rows(self._table(*reversed((self.measure.table or "").split("."))))
        names = {"v": self.measure.value, "o": self.measure.of if self.series.kind == "ratio" else None}
        numbers = {short: self._number(table, column) for short, column in names.items() if column}
        rows = table.select(step=self._step(table), **numbers)
        for short in numbers:
            # For ibis, NaN is NULL on Spark; but a comparison is NULL where its number is, and only there.
            rows = rows.mutate(**{f"{short}_fine": rows[short].abs() < LARGEST})
            # SQL's own rule: an event without a value is no event of this measure.
            rows = rows.filter(rows[f"{short}_fine"].notnull())
            rows = rows.mutate(**{short: ibis.ifelse(rows[f"{short}_fine"], rows[short], 0.0)})
        if self.series.kind == "latency":
            return self._quantile(rows), self._read_quantile
        return rows.group_by("step").aggregate(self._sums(rows, [*numbers])), self._read_sums

    def steps(self) -> "tuple[ir.Table, Callable[[Sequence[Sequence[Any]]], Fetched]]":
        """The rows of SQL that has one a step already."""
        table = self._rows(self._table(_RAW))
        if self.series.kind == "histogram":
            bounds = [name.removeprefix("le=") for name in self.columns if name.startswith("le=")]
            if not bounds:
                raise FetchError("a histogram needs columns le=..., such as le=0.5 and le=+Inf")
            named = {f"le={text}": column for text, column in bucket_columns(bounds).items()}
            if "le=+Inf" not in named.values():
                raise FetchError("the column le=+Inf is missing, the count of all values")
            named["sum"] = "sum"
        else:
            named = {self.measure.value or "value": "value"}
        at = self._at(table)
        # Positions instead of names: some databases do not tell LE from le.
        numbers = {f"v{place}": self._number(table, name) for place, name in enumerate(named)}
        second = at.truncate("s")
        rows = table.select(second=second.epoch_seconds(), whole=at == second, **numbers)
        return rows, lambda answer: self._read_steps(answer, [*named.values()])

    def _table(self, name: str, database: str | None = None, catalog: str | None = None) -> "ir.Table":
        import ibis
        import ibis.expr.datatypes as dt

        types = {
            "aware": dt.Timestamp(timezone="UTC"), "naive": dt.Timestamp(), "day": dt.date, "double": dt.float64,
            "real": dt.float32, "decimal": dt.Decimal(38, 9), "whole": dt.int64, "truth": dt.boolean, "text": dt.string,
        }  # fmt: skip
        schema = {column: types[kind] for column, kind in self.columns.items()}
        return ibis.table(schema, name=name, database=database, catalog=catalog if database else None)

    def _rows(self, table: "ir.Table") -> "ir.Table":
        """The rows of the window that the series chooses."""
        import ibis

        at = self._at(table)
        zone = UTC if at.type().timezone else None
        window = (self.window.start, self.window.end)
        start, end = (ibis.literal(each.replace(tzinfo=zone), type=at.type()) for each in window)
        chosen = [table[self._known(name)] == self._literal(name, text) for name, text in self._match()]
        return table.filter(at >= start, at < end, *chosen)

    def _match(self) -> list[tuple[str, str]]:
        return sorted((self.series.match or {}).items())

    def _literal(self, column: str, text: str) -> Any:
        """A story's text as a value of the column."""
        kind = self.columns[column]
        try:
            if kind == "whole":
                return int(text)
            if kind in ("double", "real", "decimal"):
                return float(text)
            return {"true": True, "false": False}[text] if kind == "truth" else text
        except (ValueError, KeyError):
            holds = {"whole": "whole numbers", "truth": "true or false"}.get(kind, "numbers")
            raise FetchError(f"match: {column} holds {holds}, and {text!r} is none", fault="query") from None

    def _known(self, column: str) -> str:
        if column not in self.columns:
            hint = did_you_mean(column, self.columns)
            what = self.measure.table or "the query's answer"
            raise FetchError(f"{what} has no column {column!r}{f' ({hint})' if hint else ''}")
        return column

    def _at(self, table: "ir.Table") -> Any:
        column = self._known(self.measure.time)
        if self.columns[column] not in _TIMES:
            raise FetchError(f"the column {column!r} holds no times", fault="source")
        at = table[column]
        return at.cast("timestamp") if self.columns[column] == "day" else at

    def _step(self, table: "ir.Table") -> Any:
        """The seconds at which a row's step begins."""
        second = self._at(table).truncate("s").epoch_seconds()
        return second - second % int(self.window.step.total_seconds())

    def _number(self, table: "ir.Table", column: str) -> Any:
        import ibis

        kind = self.columns[self._known(column)]
        if kind not in _NUMBERS:
            raise FetchError(f"the column {column!r} holds no numbers", fault="source")
        if kind == "truth":
            return ibis.cases((table[column], 1.0), (~table[column], 0.0))
        return table[column].cast("float64")

    def _sums(self, rows: "ir.Table", numbers: list[str]) -> dict[str, Any]:
        found: dict[str, Any] = {"n": rows.count()}
        for short in numbers:
            scaled = rows[short] * float(_HIGH)
            high = scaled.floor()
            low = ((scaled - high) * float(_LOW)).floor()
            for part, value in (("high", high), ("low", low)):
                found[f"{short}_{part}"] = value.cast("decimal(38, 0)").sum()
            found[f"{short}_odd"] = rows.count(where=~rows[f"{short}_fine"])
        if self.series.kind == "histogram":
            for place, bound in enumerate(self.measure.buckets):
                found[f"b{place}"] = rows.count(where=rows.v <= bound)
        return found

    def _quantile(self, rows: "ir.Table") -> "ir.Table":
        import ibis

        millionths = max(1, round((self.measure.quantile or 0.5) * 1_000_000))
        step = ibis.window(group_by=rows.step)
        ranked = rows.mutate(
            rank=ibis.row_number().over(ibis.window(group_by=rows.step, order_by=rows.v)),
            n=rows.count().over(step),
            odd=(~rows.v_fine).ifelse(1, 0).sum().over(step),
        )
        high = ranked.filter((ranked.rank + 1) * 1_000_000 >= ranked.n * millionths)
        return high.group_by("step").aggregate(v=high.v.min(), odd=high.odd.max())

    def _read_quantile(self, answer: Sequence[Sequence[Any]]) -> Fetched:
        found = [(int(step), [math.nan if odd else float(value)]) for step, value, odd in answer]
        return _fetched(found, ["value"])

    def _read_sums(self, answer: Sequence[Sequence[Any]]) -> Fetched:
        buckets = self.series.kind == "histogram"
        columns = (
            [*bucket_columns(map(repr, self.measure.buckets)).values(), "le=+Inf", "sum"] if buckets else ["value"]
        )
        return _fetched([(int(row[0]), self._values(row)) for row in answer], columns)

    def _values(self, row: Sequence[Any]) -> list[float]:
        """The figures of one step; each is rounded once, from exact sums."""
        n, rest = int(row[1]), list(row[2:])
        if not self.measure.value:
            total, odd = n * _HIGH * _LOW, 0
        else:
            high, low, odd, *rest = map(int, rest)
            total = high * _LOW + low
        one = _HIGH * _LOW
        if self.series.kind == "histogram":
            figures = [*map(float, rest), float(n), total / one]
        elif self.series.kind == "ratio" and self.measure.of:
            whole = rest[0] * _LOW + rest[1]
            odd += rest[2]
            figures = [total / whole if whole else math.nan]
        elif self.series.kind in ("gauge", "ratio"):
            figures = [total / (one * n)]
        else:
            seconds = int(self.window.step.total_seconds()) if self.series.kind == "rate" else 1
            figures = [total / (one * seconds)]
        return [math.nan] * len(figures) if odd else figures

    def _read_steps(self, answer: Sequence[Sequence[Any]], columns: list[str]) -> Fetched:
        for second, whole, *_ in answer:
            if not whole:
                at = datetime.fromtimestamp(int(second), UTC).isoformat()
                raise FetchError(f"the row just after {at} does not begin a step", fault="answer")
        found = [(int(row[0]), [math.nan if each is None else float(each) for each in row[2:]]) for row in answer]
        return _fetched(found, columns)


def _fetched(found: list[tuple[int, list[float]]], columns: list[str]) -> Fetched:
    """The rows of an answer, and a warning of those that hold no number."""
    if len(found) > MAX_ROWS:
        raise FetchError(f"the answer has more than {MAX_ROWS:,} rows", fault="answer")
    index = pd.to_datetime([second for second, _ in found], unit="s", utc=True)
    rows = pd.DataFrame([values for _, values in found], index=index, columns=columns, dtype="float64")
    odd = sum(any(not math.isfinite(each) for each in values) for _, values in found)
    warnings = (f"{odd:,} of {len(found):,} steps hold values that are no number: gaps",) if odd else ()
    return Fetched(rows, warnings=warnings)
