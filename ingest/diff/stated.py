"""What a branch says anew: of beliefs and their verdicts, of fixes, and of numbers that were stated before."""

from collections.abc import Iterator
from datetime import date

from ingest.closed import Closed, StatedHours, Statement
from ingest.diff.changes import Changes
from ingest.diff.posted import code, listed
from ingest.knowledge import KnowledgeBase
from ingest.pins import AnyPin, Between, Judged, Tested
from ingest.rules import failed, judged_on, rules_of, threshold_rule
from ingest.story import Fix, Hypothesis, Test, day_of
from ingest.units import format_percent, format_quantity


def of_hypotheses(changes: Changes) -> Iterator[str]:
    """Beliefs that were written, decided, or changed after the fact."""
    for story in changes.added:
        for hypothesis in story.front.hypotheses:
            pin = changes.after.pins(story).tested.get(hypothesis.id)
            yield from _written(code(story.slug), hypothesis, changes.today)
            yield from _decided(code(story.slug), None, hypothesis, None, pin)
    for pair in changes.pairs:
        if not pair.can_compare("hypotheses"):
            continue
        old = {each.id: each for each in pair.before.front.hypotheses}
        new = {each.id: each for each in pair.after.front.hypotheses}
        for name, hypothesis in new.items():
            if name in old:
                yield from _rewritten(pair.name, old[name], hypothesis, changes.today)
            else:
                yield from _written(pair.name, hypothesis, changes.today)
            pins = pair.pins_before.tested.get(name), pair.pins.tested.get(name)
            yield from _decided(pair.name, old.get(name), hypothesis, *pins)
        for name, hypothesis in old.items():
            if name not in new:
                was = f"it was {hypothesis.verdict}: {code(hypothesis.because)}"
                yield f"- {pair.name} {code(name)}: **removed**; {was}"


def _written(story: str, hypothesis: Hypothesis, today: date) -> Iterator[str]:
    test, head = hypothesis.test, f"- {story} {code(hypothesis.id)}: written {hypothesis.written}"
    if test is None:
        yield f"{head}, without a test: {code(hypothesis.because)}"
        return
    yield f"{head}: {code(hypothesis.because)}. Test: {_test(test)}.{_begun_before(hypothesis, test, today)}"


def _begun_before(hypothesis: Hypothesis, test: Test, today: date) -> str:
    """Whether the threshold may have been chosen with the data in view."""
    if test.from_ < hypothesis.written:
        return f" **Its window began on {test.from_}, before it was written.**"
    if test.from_ <= today:
        return f" Its window has begun, on {test.from_}: that it was written before, only its own date says."
    return ""


def _rewritten(story: str, old: Hypothesis, new: Hypothesis, today: date) -> Iterator[str]:
    head = f"- {story} {code(new.id)}"
    if old.because != new.because:
        yield f"{head}: believes {code(new.because)}; it was {code(old.because)}"
    if old.written != new.written:
        yield f"{head}: **the day on which it was written** is {new.written}; it was {old.written}"
    if old.test == new.test:
        return
    if old.test is None or new.test is None:
        yield f"{head}: test: {_test(new.test) if new.test else 'removed'}" + (
            _begun_before(new, new.test, today) if new.test else f"; it was {_test(old.test) if old.test else ''}"
        )
        return
    if old.verdict != "open":
        when = f" **after it was {old.verdict}**"
    else:
        when = f" **after its window had begun on {old.test.from_}**" if old.test.from_ <= today else ""
    yield f"{head}: its test was changed{when}: {_test(new.test)}; it was {_test(old.test)}"


def _test(test: Test) -> str:
    """`share` `a` of `b`, at least 50 %, 2026-09-04 to 2026-09-10"""
    named = {
        "share": f"share of {code(test.share or '')} in {code(test.of or '')}",
        "contrast": f"{code(test.contrast or '')} against {code(test.against or '')}",
        "change": f"change of {code(test.change or '')} at {test.at}",
    }.get(test.kind, "no comparison")
    figure = f", p{test.quantile * 100:g}" if test.quantile else ""
    bound = "at most" if test.at_least < 0 else "at least"
    return f"{named}{figure}, {bound} {format_percent(test.at_least)}, {test.from_} to {test.to}"


def _decided(
    story: str, old: Hypothesis | None, new: Hypothesis, pin_before: Tested | None, pin: Tested | None
) -> Iterator[str]:
    was, head = old.verdict if old else "open", f"- {story} {code(new.id)}"
    if was != new.verdict:
        before = f", it was {was}" if was != "open" else ""
        if new.verdict == "open":
            yield f"{head}: **open again**{before}"
        else:
            evidence = _evidence(pin, new) if pin else " without pinned evidence"
            yield f"{head}: **{new.verdict}**{before}:{evidence}"
    elif pin and not pin_before and was != "open":
        yield f"{head}: {new.verdict}, and its evidence is pinned now:{_evidence(pin, new)}"


def _evidence(pin: Tested, hypothesis: Hypothesis) -> str:
    """What was found, what was asked for, and which rules hold."""
    broken = failed(pin)
    held = [rule.name for rule in (*rules_of(pin), threshold_rule(pin)) if rule.holds]
    told = [f" {code(pin.figure)} {_between(pin.effect, signed=pin.test.kind != 'share')}"]
    told.append(f"threshold {format_percent(hypothesis.test.at_least if hypothesis.test else pin.test.at_least)}")
    if held:
        told.append(f"holds: {', '.join(held)}")
    if broken:
        told.append(f"broken: {'; '.join(str(rule) for rule in broken)}")
    return "; ".join(told)


