"""Tickets of other systems: which names are ones, and where they lead.

A pattern is the company's and a ticket anybody's, and together they could keep Python's
regular expressions busy for years. Those of Rust, which pydantic brings along, take a time
in proportion to the ticket's length, whatever the pattern.
"""

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote

from pydantic_core import SchemaError, SchemaValidator, core_schema


def address_of(ticket: str, patterns: Mapping[str, str]) -> str | None:
    """The address of a ticket by the first of `patterns` that all of it matches; None where none does."""
    for pattern, address in patterns.items():
        if matcher(pattern).isinstance_python(ticket):
            return address.replace("{}", quote(ticket, safe=""))
    return None


@lru_cache
def matcher(pattern: str) -> SchemaValidator:
    """What tells whether all of a text matches; ValueError where `pattern` is no regular expression."""
    try:
        SchemaValidator(core_schema.str_schema(pattern=pattern))
        return SchemaValidator(core_schema.str_schema(pattern=rf"\A(?:{pattern})\z"))
    except SchemaError as error:
        raise ValueError(str(error).rpartition("\n")[2].strip().removeprefix("error: ")) from None
