"""The handbook's reference, made from the code itself: keys, commands, charts and macros."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import click
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from ingest.schema import models_of


@dataclass(frozen=True)
class Key:
    """A key of a YAML file: its path, whether it must be there, its default, what it says."""

    path: str
    required: bool
    default: str
    text: str


def keys_of(model: type[BaseModel], prefix: str = "", seen: frozenset[type] = frozenset()) -> Iterator[Key]:
    """Every key of a model and of the mappings within it, in the order in which they are declared.

    A kind of mapping that several keys hold is spelt out below the first of them.
    """
    for name, info in model.model_fields.items():
        path = prefix + (info.alias or name)
        default = _default(info.get_default(call_default_factory=True))
        yield Key(path, info.is_required(), default, info.description or "")
        inner = dict.fromkeys(found for _, found in models_of(info.annotation) if found not in seen)
        seen |= set(inner)
        for each in inner:
            yield from keys_of(each, f"{path}{_step(info.annotation)}", seen)


def _step(annotation: Any) -> str:
    """How a path goes on: `fixes[].`, `areas.<name>.`, or `slo.`"""
    text = str(annotation)
    if text.startswith("tuple"):
        return "[]."
    return ".<name>." if text.startswith("dict") else "."


def _default(value: Any) -> str:
    if value is PydanticUndefined or value is None or value in ((), {}) or isinstance(value, BaseModel):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


@dataclass(frozen=True)
class Command:
    """A command of the command line, with its options."""

    name: str
    usage: str
    text: str
    options: tuple[tuple[str, str], ...]


def commands_of(commands: Iterable[click.Command], above: str = "") -> Iterator[Command]:
    """Every command as its help describes it; those of a group follow it, as `timebox start`."""
    for command in sorted(commands, key=lambda each: each.name or ""):
        name = f"{above}{command.name}"
        context = click.Context(command, info_name=f"perfkb {name}")
        records = [each.get_help_record(context) for each in command.params if isinstance(each, click.Option)]
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
        text = inspect.cleandoc(command.help or "")
        yield Command(name, usage, text, tuple(record for record in records if record))
        if isinstance(command, click.Group):
            yield from commands_of(command.commands.values(), f"{name} ")


def first_line(thing: Callable[..., Any] | type) -> str:
    """What a docstring says in its first line."""
    return inspect.cleandoc(thing.__doc__ or "").split("\n", 1)[0]
