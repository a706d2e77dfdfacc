"""What several test files share."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.servers import HISTORY_END, LOADS, openmetrics_histogram, require, running_prometheus

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
