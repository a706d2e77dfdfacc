"""What takes too long is ended. Limits on files keep most of it away; this stops the rest."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SECONDS_A_LOOK = 1.0
SECONDS_A_TEXT = 5.0
SECONDS_A_PAGE = 10.0
SECONDS_A_CHART = 20.0


class TooLongError(BaseException):
    """The time is over. No `Exception`, because libraries catch those and go on."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Ends what runs within by a TooLongError; where a system or a thread has no alarms, it changes nothing."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _ring)
    try:
        try:
            # Again and again: an error that is raised while an object is finalized is lost.
            signal.setitimer(signal.ITIMER_REAL, seconds, 0.2)
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        # Once more, in case it rang on the way out.
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _ring(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TooLongError
