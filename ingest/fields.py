"""The kinds of values that front matter and configuration are made of.

`marked` hands over every scalar as the text that stood in the file; each type here reads
one kind of text and says in its error what to write instead. `Strict` is the base of all
declared mappings: frozen, no unknown keys, and the docstring below an attribute is its
description in the JSON Schema and the handbook.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from ingest.units import Effort, Quantity, parse_duration, parse_effort, parse_percent, parse_quantity

SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
MAX_SLUG = 80
# Windows has no files of these names, and who works there could not check the repository out.
_DEVICE = re.compile("con|prn|aux|nul|com[0-9]|lpt[0-9]")
NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
MAX_LINE = 300
MAX_TEXT = 4000
MAX_LINK = 2000
YEARS = range(1970, 2200)
"""Years that a date may lie in: nobody means others, and counting days from them stays within the calendar."""

T = TypeVar("T")
D = TypeVar("D", bound=date)


class Strict(BaseModel):
    """A declared mapping: frozen, without unknown keys; an empty value counts as not given."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        known = {info.alias or name for name, info in cls.model_fields.items()}
        return {key: value for key, value in data.items() if value is not None or key not in known}


def wrong(what: str, hint: str = "", kind: str = "wrong_value") -> PydanticCustomError:
    """The error of a validator: what is wrong with the value, and what to write instead."""
    # Pydantic formats braces in the template; the texts travel in the context instead.
    return PydanticCustomError(kind, "{what}", {"what": what, "hint": hint})


def _reader(kind: type[T], read: Callable[[str], T], hint: str) -> Callable[[Any], T]:
    """A validator that reads a text, and lets an already read value through."""

    def validate(value: Any) -> T:
        if isinstance(value, kind):
            return value
        if not isinstance(value, str):
            raise wrong("a single value is expected here", hint)
        try:
            return read(value)
        except ValueError as error:
            raise wrong(str(error), hint) from None

    return validate


def _text_reader(read: Callable[[str], str], hint: str) -> Callable[[Any], str]:
    """A validator for texts of a certain form, which stay texts."""

    def validate(value: Any) -> str:
        if not isinstance(value, str):
            raise wrong("a single value is expected here", hint)
        try:
            return read(value)
        except ValueError as error:
            raise wrong(str(error), hint) from None

    return validate


def is_unprintable(character: str) -> bool:
    """Control and direction-changing characters, which make a line show what it does not say."""
    return unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn") or character in BIDI_CONTROLS


def _is_blank(character: str) -> bool:
    """What shows nothing by itself: blanks, invisible characters, marks without a letter."""
    return unicodedata.category(character) in ("Cf", "Zs", "Zl", "Zp", "Mn", "Me") or character in _FILLERS


_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029\ufeff")


def _read_line(value: Any) -> str:
    return _read_text(value, MAX_LINE, allowed="")


def _read_block(value: Any) -> str:
    return _read_text(value, MAX_TEXT, allowed="\n\t")


def _read_text(value: Any, longest: int, allowed: str) -> str:
    if isinstance(value, (dict, list)):
        raise wrong("a text is expected here", "quote a text that begins with [ or {")
    text = "" if value is None else str(value).strip()
    if all(map(_is_blank, text)):
        raise wrong("this text is empty", "write it, or leave the key out")
    if len(text) > longest:
        raise wrong(f"this text has {len(text):,} characters, at most {longest:,} fit", "the story's text has room")
    # What Python calls printable holds none of them, and asking it is quick.
    for character in "" if text.isprintable() else text:
        if is_unprintable(character) and character not in allowed:
            name = "a line break" if character == "\n" else f"the character U+{ord(character):04X}"
            raise wrong(f"{name} cannot stand here", "remove it", kind="forbidden_character")
    return text


def _read_title(value: Any) -> str:
    text = _read_line(value)
    if found := re.search("[<>]", text):
        # A title reaches navigation, search and feeds of every other page.
        raise wrong(f"{found[0]} cannot stand here", "write it in words", kind="forbidden_character")
    return text


def _read_choice_of_truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise wrong(f"{value!r} is neither true nor false", "write true or false")


def read_link(text: str) -> str:
    """An absolute web address that is safe to put into a page; ValueError otherwise."""
    text = text.strip()
    if len(text) > MAX_LINK:
        raise ValueError(f"this address has {len(text):,} characters, at most {MAX_LINK:,} fit")
    if any(is_unprintable(c) or c.isspace() or c in "<>\"'`\\" for c in text):
        raise ValueError(f"{text!r} is not a web address")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"{text!r} is not a web address") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(f"{text!r} is not a web address")
    if parts.username or parts.password:
        raise ValueError("a web address must not carry a password")
    return text


