"""From marked YAML to a declared model: every mistake with its place, code and hint.

A mapping with mistakes still yields what is right about it: the wrong parts are taken
out and the rest is read again, so that one run can go on to find dangling references
and missing evidence, and a preview can show the story around its mistakes.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from ingest.errors import Problem, Where, did_you_mean
from ingest.marked import Marked, Path, spell

M = TypeVar("M", bound=BaseModel)
D = TypeVar("D", bound=Marked)

MAX_MESSAGE = 400
# Nobody reads more, and finding what was meant by each takes its time.
MOST_MISTAKES = 1000
# Parts of pydantic's locations that are no part of the file: tags of unions, and `this is about the key`.
_NOT_IN_FILE = re.compile(r"<\w+>|\[key\]")

_MEANT = {
    "int_parsing": ("is not a whole number", "write digits only"),
    "int_from_float": ("is not a whole number", "write digits only"),
    "float_parsing": ("is not a number", "write it in digits, such as 0.95"),
    "less_than": ("is not a quantile", "write a share between 0 and 1, such as 0.95"),
    "greater_than": ("is not a quantile", "write a share between 0 and 1, such as 0.95"),
    "greater_than_equal": ("is less than {ge}", ""),
    "less_than_equal": ("is more than {le}", ""),
    "list_type": ("must be a list", "write [one, two], or one a line with a hyphen"),
    "dict_type": ("must be a mapping", "write `key: value` lines below it"),
    "model_type": ("must be a mapping", "write `key: value` lines below it"),
    "too_long": ("has more entries than a page can show", "split the story"),
    "tuple_type": ("must be a list", "write [one, two], or one a line with a hyphen"),
}
_CODES = {
    "extra_forbidden": "PK101",
    "missing": "PK102",
    "literal_error": "PK104",
    "forbidden_character": "PK105",
}


def read_model(model: type[M], marked: D, defaults: dict[str, Any]) -> tuple[M, D, list[Problem]]:
    """`marked` as a `model`, what is left of `marked` without its mistakes, and the mistakes.

    `defaults` stand in for required fields that are missing or wrong; there is one for each.
    """
    with suppress(ValidationError):
        # Most files have no mistake, and a thousand of them are read at once.
        return model.model_validate(marked.data), marked, []
    problems = _problems(model, marked)
    usable = marked
    while usable.data and (details := _mistakes(model, _filled(defaults, usable.data))):
        usable = _without(usable, {_present(usable.data, _real_path(usable.data, each["loc"])) for each in details})
    return model.model_validate(_filled(defaults, usable.data)), usable, problems


def read_whole(model: type[M], marked: Marked, beside: Iterable[str] = ()) -> tuple[M | None, list[Problem]]:
    """`marked` as a `model`, or its mistakes; the keys `beside` are read elsewhere, and known."""
    problems = _problems(model, marked, beside)
    return (None if problems else model.model_validate(marked.data)), problems


def _problems(model: type[BaseModel], marked: Marked, beside: Iterable[str] = ()) -> list[Problem]:
    return [_problem(model, marked, detail, beside) for detail in _mistakes(model, marked.data)[:MOST_MISTAKES]]


def _mistakes(model: type[BaseModel], data: dict[str, Any]) -> list[ErrorDetails]:
    try:
        model.model_validate(data)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _filled(defaults: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    return {**defaults, **{key: value for key, value in data.items() if value is not None}}


def _problem(model: type[BaseModel], marked: Marked, detail: ErrorDetails, beside: Iterable[str]) -> Problem:
    path = _real_path(marked.data, detail["loc"])
    kind = detail["type"]
    context = detail.get("ctx") or {}
    what, hint = detail["msg"], context.get("hint", "")
    code = _CODES.get(kind, "PK103")
    name = spell(path)
    if kind == "extra_forbidden":
        known = _known_fields(model, detail["loc"][:-1]) | {*beside}
        return Problem(marked.where(path), code, f"{name} is not a known field", did_you_mean(str(path[-1]), known))
    if kind == "missing":
        return Problem(marked.where(path), code, f"{name} is missing", f"add `{path[-1]}: ...`")
    if kind == "literal_error":
        choices = [choice.strip("' ") for choice in context["expected"].replace(" or ", ", ").split(",")]
        what, hint = (
            f"{detail['input']!r} is not one of {', '.join(choices)}",
            did_you_mean(str(detail["input"]), choices),
        )
        hint = hint if hint.startswith("did") else ""
    elif kind in _MEANT:
        said, hint = _MEANT[kind]
        said = said.format(**context)
        what = f"{detail['input']!r} {said}" if isinstance(detail["input"], str) else said
    if len(what) > MAX_MESSAGE:
        # The value stands first and the reason last.
        what = f"{what[: MAX_MESSAGE // 2]} ... {what[-MAX_MESSAGE // 2 :]}"
    return Problem(marked.where(path), code, f"{name}: {what}", hint)


def _real_path(data: Any, loc: tuple[int | str, ...]) -> Path:
    """A pydantic location as a path of the file; only its last part may be missing there."""
    path: list[int | str] = []
    for part in loc:
        there = _holds(data, part)
        if not there and _NOT_IN_FILE.fullmatch(str(part)):
            continue
        path.append(part)
        if not there:
            break
        data = data[part]
    return tuple(path)


def _holds(data: Any, part: int | str) -> bool:
    return part in data if isinstance(data, dict) else isinstance(data, list) and part in range(len(data))


def _known_fields(model: type[BaseModel], loc: tuple[int | str, ...]) -> set[str]:
    """The keys that may stand at a pydantic location below `model`."""
    found = [("", model)]
    for part in loc:
        of_tag = [each for each in found if each[0] == part]
        of_field = [
            inner
            for _, each in found
            for name, info in each.model_fields.items()
            if part == (info.alias or name)
            for inner in models_of(info.annotation)
        ]
        # An index of a list, or a key of a free mapping, leads to the same models.
        found = of_tag or of_field or found
    return {info.alias or name for _, each in found for name, info in each.model_fields.items()}


def models_of(annotation: Any, tag: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """The models that an annotation is made of, each with its tag where it is one of a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield tag, annotation
    tag = next((each.tag for each in getattr(annotation, "__metadata__", ()) if isinstance(each, Tag)), tag)
    for argument in get_args(annotation):
        yield from models_of(argument, tag)


def _present(data: Any, path: Path) -> Path:
    """`path`, or where nothing stands there, what should have held it."""
    for length, part in enumerate(path):
        if not _holds(data, part):
            return path[:length]
        data = data[part]
    return path


def _without(marked: D, gone: set[Path]) -> D:
    """What is left without the values at `gone`; in a list, those behind them move up with their marks."""
    marks: dict[Path, Where] = {}

    def rest(value: Any, old: Path, new: Path) -> Any:
        if old in marked.marks:
            marks[new] = marked.marks[old]
        if isinstance(value, dict):
            stay = [key for key in value if (*old, key) not in gone]
            return {key: rest(value[key], (*old, key), (*new, key)) for key in stay}
        if isinstance(value, list):
            places = [index for index in range(len(value)) if (*old, index) not in gone]
            return [rest(value[index], (*old, index), (*new, place)) for place, index in enumerate(places)]
        return value

    return replace(marked, data=rest(marked.data if () not in gone else {}, (), ()), marks=marks)
