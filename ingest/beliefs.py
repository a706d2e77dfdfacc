"""A belief's test, from what its author says of it on the command line."""

import shlex
from collections.abc import Mapping
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from ingest.errors import UserError, did_you_mean
from ingest.fields import read_day, read_day_or_moment
from ingest.marked import Marked
from ingest.rules import too_short
from ingest.schema import read_whole
from ingest.story import PARTNER, Test, day_of

KEYS = tuple(info.alias or name for name, info in Test.model_fields.items())
WEEKS = timedelta(days=14)


def parts_of(text: str) -> dict[str, str]:
    """`share=a of=b at_least='50 %'` by its keys; UserError where it is not written so."""
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise UserError(None, f"--test: {error}", "quote a value with a space: at_least='50 %'") from None
    found = {}
    for part in parts:
        key, equals, value = part.partition("=")
        key = key.replace("-", "_")
        if not equals or key not in KEYS:
            hint = did_you_mean(key, KEYS) if equals else "write key=value; quote a value with a space"
            raise UserError(None, f"--test: {part!r} is not a part of a test", hint)
        found[key] = value
    return found


def test_of(given: Mapping[str, str], today: date, zone: ZoneInfo) -> tuple[Test, dict[str, str]]:
    """The test, and what is to be written of it; UserError where it could decide nothing.

    Where no window is given it is the usual one: two whole weeks from tomorrow on, or two on each
    side of an experiment.
    """
    if not any(key in given for key in PARTNER):
        sides = ", ".join(f"--{side} with --{partner}" for side, partner in PARTNER.items())
        raise UserError(None, "a belief needs the test that would confirm it", f"give {sides}")
    if "at_least" not in given:
        raise UserError(None, "--at-least is missing", "the threshold that would confirm it, such as '50 %'")
    whole = {**_window(given, today, zone), **given}
    test, problems = read_whole(Test, Marked("", dict(whole)))
    if test is None:
        raise UserError(None, problems[0].what, problems[0].hint)
    if test.to < test.from_:
        raise UserError(None, f"--to {test.to} is before --from {test.from_}", "both days belong to the window")
    if test.is_whole and (rule := too_short(test, zone)):
        hint = "one observation proves nothing: look longer"
        raise UserError(None, f"this test cannot decide anything: {rule}", hint)
    return test, {key: whole[key] for key in KEYS if key in whole}


def _window(given: Mapping[str, str], today: date, zone: ZoneInfo) -> dict[str, str]:
    try:
        if "at" in given:
            at = day_of(read_day_or_moment(given["at"]), zone)
            first, last = at - WEEKS, at + WEEKS
        else:
            first = read_day(given["from"]) if "from" in given else today + timedelta(days=1)
            last = first + WEEKS - timedelta(days=1)
    except ValueError as error:
        raise UserError(None, str(error), "write a day such as 2026-09-01") from None
    return {"from": first.isoformat(), "to": last.isoformat()}
