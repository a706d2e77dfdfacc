"""What Prometheus is asked for a series, and what it could not be asked."""

import re
from collections.abc import Iterator
from datetime import timedelta

from ingest.sources.base import Objection
from ingest.story import Series
from ingest.units import parse_duration

ADDING = ("histogram", "total")
METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
# Strings and comments come first: what looks like a range within them is none.
STRING_OR_RANGE = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|#[^\n]*|\[([^\]]*)\]""")
# What asks for buckets by `le`; a native histogram's query has neither, and brings its own sum.
CLASSIC = re.compile(r"_bucket\b|\bby\s*\([^)]*\ble\b")


def queries(series: Series, step: timedelta) -> tuple[str, ...]:
    """The PromQL of a series: one query, or of a histogram of classic buckets also that of its sum."""
    if series.kind != "histogram" or not series.metric:
        return tuple(text for text in (series.query, series.sum) if text)
    match = ",".join(f"{name}={_quoted(value)}" for name, value in sorted((series.match or {}).items()))
    which = f"{{{match}}}" if match else ""
    steps = _promql_duration(step)
    return (
        f"sum by (le) (increase({series.metric}_bucket{which}[{steps}]))",
        f"sum(increase({series.metric}_sum{which}[{steps}]))",
    )


def objections(series: Series, step: timedelta) -> Iterator[Objection]:
    """What Prometheus could not be asked, or would answer with something else than was meant."""
    yield from _wrong_keys(series)
    yield from _wrong_names(series)
    yield from _wrong_ranges(series, step)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _promql_duration(span: timedelta) -> str:
    """As Prometheus itself writes it: `1h`, `5m`, `1h30m`, `1d`."""
    left, text = span // timedelta(milliseconds=1), ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text


def _wrong_keys(series: Series) -> Iterator[Objection]:
    """Keys that are missing, or that do not go together."""
    if series.metric and series.query:
        yield Objection("metric", "`metric` and `query` cannot both be given", "keep one of them")
    if not series.metric and not series.query:
        yield Objection("query", "neither `metric` nor `query` says what to ask for", "write one of them")
    if series.metric and series.kind != "histogram":
        yield Objection("metric", f"`metric` is for a histogram, not for kind {series.kind}", "write a `query`")
    if series.match is not None and not series.metric:
        yield Objection("match", "`match` needs a `metric`", "write the labels into the query")
    if series.sum and (series.kind != "histogram" or not series.query):
        yield Objection("sum", "`sum` is for a histogram that is given as `query`", "leave it out")
    if series.kind == "histogram" and not series.sum and CLASSIC.search(series.query or ""):
        hint = "without the sum there is no mean, share or user-hours"
        yield Objection("sum", "a histogram that is given as `query` of its buckets needs `sum` as well", hint)


def _wrong_names(series: Series) -> Iterator[Objection]:
    if series.metric and not METRIC_NAME.fullmatch(series.metric):
        hint = "letters, digits, _ and :, no digit first; labels go into `match`"
        yield Objection("metric", f"{series.metric!r} is not a metric's name", hint)
    elif series.metric and series.metric.endswith("_bucket"):
        whole = series.metric.removesuffix("_bucket")
        yield Objection("metric", f"{series.metric!r} is one part of a histogram", f"write {whole}")
    for name in series.match or ():
        if not LABEL_NAME.fullmatch(name):
            yield Objection("match", f"{name!r} is not a label's name", "letters, digits and _, no digit first")
        elif name == "le":
            yield Objection("match", "`le` names the buckets, all of which are needed", "leave it out")


def _wrong_ranges(series: Series, step: timedelta) -> Iterator[Objection]:
    """Ranges other than the step: their rows would overlap, or miss something, and not add up."""
    if series.kind not in ADDING:
        return
    for key, text in (("query", series.query), ("sum", series.sum)):
        for match in STRING_OR_RANGE.finditer(text or ""):
            found = match[1]
            if found is not None and ":" not in found and _read_range(found) != step:
                what = f"the range [{found}] is not the step of {_promql_duration(step)}"
                hint = f"write [{_promql_duration(step)}]: every row holds what happened in its step"
                yield Objection(key, what, hint)


def _read_range(text: str) -> timedelta | None:
    """A range's length, also as Prometheus 3's plain seconds; None where it is something else."""
    try:
        return parse_duration(f"{text.strip()}s" if text.strip().isdecimal() else text)
    except ValueError:
        return None
