"""Where telemetry comes from: one module a kind, one line in this table."""

from collections.abc import Sequence

from ingest.settings import SourceConfig
from ingest.sources.base import Counting, Fetched, Objection, Source, Window, expand, tidy
from ingest.sources.csv import CsvSource
from ingest.sources.demo import DemoSource
from ingest.sources.http_json import HttpJsonSource
from ingest.sources.prometheus import PrometheusSource
from ingest.sources.sql import SqlSource
from ingest.story import Series

SOURCES: dict[str, type[Source]] = {
    "csv": CsvSource,
    "demo": DemoSource,
    "http-json": HttpJsonSource,
    "prometheus": PrometheusSource,
    "sql": SqlSource,
}

__all__ = [
    "SOURCES", "Counting", "Fetched", "Objection", "Source", "Window", "expand", "objections_to", "tidy", "words_for",
]  # fmt: skip


def objections_to(series: Series, config: SourceConfig) -> Sequence[Objection]:
    """What is wrong with asking `config`, which is of a known kind, for `series`."""
    kind = SOURCES[config.kind]
    options = config.own(kind.Options)
    if not config.counts:
        return kind.objections(series, config.step, options)
    if not issubclass(kind, Counting):
        able = ", ".join(name for name, each in SOURCES.items() if issubclass(each, Counting))
        return [Objection("source", f"a source of kind {config.kind} cannot count reports", f"kinds that can: {able}")]
    return kind.count_objections(series.query or "", options)


def words_for(series: Series, config: SourceConfig) -> str:
    """The request to `config`, which is of a known kind, in words a reader of the page can follow."""
    if config.counts:
        return series.query or ""
    kind = SOURCES[config.kind]
    return kind.query(series, config.step, config.own(kind.Options))
