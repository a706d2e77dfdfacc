"""Closed quarters: what was stated of each, in a file that is committed and reviewed with the stories.

`stories/_quarters/2026Q3.json` holds the verdicts, the hours and the totals that leadership
was told. They are read and shown, and never computed again in silence: what would be stated
otherwise today is listed beside them (`ingest.quarters`), and a quarter that is closed again
keeps what was stated before. No story's name begins with an underscore.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, FiniteFloat, ValidationError

from ingest.errors import Problem, UserError, Where
from ingest.fields import YEARS, Day, Identifier, Line, Moment, Slug, Strict, Text, Truth
from ingest.pins import Change, Outcome, assert_no_link
from ingest.snapshots import write_atomically

FOLDER = "_quarters"
FORMAT: Literal[1] = 1
LARGEST = 4 * 1024 * 1024
FALSE_DISCOVERIES = 0.05
"""The part of all changes claimed together that may be chance (Benjamini-Hochberg)."""

Unit = Literal["user-hours", "machine-hours"]
_NAME = re.compile(r"(\d{4})Q([1-4])")


@dataclass(frozen=True, order=True)
class Quarter:
    """A quarter of the calendar; as text `2026Q3`."""

    year: int
    number: int

    @classmethod
    def read(cls, text: str) -> "Quarter":
        """The quarter that is called `2026Q3`; ValueError where there is none of that name."""
        found = _NAME.fullmatch(text)
        if not found or int(found[1]) not in YEARS:
            raise ValueError(f"{text!r} is not a quarter")
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def of(cls, day: date) -> "Quarter":
        """The quarter that a day belongs to."""
        return cls(day.year, (day.month + 2) // 3)

    @property
    def first(self) -> date:
        return date(self.year, 3 * self.number - 2, 1)

    @property
    def last(self) -> date:
        return self.following.first - timedelta(days=1)

    @property
    def following(self) -> "Quarter":
        return Quarter(self.year + self.number // 4, self.number % 4 + 1)

    @property
    def title(self) -> str:
        """For reading: `Q3 2026`."""
        return f"Q{self.number} {self.year}"

    def __str__(self) -> str:
        return f"{self.year}Q{self.number}"


def _read_quarter(text: str) -> str:
    return str(Quarter.read(text))


class StatedHours(Strict):
    """Hours that were saved, or cost where they are below zero, with the ends of their 95 % interval."""

    unit: Unit
    """Who waited: people or machines."""
    value: FiniteFloat
    """The best single figure."""
    low: FiniteFloat
    """The lower end."""
    high: FiniteFloat
    """The upper end."""


class StatedFix(Strict):
    """What was stated of a judged fix that shipped within the quarter, or saved hours in it."""

    story: Slug
    """The story's name."""
    fix: Identifier
    """The fix's id."""
    shipped: Day
    """The day it went live."""
    judged: Day
    """The day of its judgement."""
    verdict: Outcome
    """What became of it."""
    figure: Line
    """What was compared."""
    change: Change
    """The change of that figure."""
    counts: Truth
    """Whether it stands in the totals."""
    since: Day | None = None
    """Since when its gain was on its way down, as far as was known."""
    hours: StatedHours | None = None
    """What it saved within the quarter."""

    @property
    def name(self) -> str:
        """Its name within the knowledge base: `slug/id`."""
        return f"{self.story}/{self.fix}"


class Discovery(Strict):
    """How many of the claimed changes stand where no more than one in twenty of them may be chance."""

    judged: int
    """How many fixes were judged: all of them together are the family that is controlled."""
    claimed: tuple[Line, ...] = ()
    """The fixes that are said to have changed something, as `slug/id`."""
    fallen: tuple[Line, ...] = ()
    """Those of them that do not stand."""


class NotMeasured(Strict):
    """A fix that shipped within the quarter and could not be judged."""

    story: Slug
    """The story's name."""
    fix: Identifier
    """The fix's id."""
    why: Text
    """What kept it from being measured."""


