"""Closing a quarter: what its fixes did and saved is stated once; whatever would be said otherwise later is listed.

A quarter can be closed when all of its fixes have been judged and the data of its days is
there. From then on its numbers are those of its file (`ingest.closed`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

from ingest.closed import (
    FORMAT,
    Closed,
    NotMeasured,
    Quarter,
    StatedFix,
    StatedHours,
    Statement,
    path_of,
    write_quarter,
)
from ingest.errors import UserError
from ingest.evidence import Facts, Hours
from ingest.evidence.fixing import EARNS_FOR
from ingest.impact import Overview, Row, discovery_of, overview, totals_of
from ingest.knowledge import KnowledgeBase
from ingest.stats import METHOD
from ingest.story import day_of
from ingest.units import format_percent, format_quantity

DAY = timedelta(days=1)
ROUNDING = 0.01
"""Hours that differ by less read alike."""
_OUTCOMES = {"undetected": "no detectable change", "unusual": "improved against an unusual week"}


@dataclass(frozen=True)
class Difference:
    """What is stated otherwise, in words with both numbers; of the fix `name`, or of the quarter where it is empty."""

    name: str
    what: str


@dataclass(frozen=True)
class Restatement:
    """What was stated of a quarter on the day `first` and stated otherwise on `then`; None: not stated yet."""

    quarter: Quarter
    first: date
    then: date | None
    differences: tuple[Difference, ...]


def close_quarter(base: KnowledgeBase, facts: Iterable[Facts], name: str, *, again: bool = False) -> Path:
    """States a quarter (`2026Q3`) from the facts of all stories, and returns its file.

    UserError where it is not over, has fixes that are still to be judged, or lacks data of its
    days; and where it is closed already, unless `again`, which keeps what was stated before.
    """
    try:
        quarter = Quarter.read(name)
    except ValueError as error:
        raise UserError(None, str(error), "write it as 2026Q3") from None
    today = base.clock.today(base.settings.timezone)
    if today <= quarter.last:
        raise UserError(None, f"{quarter} is not over", f"close it from {quarter.following.first} on")
    before = _before(base, quarter, again)
    found = _published(facts, today)
    _assert_judged(found, quarter)
    _assert_data(found, quarter)
    statement = statement_of(found, quarter)
    return write_quarter(base.root, Closed(format=FORMAT, quarter=str(quarter), statement=statement, before=before))


def _published(facts: Iterable[Facts], today: date) -> Overview:
    # What only the preview shows is stated nowhere.
    return overview((each for each in facts if not each.story.front.draft), {}, today)


def _before(base: KnowledgeBase, quarter: Quarter, again: bool) -> tuple[Statement, ...]:
    closed = base.quarters.get(str(quarter))
    file = path_of(base.root, quarter)
    where = file.relative_to(base.root).as_posix()
    if closed is None:
        if file.exists() or file.is_symlink():
            raise UserError(where, "what was stated before cannot be read", "take the file back from version control")
        return ()
    if not again:
        what = f"{quarter} was closed on {closed.statement.stated}"
        raise UserError(where, what, "restate it with --again: what was stated stays listed")
    return (*closed.before, closed.statement)


def _assert_judged(found: Overview, quarter: Quarter) -> None:
    waiting = [
        f"{row.name} ({row.found.due})"
        for row in found.of("due", "preliminary", "waiting")
        if row.shipped and row.shipped <= quarter.last
    ]
    if waiting:
        hint = "judge them with `perfkb pin` when their day has come"
        raise UserError(None, f"{quarter} has fixes that are not judged: {', '.join(sorted(waiting))}", hint)


def _assert_data(found: Overview, quarter: Quarter) -> None:
    lacking = [f"{row.name} ({why})" for row in found.counted if (why := _lack(row, quarter))]
    if lacking:
        hint = "hours need the store: run `perfkb refresh`, or close it where the store is"
        raise UserError(None, f"the hours of {quarter} cannot be told: {', '.join(sorted(lacking))}", hint)


def _lack(row: Row, quarter: Quarter) -> str:
    """Which data of the quarter is missing that the hours of a fix need; empty where there is enough."""
    pin, shipped = row.found.pin, row.shipped
    if pin is None or shipped is None or not pin.mean or not pin.mean.moved:
        return ""
    first = max(quarter.first, shipped + DAY)
    last = min(quarter.last, shipped + EARNS_FOR, (row.found.since or date.max) - DAY)
    series = row.facts.series.get(pin.fix.series)
    if first > last:
        return ""
    if series is None or series.manifest is None or series.rows.empty:
        return "there is no data"
    if row.hours is None:
        return ""
    begins = day_of(min(series.manifest.window[0], series.rows.index[0].to_pydatetime()), row.facts.zone)
    ends = day_of(series.manifest.data_until - timedelta(microseconds=1), row.facts.zone)
    if begins > first:
        return f"its data begins on {begins}"
    return f"its data ends on {ends}" if ends < last else ""


def statement_of(found: Overview, quarter: Quarter) -> Statement:
    """What would be stated of a quarter today; `found` takes nothing from closed quarters."""
    judged = [row for row in found.judged if row.shipped and row.shipped <= quarter.last]
    hours = {row.name: _within(row, quarter) for row in judged}
    fixes = [_stated(row, hours[row.name]) for row in judged if hours[row.name] or _shipped_in(row, quarter)]
    ends = [series.manifest.data_until for row in found.rows for series in row.facts.series.values() if series.manifest]
    unmeasured = [row for row in found.of("unmeasured") if _shipped_in(row, quarter)]
    return Statement(
        stated=found.today,
        method=METHOD,
        data_until=max(ends, default=None),
        fixes=tuple(sorted(fixes, key=lambda fix: fix.name)),
        not_measured=tuple(
            NotMeasured(story=row.facts.slug, fix=row.found.fix.id, why=row.found.why or "it has no pinned impact")
            for row in sorted(unmeasured, key=lambda row: row.name)
        ),
        totals=tuple(_stated_hours(each) for each in totals_of(hours.values()).values()),
        discovery=discovery_of(row for row in judged if _shipped_in(row, quarter)),
    )


def _shipped_in(row: Row, quarter: Quarter) -> bool:
    return row.shipped is not None and quarter.first <= row.shipped <= quarter.last


def _within(row: Row, quarter: Quarter) -> Hours | None:
    return row.hours.by_quarter.get(str(quarter)) if row.hours else None


def _stated(row: Row, hours: Hours | None) -> StatedFix:
    pin, shipped = row.found.pin, row.shipped
    assert pin is not None and shipped is not None  # noqa: S101, PT018  # of the judged rows alone
    return StatedFix(
        story=row.facts.slug,
        fix=row.found.fix.id,
        shipped=shipped,
        judged=pin.stated,
        verdict=pin.verdict,
        figure=pin.figure,
        change=pin.change,
        counts=row.found.counts,
        since=row.found.since,
        hours=_stated_hours(hours) if hours else None,
    )


def _stated_hours(hours: Hours) -> StatedHours:
    # More digits would say nothing, and differ from one processor to the next.
    value, low, high = (float(f"{end:.6g}") for end in (hours.value, hours.low, hours.high))
    return StatedHours.model_validate({"unit": hours.unit, "value": value, "low": low, "high": high})


def restatements(closed: Mapping[str, Closed], facts: Iterable[Facts], today: date) -> list[Restatement]:
    """What has been, and what would be stated otherwise of the closed quarters, the newest first.

    Hours whose data is not in the store any more cannot be held against it, and are left out.
    """
    found, made = _published(facts, today), []
    for name in sorted(closed, reverse=True):
        quarter, each = Quarter.read(name), closed[name]
        open_end = _unless_known(statement_of(found, quarter), found, quarter, each.statement)
        for old, new in pairwise([*each.before, each.statement, open_end]):
            differences = tuple(_differences(old, new))
            if differences:
                made.append(Restatement(quarter, old.stated, None if new is open_end else new.stated, differences))
    return made


def _unless_known(today: Statement, found: Overview, quarter: Quarter, stated: Statement) -> Statement:
    """Today's statement with the stated hours of the fixes whose data is not here."""
    lacking = {row.name for row in found.counted if _lack(row, quarter)}
    if not lacking:
        return today
    kept = {name: known.hours if (known := stated.of(name)) else None for name in lacking}
    fixes = [fix.model_copy(update={"hours": kept[fix.name]}) if fix.name in kept else fix for fix in today.fixes]
    there = {fix.name for fix in fixes}
    fixes += [fix for fix in stated.fixes if fix.name in lacking - there]
    return today.model_copy(update={"fixes": tuple(fixes), "totals": stated.totals, "method": stated.method})


