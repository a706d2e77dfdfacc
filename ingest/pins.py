"""Pinned evidence: what was stated on the day of a decision, and the data behind it.

`stories/<slug>/pinned/<id>/` belongs to a hypothesis or a fix. It holds `numbers.json`, whose
form is declared here, and a CSV for each series that was looked at, cut to the days that
matter. Metric stores forget; a pin is committed and reviewed with its story, so the evidence
of a decision outlives them. A pinned number is stated once: it is read, compared and shown,
and never computed again in silence.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, FiniteFloat, ValidationError, model_validator

from ingest.errors import Problem, UserError, Where
from ingest.fields import IDENTIFIER, Day, DayOrMoment, Line, Moment, Name, Strict, wrong
from ingest.snapshots import write_atomically
from ingest.story import Kind, Quantile, Test, Verdict

PINNED = "pinned"
NUMBERS = "numbers.json"
FORMAT = 1
LARGEST_NUMBERS = 256 * 1024
LARGEST_DATA = 20 * 1024 * 1024
LONGEST_REASON = 200
# Data of a pin is published as it lies there, and opened in spreadsheets: it is times and numbers alone.
_NUMBER = rb"-?[0-9]++(?:\.[0-9]++)?(?:e[-+]?[0-9]++)?"
_TABLE = re.compile(
    rb"time(?:,(?:value|sum|le=(?:\+Inf|%b)))++\n(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z(?:,(?:%b)?)++\n)*+"
    % (_NUMBER, _NUMBER)
)

Outcome = Literal["improved", "regressed", "undetected", "unusual"]
"""What became of a fix; `unusual` improved, but only against an unusual week before it."""


class Between(Strict):
    """A figure with the ends of its 95 % interval."""

    value: FiniteFloat
    """The best single figure."""
    low: FiniteFloat
    """The lower end."""
    high: FiniteFloat
    """The upper end."""


class Change(Strict):
    """A relative change (-0.2 is 20 % less), with what makes it believable."""

    effect: Annotated[FiniteFloat, Field(gt=-1)]
    """The change; nothing falls by all of it."""
    low: Annotated[FiniteFloat, Field(gt=-1)]
    """The lower end of its 95 % interval."""
    high: FiniteFloat
    """The upper end of its 95 % interval."""
    p: FiniteFloat
    """How probable as large a change is where nothing was changed."""
    detectable: FiniteFloat
    """The smallest change that would have been seen in four of five cases."""
    days_before: int
    """How many days before the change were used."""
    days_after: int
    """How many days after it were used."""
    controlled: bool = False
    """Whether a control series took part."""

    @property
    def between(self) -> Between:
        return Between(value=self.effect, low=self.low, high=self.high)

    @property
    def moved(self) -> bool:
        """Whether the whole interval lies on one side of no change."""
        return self.low > 0 or self.high < 0


class Looked(Strict):
    """A series that was looked at: what it was asked, and the file of its rows beside `numbers.json`."""

    title: Line
    """What the series shows."""
    source: Line
    """Where the rows came from."""
    query: str
    """What was asked there."""
    query_hash: str
    """The hash of all that decided which numbers came back."""
    kind: Kind
    """How the numbers add up."""
    unit: str
    """The unit of the values."""
    sha256: str
    """The checksum of the file."""


class Pin(Strict):
    """What all pins say; `format` changes when older ones can no longer be read alike."""

    format: Literal[1]
    """The form of this file."""
    method: Line
    """The version of the method that made the numbers."""
    stated: Day
    """The day on which this was stated."""
    data_until: Moment
    """The end of the data that was there on that day."""
    series: dict[Name, Looked]
    """What was looked at."""


class Tested(Pin):
    """What telemetry said of a hypothesis."""

    about: Literal["hypothesis"]
    """A hypothesis' pin."""
    test: Test
    """The test as it was written on that day."""
    figure: Line
    """What was compared: share, mean or a quantile."""
    effect: Between
    """The share; or how much larger one group's figure is; or the change."""
    days: int
    """How many days were used; of a change, those after it."""
    days_before: int = 0
    """Of a change: how many days before it were used."""
    hours_present: Annotated[float, Field(ge=0, le=1)]
    """The part of the window's steps that have data."""
    requests: FiniteFloat | None = None
    """How many requests were looked at; null where the series do not count them."""
    verdict: Verdict
    """What follows."""


