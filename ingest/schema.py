"""From marked YAML to a declared model: every mistake with its place, code and hint.

A mapping with mistakes still yields what is right about it: the wrong parts are taken
out and the rest is read again, so that one run can go on to find dangling references
and missing evidence, and a preview can show the story around its mistakes.
"""

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ingest.errors import Problem, did_you_mean
from ingest.marked import Marked, Path, spell

M = TypeVar("M", bound=BaseModel)
D = TypeVar("D", bound=Marked)

_MEANT = {
    "int_parsing": ("is not a whole number", "write digits only"),
    "int_from_float": ("is not a whole number", "write digits only"),
    "float_parsing": ("is not a number", "write it in digits, such as 0.95"),
    "list_type": ("must be a list", "write [one, two], or one a line with a hyphen"),
    "dict_type": ("must be a mapping", "write `key: value` lines below it"),
    "model_type": ("must be a mapping", "write `key: value` lines below it"),
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
    problems = [_problem(model, marked, detail) for detail in _mistakes(model, marked.data)]
    usable = replace(marked, data=copy.deepcopy(marked.data), marks=dict(marked.marks))
    while details := _mistakes(model, _filled(defaults, usable.data)):
        _take_out(usable, details)
    return model.model_validate(_filled(defaults, usable.data)), usable, problems


def read_whole(model: type[M], marked: Marked) -> tuple[M | None, list[Problem]]:
    """`marked` as a `model`, or its mistakes."""
    problems = [_problem(model, marked, detail) for detail in _mistakes(model, marked.data)]
    return (None if problems else model.model_validate(marked.data)), problems


def _mistakes(model: type[BaseModel], data: dict[str, Any]) -> list[ErrorDetails]:
    try:
        model.model_validate(data)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _filled(defaults: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    return {**defaults, **{key: value for key, value in data.items() if value is not None}}


def _problem(model: type[BaseModel], marked: Marked, detail: ErrorDetails) -> Problem:
    path = _real_path(marked.data, detail["loc"])
    kind = detail["type"]
    context = detail.get("ctx") or {}
    what, hint = detail["msg"], context.get("hint", "")
    code = _CODES.get(kind, "PK103")
    name = spell(path)
    if kind == "extra_forbidden":
        what, hint = f"{name} is not a known field", did_you_mean(str(path[-1]), _known_fields(model, path[:-1]))
        return Problem(marked.where(path), code, what, hint)
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
        what = f"{detail['input']!r} {said}" if isinstance(detail["input"], str) else said
    return Problem(marked.where(path), code, f"{name}: {what}", hint)


def _real_path(data: Any, loc: tuple[int | str, ...]) -> Path:
    """A pydantic location without the tags of unions, which are no part of the file."""
    path: list[int | str] = []
    for position, part in enumerate(loc):
        last = position == len(loc) - 1
        if isinstance(data, dict) and (part in data or last):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            continue
        path.append(part)
    return tuple(path)


def _known_fields(model: Any, path: Path) -> set[str]:
    """The keys that may stand at `path` of `model`, through lists, mappings and unions."""
    models = set(_models_of(model))
    for part in path:
        inner: set[type[BaseModel]] = set()
        for each in models:
            for name, info in each.model_fields.items():
                if part == (info.alias or name):
                    inner |= set(_models_of(info.annotation))
        # An index of a list, or a key of a free mapping, leads to the same models.
        models = inner or models
    return {info.alias or name for each in models for name, info in each.model_fields.items()}


def _models_of(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_of(argument)


def _take_out(marked: Marked, details: list[ErrorDetails]) -> None:
    """Removes what is wrong; a list loses the item, and the marks after it move up."""
    # From the back, so that the indices of what is still to go stay right.
    for path in sorted(
        {_real_path(marked.data, detail["loc"]) for detail in details}, key=_from_the_back, reverse=True
    ):
        remove(marked, path)


def _from_the_back(path: Path) -> list[tuple[int, str]]:
    return [(part, "") if isinstance(part, int) else (-1, part) for part in path]


def remove(marked: Marked, path: Path) -> None:
    """Takes the value at `path` out of `marked`; where there is none, its parent goes."""
    if not path:
        marked.data = {}
        return
    parent = marked.data
    for part in path[:-1]:
        parent = parent[part]  # type: ignore[index]
    last = path[-1]
    if isinstance(parent, list) and isinstance(last, int):
        parent.pop(last)
        marked.marks = {_moved(at, path): where for at, where in marked.marks.items() if at[: len(path)] != path}
    elif isinstance(parent, dict) and last in parent:
        parent.pop(str(last))
        marked.marks = {at: where for at, where in marked.marks.items() if at[: len(path)] != path}
    else:
        remove(marked, path[:-1])


def _moved(at: Path, removed: Path) -> Path:
    depth = len(removed) - 1
    if len(at) > depth and at[:depth] == removed[:depth] and isinstance(at[depth], int) and at[depth] > removed[depth]:  # type: ignore[operator]
        return (*at[:depth], at[depth] - 1, *at[depth + 1 :])  # type: ignore[operator]
    return at