def _differences(old: Statement, new: Statement) -> Iterator[Difference]:
    before, after = ({fix.name: fix for fix in each.fixes} for each in (old, new))
    for name in sorted({*before, *after}):
        if words := _difference(before.get(name), after.get(name)):
            yield Difference(name, words)
    totals = [{hours.unit: hours for hours in each.totals} for each in (old, new)]
    for unit in sorted({*totals[0], *totals[1]}, reverse=True):
        one, other = (each.get(unit) for each in totals)
        if _differ(one, other):
            yield Difference("", f"all fixes together: was {_hours_words(one)}, is {_hours_words(other)}")
    fallen = [sorted(each.discovery.fallen) for each in (old, new)]
    if fallen[0] != fallen[1] and old.discovery.judged and new.discovery.judged:
        one_list, other_list = (", ".join(names) or "none" for names in fallen)
        yield Difference("", f"claims that may be chance: was {one_list}, is {other_list}")
    if old.method != new.method:
        yield Difference("", f"made with version {old.method} of the method, now with {new.method}")


def _difference(old: StatedFix | None, new: StatedFix | None) -> str:
    if old is None or new is None:
        return f"was not stated, is {_summary(new)}" if new else f"was {_summary(old)}, is not there any more"
    parts = []
    if old.verdict != new.verdict:
        parts.append(f"was {_verdict(old)}, is {_verdict(new)}")
    if old.change != new.change:
        one, other = (format_percent(each.change.effect, signed=True) for each in (old, new))
        parts.append(f"the change was {one}, is {other}" if one != other else f"the change is {one} in other bounds")
    if old.verdict == new.verdict and old.counts != new.counts:
        parts.append("did not count, is accepted now" if new.counts else "was accepted, does not count any more")
    if _differ(old.hours, new.hours):
        why = "by the data that is there now"
        if new.since and new.since != old.since:
            why = f"its gain was going since {new.since}"
        parts.append(f"was {_hours_words(old.hours)}, is {_hours_words(new.hours)}: {why}")
    return "; ".join(parts)


def _verdict(fix: StatedFix) -> str:
    return _OUTCOMES.get(fix.verdict, fix.verdict)


def _summary(fix: StatedFix | None) -> str:
    if fix is None:
        return "nothing"
    told = f"{_verdict(fix)}, {format_percent(fix.change.effect, signed=True)}"
    return f"{told}, {_hours_words(fix.hours)}" if fix.hours else told


def _hours_words(hours: StatedHours | None) -> str:
    if hours is None:
        return "no hours"
    value = round(hours.value) if abs(hours.value) >= 10 else hours.value
    return f"{format_quantity(value, '')} {hours.unit}".replace("-", "−", 1 if value < 0 else 0)


def _differ(one: StatedHours | None, other: StatedHours | None) -> bool:
    if one is None or other is None or one.unit != other.unit:
        return one is not other
    largest = max(abs(one.value), abs(other.value))
    return abs(one.value - other.value) > max(ROUNDING * largest, 0.05)