class Fixed(Strict):
    """What a fix said of itself on the day of its judgement."""

    shipped: DayOrMoment
    """When it went live."""
    series: Name
    """The series it should change."""
    quantile: Quantile | None = None
    """The quantile it should change; the mean, or the series' only figure, where there is none."""
    control: Name | None = None
    """The series it was compared with."""
    expected: FiniteFloat | None = None
    """The change that was expected of it."""


class Judged(Pin):
    """What became of a fix: judged once, on one day that was known beforehand."""

    about: Literal["fix"]
    """A fix's pin."""
    fix: Fixed
    """The fix as it was written on that day."""
    figure: Line
    """What was compared: mean, a quantile, or the series' only figure."""
    before: FiniteFloat
    """The usual figure before, in the unit of the series."""
    after: FiniteFloat
    """The usual figure after."""
    change: Change
    """The change of that figure."""
    guard: Change | None = None
    """The same without the last week before the fix."""
    mean: Change | None = None
    """The change of the mean, from which hours follow; null where no mean is known."""
    mean_verdict: Outcome | None = None
    """What became of the mean."""
    together: tuple[Line, ...] = ()
    """Other fixes of the same figure whose dates were in the same model."""
    hours_present: Annotated[float, Field(ge=0, le=1)]
    """The part of the steps before and after that have data."""
    verdict: Outcome
    """What follows."""

    @model_validator(mode="after")
    def _holds_its_series(self) -> Self:
        if self.fix.series not in self.series:
            raise wrong(f"its series {self.fix.series} is not among those that were looked at")
        return self


AnyPin = Tested | Judged


@dataclass(frozen=True)
class Pins:
    """The pins of one story by the id of what they are about, and what is wrong with the others."""

    tested: dict[str, Tested] = field(default_factory=dict)
    judged: dict[str, Judged] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


NO_PINS = Pins()
"""Those of a story without any."""


def read_pins(root: Path, slug: str) -> Pins:
    """The pins of the story called `slug`; nothing in them raises, what is wrong becomes a problem."""
    folder = root / "stories" / slug / PINNED
    pins, problems = Pins(), []
    linked = folder.is_symlink() or folder.parent.is_symlink()
    for entry in sorted(folder.iterdir()) if folder.is_dir() and not linked else ():
        if entry.name.startswith("."):
            continue
        try:
            pin = _read_pin(entry)
        except _UnfitError as error:
            # A name that is not UTF-8 could not be printed.
            place = (error.file or entry).relative_to(root).as_posix()
            where = Where(place.encode("utf-8", "backslashreplace").decode())
            problems.append(Problem(where, "PK210", str(error), error.hint))
        else:
            if isinstance(pin, Tested):
                pins.tested[entry.name] = pin
            else:
                pins.judged[entry.name] = pin
    return Pins(pins.tested, pins.judged, tuple(problems))


class _UnfitError(Exception):
    """A pin that cannot be believed; `file` is the part of it that is wrong."""

    def __init__(
        self, what: str, hint: str = "take it back from version control, or decide anew", file: Path | None = None
    ):
        super().__init__(what)
        self.hint = hint
        self.file = file


