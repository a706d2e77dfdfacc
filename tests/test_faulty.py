"""Short runs of what `make soak ARGS="faulty split"` does at length."""

import warnings
from dataclasses import replace

import pytest

from tests.faults import faulty
from tests.faults.dialects import DIALECTS, FIRST, HOUR, Dialect, truth
from tests.faults.split import SERVERS, compare
from tests.servers import Asked, Reply, require


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda each: each.kind)
def test_three_in_ten_answers_are_faulty(dialect: Dialect) -> None:
    """A series survives answers that fail in every way, and none of its values is wrong."""
    found = faulty.run(dialect, 40)
    assert found.wrong == 0
    assert found.fresh >= 39, found.lost
    assert found.requests > 40
    assert sum(found.faults.values()) >= 5


def test_what_was_promised_is_counted() -> None:
    """Series that are not fresh, wrong values and too many requests are told."""
    kept = faulty.Found(1000, 999, 0, 1600, 1.0, {"503": 400}, ["nr-1: it cannot be reached"])
    assert kept.failures == []
    assert "1,000 series, 8 at a time: 999 fresh, 0 wrong values, 1.600 requests a series, 25.0%" in str(kept)
    broken = replace(kept, fresh=998, wrong=1, requests=1601).failures
    assert broken == ["998 of 1000 are fresh", "1 values are wrong", "1.60 requests a series", *kept.lost]


def test_a_wrong_value_is_seen() -> None:
    """A server that answers with another number is found out."""

    def lying(asked: Asked) -> Reply:
        assert DIALECTS[0].number(asked) < 9
        return Reply(DIALECTS[0].body([(FIRST + n * HOUR, truth(9, 0)) for n in range(60)]))

    dialect = replace(DIALECTS[0])
    object.__setattr__(dialect, "answer", lying)
    assert faulty.run(dialect, 3).wrong > 0


@pytest.mark.parametrize("server", SERVERS)
def test_split_windows_on_a_real_server(server: str) -> None:
    """Windows that are asked for one by one, and a refresh a day, give the bits of one fetch."""
    require({"Prometheus": "prometheus", "VictoriaMetrics": "victoria-metrics"}[server])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = list(compare(server, 2_000, 20, (997, 288)))
    assert [told for told, same in found if not same] == []
    assert len(found) == 3
