"""Where telemetry comes from: one module a kind, one line in this table."""

from ingest.sources.base import Fetched, Objection, Source, Window, expand, tidy
from ingest.sources.csv import CsvSource
from ingest.sources.demo import DemoSource
from ingest.sources.prometheus import PrometheusSource

SOURCES: dict[str, type[Source]] = {
    "csv": CsvSource,
    "demo": DemoSource,
    "prometheus": PrometheusSource,
}

__all__ = ["SOURCES", "Fetched", "Objection", "Source", "Window", "expand", "tidy"]
