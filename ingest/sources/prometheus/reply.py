"""The JSON that a server answers with, as the API promises it and as rows by the start of their step."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, ValidationError

from ingest.errors import FetchError
from ingest.sources.base import Window
from ingest.sources.http import Answer, Client
from ingest.sources.prometheus.native import NativeHistogram

MAX_SERIES = 500
# A label's value is text, so only a series begins like this.
SERIES = re.compile(rb'"metric"\s*:\s*\{')

Seconds = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]
Labels = frozenset[tuple[str, str]]


class _Points(BaseModel):
    """One series of an answer: its labels, and pairs of seconds and a value or native histogram."""

    metric: dict[str, str]
    values: list[tuple[Seconds, float]] = []
    histograms: list[tuple[Seconds, NativeHistogram]] = []


class _Data(BaseModel):
    result_type: Annotated[Literal["matrix"], Field(alias="resultType")]
    result: list[_Points]


class Reply(BaseModel):
    """The JSON around every answer; `isPartial` is VictoriaMetrics' word."""

    status: Literal["success"]
    data: _Data
    warnings: list[str] | None = None
    is_partial: Annotated[bool | None, Field(alias="isPartial")] = None


class _Refusal(BaseModel):
    """An error that came with the status 200."""

    status: Literal["error"]
    kind: Annotated[str, Field(alias="errorType")] = ""
    error: str = ""


@dataclass(frozen=True)
class Part:
    """One series of an answer, by the start of each step: its values, and rows of native histograms."""

    labels: Labels
    values: pd.Series
    natives: pd.DataFrame


def read_reply(client: Client, answer: Answer) -> Reply:
    """The answer's contents; raises FetchError where they are not what the API promises."""
    # A label left out of `by` can be one of every customer: those are not made into objects first.
    refuse_too_many(sum(1 for _ in SERIES.finditer(answer.body)))
    try:
        return Reply.model_validate_json(answer.body)
    except ValidationError:
        pass
    try:
        refusal = _Refusal.model_validate_json(answer.body)
    except ValidationError as error:
        raise _not_an_answer(client.place, answer, error) from None
    what = f"{client.place} answers with an error: {client.clean(refusal.error)}"
    raise FetchError(what, fault="query" if refusal.kind in ("bad_data", "execution") else "answer")


def refuse_too_many(series: int) -> None:
    """Raises FetchError where an answer has more series than any page could use."""
    if series > MAX_SERIES:
        what = f"the query answers with {series:,} series; at most {MAX_SERIES} are read"
        raise FetchError(what, fault="query")


def parts(reply: Reply, window: Window, now: datetime | None) -> list[Part]:
    """The series of an answer within `window`; a step that the server's clock has not ended is left out.

    A series that is around the window only is none.
    """
    now = now or datetime.max.replace(tzinfo=UTC)
    return [_part(points, window, now) for points in reply.data.result if _is_within(points, window)]


def _is_within(points: _Points, window: Window) -> bool:
    """Whether a series has anything in the window, or nothing anywhere."""
    times = [time for time, _ in (*points.values, *points.histograms)]
    return not times or bool(_within(_milliseconds(times), window).any())


def _part(points: _Points, window: Window, now: datetime) -> Part:
    at, kept = _starts([time for time, _ in points.values], window, now)
    values = np.array([value for _, value in points.values], dtype=np.float64)[kept]
    native_at, native_kept = _starts([time for time, _ in points.histograms], window, now)
    rows = [histogram.row() for (_, histogram), each in zip(points.histograms, native_kept, strict=True) if each]
    return Part(
        frozenset(points.metric.items()),
        pd.Series(values, index=at, dtype=np.float64),
        pd.DataFrame(rows, index=native_at, dtype=np.float64),
    )


def _starts(ends: list[float], window: Window, now: datetime) -> tuple[pd.DatetimeIndex, np.ndarray]:
    """The starts of the window's steps that are over, and which those are."""
    times = _milliseconds(ends)
    kept = _within(times, window) & (times <= now.timestamp() * 1000)
    return pd.to_datetime(times[kept] - window.step // timedelta(milliseconds=1), unit="ms", utc=True), kept


def _within(times: np.ndarray, window: Window) -> np.ndarray:
    """Which ends of steps are in the window."""
    within: np.ndarray = (times > window.start.timestamp() * 1000) & (times <= window.end.timestamp() * 1000)
    return within


def _milliseconds(seconds: list[float]) -> np.ndarray:
    return np.rint(np.array(seconds, dtype=np.float64) * 1000).astype(np.int64)


def _not_an_answer(place: str, answer: Answer, error: ValidationError) -> FetchError:
    if answer.body.lstrip()[:1] == b"<":
        return FetchError(f"{place} answers with a web page, perhaps to log in", fault="answer")
    if error.errors()[0]["type"] == "json_invalid":
        # JSON that breaks off was cut on its way, if nothing else said how long it is.
        return FetchError(f"{place} answers with incomplete JSON", retry=not answer.ended, fault="answer")
    return FetchError(f"{place} answers with something else than Prometheus' range of values", fault="answer")
