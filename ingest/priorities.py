"""What to weigh before something is chosen: never a ranking.

An open story is compared with the others of its unit by two numbers only: what could be won
a week, and what a fix would take. Where no other gives more for less it is in the first
band; without those, the next band is found likewise (Pareto layers). What lacks one of the
numbers is told apart, with what would be needed. Which one is done is a judgement.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from ingest.codes import UNREADABLE
from ingest.evidence import Facts
from ingest.story import Stage
from ingest.worth import Cost, Grade, NotCountedError, Unit, Worth, cost_of, grade_of, shown, worth_of

OPEN: tuple[Stage, ...] = ("reported", "investigating", "testing", "confirmed", "fixing")
"""The stages of stories that can still be chosen, or are being fixed."""
UNITS: tuple[Unit, ...] = get_args(Unit)
MOST_NEXT = 3
WIDE = 3.0
"""A number whose upper end is so many times its lower one is known only roughly."""
_STATES = ("waiting", "due", "untested", "decided")
NO_EFFORT = "Nobody has said what a fix would take: run a timebox."


@dataclass(frozen=True, eq=False)
class Option:
    """An open story, with its numbers as far as they are known.

    `worth` is None where it cannot be counted; `missing` says why and `needed` what would count
    it. `band` counts from 1, and is None for a story that lacks a likely worth or a cost. `why`
    is the reason in sentences, and `by` the slug of a story that gives more for less.
    """

    facts: Facts
    worth: Worth | None
    cost: Cost | None
    grade: Grade
    missing: str = ""
    needed: str = ""
    band: int | None = None
    why: str = ""
    by: str | None = None

    @property
    def slug(self) -> str:
        return self.facts.slug

    @property
    def title(self) -> str:
        return self.facts.story.front.title

    @property
    def likely(self) -> float | None:
        """What could probably be won, in hours a week."""
        return self.worth.likely if self.worth else None

    @property
    def unit(self) -> Unit | None:
        return self.worth.unit if self.worth else None

    @property
    def in_work(self) -> bool:
        """Whether somebody has chosen it already."""
        return self.facts.story.front.chosen is not None or self.facts.story.front.status == "fixing"

    @property
    def point(self) -> tuple[float, float]:
        """What a fix would probably take, in working days, and what it would give, in hours a week."""
        return self.cost.likely if self.cost else math.inf, self.likely or 0.0


@dataclass(frozen=True, eq=False)
class Look:
    """A story that is worth looking at next, and why, in words."""

    option: Option
    why: str


@dataclass(frozen=True, eq=False)
class Priorities:
    """The open stories by what can be said of them; within a group the order says nothing of worth.

    `bands` are by number from 1, each with the least effort first. `untested` are stories of
    which only the most is known, `unpriced` those whose worth is known and whose effort is not,
    `uncounted` those with too little data. `looks` are at most three stories whose uncertainty
    would change the picture most if it were cleared up.
    """

    bands: tuple[tuple[Option, ...], ...]
    untested: tuple[Option, ...]
    unpriced: tuple[Option, ...]
    uncounted: tuple[Option, ...]
    looks: tuple[Look, ...]

    @property
    def options(self) -> tuple[Option, ...]:
        """All of them."""
        banded = tuple(option for band in self.bands for option in band)
        return banded + self.untested + self.unpriced + self.uncounted


def priorities(stories: Iterable[Facts]) -> Priorities:
    """The open ones of these stories, repeats left out, by bands and groups."""
    options = sorted(map(_option, filter(_is_open, stories)), key=lambda option: (option.title.casefold(), option.slug))
    known = [option for option in options if option.likely is not None and option.cost]
    rest = [replace(option, why=_lacks(option)) for option in options if option not in known]
    placed = [option for unit in UNITS for option in _placed(_of(unit, known), _of(unit, rest))]
    last = max((option.band or 0 for option in placed), default=0)
    return Priorities(
        bands=tuple(tuple(each for each in placed if each.band == number) for number in range(1, last + 1)),
        untested=tuple(each for each in rest if each.worth and each.likely is None),
        unpriced=tuple(each for each in rest if each.likely is not None),
        uncounted=tuple(each for each in rest if each.worth is None),
        looks=tuple([look for unit in UNITS for look in _looks([*placed, *rest], unit)][:MOST_NEXT]),
    )


def _is_open(facts: Facts) -> bool:
    """Whether it can be chosen; of a file that cannot be read, nobody knows its stage."""
    unreadable = any(problem.code in UNREADABLE for problem in facts.problems)
    return facts.story.front.status in OPEN and not facts.repeats and not unreadable


def _option(facts: Facts) -> Option:
    made = Option(facts, None, cost_of(facts), grade_of(facts))
    try:
        return replace(made, worth=worth_of(facts))
    except NotCountedError as error:
        return replace(made, missing=error.why, needed=error.needed)


def _of(unit: Unit, options: Iterable[Option]) -> list[Option]:
    return [option for option in options if option.unit == unit]


def _placed(options: Sequence[Option], others: Sequence[Option]) -> list[Option]:
    """Stories of one unit, each with its band and the reason, those of least effort first.

    `others` are those of the unit that lack one of the numbers.
    """
    placed: list[Option] = []
    # Whoever gives more for less comes before.
    for option in sorted(options, key=lambda each: (each.point[0], -each.point[1])):
        better = [each for each in placed if _gives_more(each, option)]
        band = 1 + max((each.band or 0 for each in better), default=0)
        if better:
            surely = [each for each in better if not _may_be_otherwise(each, option)]
            by = max(surely or better, key=lambda each: each.point[1])
            placed.append(replace(option, band=band, by=by.slug, why=_behind(by, option, sure=bool(surely))))
        else:
            placed.append(replace(option, band=band, why=_in_front(option, len(options) == 1, others)))
    return placed


def _in_front(option: Option, alone: bool, others: Sequence[Option]) -> str:
    """Why a story is in the first band, and how many could still push it out."""
    why = "Nothing else gives more for less"
    if alone:
        why = f"It is the only one with both numbers in {option.unit}, so nothing else gives more for less"
    count = sum(_might_give_more(each, option) for each in others)
    return f"{why}; {count} that {'lacks' if count == 1 else 'lack'} a number might." if count else f"{why}."


def _might_give_more(other: Option, option: Option) -> bool:
    days, hours = option.point
    return other.worth is not None and other.worth.high >= hours and (other.cost is None or other.cost.likely <= days)


def _gives_more(one: Option, other: Option) -> bool:
    """Whether `one` gives at least as much for at most as much work, and is not just as good."""
    (days, hours), (most_days, least_hours) = one.point, other.point
    return days <= most_days and hours >= least_hours and one.point != other.point


def _may_be_otherwise(better: Option, option: Option) -> bool:
    """Whether the intervals of both numbers overlap."""
    if not (better.worth and option.worth and better.cost and option.cost):
        return False
    return option.worth.high >= better.worth.low and option.cost.low <= better.cost.high


def _behind(by: Option, option: Option, *, sure: bool) -> str:
    more, less = by.point[1] > option.point[1], by.point[0] < option.point[0]
    gives = "more for less" if more and less else "more for as much work" if more else "as much for less work"
    chosen = ", and is chosen already" if by.in_work else ""
    doubt = "" if sure else "; their intervals overlap, so it may be the other way round"
    return f"“{by.title}” gives {gives}{chosen}{doubt}."


def _lacks(option: Option) -> str:
    """What would have to be done to know more of a story that lacks a number."""
    if option.worth is None:
        return ""
    return NO_EFFORT if option.likely is not None else next_step(option.facts)


def next_step(facts: Facts) -> str:
    """What would tell why a story is slow, as a sentence."""
    by_state = {state: [each for each in facts.tests.values() if each.state == state] for state in _STATES}
    for each in by_state["waiting"]:
        if each.hypothesis.test:
            return f"The test of {each.hypothesis.id} ends on {each.hypothesis.test.to:%-d %b %Y}."
    if by_state["due"]:
        return f"The window of the test of {by_state['due'][0].hypothesis.id} is over: decide it."
    if by_state["untested"]:
        return f"{by_state['untested'][0].hypothesis.id} is believed and has no test: write one."
    if by_state["decided"]:
        return "No belief stands that would say how much can be won: write the next one, with a test."
    if facts.story.front.timeboxes:
        return "A timebox has looked; nobody has written a belief with a test yet."
    return "Nobody has looked at why: run a timebox."


def _looks(options: Sequence[Option], unit: Unit) -> list[Look]:
    """The stories that would be in the first band if they turned out well, what would win most first."""
    ours = _of(unit, options)
    front = [option for option in ours if option.band == 1]
    open_ones = [option for option in ours if option.band != 1 and not option.in_work and _rough(option)]
    gains = [(_gain(option, front), option) for option in open_ones]
    gains.sort(key=lambda each: -each[0])
    return [Look(option, _worth_a_look(option)) for gain, option in gains if gain > 0]


def _rough(option: Option) -> bool:
    """Whether a number is missing, or known only roughly."""
    if option.likely is None or option.cost is None or option.worth is None:
        return True
    return option.cost.high >= WIDE * option.cost.low or option.worth.high >= WIDE * option.worth.low


def _gain(option: Option, front: Sequence[Option]) -> float:
    """How much more it would give, if it turned out well, than what gives most for as much work."""
    days = math.inf if option.cost is None else option.cost.likely if option.likely is None else option.cost.low
    most = max((hours for took, hours in (each.point for each in front) if took <= days), default=0.0)
    return option.worth.high - most if option.worth else 0.0


def _worth_a_look(option: Option) -> str:
    if option.likely is not None and option.worth:
        if option.cost is None:
            return f"It could give more than any story with both numbers. {NO_EFFORT}"
        return (
            "If it turned out well, nothing else would give more for less: its numbers are known only roughly."
            " Another timebox, or a longer test, would tell."
        )
    most = f"If all of its {shown(option.worth.high if option.worth else 0)} {option.unit} a week could be saved"
    if option.cost is None:
        return f"{most}, nothing else would give more. {next_step(option.facts)}"
    return f"{most}, nothing else would give more for less. {next_step(option.facts)}"
