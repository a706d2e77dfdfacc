"""The JSON Schema for editors: it agrees with the reader, and the handbook's recipe uses it."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import date
from operator import ge, gt, le, lt
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingest.story import EXAMPLES, json_schema
from tests.ingest.bases import CASES, read

ROOT = Path(__file__).parents[2]
# The reader's own: the other one of PyYAML's two does not know a question mark within braces.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SAMPLES = [*sorted((ROOT / "stories").glob("*.md")), *sorted((CASES / "clean/stories").glob("*.md")),
           *sorted((CASES / "example/stories").glob("*.md"))]  # fmt: skip
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "integer": (int,),
    "number": (int, float),
}  # fmt: skip
RANGES: dict[str, Callable[[float, float], bool]] = {
    "minimum": ge, "maximum": le, "exclusiveMinimum": gt, "exclusiveMaximum": lt,
}  # fmt: skip
SIZES = {"maxLength": str, "maxItems": list, "maxProperties": dict}
KNOWN = {
    "type", "properties", "required", "additionalProperties", "patternProperties", "propertyNames",
    "items", "oneOf", "allOf", "$ref", "enum", "pattern", "format", *RANGES, *SIZES,
    "description", "title", "examples", "default", "$defs", "$schema",
}  # fmt: skip


class Editor(LOADER):  # type: ignore[misc,valid-type]
    """YAML 1.2 with its core schema, as editors read it: dates and `no` are texts, numbers are numbers."""


Editor.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
):
    Editor.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"^(?:{pattern})$"), list(first))


def front_of(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8").split("\n---\n", 1)[0], Loader=Editor)  # noqa: S506  # a safe one


def faults(value: Any, schema: dict[str, Any], place: str = "") -> Iterator[str]:
    """What is wrong with a value by a schema of draft 7, as far as ours goes."""
    assert schema.keys() <= KNOWN, schema.keys() - KNOWN
    types = schema.get("type", [])
    kinds = tuple(kind for each in ([types] if isinstance(types, str) else types) for kind in TYPES[each])
    if kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and "boolean" not in str(types))):
        yield f"{place}: {value!r} is no {types}"
        return
    yield from _composed(value, schema, place)
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place}: {value!r} is not one of {schema['enum']}"
    if isinstance(value, str):
        yield from _text_faults(value, schema, place)
    for key, holds in RANGES.items():
        if isinstance(value, (int, float)) and key in schema and not holds(value, schema[key]):
            yield f"{place}: {value} is out of range"
    for key, kind in SIZES.items():
        if isinstance(value, kind) and len(value) > schema.get(key, len(value)):
            yield f"{place}: more than {key}"
    for number, item in enumerate(value if isinstance(value, list) else ()):
        yield from faults(item, schema.get("items", {}), f"{place}[{number}]")
    if isinstance(value, dict):
        yield from _mapping_faults(value, schema, place)


def _composed(value: Any, schema: dict[str, Any], place: str) -> Iterator[str]:
    if "$ref" in schema:
        yield from faults(value, json_schema()["$defs"][schema["$ref"].rpartition("/")[2]], place)
    for each in schema.get("allOf", ()):
        yield from faults(value, each, place)
    if "oneOf" in schema:
        found = [list(faults(value, each, place)) for each in schema["oneOf"]]
        if sum(not each for each in found) != 1:
            yield f"{place}: {value!r} is not exactly one of them: {found}"


def _text_faults(value: str, schema: dict[str, Any], place: str) -> Iterator[str]:
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{place}: {value!r} does not match {schema['pattern']}"
    if schema.get("format") == "date":
        try:
            date.fromisoformat(value)
        except ValueError:
            yield f"{place}: {value!r} is no date"


def _mapping_faults(value: dict[str, Any], schema: dict[str, Any], place: str) -> Iterator[str]:
    known, more = schema.get("properties", {}), schema.get("additionalProperties", {})
    for key in schema.get("required", ()):
        if key not in value:
            yield f"{place}: {key} is missing"
    for key, each in value.items():
        rule = known.get(key, next(iter(schema.get("patternProperties", {}).values()), more))
        if rule is False:
            yield f"{place}: {key} is not known"
        elif isinstance(rule, dict):
            yield from faults(each, rule, f"{place}.{key}")


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_samples_are_right_by_the_schema(path: Path) -> None:
    """Nothing is underlined in an editor that `check` does not mind."""
    assert list(faults(front_of(path), json_schema())) == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("ara: campaigns", "ara is not known"),
        ("status: shiped", "'shiped' is not one of"),
        ("reports: [{date: soon, said: it spins}]", "is not exactly one of them"),
        ("timeboxes: [{date: 2026-09-01, question: Why}]", "budget is missing"),
        ("title: <b>", "does not match"),
        ("slo: {series: a, below: 1 s, quantile: 95}", "out of range"),
        ("tickets: PERF-1", "is no array"),
        ("same_as: No Slug", "does not match"),
        ("draft: perhaps", "is no boolean"),
    ],
)
def test_mistakes_are_wrong_by_the_schema(line: str, fault: str) -> None:
    """What `check` refuses in a single field, the schema refuses as well."""
    fields = {"title": "title: a", "status": "status: reported", line.split(":")[0]: line}
    front = "\n".join(fields.values())
    assert read(front).problems
    assert fault in " ".join(faults(yaml.load(front, Loader=Editor), json_schema()))  # noqa: S506  # a SafeLoader


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_right(name: str) -> None:
    """Every example of a field is right by the schema of its field."""
    schema = json_schema()
    owner, _, field = name.rpartition(".")
    about = (schema["$defs"][owner] if owner else schema)["properties"][field]
    assert about["examples"]
    assert [fault for each in about["examples"] for fault in faults(each, about, name)] == []


def test_examples_are_read() -> None:
    """The examples of a story's own fields make a story, as the reader sees it."""
    properties = json_schema()["properties"]
    front = {key: about["examples"][0] for key, about in properties.items() if "examples" in about}
    assert len(front) > 20
    assert read(yaml.safe_dump(front, sort_keys=False, allow_unicode=True)).problems == ()


def test_the_recipe_for_editors() -> None:
    """The handbook's recipe names the file that `perfkb schema` writes there, and all stories."""
    text = (ROOT / "content/handbook/stories.md").read_text(encoding="utf-8")
    recipe = text.partition("## In your editor")[2].partition("\n## ")[0]
    assert "perfkb schema -o story.schema.json" in recipe
    config = re.findall(r"```js[^\n]*\n(.*?)```", recipe, re.DOTALL)[0]
    (schemas,) = re.findall(r"schemas: (\{.*?\})", config)
    assert json.loads(schemas.replace("'", '"')) == {"./story.schema.json": ["./stories/*.md"]}
    for package in re.findall(r"from '([^']+)'", config):
        assert package in recipe.partition("```js")[0]


def test_the_yaml_of_editors() -> None:
    """An editor reads dates, `no` and times of day as texts, and numbers as numbers."""
    front = yaml.load("a: 2026-09-01\nb: no\nc: 12:30\nd: 1200\ne: true", Loader=Editor)  # noqa: S506  # a safe one
    assert front == {"a": "2026-09-01", "b": "no", "c": "12:30", "d": 1200, "e": True}
