"""What time it is for a knowledge base, and the calendar days of its zone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from ingest.errors import UserError
from ingest.fields import read_moment


@dataclass(frozen=True)
class Clock:
    """The moment that a command takes for now; `fixed` when it does not move on."""

    now: datetime
    fixed: bool

    def today(self, zone: ZoneInfo) -> date:
        """The calendar day in `zone`."""
        return self.now.astimezone(zone).date()


def read_clock(configured: datetime | None, environ: Mapping[str, str]) -> Clock:
    """SOURCE_DATE_EPOCH, else the `now` of the configuration, else the machine's clock."""
    epoch = environ.get("SOURCE_DATE_EPOCH")
    if epoch:
        try:
            if int(epoch) >= 2**32:  # the file formats of some tools end there
                raise OverflowError
            return Clock(read_moment(datetime.fromtimestamp(int(epoch), UTC).isoformat()), fixed=True)
        except (ValueError, OverflowError, OSError):
            hint = "it must be a number of seconds since 1970, and before 2106"
            raise UserError(None, f"SOURCE_DATE_EPOCH is {epoch!r}", hint) from None
    if configured:
        return Clock(configured, fixed=True)
    return Clock(datetime.now(UTC).replace(microsecond=0), fixed=False)


def floor(moment: datetime, step: timedelta) -> datetime:
    """The start of the step that `moment` falls into, counted from the epoch in UTC."""
    seconds = int(step.total_seconds())
    return datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, UTC)