def read_day(text: str) -> date:
    """`2026-09-01`; ValueError otherwise."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise ValueError(f"{text!r} is not a date")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a day of the calendar") from None
    return _in_reach(day, text)


def read_moment(text: str) -> datetime:
    """`2026-09-20T14:00Z` in UTC; ValueError without an offset, because it could be any."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a date and time") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC")
    return _in_reach(moment, text).astimezone(UTC)


def _in_reach(when: D, text: str) -> D:
    if when.year not in YEARS:
        raise ValueError(f"{text!r} is not in the years {YEARS[0]} to {YEARS[-1]}")
    return when


def read_day_or_moment(text: str) -> date | datetime:
    """A day, or a moment with its offset; ValueError otherwise."""
    return read_day(text) if len(text) <= 10 else read_moment(text)


def read_slug(text: str) -> str:
    """A story's name in addresses and on disk; ValueError otherwise."""
    if not SLUG.fullmatch(text) or len(text) > MAX_SLUG or text == "index" or _DEVICE.fullmatch(text):
        raise ValueError(f"{text!r} is not a story's name")
    return text


def _read_pattern(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"{text!r} is not {what}")
        return text

    return read


def _text_schema(**more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **more})


def _words_schema(**more: Any) -> WithJsonSchema:
    """That of a text in which a number may stand without quotes: an editor's YAML makes it one."""
    return WithJsonSchema({"type": ["string", "number"], **more})


_DURATION_HINT = "write 2h, 1h30m or 45m"
_DAY_HINT = "write a day such as 2026-09-01"
SLUG_HINT = f"lower-case letters, digits and single hyphens, at most {MAX_SLUG}; neither index nor, as on Windows, con"

Line = Annotated[str, BeforeValidator(_read_line), _words_schema(maxLength=MAX_LINE)]
Text = Annotated[str, BeforeValidator(_read_block), _words_schema(maxLength=MAX_TEXT)]
Title = Annotated[str, BeforeValidator(_read_title), _words_schema(maxLength=MAX_LINE, pattern="^[^<>]+$")]
Truth = Annotated[bool, PlainValidator(_read_choice_of_truth), WithJsonSchema({"type": "boolean"})]
Link = Annotated[
    str,
    PlainValidator(_text_reader(read_link, "write an address that begins with https://")),
    _text_schema(format="uri", pattern="^https?://"),
]
Slug = Annotated[
    str,
    PlainValidator(_text_reader(read_slug, SLUG_HINT)),
    _text_schema(pattern=f"^{SLUG.pattern}$", maxLength=MAX_SLUG),
]
Name = Annotated[
    str,
    PlainValidator(_text_reader(_read_pattern(NAME, "a name"), "lower-case letters, digits and _, a letter first")),
    _text_schema(pattern=f"^{NAME.pattern}$"),
]
Identifier = Annotated[
    str,
    PlainValidator(_text_reader(_read_pattern(IDENTIFIER, "an id"), "lower-case letters, digits, - and _")),
    _text_schema(pattern=f"^{IDENTIFIER.pattern}$"),
]
Day = Annotated[date, PlainValidator(_reader(date, read_day, _DAY_HINT)), _text_schema(format="date")]
Moment = Annotated[
    datetime,
    PlainValidator(_reader(datetime, read_moment, "write it with an offset, such as 2026-09-20T14:00Z")),
    _text_schema(format="date-time"),
]
DayOrMoment = Annotated[
    date | datetime,
    PlainValidator(_reader(date, read_day_or_moment, "write 2026-09-20, or with an offset 2026-09-20T14:00Z")),
    _text_schema(examples=["2026-09-20", "2026-09-20T14:00Z"]),
]
Duration = Annotated[
    timedelta,
    PlainValidator(_reader(timedelta, parse_duration, _DURATION_HINT)),
    _text_schema(examples=["2h", "1h30m", "45m"]),
]
WorkingTime = Annotated[
    Effort,
    PlainValidator(_reader(Effort, parse_effort, "write 4h, 3d or a range such as 2d-5d, in working days")),
    _text_schema(examples=["4h", "3d", "2d-5d"]),
]
Percent = Annotated[
    float,
    PlainValidator(_reader(float, parse_percent, "write a percentage with its sign, such as -60 %")),
    _text_schema(examples=["-60 %", "50 %"]),
]
Amount = Annotated[
    Quantity,
    PlainValidator(_reader(Quantity, parse_quantity, "write a number and its unit, such as 1 s or 250 ms")),
    WithJsonSchema({"type": ["string", "number"], "examples": ["1 s", "250 ms", 3]}),
]