def _read_pin(folder: Path) -> AnyPin:
    if folder.is_symlink() or not folder.is_dir() or not IDENTIFIER.fullmatch(folder.name):
        raise _UnfitError("pinned evidence is a folder named like its hypothesis or fix", "remove it")
    file = folder / NUMBERS
    raw = _read(file, LARGEST_NUMBERS)
    try:
        about = json.loads(raw)
        model: type[AnyPin] = Judged if isinstance(about, dict) and about.get("about") == "fix" else Tested
        pin = model.model_validate(about)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])[:LONGEST_REASON]
        why = first["msg"][:LONGEST_REASON]
        raise _UnfitError(f"{place}: this is not a pin's number: {why}", file=file) from None
    except (ValueError, RecursionError):
        raise _UnfitError("this cannot be read as JSON", file=file) from None
    for name, looked in pin.series.items():
        data = folder / f"{name}.csv"
        raw = _read(data, LARGEST_DATA)
        if hashlib.sha256(raw).hexdigest() != looked.sha256:
            raise _UnfitError("the data is not what was pinned: its checksum is another one", file=data)
        if not _TABLE.fullmatch(raw):
            raise _UnfitError("the data is no table of times and numbers", file=data)
    known = {NUMBERS, *(f"{name}.csv" for name in pin.series)}
    for entry in sorted(folder.iterdir()):
        if entry.name not in known and not entry.name.startswith("."):
            raise _UnfitError("this file is no part of the pin beside it", "remove it", entry)
    return pin


def _read(file: Path, most: int) -> bytes:
    if file.is_symlink():
        raise _UnfitError("links are not followed", file=file)
    if file.exists() and not file.is_file():
        # Whoever reads a pipe may wait for ever.
        raise _UnfitError("is not a file", "remove it", file)
    try:
        with file.open("rb") as opened:
            raw = opened.read(most + 1)
    except OSError as error:
        raise _UnfitError(f"cannot be read: {error.strerror}", file=file) from None
    if len(raw) > most:
        raise _UnfitError(f"is larger than {most // 1024:,} KiB", file=file)
    return raw


def write_pin(root: Path, slug: str, name: str, pin: AnyPin, data: Mapping[str, bytes]) -> Path:
    """Writes a pin whole or not at all, in place of an older one; returns its folder.

    `data` is the CSV of each series of `pin`. UserError where it cannot be written.
    """
    if too_large := [series for series, raw in data.items() if len(raw) > LARGEST_DATA]:
        what = f"the rows of {', '.join(too_large)} are more than the {LARGEST_DATA // 1024:,} KiB that a pin holds"
        raise UserError(f"stories/{slug}", what, "give their source a longer `step`")
    pinned = root / "stories" / slug / PINNED
    folder, made = pinned / name, pinned / f".{name}"
    assert_no_link(root, folder)
    try:
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        for series, raw in data.items():
            write_atomically(made / f"{series}.csv", raw)
        write_atomically(made / NUMBERS, to_json(pin))
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)
    except OSError as error:
        raise UserError(str(folder), f"cannot be written: {error.strerror}") from None
    return folder


def assert_no_link(root: Path, path: Path) -> None:
    """UserError where `path` or a folder between it and `root` is a link: what is written there could land anywhere."""
    for part in (path, *path.parents):
        if part == root:
            return
        if part.is_symlink():
            raise UserError(part.relative_to(root).as_posix(), "links are not followed", "remove it")


def pinned_files(root: Path, slug: str, pins: Pins) -> Iterator[Path]:
    """Every file of a story's pins that can be believed."""
    for name, pin in {**pins.tested, **pins.judged}.items():
        folder = root / "stories" / slug / PINNED / name
        yield folder / NUMBERS
        yield from (folder / f"{series}.csv" for series in pin.series)


def to_json(pin: AnyPin) -> bytes:
    """A pin as `numbers.json` holds it."""
    made = pin.model_dump(by_alias=True, exclude_none=True)
    # What people wrote is compared with their story's later: 33.3 % is no 0.333 in binary.
    stated = {key: each if key in ("test", "fix") else _shortened(each) for key, each in made.items()}
    return (json.dumps(stated, indent=1, ensure_ascii=False, default=_plain) + "\n").encode()


def _shortened(value: Any) -> Any:
    """Six digits of every number: more would say nothing, and differ from one processor to the next."""
    if isinstance(value, dict):
        return {key: _shortened(each) for key, each in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _plain(when: date) -> str:
    """A day, or a moment in UTC."""
    moment = when.astimezone(UTC) if isinstance(when, datetime) else when
    return moment.isoformat().replace("+00:00", "Z")
