"""How verdicts read on a page: what was found, how sure that is, and what it is worth."""

import math
from collections.abc import Callable, Iterable
from typing import Any

from markupsafe import Markup

from ingest.evidence import FixFacts, Hours
from ingest.pins import Between, Change, Judged, Tested
from ingest.rules import Rule, failed, rules_of, threshold_rule
from ingest.stats import METHOD
from ingest.units import format_quantity
from macros.words import Phrase, percent, quantity

OUTCOMES = {
    "improved": "Improved",
    "regressed": "Regressed",
    "undetected": "No detectable change",
    "unusual": "Improved, but the week before was unusual",
}
STATES = {
    "planned": "Not shipped yet",
    "unmeasured": "Not measured",
    "waiting": "Not measured yet",
    "preliminary": "Preliminary",
    "due": "Due to be judged",
}
STANDINGS = {"held": "holds", "eroded": "eroded", "regressed": "gone"}
# Statements keep six digits.
_STATED = 1e-5


def outcome(facts: FixFacts) -> Markup:
    """The badge of what became of a fix."""
    if facts.pin is None:
        return _badge("open", STATES[facts.state])
    name = "accepted" if facts.pin.verdict == "unusual" and facts.fix.accept else facts.pin.verdict
    told = "Improved, accepted with a reason" if name == "accepted" else OUTCOMES[facts.pin.verdict]
    return _badge(name, told)


def standing(facts: FixFacts) -> Markup:
    """The badge of whether a gain still holds; nothing where that cannot be said yet."""
    if facts.standing is None:
        return Markup("")
    return _badge(f"gain-{facts.standing}", f"The gain {STANDINGS[facts.standing]}")


def _badge(kind: str, text: str) -> Markup:
    return Markup('<span class="pk-outcome pk-outcome--{}">{}</span>').format(kind, text)


def change(value: Change | Between) -> Markup:
    """`−55 %, between −59 % and −52 %`: a change with its 95 % interval."""
    effect = value.effect if isinstance(value, Change) else value.value
    return Phrase('<data value="{}">{}</data> <small>between {} and {}</small>').format(
        repr(effect), percent(effect, signed=True), percent(value.low, signed=True), percent(value.high, signed=True)
    )


def part(value: Between) -> Markup:
    """A share with its 95 % interval."""
    return Phrase('<data value="{}">{}</data> <small>between {} and {}</small>').format(
        repr(value.value), percent(value.value), percent(value.low), percent(value.high)
    )


def effect(pin: Tested) -> Markup:
    """What a test found."""
    return part(pin.effect) if pin.test.kind == "share" else change(pin.effect)


def threshold(pin: Tested) -> str:
    """The threshold as it was written beforehand."""
    return percent(pin.test.at_least, signed=pin.test.kind != "share")


def from_to(pin: Judged) -> Markup:
    """`from 3.4 s to 1.47 s`, the usual figure before and after."""
    unit = pin.series[pin.fix.series].unit
    after = format_quantity(pin.after, unit, like=pin.before)
    return Phrase("from {} to {}").format(quantity(pin.before, unit), after)


def hours(value: Hours) -> Markup:
    """`1,240 user-hours, between 980 and 1,510`; hours that were lost are called so."""
    if value.value < 0:
        lost = Hours(value.unit, -value.value, -value.high, -value.low, {})
        return Markup("{} {} lost <small>between {} and {}</small>").format(*_hours(lost))
    return Markup("{} {} <small>between {} and {}</small>").format(*_hours(value))


def _hours(value: Hours) -> tuple[Markup, str, str, str]:
    shown = Markup('<data value="{}">{}</data>').format(repr(value.value), whole(value.value))
    return shown, value.unit, whole(value.low), whole(value.high)


def whole(value: float) -> str:
    """Hours to two or three digits, never to a fraction that nobody could know."""
    return f"{_rounded(value):,}".replace("-", "−")


def _rounded(value: float) -> int:
    digits: int = 10 ** max(0, len(f"{abs(value):.0f}") - 3)
    return round(value / digits) * digits


def seeming(whole_value: float, parts: Iterable[float]) -> str:
    """What the parts of a whole add up to as they are read; empty unless rounding alone makes that another number."""
    values = list(parts)
    seen = sum(map(_rounded, values))
    if seen == _rounded(whole_value) or not math.isclose(sum(values), whole_value, rel_tol=_STATED):
        return ""
    return f"{seen:,}".replace("-", "−")


def seeming_quarters(value: Hours) -> str:
    """What the quarters of some hours add up to as they are read, where rounding makes that another number."""
    return seeming(value.value, [each.value for each in value.by_quarter.values()]) if value.by_quarter else ""


def rules(pin: Tested) -> list[Rule]:
    """The rules that the evidence was held to."""
    return [*rules_of(pin), threshold_rule(pin)]


def broken(pin: Tested) -> list[Rule]:
    """Those that it broke."""
    return failed(pin)


def outdated(pin: Tested | Judged) -> bool:
    """Whether the method has changed since this was stated."""
    return pin.method != METHOD


FILTERS: dict[str, Callable[..., Any]] = {
    make.__name__: make
    for make in (
        broken, change, effect, from_to, hours, outcome, outdated, part, rules, seeming, seeming_quarters, standing,
        threshold, whole,
    )
}  # fmt: skip
