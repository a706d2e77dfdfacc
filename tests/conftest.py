"""What several test files share."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.commands import copy_sample, perfkb, succeed
from tests.servers import HISTORY_END, LOADS, openmetrics_histogram, require, running_prometheus

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.postgresql import PostgreSQL

# The same examples on every machine and in every run; none may take longer than two seconds.
settings.register_profile("perfkb", max_examples=100, derandomize=True, deadline=2000)
settings.load_profile("perfkb")


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real Prometheus with six weeks of `http_request_duration_seconds`."""
    require("prometheus")
    text = openmetrics_histogram("http_request_duration_seconds", LOADS, HISTORY_END)
    with running_prometheus(text, tmp_path_factory.mktemp("prometheus")) as url:
        yield url


@pytest.fixture(scope="module")
def postgresql() -> "Iterator[PostgreSQL]":
    """A real PostgreSQL, whose database `metrics` is empty."""
    from tests.postgresql import running_postgresql  # most tests need none of it

    with running_postgresql() as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A Chromium with a fresh profile."""
    from tests.browsing import chromium  # most tests need none of it

    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def sample_kb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sample, refreshed and built for a browser; to be looked at, and left as it is."""
    require("chromium")
    root = tmp_path_factory.mktemp("sample") / "kb"
    copy_sample(root)
    perfkb("-C", root, "refresh")
    succeed("-C", root, "build")
    return root
