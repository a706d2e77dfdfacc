"""Spark, started once."""

import importlib.util
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers import require


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session of Spark on this machine, which the sources of these tests share."""
    require("java")
    if importlib.util.find_spec("pyspark") is None:
        if os.environ.get("PERFKB_REQUIRE_SERVICES") == "1":
            pytest.fail("pyspark is not installed, and PERFKB_REQUIRE_SERVICES=1 demands it", pytrace=False)
        pytest.skip("pyspark is not installed")
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]").config("spark.sql.shuffle.partitions", "1")
    settings = {
        "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("spark")),
        # Short work is not worth compiling well.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1", "spark.sql.adaptive.enabled": "false",
    }  # fmt: skip
    for key, value in settings.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()