class Statement(Strict):
    """What was stated of a quarter on one day."""

    stated: Day
    """The day on which this was stated."""
    method: Line
    """The version of the method that made the hours."""
    data_until: Moment | None = None
    """The end of the newest data that was there."""
    fixes: tuple[StatedFix, ...] = ()
    """The fixes that were judged."""
    not_measured: tuple[NotMeasured, ...] = ()
    """Those that could not be."""
    totals: tuple[StatedHours, ...] = ()
    """What the fixes that count saved within the quarter, each unit by itself."""
    discovery: Discovery
    """How far the claims about the fixes that shipped within the quarter hold together."""

    def of(self, name: str) -> StatedFix | None:
        """What was stated of the fix called `slug/id`."""
        return next((each for each in self.fixes if each.name == name), None)


class Closed(Strict):
    """A closed quarter; `format` changes when older files can no longer be read alike."""

    format: Literal[1]
    """The form of this file."""
    quarter: Annotated[str, AfterValidator(_read_quarter)]
    """The quarter, such as 2026Q3."""
    statement: Statement
    """What stands."""
    before: tuple[Statement, ...] = ()
    """What was stated earlier and has been restated, the oldest first."""


@dataclass(frozen=True)
class Quarters:
    """The closed quarters by name, and what is wrong with the files of others."""

    closed: dict[str, Closed] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def path_of(root: Path, quarter: Quarter) -> Path:
    """The file of a closed quarter."""
    return root / "stories" / FOLDER / f"{quarter}.json"


def read_quarters(root: Path) -> Quarters:
    """The closed quarters of the knowledge base at `root`; what is wrong with one becomes a problem."""
    closed: dict[str, Closed] = {}
    problems: list[Problem] = []
    for entry in _entries(root / "stories" / FOLDER):
        try:
            found = _read(entry)
        except _UnfitError as error:
            # A name that is not UTF-8 could not be printed.
            named = entry.relative_to(root).as_posix().encode("utf-8", "backslashreplace").decode()
            problems.append(Problem(Where(named), "PK210", error.what, error.hint))
        else:
            closed[found.quarter] = found
    return Quarters(closed, tuple(problems))


class _UnfitError(Exception):
    """Why a file is no closed quarter that can be believed."""

    def __init__(self, what: str, hint: str = "take it back from version control") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def _entries(folder: Path) -> Iterator[Path]:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        yield folder
    elif folder.is_dir():
        yield from sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _read(file: Path) -> Closed:
    if file.is_symlink() or not file.is_file() or file.suffix != ".json" or not _NAME.fullmatch(file.stem):
        raise _UnfitError("a closed quarter is a file such as 2026Q3.json", "remove it")
    try:
        closed = Closed.model_validate(json.loads(_bytes(file)))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _UnfitError(f"{place}: this is not what closing a quarter writes: {first['msg']}") from None
    except (ValueError, RecursionError):
        raise _UnfitError("this cannot be read as JSON") from None
    if closed.quarter != file.stem:
        raise _UnfitError(f"this is what was stated of {closed.quarter}, not of {file.stem}")
    return closed


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            raw = opened.read(LARGEST + 1)
    except OSError as error:
        raise _UnfitError(f"cannot be read: {error.strerror}") from None
    if len(raw) > LARGEST:
        raise _UnfitError(f"is larger than {LARGEST // 1024:,} KiB")
    return raw


def write_quarter(root: Path, closed: Closed) -> Path:
    """Writes a closed quarter whole or not at all; UserError where it cannot be written."""
    file = path_of(root, Quarter.read(closed.quarter))
    assert_no_link(root, file)
    try:
        file.parent.mkdir(exist_ok=True)
        write_atomically(file, to_json(closed).encode())
    except OSError as error:
        raise UserError(str(file), f"cannot be written: {error.strerror}") from None
    return file


def to_json(closed: Closed) -> str:
    """A closed quarter as its file holds it."""
    made = closed.model_dump(exclude_none=True)
    return json.dumps(made, indent=1, ensure_ascii=False, default=_plain) + "\n"


def _plain(when: date) -> str:
    """A day, or a moment in UTC."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(when, datetime) else when.isoformat()