def of_fixes(changes: Changes) -> Iterator[str]:
    """Fixes that are new, that shipped, that were judged, or of which something else is said now."""
    zone = changes.after.base.settings.timezone

    def shipped(fix: Fix | None) -> date | None:
        return day_of(fix.shipped, zone) if fix and fix.shipped else None

    for story in changes.added:
        for fix in story.front.fixes:
            pin = changes.after.pins(story).judged.get(fix.id)
            yield from _fix(f"- {code(story.slug)} {code(fix.id)}", None, fix, None, shipped(fix))
            yield from _newly_judged(f"- {code(story.slug)} {code(fix.id)}", fix, None, pin)
    for pair in changes.pairs:
        if not pair.can_compare("fixes"):
            continue
        old = {each.id: each for each in pair.before.front.fixes}
        for fix in pair.after.front.fixes:
            head, before = f"- {pair.name} {code(fix.id)}", old.pop(fix.id, None)
            yield from _fix(head, before, fix, shipped(before), shipped(fix))
            yield from _newly_judged(head, fix, pair.pins_before.judged.get(fix.id), pair.pins.judged.get(fix.id))
        for name in old:
            pin = pair.pins_before.judged.get(name)
            judged = f"; it was judged {pin.verdict}, {_judgement(pin)}" if pin else ""
            yield f"- {pair.name} {code(name)}: **the fix was removed**{judged}"


def _fix(head: str, old: Fix | None, fix: Fix, was: date | None, now: date | None) -> Iterator[str]:
    """What its author says of a fix; it shipped on the days `was` and `now`."""
    expected = _percent(fix.expected)
    if old is None:
        yield f"{head}: a new fix{f' in {code(fix.ticket)}' if fix.ticket else ''}, expected {expected}"
    elif old.expected != fix.expected:
        late = " **after it had shipped**" if was else ""
        yield f"{head}: the expectation was changed{late}: {expected}; it was {_percent(old.expected)}"
    if was and was != now:
        yield f"{head}: **the day it shipped** is {now or 'gone'}; it was {was}"
    elif now and not was:
        yield f"{head}: shipped {now}, expected {expected}; to be judged on {judged_on(now)}"


def _newly_judged(head: str, fix: Fix, before: Judged | None, pin: Judged | None) -> Iterator[str]:
    if pin and not before:
        yield f"{head}: judged **{pin.verdict}**: {_judgement(pin)}; expected {_percent(fix.expected)}"


def _judgement(pin: Judged) -> str:
    """p95 −44.4 % (−50.5 % to −37.7 %), from 2.1 s to 1.2 s"""
    unit = pin.series[pin.fix.series].unit
    sides = " to ".join(
        code(format_quantity(each, unit, max(pin.before, pin.after))) for each in (pin.before, pin.after)
    )
    return f"{code(pin.figure)} of {code(pin.fix.series)} {_between(pin.change.between, signed=True)}, from {sides}"


def _between(found: Between, *, signed: bool) -> str:
    value, low, high = (format_percent(each, signed=signed) for each in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})"


def _percent(share: float | None) -> str:
    return "nothing" if share is None else format_percent(share, signed=True)


def restated(changes: Changes) -> Iterator[str]:
    """Numbers that stood before and are other ones now, or gone; and quarters that were closed."""
    for pair in changes.pairs:
        front = pair.after.front
        known = {*(each.id for each in front.hypotheses), *(each.id for each in front.fixes)}
        old: dict[str, AnyPin] = {**pair.pins_before.tested, **pair.pins_before.judged}
        new: dict[str, AnyPin] = {**pair.pins.tested, **pair.pins.judged}
        for name, pin in old.items():
            if name in new and new[name] != pin:
                yield f"- {pair.name} {code(name)}: {_pin_restated(pin, new[name])}"
            elif name not in new and name in known and not pair.pins.problems:
                yield f"- {pair.name} {code(name)}: **its pin was removed**; stated on {pin.stated}: {_stated(pin)}"
    before, after = changes.before.base, changes.after.base
    for quarter in sorted({*before.quarters, *after.quarters}):
        yield from _quarter(quarter, before.quarters.get(quarter), after.quarters.get(quarter), after)


def _pin_restated(old: AnyPin, new: AnyPin) -> str:
    if _stated(old) != _stated(new):
        return f"{_stated(new)}, stated on {new.stated}; it was {_stated(old)}, stated on {old.stated}"
    was, now = old.model_dump(), new.model_dump()
    keys = [key for key in dict.fromkeys([*now, *was]) if was.get(key) != now.get(key)]
    return f"the figure stands, and {listed(keys)} of its pin changed: {_stated(new)}"


def _stated(pin: AnyPin) -> str:
    found = _judgement(pin) if isinstance(pin, Judged) else _between(pin.effect, signed=pin.test.kind != "share")
    return f"{pin.verdict}, {found}"


def _quarter(name: str, old: Closed | None, new: Closed | None, after: KnowledgeBase) -> Iterator[str]:
    if new is None:
        if old and not any(each.code == "PK210" and name in each.where.path for each in after.problems):
            yield f"- {name}: **is not closed any more**; stated on {old.statement.stated}: {_totals(old.statement)}"
    elif old is None:
        yield f"- {name}: closed on {new.statement.stated}: {_totals(new.statement)}"
    elif old.statement != new.statement:
        kept = "" if old.statement in new.before else " **What was stated before was not kept.**"
        yield f"- {name}: restated: {_totals(new.statement)}; it was {_totals(old.statement)}.{kept}"
    elif old.before != new.before:
        yield f"- {name}: **what was stated earlier was changed**"


def _totals(statement: Statement) -> str:
    def told(hours: StatedHours) -> str:
        return f"{hours.value:,.0f} {hours.unit} ({hours.low:,.0f} to {hours.high:,.0f})"

    return " and ".join(map(told, statement.totals)) or "no hours"
