from datetime import UTC, datetime, timedelta, timezone

import pytest

from ingest.clock import Clock, floor, read_clock
from ingest.errors import UserError

NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)


def test_the_environment_comes_first() -> None:
    """SOURCE_DATE_EPOCH overrules the configuration."""
    assert read_clock(NOW, {"SOURCE_DATE_EPOCH": "1750000000"}) == Clock(
        datetime(2025, 6, 15, 15, 6, 40, tzinfo=UTC), fixed=True
    )


@pytest.mark.parametrize("environ", [{}, {"SOURCE_DATE_EPOCH": ""}])
def test_the_configuration_comes_second(environ: dict[str, str]) -> None:
    """Without it the configured moment holds, and does not move on."""
    assert read_clock(NOW, environ) == Clock(NOW, fixed=True)


def test_the_machine_comes_last() -> None:
    """With neither it is now, in UTC and whole seconds, and moves on."""
    before = datetime.now(UTC).replace(microsecond=0)
    clock = read_clock(None, {})
    assert before <= clock.now <= datetime.now(UTC)
    assert (clock.fixed, clock.now.microsecond, clock.now.tzinfo) == (False, 0, UTC)


@pytest.mark.parametrize(
    "epoch", ["today", "1.5", "2026-11-01", "9" * 30, "-99999999999", "253402300799", "4294967296", "-1"]
)
def test_wrong_epochs(epoch: str) -> None:
    """A SOURCE_DATE_EPOCH that is no second of these centuries is the user's mistake."""
    with pytest.raises(UserError) as caught:
        read_clock(None, {"SOURCE_DATE_EPOCH": epoch})
    hint = "it must be a number of seconds since 1970, and before 2106"
    assert str(caught.value) == f"SOURCE_DATE_EPOCH is {epoch!r} ({hint})"


def test_floor() -> None:
    """A moment falls into the step that began last, counted from the epoch in UTC."""
    moment = datetime(2026, 11, 1, 6, 59, 59, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert floor(moment, timedelta(hours=1)) == datetime(2026, 11, 1, 1, tzinfo=UTC)
    assert floor(moment, timedelta(days=1)) == datetime(2026, 11, 1, tzinfo=UTC)
    assert floor(NOW, timedelta(hours=1)) == NOW
